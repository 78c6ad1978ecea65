// Package group decides about the groups of one workspace, all in one stream, so
// that a name is unique. A group is contacts that were chosen: a static one has the
// members that it got when they were last chosen, a dynamic one whoever passes its
// filter when somebody looks.
//
// Who is in a static group is for package members. It is pure: no I/O, no clock, no
// randomness.
package group

import (
	"encoding/json"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/names"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// ID names a group.
type ID string

// Kind says when the members of a group are chosen.
type Kind string

// The kinds.
const (
	Static  Kind = "static"  // when it is made or refreshed
	Dynamic Kind = "dynamic" // when somebody looks
)

// Limits of the groups of a workspace.
const (
	MaxGroups  = 1_000
	MaxDynamic = 50 // each is asked for each contact that is shown
)

// Event is a fact about the groups of a workspace, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// Group is one of them.
type Group struct {
	ID      ID
	Name    string
	Kind    Kind
	Filter  json.RawMessage // nil if its members are named
	By      string          // who set the filter, or named the members at first: "me" in the filter
	Changes int             // of what is above, since it was made
	Deleted bool
}

// Revision returns the revision of a group: how often it was changed since it was made,
// with so many choices of its members. The first of them is a part of making it; that a
// choice is made, as was asked for, is no other change.
func Revision(changes, choices int) int { return changes + max(choices-1, 0) }

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
type State struct {
	groups map[ID]Group
	names  names.Index[ID]
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// About returns the group that an event is about.
func About(e Event) ID {
	switch e := e.(type) {
	case Created:
		return e.Group
	case Renamed:
		return e.Group
	case FilterSet:
		return e.Group
	case Deleted:
		return e.Group
	}
	return ""
}

// Get returns a group, also one that was deleted.
func (s State) Get(id ID) (Group, bool) {
	g, ok := s.groups[id]
	return g, ok
}

// Live returns a group that was not deleted.
func (s State) Live(id ID) (Group, error) {
	g, ok := s.groups[id]
	if !ok || g.Deleted {
		return g, ErrNotFound
	}
	return g, nil
}

// Refusals.
var (
	ErrNotFound  = fault.New(fault.NotFound, "group.not_found", "no such group")
	ErrNameTaken = fault.New(fault.Conflict, "group.name_taken", "another group has that name")
	ErrTooMany   = fault.New(fault.Conflict, "group.too_many", "a workspace can have 1,000 groups at most, 50 of them dynamic")
	ErrDynamic   = fault.New(fault.Conflict, "group.dynamic", "the group is dynamic: its members are whoever passes its filter now")
	ErrNamed     = fault.New(fault.Conflict, "group.named", "the group has no filter: its members are named")
	ErrFiltered  = fault.New(fault.Conflict, "group.filtered", "the group has a filter, which chooses its members")

	ErrNameMissing = fault.Bad("name", "group.name_missing", "a name is required")
	ErrNameTooLong = fault.Bad("name", "group.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid = fault.Bad("name", "group.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrKind        = fault.Bad("kind", "group.unknown_kind", "the kind is static or dynamic")
	ErrChoice      = fault.Bad("filter", "group.choice", "name either a filter or, for a static group, ids; {} as filter means every contact")
	ErrNested      = fault.Bad("filter", "group.nested", "the filter of a dynamic group cannot ask for groups")
	ErrBy          = fault.Bad("by", "group.by_missing", "who asks is required")
)

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}

// checkFilter refuses what is no filter of contacts. One of a dynamic group must
// not ask for groups: so there is no circle, and an end to what is looked at.
func checkFilter(kind Kind, raw []byte) error {
	f, err := filter.Parse(filter.Contacts, raw)
	if err == nil && kind == Dynamic && f.Asks("group") {
		return ErrNested
	}
	return err
}
