package conversation

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/chat"
)

// Kinds of entry.
const (
	KindMessage = "message"
	KindNote    = "note"
	KindSystem  = "system"
)

// Directions of a message.
const (
	In  = "in"  // from the customer
	Out = "out" // to the customer
)

// EntryRow is a row of conversation_v3_entries: what an event added to the
// conversation of a chat, for good. Times are in microseconds since 1970 UTC.
//
// What may change later is in tables of its own: how far a message got, the text
// of a note. So an entry is written once, behind all others, and that is what
// makes a rebuild fast.
type EntryRow struct {
	Position   int64  `db:"position,key"` // of the event
	Chat       string `db:"chat_id"`
	Workspace  string `db:"workspace"`
	Kind       string `db:"kind"`
	At         int64  `db:"happened_at"`
	ID         string `db:"entry_id"` // of the message, the note or the event
	ByKind     string `db:"by_kind"`
	ByID       string `db:"by_id"`
	ProviderID string `db:"provider_id"` // of a message from the customer
	Body       Body   `db:"body"`
	Revision   int64  `db:"revision"` // of the event
}

// Direction returns which way a message went.
func (r *EntryRow) Direction() string {
	if r.ByKind == byCustomer {
		return In
	}
	return Out
}

// Body is what a message or a system entry holds.
type Body struct {
	Content  *chat.Content  `json:"content,omitempty"`
	Context  *chat.Context  `json:"context,omitempty"`
	Referral *chat.Referral `json:"referral,omitempty"`
	Blocked  bool           `json:"blocked,omitempty"`
	System   *System        `json:"system,omitempty"`

	QuickReply *chat.QuickReplyUse `json:"quick_reply,omitempty"`
	Template   *chat.TemplateUse   `json:"template,omitempty"`
	Campaign   string              `json:"campaign,omitempty"`
}

// MarshalJSON is json.Marshal, in a fraction of the time for plain text.
func (b Body) MarshalJSON() ([]byte, error) {
	type body Body // without this method
	if c := b.Content; c != nil && b.Context == nil && b.Referral == nil && !b.Blocked && b.System == nil && b.QuickReply == nil && b.Template == nil && b.Campaign == "" && isText(c) {
		const before, after = `{"content":{"kind":"text","text":"`, `"}}`
		out := make([]byte, 0, len(before)+len(c.Text)+len(after))
		return append(append(append(out, before...), c.Text...), after...), nil
	}
	return json.Marshal(body(b))
}

// Progress is how far a message to the customer got. The zero Progress says
// that nothing is known.
type Progress struct {
	State        string `db:"delivery_state"`
	StateAt      int64  `db:"delivery_at"`
	ErrorCode    int64  `db:"error_code"`
	ErrorTitle   string `db:"error_title"`
	ErrorDetails string `db:"error_details"`
}

// isText reports whether c is text and nothing else, and JSON has nothing to
// escape in it. TestBodyJSON knows if a field is missing here.
func isText(c *chat.Content) bool {
	if strings.ContainsFunc(c.Text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }) {
		return false
	}
	return c.Kind == "text" && c.Text != "" && c.Media == nil && c.Location == nil && c.Cards == nil && c.Reply == nil &&
		c.Flow == nil && c.Order == "" && c.Error == nil && c.Raw == nil && c.Interactive == nil
}

// MessageKey names a message to the customer.
type MessageKey struct {
	Chat string `db:"chat_id,key"`
	ID   string `db:"message,key"`
}

// DeliveryRow is a row of conversation_v3_deliveries: how far a message to the
// customer got. As long as it is only queued, it has none.
type DeliveryRow struct {
	MessageKey
	ProviderID string `db:"provider_id"` // "" until the provider took it
	Progress
}

// NoteKey names a note.
type NoteKey struct {
	Chat string `db:"chat_id,key"`
	ID   string `db:"note,key"`
}

// NoteRow is a row of conversation_v3_notes. Of a deleted note nothing is left but
// that there was one.
type NoteRow struct {
	NoteKey
	Position int64  `db:"position"` // of its entry
	Text     string `db:"note_text"`
	EditedAt int64  `db:"edited_at"` // 0 if never
	EditedBy string `db:"edited_by"`
	Deleted  bool   `db:"deleted"`
}

// ReportKey names a message as its provider does.
type ReportKey struct {
	Chat       string `db:"chat_id,key"`
	ProviderID string `db:"provider_id,key"`
}

// ReportRow is a row of conversation_v3_reports: what a provider said about a
// message to the customer, kept until we know which one that is, and after.
type ReportRow struct {
	ReportKey
	Workspace string `db:"workspace"`
	Message   string `db:"message"` // its id, "" as long as it is not known
	Progress
}

