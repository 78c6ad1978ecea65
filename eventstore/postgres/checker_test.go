package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/internal/testenv"
)

// sequencePrefix marks the URL of a log that is a sequenceLog.
const sequencePrefix = "sequence:"

func openLog(ctx context.Context, target string) (eventstore.Store, error) {
	if url, ok := strings.CutPrefix(target, sequencePrefix); ok {
		return openSequence(ctx, url)
	}
	return postgres.Open(ctx, target, postgres.WithPollInterval(10*time.Millisecond))
}

func trial(target string) eventstoretest.Trial {
	return eventstoretest.Trial{
		Open:   func(ctx context.Context) (eventstore.Store, error) { return openLog(ctx, target) },
		Writer: eventstoretest.Process(target),
	}
}

// Whatever others do on the server, and however writers and connections end.
func TestNoSkip(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	foreign(t, url)
	foreign(t, testenv.Postgres(t)) // in another database
	admin := connect(t, url)
	var cuts atomic.Int64
	tr := trial(url)
	tr.Dense = true
	tr.Enough = func() bool { return cuts.Load() > 0 }
	tr.Disturb = func(ctx context.Context) {
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			tag, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'foreign'
				ORDER BY state = 'active' DESC, random() LIMIT 2`)
			if err != nil {
				t.Error(err)
				return
			}
			cuts.Add(tag.RowsAffected())
		}
	}
	eventstoretest.NoSkip(t, tr)
	t.Logf("%d connections were cut", cuts.Load())
	if cuts.Load() == 0 {
		t.Error("no connection was cut")
	}
}

// A connection that is lost in the midst of an append leaves open what became of
// it: the repeat finds out, and nothing is lost or there twice.
func TestNoSkipThroughLostAnswers(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	p := newProxy(t, url)
	tr := trial(url)
	tr.Writer = eventstoretest.Process(p.url)
	tr.Dense = true
	tr.Enough = func() bool { return p.cuts.Load() >= 10 }
	tr.Disturb = func(ctx context.Context) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
				p.arm([]cut{afterAnswer, beforeRequest, afterRequest}[i%3])
			case <-ctx.Done():
				return
			}
		}
	}
	eventstoretest.NoSkip(t, tr)
	t.Logf("%d appends were cut off", p.cuts.Load())
	if p.cuts.Load() < 10 {
		t.Error("hardly any append was cut off")
	}
}

// A server that crashes takes every connection with it, in whatever they are
// doing, and recovers from its write-ahead log.
func TestNoSkipThroughServerCrashes(t *testing.T) {
	t.Parallel()
	cluster, err := testenv.Start() // none that other tests use
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	var crashes, restarts atomic.Int32
	tr := trial(cluster.URL)
	tr.Enough = func() bool { return crashes.Load() > 0 && restarts.Load() > 0 }
	tr.Dense = true
	tr.Disturb = func(ctx context.Context) {
		for head := int64(0); ctx.Err() == nil; {
			conn, err := pgx.Connect(ctx, cluster.URL)
			if err != nil { // it is still recovering
				<-time.After(20 * time.Millisecond)
				continue
			}
			head = grown(ctx, conn, head) // appends succeed again
			if crashes.Load() > restarts.Load() {
				conn.Close(ctx)
				if err := cluster.Restart(); err != nil {
					t.Error(err)
					return
				}
				restarts.Add(1)
				continue
			}
			// The death of one backend is that of the server.
			if err := syscall.Kill(int(conn.PgConn().PID()), syscall.SIGKILL); err != nil {
				t.Errorf("kill a backend: %v", err)
			}
			crashes.Add(1)
			conn.Close(ctx)
		}
	}
	eventstoretest.NoSkip(t, tr)
	t.Logf("the server crashed %d times and was restarted %d times", crashes.Load(), restarts.Load())
	if !tr.Enough() {
		t.Error("the server did not crash, or was not restarted")
	}
}

// grown waits, for as long as the connection holds, until the log ends behind
// last, and then a little. It returns where the log ends.
func grown(ctx context.Context, conn *pgx.Conn, last int64) (head int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for more := 0; more < 10; {
		if err := conn.QueryRow(ctx, "SELECT coalesce(max(position), 0) FROM chatledger_log.events").Scan(&head); err != nil {
			return last
		}
		if head > last {
			more++
		}
		<-tick.C
	}
	return head
}

// foreign leaves a transaction open, with an id and a snapshot of its own, to
// the end of the test.
func foreign(t *testing.T, url string) {
	t.Helper()
	conn := connect(t, url)
	execute(t, conn, "SET application_name = 'foreign'")
	execute(t, conn, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	execute(t, conn, "SELECT txid_current()")
}

// The checker finds what is wrong with a log whose readers go by a bare
// sequence: or else it could not be trusted when it finds nothing. One
// transaction takes its position before all others and commits after they were
// read, so that it is skipped whatever the scheduler does; others are by chance.
func TestCheckerFindsWhatASequenceSkips(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	var checkpoint atomic.Int64 // the highest of any reader
	tr := trial(sequencePrefix + url)
	open := tr.Open
	tr.Open = func(ctx context.Context) (eventstore.Store, error) {
		s, err := open(ctx)
		return watched{s, &checkpoint}, err
	}
	late := uuid.New()
	tr.Disturb = func(ctx context.Context) {
		tx, err := connect(t, url).Begin(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		var position int64
		if err := tx.QueryRow(t.Context(), "INSERT INTO sequence_log (stream, revision, id, type) VALUES ('chat-late', 0, $1, 'a') RETURNING position", late).Scan(&position); err != nil {
			t.Error(err)
			return
		}
		<-ctx.Done()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for checkpoint.Load() <= position && t.Context().Err() == nil {
			<-tick.C
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	}
	report := tr.Run(t)
	skipped, named := 0, false
	for _, f := range report.Faults {
		if f.Kind == eventstoretest.Skipped {
			skipped++
			named = named || strings.Contains(f.Text, late.String())
		}
		if f.Kind == eventstoretest.Lost || f.Kind == eventstoretest.Unstarted {
			t.Error(f)
		}
	}
	t.Logf("the checker found %d skipped events", skipped)
	if !named {
		t.Errorf("the checker did not find that an event was skipped; faults: %v", report.Faults)
	}
}

// watched tells from where its readers go on.
type watched struct {
	eventstore.Store

	checkpoint *atomic.Int64
}

func (w watched) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	if after := int64(q.After); after > w.checkpoint.Load() {
		w.checkpoint.Store(after)
	}
	return w.Store.ReadAll(ctx, q)
}

func (w watched) Close() { w.Store.(*sequenceLog).Close() }

// sequenceLog is a log as many are: positions come from a sequence, and readers
// ask for what is behind the last one they saw. A transaction that takes its
// positions early and commits late is passed by.
type sequenceLog struct{ pool *pgxpool.Pool }

func openSequence(ctx context.Context, url string) (*sequenceLog, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, `SELECT pg_advisory_lock(1); CREATE TABLE IF NOT EXISTS sequence_log (
		position bigserial PRIMARY KEY, stream text NOT NULL, revision bigint NOT NULL, id uuid NOT NULL UNIQUE, type text NOT NULL,
		UNIQUE (stream, revision)); SELECT pg_advisory_unlock(1)`); err != nil {
		pool.Close()
		return nil, err
	}
	return &sequenceLog{pool}, nil
}

func (l *sequenceLog) Close() { l.pool.Close() }

func (l *sequenceLog) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (res eventstore.Result, err error) {
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(revision), -1) FROM sequence_log WHERE stream = $1", stream).Scan(&res.Revision); err != nil {
			return err
		}
		if want != eventstore.Any && want != res.Revision {
			return &eventstore.ConflictError{Stream: stream, Want: want, Got: res.Revision}
		}
		for _, e := range events {
			res.Revision++
			if err := tx.QueryRow(ctx, "INSERT INTO sequence_log (stream, revision, id, type) VALUES ($1, $2, $3, $4) RETURNING position",
				stream, res.Revision, e.ID, e.Type).Scan(&res.Position); err != nil {
				return err
			}
		}
		select {
		case <-time.After(rand.N(5 * time.Millisecond)): // as a transaction with more to do takes
		case <-ctx.Done():
		}
		return nil
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" { // unique_violation: another was quicker
		return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Want: want}
	}
	return res, err
}

func (l *sequenceLog) ReadStream(ctx context.Context, stream string, _ eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return l.read(ctx, "SELECT position, stream, revision, id, type FROM sequence_log WHERE stream = $1 ORDER BY revision DESC LIMIT 1", stream)
}

// ReadAll never follows: it stops at the end, and is called anew.
func (l *sequenceLog) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		head, err := l.Head(ctx) // first: so that a mark is not beyond what was read
		if err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		n := 0
		for r, err := range l.read(ctx, "SELECT position, stream, revision, id, type FROM sequence_log WHERE position > $1 ORDER BY position", q.After) {
			if err == nil && !q.Match(r.Stream, r.Type) {
				continue
			}
			if n++; !yield(r, err) || err != nil || q.Limit > 0 && n == q.Limit {
				return
			}
			head.Position = max(head.Position, r.Position)
		}
		if q.Filtered() {
			yield(eventstore.Recorded{Position: max(q.After, head.Position)}, nil)
		}
	}
}

func (l *sequenceLog) Head(ctx context.Context) (h eventstore.Head, err error) {
	err = l.pool.QueryRow(ctx, "SELECT coalesce(max(position), 0) FROM sequence_log").Scan(&h.Position)
	return h, err
}

func (l *sequenceLog) read(ctx context.Context, sql string, arg any) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		rows, err := l.pool.Query(ctx, sql, arg)
		if err != nil {
			yield(eventstore.Recorded{}, fmt.Errorf("read: %w", err))
			return
		}
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r eventstore.Recorded, err error) {
			var id [16]byte
			err = row.Scan(&r.Position, &r.Stream, &r.Revision, &id, &r.Type)
			r.ID = uuid.UUID(id)
			return r, err
		})
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}
