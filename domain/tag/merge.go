package tag

// Merge makes a tag another one, wherever it is, be it archived. What it was
// merged into already is no event.
type Merge struct {
	Tag  ID
	Into ID
}

// Decide implements the command.
func (c Merge) Decide(s State) ([]Event, error) {
	t, ok := s.tags[c.Tag]
	switch {
	case !ok:
		return nil, ErrNotFound
	case c.Tag == c.Into:
		return nil, ErrMergeSelf
	case t.Merged != "" && s.Resolve(c.Tag) == s.Resolve(c.Into):
		return nil, nil
	case t.Merged != "":
		return nil, ErrMerged
	}
	if _, err := s.live(c.Into); err != nil {
		return nil, ErrMergeInto
	}
	return []Event{Merged{Tag: c.Tag, Into: c.Into}}, nil
}
