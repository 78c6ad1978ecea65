// Package projections turns the log into the tables that readapi answers from.
//
// A projection is a pure fold from events to rows: it says which rows an event
// changes and how, and never touches a database. The runner loads the rows that
// a batch needs, folds, and writes rows and checkpoint in one transaction.
package projections

import (
	"strings"

	"github.com/chatledger/chatledger/eventstore"
)

// Event is a recorded fact, decoded; switch on the type of Fact.
type Event struct {
	eventstore.Recorded
	Meta eventstore.Metadata // decoded; hides the bytes of Recorded
	Fact any
}

// Subject returns the id in the stream's name: "0190…" for "chat-0190…".
func (e Event) Subject() string {
	_, id, _ := strings.Cut(e.Stream, "-")
	return id
}

// At returns when it happened, in microseconds since 1970 UTC: outside, if that
// is known, else when the log accepted it.
func (e Event) At() int64 {
	if !e.Meta.OccurredAt.IsZero() {
		return e.Meta.OccurredAt.UnixMicro()
	}
	return e.Time.UnixMicro()
}

// Projection folds events into the rows of its tables. One instance is used by
// one runner at a time.
type Projection interface {
	// Name identifies the projection and its version, such as "inbox.v3". A new
	// version is built beside the old one, from event zero.
	Name() string

	// Categories lists the categories of streams it reads. None means all.
	Categories() []string

	// Tables lists the tables that the projection owns, and nobody else writes,
	// in the order they are folded: a table comes before those that its OnChange
	// hook changes.
	Tables() []Table

	// Apply records what e changes. It is deterministic and does no I/O. If it
	// panics, the changes that e had recorded are dropped and e is poison.
	Apply(e Event)
}

// Prompt is a Projection that is to be up to date even while others of its database
// are behind: it folds few events, and somebody watches what they say.
type Prompt interface {
	Projection

	// Prompt marks it.
	Prompt()
}
