package order

// Assign makes an agent responsible for the order, whoever had it before. To
// whom it is assigned already is no event.
type Assign struct {
	To string
}

// Decide implements the command.
func (c Assign) Decide(s State) ([]Event, error) {
	if c.To == "" {
		return nil, ErrAgentMissing
	}
	if err := s.placed(); err != nil || s.Assignee == c.To {
		return nil, err
	}
	return []Event{Assigned{To: c.To, From: s.Assignee}}, nil
}

// Unassign leaves the order to nobody.
type Unassign struct{}

// Decide implements the command.
func (Unassign) Decide(s State) ([]Event, error) {
	if err := s.placed(); err != nil || s.Assignee == "" {
		return nil, err
	}
	return []Event{Unassigned{From: s.Assignee}}, nil
}
