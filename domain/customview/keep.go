package customview

// Publish makes a version the one that is read when none is named. That it is already
// is no event.
type Publish struct {
	View    Name
	Version Version
	By      string
}

// Decide implements the command.
func (c Publish) Decide(s State) ([]Event, error) {
	v, _, err := s.lookup(c.View, c.Version)
	switch {
	case c.By == "":
		return nil, ErrBy
	case err != nil:
		return nil, err
	case v.published == c.Version:
		return nil, nil
	}
	return []Event{Published(c)}, nil
}

// Retry has a version try the event again that it stopped at. If it has not stopped,
// nothing comes of it.
type Retry struct {
	View    Name
	Version Version
	By      string
}

// Decide implements the command.
func (c Retry) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrBy
	}
	if _, _, err := s.lookup(c.View, c.Version); err != nil {
		return nil, err
	}
	return []Event{Retried(c)}, nil
}

// Drop ends a version that is not published.
type Drop struct {
	View    Name
	Version Version
	By      string
}

// Decide implements the command.
func (c Drop) Decide(s State) ([]Event, error) {
	v, _, err := s.lookup(c.View, c.Version)
	switch {
	case c.By == "":
		return nil, ErrBy
	case err != nil:
		return nil, err
	case v.published == c.Version:
		return nil, ErrPublished
	}
	return []Event{Dropped(c)}, nil
}

// Retire ends a view with all its versions. Once more is refused: there is none.
type Retire struct {
	View Name
	By   string
}

// Decide implements the command.
func (c Retire) Decide(s State) ([]Event, error) {
	v := s.views[c.View]
	switch {
	case c.By == "":
		return nil, ErrBy
	case v == nil || len(v.live) == 0:
		return nil, ErrNotFound
	}
	return []Event{Retired(c)}, nil
}
