package team

import "strings"

// Rename gives a team another name. The name it has is no event.
type Rename struct {
	Team ID
	Name string
}

// Decide implements the command.
func (c Rename) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	t, err := s.live(c.Team)
	switch {
	case err != nil:
		return nil, err
	case t.name == name:
		return nil, nil
	case !s.names.Free(t.id, name):
		return nil, ErrNameTaken
	}
	return []Event{Renamed{Team: t.id, Name: name, From: t.name}}, nil
}
