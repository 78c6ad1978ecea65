package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	sqlite3 "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/chatledger/chatledger/eventstore"
)

// Limits of one page: what is read at a time and held in memory while it is
// yielded. One block may exceed them.
const (
	pageEvents = 512
	pageBytes  = 1 << 20
	pageScan   = 8_192 // events looked at in a filtered read
)

const (
	selectBlocks = "SELECT last, events, recorded_at, heads, body FROM blocks "
	selectRuns   = "SELECT revision, events FROM runs WHERE stream = ?1 "
	fromTo       = "AND revision >= coalesce((SELECT max(revision) FROM runs WHERE stream = ?1 AND revision <= ?2), 0) AND revision <= ?3 "
)

// reader is a connection with what it takes to read.
type reader struct {
	conn    *sqlite3.Conn
	block   block // the last one read
	types   map[string]string
	scratch []byte
	chosen  []int

	begin, commit, bounds, lastPosition, findStream,
	all, allBack, runs, runsBack, lastRun *sqlite3.Stmt
}

func (s *Store) openReader() (r *reader, err error) {
	conn, err := sqlite3.OpenConn(s.path, sqlite3.OpenReadOnly)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	conn.SetBusyTimeout(s.busy) // readers hardly ever wait: only for a recovery after a crash
	if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA cache_size = -%d", 1024*s.cache/3/readers), nil); err != nil {
		return nil, fmt.Errorf("set cache size: %w", err)
	}
	return newReader(conn)
}

func newReader(conn *sqlite3.Conn) (r *reader, err error) {
	r = &reader{conn: conn}
	for stmt, query := range map[**sqlite3.Stmt]string{
		&r.begin:        "BEGIN",
		&r.commit:       "COMMIT",
		&r.bounds:       "SELECT (SELECT position FROM indexed), (SELECT max(last) FROM blocks)",
		&r.lastPosition: "SELECT max(last) FROM blocks",
		&r.findStream:   "SELECT id FROM streams WHERE name = ?",
		&r.all:          selectBlocks + "WHERE last >= ? ORDER BY last",
		&r.allBack: selectBlocks + "WHERE last <= coalesce((SELECT min(last) FROM blocks WHERE last >= ?), 9223372036854775807)" +
			" ORDER BY last DESC",
		&r.runs:     selectRuns + fromTo + "ORDER BY revision",
		&r.runsBack: selectRuns + fromTo + "ORDER BY revision DESC",
		&r.lastRun:  selectRuns + "ORDER BY revision DESC LIMIT 1",
	} {
		if *stmt, err = conn.Prepare(query); err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
	}
	return r, nil
}

// with lends a reader to do, which must not keep it. A reader that has failed is
// not used again.
func (s *Store) with(ctx context.Context, do func(*reader) error) (err error) {
	if err := s.err(ctx); err != nil {
		return err
	}
	var r *reader
	select {
	case r = <-s.pool:
	case <-s.done:
		return eventstore.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.pool <- r }()
	if err := s.err(ctx); err != nil {
		return err
	}
	if r == nil {
		if r, err = s.openReader(); err != nil {
			r = nil
			return fmt.Errorf("sqlite: read log: %w", err)
		}
	}
	if err := do(r); err != nil {
		err = errors.Join(err, r.conn.Close())
		r = nil
		return fmt.Errorf("sqlite: read log: %w", err)
	}
	return nil
}

// head returns the position of the last event, 0 if there is none.
func (r *reader) head() (eventstore.Position, error) {
	p, err := one(r.lastPosition)
	return eventstore.Position(p), err
}

// load reads the block in the row of stmt.
func (r *reader) load(stmt *sqlite3.Stmt) error {
	b := &r.block
	b.items = b.items[:0]
	last, n := stmt.ColumnInt64(0), stmt.ColumnInt(1)
	b.first, b.recordedAt = last-int64(n)+1, stmt.ColumnInt64(2)
	b.heads = resize(b.heads, stmt.ColumnLen(3))
	stmt.ColumnBytes(3, b.heads)
	b.body = resize(b.body, stmt.ColumnLen(4))
	stmt.ColumnBytes(4, b.body)
	if err := b.parse(n); err != nil {
		b.items = b.items[:0]
		return fmt.Errorf("block that ends at position %d: %w", last, err)
	}
	return nil
}

