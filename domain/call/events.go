package call

import "time"

// Events is the catalogue of everything that can happen to a call.
var Events = []Event{Requested{}, Placed{}, Ringing{}, Answered{}, SessionAnswered{}, EndRequested{}, Ended{}}

// Requested asks for a call.
type Requested struct {
	Workspace string    `json:"workspace"`
	Chat      string    `json:"chat"`
	Channel   string    `json:"channel"`
	Customer  string    `json:"customer"` // the customer's id in the channel
	Phone     string    `json:"phone"`    // "+" and digits
	Provider  Provider  `json:"provider"`
	Offer     string    `json:"offer,omitempty"` // SDP of the caller's end (RFC 8866), where the provider wants one
	By        string    `json:"by"`
	At        time.Time `json:"at"`
}

// Placed says that the provider makes the call, and how it calls it.
type Placed struct {
	ProviderID string    `json:"provider_id"`
	At         time.Time `json:"at"`
}

// Ringing says that it rings at the customer's.
type Ringing struct {
	At time.Time `json:"at"`
}

// Answered says that the customer talks.
type Answered struct {
	At time.Time `json:"at"`
}

// SessionAnswered is the other end of the media, which the caller needs to hear
// anything.
type SessionAnswered struct {
	Answer string    `json:"answer"` // SDP (RFC 8866)
	At     time.Time `json:"at"`
}

// EndRequested says that staff wants the call to end.
type EndRequested struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Ended ends the call.
type Ended struct {
	Outcome  Phase     `json:"outcome"`          // completed, no_answer, failed or rejected
	Reason   string    `json:"reason,omitempty"` // a code, ours or the provider's
	Details  string    `json:"details,omitempty"`
	Duration int64     `json:"duration_seconds"` // 0 unless completed
	By       string    `json:"by,omitempty"`     // who of staff ended it
	At       time.Time `json:"at"`
}

func (Requested) EventType() string       { return "call.requested.v1" }
func (Placed) EventType() string          { return "call.placed.v1" }
func (Ringing) EventType() string         { return "call.ringing.v1" }
func (Answered) EventType() string        { return "call.answered.v1" }
func (SessionAnswered) EventType() string { return "call.session_answered.v1" }
func (EndRequested) EventType() string    { return "call.end_requested.v1" }
func (Ended) EventType() string           { return "call.ended.v1" }

func (e Requested) apply(s *State) {
	e.Offer = "" // it is large, and no decision depends on it
	s.Request, s.Phase = e, Asked
}

func (e Placed) apply(s *State)          { s.ProviderID = e.ProviderID }
func (Ringing) apply(s *State)           { s.Phase = Rings }
func (e Answered) apply(s *State)        { s.Phase, s.AnsweredAt = InProgress, e.At }
func (e SessionAnswered) apply(s *State) { s.Connected = true }
func (e EndRequested) apply(s *State)    { s.EndBy = e.By }
func (e Ended) apply(s *State)           { s.Phase, s.Outcome = e.Outcome, e }
