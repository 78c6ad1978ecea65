package sqlite

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"
	sqlite3 "zombiezen.com/go/sqlite"

	"github.com/chatledger/chatledger/eventstore"
)

// The index says where the events of a stream are. That of the last few thousand
// events is in memory, made from the blocks by each process for itself: the tail.
// The rest is in the table runs, where the writer moves it in bulk, ordered by
// stream: many events of a stream become one row, and neighbours share pages.

const (
	defaultGeneration = 16_384 // events that the file's index gets together
	runLength         = 64     // events in a row of runs, so that it stays on its page
	partsOfAMove      = 256    // transactions, at most, in which a generation goes to the file
)

// entry is where an event is, and what tells its id from most others.
type entry struct {
	position int64
	hash     uint32
}

// fingerprint is all the same for equal ids.
func fingerprint(id uuid.UUID) uint32 {
	return binary.LittleEndian.Uint32(id[:]) ^ binary.LittleEndian.Uint32(id[4:]) ^
		binary.LittleEndian.Uint32(id[8:]) ^ binary.LittleEndian.Uint32(id[12:])
}

// piece is a part of a stream, from revision first. Entries are added behind
// others and never change, so that a copy of a piece may be read without a lock.
type piece struct {
	first   eventstore.Revision
	entries []entry
}

// end is the revision that comes next.
func (p piece) end() eventstore.Revision { return p.first + eventstore.Revision(len(p.entries)) }

// from returns what p has from revision rev.
func (p piece) from(rev eventstore.Revision) piece {
	skip := min(max(rev-p.first, 0), eventstore.Revision(len(p.entries)))
	return piece{p.first + skip, p.entries[skip:]}
}

type pieces map[string]*piece

// tail is the index of the newest events, which the file's index need not have.
type tail struct {
	generation int // events in young before it becomes old

	mu       sync.RWMutex
	from, to int64 // it holds what is behind from, up to and with to
	old      pieces
	oldTo    int64 // old ends here; it goes to the file, or has gone, and does not change
	young    pieces
	count    int            // events in young
	ends     map[string]end // of streams that are not here, as somebody found them in the file
}

// end is where a stream ends in the file's index.
type end struct {
	revision eventstore.Revision
	from     int64 // where the tail began then: as long as it does, the stream ends there or in the tail
}

const maxEnds = 10_000

// noteEnd takes what was found in the file of a stream that the tail did not have.
func (t *tail) noteEnd(stream string, e end) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ends == nil || len(t.ends) >= maxEnds {
		t.ends = map[string]end{}
	}
	t.ends[stream] = e
}

// endsBefore reports whether a stream is known to end before a revision in a log
// that ends at head.
func (t *tail) endsBefore(stream string, rev eventstore.Revision, head int64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.to < head {
		return false
	}
	for _, m := range [...]pieces{t.young, t.old} {
		if p := m[stream]; p != nil {
			return p.end() <= rev
		}
	}
	e, ok := t.ends[stream]
	return ok && e.from == t.from && e.revision < rev
}

// get returns the parts of a stream that the tail has and a transaction sees:
// both may be empty, the second is behind the first. It is not ok if the tail
// begins behind the end of the file's index as the transaction sees it. from is
// where it begins.
func (t *tail) get(stream string, sees bounds) (parts [2]piece, from int64, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i, m := range [...]pieces{t.old, t.young} {
		if p := m[stream]; p != nil {
			parts[i] = *p
			for n := len(p.entries); n > 0 && p.entries[n-1].position > sees.head; n-- {
				parts[i].entries = p.entries[:n-1]
			}
		}
	}
	return parts, t.from, t.from <= sees.indexed
}

// end returns the position of the last event that it has, and whether it could
// drop any if the file's index had everything up to indexed.
func (t *tail) end(indexed int64) (to int64, drop bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.to, indexed > t.from && (indexed >= t.to || t.old != nil && indexed >= t.oldTo)
}

// indexedTo drops what the file's index has when it has everything up to p.
func (t *tail) indexedTo(p int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case p >= t.to:
		t.from, t.to = p, p
		t.old, t.oldTo, t.young, t.count = nil, 0, nil, 0
	case t.old != nil && p >= t.oldTo:
		t.from, t.old, t.oldTo = t.oldTo, nil, 0
	}
}

