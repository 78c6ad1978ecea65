package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	sqlite3 "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/chatledger/chatledger/eventstore"
)

// Limits of one transaction. A single append may exceed maxGroupBytes.
const (
	maxGroup      = 2_000    // appends
	maxGroupBytes = 16 << 20 // of data and metadata
	maxHeads      = 50_000   // streams whose end is remembered, twice
)

// request is an Append on its way through the writer.
type request struct {
	stream    string
	want      eventstore.Revision
	events    []eventstore.Event
	size      int
	abandoned atomic.Bool // its caller has gone
	res       eventstore.Result
	err       error
	done      chan struct{} // receives once, when res and err are set
}

// queue holds the requests that wait for the next transaction. There is at most
// one for each running call of Append.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	closed  bool
	wake    chan struct{}
}

// put reports whether r will be answered.
func (q *queue) put(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, r)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns what has queued up and keeps spare for what comes.
func (q *queue) take(spare []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	rs := q.waiting
	q.waiting = spare[:0]
	return rs
}

func (q *queue) close() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	return q.waiting
}

// Append implements eventstore.Store.
func (s *Store) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	if err := eventstore.Validate(stream, want, events); err != nil {
		return eventstore.Result{}, err
	}
	if err := s.err(ctx); err != nil {
		return eventstore.Result{}, err
	}
	r := &request{stream: stream, want: want, events: events, done: make(chan struct{}, 1)}
	for _, e := range events {
		r.size += len(e.Data) + len(e.Meta)
	}
	if !s.queue.put(r) {
		return eventstore.Result{}, eventstore.ErrClosed
	}
	select {
	case <-r.done:
		return r.res, r.err
	case <-ctx.Done():
		r.abandoned.Store(true)
		return eventstore.Result{}, ctx.Err()
	}
}

// writer is the goroutine that appends, with what only it touches. What it
// remembers of the file holds as long as nobody else writes, which it asks
// SQLite at the beginning of each transaction.
type writer struct {
	*Store
	conn *sqlite3.Conn // nil after a failure that may have left it unusable

	begin, commit, rollback, version, last,
	findStream, addStream, lastRevision,
	findType, addType, addEvent, findEvent, undo *sqlite3.Stmt

	dataVersion int64 // changes when another connection has written
	head        eventstore.Position
	streams     streams
	typeIDs     map[string]int64
}

// stream is what the writer knows of one: its end.
type stream struct {
	id       int64
	revision eventstore.Revision // NoStream if it does not exist
}

func (w *writer) open() (err error) {
	w.conn, err = sqlite3.OpenConn(w.path, sqlite3.OpenReadWrite)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		if err != nil {
			w.discard()
		}
	}()
	w.conn.SetBusyTimeout(w.busy)
	for _, p := range append([]string{
		"synchronous = full",        // fsync the WAL before COMMIT returns
		"fullfsync = on",            // on macOS fsync alone does not reach the disk
		"wal_autocheckpoint = 4000", // pages of 4 KB: fewer, larger moves from the WAL to the file
		"journal_size_limit = 67108864",
		"cache_size = -65536", // 64 MB, for the indexes
		"temp_store = memory",
	}, w.pragmas...) {
		if err := sqlitex.ExecuteTransient(w.conn, "PRAGMA "+p, nil); err != nil {
			return fmt.Errorf("set %s: %w", p, err)
		}
	}
	for stmt, query := range map[**sqlite3.Stmt]string{
		&w.begin:        "BEGIN IMMEDIATE",
		&w.commit:       "COMMIT",
		&w.rollback:     "ROLLBACK",
		&w.version:      "PRAGMA data_version",
		&w.last:         "SELECT max(position) FROM events",
		&w.findStream:   "SELECT id FROM streams WHERE name = ?",
		&w.addStream:    "INSERT INTO streams (name, id) VALUES (?, ?)",
		&w.lastRevision: "SELECT max(revision) FROM events WHERE stream = ?",
		&w.findType:     "SELECT id FROM types WHERE name = ?",
		&w.addType:      "INSERT INTO types (name) VALUES (?)",
		&w.addEvent: "INSERT INTO events (position, type, stream, revision, recorded_at, id, name, meta, data)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT))",
		&w.findEvent: "SELECT revision, position FROM events WHERE stream = ? AND id = ?",
		&w.undo:      "DELETE FROM events WHERE position >= ?",
	} {
		if *stmt, err = w.conn.Prepare(query); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	w.conn.SetBusyTimeout(0) // start waits by itself
	w.forget()
	return nil
}

