package chat

import "time"

// MarkVisitor makes a contact of a visitor of whom nothing was shared: an answer to
// a chatflow says that they are one. If details are known, that is no event.
type MarkVisitor struct {
	At time.Time
}

// Decide implements the command.
func (c MarkVisitor) Decide(s State) ([]Event, error) {
	if err := s.visible(); err != nil {
		return nil, err
	}
	if !s.Details.At.IsZero() {
		return nil, nil
	}
	return []Event{DetailsShared{Reason: ByChatflow, At: c.At}}, nil
}
