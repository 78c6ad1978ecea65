package sqlite

import (
	"sync"

	"github.com/chatledger/chatledger/eventstore"
)

const (
	recentEvents = 4_096   // that are kept, at most
	recentBytes  = 4 << 20 // of their data and metadata
)

// recent holds the newest events of the log, as far as this process appended
// them and nobody else came in between. Followers that have nearly caught up read
// them here: what is behind each other here is so in the log, and it has been
// committed. Who does not find what comes next reads the file.
type recent struct {
	mu     sync.RWMutex
	events []eventstore.Recorded // by position, modulo their number
	first  int64                 // position of the oldest
	next   int64                 // position behind the newest; first if there is none
	bytes  int
}

func (c *recent) at(position int64) *eventstore.Recorded {
	return &c.events[position%int64(len(c.events))]
}

// add takes events that follow each other and have just been committed.
func (c *recent) add(events []eventstore.Recorded) {
	if len(events) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events = make([]eventstore.Recorded, recentEvents)
	}
	if from := int64(events[0].Position); from != c.next {
		clear(c.events)
		c.first, c.next, c.bytes = from, from, 0
	}
	for i := range events {
		e := &events[i]
		c.bytes += len(e.Data) + len(e.Meta)
		c.next++
		for c.next-c.first > int64(len(c.events)) || c.bytes > recentBytes {
			old := c.at(c.first)
			if c.first == int64(e.Position) { // it alone is too large
				old = e
			}
			c.bytes -= len(old.Data) + len(old.Meta)
			*c.at(c.first) = eventstore.Recorded{}
			c.first++
		}
		if c.first < c.next {
			*c.at(int64(e.Position)) = *e
		}
	}
}

// fill reads on from position from to position to. It reports false if the event
// at from is not here.
func (c *recent) fill(p *page, from, to int64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if from < c.first || from >= c.next {
		return false
	}
	p.reset()
	last, size := min(to, c.next-1), 0
	for p.at = from; ; p.at++ {
		if e := c.at(p.at); p.filter.Match(e.Stream, e.Type) {
			p.events = append(p.events, *e)
			size += len(e.Data) + len(e.Meta)
		}
		if p.at == last || len(p.events) >= pageEvents || size >= pageBytes || p.limit > 0 && len(p.events) == p.limit {
			break
		}
	}
	p.done = p.at == to
	own(p.events, size)
	return true
}

// own makes the data and metadata of events, of so many bytes, the caller's.
func own(events []eventstore.Recorded, size int) {
	buf := make([]byte, 0, size)
	copied := func(text []byte) []byte {
		start := len(buf)
		buf = append(buf, text...)
		return buf[start:len(buf):len(buf)]
	}
	for i := range events {
		events[i].Data, events[i].Meta = copied(events[i].Data), copied(events[i].Meta)
	}
}
