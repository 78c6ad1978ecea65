package channel

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Exists    bool
	Connected bool
	Workspace string
	Kind      Kind
	Name      string
	Account   string
	Phone     string
	Calls     string // who makes calls for it; "" if nobody does
	ReadMarks ReadMarks
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// connected refuses what needs a channel that is in use.
func (s State) connected() error {
	switch {
	case !s.Exists:
		return ErrNotFound
	case !s.Connected:
		return ErrDisconnected
	}
	return nil
}

// Refusals.
var (
	ErrNotFound     = fault.New(fault.NotFound, "channel.not_found", "no such channel")
	ErrDisconnected = fault.New(fault.Conflict, "channel.disconnected", "the channel was disconnected; connect it again")
	ErrExists       = fault.New(fault.Conflict, "channel.exists", "the channel stands for another account")

	ErrReadMarks      = fault.Bad("read_marks", "channel.unknown_read_marks", "read marks are shown when asked, always or never")
	ErrCallProvider   = fault.Bad("provider", "channel.unknown_call_provider", "the provider is webhook or whatsapp")
	ErrWorkspace      = fault.Bad("workspace", "channel.workspace_missing", "a workspace is required")
	ErrKind           = fault.Bad("kind", "channel.unknown_kind", "the kind is whatsapp")
	ErrNameMissing    = fault.Bad("name", "channel.name_missing", "a name is required")
	ErrNameTooLong    = fault.Bad("name", "channel.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid    = fault.Bad("name", "channel.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrAccountMissing = fault.Bad("account", "channel.account_missing", "the provider's id of the account is required")
	ErrAccountTooLong = fault.Bad("account", "channel.account_too_long", "the provider's id of the account is longer than 200 characters")
	ErrAccountInvalid = fault.Bad("account", "channel.account_invalid", "the provider's id of the account is not UTF-8 or holds U+0000")
	ErrPhoneTooLong   = fault.Bad("phone", "channel.phone_too_long", "the phone number is longer than 200 characters")
	ErrPhoneInvalid   = fault.Bad("phone", "channel.phone_invalid", "the phone number is not UTF-8 or holds U+0000")
	ErrReasonTooLong  = fault.Bad("reason", "channel.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReasonInvalid  = fault.Bad("reason", "channel.reason_invalid", "the reason is not UTF-8 or holds U+0000")
)

var (
	nameText    = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
	accountText = text.Rule{Max: text.MaxName, Missing: ErrAccountMissing, TooLong: ErrAccountTooLong, Unclean: ErrAccountInvalid}
	phoneText   = text.Rule{Max: text.MaxName, TooLong: ErrPhoneTooLong, Unclean: ErrPhoneInvalid}
	reasonText  = text.Rule{Max: text.MaxReason, TooLong: ErrReasonTooLong, Unclean: ErrReasonInvalid}
)
