package reactors

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/publishing"
)

// PublishName names the reactor.
const PublishName = "publish.v1"

// Publish hands the events of the log to a broker, as CloudEvents, for other programs.
//
// Nothing is skipped and nothing is parked: while the broker does not take an event, it
// is tried again and later ones wait. What the broker took may be handed over again
// after a crash; how it is kept once is up to To.
type Publish struct {
	Store eventstore.Store
	To    message.Publisher
	// InOrder has the events handed over one after the other, in the order of the log.
	// Else those of a stream are, and streams go in parallel.
	InOrder bool
	Retry   Retry // default: 200 ms to 10 s apart; there is no last try
}

// unpublished are the categories of which nothing is published: webhooks hold what a
// provider has sent, as it was, and answered requests are our own bookkeeping.
func unpublished(category string) bool { return category == "webhook" || category == "request" }

// PublishedTypes lists the types of the events that are published. An event's type
// begins with the category of its stream.
func PublishedTypes() (types []string) {
	for _, t := range commands.Codec().Types() {
		if category, _, _ := strings.Cut(t, "."); !unpublished(category) {
			types = append(types, t)
		}
	}
	return types
}

// Reactor returns it, ready for a Host.
func (p Publish) Reactor() Reactor {
	if p.Retry.Max == 0 {
		p.Retry.Max = 10 * time.Second
	}
	p.Retry.Tries = math.MaxInt
	var source atomic.Pointer[string] // once it is known
	r := Reactor{
		Name: PublishName, Types: PublishedTypes(), Retry: p.Retry,
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			if source.Load() == nil {
				head, err := p.Store.Head(ctx)
				if err != nil {
					return fmt.Errorf("ask for the id of the log: %w", err)
				}
				s := publishing.Source(head.Store)
				source.Store(&s)
			}
			ce := publishing.New(*source.Load(), e)
			m, err := ce.Message(ctx)
			if err != nil {
				return Permanent(err)
			}
			return p.To.Publish(ce.Topic(), m)
		},
	}
	if p.InOrder {
		r.Keys = func(eventstore.Recorded) []string { return []string{"log"} }
	}
	return r
}
