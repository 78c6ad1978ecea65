package projections

import (
	"sync/atomic"

	"github.com/chatledger/chatledger/eventstore"
)

// recent holds the events that were decoded last, so that projections which are
// at about the same place decode each only once. Nobody changes what is in it.
// It is safe for concurrent use; a nil one is always empty.
type recent struct {
	items [recentItems]atomic.Pointer[item]
}

const recentItems = 16_384

func (c *recent) place(p eventstore.Position) *atomic.Pointer[item] {
	return &c.items[uint64(p)%recentItems]
}

// get returns what was decoded of r, or nil.
func (c *recent) get(r eventstore.Recorded) *item {
	if c == nil {
		return nil
	}
	it := c.place(r.Position).Load()
	if it == nil || it.Position != r.Position || it.ID != r.ID {
		return nil
	}
	return it
}

func (c *recent) put(it *item) {
	if c != nil {
		c.place(it.Position).Store(it)
	}
}