// discard closes the connection; the next transaction opens another.
func (w *writer) discard() {
	if w.conn == nil {
		return
	}
	if err := w.conn.Close(); err != nil {
		w.log.Warn("close connection to the log", "error", err)
	}
	w.conn = nil
}

// forget drops what may not be what the file says.
func (w *writer) forget() {
	w.dataVersion = -1
	w.streams = streams{}
	w.typeIDs = map[string]int64{}
}

// run appends what queues up while the last transaction ran, until Close.
func (w *writer) run() {
	defer w.discard()
	var spare []*request
	for open := true; open; {
		select {
		case <-w.queue.wake:
		case <-w.done:
		}
		rs := w.queue.take(spare)
		spare = rs
		for len(rs) > 0 && open {
			n, size := 0, 0
			for n < len(rs) && n < maxGroup && (n == 0 || size+rs[n].size <= maxGroupBytes) {
				size += rs[n].size
				n++
			}
			w.group(rs[:n])
			rs = rs[n:]
			open = w.err(context.Background()) == nil
		}
		if open = w.err(context.Background()) == nil; !open {
			refuse(rs)
		}
		clear(spare)
	}
	refuse(w.queue.close())
}

func refuse(rs []*request) {
	for _, r := range rs {
		r.err = eventstore.ErrClosed
		r.done <- struct{}{}
	}
}

// group appends rs in one transaction and answers each of them. If that is too
// much for the disk or the memory, each gets one of its own, so that a large
// append fails alone.
func (w *writer) group(rs []*request) {
	err := w.transact(rs)
	switch code := sqlite3.ErrCode(err).ToPrimary(); {
	case err == nil:
		w.bell.ring(w.head)
	case len(rs) > 1 && (code == sqlite3.ResultFull || code == sqlite3.ResultTooBig || code == sqlite3.ResultNoMem):
		for i := range rs {
			w.group(rs[i : i+1])
		}
		return
	default:
		for _, r := range rs {
			r.res, r.err = eventstore.Result{}, fmt.Errorf("sqlite: append to %s: %w", r.stream, err)
		}
	}
	for _, r := range rs {
		r.done <- struct{}{}
	}
}

