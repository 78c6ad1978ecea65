package chat

import "time"

// Waiting is what of a chat waits for a time or for somebody's word. Closing the chat,
// deleting it and deciding whose it is end it without an event that says so.
type Waiting struct {
	Snooze *Snoozed         // nil if the chat is not snoozed
	Offer  *TransferOffered // nil if no transfer waits to be accepted

	state State
}

// Evolve returns what waits after e.
func (w Waiting) Evolve(e Event) Waiting {
	w.state = Evolve(w.state, e)
	switch f := e.(type) {
	case Snoozed:
		w.Snooze = &f
	case TransferOffered:
		w.Offer = &f
	default:
	}
	if w.state.Snooze == nil {
		w.Snooze = nil
	}
	if w.state.Offer == nil {
		w.Offer = nil
	}
	return w
}

// EndedBy returns what of w ends with e.
func (w Waiting) EndedBy(e Event) (ended Waiting) {
	after := w.Evolve(e)
	if after.Snooze == nil {
		ended.Snooze = w.Snooze
	}
	if after.Offer == nil {
		ended.Offer = w.Offer
	}
	return ended
}

// PutBack adds to the events that take another one back what that one had ended. A
// snooze whose time has come meanwhile is over, and the chat unread, as it would be.
// An offer is made again for the time that it has left; if it has none, it stays over.
type PutBack struct {
	Ended  Waiting
	Taken  bool // whom the chat was offered to can still have it
	At     time.Time
	Undoes []Event // what takes the other one back
}

// Decide returns all events. A chat that is closed, or hidden, after them waits for nothing.
func (c PutBack) Decide(s State) []Event {
	events, idle := c.Undoes, s.Closed()
	for _, e := range c.Undoes {
		switch e.(type) {
		case Reopened:
			idle = false
		case Closed, Deleted:
			idle = true
		default:
		}
	}
	if len(events) == 0 || idle {
		return events
	}
	if was := c.Ended.Snooze; was != nil {
		if was.Until.IsZero() || was.Until.After(c.At) {
			events = append(events, Snoozed{Until: was.Until, By: was.By, At: c.At})
		} else {
			events = append(events, Woken{Reason: WokenByTime})
		}
	}
	if was := c.Ended.Offer; was != nil && c.Taken && was.Expires.After(c.At) {
		again := *was
		again.At = c.At
		events = append(events, again)
	}
	return events
}
