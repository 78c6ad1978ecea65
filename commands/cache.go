package commands

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// baseWeight is what an entry weighs before its first event.
const baseWeight = 8

// cache keeps the folded states of the streams used last, by stream. Its size is
// counted in events folded, which is what a state's memory grows with at most,
// and baseWeight for each.
// Dropping an entry that somebody holds is harmless: the expected revision
// guards every append.
type cache struct {
	ticks atomic.Int64 // tell what was before what

	mu      sync.Mutex
	limit   int
	weight  int
	entries map[string]*list.Element // of *cached
	recent  *list.List               // most recently used first
}

type cached struct {
	stream string
	value  any
	weight int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, entries: map[string]*list.Element{}, recent: list.New()}
}

// get returns the entry of a stream, made by fresh if there is none.
func (c *cache) get(stream string, fresh func() any) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[stream]; ok {
		c.recent.MoveToFront(el)
		return el.Value.(*cached).value
	}
	e := &cached{stream: stream, value: fresh(), weight: baseWeight}
	c.entries[stream] = c.recent.PushFront(e)
	c.weight += baseWeight
	c.shrink()
	return e.value
}

// weigh says how many events the entry of a stream holds now.
func (c *cache) weigh(stream string, value any, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.entries[stream]
	if !ok || el.Value.(*cached).value != value {
		return
	}
	e := el.Value.(*cached)
	c.weight += baseWeight + weight - e.weight
	e.weight = baseWeight + weight
	c.shrink()
}

func (c *cache) shrink() {
	for c.weight > c.limit && c.recent.Len() > 1 {
		e := c.recent.Remove(c.recent.Back()).(*cached)
		delete(c.entries, e.stream)
		c.weight -= e.weight
	}
}
