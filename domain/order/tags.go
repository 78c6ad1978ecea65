package order

import "slices"

// ChangeTags adds and removes tags. What is there already is not added, what is
// not there is not removed; if nothing is left to do, that is no event.
type ChangeTags struct {
	Add    []string
	Remove []string
}

// Decide implements the command.
func (c ChangeTags) Decide(s State) ([]Event, error) {
	switch {
	case slices.Contains(c.Add, ""):
		return nil, ErrTagToAdd
	case slices.Contains(c.Remove, ""):
		return nil, ErrTagToRemove
	case slices.ContainsFunc(c.Remove, func(t string) bool { return slices.Contains(c.Add, t) }):
		return nil, ErrTagBothWays
	}
	if err := s.placed(); err != nil {
		return nil, err
	}
	e := TagsChanged{Added: s.tagged(c.Add, false), Removed: s.tagged(c.Remove, true)}
	switch {
	case len(e.Added)+len(e.Removed) == 0:
		return nil, nil
	case len(e.Added) > 0 && len(s.Tags)+len(e.Added)-len(e.Removed) > MaxTags:
		return nil, ErrTooManyTags
	}
	return []Event{e}, nil
}

// tagged returns those of tags that the order has, or has not, each once.
func (s State) tagged(tags []string, has bool) (found []string) {
	for _, t := range tags {
		if _, tagged := s.Tags[t]; tagged == has && !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	return found
}
