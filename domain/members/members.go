// Package members decides about who is in one static group. Each choice of the
// members is asked for, then made from what the views showed at one position of the
// log, and recorded as what it changes: so the log has who was in the group when,
// and why.
//
// It is pure: no I/O, no clock, no randomness.
package members

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits of a group.
const (
	MaxMembers = 200_000 // as of the items of a bulk operation
	MaxNamed   = 10_000  // that are named one by one
	ChunkSize  = 500     // added and removed, in one event
)

// Event is a fact about the members of a group, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// State is what past events allow a decision to depend on, and no more. Who is in
// the group is not in it: whoever chooses reads the stream.
type State struct {
	Workspace string // "" before anything was asked for
	Request   Requested
	Choice    int  // the last that was asked for, from 1
	Pending   bool // it is not made yet
	Members   int
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Refusals.
var (
	ErrPending = fault.New(fault.Conflict, "group.choosing", "the members are just being chosen; wait for that")

	ErrNone     = fault.Bad("ids", "group.no_ids", "name at least one contact")
	ErrTooMany  = fault.Bad("ids", "group.too_many_ids", "at most 10,000 ids; choose more with a filter")
	ErrID       = fault.Bad("ids", "group.bad_id", "an id is 1 to 200 bytes of text")
	ErrMembers  = fault.Bad("filter", "group.too_many_members", "more than 200,000 contacts pass")
	ErrBy       = fault.Bad("by", "group.by_missing", "who asks is required")
	errNoChoice = fault.Bad("filter", "group.choice", "name either a filter or ids")
)

// Request asks for the members to be chosen.
type Request struct {
	Workspace string
	Filter    []byte   // JSON; nil if IDs name them
	IDs       []string // contacts
	Me        string   // who "me" in the filter is
	By        string
	At        time.Time
}

// Decide implements the command.
func (c Request) Decide(s State) ([]Event, error) {
	switch {
	case s.Pending:
		return nil, ErrPending
	case c.By == "":
		return nil, ErrBy
	case c.Filter != nil && len(c.IDs) > 0:
		return nil, errNoChoice
	case c.Filter == nil && len(c.IDs) == 0:
		return nil, ErrNone
	case len(c.IDs) > MaxNamed:
		return nil, ErrTooMany
	case slices.ContainsFunc(c.IDs, func(id string) bool { return id == "" || len(id) > 200 || !text.Clean(id) }):
		return nil, ErrID
	}
	if _, err := filter.Parse(filter.Contacts, c.Filter); err != nil {
		return nil, err
	}
	ids := slices.Clone(c.IDs)
	slices.Sort(ids)
	e := Requested{Workspace: c.Workspace, Choice: s.Choice + 1, Filter: json.RawMessage(c.Filter), IDs: slices.Compact(ids), Me: c.Me, By: c.By, At: c.At}
	return []Event{e}, nil
}

// Empty asks for there to be no members: the group was deleted. It goes before
// whatever was asked for.
type Empty struct {
	By string
	At time.Time
}

// Decide implements the command.
func (c Empty) Decide(s State) ([]Event, error) {
	if s.Workspace == "" || !s.Pending && s.Members == 0 || s.Pending && s.Request.Emptied {
		return nil, nil
	}
	return []Event{Requested{Workspace: s.Workspace, Choice: s.Choice + 1, Emptied: true, By: c.By, At: c.At}}, nil
}

// Choose makes the choice that was asked for.
type Choose struct {
	Choice   int
	Have     []string // the members before, sorted
	IDs      []string // those after, sorted
	Missing  int      // so many of those that were named are no contacts
	Position int64    // of the log, that the choice reflects
	Code     string   // why it cannot be made; "" if it can
	Reason   string
	At       time.Time
}

// Decide implements the command. A choice that is not asked for any more is no
// event.
func (c Choose) Decide(s State) ([]Event, error) {
	switch {
	case !s.Pending || s.Choice != c.Choice:
		return nil, nil
	case len(c.IDs) > MaxMembers:
		c.Code, c.Reason = ErrMembers.Code, ErrMembers.Msg
	}
	if c.Code != "" {
		return []Event{Refused{Choice: c.Choice, Code: c.Code, Reason: c.Reason, At: c.At}}, nil
	}
	added, removed := Difference(c.Have, c.IDs)
	var events []Event
	for a, r := added, removed; len(a)+len(r) > 0; {
		n := min(ChunkSize, len(a))
		m := min(ChunkSize-n, len(r))
		events = append(events, Changed{Choice: c.Choice, Chunk: len(events), Added: a[:n:n], Removed: r[:m:m]})
		a, r = a[n:], r[m:]
	}
	return append(events, Chosen{
		Choice: c.Choice, Members: len(c.IDs), Added: len(added), Removed: len(removed), Missing: c.Missing, Position: c.Position, At: c.At,
	}), nil
}

// Difference returns what is in the second of two sorted lists alone, and in the
// first alone.
func Difference(before, after []string) (added, removed []string) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(before) == 0 || len(after) > 0 && after[0] < before[0]:
			added, after = append(added, after[0]), after[1:]
		case len(after) == 0 || before[0] < after[0]:
			removed, before = append(removed, before[0]), before[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
	return added, removed
}
