package group

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Create makes a group. Once more is no event.
type Create struct {
	Group  ID
	Name   string
	Kind   Kind
	Filter []byte // JSON; nil if the members are named
	Named  bool   // members are named
	By     string
	At     time.Time
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	if _, exists := s.groups[c.Group]; exists {
		return nil, nil // the same id: the same request
	}
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	switch {
	case c.Kind != Static && c.Kind != Dynamic:
		return nil, ErrKind
	case c.Named == (c.Filter != nil), c.Named && c.Kind == Dynamic:
		return nil, ErrChoice
	case c.By == "":
		return nil, ErrBy
	}
	if err := checkFilter(c.Kind, c.Filter); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	if !s.names.Free(c.Group, name) {
		return nil, ErrNameTaken
	}
	all, dynamic := 0, 0
	for _, g := range s.groups {
		switch {
		case g.Deleted:
		case g.Kind == Dynamic:
			dynamic++
			fallthrough
		default:
			all++
		}
	}
	if all >= MaxGroups || c.Kind == Dynamic && dynamic >= MaxDynamic {
		return nil, ErrTooMany
	}
	return []Event{Created{Group: c.Group, Name: name, Kind: c.Kind, Filter: json.RawMessage(c.Filter), By: c.By, At: c.At}}, nil
}

// Rename gives a group another name.
type Rename struct {
	Group ID
	Name  string
}

// Decide implements the command. The name that it has is no event.
func (c Rename) Decide(s State) ([]Event, error) {
	g, err := s.Live(c.Group)
	if err != nil {
		return nil, err
	}
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	switch {
	case name == g.Name:
		return nil, nil
	case text.Key(name) != text.Key(g.Name) && !s.names.Free(c.Group, name):
		return nil, ErrNameTaken
	}
	return []Event{Renamed{Group: c.Group, Name: name, From: g.Name}}, nil
}

// SetFilter gives a group another filter. A static one has the members that it has
// until it is refreshed.
type SetFilter struct {
	Group  ID
	Filter []byte // JSON
	By     string
	At     time.Time
}

// Decide implements the command. The filter that it has is no event.
func (c SetFilter) Decide(s State) ([]Event, error) {
	g, err := s.Live(c.Group)
	switch {
	case err != nil:
		return nil, err
	case g.Filter == nil:
		return nil, ErrNamed
	case c.Filter == nil:
		return nil, ErrChoice
	case c.By == "":
		return nil, ErrBy
	}
	if err := checkFilter(g.Kind, c.Filter); err != nil {
		return nil, err
	}
	if bytes.Equal(c.Filter, g.Filter) {
		return nil, nil
	}
	return []Event{FilterSet{Group: c.Group, Filter: json.RawMessage(c.Filter), By: c.By, At: c.At}}, nil
}

// Delete ends a group. Nothing happens to its members.
type Delete struct {
	Group ID
	By    string
	At    time.Time
}

// Decide implements the command. A group that is deleted already is no event.
func (c Delete) Decide(s State) ([]Event, error) {
	g, ok := s.groups[c.Group]
	switch {
	case !ok:
		return nil, ErrNotFound
	case g.Deleted:
		return nil, nil
	case c.By == "":
		return nil, ErrBy
	}
	return []Event{Deleted(c)}, nil
}
