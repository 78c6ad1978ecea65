package chat

import "time"

// RecordDelivery takes in how far a message got. A provider's report names the
// message by ProviderID; it is kept if that is not known, also where there is
// no chat yet, until the message turns up. Our own failure to hand a message
// over names it by Message.
//
// A report that says no more than what is known is no event, so reports may
// come late, twice and in any order.
type RecordDelivery struct {
	Message    MessageID
	ProviderID string
	State      Delivery
	Error      *DeliveryError // kept only with state failed
	At         time.Time
}

// Decide implements the command.
func (c RecordDelivery) Decide(s State) ([]Event, error) {
	switch {
	case c.Message == "" && c.ProviderID == "":
		return nil, ErrMessageMissing
	case c.State.Rank() < 0:
		return nil, ErrDelivery
	case c.State == Queued: // says nothing about any message
		return nil, nil
	}
	if events, ok := s.reactionReport(c); ok {
		return events, nil
	}
	reached, known := s.delivery(c.Message, c.ProviderID)
	switch {
	case !known && c.ProviderID == "":
		return nil, ErrMessageNotFound
	case c.State.Rank() <= reached.Rank():
		return nil, nil
	}
	e := DeliveryRecorded{Message: c.Message, ProviderID: c.ProviderID, State: c.State, At: c.At}
	if c.State == Failed {
		e.Error = c.Error
		if e.Error != nil && e.Error.Code == codeStopped && s.Exists && !s.OptedOut {
			return []Event{e, OptedOut{Reason: ByProvider, Message: s.resolve(c.Message, c.ProviderID), At: c.At}}, nil
		}
	}
	return []Event{e}, nil
}

// resolve returns the message to the customer that a report is about, "" if
// that is not known.
func (s State) resolve(m MessageID, providerID string) MessageID {
	if _, known := s.Outbound[m]; known {
		return m
	}
	return s.Reports[providerID].Message
}

// delivery returns how far a message got as far as is known: as a message, or
// as reports that wait for theirs.
func (s State) delivery(m MessageID, providerID string) (Delivery, bool) {
	if m = s.resolve(m, providerID); m != "" {
		return s.Outbound[m].State, true
	}
	r, known := s.Reports[providerID]
	return r.Pending, known
}

// furthest returns the state of the highest rank.
func furthest(first Delivery, more ...Delivery) Delivery {
	for _, d := range more {
		if d.Rank() > first.Rank() {
			first = d
		}
	}
	return first
}
