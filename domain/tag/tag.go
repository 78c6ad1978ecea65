// Package tag decides about the tags of one workspace, all in one stream, so
// that a name is unique.
//
// It is pure: no I/O, no clock, no randomness.
package tag

// ID names a tag in its workspace: a slug of its first name.
type ID string

// Event is a fact about a workspace's tags, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
