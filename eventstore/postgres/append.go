package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/chatledger/chatledger/eventstore"
)

const (
	queueSize     = 1024      // appends that wait for the writer; more wait in Append
	batchAppends  = 1024      // of one transaction
	batchEvents   = 4000      // of one transaction; a larger append is alone in it
	batchBytes    = 8 << 20   // of one transaction; a larger append is alone in it
	maxAppendSize = 256 << 20 // bytes of one append: PostgreSQL takes less than 1 GB in a message
)

// request is an Append on its way through the writer.
type request struct {
	ctx    context.Context
	stream string
	want   eventstore.Revision
	events []eventstore.Event
	size   int
	done   chan answer // buffered: the writer never waits for the caller

	// The writer's: what done gets.
	answer   answer
	answered bool
}

type answer struct {
	res eventstore.Result
	err error
}

// Append implements eventstore.Store. A connection that is lost on the way is
// an error; the next append has a new one.
func (s *Store) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	if err := eventstore.Validate(stream, want, events); err != nil {
		return eventstore.Result{}, err
	}
	req := &request{ctx: ctx, stream: stream, want: want, events: events, done: make(chan answer, 1)}
	for i, e := range events {
		// It would fail every append of the transaction.
		if !utf8.ValidString(e.Type) || strings.ContainsRune(e.Type, 0) {
			return eventstore.Result{}, fmt.Errorf("%w: %s: type of event %d is not text", eventstore.ErrInvalid, stream, i)
		}
		req.size += len(e.Data) + len(e.Meta)
	}
	if req.size > maxAppendSize {
		return eventstore.Result{}, fmt.Errorf("%w: %s: %d bytes in one append, want at most %d", eventstore.ErrInvalid, stream, req.size, maxAppendSize)
	}
	if err := s.ended(ctx); err != nil {
		return eventstore.Result{}, err
	}
	select {
	case s.queue <- req:
	case <-ctx.Done():
		return eventstore.Result{}, ctx.Err()
	case <-s.life.Done():
		return eventstore.Result{}, eventstore.ErrClosed
	}
	select {
	case a := <-req.done:
		return a.res, a.err
	case <-ctx.Done():
		return eventstore.Result{}, ctx.Err()
	case <-s.stopped:
		// The answer may have come just before.
		select {
		case a := <-req.done:
			return a.res, a.err
		default:
			return eventstore.Result{}, eventstore.ErrClosed
		}
	}
}

// writer turns what is in the queue into transactions, one after the other. It
// belongs to one goroutine.
type writer struct {
	store *Store
	conn  *pgx.Conn // nil until needed and after it was lost
	guard guard     // of conn
	held  *request  // taken from the queue, but too much for the last transaction

	answered int // requests of the last transaction

	// Of conn.
	addOne, addKnown, addChecked *pgconn.StatementDescription // append_one, append_known, append_events

	places places
	last   struct { // event that was added
		position eventstore.Position
		id       uuid.UUID
	}

	buffers [11]array // for parameters
}

func (w *writer) run() {
	defer close(w.store.stopped)
	for w.store.life.Err() == nil {
		w.next()
	}
	w.disconnect()
	if w.held != nil {
		w.held.done <- answer{err: eventstore.ErrClosed}
	}
}

// next waits for appends and commits them.
func (w *writer) next() {
	first := w.held
	w.held = nil
	if first == nil {
		select {
		case first = <-w.store.queue:
		case <-w.store.life.Done():
			return
		}
	}
	// Those who were answered by the last commit are about to append again. Let
	// them, as long as each turn brings more: that is no delay, it is their turn.
	// But a turn may move this goroutine to another thread, so not if there was one.
	if w.answered > 1 || len(w.store.queue) > 0 {
		for n := -1; n < len(w.store.queue) && n < batchAppends; {
			n = len(w.store.queue)
			runtime.Gosched()
		}
	}
	batch, events, bytes := []*request{first}, len(first.events), first.size
	for len(batch) < batchAppends {
		select {
		case r := <-w.store.queue:
			events, bytes = events+len(r.events), bytes+r.size
			if events > batchEvents || bytes > batchBytes {
				w.held = r
				w.commit(batch)
				return
			}
			batch = append(batch, r)
			continue
		default:
		}
		break
	}
	w.commit(batch)
}

// commit stores a batch and answers each of its requests.
func (w *writer) commit(batch []*request) {
	live := batch[:0]
	for _, r := range batch {
		if err := r.ctx.Err(); err != nil {
			r.done <- answer{err: err}
			continue
		}
		live = append(live, r)
	}
	if len(live) == 0 {
		return
	}
	w.answered = len(live)
	head, err := w.add(live)
	if err != nil {
		err = w.store.failed(context.Background(), "append events", err)
	}
	for _, r := range live {
		if err != nil && !r.answered {
			r.answer = answer{err: err}
		}
		r.done <- r.answer
	}
	if head > 0 {
		w.store.growth.advance(head)
		w.store.tellOthers()
	}
}

// patient returns the context of connecting, which goes on for a while after Close.
func (w *writer) patient() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.store.life), operationTimeout)
	stop := context.AfterFunc(w.store.life, func() {
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		select {
		case <-grace.C:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() { stop(); cancel() }
}

// connect makes sure that there is a connection. One that was idle for a while
// may have been cut, which is better noticed before events are sent over it.
func (w *writer) connect(idle bool) error {
	if w.conn != nil && idle {
		if err := w.conn.Ping(context.Background()); err != nil {
			w.store.opts.logger.Info("event log: idle connection was lost", slog.Any("error", err))
			w.disconnect()
		}
	}
	if w.conn != nil {
		return nil
	}
	ctx, cancel := w.patient()
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, w.store.config)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	w.conn = conn
	w.guard.protect(conn.PgConn().Conn())
	for sql, to := range map[string]**pgconn.StatementDescription{oneSQL: &w.addOne, knownSQL: &w.addKnown, checkedSQL: &w.addChecked} {
		if *to, err = conn.Prepare(ctx, sql, sql); err != nil {
			w.disconnect()
			return fmt.Errorf("prepare statements: %w", err)
		}
	}
	return nil
}

func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// It is given up either way.
	_ = w.conn.Close(ctx)
	w.conn = nil
	w.guard.protect(nil)
	// The next one may lead to a server that has taken over and lacks the latest.
	w.places, w.last.position = places{}, 0
}
