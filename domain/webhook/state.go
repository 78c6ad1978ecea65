package webhook

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Codes of a delivery of which nothing was used.
const (
	NotOurs      = "not_ours"      // for another account than the channel's
	NotWhatsApp  = "not_whatsapp"  // for another product of the provider
	Empty        = "empty"         // there is nothing in it
	NotSupported = "not_supported" // only fields that are kept for later
	Malformed    = "malformed"     // not of the form that is documented
)

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Exists    bool
	Workspace string
	Channel   string
	Done      bool  // translated or set aside since it was last asked for
	Outcome   Event // the latest Translated or SetAside; nil if there is none
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Refusals.
var (
	ErrNotFound    = fault.New(fault.NotFound, "webhook.not_found", "no such delivery")
	ErrIncomplete  = fault.Bad("channel", "webhook.channel_missing", "workspace and channel are required")
	ErrMalformed   = fault.Bad("body", "webhook.malformed", "the body is not JSON in UTF-8")
	ErrCounts      = fault.Bad("messages", "webhook.bad_counts", "counts are zero or more")
	ErrCode        = fault.Bad("code", "webhook.unknown_code", "the code is not_ours, not_whatsapp, empty, not_supported or malformed")
	ErrReasonLong  = fault.Bad("reason", "webhook.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReasonBytes = fault.Bad("reason", "webhook.reason_invalid", "the reason is not UTF-8 or holds U+0000")
	ErrByMissing   = fault.Bad("by", "webhook.by_missing", "who asks for it is required")
)

var reasonText = text.Rule{Max: text.MaxReason, TooLong: ErrReasonLong, Unclean: ErrReasonBytes}
