package group

import (
	"encoding/json"
	"time"
)

// Events is the catalogue of everything that can happen to a workspace's groups.
var Events = []Event{Created{}, Renamed{}, FilterSet{}, Deleted{}}

// Created adds a group. The members of a static one are chosen next; those that
// were named are in its own stream.
type Created struct {
	Group  ID              `json:"group"`
	Name   string          `json:"name"`
	Kind   Kind            `json:"kind"`
	Filter json.RawMessage `json:"filter,omitempty"` // of contacts; none if the members are named
	By     string          `json:"by"`
	At     time.Time       `json:"at"`
}

// Renamed gives a group another name.
type Renamed struct {
	Group ID     `json:"group"`
	Name  string `json:"name"`
	From  string `json:"from"`
}

// FilterSet gives a group another filter.
type FilterSet struct {
	Group  ID              `json:"group"`
	Filter json.RawMessage `json:"filter"`
	By     string          `json:"by"`
	At     time.Time       `json:"at"`
}

// Deleted ends a group.
type Deleted struct {
	Group ID        `json:"group"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

// EventType names Created in the log.
func (Created) EventType() string { return "group.created.v1" }

// EventType names Renamed in the log.
func (Renamed) EventType() string { return "group.renamed.v1" }

// EventType names FilterSet in the log.
func (FilterSet) EventType() string { return "group.filter_set.v1" }

// EventType names Deleted in the log.
func (Deleted) EventType() string { return "group.deleted.v1" }

func (e Created) apply(s *State) {
	if s.groups == nil {
		s.groups = map[ID]Group{}
	}
	s.groups[e.Group] = Group{ID: e.Group, Name: e.Name, Kind: e.Kind, Filter: e.Filter, By: e.By}
	s.names.Add(e.Group, e.Name)
}

func (e Renamed) apply(s *State) {
	g := s.groups[e.Group]
	s.names.Release(e.Group, g.Name)
	s.names.Add(e.Group, e.Name)
	g.Name = e.Name
	g.Changes++
	s.groups[e.Group] = g
}

func (e FilterSet) apply(s *State) {
	g := s.groups[e.Group]
	g.Filter, g.By = e.Filter, e.By
	g.Changes++
	s.groups[e.Group] = g
}

func (e Deleted) apply(s *State) {
	g := s.groups[e.Group]
	s.names.Release(e.Group, g.Name)
	g.Deleted, g.Filter = true, nil
	g.Changes++
	s.groups[e.Group] = g
}
