package channel

import "strings"

// Rename gives a channel another name. The name it has is no event.
type Rename struct {
	Name string
}

// Decide implements the command.
func (c Rename) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	if err := s.connected(); err != nil || s.Name == name {
		return nil, err
	}
	return []Event{Renamed{Name: name, From: s.Name}}, nil
}
