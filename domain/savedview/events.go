package savedview

import (
	"encoding/json"
	"slices"
)

// Events is the catalogue of everything that can happen to the saved views of a
// place.
var Events = []Event{Created{}, Changed{}, Ordered{}, Deleted{}}

// Created adds a saved view, behind the others of its place.
type Created struct {
	Workspace string          `json:"workspace"`
	Scope     Scope           `json:"scope"`
	Of        string          `json:"of,omitempty"` // the id of the agent whose it is
	View      ID              `json:"view"`
	Target    string          `json:"target"` // chats, contacts or orders
	Name      string          `json:"name"`
	Icon      string          `json:"icon,omitempty"`
	Colour    string          `json:"colour,omitempty"`  // "#rrggbb"
	Filter    json.RawMessage `json:"filter,omitempty"`  // absent: everything
	Sort      string          `json:"sort,omitempty"`    // absent: the default of the target
	Columns   []string        `json:"columns,omitempty"` // absent: those that the client shows by default
	Order     int64           `json:"order"`             // among those of its place and target: the lowest is first
	By        string          `json:"by"`
}

// Changed gives a saved view another name, filter or look. It has all of it, also
// what stayed.
type Changed struct {
	View    ID              `json:"view"`
	Name    string          `json:"name"`
	Icon    string          `json:"icon,omitempty"`
	Colour  string          `json:"colour,omitempty"`
	Filter  json.RawMessage `json:"filter,omitempty"`
	Sort    string          `json:"sort,omitempty"`
	Columns []string        `json:"columns,omitempty"`
	By      string          `json:"by"`
}

// Ordered puts all saved views that a place has of a target into a new order: the
// first has order 0.
type Ordered struct {
	Target string `json:"target"`
	Views  []ID   `json:"views"`
	By     string `json:"by"`
}

// Deleted removes a saved view for good.
type Deleted struct {
	View ID     `json:"view"`
	By   string `json:"by"`
}

func (Created) EventType() string { return "savedview.created.v1" }
func (Changed) EventType() string { return "savedview.changed.v1" }
func (Ordered) EventType() string { return "savedview.ordered.v1" }
func (Deleted) EventType() string { return "savedview.deleted.v1" }

func (e Created) apply(s *State) {
	if s.views == nil {
		s.views, s.order = map[ID]View{}, map[string][]ID{}
	}
	s.Workspace, s.Place = e.Workspace, Place{e.Scope, e.Of}
	s.views[e.View] = View{e.View, e.Target, Look{e.Name, e.Icon, e.Colour, e.Filter, e.Sort, e.Columns}}
	s.order[e.Target] = append(s.order[e.Target], e.View)
	s.next = e.Order + 1
}

func (e Changed) apply(s *State) {
	if v, ok := s.views[e.View]; ok {
		v.Look = Look{e.Name, e.Icon, e.Colour, e.Filter, e.Sort, e.Columns}
		s.views[e.View] = v
	}
}

func (e Ordered) apply(s *State) {
	s.order[e.Target] = slices.Clone(e.Views)
	s.next = max(s.next, int64(len(e.Views)))
}

func (e Deleted) apply(s *State) {
	target := s.views[e.View].Target
	delete(s.views, e.View)
	s.order[target] = slices.DeleteFunc(s.order[target], func(id ID) bool { return id == e.View })
}
