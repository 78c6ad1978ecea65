package chat

// MarkRead says that the agent has seen all there is. If nothing is unread, it
// is no event.
type MarkRead struct {
	By AgentID
}

// Decide implements the command.
func (c MarkRead) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if s.Unread == 0 {
		return nil, nil
	}
	return []Event{MarkedRead{By: c.By}}, nil
}
