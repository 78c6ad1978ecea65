// Package channel decides about the accounts that customers write to.
//
// It is pure: no I/O, no clock, no randomness; and it never sees a secret.
package channel

// ID names a channel.
type ID string

// Kind is a sort of channel.
type Kind string

// WhatsApp is a WhatsApp Business number, through Meta's Cloud API.
const WhatsApp Kind = "whatsapp"

// Event is a fact about a channel, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