// known is an event on its way into the tail.
type known struct {
	stream   string
	revision eventstore.Revision
	entry
}

// add takes events that follow each other in the log. Those it has are left out.
func (t *tail) add(events []known) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		if e.position <= t.to {
			continue
		}
		if e.position != t.to+1 {
			return // somebody has dropped what was between: the next who looks reads it
		}
		if t.young == nil {
			t.young = pieces{}
		}
		p := t.young[e.stream]
		if p == nil {
			p = &piece{first: e.revision}
			t.young[e.stream] = p
		}
		p.entries = append(p.entries, e.entry)
		t.to = e.position
		t.count++
	}
	if t.count >= t.generation && t.old == nil {
		t.old, t.oldTo, t.young, t.count = t.young, t.to, nil, 0
	}
}

// frozen returns the part that is to go to the file, if there is one.
func (t *tail) frozen() (pieces, int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.old, t.oldTo
}

// bounds is what a transaction sees of the log.
type bounds struct {
	indexed int64 // the file's index has everything up to here
	head    int64 // position of the last event
}

// sync brings the tail up to the end of the log that r's transaction sees.
func (r *reader) sync(t *tail) (b bounds, err error) {
	row, err := r.bounds.Step()
	if err == nil && row {
		b = bounds{r.bounds.ColumnInt64(0), r.bounds.ColumnInt64(1)}
	}
	if e := r.bounds.Reset(); err == nil {
		err = e
	}
	if err != nil {
		return b, fmt.Errorf("read bounds: %w", err)
	}
	to, drop := t.end(b.indexed)
	if drop {
		t.indexedTo(b.indexed)
		to, _ = t.end(b.indexed)
	}
	for to < b.head {
		events, err := r.knownAfter(to, b.head)
		if err != nil {
			return b, fmt.Errorf("read newest events: %w", err)
		}
		t.add(events)
		to = events[len(events)-1].position
	}
	return b, nil
}

// knownAfter returns some events behind a position, at least one.
func (r *reader) knownAfter(after, head int64) (events []known, err error) {
	stmt := r.all
	defer func() {
		if e := stmt.Reset(); err == nil {
			err = e
		}
	}()
	stmt.BindInt64(1, after+1)
	for len(events) < defaultGeneration {
		row, err := stmt.Step()
		if err != nil {
			return nil, err
		}
		if !row {
			break
		}
		if err := r.load(stmt); err != nil {
			return nil, err
		}
		for i, it := range r.block.items {
			p := r.block.first + int64(i)
			if p <= after {
				continue
			}
			e := known{revision: eventstore.Revision(it.revision), entry: entry{p, fingerprint(r.block.id(i))}}
			if n := len(events); n > 0 && events[n-1].stream == string(it.stream) {
				e.stream = events[n-1].stream
			} else {
				e.stream = string(it.stream)
			}
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("there is no block between %d and %d", after, head)
	}
	return events, nil
}

// streamIndex is all that a transaction knows of a stream.
type streamIndex struct {
	r     *reader
	id    int64 // in the file's index, or 0
	parts [2]piece
	from  int64 // they hold what is behind it
}

// index looks a stream up. It is not ok if r's transaction is too old.
func (r *reader) index(t *tail, name string, sees bounds) (x streamIndex, ok bool, err error) {
	x.r = r
	if x.parts, x.from, ok = t.get(name, sees); !ok {
		return x, false, nil
	}
	r.findStream.BindText(1, name)
	if x.id, err = one(r.findStream); err != nil {
		return x, false, fmt.Errorf("find stream: %w", err)
	}
	return x, true, nil
}

// end returns the stream's revision.
func (x streamIndex) end() (eventstore.Revision, error) {
	for _, p := range slices.Backward(x.parts[:]) {
		if len(p.entries) > 0 {
			return p.end() - 1, nil
		}
	}
	if x.id == 0 {
		return eventstore.NoStream, nil
	}
	p, err := x.r.last(x.id)
	return p.end() - 1, err
}

// runs yields where the events from revision from to revision to are, in order.
func (x streamIndex) runs(from, to eventstore.Revision) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		next := from
		if x.id != 0 {
			for p, err := range x.r.rows(x.r.runs, x.id, from, to) {
				if err != nil {
					yield(piece{}, err)
					return
				}
				if p = p.from(next).until(to); len(p.entries) == 0 {
					continue
				}
				if !yield(p, nil) {
					return
				}
				next = p.end()
			}
		}
		for _, p := range x.parts {
			if p = p.from(next).until(to); len(p.entries) == 0 {
				continue
			}
			if !yield(p, nil) {
				return
			}
			next = p.end()
		}
	}
}

