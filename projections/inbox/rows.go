package inbox

// Who wrote the last message of a chat.
const (
	ByCustomer = "customer"
	ByAgent    = "agent"
	ByBot      = "bot"
)

// Chat is a chat as the list shows it. Times are in microseconds since 1970 UTC.
type Chat struct {
	ID        string   `db:"chat_id,key"`
	Workspace string   `db:"workspace"`
	Channel   string   `db:"channel"`
	Customer  string   `db:"customer"` // the customer's id in the channel
	Name      string   `db:"name"`     // the name shared, else that of the profile, else Customer
	Phone     string   `db:"phone"`    // as shared, else the WhatsApp number
	Email     string   `db:"email"`
	IsContact bool     `db:"is_contact"`
	Status    string   `db:"status"`
	Category  string   `db:"category"` // of the status: open, pending or closed
	Assignee  string   `db:"assignee"` // "" for nobody
	Team      string   `db:"team"`     // "" for none
	Tags      []string `db:"tags"`     // ids, sorted
	Unread    int64    `db:"unread"`   // messages of the customer since the chat was last read

	LastAt      int64  `db:"last_at"` // of the last message; 0 if there is none
	LastBy      string `db:"last_by"` // customer, agent or bot; "" if there is none
	LastKind    string `db:"last_kind"`
	LastPreview string `db:"last_preview"`

	Snoozed      bool  `db:"snoozed"`
	SnoozedUntil int64 `db:"snoozed_until"` // 0 if it is not, or until the customer writes

	WaitingSince   int64 `db:"waiting_since"` // the oldest message without an answer; 0 if there is none
	CreatedAt      int64 `db:"created_at"`
	LastActivityAt int64 `db:"last_activity_at"` // the last message, else CreatedAt
	Revision       int64 `db:"revision"`         // of the chat's stream
}

// chatColumns are the columns of Chat, in order.
const chatColumns = `c.chat_id, c.workspace, c.channel, c.customer, c.name, c.phone, c.email, c.is_contact,
	c.status, c.category, c.assignee, c.team, c.tags, c.unread,
	c.last_at, c.last_by, c.last_kind, c.last_preview,
	c.snoozed, c.snoozed_until,
	c.waiting_since, c.created_at, c.last_activity_at, c.revision`

// Row is a row of inbox_v3_chats: a Chat, and what the fold and the lists need
// besides.
type Row struct {
	Chat
	Deleted       bool    `db:"deleted"`
	Listed        string  `db:"listed"` // the workspace, or "" while deleted: every list begins with it
	HasUnread     bool    `db:"has_unread"`
	WaitingOrder  int64   `db:"waiting_order"`  // WaitingSince; behind all of those, chats that do not wait, latest activity first
	LastInAt      int64   `db:"last_in_at"`     // the customer's last message
	AnsweredUntil int64   `db:"answered_until"` // messages up to here need no answer
	Profile       Stamped `db:"profile_name"`
	Shared        Shared  `db:"shared"`
}

// Stamped is a value that the last one to give it decides.
type Stamped struct {
	Value string `json:"v,omitempty"`
	At    int64  `json:"t,omitempty"`
}

// Shared is what somebody told about the customer.
type Shared struct {
	Name  Stamped `json:"name,omitzero"`
	Phone Stamped `json:"phone,omitzero"`
	Email Stamped `json:"email,omitzero"`
}

// CountKey names a counter: of the chats of a workspace and a status category
// whose dimension has the value.
type CountKey struct {
	Listed    string `db:"listed,key"`
	Dimension string `db:"dimension,key"`
	Value     string `db:"value,key"`
	Category  string `db:"category,key"`
}

// Dimensions of the counters.
const (
	dimAll      = "all"
	dimAssignee = "assignee"
	dimStatus   = "status"
	dimUnread   = "unread"

	dimSnoozed         = "snoozed"
	dimSnoozedAssignee = "snoozed_assignee"
	dimSnoozedStatus   = "snoozed_status"
	dimSnoozedUnread   = "snoozed_unread"
)

// CountRow is a row of inbox_v3_counts. A counter of 0 has no row.
type CountRow struct {
	CountKey
	N int64 `db:"n"`
}

// TagKey is the key of inbox_v3_tags, which is clustered by it: the chats with a
// tag, a status and an assignee lie together in the order of the list.
type TagKey struct {
	Listed         string `db:"listed,key"`
	Tag            string `db:"tag,key"`
	Status         string `db:"status,key"`
	Assignee       string `db:"assignee,key"`
	LastActivityAt int64  `db:"last_activity_at,key"`
	Chat           string `db:"chat_id,key"`
}

// TagRow is a row of inbox_v3_tags: with what lists filter and sort by, so that
// they need not look at the chat.
type TagRow struct {
	TagKey
	Category     string `db:"category"`
	Team         string `db:"team"`
	Channel      string `db:"channel"`
	HasUnread    bool   `db:"has_unread"`
	Snoozed      bool   `db:"snoozed"`
	CreatedAt    int64  `db:"created_at"`
	WaitingOrder int64  `db:"waiting_order"`
}
