package orders

// Order is a row of orders: an order as it stands. Times are in microseconds
// since 1970 UTC, money in minor units of Currency.
type Order struct {
	ID        string   `db:"order_id,key"`
	Workspace string   `db:"workspace"`
	Chat      string   `db:"chat_id"` // "" for an order without a chat
	Channel   string   `db:"channel"`
	Customer  string   `db:"customer"` // the customer's id in the channel
	Message   string   `db:"message"`  // the message that placed it
	Source    string   `db:"source"`   // whatsapp or api
	Catalog   string   `db:"catalog"`
	Comment   string   `db:"comment_text"`
	Status    string   `db:"status"` // placed … returned, or refused
	Items     int64    `db:"items"`  // sum of the quantities
	Total     int64    `db:"total"`  // 0 if refused
	Currency  string   `db:"currency"`
	Lines     []Line   `db:"lines"`
	Refusal   Refusal  `db:"refusal"` // only if refused
	Carrier   string   `db:"carrier"`
	Tracking  string   `db:"tracking"`
	History   []Change `db:"history"` // of the status, oldest first
	PlacedAt  int64    `db:"placed_at"`
	UpdatedAt int64    `db:"updated_at"`
	Revision  int64    `db:"revision"` // of the order's stream
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
