package chat

// MarkUnread puts a chat back among the unread ones, for later or for somebody
// else. If something is unread already, it is no event.
type MarkUnread struct {
	By AgentID
}

// Decide implements the command.
func (c MarkUnread) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if s.Unread > 0 {
		return nil, nil
	}
	return []Event{MarkedUnread{By: c.By}}, nil
}
