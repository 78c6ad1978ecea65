package chat

import "time"

// ForgetContact tells a chat that the contact of its customer was deleted: what was
// shared is taken away, and the visitor is no contact until something is shared again.
// What the channel knows, a profile's name and the number, stays. Of a visitor who is
// none, and of a chat that is hidden, it is no event.
type ForgetContact struct {
	At time.Time
}

// Decide implements the command.
func (c ForgetContact) Decide(s State) ([]Event, error) {
	if !s.Exists || s.Deleted || s.Details.At.IsZero() {
		return nil, nil
	}
	e := DetailsShared{Reason: s.Details.Reason, Gone: true, At: c.At}
	for _, detail := range Details() {
		known := s.Known.detail(detail)
		if known.Value == "" {
			continue
		}
		e.Emptied = append(e.Emptied, detail)
		if known.at >= e.At.UnixMicro() { // by a clock that is ahead
			e.At = time.UnixMicro(known.at + 1).UTC()
		}
	}
	return []Event{e}, nil
}
