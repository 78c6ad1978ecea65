package orders

// Order is a row of orders_v2: an order as it stands. Times are in microseconds
// since 1970 UTC, money in minor units of Currency.
type Order struct {
	ID        string          `db:"order_id,key"`
	Workspace string          `db:"workspace"`
	Chat      string          `db:"chat_id"` // "" for an order without a chat
	Channel   string          `db:"channel"`
	Customer  string          `db:"customer"`    // the customer's id in the channel
	Message   string          `db:"message"`     // the message that placed it
	Source    string          `db:"source"`      // whatsapp or api
	External  string          `db:"external_id"` // the id that whoever placed it has for it
	Catalog   string          `db:"catalog"`
	Comment   string          `db:"comment_text"`
	Status    string          `db:"status"` // placed … returned, or refused
	Items     int64           `db:"items"`  // sum of the quantities
	Total     int64           `db:"total"`  // 0 if refused
	Currency  string          `db:"currency"`
	Lines     []Line          `db:"lines"`
	Refusal   Refusal         `db:"refusal"` // only if refused
	Carrier   string          `db:"carrier"`
	Tracking  string          `db:"tracking"`
	Payment   string          `db:"payment"`  // unpaid … refunded; "" if refused
	Payments  []PaymentChange `db:"payments"` // oldest first; the last 100
	Assignee  string          `db:"assignee"` // "" for nobody
	Tags      []string        `db:"tags"`     // ids, sorted
	Notices   []Notice        `db:"notices"`  // messages to the customer about a status, oldest first
	History   []Change        `db:"history"`  // of the status, oldest first
	PlacedAt  int64           `db:"placed_at"`
	UpdatedAt int64           `db:"updated_at"`
	Revision  int64           `db:"revision"` // of the order's stream
}

// Line is one product of an order.
type Line struct {
	Product   string `json:"product"`
	Name      string `json:"name,omitempty"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
	Total     int64  `json:"total"`
}

// Refusal is why an order could not be taken, and what it said.
type Refusal struct {
	Code   string        `json:"code,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Lines  []RefusedLine `json:"lines,omitempty"`
}

// RefusedLine is a line of a refused order as it came, numbers as text.
type RefusedLine struct {
	Product  string `json:"product"`
	Quantity string `json:"quantity"`
	Price    string `json:"price"`
	Currency string `json:"currency"`
}

// Change is a step of an order's life.
type Change struct {
	Status   string `json:"status"`
	At       int64  `json:"at"`
	By       string `json:"by,omitempty"` // who did it
	ByKind   string `json:"by_kind,omitempty"`
	Reason   string `json:"reason,omitempty"` // cancelled, returned, refused
	Carrier  string `json:"carrier,omitempty"`
	Tracking string `json:"tracking,omitempty"`
}

// PaymentChange is what somebody said about the payment.
type PaymentChange struct {
	Payment   string `json:"payment"`
	At        int64  `json:"at"`
	By        string `json:"by,omitempty"`
	ByKind    string `json:"by_kind,omitempty"`
	Reference string `json:"reference,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Notice is a message that tells the customer of a status.
type Notice struct {
	Message string `json:"message"` // its id in the chat
	Status  string `json:"status"`
	Text    string `json:"text"`
	At      int64  `json:"at"`
	State   string `json:"state"` // requested, queued (it is in the chat) or refused
	Code    string `json:"code,omitempty"`
	Reason  string `json:"reason,omitempty"` // why it was refused
}

// States of a Notice.
const (
	NoticeRequested = "requested"
	NoticeQueued    = "queued"
	NoticeRefused   = "refused"
)

// TagKey is the key of orders_v2_tags.
type TagKey struct {
	Workspace string `db:"workspace,key"`
	Tag       string `db:"tag,key"`
	PlacedAt  int64  `db:"placed_at,key"`
	Order     string `db:"order_id,key"`
}

// TagRow is a row of orders_v2_tags: that an order has a tag.
type TagRow struct {
	TagKey
	Status string `db:"status"`
}

// NoteKey is the key of orders_v2_notes.
type NoteKey struct {
	Order string `db:"order_id,key"`
	Note  string `db:"note,key"`
}

// NoteRow is a row of orders_v2_notes: private text. A deleted note has none.
type NoteRow struct {
	NoteKey
	Text     string `db:"note_text"`
	By       string `db:"by_id"`
	ByKind   string `db:"by_kind"`
	At       int64  `db:"at"`
	EditedAt int64  `db:"edited_at"` // 0 if it never was
	EditedBy string `db:"edited_by"`
	Position int64  `db:"position"` // of the event that added it
}
