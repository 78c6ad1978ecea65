package agent

// SetAvailability says whether an agent is at work. As before is no event.
type SetAvailability struct {
	Availability Availability
}

// Decide implements the command.
func (c SetAvailability) Decide(s State) ([]Event, error) {
	if !c.Availability.Valid() {
		return nil, ErrAvailability
	}
	if err := s.active(); err != nil || s.Availability == c.Availability {
		return nil, err
	}
	return []Event{AvailabilitySet{Availability: c.Availability}}, nil
}