// runsBack does it from the last to the first; so are the pieces that it yields,
// but each of them is in order.
func (x streamIndex) runsBack(from, to eventstore.Revision) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		for _, p := range slices.Backward(x.parts[:]) {
			if p = p.from(from).until(to); len(p.entries) == 0 {
				continue
			}
			if !yield(p, nil) {
				return
			}
			to = p.first - 1
		}
		if x.id == 0 || to < from {
			return
		}
		for p, err := range x.r.rows(x.r.runsBack, x.id, from, to) {
			if err != nil {
				yield(piece{}, err)
				return
			}
			if p = p.from(from).until(to); len(p.entries) == 0 {
				continue
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// until returns what p has up to revision rev.
func (p piece) until(rev eventstore.Revision) piece {
	keep := min(max(rev+1-p.first, 0), eventstore.Revision(len(p.entries)))
	return piece{p.first, p.entries[:keep]}
}

// find returns where the event with an id is.
func (x streamIndex) find(id uuid.UUID, last eventstore.Revision) (rev eventstore.Revision, position int64, ok bool, err error) {
	hash := fingerprint(id)
	var candidates []entry
	for p, err := range x.runs(0, last) {
		if err != nil {
			return 0, 0, false, err
		}
		for _, e := range p.entries {
			if e.hash == hash {
				candidates = append(candidates, e)
			}
		}
	}
	for _, e := range candidates {
		i, err := x.r.at(e.position)
		if err != nil {
			return 0, 0, false, err
		}
		if x.r.block.id(i) == id {
			return eventstore.Revision(x.r.block.items[i].revision), e.position, true, nil
		}
	}
	return 0, 0, false, nil
}

// rows yields the rows of stmt, whose parameters are a stream and two revisions.
func (r *reader) rows(stmt *sqlite3.Stmt, stream int64, from, to eventstore.Revision) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		stmt.BindInt64(1, stream)
		stmt.BindInt64(2, int64(from))
		stmt.BindInt64(3, int64(to))
		for {
			row, err := stmt.Step()
			if err != nil {
				yield(piece{}, fmt.Errorf("read index: %w", err)) // Step has reset it
				return
			}
			if !row {
				break
			}
			p, err := r.run(stmt)
			if err == nil && yield(p, nil) {
				continue
			}
			if e := stmt.Reset(); err == nil {
				err = e
			}
			if err != nil {
				yield(piece{}, fmt.Errorf("read index: %w", err))
			}
			return
		}
		if err := stmt.Reset(); err != nil {
			yield(piece{}, fmt.Errorf("read index: %w", err))
		}
	}
}

// last returns the last row of a stream in the file's index; it has no entries
// if there is none.
func (r *reader) last(stream int64) (p piece, err error) {
	r.lastRun.BindInt64(1, stream)
	row, err := r.lastRun.Step()
	if err == nil && row {
		p, err = r.run(r.lastRun)
	}
	if e := r.lastRun.Reset(); err == nil {
		err = e
	}
	if err != nil {
		return p, fmt.Errorf("read end of index: %w", err)
	}
	return p, nil
}

// run decodes the row of stmt: revision and events.
func (r *reader) run(stmt *sqlite3.Stmt) (piece, error) {
	p := piece{first: eventstore.Revision(stmt.ColumnInt64(0))}
	r.scratch = slices.Grow(r.scratch[:0], stmt.ColumnLen(1))[:stmt.ColumnLen(1)]
	stmt.ColumnBytes(1, r.scratch)
	p.entries = make([]entry, 0, runLength)
	c, at := cursor{b: r.scratch}, int64(0)
	for len(c.b) > 0 {
		at += c.number()
		hash := c.take(4)
		if c.bad {
			return piece{}, fmt.Errorf("a row of the index is damaged")
		}
		p.entries = append(p.entries, entry{at, binary.LittleEndian.Uint32(hash)})
	}
	return p, nil
}

