package chat

import (
	"time"

	"github.com/chatledger/chatledger/domain/internal/notes"
)

// State is what past events allow a decision to depend on, and no more. A
// customer's messages leave only a count and a time in it, so that a chat of 10,000
// messages stays small.
//
// Evolve changes the maps in place: whoever holds a State must be the only one
// to use it while it evolves. Decide never changes it.
type State struct {
	Exists       bool
	Deleted      bool
	Workspace    string
	Channel      string
	Customer     string
	Status       string
	Category     Category
	Before       string // the status that it had before it was closed
	Assignee     AgentID
	Team         TeamID
	Tags         map[TagID]struct{}
	Notes        map[NoteID]Note
	Unread       int           // customer's messages since the last MarkedRead, 1 at least after a MarkedUnread, once a snooze has ended by its time and after a ScheduleFailed
	LastReceived time.Time     // the latest At of the customer's messages; zero if there is none
	Details      DetailsShared // the latest; its At is zero if there are none: the visitor is no contact
	Known        Known
	Outbound     map[MessageID]Outbound
	Reports      map[string]Report // by provider id, of messages known and unknown
	Call         string            // the call that takes the line; "" if none does
	OptedOut     bool              // of marketing
	Snooze       *Snooze           // nil if the chat is not snoozed
	Media        map[MessageID]MediaFile
	LastMessage  LastMessage               // that LastReceived is of
	ReadShown    MessageID                 // up to which the customer was shown that we have read
	TypingUntil  time.Time                 // with ReadShown: until when the customer sees that we write; zero if they do not
	Reactions    map[MessageID]OwnReaction // of ours, by the customer's message
	ReactionIDs  map[string]MessageID      // the same, by what the provider calls the reaction
	Scheduled    map[MessageID]Scheduled
	Offer        *Offer            // nil if no transfer waits to be accepted
	Files        map[FileID]Upload // that were uploaded, the expired ones until the next one comes

	CallPermission *CallPermission // nil if nothing is known
}

// LastMessage is a customer's message, and what the provider calls it.
type LastMessage struct {
	ID         MessageID
	ProviderID string
}

// Note is what decisions need to know of a note, also after it was deleted.
type Note = notes.Note[AgentID]

// Outbound is what decisions need to know of a message to the customer.
type Outbound struct {
	State      Delivery
	ProviderID string // "" until the provider took the message
}

// Report is what a provider id stands for: a message once it was accepted,
// until then the furthest state that was reported.
type Report struct {
	Message MessageID
	Pending Delivery // only without Message
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Closed reports whether the chat's status is of the closed category.
func (s State) Closed() bool { return s.Category == CategoryClosed }

// visible refuses whatever addresses a chat that does not exist or is hidden.
func (s State) visible() error {
	if !s.Exists || s.Deleted {
		return ErrNotFound
	}
	return nil
}

// workable refuses, besides, what a closed chat has to be reopened for.
func (s State) workable() error {
	if err := s.visible(); err != nil {
		return err
	}
	if s.Closed() {
		return ErrClosed
	}
	return nil
}

// put sets a key of a map that may not be there yet.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}