// resize returns n bytes, those of b if they suffice and are not far too many.
func resize(b []byte, n int) []byte {
	if n <= cap(b) && (cap(b) <= pageBytes || n > cap(b)/2) {
		return b[:n]
	}
	return make([]byte, n)
}

// at loads the block with the event at a position, and returns the event's index.
func (r *reader) at(position int64) (i int, err error) {
	if b := &r.block; len(b.items) == 0 || position < b.first || position > b.last() {
		r.all.BindInt64(1, position)
		row, err := r.all.Step()
		if err == nil && row {
			err = r.load(r.all)
		}
		if e := r.all.Reset(); err == nil {
			err = e
		}
		switch {
		case err != nil:
			return 0, err
		case !row || position < b.first:
			return 0, fmt.Errorf("there is no event at position %d", position)
		}
	}
	return int(position - r.block.first), nil
}

// take appends the events of the block that are in r.chosen to events.
func (r *reader) take(events []eventstore.Recorded) []eventstore.Recorded {
	b, size := &r.block, 0
	for _, i := range r.chosen {
		size += len(b.items[i].data) + len(b.items[i].meta)
	}
	// One allocation holds them all. The caller may append to any.
	buf := make([]byte, 0, size)
	own := func(text []byte) []byte {
		start := len(buf)
		buf = append(buf, text...)
		return buf[start:len(buf):len(buf)]
	}
	at := time.UnixMicro(b.recordedAt).UTC()
	for _, i := range r.chosen {
		it := &b.items[i]
		e := eventstore.Recorded{
			Event:    eventstore.Event{ID: b.id(i), Type: r.typ(it.typ), Data: own(it.data), Meta: own(it.meta)},
			Revision: eventstore.Revision(it.revision),
			Position: eventstore.Position(b.first + int64(i)),
			Time:     at,
		}
		if it.later > 0 {
			e.Time = at.Add(time.Duration(it.later) * time.Microsecond)
		}
		if n := len(events); n > 0 && events[n-1].Stream == string(it.stream) {
			e.Stream = events[n-1].Stream
		} else {
			e.Stream = string(it.stream)
		}
		events = append(events, e)
	}
	return events
}

// typ returns the name of an event type. There are few, and many events.
func (r *reader) typ(name []byte) string {
	s, ok := r.types[string(name)]
	if !ok {
		if r.types == nil || len(r.types) >= maxTypes {
			r.types = map[string]string{}
		}
		s = string(name)
		r.types[s] = s
	}
	return s
}

const maxTypes = 1_000 // that a reader remembers

// page is a part of the log on its way to the caller.
type page struct {
	events []eventstore.Recorded
	filter eventstore.AllQuery
	types  map[string]bool // of filter
	limit  int             // events to keep at most, if not 0
	at     int64           // position of the last event looked at
	done   bool            // there was nothing more to look at
}

func newPage(q eventstore.AllQuery) *page {
	p := &page{filter: q, limit: max(q.Limit, 0), types: map[string]bool{}}
	for _, t := range q.Types {
		p.types[t] = true
	}
	return p
}

func (p *page) wants(it *item) bool {
	if len(p.types) > 0 && !p.types[string(it.typ)] {
		return false
	}
	if len(p.filter.Categories) == 0 {
		return true
	}
	have := category(it.stream)
	return slices.ContainsFunc(p.filter.Categories, func(c string) bool { return c == string(have) })
}

// reset lets go of what has been yielded.
func (p *page) reset() {
	clear(p.events)
	p.events = p.events[:0]
}

// fill reads on from position from to position to, which may be smaller.
func (p *page) fill(r *reader, from, to int64) (err error) {
	stmt, step := r.all, int64(1)
	if p.filter.Backwards {
		stmt, step = r.allBack, -1
	}
	defer func() {
		if e := stmt.Reset(); err == nil {
			err = e
		}
	}()
	p.reset()
	p.done = false
	stmt.BindInt64(1, from)
	for scanned, size := 0, 0; scanned < pageScan && len(p.events) < pageEvents && size < pageBytes; {
		row, err := stmt.Step()
		if err != nil {
			return err
		}
		if !row {
			p.done = true
			return nil
		}
		if err := r.load(stmt); err != nil {
			return err
		}
		b := &r.block
		i, end := b.first, b.last()
		if p.filter.Backwards {
			i, end = end, i
		}
		if (from-i)*step > 0 {
			i = from
		}
		if (to-end)*step <= 0 {
			end, p.done = to, true
		}
		r.chosen = r.chosen[:0]
		for ; (end-i)*step >= 0; i += step {
			scanned++
			p.at = i
			it := &b.items[i-b.first]
			if !p.wants(it) {
				continue
			}
			r.chosen = append(r.chosen, int(i-b.first))
			size += len(it.data) + len(it.meta)
			if p.limit > 0 && len(p.events)+len(r.chosen) == p.limit {
				p.done = p.done && i == end
				p.events = r.take(p.events)
				return nil
			}
		}
		if len(r.chosen) > 0 {
			p.events = r.take(p.events)
		}
		if p.done {
			return nil
		}
	}
	return nil
}

