package team

// Events is the catalogue of everything that can happen to a workspace's teams.
var Events = []Event{Created{}, Renamed{}, MemberAdded{}, MemberRemoved{}, Archived{}, Restored{}, RuleSet{}, HoursSet{}}

// Created adds a team.
type Created struct {
	Team ID     `json:"team"`
	Name string `json:"name"`
}

// Renamed gives a team another name; its id stays.
type Renamed struct {
	Team ID     `json:"team"`
	Name string `json:"name"`
	From string `json:"from"`
}

// MemberAdded puts an agent into a team.
type MemberAdded struct {
	Team  ID     `json:"team"`
	Agent string `json:"agent"`
}

// MemberRemoved takes an agent out of a team.
type MemberRemoved struct {
	Team  ID     `json:"team"`
	Agent string `json:"agent"`
}

// Archived takes a team out of use: nothing can be transferred to it.
type Archived struct {
	Team ID `json:"team"`
}

// Restored takes an archived team back into use, with the members, the rule and the
// hours that it had.
type Restored struct {
	Team ID `json:"team"`
}

// RuleSet says how chats that are handed to the team are given to its members.
type RuleSet struct {
	Team ID   `json:"team"`
	Rule Rule `json:"rule"`
	From Rule `json:"from"`
}

// HoursSet says when the team works.
type HoursSet struct {
	Team  ID    `json:"team"`
	Hours Hours `json:"hours"`
}

func (Created) EventType() string       { return "team.created.v1" }
func (Renamed) EventType() string       { return "team.renamed.v1" }
func (MemberAdded) EventType() string   { return "team.member_added.v1" }
func (MemberRemoved) EventType() string { return "team.member_removed.v1" }
func (Archived) EventType() string      { return "team.archived.v1" }
func (Restored) EventType() string      { return "team.restored.v1" }

func (RuleSet) EventType() string  { return "team.rule_set.v1" }
func (HoursSet) EventType() string { return "team.hours_set.v1" }

func (e Created) apply(s *State) {
	if s.teams == nil {
		s.teams = map[ID]*entry{}
	}
	s.teams[e.Team] = &entry{id: e.Team, name: e.Name, members: map[string]struct{}{}, rule: Manual}
	s.names.Add(e.Team, e.Name)
}

func (e Renamed) apply(s *State) {
	if t := s.teams[e.Team]; t != nil {
		s.names.Release(t.id, t.name)
		t.name = e.Name
		s.names.Add(t.id, t.name)
	}
}

func (e MemberAdded) apply(s *State) {
	if t := s.teams[e.Team]; t != nil {
		t.members[e.Agent] = struct{}{}
	}
}

func (e MemberRemoved) apply(s *State) {
	if t := s.teams[e.Team]; t != nil {
		delete(t.members, e.Agent)
	}
}

func (e Archived) apply(s *State) {
	if t := s.teams[e.Team]; t != nil {
		t.archived = true
		s.names.Release(t.id, t.name)
	}
}

func (e Restored) apply(s *State) {
	if t := s.teams[e.Team]; t != nil {
		t.archived = false
		s.names.Add(t.id, t.name)
	}
}

func (e RuleSet) apply(s *State) {
	if t := s.teams[e.Team]; t != nil {
		t.rule = e.Rule
	}
}

func (e HoursSet) apply(s *State) {
	if t := s.teams[e.Team]; t != nil {
		t.hours = e.Hours
	}
}
