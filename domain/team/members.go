package team

// AddMember puts an agent into a team. A member already is no event.
type AddMember struct {
	Team  ID
	Agent string
}

// Decide implements the command.
func (c AddMember) Decide(s State) ([]Event, error) {
	if c.Agent == "" {
		return nil, ErrAgentMissing
	}
	t, err := s.live(c.Team)
	if err != nil {
		return nil, err
	}
	if _, member := t.members[c.Agent]; member {
		return nil, nil
	}
	if len(t.members) >= MaxMembers {
		return nil, ErrFull
	}
	return []Event{MemberAdded{Team: c.Team, Agent: c.Agent}}, nil
}

// RemoveMember takes an agent out of a team. Who is no member is no event.
type RemoveMember struct {
	Team  ID
	Agent string
}

// Decide implements the command.
func (c RemoveMember) Decide(s State) ([]Event, error) {
	if c.Agent == "" {
		return nil, ErrAgentMissing
	}
	t, err := s.live(c.Team)
	if err != nil {
		return nil, err
	}
	if _, member := t.members[c.Agent]; !member {
		return nil, nil
	}
	return []Event{MemberRemoved{Team: c.Team, Agent: c.Agent}}, nil
}