// appendRun encodes entries: for each how much further it is than the one before
// it, and its fingerprint.
func appendRun(b []byte, entries []entry) []byte {
	at := int64(0)
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.position-at))
		b = binary.LittleEndian.AppendUint32(b, e.hash)
		at = e.position
	}
	return b
}

// indexer moves what is frozen in the tail to the file's index, a few streams in
// each transaction. It may be interrupted anywhere, and several processes may
// move the same: what is there already is left out.
type indexer struct {
	r                                     *reader
	addStream, addRun, setRun, setIndexed *sqlite3.Stmt

	pieces pieces
	to     int64
	names  []string // of pieces, in the order of their first events
	next   int      // of names
	rate   float64  // streams for each event appended
	debt   float64
	enough float64 // streams in a transaction, so that what they share is written once
}

func (x *indexer) open(r *reader) (err error) {
	*x = indexer{r: r}
	for stmt, query := range map[**sqlite3.Stmt]string{
		&x.addStream:  "INSERT INTO streams (name, id) VALUES (?, ?)",
		&x.addRun:     "INSERT INTO runs (stream, revision, events) VALUES (?, ?, ?)",
		&x.setRun:     "UPDATE runs SET events = ?3 WHERE stream = ?1 AND revision = ?2",
		&x.setIndexed: "UPDATE indexed SET position = max(position, ?)",
	} {
		if *stmt, err = r.conn.Prepare(query); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	return nil
}

// take begins with other pieces, which hold everything behind what is indexed, up
// to another position. They are to be done by the time that half of the next generation is
// there.
func (x *indexer) take(p pieces, to int64, generation int) {
	x.pieces, x.to, x.next, x.debt = p, to, 0, 0
	x.names = slices.SortedFunc(maps.Keys(p), func(a, b string) int {
		return cmp.Compare(p[a].entries[0].position, p[b].entries[0].position)
	})
	x.rate = 2 * float64(len(x.names)) / float64(generation)
	x.enough = float64(len(x.names)) / partsOfAMove
}

// done reports whether all has been moved.
func (x *indexer) done() bool { return x.next >= len(x.names) }

// move moves n streams more and returns how far it has come. The caller sets next
// to it when the transaction has been committed.
func (x *indexer) move(n int) (next int, err error) {
	if x.done() {
		return x.next, nil
	}
	next = min(x.next+n, len(x.names))
	for _, name := range x.names[x.next:next] {
		if err := x.stream(name, *x.pieces[name]); err != nil {
			return 0, err
		}
	}
	if next == len(x.names) {
		x.setIndexed.BindInt64(1, x.to)
		if err := exec(x.setIndexed); err != nil {
			return 0, fmt.Errorf("set end of index: %w", err)
		}
	}
	return next, nil
}

// stream adds p to the index of a stream.
func (x *indexer) stream(name string, p piece) error {
	x.r.findStream.BindText(1, name)
	id, err := one(x.r.findStream)
	if err != nil {
		return fmt.Errorf("find stream: %w", err)
	}
	var last piece
	switch {
	case id != 0:
		if last, err = x.r.last(id); err != nil {
			return err
		}
	case p.first == 0:
		id = p.entries[0].position
		x.addStream.BindText(1, name)
		x.addStream.BindInt64(2, id)
		if err := exec(x.addStream); err != nil {
			return fmt.Errorf("add stream: %w", err)
		}
	}
	if id == 0 || last.end() < p.first {
		return fmt.Errorf("the index of stream %s ends at revision %d; the next event is %d", name, last.end()-1, p.first)
	}
	p = p.from(last.end())
	stmt := x.addRun
	if n := len(last.entries); n > 0 && n+len(p.entries) <= runLength {
		p = piece{last.first, append(last.entries, p.entries...)}
		stmt = x.setRun
	}
	for len(p.entries) > 0 {
		n := min(len(p.entries), runLength)
		stmt.BindInt64(1, id)
		stmt.BindInt64(2, int64(p.first))
		x.r.scratch = appendRun(x.r.scratch[:0], p.entries[:n])
		stmt.BindBytes(3, x.r.scratch)
		if err := exec(stmt); err != nil {
			return fmt.Errorf("add to index: %w", err)
		}
		p = p.from(p.first + eventstore.Revision(n))
	}
	return nil
}
