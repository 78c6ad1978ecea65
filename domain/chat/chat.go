// Package chat decides what may happen to one customer conversation.
//
// The package is pure: it does no I/O, reads no clock and draws no random
// numbers. A command's Decide method turns the past into new events, or refuses;
// Evolve folds one event into the State that the next decision is made on.
package chat

// ID names a chat: the one long-lived thread between a customer and a channel.
type ID string

// MessageID names a message of a chat.
type MessageID string

// NoteID names a note of a chat.
type NoteID string

// AgentID names a member of staff; "" means nobody.
type AgentID string

// TeamID names a team; "" means none.
type TeamID string

// TagID names a tag of the workspace.
type TagID string

// Category is what a status means to the logic, whatever a workspace calls it.
type Category string

// Categories of status.
const (
	CategoryOpen    Category = "open"
	CategoryPending Category = "pending"
	CategoryClosed  Category = "closed"
)

// Delivery is how far a message to the customer got.
type Delivery string

// Delivery states, in the order of Rank.
const (
	Queued    Delivery = "queued"
	Sent      Delivery = "sent"
	Failed    Delivery = "failed"
	Delivered Delivery = "delivered"
	Read      Delivery = "read"
)

// Rank orders delivery states: a message only ever moves to a higher one, so
// reports may come late, twice or in any order. An unknown state has rank -1.
// Failed ranks below delivered: that a customer has it is the better evidence.
func (d Delivery) Rank() int {
	switch d {
	case Queued:
		return 0
	case Sent:
		return 1
	case Failed:
		return 2
	case Delivered:
		return 3
	case Read:
		return 4
	}
	return -1
}

// ContactReason says how a visitor became a contact.
type ContactReason string

// Reasons to be a contact.
const (
	ByContactCard ContactReason = "contact_card"
	ByForm        ContactReason = "form"
	ByImport      ContactReason = "import"
	ByAgent       ContactReason = "typed_in"
	ByChatflow    ContactReason = "chatflow"
)

// TransferKind says to whom a chat is handed on.
type TransferKind string

// Kinds of transfer.
const (
	ToAgent TransferKind = "agent"
	ToTeam  TransferKind = "team"
	ToBot   TransferKind = "bot"
)

// Event is a fact about a chat. The interface is sealed by apply, so an event
// that does not say how it changes the State does not compile.
type Event interface {
	EventType() string // stable and versioned, such as "chat.assigned.v1"
	apply(*State)
}
