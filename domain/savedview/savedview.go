// Package savedview decides about saved views: filters on chats, contacts or
// orders that are kept under a name, with how to show what they find. Those that
// are shared are all in one stream, and those of each agent in one, so that a name
// is unique among them and their order is one list.
//
// It is pure: no I/O, no clock, no randomness.
package savedview

import "strings"

// ID names a saved view in its workspace: its place, a dot, and a word that no
// other of the place has had.
type ID string

// Scope says who sees a saved view.
type Scope string

// Scopes.
const (
	Personal Scope = "personal" // one agent
	Shared   Scope = "shared"   // everybody
)

// Place is a scope, and in it whose: an agent's id, "" for those that are shared.
type Place struct {
	Scope Scope
	Of    string
}

// String returns "shared" or "personal.<agent>".
func (p Place) String() string {
	if p.Of == "" {
		return string(p.Scope)
	}
	return string(p.Scope) + "." + p.Of
}

// check refuses what is no place. Ids of agents have no dots.
func (p Place) check() error {
	switch {
	case p.Scope != Personal && p.Scope != Shared:
		return ErrScope
	case p.Scope == Personal && p.Of == "":
		return ErrOwnerMissing
	case p.Scope == Shared && p.Of != "", strings.Contains(p.Of, "."):
		return ErrScope
	}
	return nil
}

// ID returns the id of the saved view with a word in a place.
func (p Place) ID(word string) ID { return ID(p.String() + "." + word) }

// Place returns where the saved view is; ok is false for what is no id.
func (id ID) Place() (p Place, ok bool) {
	scope, rest, _ := strings.Cut(string(id), ".")
	p.Scope = Scope(scope)
	word := rest
	if p.Scope == Personal {
		p.Of, word, _ = strings.Cut(rest, ".")
	}
	return p, p.check() == nil && word != "" && !strings.Contains(word, ".")
}

// Event is a fact about the saved views of a place, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
