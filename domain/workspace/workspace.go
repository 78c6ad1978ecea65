// Package workspace decides about one customer of the platform. Nothing crosses
// from one workspace to another.
//
// It is pure: no I/O, no clock, no randomness.
package workspace

// ID names a workspace: a slug such as "acme".
type ID string

// Event is a fact about a workspace, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
