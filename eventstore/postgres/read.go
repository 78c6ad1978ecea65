package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// What one query reads at most. A page is in memory before it is yielded.
const (
	pageEvents = 2000
	pageBytes  = 4 << 20 // ends with the event that reaches it
	window     = 10_000  // positions that a filtered query looks at
)

// Each query selects from candidates in the order of the read, and then cuts them
// off where they exceed pageBytes. octet_length does not fetch a large value.
const (
	columns    = "position, stream, revision, id, type, recorded_at, data, meta"
	candidates = "SELECT " + columns + ", octet_length(data) + octet_length(meta) AS size FROM events WHERE "
)

// cut wraps a query for candidates, ordered by key, that has its limit in $1.
func cut(key, where string) string {
	return "SELECT " + columns + " FROM (SELECT p.*, sum(size) OVER (ORDER BY " + key + " ROWS UNBOUNDED PRECEDING) - size AS before FROM (" +
		candidates + where + " ORDER BY " + key + " LIMIT $1) p) q WHERE before < $2 ORDER BY " + key
}

const (
	matches = ` AND (cardinality($5::text[]) = 0 OR split_part(stream, '-', 1) = ANY ($5)) AND (cardinality($6::text[]) = 0 OR type = ANY ($6))`

	// eventRevision is NULL, and no revision compares with it, if there is no such event.
	eventRevision = "(SELECT e.revision FROM events e WHERE e.origin = " + origin + " AND e.id = $4)"

	// origin is the number of a stream, NULL if there is no such stream.
	origin = "(SELECT o.position FROM events o WHERE o.stream = $3 AND o.revision = 0)"
)

// statements are the texts of all reads.
type statements struct {
	stream, streamBack, streamEvent, streamEventBack string
	all, allBack, filtered, filteredBack             string
}

func readStatements() statements {
	return statements{
		stream:          cut("revision", "origin = "+origin+" AND revision >= $4"),
		streamBack:      cut("revision DESC", "origin = "+origin+" AND revision <= $4"),
		streamEvent:     cut("revision", "origin = "+origin+" AND revision >= "+eventRevision),
		streamEventBack: cut("revision DESC", "origin = "+origin+" AND revision <= "+eventRevision),
		all:             cut("position", "position > $3"),
		allBack:         cut("position DESC", "position < $3"),
		filtered:        cut("position", "position > $3 AND position <= $4"+matches),
		filteredBack:    cut("position DESC", "position < $3 AND position >= $4"+matches),
	}
}

// page is what one query has read.
type page struct {
	events []eventstore.Recorded
	more   bool // it was cut off: there may be more candidates
}

// ReadStream implements eventstore.Store.
func (s *Store) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := s.readStream(ctx, stream, q, func(r eventstore.Recorded) bool { return yield(r, nil) }); err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// readStream returns nil when it is done or yield has had enough.
func (s *Store) readStream(ctx context.Context, stream string, q eventstore.StreamQuery, yield func(eventstore.Recorded) bool) error {
	sql, step := s.sql.stream, int64(1)
	at := int64(max(q.From, 0))
	if q.Backwards {
		sql, step, at = s.sql.streamBack, -1, math.MaxInt64
	}
	text, begin := sql, any(at)
	if q.Event != uuid.Nil {
		text, begin = s.sql.streamEvent, [16]byte(q.Event)
		if q.Backwards {
			text = s.sql.streamEventBack
		}
	}
	for left := q.Limit; ; {
		p, err := s.read(ctx, left, text, stream, begin)
		if err != nil {
			return err
		}
		for _, r := range p.events {
			if err := s.ended(ctx); err != nil {
				return err
			}
			if !yield(r) {
				return nil
			}
			if left--; left == 0 {
				return nil
			}
			at = int64(r.Revision) + step
		}
		if !p.more {
			return s.ended(ctx)
		}
		text, begin = sql, any(at)
	}
}

// ReadAll implements eventstore.Store.
func (s *Store) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	q = q.Dense()
	read := s.forwards
	if q.Backwards {
		read = s.backwards
	}
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := read(ctx, q, func(r eventstore.Recorded) bool { return yield(r, nil) }); err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// forwards returns nil when it is done or yield has had enough.
func (s *Store) forwards(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	if q.Follow {
		s.listenOnce()
	}
	at, marked := max(q.After, 0), eventstore.Position(-1)
	mark := func() bool {
		if marked >= at {
			return true
		}
		marked = at
		return yield(eventstore.Recorded{Position: at})
	}
	for left := q.Limit; ; {
		grown := s.growth.watch()
		p, scanned, err := s.next(ctx, q, at, left)
		if err != nil {
			return err
		}
		for _, r := range p.events {
			if err := s.ended(ctx); err != nil {
				return err
			}
			at = r.Position
			if !yield(r) {
				return nil
			}
			if left--; left == 0 {
				if q.Filtered() {
					mark()
				}
				return nil
			}
		}
		at = max(at, scanned)
		if (q.Filtered() && scanned > 0 || q.Follow && !p.more) && !mark() {
			return nil
		}
		switch {
		case p.more:
			continue
		case !q.Follow:
			if q.Filtered() {
				mark()
			}
			return s.ended(ctx)
		}
		select {
		case <-grown:
		case <-ctx.Done():
		case <-s.life.Done():
		}
		if err := s.ended(ctx); err != nil {
			return err
		}
	}
}

