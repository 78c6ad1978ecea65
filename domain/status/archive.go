package status

// Archive takes a status out of use, except the default and the last closed
// one. Another may then have its name, none its id. One that chats may have has
// to be remapped: chats that have it show another of its category. Once more is
// no event.
type Archive struct {
	Status  ID
	RemapTo ID   // "" for none
	InUse   bool // chats are known to have it, or to have had it
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
	case c.RemapTo == "" && (c.InUse || item.Used):
		return nil, ErrInUse
	case c.RemapTo == "":
		return []Event{Archived{Status: item.ID}}, nil
	}
	if to, _, err := s.live(c.RemapTo); err != nil || to.ID == item.ID || to.Category != item.Category {
		return nil, ErrRemap
	}
	return []Event{Remapped{Status: item.ID, To: c.RemapTo}}, nil
}

// Use notes that a chat is about to get a status. Once more is no event.
type Use struct {
	Status ID
}

// Decide implements the command.
func (c Use) Decide(s State) ([]Event, error) {
	item, _, err := s.live(c.Status)
	if err != nil || item.Used {
		return nil, err
	}
	return []Event{Used{Status: item.ID}}, nil
}

func (s State) closed() (n int) {
	for _, i := range s.list {
		if i.Category == Closed {
			n++
		}
	}
	return n
}
