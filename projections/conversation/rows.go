package conversation

import "github.com/chatledger/chatledger/domain/chat"

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

// EntryKey names an entry of a chat.
type EntryKey struct {
	Chat string `db:"chat_id,key"`
	ID   string `db:"entry_id,key"` // of the message, the note or the event
}

// EntryRow is a row of conversation_entries. Times are in microseconds since
// 1970 UTC.
type EntryRow struct {
	EntryKey
	Workspace  string `db:"workspace"`
	Kind       string `db:"kind"`
	At         int64  `db:"happened_at"`
	Tie        string `db:"tie"` // orders entries of the same microsecond
	ByKind     string `db:"by_kind"`
	ByID       string `db:"by_id"`
	Direction  string `db:"direction"`   // of a message
	ProviderID string `db:"provider_id"` // of a message, once it is known
	Text       string `db:"note_text"`   // of a note
	EditedAt   int64  `db:"edited_at"`
	EditedBy   string `db:"edited_by"`
	Body       Body   `db:"body"`
	Progress
	Revision int64 `db:"revision"` // of the event that made the entry
	Position int64 `db:"position"`
}

// Body is what a message or a system entry holds.
type Body struct {
	Content  *chat.Content  `json:"content,omitempty"`
	Context  *chat.Context  `json:"context,omitempty"`
	Referral *chat.Referral `json:"referral,omitempty"`
	System   *System        `json:"system,omitempty"`
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

// ReportKey names a message as its provider does.
type ReportKey struct {
	Chat       string `db:"chat_id,key"`
	ProviderID string `db:"provider_id,key"`
}

// ReportRow is a row of conversation_reports: what a provider said about a
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

// ReactionRow is a row of conversation_reactions. One that was taken away stays
// as a row without emoji, so that an older one that arrives later does not
// bring it back.
type ReactionRow struct {
	ReactionKey
	Workspace  string `db:"workspace"`
	SenderKind string `db:"sender_kind"`
	Emoji      string `db:"emoji"`
	At         int64  `db:"happened_at"`
	Tie        string `db:"tie"`
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
)

// System is something that happened to a chat. Type says which of the fields
// matter.
type System struct {
	Type      string   `json:"type"`
	Text      string   `json:"text,omitempty"`       // noticed
	Notice    string   `json:"notice,omitempty"`     // noticed: the provider's word
	NewNumber string   `json:"new_number,omitempty"` // noticed
	ToKind    string   `json:"to_kind,omitempty"`    // transferred: agent, team or bot
	To        string   `json:"to,omitempty"`         // claimed, assigned, transferred
	From      string   `json:"from,omitempty"`       // the agent who had it
	FromTeam  string   `json:"from_team,omitempty"`
	Reason    string   `json:"reason,omitempty"` // transferred, deleted
	Status    string   `json:"status,omitempty"` // status_set, closed, reopened
	Category  string   `json:"category,omitempty"`
	Was       string   `json:"was,omitempty"` // the status before
	Added     []string `json:"added,omitempty"`
	Removed   []string `json:"removed,omitempty"`
	Message   string   `json:"message,omitempty"` // the message that did it
	Details   *Details `json:"details,omitempty"`
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
}
