package agent

// MaxCapacity is the largest bound there is.
const MaxCapacity = 10_000

// SetCapacity bounds how many open chats an agent is given by a team's rule. What
// they take themselves, or are assigned, is not bounded. As before is no event.
type SetCapacity struct {
	Capacity int64 // 0 means no bound
}

// Decide implements the command.
func (c SetCapacity) Decide(s State) ([]Event, error) {
	if c.Capacity < 0 || c.Capacity > MaxCapacity {
		return nil, ErrCapacity
	}
	if err := s.active(); err != nil || s.Capacity == c.Capacity {
		return nil, err
	}
	return []Event{CapacitySet{Capacity: c.Capacity, From: s.Capacity}}, nil
}
