package workspace

import "strings"

// Rename gives a workspace another name. The name it has is no event.
type Rename struct {
	Name string
}

// Decide implements the command.
func (c Rename) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	switch {
	case !s.Exists:
		return nil, ErrNotFound
	case s.Name == name:
		return nil, nil
	}
	return []Event{Renamed{Name: name, From: s.Name}}, nil
}
