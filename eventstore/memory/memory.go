// Package memory is an event store that lives and dies with the process. It is
// for tests and for trying things out; it never touches a disk or the network.
package memory

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// Store implements eventstore.Store.
type Store struct {
	id   uuid.UUID
	now  func() time.Time
	done chan struct{} // closed by Close

	mu      sync.Mutex
	log     []eventstore.Recorded // append-only: a slice taken under mu may be read without it
	streams map[string]*stream
	grown   chan struct{} // closed and replaced by every Append
	closed  bool
}

type stream struct {
	log []eventstore.Recorded // append-only, as above
	ids map[uuid.UUID]eventstore.Revision
}

var _ eventstore.Store = (*Store)(nil)

// New returns an empty store that dates its events with now.
func New(now func() time.Time) *Store {
	return &Store{
		id:      uuid.New(),
		now:     now,
		done:    make(chan struct{}),
		streams: map[string]*stream{},
		grown:   make(chan struct{}),
	}
}

// Close ends what is going on and refuses what comes later with ErrClosed. It
// may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	return nil
}

// Append implements eventstore.Store.
func (s *Store) Append(ctx context.Context, name string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	if err := eventstore.Validate(name, want, events); err != nil {
		return eventstore.Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return eventstore.Result{}, eventstore.ErrClosed
	}
	st := s.streams[name]
	if st == nil {
		st = &stream{ids: map[uuid.UUID]eventstore.Revision{}}
	}
	rev := eventstore.Revision(len(st.log) - 1)
	known, last := 0, eventstore.NoStream
	for _, e := range events {
		if at, ok := st.ids[e.ID]; ok {
			known, last = known+1, max(last, at)
		}
	}
	switch {
	case known == len(events):
		return eventstore.Result{Revision: last, Position: st.log[last].Position, Existing: true}, nil
	case known > 0, want != eventstore.Any && want != rev:
		return eventstore.Result{}, &eventstore.ConflictError{Stream: name, Want: want, Got: rev}
	}
	at := s.now().UTC().Truncate(time.Microsecond)
	for _, e := range events {
		rev++
		r := eventstore.Recorded{Event: e, Stream: name, Revision: rev, Position: eventstore.Position(len(s.log) + 1), Time: at}
		s.log, st.log, st.ids[e.ID] = append(s.log, r), append(st.log, r), rev
	}
	s.streams[name] = st
	close(s.grown)
	s.grown = make(chan struct{})
	return eventstore.Result{Revision: rev, Position: eventstore.Position(len(s.log))}, nil
}

// ReadStream implements eventstore.Store.
func (s *Store) ReadStream(ctx context.Context, name string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		s.mu.Lock()
		var log []eventstore.Recorded
		from := max(q.From, 0)
		if st := s.streams[name]; st != nil {
			log = st.log
			if q.Backwards {
				from = eventstore.Revision(len(log) - 1)
			}
			if q.Event != uuid.Nil {
				at, ok := st.ids[q.Event]
				if !ok {
					log = nil
				}
				from = at
			}
		}
		s.mu.Unlock()
		if q.Backwards {
			log = backwards(log[:min(int(from)+1, len(log))])
		} else {
			log = log[min(int(from), len(log)):]
		}
		if q.Limit > 0 {
			log = log[:min(q.Limit, len(log))]
		}
		for _, r := range log {
			if err := s.err(ctx); err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if !yield(own(r), nil) {
				return
			}
		}
		if err := s.err(ctx); err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// ReadAll implements eventstore.Store.
func (s *Store) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	q = q.Dense()
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := s.readAll(ctx, q, func(r eventstore.Recorded) bool { return yield(r, nil) }); err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// readAll returns nil when it is done or yield has had enough.
func (s *Store) readAll(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	if q.Backwards && q.Follow {
		return errors.New("eventstore: a following read goes forwards only")
	}
	mark := func(p eventstore.Position) bool { return yield(eventstore.Recorded{Position: p}) }
	at, marked := max(q.After, 0), eventstore.Position(-1)
	for seen := 0; ; {
		s.mu.Lock()
		log, grown := s.log, s.grown
		s.mu.Unlock()
		if q.Backwards {
			if at > 0 {
				log = log[:min(int(at)-1, len(log))]
			}
			log = backwards(log)
		} else {
			log = log[min(int(at), len(log)):]
		}
		for _, r := range log {
			if err := s.err(ctx); err != nil {
				return err
			}
			at = r.Position
			if !q.Match(r.Stream, r.Type) {
				continue
			}
			if !yield(own(r)) {
				return nil
			}
			if seen++; seen == q.Limit {
				if q.Filtered() && !q.Backwards {
					mark(at)
				}
				return nil
			}
		}
		if err := s.err(ctx); err != nil {
			return err
		}
		if !q.Follow {
			if q.Filtered() && !q.Backwards {
				mark(at)
			}
			return nil
		}
		if marked < at {
			if !mark(at) {
				return nil
			}
			marked = at
		}
		select {
		case <-grown:
		case <-s.done:
		case <-ctx.Done():
		}
	}
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Head, error) {
	if err := s.err(ctx); err != nil {
		return eventstore.Head{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return eventstore.Head{Store: s.id, Position: eventstore.Position(len(s.log))}, nil
}

func (s *Store) err(ctx context.Context) error {
	select {
	case <-s.done:
		return eventstore.ErrClosed
	default:
		return ctx.Err()
	}
}

func backwards(log []eventstore.Recorded) []eventstore.Recorded {
	log = slices.Clone(log)
	slices.Reverse(log)
	return log
}

// own returns r with bytes that the caller may keep and change.
func own(r eventstore.Recorded) eventstore.Recorded {
	r.Data, r.Meta = bytes.Clone(r.Data), bytes.Clone(r.Meta)
	return r
}
