package team

import (
	"maps"
	"slices"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/names"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits of a workspace's teams, archived ones included.
const (
	MaxTeams   = 500
	MaxMembers = 1_000 // of one team
)

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
type State struct {
	teams map[ID]*entry
	names names.Index[ID]
}

type entry struct {
	id       ID
	name     string
	archived bool
	members  map[string]struct{}
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Exists reports whether there is such a team and it is in use.
func (s State) Exists(id ID) bool {
	_, err := s.live(id)
	return err == nil
}

// Check refuses a team that does not exist or is not in use.
func (s State) Check(id ID) error {
	_, err := s.live(id)
	return err
}

// Find returns the team in use with the name or the id. Case does not count.
func (s State) Find(nameOrID string) (ID, bool) {
	id, ok := s.names.Find(nameOrID)
	if !ok || !s.Exists(id) {
		return "", false
	}
	return id, true
}

// Known reports whether a team has the name or the id, be it archived. Case does
// not count.
func (s State) Known(nameOrID string) bool {
	_, ok := s.names.Find(nameOrID)
	return ok
}

// Members returns the agents of a team, sorted; of an archived team as well.
func (s State) Members(id ID) []string {
	t := s.teams[id]
	if t == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(t.members))
}

// live returns a team that is in use.
func (s State) live(id ID) (*entry, error) {
	t := s.teams[id]
	switch {
	case t == nil:
		return nil, ErrNotFound
	case t.archived:
		return nil, ErrArchived
	}
	return t, nil
}

// Refusals.
var (
	ErrNotFound  = fault.New(fault.NotFound, "team.not_found", "no such team")
	ErrArchived  = fault.New(fault.Conflict, "team.archived", "the team is archived")
	ErrExists    = fault.New(fault.Conflict, "team.exists", "the team exists with another name, or is archived")
	ErrNameTaken = fault.New(fault.Conflict, "team.name_taken", "another team has that name or id")
	ErrTooMany   = fault.New(fault.Conflict, "team.too_many", "a workspace can have 500 teams at most")
	ErrFull      = fault.New(fault.Conflict, "team.full", "a team can have 1,000 members at most")

	ErrUnnamable    = fault.Bad("name", "team.name_unusable", "the name needs a letter or a digit")
	ErrNameMissing  = fault.Bad("name", "team.name_missing", "a name is required")
	ErrNameTooLong  = fault.Bad("name", "team.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid  = fault.Bad("name", "team.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrAgentMissing = fault.Bad("agent", "team.agent_missing", "an agent is required")
)

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
