package feed

import (
	"slices"

	"github.com/chatledger/chatledger/eventstore"
)

// entry is one event, or one mark, that was read.
type entry struct {
	eventstore.Recorded
	keys       []string
	blocked    int // keys that an earlier entry still holds
	deliveries int
	done       bool
}

// window keeps the order: which entries may be delivered, and up to where
// everything is done. It is used by one goroutine.
type window struct {
	order  []*entry            // in the order of positions; done ones wait for those before them
	queues map[string][]*entry // for each key those that want it; the first one holds it
	ready  []*entry            // hold all their keys and are not with anybody
	open   int                 // entries that are not done
	mark   eventstore.Position // everything at or before it is done
}

func newWindow(from eventstore.Position) *window {
	return &window{queues: map[string][]*entry{}, mark: from}
}

// add takes what was read, in order.
func (w *window) add(r eventstore.Recorded, keys func(eventstore.Recorded) []string) {
	if r.IsMark() {
		switch n := len(w.order); {
		case n == 0:
			w.mark = max(w.mark, r.Position)
		case w.order[n-1].done:
			w.order[n-1].Position = r.Position
		default:
			w.order = append(w.order, &entry{Recorded: r, done: true})
		}
		return
	}
	e := &entry{Recorded: r}
	for _, k := range keys(r) {
		if slices.Contains(e.keys, k) {
			continue
		}
		e.keys = append(e.keys, k)
		if len(w.queues[k]) > 0 {
			e.blocked++
		}
		w.queues[k] = append(w.queues[k], e)
	}
	w.order = append(w.order, e)
	w.open++
	if e.blocked == 0 {
		w.ready = append(w.ready, e)
	}
}

// next takes the first entry that may be delivered, or returns nil.
func (w *window) next() *entry {
	if len(w.ready) == 0 {
		return nil
	}
	e := w.ready[0]
	w.ready[0] = nil
	w.ready = w.ready[1:]
	return e
}

// again makes an entry ready that still holds its keys.
func (w *window) again(e *entry) { w.ready = append(w.ready, e) }

// finish frees the keys of e and moves the mark.
func (w *window) finish(e *entry) {
	for _, k := range e.keys {
		q := w.queues[k][1:]
		if len(q) == 0 {
			delete(w.queues, k)
			continue
		}
		w.queues[k] = q
		if q[0].blocked--; q[0].blocked == 0 {
			w.ready = append(w.ready, q[0])
		}
	}
	*e = entry{Recorded: eventstore.Recorded{Position: e.Position}, done: true}
	w.open--
	for len(w.order) > 0 && w.order[0].done {
		w.mark = w.order[0].Position
		w.order[0] = nil
		w.order = w.order[1:]
	}
}
