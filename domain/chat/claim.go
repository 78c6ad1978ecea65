package chat

// Claim takes a chat that nobody has. Of two who claim at once one wins and the
// other gets ErrClaimed; the winner may repeat it. The team stays.
type Claim struct {
	By AgentID
}

// Decide implements the command.
func (c Claim) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrAgentMissing
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	switch s.Assignee {
	case "":
		return []Event{Claimed{By: c.By}}, nil
	case c.By:
		return nil, nil
	}
	return nil, ErrClaimed
}