// ReadStream implements eventstore.Store.
func (s *Store) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := s.readStream(ctx, stream, q, func(r eventstore.Recorded) bool { return yield(r, nil) }); err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// lookUp calls do with the index of a stream, in a transaction.
func (s *Store) lookUp(r *reader, name string, do func(streamIndex) error) error {
	for {
		if err := exec(r.begin); err != nil {
			return err
		}
		sees, err := r.sync(&s.tail)
		if err != nil {
			return err
		}
		x, ok, err := r.index(&s.tail, name, sees)
		if err == nil && ok {
			err = do(x)
		}
		if err != nil {
			return err // with closes the connection
		}
		if err := exec(r.commit); err != nil || ok {
			return err
		}
	}
}

// part is what is still to be read of a stream, and a page of it.
type part struct {
	page
	query       eventstore.StreamQuery
	first, last eventstore.Revision
	positions   []int64
}

// begin sets the part's bounds.
func (p *part) begin(x streamIndex) (err error) {
	if p.last, err = x.end(); err != nil || p.last == eventstore.NoStream {
		p.done = true
		return err
	}
	if !p.query.Backwards {
		p.first = max(p.query.From, 0)
	}
	if p.query.Event == uuid.Nil {
		return nil
	}
	rev, _, ok, err := x.find(p.query.Event, p.last)
	switch p.done = !ok; {
	case p.query.Backwards:
		p.last = rev
	default:
		p.first = rev
	}
	return err
}

// fill reads a page.
func (p *part) fill(x streamIndex) error {
	keep := pageEvents
	if p.limit > 0 {
		keep = min(keep, p.limit)
	}
	p.reset()
	p.positions = p.positions[:0]
	if p.query.Backwards {
		for run, err := range x.runsBack(p.first, p.last) {
			if err != nil {
				return err
			}
			for i := len(run.entries) - 1; i >= 0 && len(p.positions) < keep; i-- {
				p.positions = append(p.positions, run.entries[i].position)
			}
			if len(p.positions) == keep {
				break
			}
		}
	} else {
		for run, err := range x.runs(p.first, p.last) {
			if err != nil {
				return err
			}
			for i := 0; i < len(run.entries) && len(p.positions) < keep; i++ {
				p.positions = append(p.positions, run.entries[i].position)
			}
			if len(p.positions) == keep {
				break
			}
		}
	}
	size := 0
	for n := 0; n < len(p.positions) && size < pageBytes; {
		if _, err := x.r.at(p.positions[n]); err != nil {
			return err
		}
		x.r.chosen = x.r.chosen[:0]
		for b := &x.r.block; n < len(p.positions) && size < pageBytes; n++ {
			i := int(p.positions[n] - b.first)
			if i < 0 || i >= len(b.items) {
				break
			}
			size += len(b.items[i].data) + len(b.items[i].meta)
			x.r.chosen = append(x.r.chosen, i)
		}
		p.events = x.r.take(p.events)
	}
	if len(p.events) == 0 {
		p.done = true
		return nil
	}
	if at := p.events[len(p.events)-1].Revision; p.query.Backwards {
		p.last = at - 1
	} else {
		p.first = at + 1
	}
	p.done = p.first > p.last
	return nil
}

