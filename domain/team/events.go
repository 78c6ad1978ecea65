package team

// Events is the catalogue of everything that can happen to a workspace's teams.
var Events = []Event{Created{}, Renamed{}, MemberAdded{}, MemberRemoved{}, Archived{}}

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

func (Created) EventType() string       { return "team.created.v1" }
func (Renamed) EventType() string       { return "team.renamed.v1" }
func (MemberAdded) EventType() string   { return "team.member_added.v1" }
func (MemberRemoved) EventType() string { return "team.member_removed.v1" }
func (Archived) EventType() string      { return "team.archived.v1" }
