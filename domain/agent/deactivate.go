package agent

// Deactivate ends an agent's access. Once more is no event.
type Deactivate struct {
	Reason string
	Self   bool // it is the agent who asks
}

// Decide implements the command.
func (c Deactivate) Decide(s State) ([]Event, error) {
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	switch {
	case !s.Exists:
		return nil, ErrNotFound
	case !s.Active:
		return nil, nil
	case c.Self:
		return nil, ErrSelf
	}
	return []Event{Deactivated{Reason: c.Reason}}, nil
}

// Reactivate gives an agent access again, who is offline until they say otherwise. Who
// has it is no event.
type Reactivate struct{}

// Decide implements the command.
func (Reactivate) Decide(s State) ([]Event, error) {
	switch {
	case !s.Exists:
		return nil, ErrNotFound
	case s.Active:
		return nil, nil
	}
	if s.Availability == Offline || s.Availability == "" {
		return []Event{Reactivated{}}, nil
	}
	return []Event{AvailabilitySet{Availability: Offline}, Reactivated{}}, nil
}
