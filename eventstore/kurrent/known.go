package kurrent

import (
	"container/list"
	"context"
	"maps"
	"sync"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// known remembers which events are in the streams that were written to of late, so
// that a repeat is found without reading them again.
type known struct {
	mu      sync.Mutex
	most    int // ids of all streams
	ids     int
	streams map[string]*list.Element
	recent  *list.List // of *stream; the one used last in front
}

// stream is what is known of one stream. Whoever has locked it may touch it.
type stream struct {
	name   string
	turn   chan struct{} // holds a token while nobody has locked it
	users  int           // who hold it or wait for it; guarded by known.mu
	before int           // len(ids) when it was last counted; guarded by known.mu

	read bool                // whether it was read up to last
	last eventstore.Revision // NoStream if it is not there
	ids  map[uuid.UUID]eventstore.Revision
}

func newKnown(most int) *known {
	return &known{most: most, streams: map[string]*list.Element{}, recent: list.New()}
}

// lock gives a stream to the caller alone: appends to it from this process go one
// after the other.
func (k *known) lock(ctx context.Context, name string) (*stream, func(), error) {
	k.mu.Lock()
	at, ok := k.streams[name]
	if !ok {
		st := &stream{name: name, turn: make(chan struct{}, 1), last: eventstore.NoStream, ids: map[uuid.UUID]eventstore.Revision{}}
		st.turn <- struct{}{}
		at = k.recent.PushFront(st)
		k.streams[name] = at
	}
	k.recent.MoveToFront(at)
	st := at.Value.(*stream) //nolint:forcetypeassert // nothing else is in the list
	st.users++
	k.mu.Unlock()
	select {
	case <-st.turn:
		return st, func() { st.turn <- struct{}{}; k.leave(st) }, nil
	case <-ctx.Done():
		k.leave(st)
		return nil, nil, ctx.Err()
	}
}

// leave counts what is kept, and lets go of what was not used for longest.
func (k *known) leave(st *stream) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if st.users--; st.users > 0 {
		return
	}
	now := len(st.ids) + 1 // a stream without events costs something too
	k.ids += now - st.before
	st.before = now
	for at := k.recent.Back(); at != nil && k.ids > k.most; {
		old := at.Value.(*stream) //nolint:forcetypeassert // nothing else is in the list
		older := at.Prev()
		if old.users == 0 {
			k.recent.Remove(at)
			delete(k.streams, old.name)
			k.ids -= old.before
		}
		at = older
	}
}

// find returns how many of the events are in the stream, and the last of them.
func (st *stream) find(events []eventstore.Event) (there int, last eventstore.Revision) {
	last = eventstore.NoStream
	for i := range events {
		if at, ok := st.ids[events[i].ID]; ok {
			there, last = there+1, max(last, at)
		}
	}
	return there, last
}

// note remembers an event that was read.
func (st *stream) note(id uuid.UUID, at eventstore.Revision) {
	st.ids[id] = at
	st.last = max(st.last, at)
	if len(st.ids) > 2*LookBack {
		maps.DeleteFunc(st.ids, func(_ uuid.UUID, at eventstore.Revision) bool { return at <= st.last-LookBack })
	}
}

// add remembers events that were appended, the last of them at a revision.
func (st *stream) add(last eventstore.Revision, events []eventstore.Event) {
	for i := range events {
		st.note(events[i].ID, last-eventstore.Revision(len(events)-1-i))
	}
	st.read = true
}

// forget drops everything, when it is no longer known to be so.
func (st *stream) forget() {
	st.read, st.last = false, eventstore.NoStream
	clear(st.ids)
}
