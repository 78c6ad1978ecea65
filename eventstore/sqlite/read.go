package sqlite

import (
	"bytes"
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
// yielded. One event may exceed pageBytes.
const (
	pageEvents = 512
	pageBytes  = 1 << 20
	pageScan   = 8_192 // rows looked at in a filtered read
)

const columns = "position, type, stream, revision, recorded_at, id, name, meta, data"

// reader is a connection that only reads.
type reader struct {
	conn  *sqlite3.Conn
	types *typeNames

	lastPosition, findStream, lastRevision, findEvent, typeName,
	all, allBack, stream, streamBack *sqlite3.Stmt
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
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA cache_size = -8192", nil); err != nil {
		return nil, fmt.Errorf("set cache size: %w", err)
	}
	r = &reader{conn: conn, types: &s.types}
	for stmt, query := range map[**sqlite3.Stmt]string{
		&r.lastPosition: "SELECT max(position) FROM events",
		&r.findStream:   "SELECT id FROM streams WHERE name = ?",
		&r.lastRevision: "SELECT max(revision) FROM events WHERE stream = ?",
		&r.findEvent:    "SELECT revision FROM events WHERE stream = ? AND id = ?",
		&r.typeName:     "SELECT name FROM types WHERE id = ?",
		&r.all:          "SELECT " + columns + " FROM events WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?",
		&r.allBack:      "SELECT " + columns + " FROM events WHERE position BETWEEN ? AND ? ORDER BY position DESC LIMIT ?",
		&r.stream:       "SELECT " + columns + " FROM events WHERE stream = ?4 AND revision BETWEEN ?1 AND ?2 ORDER BY revision LIMIT ?3",
		&r.streamBack:   "SELECT " + columns + " FROM events WHERE stream = ?4 AND revision BETWEEN ?1 AND ?2 ORDER BY revision DESC LIMIT ?3",
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

// last returns the position of the last event, 0 if there is none.
func (r *reader) last() (eventstore.Position, error) {
	p, err := one(r.lastPosition)
	return eventstore.Position(p), err
}

// page is a part of the log on its way to the caller.
type page struct {
	events []eventstore.Recorded
	name   [eventstore.MaxStreamName]byte

	filter  eventstore.AllQuery // which events to keep
	limit   int                 // events to keep at most, if not 0
	scanned eventstore.Recorded // position and revision of the last row looked at
	done    bool                // there was no further row
}

// fill reads the rows of stmt, whose parameters are a first and a last position
// or revision, a limit, and whatever the caller has bound besides.
func (p *page) fill(r *reader, stmt *sqlite3.Stmt, first, last int64) (err error) {
	defer func() { err = errors.Join(err, stmt.Reset()) }()
	scan, keep := pageEvents, pageEvents
	if p.filter.Filtered() {
		scan = pageScan
	}
	if p.limit > 0 {
		keep = min(keep, p.limit)
		if !p.filter.Filtered() {
			scan = min(scan, p.limit)
		}
	}
	stmt.BindInt64(1, first)
	stmt.BindInt64(2, last)
	stmt.BindInt64(3, int64(scan))
	clear(p.events) // lets go of what has been yielded
	p.events, p.done = p.events[:0], false
	for rows, size := 0, 0; ; {
		row, err := stmt.Step()
		if err != nil {
			return err
		}
		if !row {
			p.done = rows < scan
			return nil
		}
		rows++
		p.scanned.Position = eventstore.Position(stmt.ColumnInt64(0))
		p.scanned.Revision = eventstore.Revision(stmt.ColumnInt64(3))
		typ, err := r.typ(stmt.ColumnInt64(1))
		if err != nil {
			return err
		}
		name := p.name[:stmt.ColumnBytes(6, p.name[:])]
		if !p.wants(name, typ) {
			continue
		}
		e := eventstore.Recorded{
			Event:    eventstore.Event{Type: typ},
			Stream:   string(name),
			Revision: p.scanned.Revision,
			Position: p.scanned.Position,
			Time:     time.UnixMicro(stmt.ColumnInt64(4)).UTC(),
		}
		stmt.ColumnBytes(5, e.ID[:])
		// One allocation holds both; the caller may append to either.
		m, d := stmt.ColumnLen(7), stmt.ColumnLen(8)
		buf := make([]byte, m+d)
		e.Meta, e.Data = buf[:m:m], buf[m:]
		stmt.ColumnBytes(7, e.Meta)
		stmt.ColumnBytes(8, e.Data)
		p.events = append(p.events, e)
		if size += m + d; len(p.events) == keep || size >= pageBytes {
			return nil
		}
	}
}

func (p *page) wants(stream []byte, typ string) bool {
	q := &p.filter
	if len(q.Types) > 0 && !slices.Contains(q.Types, typ) {
		return false
	}
	if len(q.Categories) == 0 {
		return true
	}
	category, _, _ := bytes.Cut(stream, []byte("-"))
	return slices.ContainsFunc(q.Categories, func(c string) bool { return c == string(category) })
}

// typ returns the name of an event type.
func (r *reader) typ(id int64) (string, error) {
	if name, ok := r.types.get(id); ok {
		return name, nil
	}
	r.typeName.BindInt64(1, id)
	row, err := r.typeName.Step()
	if err != nil {
		return "", err
	}
	var name string
	if row {
		name = r.typeName.ColumnText(0)
	}
	if err := r.typeName.Reset(); err != nil {
		return "", err
	}
	if name == "" {
		return "", fmt.Errorf("event type %d has no name", id)
	}
	r.types.set(id, name)
	return name, nil
}

// ReadStream implements eventstore.Store.
func (s *Store) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := s.readStream(ctx, stream, q, func(r eventstore.Recorded) bool { return yield(r, nil) }); err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// readStream returns nil when it is done or yield has had enough. What is
// appended meanwhile is left out.
func (s *Store) readStream(ctx context.Context, name string, q eventstore.StreamQuery, yield func(eventstore.Recorded) bool) error {
	p := page{limit: max(q.Limit, 0)}
	var id, first, last int64
	find := func(r *reader) (err error) {
		r.findStream.BindText(1, name)
		if id, err = one(r.findStream); err != nil || id == 0 {
			p.done = true
			return err
		}
		r.lastRevision.BindInt64(1, id)
		if last, err = one(r.lastRevision); err != nil {
			return err
		}
		if !q.Backwards {
			first = int64(max(q.From, 0))
		}
		if q.Event == uuid.Nil {
			return nil
		}
		r.findEvent.BindInt64(1, id)
		r.findEvent.BindBytes(2, q.Event[:])
		row, err := r.findEvent.Step()
		if err != nil {
			return err
		}
		if at := &first; row {
			if q.Backwards {
				at = &last
			}
			*at = r.findEvent.ColumnInt64(0)
		}
		p.done = !row
		return r.findEvent.Reset()
	}
	for started := false; !p.done; started = true {
		err := s.with(ctx, func(r *reader) error {
			if !started {
				if err := find(r); err != nil || p.done {
					return err
				}
			}
			stmt := r.stream
			if q.Backwards {
				stmt = r.streamBack
			}
			stmt.BindInt64(4, id)
			return p.fill(r, stmt, first, last)
		})
		if err != nil {
			return err
		}
		if q.Backwards {
			last = int64(p.scanned.Revision) - 1
		} else {
			first = int64(p.scanned.Revision) + 1
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

// ReadAll implements eventstore.Store.
func (s *Store) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
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
	p := page{filter: q, limit: max(q.Limit, 0)}
	last := int64(math.MaxInt64)
	if q.After > 0 {
		last = int64(q.After) - 1
	}
	for !p.done {
		if err := s.with(ctx, func(r *reader) error { return p.fill(r, r.allBack, 1, last) }); err != nil {
			return err
		}
		last = int64(p.scanned.Position) - 1
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
// the end that it finds when it starts, and if it follows, each time it wakes.
//
// Positions are given out by whoever holds the file's write lock and become
// visible in that order, so what is at or before the end is all there.
func (s *Store) readAll(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	p := page{filter: q, limit: max(q.Limit, 0)}
	at, yielded := max(q.After, 0), eventstore.Position(-1)
	mark := func() bool {
		if yielded == at {
			return true
		}
		yielded = at
		return yield(eventstore.Recorded{Position: at})
	}
	for {
		grown := s.bell.wait() // before looking, so that nothing is missed
		for end := eventstore.Position(-1); end < 0 || at < end; {
			err := s.with(ctx, func(r *reader) (err error) {
				if end < 0 {
					if end, err = r.last(); err != nil || at >= end {
						p.events = p.events[:0]
						return err
					}
				}
				return p.fill(r, r.all, int64(at)+1, int64(end))
			})
			if err != nil {
				return err
			}
			for _, e := range p.events {
				if !yield(e) {
					return nil
				}
			}
			if at < end {
				if at = p.scanned.Position; p.done {
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
