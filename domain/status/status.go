// Package status decides about the list of statuses of one workspace, all in
// one stream.
//
// It is pure: no I/O, no clock, no randomness.
package status

// ID names a status in its workspace, such as "OPEN": its first name, upper case.
type ID string

// Category is what a status means to the logic: open, pending or closed.
type Category string

// Categories.
const (
	Open    Category = "open"
	Pending Category = "pending"
	Closed  Category = "closed"
)

// Event is a fact about a workspace's statuses, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
