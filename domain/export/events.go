package export

import (
	"encoding/json"
	"time"
)

// Events is the catalogue of everything that can happen to an export.
var Events = []Event{Requested{}, ViewRequested{}}

// Requested is the download of a list.
type Requested struct {
	Workspace string          `json:"workspace"`
	Target    string          `json:"target"`
	Format    Format          `json:"format"`
	Filter    json.RawMessage `json:"filter,omitempty"`
	IDs       []string        `json:"ids,omitempty"`    // the rows, if they were named one by one; sorted
	Except    []string        `json:"except,omitempty"` // rows that are left out; sorted
	Columns   []string        `json:"columns"`
	By        string          `json:"by"`
	At        time.Time       `json:"at"`
	Until     time.Time       `json:"until"` // when it can be fetched no more
}

// ViewRequested is the download of a table of a custom view.
type ViewRequested struct {
	Workspace string    `json:"workspace"`
	View      string    `json:"view"`
	Version   int64     `json:"version"`
	Table     string    `json:"table"`
	Format    Format    `json:"format"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	Until     time.Time `json:"until"` // when it can be fetched no more
}

// EventType names ViewRequested in the log.
func (ViewRequested) EventType() string { return "export.view_requested.v1" }

func (e ViewRequested) apply(s *State) { s.Workspace = e.Workspace }

// EventType names Requested in the log.
func (Requested) EventType() string { return "export.requested.v1" }

func (e Requested) apply(s *State) { s.Workspace = e.Workspace }
