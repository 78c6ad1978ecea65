// Package request keeps the answers of requests that changed nothing, so that a
// repeat with the same idempotency key gets the first answer again. A request
// that changed something needs no such record: its events are the answer.
//
// It is pure: no I/O, no clock, no randomness.
package request

// Event is a fact about a request, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// Events is the catalogue of everything that can happen to a request.
var Events = []Event{Answered{}}

// Answered keeps what was answered: a refusal, or that nothing had to change.
type Answered struct {
	Workspace   string `json:"workspace"`
	Fingerprint string `json:"fingerprint"`        // of what was asked
	Subject     string `json:"subject,omitempty"`  // id of the thing addressed
	Revision    int64  `json:"revision"`           // of its stream at the time
	Position    int64  `json:"position,omitempty"` // of the log at the time
	Kind        uint8  `json:"kind,omitempty"`     // of the refusal: a fault.Kind; 0 for none
	Code        string `json:"code,omitempty"`
	Msg         string `json:"msg,omitempty"`
	Field       string `json:"field,omitempty"`
}

// EventType returns the published name of the event.
func (Answered) EventType() string { return "request.answered.v1" }

func (e Answered) apply(s *State) {
	if !s.Exists {
		*s = State{Exists: true, First: e}
	}
}

// State is the first answer that was given.
type State struct {
	Exists bool
	First  Answered
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Answer records an answer, unless there is one.
type Answer struct{ Answered }

// Decide implements the command.
func (c Answer) Decide(s State) ([]Event, error) {
	if s.Exists {
		return nil, nil
	}
	return []Event{c.Answered}, nil
}
