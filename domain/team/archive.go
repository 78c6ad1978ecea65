package team

// Archive takes a team out of use. Another may then have its name, none its id.
// Once more is no event.
type Archive struct {
	Team ID
}

// Decide implements the command.
func (c Archive) Decide(s State) ([]Event, error) {
	t := s.teams[c.Team]
	switch {
	case t == nil:
		return nil, ErrNotFound
	case t.archived:
		return nil, nil
	}
	return []Event{Archived{Team: c.Team}}, nil
}

// Restore takes an archived team back into use. One in use is no event.
type Restore struct {
	Team ID
}

// Decide implements the command.
func (c Restore) Decide(s State) ([]Event, error) {
	t := s.teams[c.Team]
	switch {
	case t == nil:
		return nil, ErrNotFound
	case !t.archived:
		return nil, nil
	case !s.names.Free(t.id, t.name):
		return nil, ErrNameTaken
	}
	return []Event{Restored{Team: c.Team}}, nil
}
