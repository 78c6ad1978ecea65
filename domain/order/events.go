package order

import "time"

// Events is the catalogue of everything that can happen to an order.
var Events = []Event{
	Placed{}, Refused{}, Confirmed{}, ProcessingStarted{}, Shipped{}, Delivered{}, Cancelled{}, Returned{},
}

// Line is one product of an order. Prices are in minor units of the order's
// currency.
type Line struct {
	Product   string `json:"product"` // the shop's id for it
	Name      string `json:"name,omitempty"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
	Total     int64  `json:"total"`
}

// Placed starts an order.
type Placed struct {
	Workspace string    `json:"workspace"`
	Chat      string    `json:"chat,omitempty"`
	Channel   string    `json:"channel,omitempty"`
	Customer  string    `json:"customer,omitempty"` // the customer's id in the channel
	Message   string    `json:"message,omitempty"`  // the message that placed it
	Source    string    `json:"source"`             // whatsapp or api
	Catalog   string    `json:"catalog,omitempty"`
	Comment   string    `json:"comment,omitempty"` // the customer's words
	Lines     []Line    `json:"lines"`
	Items     int64     `json:"items"` // sum of the quantities
	Total     int64     `json:"total"` // in minor units of Currency
	Currency  string    `json:"currency"`
	At        time.Time `json:"at"`
}

// Refused keeps an order that cannot be taken, as it came, with the reason. It
// has no total.
type Refused struct {
	Workspace string        `json:"workspace"`
	Chat      string        `json:"chat,omitempty"`
	Channel   string        `json:"channel,omitempty"`
	Customer  string        `json:"customer,omitempty"`
	Message   string        `json:"message,omitempty"`
	Source    string        `json:"source"`
	Catalog   string        `json:"catalog,omitempty"`
	Comment   string        `json:"comment,omitempty"`
	Lines     []RefusedLine `json:"lines"`
	Code      string        `json:"code"` // such as "order.mixed_currencies"
	Reason    string        `json:"reason"`
	At        time.Time     `json:"at"`
}

// RefusedLine is a line as it came, numbers as text.
type RefusedLine struct {
	Product  string `json:"product"`
	Quantity string `json:"quantity"`
	Price    string `json:"price"`
	Currency string `json:"currency"`
}

// Confirmed says that the shop takes the order.
type Confirmed struct{}

// ProcessingStarted says that the shop works on it.
type ProcessingStarted struct{}

// Shipped says that it is on its way.
type Shipped struct {
	Carrier  string `json:"carrier,omitempty"`
	Tracking string `json:"tracking,omitempty"`
}

// Delivered says that the customer has it.
type Delivered struct{}

// Cancelled ends an order that was not shipped.
type Cancelled struct {
	Reason string `json:"reason,omitempty"`
}

// Returned says that the customer sent it back.
type Returned struct {
	Reason string `json:"reason,omitempty"`
}

func (Placed) EventType() string            { return "order.placed.v1" }
func (Refused) EventType() string           { return "order.refused.v1" }
func (Confirmed) EventType() string         { return "order.confirmed.v1" }
func (ProcessingStarted) EventType() string { return "order.processing_started.v1" }
func (Shipped) EventType() string           { return "order.shipped.v1" }
func (Delivered) EventType() string         { return "order.delivered.v1" }
func (Cancelled) EventType() string         { return "order.cancelled.v1" }
func (Returned) EventType() string          { return "order.returned.v1" }

func (e Placed) apply(s *State) {
	*s = State{Exists: true, Workspace: e.Workspace, Status: StatusPlaced}
}

func (e Refused) apply(s *State) {
	*s = State{Exists: true, Workspace: e.Workspace, Status: StatusRefused}
}
func (Confirmed) apply(s *State)         { s.Status = StatusConfirmed }
func (ProcessingStarted) apply(s *State) { s.Status = StatusProcessing }
func (e Shipped) apply(s *State) {
	s.Status, s.Carrier, s.Tracking = StatusShipped, e.Carrier, e.Tracking
}
func (Delivered) apply(s *State) { s.Status = StatusDelivered }
func (Cancelled) apply(s *State) { s.Status = StatusCancelled }
func (Returned) apply(s *State)  { s.Status = StatusReturned }
