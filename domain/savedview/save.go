package savedview

import (
	"encoding/json"
	"slices"
	"strings"
)

// Create saves a view.
type Create struct {
	Workspace string
	Place     Place
	View      ID
	Target    string
	Look      Look
	By        string
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	switch {
	case c.Workspace == "":
		return nil, ErrWorkspace
	case c.By == "":
		return nil, ErrByMissing
	}
	if err := c.Place.check(); err != nil {
		return nil, err
	}
	if at, ok := c.View.Place(); !ok || at != c.Place {
		return nil, ErrView
	}
	l := c.Look
	l.Name, l.Filter, l.Columns = strings.TrimSpace(l.Name), compact(l.Filter), slices.Clone(l.Columns)
	if err := s.check("", c.Target, l); err != nil {
		return nil, err
	}
	if len(s.views) >= MaxViews {
		return nil, ErrTooMany
	}
	return []Event{Created{
		Workspace: c.Workspace, Scope: c.Place.Scope, Of: c.Place.Of, View: c.View, Target: c.Target,
		Name: l.Name, Icon: l.Icon, Colour: l.Colour, Filter: l.Filter, Sort: l.Sort, Columns: l.Columns, Order: s.next, By: c.By,
	}}, nil
}

// Change gives a saved view another name, filter or look. What is nil stays; what it
// has already is no event.
type Change struct {
	View    ID
	Name    *string
	Icon    *string
	Colour  *string
	Filter  json.RawMessage
	Sort    *string
	Columns []string
	By      string
}

// Decide implements the command.
func (c Change) Decide(s State) ([]Event, error) {
	v, ok := s.views[c.View]
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !ok:
		return nil, ErrNotFound
	}
	l := v.Look
	for to, from := range map[*string]*string{&l.Name: c.Name, &l.Icon: c.Icon, &l.Colour: c.Colour, &l.Sort: c.Sort} {
		if from != nil {
			*to = *from
		}
	}
	l.Name = strings.TrimSpace(l.Name)
	if c.Filter != nil {
		l.Filter = compact(c.Filter)
	}
	if c.Columns != nil {
		l.Columns = append([]string(nil), c.Columns...)
	}
	if l.equal(v.Look) {
		return nil, nil
	}
	if err := s.check(v.ID, v.Target, l); err != nil {
		return nil, err
	}
	return []Event{Changed{View: v.ID, Name: l.Name, Icon: l.Icon, Colour: l.Colour, Filter: l.Filter, Sort: l.Sort, Columns: l.Columns, By: c.By}}, nil
}

// Order puts the saved views that a place has of a target into a new order. It has to
// name all of them, so that of two who sort at once none loses what the other has
// added. The order that they have already is no event.
type Order struct {
	Target string
	Views  []ID
	By     string
}

// Decide implements the command.
func (c Order) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	now := s.order[c.Target]
	if slices.Equal(c.Views, now) {
		return nil, nil
	}
	if !slices.Equal(slices.Sorted(slices.Values(c.Views)), slices.Sorted(slices.Values(now))) {
		return nil, ErrOrder
	}
	return []Event{Ordered{Target: c.Target, Views: slices.Clone(c.Views), By: c.By}}, nil
}

// Delete removes a saved view for good. Once more is refused: there is none.
type Delete struct {
	View ID
	By   string
}

// Decide implements the command.
func (c Delete) Decide(s State) ([]Event, error) {
	switch _, ok := s.views[c.View]; {
	case c.By == "":
		return nil, ErrByMissing
	case !ok:
		return nil, ErrNotFound
	}
	return []Event{Deleted{View: c.View, By: c.By}}, nil
}
