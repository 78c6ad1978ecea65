// Package sqlite keeps the log in a file of its own, for one machine and
// without a server. Several processes may have the file open at once. It must
// not hold anything but the log: views and accounts have files of their own.
package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	sqlite3 "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/chatledger/chatledger/eventstore"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// appID marks the file as a chatledger log ("clog"), in the place that SQLite
// has for it: PRAGMA application_id.
const appID = 0x636c6f67

const (
	newPageSize = 8192                   // bytes; of a file that is created
	readers     = 4                      // connections that reads share
	defaultPoll = 150 * time.Millisecond // how soon a follower sees another process's append
	defaultBusy = 10 * time.Second       // how long an append waits for another process's

	defaultCache = 96 // MB of pages
)

// Store implements eventstore.Store.
type Store struct {
	path    string
	now     func() time.Time
	log     *slog.Logger
	poll    time.Duration
	busy    time.Duration
	cache   int      // MB of pages that connections keep
	pragmas []string // for the writer's connection
	id      uuid.UUID

	queue     queue
	bell      bell
	tail      tail
	recent    recent
	mover     mover
	walSize   int          // bytes
	pool      chan *reader // readers slots; an empty one is nil
	following atomic.Int64 // followers that wait or may come to wait

	done     chan struct{} // closed by Close
	running  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

var _ eventstore.Store = (*Store)(nil)

// Option changes how a Store works.
type Option func(*Store)

// Clock sets the clock that dates events. The default is the machine's.
func Clock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Logger sets where failures go that nobody can be told about. The default is
// nowhere.
func Logger(l *slog.Logger) Option { return func(s *Store) { s.log = l } }

// PollInterval sets how often followers look for appends of other processes.
// Those of the same process wake them at once.
func PollInterval(d time.Duration) Option { return func(s *Store) { s.poll = d } }

// BusyTimeout sets how long an append waits for another process's.
func BusyTimeout(d time.Duration) Option { return func(s *Store) { s.busy = d } }

// Cache sets how many megabytes of pages all connections keep at most; the
// default is 96. Memory for twice as much is taken in the end, since each page is
// put where two would fit. The streams that the writer remembers, 2 million events
// of them by default, change in proportion.
func Cache(megabytes int) Option { return func(s *Store) { s.cache = max(1, megabytes) } }

// Open opens the log at path and creates it if it is not there. ctx bounds the
// opening only.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
	s := &Store{
		path:  path,
		now:   time.Now, //nolint:forbidigo // the default of Clock
		log:   slog.New(slog.DiscardHandler),
		poll:  defaultPoll,
		busy:  defaultBusy,
		cache: defaultCache,
		pool:  make(chan *reader, readers),
		done:  make(chan struct{}),
		mover: newMover(),
	}
	s.tail.generation, s.walSize = defaultGeneration, defaultWAL
	for _, o := range opts {
		o(s)
	}
	s.queue.wake = make(chan struct{}, 1)
	s.bell.ch = make(chan struct{})
	for range readers {
		s.pool <- nil
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	w := &writer{Store: s}
	var err error
	if w.files, err = newWALFiles(); err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	if err := w.open(); err != nil {
		w.files.close()
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	s.running.Go(w.run)
	s.running.Go(s.watch)
	s.running.Go(func() { s.mover.run(s) })
	return s, nil
}

// prepare creates or migrates the schema and finds out the store's id. A file
// that needs neither is only read, so that opening waits for nobody.
func (s *Store) prepare(ctx context.Context) error {
	var schema sqlitemigration.Schema
	names, err := fs.Glob(schemaFiles, "schema/*.sql") // sorted
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			return err
		}
		schema.Migrations = append(schema.Migrations, string(text))
	}
	// With the first tables, in their transaction: no log is ever without.
	id := uuid.New()
	schema.Migrations[0] += fmt.Sprintf("\nINSERT INTO meta (key, value) VALUES ('store', x'%x');\n", id[:])
	schema.AppID = appID

	conn, err := sqlite3.OpenConn(s.path, sqlite3.OpenReadWrite|sqlite3.OpenCreate)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetBusyTimeout(s.busy)
	defer conn.SetInterrupt(conn.SetInterrupt(ctx.Done()))

	version, err := pragma(conn, "user_version")
	if err != nil {
		return err
	}
	if version == 0 {
		if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA page_size = %d", newPageSize), nil); err != nil {
			return fmt.Errorf("set page size: %w", err)
		}
	}
	if version < len(schema.Migrations) {
		// SQLite's own busy timeout does not cover this one.
		err := s.untilFree(func() error { return sqlitex.ExecuteTransient(conn, "PRAGMA journal_mode = wal", nil) })
		if err != nil {
			return fmt.Errorf("turn on WAL: %w", err)
		}
		if err := sqlitemigration.Migrate(ctx, conn, schema); err != nil {
			return err
		}
	}
	switch app, err := pragma(conn, "application_id"); {
	case err != nil:
		return err
	case app != appID:
		return errors.New("the file is not a chatledger log")
	case version > len(schema.Migrations):
		return fmt.Errorf("the file has schema version %d, made by a newer chatledger; this one knows up to %d", version, len(schema.Migrations))
	}
	if err := s.convert(ctx, conn); err != nil {
		return err
	}
	err = sqlitex.Execute(conn, "SELECT value FROM meta WHERE key = 'store'", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite3.Stmt) error {
			stmt.ColumnBytes(0, s.id[:])
			return nil
		},
	})
	if err == nil && s.id == uuid.Nil {
		err = errors.New("it has no store id")
	}
	return err
}

