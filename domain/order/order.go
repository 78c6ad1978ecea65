// Package order decides what may happen to one order, from its placing to its
// delivery or return.
//
// It is pure: no I/O, no clock, no randomness. Money is whole minor units.
package order

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// ID names an order.
type ID string

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
	maxWord     = 1_000     // runes of an id or name from outside
)

// Event is a fact about an order, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Exists    bool // placed or refused
	Workspace string
	Status    Status
	Carrier   string // of the shipment
	Tracking  string
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Refusals.
var (
	ErrNotFound         = fault.New(fault.NotFound, "order.not_found", "no such order")
	ErrRefused          = fault.New(fault.Conflict, "order.refused", "the order was refused when it came")
	ErrWrongStatus      = fault.New(fault.Conflict, "order.wrong_status", "the order's status does not allow this")
	ErrShippedOtherwise = fault.New(fault.Conflict, "order.shipped_otherwise", "the order was shipped with another carrier or tracking number")

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
	ErrTrackingTooLong = fault.Bad("tracking", "order.tracking_too_long", "the carrier or the tracking number is longer than 200 characters")
	ErrTrackingInvalid = fault.Bad("tracking", "order.tracking_invalid", "the carrier or the tracking number is not UTF-8 or holds U+0000")
)

var (
	commentText  = text.Rule{Max: MaxComment, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
	productText  = text.Rule{Max: maxWord, Missing: ErrProductMissing, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
	wordText     = text.Rule{Max: maxWord, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
	reasonText   = text.Rule{Max: text.MaxReason, TooLong: ErrReasonTooLong, Unclean: ErrReasonInvalid}
	trackingText = text.Rule{Max: text.MaxName, TooLong: ErrTrackingTooLong, Unclean: ErrTrackingInvalid}
)
