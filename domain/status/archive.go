package status

// Archive takes a status out of use, except the default and the last closed
// one. Another may then have its name, none its id. Once more is no event.
type Archive struct {
	Status ID
}

// Decide implements the command.
func (c Archive) Decide(s State) ([]Event, error) {
	if item, exists := s.Get(c.Status); exists && item.Archived {
		return nil, nil
	}
	item, _, err := s.live(c.Status)
	switch {
	case err != nil:
		return nil, err
	case item.Default:
		return nil, ErrIsDefault
	case item.Category == Closed && s.closed() == 1:
		return nil, ErrLastClosed
	}
	return []Event{Archived{Status: item.ID}}, nil
}

func (s State) closed() (n int) {
	for _, i := range s.list {
		if i.Category == Closed {
			n++
		}
	}
	return n
}
