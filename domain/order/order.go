// Package order decides what may happen to one order, from its placing to its
// delivery or return.
//
// It is pure: no I/O, no clock, no randomness. Money is whole minor units.
package order

import (
	"crypto/sha256"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/notes"
	"github.com/chatledger/chatledger/domain/internal/tagging"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// ID names an order.
type ID string

// NoteID names a note of an order.
type NoteID string

// Payment says how the payment of an order stands. It is for people and for
// integrations to say: it does not follow from the status.
type Payment string

// Payments.
const (
	Unpaid         Payment = "unpaid" // every order begins so
	Pending        Payment = "pending"
	Paid           Payment = "paid"
	Failed         Payment = "failed"
	PartlyRefunded Payment = "partly_refunded"
	Refunded       Payment = "refunded"
)

// Status is where an order is in its life. These are not the words of a chat.
type Status string

// Statuses. A refused order was never placed and goes nowhere.
const (
	StatusPlaced     Status = "placed"
	StatusConfirmed  Status = "confirmed"
	StatusProcessing Status = "processing"
	StatusShipped    Status = "shipped"
	StatusDelivered  Status = "delivered"
	StatusCancelled  Status = "cancelled"
	StatusReturned   Status = "returned"
	StatusRefused    Status = "refused"
)

// Sources of an order.
const (
	SourceWhatsApp = "whatsapp"
	SourceAPI      = "api"
)

// Limits of an order.
const (
	MaxLines    = 500
	MaxQuantity = 1_000_000 // of one line
	MaxAmount   = 1<<53 - 1 // minor units of a line and of the whole: what every reader of JSON takes exactly
	MaxComment  = 10_000    // runes
	MaxTags     = 100
	MaxNote     = 10_000 // runes
	MaxNotes    = 1_000  // of an order, deleted ones included
	maxWord     = 1_000  // runes of an id or name from outside
)

// Event is a fact about an order, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// State is what past events allow a decision to depend on, and no more.
//
// Evolve changes the maps in place; Decide never does.
type State struct {
	Exists    bool // placed or refused
	Workspace string
	Chat      string
	External  string            // the caller's id for it
	Content   [sha256.Size]byte // hash of what was ordered, if External is set
	Status    Status
	Carrier   string // of the shipment
	Tracking  string
	Assignee  string
	Tags      map[string]struct{}
	Notes     map[NoteID]Note
	Notices   map[string]bool // messages to the customer; true: the chat took it or refused it

	Payment          Payment
	PaymentReference string
}

// Note is what decisions need to know of a note, also after it was deleted.
type Note = notes.Note[string]

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// placed refuses whatever addresses an order that does not exist or was refused.
func (s State) placed() error {
	switch {
	case !s.Exists:
		return ErrNotFound
	case s.Status == StatusRefused:
		return ErrRefused
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

// Refusals.
var (
	ErrNotFound         = fault.New(fault.NotFound, "order.not_found", "no such order")
	ErrRefused          = fault.New(fault.Conflict, "order.refused", "the order was refused when it came")
	ErrWrongStatus      = fault.New(fault.Conflict, "order.wrong_status", "the order's status does not allow this")
	ErrShippedOtherwise = fault.New(fault.Conflict, "order.shipped_otherwise", "the order was shipped with another carrier or tracking number")
	ErrPlacedOtherwise  = fault.New(fault.Conflict, "order.placed_otherwise", "an order with that external id was placed before, with other lines, another currency, comment or chat")
	ErrNoChat           = fault.New(fault.Conflict, "order.no_chat", "the order belongs to no chat: the customer cannot be told")
	ErrNotPaid          = fault.New(fault.Conflict, "order.not_paid", "only what was paid can be refunded")
	ErrTooManyTags      = fault.New(fault.Conflict, "order.too_many_tags", "an order can have 100 tags at most")
	ErrTooManyNotes     = fault.New(fault.Conflict, "order.too_many_notes", "an order can have 1,000 notes at most")
	ErrNoteNotFound     = fault.New(fault.NotFound, "order.note_not_found", "no such note")
	ErrNoteOfAnother    = fault.New(fault.Forbidden, "order.note_of_another", "the note is somebody else's")
	ErrNoticeNotFound   = fault.New(fault.NotFound, "order.notice_not_found", "no such message was to be sent")

	ErrWorkspace       = fault.Bad("workspace", "order.workspace_missing", "a workspace is required")
	ErrSource          = fault.Bad("source", "order.unknown_source", "the source is whatsapp or api")
	ErrNoLines         = fault.Bad("lines", "order.no_lines", "an order has one line at least")
	ErrTooManyLines    = fault.Bad("lines", "order.too_many_lines", "an order has 500 lines at most")
	ErrProductMissing  = fault.Bad("product", "order.product_missing", "each line names its product")
	ErrQuantity        = fault.Bad("quantity", "order.bad_quantity", "a quantity is a whole number from 1 to 1,000,000")
	ErrUnitPrice       = fault.Bad("unit_price", "order.bad_price", "a price is zero or more minor units of the currency")
	ErrTooLarge        = fault.Bad("lines", "order.total_too_large", "the total is too large")
	ErrCurrency        = fault.Bad("currency", "order.unknown_currency", "the currency is not an active code of ISO 4217, such as EUR")
	ErrMixedCurrencies = fault.Bad("currency", "order.mixed_currencies", "an order is in one currency")
	ErrCodeMissing     = fault.Bad("code", "order.code_missing", "a refusal has a code")
	ErrTextTooLong     = fault.Bad("comment", "order.text_too_long", "the comment, or a product's id or name, is too long")
	ErrTextInvalid     = fault.Bad("comment", "order.text_invalid", "the comment, or a product's id or name, is not UTF-8 or holds U+0000")
	ErrReasonTooLong   = fault.Bad("reason", "order.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReasonInvalid   = fault.Bad("reason", "order.reason_invalid", "the reason is not UTF-8 or holds U+0000")
	ErrPayment         = fault.Bad("payment", "order.unknown_payment", "the payment is unpaid, pending, paid, failed, partly_refunded or refunded")
	ErrReferenceLong   = fault.Bad("reference", "order.reference_too_long", "the reference is longer than 200 characters")
	ErrReference       = fault.Bad("reference", "order.reference_invalid", "the reference is not UTF-8 or holds U+0000")
	ErrExternalLong    = fault.Bad("external_id", "order.external_id_too_long", "the external id is longer than 200 characters")
	ErrExternal        = fault.Bad("external_id", "order.external_id_invalid", "the external id is not UTF-8 or holds U+0000")
	ErrAgentMissing    = fault.Bad("agent", "order.agent_missing", "an agent is required")
	ErrTagToAdd        = fault.Bad("add", "order.tag_missing", "a tag is empty")
	ErrTagToRemove     = fault.Bad("remove", "order.tag_missing", "a tag is empty")
	ErrTagBothWays     = fault.Bad("remove", "order.tag_both_ways", "a tag is to be added and removed")
	ErrNoteMissing     = fault.Bad("note", "order.note_missing", "a note is required")
	ErrByMissing       = fault.Bad("by", "order.by_missing", "whoever does it is required")
	ErrNoteText        = fault.Bad("text", "order.note_text_missing", "a text is required")
	ErrNoteTextLong    = fault.Bad("text", "order.note_text_too_long", "the text is longer than 10,000 characters")
	ErrNoteTextInvalid = fault.Bad("text", "order.note_text_invalid", "the text is not UTF-8 or holds U+0000")
	ErrMessageMissing  = fault.Bad("message", "order.message_missing", "a message is required")
	ErrTrackingTooLong = fault.Bad("tracking", "order.tracking_too_long", "the carrier or the tracking number is longer than 200 characters")
	ErrTrackingInvalid = fault.Bad("tracking", "order.tracking_invalid", "the carrier or the tracking number is not UTF-8 or holds U+0000")
)

var (
	commentText  = text.Rule{Max: MaxComment, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
	productText  = text.Rule{Max: maxWord, Missing: ErrProductMissing, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
	wordText     = text.Rule{Max: maxWord, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
	reasonText   = text.Rule{Max: text.MaxReason, TooLong: ErrReasonTooLong, Unclean: ErrReasonInvalid}
	noteText     = text.Rule{Max: MaxNote, Missing: ErrNoteText, TooLong: ErrNoteTextLong, Unclean: ErrNoteTextInvalid}
	refText      = text.Rule{Max: text.MaxName, TooLong: ErrReferenceLong, Unclean: ErrReference}
	externalText = text.Rule{Max: text.MaxName, TooLong: ErrExternalLong, Unclean: ErrExternal}
	trackingText = text.Rule{Max: text.MaxName, TooLong: ErrTrackingTooLong, Unclean: ErrTrackingInvalid}
)

var (
	noteRules = notes.Rules{Text: noteText, Missing: ErrNoteMissing, ByMissing: ErrByMissing, NotFound: ErrNoteNotFound, Other: ErrNoteOfAnother, TooMany: ErrTooManyNotes, Max: MaxNotes}
	tagRules  = tagging.Rules{ToAdd: ErrTagToAdd, ToRemove: ErrTagToRemove, BothWays: ErrTagBothWays, TooMany: ErrTooManyTags, Max: MaxTags}
)
