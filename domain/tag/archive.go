package tag

// Archive takes a tag out of use. Its name stays taken, for it may be restored.
// Once more is no event.
type Archive struct {
	Tag ID
}

// Decide implements the command.
func (c Archive) Decide(s State) ([]Event, error) {
	t, ok := s.tags[c.Tag]
	switch {
	case !ok:
		return nil, ErrNotFound
	case t.Merged != "":
		return nil, ErrMerged
	case t.Archived:
		return nil, nil
	}
	return []Event{Archived{Tag: t.ID}}, nil
}

// Restore takes an archived tag back into use. One in use is no event.
type Restore struct {
	Tag ID
}

// Decide implements the command.
func (c Restore) Decide(s State) ([]Event, error) {
	t, ok := s.tags[c.Tag]
	switch {
	case !ok:
		return nil, ErrNotFound
	case t.Merged != "":
		return nil, ErrMerged
	case !t.Archived:
		return nil, nil
	}
	return []Event{Restored{Tag: t.ID}}, nil
}
