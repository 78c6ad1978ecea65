package call

import (
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Request    Requested
	Phase      Phase // "" before there is a call
	ProviderID string
	Connected  bool // the other end of the media is known
	AnsweredAt time.Time
	EndBy      string // who of staff wants it to end
	Outcome    Ended  // once it is over
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Bounds.
const (
	MaxSession  = 64 << 10 // bytes of an SDP
	MaxReason   = 200      // runes of a reason and of a provider's id
	MaxDetails  = 1_000
	MaxSilence  = time.Hour      // without a report, until the customer answers
	MaxTalk     = 24 * time.Hour // from then on
	MaxDuration = 7 * 24 * 3600  // seconds
)

// Refusals.
var (
	ErrNotFound     = fault.New(fault.NotFound, "call.not_found", "no such call")
	ErrOver         = fault.New(fault.Conflict, "call.over", "the call has ended")
	ErrExists       = fault.New(fault.Conflict, "call.exists", "there is a call of this id")
	ErrOfAnother    = fault.New(fault.Conflict, "call.provider_id", "the provider's id belongs to another call")
	ErrIncomplete   = fault.Bad("chat", "call.incomplete", "workspace, chat, phone and who calls are required")
	ErrProvider     = fault.Bad("provider", "call.unknown_provider", "the provider is webhook or whatsapp")
	ErrPhase        = fault.Bad("status", "call.unknown_status", "the status is ringing, in_progress, completed, no_answer, failed or rejected")
	ErrDuration     = fault.Bad("duration", "call.duration", "the duration is in seconds, at most a week")
	ErrOffer        = fault.Bad("offer", "call.offer", "the offer is an SDP of at most 64 KiB")
	ErrOfferMissing = fault.Bad("offer", "call.offer_missing", "this channel calls through WhatsApp, which needs the SDP offer of the caller's end")
	ErrAnswer       = fault.Bad("answer", "call.answer", "the answer is an SDP of at most 64 KiB")
	ErrReason       = fault.Bad("reason", "call.reason", "a reason or an id is longer than 200 characters, is not UTF-8 or holds U+0000")
)

func short(s string, most int) bool { return len([]rune(s)) <= most && text.Clean(s) }

func session(s string) bool { return len(s) <= MaxSession && text.Clean(s) }
