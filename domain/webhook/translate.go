package webhook

import "slices"

// RecordTranslation says that all we understand in a delivery was made into
// commands. The same outcome again is no event, unless it was asked for.
type RecordTranslation struct {
	Messages int
	Statuses int
	Orders   int
	Ignored  []string // fields kept for later
}

// Decide implements the command.
func (c RecordTranslation) Decide(s State) ([]Event, error) {
	if min(c.Messages, c.Statuses, c.Orders) < 0 {
		return nil, ErrCounts
	}
	if !s.Exists {
		return nil, ErrNotFound
	}
	e := Translated{Messages: c.Messages, Statuses: c.Statuses, Orders: c.Orders, Ignored: slices.Clone(c.Ignored)}
	if last, ok := s.Outcome.(Translated); ok && s.Done && e.same(last) {
		return nil, nil
	}
	return []Event{e}, nil
}

func (e Translated) same(o Translated) bool {
	return e.Messages == o.Messages && e.Statuses == o.Statuses && e.Orders == o.Orders && slices.Equal(e.Ignored, o.Ignored)
}

// SetAsideDelivery says that nothing of a delivery was used. The same outcome
// again is no event, unless it was asked for.
type SetAsideDelivery struct {
	Code   string // one of those of this package
	Reason string
}

// Decide implements the command.
func (c SetAsideDelivery) Decide(s State) ([]Event, error) {
	switch c.Code {
	case NotOurs, NotWhatsApp, Empty, NotSupported, Malformed:
	default:
		return nil, ErrCode
	}
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	if !s.Exists {
		return nil, ErrNotFound
	}
	e := SetAside{Code: c.Code, Reason: c.Reason}
	if last, ok := s.Outcome.(SetAside); ok && s.Done && e == last {
		return nil, nil
	}
	return []Event{e}, nil
}

// RequestRetranslation asks for a delivery to be translated again. One that
// waits for its translation is no event.
type RequestRetranslation struct {
	By string
}

// Decide implements the command.
func (c RequestRetranslation) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !s.Exists:
		return nil, ErrNotFound
	case !s.Done:
		return nil, nil
	}
	return []Event{RetranslationRequested{By: c.By}}, nil
}
