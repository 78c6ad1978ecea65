package quickreply

// Archive takes a quick reply out of use. Once more is no event.
type Archive struct {
	Reply ID
	By    string
}

// Decide implements the command.
func (c Archive) Decide(s State) ([]Event, error) {
	r, ok := s.replies[c.Reply]
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !ok:
		return nil, ErrNotFound
	case r.Archived:
		return nil, nil
	}
	return []Event{Archived{Reply: r.ID, By: c.By}}, nil
}

// Restore takes an archived quick reply back into use, unless another has its
// shortcut by now. One in use is no event.
type Restore struct {
	Reply ID
	By    string
}

// Decide implements the command.
func (c Restore) Decide(s State) ([]Event, error) {
	r, ok := s.replies[c.Reply]
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !ok:
		return nil, ErrNotFound
	case !r.Archived:
		return nil, nil
	}
	if err := s.free(r.ID, r.Shortcut); err != nil {
		return nil, err
	}
	return []Event{Restored{Reply: r.ID, By: c.By}}, nil
}