// readStream returns nil when it is done or yield has had enough. What is
// appended meanwhile is left out.
func (s *Store) readStream(ctx context.Context, name string, q eventstore.StreamQuery, yield func(eventstore.Recorded) bool) error {
	p := part{query: q, page: page{limit: max(q.Limit, 0)}}
	if q.From > 0 && !q.Backwards && q.Event == uuid.Nil {
		if none, err := s.endsBefore(ctx, name, q.From); none || err != nil {
			return err
		}
	}
	for started := false; !p.done; started = true {
		err := s.with(ctx, func(r *reader) error {
			return s.lookUp(r, name, func(x streamIndex) error {
				if !started {
					err := p.begin(x)
					if err == nil && x.id != 0 && len(x.parts[0].entries)+len(x.parts[1].entries) == 0 && q.Event == uuid.Nil {
						s.tail.noteEnd(name, end{p.last, x.from})
					}
					if err != nil || p.done {
						return err
					}
				}
				return p.fill(x)
			})
		})
		if err != nil {
			return err
		}
		for _, e := range p.events {
			if !yield(e) {
				return nil
			}
		}
		if p.limit > 0 {
			if p.limit -= len(p.events); p.limit == 0 {
				return nil
			}
		}
	}
	return nil
}

// endsBefore reports whether a stream ends before a revision, if that takes no
// more than to ask where the log ends. Whoever asks for what is new in a stream
// mostly finds nothing.
func (s *Store) endsBefore(ctx context.Context, name string, rev eventstore.Revision) (yes bool, err error) {
	err = s.with(ctx, func(r *reader) error {
		head, err := r.head()
		yes = err == nil && s.tail.endsBefore(name, rev, int64(head))
		return err
	})
	return yes, err
}

// ReadAll implements eventstore.Store.
func (s *Store) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	q = q.Dense()
	return func(yield func(eventstore.Recorded, error) bool) {
		var err error
		each := func(r eventstore.Recorded) bool { return yield(r, nil) }
		switch {
		case q.Backwards && q.Follow:
			err = errors.New("eventstore: a following read goes forwards only")
		case q.Backwards:
			err = s.readBack(ctx, q, each)
		case q.Follow:
			s.following.Add(1)
			defer s.following.Add(-1)
			err = s.readAll(ctx, q, each)
		default:
			err = s.readAll(ctx, q, each)
		}
		if err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// readBack returns nil when it is done or yield has had enough.
func (s *Store) readBack(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	p, last := newPage(q), int64(math.MaxInt64)
	if q.After > 0 {
		last = int64(q.After) - 1
	}
	for !p.done {
		if err := s.with(ctx, func(r *reader) error { return p.fill(r, last, 1) }); err != nil {
			return err
		}
		last = p.at - 1
		for _, e := range p.events {
			if !yield(e) {
				return nil
			}
		}
		if p.limit > 0 {
			if p.limit -= len(p.events); p.limit == 0 {
				return nil
			}
		}
	}
	return nil
}

// readAll returns nil when it is done or yield has had enough. It reads up to
// the end that it finds in the file when it starts, and if it follows, to the one
// that it is told each time it wakes.
//
// Positions are given out by whoever holds the file's write lock and become
// visible in that order, so what is at or before the end is all there.
func (s *Store) readAll(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	p := newPage(q)
	at, yielded := max(q.After, 0), eventstore.Position(-1)
	mark := func() bool {
		if yielded == at {
			return true
		}
		yielded = at
		return yield(eventstore.Recorded{Position: at})
	}
	for woken := false; ; woken = true {
		grown, end := s.bell.wait() // before looking, so that nothing is missed
		if !woken {
			end = -1
		}
		for end < 0 || at < end {
			if err := s.err(ctx); err != nil {
				return err
			}
			if end < 0 || !s.recent.fill(p, int64(at)+1, int64(end)) {
				err := s.with(ctx, func(r *reader) (err error) {
					if end < 0 {
						if end, err = r.head(); err != nil || at >= end {
							p.reset()
							return err
						}
					}
					return p.fill(r, int64(at)+1, int64(end))
				})
				if err != nil {
					return err
				}
			}
			for _, e := range p.events {
				if !yield(e) {
					return nil
				}
			}
			if at < end {
				if at = eventstore.Position(p.at); p.done {
					at = end
				}
			}
			if p.limit > 0 {
				if p.limit -= len(p.events); p.limit == 0 {
					if q.Filtered() {
						mark()
					}
					return nil
				}
			}
			if q.Filtered() && len(p.events) == 0 && at < end && !mark() {
				return nil
			}
		}
		if (q.Follow || q.Filtered()) && !mark() || !q.Follow {
			return nil
		}
		select {
		case <-grown:
		case <-s.done:
			return eventstore.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
