package chat

// Assign makes an agent responsible for the chat, whoever had it before. To
// whom it is assigned already is no event. The team stays.
type Assign struct {
	To AgentID
}

// Decide implements the command.
func (c Assign) Decide(s State) ([]Event, error) {
	if c.To == "" {
		return nil, ErrAgentMissing
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	if s.Assignee == c.To {
		return nil, nil
	}
	return []Event{Assigned{To: c.To, From: s.Assignee}}, nil
}

// Unassign leaves the chat to nobody. The team stays. A closed chat can be let
// go of, too.
type Unassign struct{}

// Decide implements the command.
func (Unassign) Decide(s State) ([]Event, error) {
	if err := s.visible(); err != nil {
		return nil, err
	}
	if s.Assignee == "" {
		return nil, nil
	}
	return []Event{Unassigned{From: s.Assignee}}, nil
}

// AssignByRule gives a chat that waits for a member of a team to one whom the
// team's rule chose. If it does not wait for that any more, because somebody took
// it, it was handed on or closed, that is no event.
type AssignByRule struct {
	To     AgentID
	Choice Choice
}

// Decide implements the command.
func (c AssignByRule) Decide(s State) ([]Event, error) {
	switch {
	case c.To == "":
		return nil, ErrAgentMissing
	case c.Choice.Team == "":
		return nil, ErrTeamMissing
	case !s.Exists || s.Deleted || s.Closed() || s.Assignee != "" || s.Team != c.Choice.Team:
		return nil, nil
	}
	return []Event{Assigned{To: c.To, Choice: &c.Choice}}, nil
}