// ReactionKey names a reaction: a person has one for each message.
type ReactionKey struct {
	Chat   string `db:"chat_id,key"`
	Target string `db:"target,key"` // provider id of the message, which may not be known
	Sender string `db:"sender,key"`
}

// ReactionRow is a row of conversation_v3_reactions. One that was taken away stays
// as a row without emoji, so that an older one that arrives later does not
// bring it back.
type ReactionRow struct {
	ReactionKey
	Workspace  string `db:"workspace"`
	SenderKind string `db:"sender_kind"`
	Emoji      string `db:"emoji"`
	At         int64  `db:"happened_at"`
	Position   int64  `db:"position"` // of the event
}

// Types of system entry.
const (
	Noticed     = "noticed"        // the channel told something about the customer
	Shared      = "details_shared" // the visitor became a contact, or more was told
	Claimed     = "claimed"
	Assigned    = "assigned"
	Unassigned  = "unassigned"
	Transferred = "transferred"
	TagsChanged = "tags_changed"
	StatusSet   = "status_set"
	Closed      = "closed"
	Reopened    = "reopened"
	Deleted     = "deleted"
	Restored    = "restored"
	CallAsked   = "call_requested"
	CallEnded   = "call_ended"
	Snoozed     = "snoozed"
	Woken       = "woken"
	OptedOut    = "opted_out"
	OptedIn     = "opted_in"
	Scheduled   = "message_scheduled"
	Rescheduled = "schedule_changed"
	Unscheduled = "schedule_cancelled"
	NotSent     = "schedule_failed"
	NoReaction  = "reaction_failed"
	Offered     = "transfer_offered"
	Lapsed      = "transfer_lapsed"
	Permission  = "call_permission"
)

// System is something that happened to a chat. Type says which of the fields
// matter.
type System struct {
	Type      string     `json:"type"`
	Text      string     `json:"text,omitempty"`       // noticed, message_scheduled, schedule_changed; reaction_failed: the emoji
	Notice    string     `json:"notice,omitempty"`     // noticed: the provider's word
	NewNumber string     `json:"new_number,omitempty"` // noticed
	ToKind    string     `json:"to_kind,omitempty"`    // transferred, transfer_offered: agent, team or bot
	To        string     `json:"to,omitempty"`         // claimed, assigned, transferred, transfer_offered
	From      string     `json:"from,omitempty"`       // the agent who had it
	FromTeam  string     `json:"from_team,omitempty"`
	Reason    string     `json:"reason,omitempty"` // transferred, transfer_offered, transfer_lapsed, deleted, schedule_failed; woken: time, reply or agent; schedule_cancelled: agent or reply; opted_out, opted_in: word, agent or provider
	Status    string     `json:"status,omitempty"` // status_set, closed, reopened
	Category  string     `json:"category,omitempty"`
	Was       string     `json:"was,omitempty"` // the status before
	Added     []string   `json:"added,omitempty"`
	Removed   []string   `json:"removed,omitempty"`
	Message   string     `json:"message,omitempty"` // the message that did it, or that was scheduled
	Details   *Details   `json:"details,omitempty"`
	Call      *CallEntry `json:"call,omitempty"`     // call_requested, call_ended
	Until     *time.Time `json:"until,omitempty"`    // snoozed; absent: until the customer writes. When a scheduled message is sent, an offer ends, or calls are not allowed any more
	Code      string     `json:"code,omitempty"`     // schedule_failed: of the refusal; reaction_failed: the provider's
	Accepted  bool       `json:"accepted,omitempty"` // transferred: it was offered before, and accepted
	Cause     string     `json:"cause,omitempty"`    // transfer_lapsed: declined, withdrawn or expired; call_permission: allowed or declined
}

// CallEntry is a call to the customer.
type CallEntry struct {
	ID       string `json:"id"`
	Phone    string `json:"phone,omitempty"`    // call_requested
	Provider string `json:"provider,omitempty"` // call_requested
	Outcome  string `json:"outcome,omitempty"`  // call_ended
	Reason   string `json:"reason,omitempty"`
	Duration int64  `json:"duration_seconds,omitempty"`
}

// Details is what was told about the visitor.
type Details struct {
	Reason  string   `json:"reason"`
	Name    string   `json:"name,omitempty"`
	Emails  []string `json:"emails,omitempty"`
	Phones  []string `json:"phones,omitempty"`
	Company string   `json:"company,omitempty"`
	City    string   `json:"city,omitempty"`
	Country string   `json:"country,omitempty"`
	Emptied []string `json:"emptied,omitempty" doc:"Details that the contact has no more."`
	Gone    bool     `json:"gone,omitempty" doc:"The contact was deleted: the visitor is none any more."`
}
