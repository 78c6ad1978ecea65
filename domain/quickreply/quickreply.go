// Package quickreply decides about saved answers. Those of one scope, of a
// person, a team or the workspace, are all in one stream, so that a shortcut is
// unique in it.
//
// It is pure: no I/O, no clock, no randomness.
package quickreply

import "strings"

// ID names a quick reply in its workspace: its place, a dot, and a slug of its
// first shortcut.
type ID string

// Scope says whose a quick reply is.
type Scope string

// Scopes.
const (
	Personal  Scope = "personal"  // of one agent
	Team      Scope = "team"      // of the members of a team
	Workspace Scope = "workspace" // of everybody
)

// Place is a scope, and in it whose: an agent's or a team's id, "" for the
// workspace. A shortcut is unique in a place.
type Place struct {
	Scope Scope
	Of    string
}

// String returns "workspace", "team.billing" or "personal.<agent>".
func (p Place) String() string {
	if p.Of == "" {
		return string(p.Scope)
	}
	return string(p.Scope) + "." + p.Of
}

// check refuses what is no place. Ids of agents and teams have no dots.
func (p Place) check() error {
	switch {
	case p.Scope != Personal && p.Scope != Team && p.Scope != Workspace:
		return ErrScope
	case p.Scope == Team && p.Of == "":
		return ErrTeamMissing
	case p.Scope == Personal && p.Of == "":
		return ErrOwnerMissing
	case p.Scope == Workspace && p.Of != "", strings.Contains(p.Of, "."):
		return ErrScope
	}
	return nil
}

// ID returns the id of the quick reply with a slug in a place.
func (p Place) ID(slug string) ID { return ID(p.String() + "." + slug) }

// Place returns where the quick reply is; ok is false for what is no id.
func (id ID) Place() (p Place, ok bool) {
	scope, rest, _ := strings.Cut(string(id), ".")
	p.Scope = Scope(scope)
	slug := rest
	if p.Scope != Workspace {
		p.Of, slug, _ = strings.Cut(rest, ".")
	}
	return p, p.check() == nil && slug != "" && !strings.Contains(slug, ".")
}

// Event is a fact about the quick replies of a place, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
