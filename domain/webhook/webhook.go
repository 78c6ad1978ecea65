// Package webhook decides about what providers deliver: it is kept first and
// understood later.
//
// It is pure: no I/O, no clock, no randomness.
package webhook

// ID names a delivery by its channel and bytes.
type ID string

// Event is a fact about a delivery, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
