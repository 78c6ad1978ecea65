package status

// Archive takes a status out of use, except the default and the last closed
// one. Another may then have its name, none its id. One that chats or contacts may
// have has to be remapped: what has it shows another of its category. Once more is
// no event.
type Archive struct {
	Status  ID
	RemapTo ID     // "" for none
	InUse   Holder // what is known to have it, or to have had it
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
	case c.RemapTo == "" && (c.InUse != "" || item.Used):
		return nil, c.inUse(item)
	case c.RemapTo == "":
		return []Event{Archived{Status: item.ID}}, nil
	}
	if to, _, err := s.live(c.RemapTo); err != nil || to.ID == item.ID || to.Category != item.Category {
		return nil, ErrRemap
	}
	return []Event{Remapped{Status: item.ID, To: c.RemapTo}}, nil
}

// inUse returns a refusal that says what has the status, as far as that is known.
func (c Archive) inUse(item Item) error {
	chats, contacts := item.Chats || c.InUse == Chats, item.Contacts || c.InUse == Contacts
	const rest = " have the status, or had it: say with remap_to which one they are to show instead"
	switch {
	case item.Others || !chats && !contacts:
		return ErrInUse
	case chats && contacts:
		return ErrInUse.With("chats and contacts" + rest)
	case chats:
		return ErrInUse.With("chats" + rest)
	}
	return ErrInUse.With("contacts" + rest)
}

// Restore takes an archived status back into use. One in use is no event.
type Restore struct {
	Status ID
}

// Decide implements the command.
func (c Restore) Decide(s State) ([]Event, error) {
	item, ok := s.Get(c.Status)
	switch {
	case !ok:
		return nil, ErrNotFound
	case !item.Archived:
		return nil, nil
	case !s.names.Free(item.ID, item.Name):
		return nil, ErrNameTaken
	case len(s.list) >= MaxStatuses:
		return nil, ErrTooMany
	}
	return []Event{Restored{Status: item.ID}}, nil
}

// Use notes that a chat or a contact is about to get a status. Another of its sort is
// no event.
type Use struct {
	Status ID
	Of     Holder
}

// Decide implements the command.
func (c Use) Decide(s State) ([]Event, error) {
	item, _, err := s.live(c.Status)
	if err != nil || item.Noted(c.Of) {
		return nil, err
	}
	return []Event{Used{Status: item.ID, Of: c.Of}}, nil
}

func (s State) closed() (n int) {
	for _, i := range s.list {
		if i.Category == Closed {
			n++
		}
	}
	return n
}
