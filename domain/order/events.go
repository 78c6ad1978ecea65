package order

import (
	"crypto/sha256"
	"time"

	"github.com/chatledger/chatledger/domain/internal/notes"
)

// Events is the catalogue of everything that can happen to an order.
var Events = []Event{
	Placed{},
	Refused{},
	Confirmed{},
	ProcessingStarted{},
	Shipped{},
	Delivered{},
	Cancelled{},
	Returned{},
	PaymentSet{},
	TagsChanged{},
	Assigned{},
	Unassigned{},
	NoteAdded{},
	NoteEdited{},
	NoteDeleted{},
	NoticeRequested{},
	NoticeQueued{},
	NoticeRefused{},
}

// Line is one product of an order. Prices are in minor units of the order's
// currency.
type Line struct {
	Product   string `json:"product"` // the shop's id for it
	Name      string `json:"name,omitempty"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
	Total     int64  `json:"total"`
}

// Placed starts an order.
type Placed struct {
	Workspace string    `json:"workspace"`
	Chat      string    `json:"chat,omitempty"`
	Channel   string    `json:"channel,omitempty"`
	Customer  string    `json:"customer,omitempty"`    // the customer's id in the channel
	Message   string    `json:"message,omitempty"`     // the message that placed it
	Source    string    `json:"source"`                // whatsapp or api
	External  string    `json:"external_id,omitempty"` // the caller's id for it, unique in the workspace
	Catalog   string    `json:"catalog,omitempty"`
	Comment   string    `json:"comment,omitempty"` // the customer's words
	Lines     []Line    `json:"lines"`
	Items     int64     `json:"items"` // sum of the quantities
	Total     int64     `json:"total"` // in minor units of Currency
	Currency  string    `json:"currency"`
	At        time.Time `json:"at"`
}

// Refused keeps an order that cannot be taken, as it came, with the reason. It
// has no total.
type Refused struct {
	Workspace string        `json:"workspace"`
	Chat      string        `json:"chat,omitempty"`
	Channel   string        `json:"channel,omitempty"`
	Customer  string        `json:"customer,omitempty"`
	Message   string        `json:"message,omitempty"`
	Source    string        `json:"source"`
	Catalog   string        `json:"catalog,omitempty"`
	Comment   string        `json:"comment,omitempty"`
	Lines     []RefusedLine `json:"lines"`
	Code      string        `json:"code"` // such as "order.mixed_currencies"
	Reason    string        `json:"reason"`
	At        time.Time     `json:"at"`
}

// RefusedLine is a line as it came, numbers as text.
type RefusedLine struct {
	Product  string `json:"product"`
	Quantity string `json:"quantity"`
	Price    string `json:"price"`
	Currency string `json:"currency"`
}

// Confirmed says that the shop takes the order.
type Confirmed struct{}

// ProcessingStarted says that the shop works on it.
type ProcessingStarted struct{}

// Shipped says that it is on its way.
type Shipped struct {
	Carrier  string `json:"carrier,omitempty"`
	Tracking string `json:"tracking,omitempty"`
}

// Delivered says that the customer has it.
type Delivered struct{}

// Cancelled ends an order that was not shipped.
type Cancelled struct {
	Reason string `json:"reason,omitempty"`
}

// Returned says that the customer sent it back.
type Returned struct {
	Reason string `json:"reason,omitempty"`
}

// PaymentSet says how the payment of the order stands.
type PaymentSet struct {
	Payment   Payment `json:"payment"`
	From      Payment `json:"from"`
	Reference string  `json:"reference,omitempty"` // the payment's id where it was made
	Reason    string  `json:"reason,omitempty"`
}

// TagsChanged is a delta: tags that were not there before, tags that were.
type TagsChanged struct {
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// Assigned makes an agent responsible for the order.
type Assigned struct {
	To   string `json:"to"`
	From string `json:"from,omitempty"`
}

// Unassigned leaves the order to nobody.
type Unassigned struct {
	From string `json:"from"`
}

// NoteAdded is private text on the order, never sent to the customer.
type NoteAdded struct {
	Note NoteID    `json:"note"`
	Text string    `json:"text"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// NoteEdited replaces the text of a note; the log keeps the old one.
type NoteEdited struct {
	Note NoteID    `json:"note"`
	Text string    `json:"text"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// NoteDeleted takes a note away; the log keeps it.
type NoteDeleted struct {
	Note NoteID    `json:"note"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// NoticeRequested says that the customer is to be told of the status that the
// order has now. It comes with the event that set the status.
type NoticeRequested struct {
	Message string    `json:"message"` // the id that the message is to have in the chat
	Chat    string    `json:"chat"`
	Status  Status    `json:"status"`
	Text    string    `json:"text"`
	By      string    `json:"by"`
	Bot     bool      `json:"bot,omitempty"` // By is a bot, not a person
	At      time.Time `json:"at"`

	Template *NoticeTemplate `json:"template,omitempty"` // that the message is; Text is then how it reads
}

// NoticeTemplate is the template that a message is, with the values of its variables.
type NoticeTemplate struct {
	ID      string            `json:"id"`
	Header  map[string]string `json:"header,omitempty"`
	Body    map[string]string `json:"body,omitempty"`
	Buttons map[string]string `json:"buttons,omitempty"`
	Media   *NoticeFile       `json:"media,omitempty"`
}

// NoticeFile is the file in a template's header.
type NoticeFile struct {
	ID       string `json:"id,omitempty"` // of the upload; "" with a link
	Link     string `json:"link,omitempty"`
	Filename string `json:"filename,omitempty"`
}

// NoticeQueued says that the message is in the chat, which knows how far it gets.
type NoticeQueued struct {
	Message string `json:"message"`
}

// NoticeRefused says that the chat did not take the message, and why.
type NoticeRefused struct {
	Message string `json:"message"`
	Code    string `json:"code"` // such as "chat.closed"
	Reason  string `json:"reason"`
}

func (Placed) EventType() string            { return "order.placed.v1" }
func (Refused) EventType() string           { return "order.refused.v1" }
func (Confirmed) EventType() string         { return "order.confirmed.v1" }
func (ProcessingStarted) EventType() string { return "order.processing_started.v1" }
func (Shipped) EventType() string           { return "order.shipped.v1" }
func (Delivered) EventType() string         { return "order.delivered.v1" }
func (Cancelled) EventType() string         { return "order.cancelled.v1" }
func (Returned) EventType() string          { return "order.returned.v1" }

func (PaymentSet) EventType() string      { return "order.payment_set.v1" }
func (TagsChanged) EventType() string     { return "order.tags_changed.v1" }
func (Assigned) EventType() string        { return "order.assigned.v1" }
func (Unassigned) EventType() string      { return "order.unassigned.v1" }
func (NoteAdded) EventType() string       { return "order.note_added.v1" }
func (NoteEdited) EventType() string      { return "order.note_edited.v1" }
func (NoteDeleted) EventType() string     { return "order.note_deleted.v1" }
func (NoticeRequested) EventType() string { return "order.notice_requested.v1" }
func (NoticeQueued) EventType() string    { return "order.notice_queued.v1" }
func (NoticeRefused) EventType() string   { return "order.notice_refused.v1" }

func (e Placed) apply(s *State) {
	*s = State{Exists: true, Workspace: e.Workspace, Chat: e.Chat, External: e.External, Status: StatusPlaced, Payment: Unpaid}
	if e.External != "" {
		s.Content = e.content()
	}
}

func (e Refused) apply(s *State) {
	*s = State{Exists: true, Workspace: e.Workspace, Chat: e.Chat, Status: StatusRefused}
}
func (Confirmed) apply(s *State)         { s.Status = StatusConfirmed }
func (ProcessingStarted) apply(s *State) { s.Status = StatusProcessing }
func (e Shipped) apply(s *State) {
	s.Status, s.Carrier, s.Tracking = StatusShipped, e.Carrier, e.Tracking
}
func (Delivered) apply(s *State) { s.Status = StatusDelivered }
func (Cancelled) apply(s *State) { s.Status = StatusCancelled }
func (Returned) apply(s *State)  { s.Status = StatusReturned }

func (e PaymentSet) apply(s *State) { s.Payment, s.PaymentReference = e.Payment, e.Reference }
func (e TagsChanged) apply(s *State) {
	for _, t := range e.Added {
		put(&s.Tags, t, struct{}{})
	}
	for _, t := range e.Removed {
		delete(s.Tags, t)
	}
}
func (e Assigned) apply(s *State) { s.Assignee = e.To }
func (Unassigned) apply(s *State) { s.Assignee = "" }
func (e NoteAdded) apply(s *State) {
	put(&s.Notes, e.Note, notes.New(e.By, e.Text))
}

func (e NoteEdited) apply(s *State) {
	n := s.Notes[e.Note]
	n.Text = sha256.Sum256([]byte(e.Text))
	put(&s.Notes, e.Note, n) // whose note it is stays
}

func (e NoteDeleted) apply(s *State) {
	n := s.Notes[e.Note]
	n.Deleted = true
	put(&s.Notes, e.Note, n)
}
func (e NoticeRequested) apply(s *State) { put(&s.Notices, e.Message, false) }
func (e NoticeQueued) apply(s *State)    { put(&s.Notices, e.Message, true) }
func (e NoticeRefused) apply(s *State)   { put(&s.Notices, e.Message, true) }