func pragma(conn *sqlite3.Conn, name string) (n int, err error) {
	err = sqlitex.ExecuteTransient(conn, "PRAGMA "+name, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite3.Stmt) error {
			n = stmt.ColumnInt(0)
			return nil
		},
	})
	return n, err
}

// Close ends followers, refuses what is queued and what comes later with
// ErrClosed, and waits for what is running. It may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.done)
		for range readers {
			if r := <-s.pool; r != nil {
				s.closeErr = errors.Join(s.closeErr, r.conn.Close())
			}
		}
		s.running.Wait()
	})
	return s.closeErr
}

// err returns why nothing more should be done for ctx's owner.
func (s *Store) err(ctx context.Context) error {
	select {
	case <-s.done:
		return eventstore.ErrClosed
	default:
		return ctx.Err()
	}
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Head, error) {
	h := eventstore.Head{Store: s.id}
	err := s.with(ctx, func(r *reader) (err error) {
		h.Position, err = r.head()
		return err
	})
	if err != nil {
		return eventstore.Head{}, err
	}
	return h, nil
}

// watch rings the bell for appends of other processes, as long as anybody
// listens.
func (s *Store) watch() {
	ticker := time.NewTicker(s.poll)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ticker.C:
		case <-s.done:
			return
		}
		if s.following.Load() == 0 {
			continue
		}
		h, err := s.Head(context.Background())
		switch {
		case err == nil:
			s.bell.ring(h.Position)
		case errors.Is(err, eventstore.ErrClosed):
			return
		case !failing:
			s.log.Warn("look for appends of other processes", "error", err)
		}
		failing = err != nil
	}
}

// bell wakes followers when the log has grown.
type bell struct {
	mu   sync.Mutex
	ch   chan struct{} // closed and replaced by each ring
	last eventstore.Position
}

// wait returns what is closed by the next ring, and the end of the log as of the
// last one.
func (b *bell) wait() (<-chan struct{}, eventstore.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch, b.last
}

// ring wakes everybody if p is news.
func (b *bell) ring(p eventstore.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p > b.last {
		b.last = p
		close(b.ch)
		b.ch = make(chan struct{})
	}
}
