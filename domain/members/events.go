package members

import (
	"encoding/json"
	"time"
)

// Events is the catalogue of everything that can happen to the members of a group.
var Events = []Event{Requested{}, Changed{}, Chosen{}, Refused{}}

// Requested asks for the members to be chosen.
type Requested struct {
	Workspace string          `json:"workspace"`
	Choice    int             `json:"choice"`           // counted from 1
	Filter    json.RawMessage `json:"filter,omitempty"` // that chooses them
	IDs       []string        `json:"ids,omitempty"`    // or the contacts that are named, sorted
	Emptied   bool            `json:"emptied,omitempty"`
	Me        string          `json:"me,omitempty"` // who "me" in the filter is
	By        string          `json:"by"`
	At        time.Time       `json:"at"`
}

// Changed is a part of what a choice changes. All parts are recorded at once, with
// the end of the choice.
type Changed struct {
	Choice  int      `json:"choice"`
	Chunk   int      `json:"chunk"`
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// Chosen ends a choice.
type Chosen struct {
	Choice   int       `json:"choice"`
	Members  int       `json:"members"`
	Added    int       `json:"added"`
	Removed  int       `json:"removed"`
	Missing  int       `json:"missing,omitempty"` // so many of those that were named are no contacts
	Position int64     `json:"position"`          // of the log, that the choice reflects
	At       time.Time `json:"at"`
}

// Refused ends a choice that cannot be made: the members stay.
type Refused struct {
	Choice int       `json:"choice"`
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// ChoiceOf returns the choice that an event is about.
func ChoiceOf(e Event) int {
	switch e := e.(type) {
	case Requested:
		return e.Choice
	case Changed:
		return e.Choice
	case Chosen:
		return e.Choice
	case Refused:
		return e.Choice
	}
	return 0
}

// EventType names Requested in the log.
func (Requested) EventType() string { return "members.requested.v1" }

// EventType names Changed in the log.
func (Changed) EventType() string { return "members.changed.v1" }

// EventType names Chosen in the log.
func (Chosen) EventType() string { return "members.chosen.v1" }

// EventType names Refused in the log.
func (Refused) EventType() string { return "members.refused.v1" }

func (e Requested) apply(s *State) {
	s.Workspace, s.Request, s.Choice, s.Pending = e.Workspace, e, e.Choice, true
	s.Request.IDs = nil // whoever chooses reads the event
}

func (Changed) apply(*State) {}

func (e Chosen) apply(s *State) { s.Pending, s.Members = false, e.Members }

func (Refused) apply(s *State) { s.Pending = false }
