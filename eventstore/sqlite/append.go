package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
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
	maxKnown      = 1 << 20  // events of the streams that are remembered, twice, with the default Cache; a stream counts as eight
)

// request is an Append on its way through the writer.
type request struct {
	stream    string
	want      eventstore.Revision
	events    []eventstore.Event
	size      int
	imports   bool // it is an Import, of what follows
	after     eventstore.Position
	recorded  []eventstore.Recorded
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

// take returns what has queued up, and keeps spare for what comes.
func (q *queue) take(spare []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	rs := q.waiting
	q.waiting = spare[:0]
	return rs
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// gather lets those append who are about to, such as the ones that the last
// transaction answered, as long as each turn brings more. It adds no delay: if
// nobody else can run it returns at once.
func (q *queue) gather() {
	for n := -1; n < q.len() && n < maxGroup; {
		n = q.len()
		runtime.Gosched()
	}
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
	r := &request{stream: stream, want: want, events: events, done: make(chan struct{}, 1)}
	for _, e := range events {
		r.size += len(e.Data) + len(e.Meta)
	}
	return s.queued(ctx, r)
}

// queued has the writer carry out r, and waits for its outcome.
func (s *Store) queued(ctx context.Context, r *request) (eventstore.Result, error) {
	if err := s.err(ctx); err != nil {
		return eventstore.Result{}, err
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
	files  *walFiles
	conn   *sqlite3.Conn // nil after a failure that may have left it unusable
	reader *reader       // on conn
	index  indexer       // on conn

	begin, commit, rollback, version, addBlock *sqlite3.Stmt

	body string // of the block that addBlock adds: a parameter is copied byte by byte, the result of a function at once

	dataVersion int64 // changes when another connection has written
	head        int64
	streams     streams
	fresh       []known               // appended by this transaction
	events      []eventstore.Recorded // the same

	blocks  builder // one that is not full yet, which ends at head
	at      int64   // when what it holds was recorded
	unmoved int     // bytes in the WAL, about, since it was last moved
	moving  bool    // until mover says that it has been moved

	leaf   int // bytes of a page that rows can have
	room   int // bytes that are left on the last page, as far as is known
	target int // bytes that blocks is to get
}

func (w *writer) open() (err error) {
	w.conn, err = w.files.connect(w.path)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		if err != nil {
			w.discard()
		}
	}()
	w.conn.SetBusyTimeout(w.busy)
	pageSize, err := pragma(w.conn, "page_size")
	if err != nil {
		return fmt.Errorf("read page size: %w", err)
	}
	w.leaf, w.room = pageSize-leafHeader, 0
	for _, p := range append([]string{
		"synchronous = full", // fsync the WAL before COMMIT returns
		"fullfsync = on",     // on macOS fsync alone does not reach the disk
		"checkpoint_fullfsync = on",
		"wal_autocheckpoint = 0", // mover does that
		fmt.Sprintf("journal_size_limit = %d", 4*w.walSize),
		fmt.Sprintf("cache_size = -%d", 1024*2*w.cache/3), // for the indexes
		"temp_store = memory",
	}, w.pragmas...) {
		if err := sqlitex.ExecuteTransient(w.conn, "PRAGMA "+p, nil); err != nil {
			return fmt.Errorf("set %s: %w", p, err)
		}
	}
	err = w.conn.CreateFunction("block_body", &sqlite3.FunctionImpl{
		Scalar: func(sqlite3.Context, []sqlite3.Value) (sqlite3.Value, error) { return sqlite3.TextValue(w.body), nil },
	})
	if err != nil {
		return fmt.Errorf("define function: %w", err)
	}
	for stmt, query := range map[**sqlite3.Stmt]string{
		&w.begin:    "BEGIN IMMEDIATE",
		&w.commit:   "COMMIT",
		&w.rollback: "ROLLBACK",
		&w.version:  "PRAGMA data_version",
		&w.addBlock: insertBlockWith + "block_body())",
	} {
		if *stmt, err = w.conn.Prepare(query); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	if w.reader, err = newReader(w.conn); err != nil {
		return err
	}
	if err := w.index.open(w.reader); err != nil {
		return err
	}
	w.conn.SetBusyTimeout(0) // start waits by itself
	w.forget()
	return nil
}

const (
	insertBlockWith = "INSERT INTO blocks (last, events, recorded_at, heads, body) VALUES (?, ?, ?, ?, "
	insertBlock     = insertBlockWith + "CAST(? AS TEXT))"

	// What SQLite adds, at most: https://www.sqlite.org/fileformat2.html
	leafHeader = 8
	rowHeader  = 2 + 3 + 9 + 6 + 5 + 2 + 8 // its place on the page, its size, the key, types and small columns
	leafSpare  = 35 - leafHeader           // a row that leaves less than that goes to pages of its own
)

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
	w.reader.block.items = nil
}

// run appends what queues up while the last transaction ran, until Close.
func (w *writer) run() {
	defer w.files.close()
	defer w.discard()
	var spare []*request
	for open := true; open; {
		select {
		case <-w.queue.wake:
		case <-w.done:
		}
		if len(spare) > 1 || w.queue.len() > 1 { // a turn may cost a switch to another thread
			w.queue.gather()
		}
		rs := w.queue.take(spare)
		spare = rs
		for len(rs) > 0 && open {
			n, size := 0, 0
			for n < len(rs) && n < maxGroup && (n == 0 || size+rs[n].size <= maxGroupBytes && !rs[n].imports && !rs[0].imports) {
				size += rs[n].size
				n++
			}
			w.group(rs[:n])
			w.moveWAL()
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
		w.bell.ring(eventstore.Position(w.head))
	case len(rs) > 1 && (code == sqlite3.ResultFull || code == sqlite3.ResultTooBig || code == sqlite3.ResultNoMem):
		for i := range rs {
			w.group(rs[i : i+1])
		}
		return
	default:
		for _, r := range rs {
			r.res, r.err = eventstore.Result{}, fmt.Errorf("sqlite: append to %s: %w", cmp.Or(r.stream, "the log"), err)
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
		sees, err := w.reader.sync(&w.tail)
		if err != nil {
			return err
		}
		w.dataVersion, w.head = version, sees.head
	}
	w.at = w.now().UnixMicro()
	w.blocks.reset()
	w.fresh = w.fresh[:0]
	clear(w.events)
	w.events = w.events[:0]
	w.streams.trim(maxKnown * w.cache / defaultCache)
	for i, r := range rs {
		if r.abandoned.Load() {
			continue // nobody is told
		}
		if r.imports {
			err = w.takeOver(r)
		} else {
			err = w.append(r, rs[:i])
		}
		if err != nil {
			return err
		}
	}
	if err := w.endBlock(); err != nil {
		return err
	}
	indexed, err := w.moveIndex()
	if err != nil {
		return err
	}
	if err := exec(w.commit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.unmoved += 2 * w.leaf // the last page again, and one above it
	w.tail.add(w.fresh)
	w.recent.add(w.events)
	if w.index.next = indexed; w.index.pieces != nil && w.index.done() {
		w.tail.indexedTo(w.index.to)
		w.index.pieces = nil
	}
	return nil
}

// fullWAL is how many times as large as one to be moved the WAL gets while it is moved.
const fullWAL = 16

// moveWAL has the WAL moved into the file when it is large. While that goes on appends do
// too, until the WAL is full: then they wait for it, so that it has a bound on a machine
// that has no time for the mover.
func (w *writer) moveWAL() {
	if !w.moving {
		if w.unmoved >= w.walSize {
			w.unmoved, w.moving = 0, true
			w.mover.begin <- struct{}{}
		}
		return
	}
	select {
	case <-w.mover.moved:
	default:
		if w.unmoved < fullWAL*w.walSize {
			return
		}
		select {
		case <-w.mover.moved:
		case <-w.done:
			return
		}
	}
	w.moving = false
	if w.conn == nil {
		return
	}
	if err := moveWAL(w.conn); err != nil {
		w.log.Warn("move end of WAL into the log", "error", err)
	}
}

// moveIndex does its share of moving the oldest part of the tail to the file's
// index, and returns how far it has come.
func (w *writer) moveIndex() (next int, err error) {
	x := &w.index
	if old, to := w.tail.frozen(); old != nil && (x.pieces == nil || to != x.to) {
		x.take(old, to, w.tail.generation)
	} else if old == nil {
		x.pieces = nil
	}
	if x.pieces == nil {
		return 0, nil
	}
	if x.debt += x.rate * float64(len(w.fresh)); x.debt < x.enough || x.debt < 1 {
		return x.next, nil
	}
	n := int(x.debt)
	x.debt -= float64(n)
	w.unmoved += n * w.leaf // at most, if they are far apart
	return x.move(n)
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

// append decides about r and writes its events; before are the requests that came
// first in this transaction. An error is one of the database and ends the
// transaction; a conflict is r's own.
func (w *writer) append(r *request, before []*request) error {
	r.res, r.err = eventstore.Result{}, nil
	st, err := w.stream(r.stream)
	if err != nil {
		return err
	}
	if r.want == eventstore.Any || r.want == st.revision {
		seen := false
		for i := range r.events {
			seen = seen || st.has(fingerprint(r.events[i].ID))
		}
		if !seen {
			return w.insert(r, st)
		}
	}
	known, err := w.repeated(r, st, before)
	switch {
	case err != nil:
		return err
	case known == 0 && (r.want == eventstore.Any || r.want == st.revision):
		return w.insert(r, st) // another id has the same fingerprint
	case known < len(r.events):
		r.res = eventstore.Result{}
		r.err = &eventstore.ConflictError{Stream: r.stream, Want: r.want, Got: st.revision}
	}
	return nil
}

// repeated returns how many of r's events are in the stream, and sets its result
// to where the last of them is.
func (w *writer) repeated(r *request, st *stream, before []*request) (known int, err error) {
	if st.revision == eventstore.NoStream {
		return 0, nil
	}
	x, ok, err := w.reader.index(&w.tail, r.stream, bounds{math.MaxInt64, math.MaxInt64})
	if err != nil || !ok {
		return 0, fmt.Errorf("look for repeats: %w", err)
	}
	last, err := x.end()
	if err != nil {
		return 0, err
	}
	for i := range r.events {
		id := r.events[i].ID
		if !st.has(fingerprint(id)) {
			continue
		}
		res, ok := appended(before, r.stream, id)
		if !ok {
			rev, position, found, err := x.find(id, last)
			if err != nil {
				return 0, fmt.Errorf("find event: %w", err)
			}
			res, ok = eventstore.Result{Revision: rev, Position: eventstore.Position(position)}, found
		}
		if ok {
			known++
			if res.Position > r.res.Position {
				r.res = res
			}
		}
	}
	r.res.Existing = known > 0
	return known, nil
}

// appended returns where one of the requests has put an event.
func appended(rs []*request, stream string, id uuid.UUID) (res eventstore.Result, ok bool) {
	for _, r := range rs {
		if r.stream != stream || r.err != nil || r.res.Existing || r.res.Position == 0 {
			continue
		}
		for i := range r.events {
			if r.events[i].ID == id {
				behind := len(r.events) - 1 - i
				return eventstore.Result{
					Revision: r.res.Revision - eventstore.Revision(behind),
					Position: r.res.Position - eventstore.Position(behind),
				}, true
			}
		}
	}
	return res, false
}

// insert adds r's events behind st and sets r's result.
func (w *writer) insert(r *request, st *stream) error {
	recordedAt := time.UnixMicro(w.at).UTC()
	for i := range r.events {
		e := &r.events[i]
		if err := w.makeRoom(sizeInBlock(r.stream, e)); err != nil {
			return err
		}
		w.head++
		st.revision++
		hash := fingerprint(e.ID)
		st.add(hash)
		w.blocks.add(r.stream, st.revision, e, 0)
		w.fresh = append(w.fresh, known{r.stream, st.revision, entry{w.head, hash}})
		w.events = append(w.events, eventstore.Recorded{
			Event: *e, Stream: r.stream, Revision: st.revision, Position: eventstore.Position(w.head), Time: recordedAt,
		})
	}
	w.streams.known += len(r.events)
	r.res = eventstore.Result{Revision: st.revision, Position: eventstore.Position(w.head)}
	return nil
}

// makeRoom ends the block if n bytes more would make it larger than what is left
// of the last page. A new block gets the rest of that page, or a page of its own
// if the rest is little.
func (w *writer) makeRoom(n int) error {
	if w.blocks.n > 0 && w.blocks.size()+n > w.target {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	if w.blocks.n == 0 {
		w.target = w.room - rowHeader
		if w.room < w.leaf/4 || n > w.target {
			w.target = w.leaf - rowHeader - leafSpare
		}
	}
	return nil
}

// endBlock writes the block, if it has any events.
func (w *writer) endBlock() error {
	b := &w.blocks
	if b.n == 0 {
		return nil
	}
	n := b.n
	heads, body := b.finish()
	w.body = string(body)
	if err := addBlock(w.addBlock, w.head, n, w.at, heads, nil); err != nil {
		return err
	}
	size := len(heads) + len(body) + rowHeader
	w.unmoved += size
	if size > w.room {
		w.room = w.leaf
	}
	w.room = max(w.room-size, 0)
	b.reset()
	return nil
}

func addBlock(stmt *sqlite3.Stmt, last int64, n int, at int64, heads, body []byte) error {
	stmt.BindInt64(1, last)
	stmt.BindInt64(2, int64(n))
	stmt.BindInt64(3, at)
	stmt.BindBytes(4, heads)
	if body != nil {
		stmt.BindBytes(5, body)
	}
	if err := exec(stmt); err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	return nil
}

// stream returns what is known of a stream, or looks it up.
func (w *writer) stream(name string) (*stream, error) {
	if st := w.streams.get(name); st != nil {
		return st, nil
	}
	x, ok, err := w.reader.index(&w.tail, name, bounds{math.MaxInt64, math.MaxInt64})
	if err != nil || !ok {
		return nil, fmt.Errorf("look up stream: %w", err)
	}
	st := &stream{revision: eventstore.NoStream}
	for run, err := range x.runs(0, math.MaxInt64-1) {
		if err != nil {
			return nil, err
		}
		for _, e := range run.entries {
			st.add(e.hash)
		}
		st.revision = run.end() - 1
	}
	w.streams.set(name, st)
	return st, nil
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

// stream is what the writer knows of one: its end, and the fingerprints of its
// events' ids.
type stream struct {
	revision eventstore.Revision // NoStream if it does not exist
	few      []uint32            // until they are many
	many     map[uint32]struct{}
}

func (s *stream) has(hash uint32) bool {
	if s.many != nil {
		_, ok := s.many[hash]
		return ok
	}
	return slices.Contains(s.few, hash)
}

func (s *stream) add(hash uint32) {
	const few = 256
	switch {
	case s.many != nil:
		s.many[hash] = struct{}{}
	case len(s.few) < few:
		s.few = append(s.few, hash)
	default:
		s.many = map[uint32]struct{}{hash: {}}
		for _, h := range s.few {
			s.many[h] = struct{}{}
		}
		s.few = nil
	}
}

// streams remembers the streams used last.
type streams struct {
	young, old map[string]*stream
	known      int // events of those in young
}

func (s *streams) get(name string) *stream {
	st := s.young[name]
	if st == nil {
		if st = s.old[name]; st != nil {
			s.set(name, st)
		}
	}
	return st
}

func (s *streams) set(name string, st *stream) {
	const perStream = 8
	if s.young == nil {
		s.young = map[string]*stream{}
	}
	s.young[name] = st
	s.known += perStream + int(st.revision) + 1
}

// trim makes young old when it is full: what is still used moves back. Not within
// a transaction, which needs what it knows of its own streams.
func (s *streams) trim(limit int) {
	if s.known >= limit {
		s.young, s.old, s.known = nil, s.young, 0
	}
}
