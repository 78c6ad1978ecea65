// Package call decides about calls to customers: what a provider was asked to do
// and how far it got.
//
// It is pure: no I/O, no clock, no randomness. That a chat has one call at a time
// is decided in package chat.
package call

// ID names a call.
type ID string

// Provider names who makes the call.
type Provider string

// Providers.
const (
	Webhook  Provider = "webhook"  // any click-to-call service, by signed requests
	WhatsApp Provider = "whatsapp" // the WhatsApp Business Calling API
)

// Known reports whether there is such a provider.
func (p Provider) Known() bool { return p == Webhook || p == WhatsApp }

// Phase is how far a call is.
type Phase string

// Phases, in the order in which a call can reach them; the last four end it.
const (
	Asked      Phase = "requested"
	Rings      Phase = "ringing"
	InProgress Phase = "in_progress"
	Completed  Phase = "completed"
	NoAnswer   Phase = "no_answer"
	Failed     Phase = "failed"
	Rejected   Phase = "rejected"
)

// Over reports whether a call in this phase has ended.
func (p Phase) Over() bool {
	return p == Completed || p == NoAnswer || p == Failed || p == Rejected
}

// rank orders phases. A report moves a call on, never back.
func (p Phase) rank() int {
	switch {
	case p == Asked:
		return 0
	case p == Rings:
		return 1
	case p == InProgress:
		return 2
	case p.Over():
		return 3
	}
	return -1
}

// Reasons of our own for an end. A provider may give others.
const (
	Cancelled      = "cancelled"          // staff ended it before the customer answered
	HungUp         = "hung_up"            // staff ended it
	NotHungUp      = "hang_up_failed"     // staff ended it and the provider could not be told
	OutcomeUnknown = "outcome_unknown"    // the provider may have made it; it is not made again
	Unreachable    = "unreachable"        // the provider could not be reached, in all tries
	NotSetUp       = "provider_not_setup" // the channel has nobody who makes calls
	NoReport       = "no_report"          // the provider said nothing more for too long
)

// Event is a fact about a call, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
