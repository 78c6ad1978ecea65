package campaigns

import "github.com/chatledger/chatledger/domain/campaign"

// Campaign is a row of campaigns. Times are in microseconds since 1970 UTC.
type Campaign struct {
	ID        string          `db:"campaign_id,key"`
	Workspace string          `db:"workspace"`
	Name      string          `db:"name"`
	Group     string          `db:"group_id"` // "" if a filter chooses the audience
	Filter    string          `db:"filter"`   // JSON
	Channel   string          `db:"channel"`
	Template  string          `db:"template"`
	Values    campaign.Values `db:"template_values"`
	PerMinute int64           `db:"per_minute"`
	Phase     string          `db:"phase"` // as in package domain/campaign

	CreatedBy  string `db:"created_by"`
	CreatedAt  int64  `db:"created_at"`
	LaunchedBy string `db:"launched_by"`
	LaunchedAt int64  `db:"launched_at"`
	Due        int64  `db:"due"`
	StartedAt  int64  `db:"started_at"`
	Position   int64  `db:"audience_position"` // that the audience reflects
	Audience   int64  `db:"audience"`
	Done       int64  `db:"done"` // of the audience: queued or left out
	LastAt     int64  `db:"last_at"`
	EndedAt    int64  `db:"ended_at"`
	Code       string `db:"refusal_code"` // why there is no audience
	Refusal    string `db:"refusal"`
	StoppedBy  string `db:"stopped_by"` // who paused or cancelled it
	Why        string `db:"stopped_why"`
	Revision   int64  `db:"revision"`
}

// RecipientKey names somebody in an audience.
type RecipientKey struct {
	Campaign string `db:"campaign_id,key"`
	Contact  string `db:"contact_id,key"`
}

// States of a recipient, besides those of a message (package chat).
const (
	Pending = "pending"
	Skipped = "skipped"
	Replied = "replied"
)

// Recipient is a row of campaigns_recipients.
type Recipient struct {
	RecipientKey
	Customer string `db:"customer"`
	Chat     string `db:"chat_id"`
	Message  string `db:"message_id"`
	State    string `db:"state"`
	Reason   string `db:"reason"` // of skipped; of failed the provider's code
	Detail   string `db:"detail"`
	At       int64  `db:"at"` // when it came to the state; 0 while pending
}

// CountKey names a number of a campaign.
type CountKey struct {
	Campaign string `db:"campaign_id,key"`
	State    string `db:"state,key"`
	Reason   string `db:"reason,key"`
}

// Count is a row of campaigns_counts: so many are in a state for a reason. None has no
// row.
type Count struct {
	CountKey
	N int64 `db:"n"`
}

// Chat is a row of campaigns_chats: how far the messages of campaigns in a chat are.
type Chat struct {
	ID    string            `db:"chat_id,key"`
	Sent  []Sent            `db:"sent"`  // the last ones, the oldest first
	Early map[string]Report `db:"early"` // by provider id, of messages that are not accepted yet, perhaps
}

// Sent is a message of a campaign.
type Sent struct {
	Campaign string `json:"campaign"`
	Contact  string `json:"contact,omitempty"` // "" until the batch is recorded
	Message  string `json:"message"`
	Provider string `json:"provider,omitempty"`
	QueuedAt int64  `json:"queued_at"`
	Report
	RepliedAt int64 `json:"replied_at,omitempty"`
}

// Report is how far a message got.
type Report struct {
	State string `json:"state"`
	Code  int    `json:"code,omitempty"`
	Title string `json:"title,omitempty"`
	At    int64  `json:"at"`
}

// Marketing is a row of campaigns_marketing: what the customer of a chat has said
// about marketing at last. Most have said nothing, and have no row.
type Marketing struct {
	Chat    string `db:"chat_id,key"`
	Out     bool   `db:"opted_out"`
	Reason  string `db:"reason"`
	Message string `db:"message_id"`
	By      string `db:"said_by"`
	Note    string `db:"note"`
	At      int64  `db:"at"`
}