// transact runs one transaction and sets the outcome of each request, which
// holds only if transact returns nil.
func (w *writer) transact(rs []*request) (err error) {
	if w.conn == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	if err := w.start(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.abort(err)
		}
	}()
	version, err := one(w.version)
	if err != nil {
		return fmt.Errorf("read data version: %w", err)
	}
	if version != w.dataVersion {
		w.forget()
		head, err := one(w.last)
		if err != nil {
			return fmt.Errorf("read head: %w", err)
		}
		w.dataVersion, w.head = version, eventstore.Position(head)
	}
	at := w.now().UnixMicro()
	for _, r := range rs {
		if r.abandoned.Load() {
			continue // nobody is told
		}
		if err := w.append(r, at); err != nil {
			return err
		}
	}
	if err := exec(w.commit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// start begins a transaction that holds the file's write lock.
func (w *writer) start() error {
	err := w.untilFree(func() error { return exec(w.begin) })
	switch {
	case err == nil, errors.Is(err, eventstore.ErrClosed):
		return err
	case sqlite3.ErrCode(err).ToPrimary() == sqlite3.ResultBusy:
		return fmt.Errorf("begin: another process has been writing for %v: %w", w.busy, err)
	default:
		w.abort(err)
		return fmt.Errorf("begin: %w", err)
	}
}

// untilFree repeats do while another process holds the lock that it needs, for
// as long as the busy timeout. It tries more often than SQLite does by itself,
// because a process that is busy appending leaves only short gaps.
func (s *Store) untilFree(do func() error) error {
	const pause = time.Millisecond
	var timer *time.Timer
	for waited := time.Duration(0); ; waited += pause {
		err := do()
		if sqlite3.ErrCode(err).ToPrimary() != sqlite3.ResultBusy || waited >= s.busy {
			return err
		}
		if timer == nil {
			timer = time.NewTimer(pause)
			defer timer.Stop()
		} else {
			timer.Reset(pause)
		}
		select {
		case <-timer.C:
		case <-s.done:
			return eventstore.ErrClosed
		}
	}
}

// abort rolls back after err and leaves the writer fit for the next
// transaction, if need be with a new connection.
func (w *writer) abort(err error) {
	w.forget()
	if !w.conn.AutocommitEnabled() { // SQLite rolls back by itself after some errors
		if err := exec(w.rollback); err != nil {
			w.log.Warn("roll back append", "error", err)
		}
	}
	switch sqlite3.ErrCode(err).ToPrimary() {
	case sqlite3.ResultFull, sqlite3.ResultTooBig, sqlite3.ResultBusy:
		if w.conn.AutocommitEnabled() {
			return
		}
	}
	w.discard()
}

// append decides about r and writes its events. An error is one of the database
// and ends the transaction; a conflict is r's own.
func (w *writer) append(r *request, at int64) error {
	r.res, r.err = eventstore.Result{}, nil
	st, err := w.end(r.stream)
	if err != nil {
		return err
	}
	if r.want == eventstore.Any || r.want == st.revision {
		// The index finds out whether an event is there already: the usual
		// append pays for no look-up.
		err := w.insert(r, st, at)
		if err == nil || sqlite3.ErrCode(err) != sqlite3.ResultConstraintUnique {
			return err
		}
		w.undo.BindInt64(1, int64(w.head)+1)
		if err := exec(w.undo); err != nil {
			return fmt.Errorf("undo append: %w", err)
		}
		known, err := w.repeated(r, st)
		if err == nil && known == 0 {
			return fmt.Errorf("stream %s is not at revision %d", r.stream, st.revision)
		}
		return err
	}
	_, err = w.repeated(r, st)
	return err
}

// repeated sets r's outcome to the original result if all of its events are in
// the stream, or else to a conflict. It returns how many are.
func (w *writer) repeated(r *request, st stream) (known int, err error) {
	if st.revision != eventstore.NoStream {
		for _, e := range r.events {
			at, ok, err := w.find(st, e.ID)
			if err != nil {
				return 0, err
			}
			if ok {
				known++
				r.res = later(r.res, at)
			}
		}
	}
	if known < len(r.events) {
		r.res = eventstore.Result{}
		r.err = &eventstore.ConflictError{Stream: r.stream, Want: r.want, Got: st.revision}
	}
	return known, nil
}

func later(a, b eventstore.Result) eventstore.Result {
	if a.Position > b.Position {
		return a
	}
	return b
}

// find returns where the event with this id is in st.
func (w *writer) find(st stream, id uuid.UUID) (res eventstore.Result, ok bool, err error) {
	w.findEvent.BindInt64(1, st.id)
	w.findEvent.BindBytes(2, id[:])
	ok, err = w.findEvent.Step()
	if ok {
		res = eventstore.Result{
			Revision: eventstore.Revision(w.findEvent.ColumnInt64(0)),
			Position: eventstore.Position(w.findEvent.ColumnInt64(1)),
			Existing: true,
		}
	}
	if err := errors.Join(err, w.findEvent.Reset()); err != nil {
		return res, false, fmt.Errorf("find event: %w", err)
	}
	return res, ok, nil
}

// insert adds r's events behind st and sets r's result. If it fails, rows behind
// w.head may be left.
func (w *writer) insert(r *request, st stream, at int64) error {
	if st.revision == eventstore.NoStream {
		st.id = int64(w.head) + 1
		w.addStream.BindText(1, r.stream)
		w.addStream.BindInt64(2, st.id)
		if err := exec(w.addStream); err != nil {
			return fmt.Errorf("add stream: %w", err)
		}
	}
	position, ins := int64(w.head), w.addEvent
	for i := range r.events {
		e := &r.events[i]
		typ, err := w.typeID(e.Type)
		if err != nil {
			return err
		}
		position++
		st.revision++
		ins.BindInt64(1, position)
		ins.BindInt64(2, typ)
		ins.BindInt64(3, st.id)
		ins.BindInt64(4, int64(st.revision))
		ins.BindInt64(5, at)
		ins.BindBytes(6, e.ID[:])
		ins.BindText(7, r.stream)
		bindJSON(ins, 8, e.Meta)
		bindJSON(ins, 9, e.Data)
		if err := exec(ins); err != nil {
			return fmt.Errorf("insert event: %w", err)
		}
	}
	w.head = eventstore.Position(position)
	w.streams.set(r.stream, st)
	r.res = eventstore.Result{Revision: st.revision, Position: w.head}
	return nil
}

func bindJSON(stmt *sqlite3.Stmt, param int, json []byte) {
	if len(json) == 0 {
		stmt.BindNull(param)
		return
	}
	stmt.BindBytes(param, json)
}

// end returns where a stream ends.
func (w *writer) end(name string) (stream, error) {
	if st, ok := w.streams.get(name); ok {
		return st, nil
	}
	st := stream{revision: eventstore.NoStream}
	w.findStream.BindText(1, name)
	id, err := one(w.findStream)
	if err != nil {
		return st, fmt.Errorf("find stream: %w", err)
	}
	if id == 0 {
		return st, nil
	}
	w.lastRevision.BindInt64(1, id)
	rev, err := one(w.lastRevision)
	if err != nil {
		return st, fmt.Errorf("find revision: %w", err)
	}
	st = stream{id: id, revision: eventstore.Revision(rev)}
	w.streams.set(name, st)
	return st, nil
}

func (w *writer) typeID(name string) (int64, error) {
	if id, ok := w.typeIDs[name]; ok {
		return id, nil
	}
	w.findType.BindText(1, name)
	id, err := one(w.findType)
	if err == nil && id == 0 {
		w.addType.BindText(1, name)
		err = exec(w.addType)
		id = w.conn.LastInsertRowID()
	}
	if err != nil {
		return 0, fmt.Errorf("find type: %w", err)
	}
	w.typeIDs[name] = id
	return id, nil
}

// exec runs a statement that returns no rows.
func exec(stmt *sqlite3.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err // Step has reset it
	}
	return stmt.Reset()
}

// one returns the number that stmt selects, 0 if there is none.
func one(stmt *sqlite3.Stmt) (n int64, err error) {
	row, err := stmt.Step()
	if err != nil {
		return 0, err
	}
	if row {
		n = stmt.ColumnInt64(0)
	}
	return n, stmt.Reset()
}

// streams remembers the ends of the streams used last: when young is full, it
// becomes old, and what is still used moves back.
type streams struct {
	young, old map[string]stream
}

func (s *streams) get(name string) (stream, bool) {
	st, ok := s.young[name]
	if !ok {
		if st, ok = s.old[name]; ok {
			s.set(name, st)
		}
	}
	return st, ok
}

func (s *streams) set(name string, st stream) {
	if s.young == nil || len(s.young) >= maxHeads {
		s.young, s.old = map[string]stream{}, s.young
	}
	s.young[name] = st
}
