package call

import "time"

// Request asks for a call.
type Request struct {
	Requested
}

// Decide implements the command.
func (c Request) Decide(s State) ([]Event, error) {
	e := c.Requested
	switch {
	case e.Workspace == "" || e.Chat == "" || e.Phone == "" || e.By == "":
		return nil, ErrIncomplete
	case !e.Provider.Known():
		return nil, ErrProvider
	case !session(e.Offer):
		return nil, ErrOffer
	case e.Provider == WhatsApp && e.Offer == "":
		return nil, ErrOfferMissing
	case s.Phase != "" && (s.Request.Chat != e.Chat || s.Request.Workspace != e.Workspace):
		return nil, ErrExists
	case s.Phase != "":
		return nil, nil
	}
	return []Event{e}, nil
}

// Report takes in how far a call got, as its provider says. What says no more than
// is known is no event, so reports may come late, twice and in any order.
type Report struct {
	ProviderID string // "" if the provider gives none
	Phase      Phase  // requested only says that the provider makes the call
	Reason     string
	Details    string
	Duration   int64 // seconds; 0 if it is not told
	At         time.Time
}

// Decide implements the command.
func (c Report) Decide(s State) ([]Event, error) {
	switch {
	case s.Phase == "":
		return nil, ErrNotFound
	case c.Phase.rank() < 0:
		return nil, ErrPhase
	case c.Duration < 0 || c.Duration > MaxDuration:
		return nil, ErrDuration
	case !short(c.ProviderID, MaxReason) || !short(c.Reason, MaxReason) || !short(c.Details, MaxDetails):
		return nil, ErrReason
	case c.ProviderID != "" && s.ProviderID != "" && c.ProviderID != s.ProviderID:
		return nil, ErrOfAnother
	}
	var events []Event
	if c.ProviderID != "" && s.ProviderID == "" {
		events = append(events, Placed{ProviderID: c.ProviderID, At: c.At})
	}
	if c.Phase.rank() <= s.Phase.rank() {
		return events, nil
	}
	switch c.Phase {
	case Rings:
		return append(events, Ringing{At: c.At}), nil
	case InProgress:
		return append(events, Answered{At: c.At}), nil
	default:
		return append(events, s.end(c.Phase, c)), nil
	}
}

// end is the end of a call. A provider that tells no duration leaves us to count
// from the answer.
func (s State) end(outcome Phase, c Report) Ended {
	e := Ended{Outcome: outcome, Reason: c.Reason, Details: c.Details, By: s.EndBy, At: c.At}
	if outcome == Completed {
		e.Duration = c.Duration
		if e.Duration == 0 && !s.AnsweredAt.IsZero() && c.At.After(s.AnsweredAt) {
			e.Duration = min(int64(c.At.Sub(s.AnsweredAt)/time.Second), MaxDuration)
		}
	}
	return e
}

// AnswerSession takes in the other end of the media, the first one there is.
type AnswerSession struct {
	ProviderID string
	Answer     string // SDP
	At         time.Time
}

// Decide implements the command.
func (c AnswerSession) Decide(s State) ([]Event, error) {
	events, err := Report{ProviderID: c.ProviderID, Phase: Asked, At: c.At}.Decide(s)
	switch {
	case err != nil:
		return nil, err
	case c.Answer == "" || !session(c.Answer):
		return nil, ErrAnswer
	case s.Connected || s.Phase.Over():
		return events, nil
	}
	return append(events, SessionAnswered{Answer: c.Answer, At: c.At}), nil
}

// RequestEnd cancels a call or hangs up. The end follows when the provider was
// told.
type RequestEnd struct {
	By string
	At time.Time
}

// Decide implements the command.
func (c RequestEnd) Decide(s State) ([]Event, error) {
	switch {
	case s.Phase == "":
		return nil, ErrNotFound
	case s.Phase.Over():
		return nil, ErrOver
	case s.EndBy != "":
		return nil, nil
	}
	return []Event{EndRequested{By: c.By, At: c.At}}, nil
}

// End ends a call that staff wants to end.
type End struct {
	Failed bool // the provider could not be told
	At     time.Time
}

// Decide implements the command.
func (c End) Decide(s State) ([]Event, error) {
	switch {
	case s.Phase == "":
		return nil, ErrNotFound
	case s.Phase.Over():
		return nil, nil
	case c.Failed:
		return []Event{s.end(Failed, Report{Reason: NotHungUp, At: c.At})}, nil
	case s.Phase == InProgress:
		return []Event{s.end(Completed, Report{Reason: HungUp, At: c.At})}, nil
	}
	return []Event{s.end(NoAnswer, Report{Reason: Cancelled, At: c.At})}, nil
}

// TimeOut ends a call whose provider has said nothing for too long. What it was to say
// by then is the end, or, unless the call was Answered, that somebody answers: if that
// is known by now, it is no event. A provider may tell no more than the end, so that
// this is no sign that nobody talks: nobody is hung up on.
type TimeOut struct {
	Answered bool // the customer had answered when it began to wait
	At       time.Time
}

// Decide implements the command.
func (c TimeOut) Decide(s State) ([]Event, error) {
	switch {
	case s.Phase == "":
		return nil, ErrNotFound
	case s.Phase.Over(), (s.Phase == InProgress) != c.Answered:
		return nil, nil
	}
	return []Event{s.end(Failed, Report{Reason: NoReport, At: c.At})}, nil
}
