package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

var _ eventstore.Importer = (*Store)(nil)

// Import implements eventstore.Importer.
func (s *Store) Import(ctx context.Context, after eventstore.Position, events []eventstore.Recorded) (eventstore.Position, error) {
	r := &request{imports: true, after: after, recorded: events, done: make(chan struct{}, 1)}
	for i := range events {
		e := &events[i]
		if err := eventstore.Validate(e.Stream, e.Revision-1, []eventstore.Event{e.Event}); err != nil {
			return 0, err
		}
		r.size += len(e.Data) + len(e.Meta)
	}
	res, err := s.queued(ctx, r)
	return res.Position, err
}

// takeOver writes the events that r imports, or sets why it cannot. It has the
// transaction to itself. An error is one of the database and ends the transaction.
func (w *writer) takeOver(r *request) error {
	r.res, r.err = eventstore.Result{}, nil
	if int64(r.after) != w.head {
		r.err = fmt.Errorf("the log ends at position %d, not at %d: %w", w.head, r.after, eventstore.ErrConflict)
		return nil
	}
	// All are looked at before the first is written.
	type event struct {
		stream string
		id     uuid.UUID
	}
	ends, ids := map[string]eventstore.Revision{}, map[event]bool{}
	for i := range r.recorded {
		e := &r.recorded[i]
		there, err := w.has(e.Stream, e.ID)
		if err != nil {
			return err
		}
		key := event{e.Stream, e.ID}
		if there || ids[key] {
			r.err = fmt.Errorf("event %s is in %s already: %w", e.ID, e.Stream, eventstore.ErrConflict)
			return nil
		}
		ids[key] = true
		at, ok := ends[e.Stream]
		if !ok {
			st, err := w.stream(e.Stream)
			if err != nil {
				return err
			}
			at = st.revision
		}
		if e.Revision != at+1 {
			r.err = &eventstore.ConflictError{Stream: e.Stream, Want: e.Revision - 1, Got: at}
			return nil
		}
		ends[e.Stream] = e.Revision
	}
	for i := range r.recorded {
		if err := w.takeOverOne(&r.recorded[i]); err != nil {
			return err
		}
	}
	r.res.Position = eventstore.Position(w.head)
	return nil
}

// has reports whether an event is in a stream.
func (w *writer) has(name string, id uuid.UUID) (bool, error) {
	st, err := w.stream(name)
	if err != nil || !st.has(fingerprint(id)) {
		return false, err
	}
	x, ok, err := w.reader.index(&w.tail, name, bounds{math.MaxInt64, math.MaxInt64})
	if err != nil || !ok {
		return false, fmt.Errorf("look up stream: %w", err)
	}
	last, err := x.end()
	if err != nil {
		return false, err
	}
	_, _, found, err := x.find(id, last)
	return found, err
}

// longestBlock is how far apart the times of the events of a block may be: more would
// take more room in it than is reckoned with.
const longestBlock = 1_000_000 // microseconds

func (w *writer) takeOverOne(e *eventstore.Recorded) error {
	st, err := w.stream(e.Stream)
	if err != nil {
		return err
	}
	at, size := e.Time.UnixMicro(), sizeInBlock(e.Stream, &e.Event)
	if later := at - w.at; later < 0 || later > longestBlock { // a block's time is that of its first event
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	if err := w.makeRoom(size); err != nil {
		return err
	}
	if w.blocks.n == 0 {
		w.at = at
	}
	w.head++
	st.revision++
	hash := fingerprint(e.ID)
	st.add(hash)
	w.blocks.add(e.Stream, st.revision, &e.Event, at-w.at)
	w.fresh = append(w.fresh, known{e.Stream, st.revision, entry{w.head, hash}})
	w.events = append(w.events, eventstore.Recorded{
		Event: e.Event, Stream: e.Stream, Revision: st.revision, Position: eventstore.Position(w.head), Time: time.UnixMicro(at).UTC(),
	})
	w.streams.known++
	return nil
}
