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
	rule     Rule
	hours    Hours
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

// Lookup returns the team with the name or the id, also an archived one by its id. Case
// does not count.
func (s State) Lookup(nameOrID string) (ID, bool) { return s.names.Find(nameOrID) }

// Members returns the agents of a team, sorted; of an archived team as well.
func (s State) Members(id ID) []string {
	t := s.teams[id]
	if t == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(t.members))
}

// Rule returns how a team in use gives chats to its members; Manual for any other.
func (s State) Rule(id ID) Rule {
	t, err := s.live(id)
	if err != nil {
		return Manual
	}
	return t.rule
}

// Hours returns when a team works, which the caller must not change.
func (s State) Hours(id ID) Hours {
	if t := s.teams[id]; t != nil {
		return t.hours
	}
	return Hours{}
}

// Automatic returns the teams in use that give chats to members by themselves,
// sorted.
func (s State) Automatic() (ids []ID) {
	for id := range s.teams {
		if s.Rule(id) != Manual {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
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
	ErrArchived  = fault.New(fault.Conflict, "team.archived", "the team is archived; restore it")
	ErrExists    = fault.New(fault.Conflict, "team.exists", "the team exists with another name")
	ErrNameTaken = fault.New(fault.Conflict, "team.name_taken", "another team has that name or id")
	ErrTooMany   = fault.New(fault.Conflict, "team.too_many", "a workspace can have 500 teams at most")
	ErrFull      = fault.New(fault.Conflict, "team.full", "a team can have 1,000 members at most")

	ErrUnnamable    = fault.Bad("name", "team.name_unusable", "the name needs a letter or a digit")
	ErrNameMissing  = fault.Bad("name", "team.name_missing", "a name is required")
	ErrNameTooLong  = fault.Bad("name", "team.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid  = fault.Bad("name", "team.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrRule         = fault.Bad("rule", "team.unknown_rule", "the rule is manual, round_robin or least_busy")
	ErrZone         = fault.Bad("zone", "team.bad_zone", "the time zone is an IANA name of at most 64 characters, such as Europe/Berlin; hours need one")
	ErrSpan         = fault.Bad("weekly", "team.bad_hours", "hours are a day from 1 (Monday) to 7, and from and to as 09:00 and 17:30, at most 24:00, the first before the second; 10 a day at most")
	ErrException    = fault.Bad("exceptions", "team.bad_exception", "an exception is a date such as 2026-12-24, each once, with hours of that day; 400 at most")
	ErrAgentMissing = fault.Bad("agent", "team.agent_missing", "an agent is required")
)

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
