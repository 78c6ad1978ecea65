package chat

// Delete hides the chat from every list and count, and from every command but
// Restore. So a second Delete does not find it.
type Delete struct {
	By     AgentID
	Reason string
}

// Decide implements the command.
func (c Delete) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	return []Event{Deleted{By: c.By, Reason: c.Reason}}, nil
}

// Restore brings a deleted chat back. A chat that is not deleted is no event.
type Restore struct {
	By AgentID
}

// Decide implements the command.
func (c Restore) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !s.Exists:
		return nil, ErrNotFound
	case !s.Deleted:
		return nil, nil
	}
	return []Event{Restored{By: c.By}}, nil
}
