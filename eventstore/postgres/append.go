package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

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
	idleAfter     = time.Second
)

// request is an Append on its way through the writer.
type request struct {
	ctx    context.Context
	stream string
	want   eventstore.Revision
	events []eventstore.Event
	size   int
	done   chan answer // buffered: the writer never waits for the caller
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
	idle  bool      // conn has not been used for a while
	held  *request  // taken from the queue, but too much for the last transaction
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
		idle := time.NewTimer(idleAfter)
		defer idle.Stop()
		select {
		case first = <-w.store.queue:
		case <-idle.C:
			w.idle = true
			return
		case <-w.store.life.Done():
			return
		}
	}
	// Those who were answered by the last commit are about to append again. Let
	// them, as long as each turn brings more: that is no delay, it is their turn.
	for n := -1; n < len(w.store.queue) && n < batchAppends; {
		n = len(w.store.queue)
		runtime.Gosched()
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
	ctx, cancel := w.patient()
	defer cancel()
	rounds := divide(live)
	answers, err := w.send(ctx, rounds)
	if err != nil {
		err = w.store.failed(context.Background(), "append events", err)
		for _, r := range live {
			r.done <- answer{err: err}
		}
		return
	}
	var head eventstore.Position
	for i, round := range rounds {
		for j, r := range round {
			if a := answers[i][j]; !a.res.Existing {
				head = max(head, a.res.Position)
			}
			r.done <- answers[i][j]
		}
	}
	if head > 0 {
		w.store.growth.advance(head)
		w.store.tellOthers()
	}
}

// patient returns the context of a transaction. Close does not end it at once: an
// append that has been sent should be told how it went.
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

// divide returns the rounds of a batch, so that no stream occurs twice in a
// round: an append must see what those before it have added to its stream.
func divide(batch []*request) [][]*request {
	var all [][]*request
	seen := make(map[string]int, len(batch))
	for _, r := range batch {
		n := seen[r.stream]
		seen[r.stream]++
		if n == len(all) {
			all = append(all, nil)
		}
		all[n] = append(all[n], r)
	}
	return all
}

const appendSQL = "SELECT result, at_revision, at_position FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"

// send runs the rounds in one transaction and one round trip. What is sent
// without BEGIN up to the end of a pipeline is one transaction in PostgreSQL.
func (w *writer) send(ctx context.Context, rounds [][]*request) (answers [][]answer, err error) {
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	defer func() {
		// A refusal by the server leaves the connection as good as it was.
		var refused *pgconn.PgError
		if err != nil && (w.conn.IsClosed() || !errors.As(err, &refused)) {
			w.store.opts.logger.Warn("event log: connection lost while appending", slog.Any("error", err))
			w.disconnect()
		}
	}()
	if len(rounds) == 1 {
		rows, err := w.conn.Query(ctx, appendSQL, arguments(rounds[0])...)
		if err != nil {
			return nil, err
		}
		a, err := readAnswers(rows, rounds[0])
		return [][]answer{a}, err
	}
	var b pgx.Batch
	for _, round := range rounds {
		b.Queue(appendSQL, arguments(round)...)
	}
	results := w.conn.SendBatch(ctx, &b)
	for _, round := range rounds {
		rows, err := results.Query()
		if err == nil {
			var a []answer
			a, err = readAnswers(rows, round)
			answers = append(answers, a)
		}
		if err != nil {
			_ = results.Close() // the same error
			return nil, err
		}
	}
	// Only now has it been committed.
	return answers, results.Close()
}

func arguments(round []*request) []any {
	n := 0
	for _, r := range round {
		n += len(r.events)
	}
	var (
		streams  = make([]string, len(round))
		wants    = make([]int64, len(round))
		firsts   = make([]int32, len(round))
		counts   = make([]int32, len(round))
		owners   = make([]int32, 0, n)
		ordinals = make([]int32, 0, n)
		names    = make([]string, 0, n)
		ids      = make([][16]byte, 0, n)
		types    = make([]string, 0, n)
		datas    = make([][]byte, 0, n)
		metas    = make([][]byte, 0, n)
	)
	for i, r := range round {
		streams[i], wants[i] = r.stream, int64(r.want)
		firsts[i], counts[i] = int32(len(ids)+1), int32(len(r.events))
		for j, e := range r.events {
			owners, ordinals, names = append(owners, int32(i+1)), append(ordinals, int32(j+1)), append(names, r.stream)
			ids, types = append(ids, e.ID), append(types, e.Type)
			datas, metas = append(datas, notNull(e.Data)), append(metas, notNull(e.Meta))
		}
	}
	return []any{streams, wants, firsts, counts, owners, ordinals, names, ids, types, datas, metas}
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// readAnswers returns the answers to a round.
func readAnswers(rows pgx.Rows, round []*request) ([]answer, error) {
	answers := make([]answer, 0, len(round))
	var (
		result             int32
		revision, position int64
	)
	_, err := pgx.ForEachRow(rows, []any{&result, &revision, &position}, func() error {
		if len(answers) == len(round) {
			return errors.New("more answers than appends")
		}
		a := answer{res: eventstore.Result{Revision: eventstore.Revision(revision), Position: eventstore.Position(position)}}
		switch r := round[len(answers)]; result {
		case 0:
		case 1:
			a.res.Existing = true
		case 2:
			a = answer{err: &eventstore.ConflictError{Stream: r.stream, Want: r.want, Got: eventstore.Revision(revision)}}
		default:
			return fmt.Errorf("unknown result %d", result)
		}
		answers = append(answers, a)
		return nil
	})
	if err == nil && len(answers) != len(round) {
		err = errors.New("fewer answers than appends")
	}
	return answers, err
}

// connect makes sure that there is a connection. One that was idle for a while
// may have been cut, which is better noticed before events are sent over it.
func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil && w.idle {
		if err := w.conn.Ping(ctx); err != nil {
			w.store.opts.logger.Info("event log: idle connection was lost", slog.Any("error", err))
			w.disconnect()
		}
	}
	w.idle = false
	if w.conn != nil {
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, w.store.config)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	w.conn = conn
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
}
