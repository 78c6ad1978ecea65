package contact

import "time"

// Merging shows two contacts as one; each keeps a stream of its own. What agents do
// from then on is done to the one that is shown; what the customer behind the
// other shares is still recorded with the other. So whatever happens in between,
// unmerging gives each what is its own.
//
// Both streams are told, one after the other: first the one that is shown, then
// the other, whose word counts. A merge that stopped between the two has no effect
// yet, and is completed by its repeat.

// Absorb is the first step of a merge.
type Absorb struct {
	Contact ID // the other
	Self    ID
	By      AgentID
	At      time.Time
}

// Decide implements the command.
func (c Absorb) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case c.Contact == "":
		return nil, ErrOther
	case c.Contact == c.Self:
		return nil, ErrMergeSelf
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if _, done := s.Absorbed[c.Contact]; done {
		return nil, nil
	}
	if len(s.Absorbed) >= MaxAbsorbed {
		return nil, ErrTooManyParts
	}
	return []Event{Absorbed{Contact: c.Contact, By: c.By, At: c.At}}, nil
}

// Merge is the second step.
type Merge struct {
	Into ID
	By   AgentID
	At   time.Time
}

// Decide implements the command.
func (c Merge) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case c.Into == "":
		return nil, ErrOther
	case s.Exists && !s.Deleted && s.Into == c.Into:
		return nil, nil
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if len(s.Absorbed) > 0 {
		return nil, ErrHasMerged
	}
	return []Event{Merged{Into: c.Into, By: c.By, At: c.At}}, nil
}

// Unmerge takes a merge back: from then on the other is shown by itself.
type Unmerge struct {
	From ID
	By   AgentID
	At   time.Time
}

// Decide implements the command.
func (c Unmerge) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !s.Exists:
		return nil, ErrNotFound
	case s.Into == "":
		return nil, nil
	case s.Into != c.From:
		return nil, ErrNotMerged
	}
	return []Event{Unmerged{From: c.From, By: c.By, At: c.At}}, nil
}

// Release has the one that was shown forget the other.
type Release struct {
	Contact ID
	By      AgentID
	At      time.Time
}

// Decide implements the command.
func (c Release) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !s.Exists:
		return nil, ErrNotFound
	}
	if _, there := s.Absorbed[c.Contact]; !there {
		return nil, nil
	}
	return []Event{Released{Contact: c.Contact, By: c.By, At: c.At}}, nil
}
