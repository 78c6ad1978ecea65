package channel

// Disconnect ends a channel. Once more is no event.
type Disconnect struct {
	Reason string
}

// Decide implements the command.
func (c Disconnect) Decide(s State) ([]Event, error) {
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	switch {
	case !s.Exists:
		return nil, ErrNotFound
	case !s.Connected:
		return nil, nil
	}
	return []Event{Disconnected{Reason: c.Reason}}, nil
}