// next reads a page after at. scanned is not 0 if it is known that nothing of
// interest is left up to there.
func (s *Store) next(ctx context.Context, q eventstore.AllQuery, at eventstore.Position, left int) (p page, scanned eventstore.Position, err error) {
	if !q.Filtered() {
		p, err = s.read(ctx, left, s.sql.all, int64(at))
		return p, 0, err
	}
	// The head is read first: what is at or before it, the second query sees.
	head, err := s.Head(ctx)
	if err != nil || head.Position <= at {
		return page{}, 0, err
	}
	end := min(at+window, head.Position)
	p, err = s.read(ctx, left, s.sql.filtered, int64(at), int64(end), notNil(q.Categories), notNil(q.Types))
	if p.more || err != nil {
		return p, 0, err
	}
	p.more = end < head.Position
	return p, end, nil
}

// backwards returns nil when it is done or yield has had enough.
func (s *Store) backwards(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	if q.Follow {
		return errors.New("read log: a following read goes forwards only")
	}
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	at := head.Position + 1
	if q.After > 0 {
		at = min(at, q.After)
	}
	for left := q.Limit; at > 1; {
		var p page
		begin := max(at-window, 1)
		if q.Filtered() {
			p, err = s.read(ctx, left, s.sql.filteredBack, int64(at), int64(begin), notNil(q.Categories), notNil(q.Types))
		} else {
			p, err = s.read(ctx, left, s.sql.allBack, int64(at))
		}
		if err != nil {
			return err
		}
		for _, r := range p.events {
			if err := s.ended(ctx); err != nil {
				return err
			}
			if !yield(r) {
				return nil
			}
			if left--; left == 0 {
				return nil
			}
			at = r.Position
		}
		switch {
		case p.more:
		case q.Filtered():
			at = begin
		default:
			at = 1
		}
	}
	return s.ended(ctx)
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// read runs a query for a page: at most left events, unless left is 0 or less.
func (s *Store) read(ctx context.Context, left int, sql string, args ...any) (p page, err error) {
	op, cancel := s.operation(ctx)
	defer cancel()
	limit := pageEvents
	if left > 0 {
		limit = min(limit, left)
	}
	rows, err := s.pool.Query(op, sql, append([]any{limit, pageBytes}, args...)...)
	if err != nil {
		return page{}, s.failed(ctx, "read events", err)
	}
	defer rows.Close()
	size, names := 0, map[string]string{}
	for rows.Next() {
		r, err := decode(rows.RawValues(), names)
		if err != nil {
			return page{}, err
		}
		size += len(r.Data) + len(r.Meta)
		p.events = append(p.events, r)
	}
	if err := rows.Err(); err != nil {
		return page{}, s.failed(ctx, "read events", err)
	}
	p.more = len(p.events) == limit || size >= pageBytes
	return p, nil
}

// epoch is what PostgreSQL counts microseconds from: 2000-01-01 UTC.
const epoch = 946_684_800_000_000

// decode copies a row of columns in binary format. names makes one string of
// equal ones.
func decode(v [][]byte, names map[string]string) (r eventstore.Recorded, err error) {
	if len(v) != 8 || len(v[0]) != 8 || len(v[2]) != 8 || len(v[3]) != 16 || len(v[5]) != 8 {
		return r, errors.New("read events: unexpected format of a row")
	}
	number := func(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }
	name := func(b []byte) string {
		n, ok := names[string(b)]
		if !ok {
			n = string(b)
			names[n] = n
		}
		return n
	}
	r.Position, r.Stream, r.Revision = eventstore.Position(number(v[0])), name(v[1]), eventstore.Revision(number(v[2]))
	r.ID, r.Type, r.Time = uuid.UUID(v[3]), name(v[4]), time.UnixMicro(number(v[5])+epoch).UTC()
	both := append(append(make([]byte, 0, len(v[6])+len(v[7])), v[6]...), v[7]...)
	r.Data, r.Meta = both[:len(v[6]):len(v[6])], both[len(v[6]):]
	return r, nil
}
