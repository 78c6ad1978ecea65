package readapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/orders"
)

type inOrders struct {
	web.Read
	Paging
	Status string `query:"status" enum:"placed,confirmed,processing,shipped,delivered,cancelled,returned,refused"`
	Chat   string `query:"chat" doc:"The id of a chat."`
}

type inOrder struct {
	web.Read
	Order string `path:"order"`
}

// Order is an order as it stands. Money is in minor units of the currency.
type Order struct {
	ID        string        `json:"id"`
	Revision  int64         `json:"revision" doc:"For If-Match."`
	Status    string        `json:"status" enum:"placed,confirmed,processing,shipped,delivered,cancelled,returned,refused"`
	Visitor   OrderVisitor  `json:"visitor"`
	Chat      *string       `json:"chat" doc:"Null for an order without a chat."`
	Channel   *string       `json:"channel"`
	Message   *string       `json:"message" doc:"The message that placed it, or null."`
	Source    string        `json:"source" enum:"whatsapp,api"`
	Catalog   *string       `json:"catalog"`
	Comment   string        `json:"comment"`
	Items     int64         `json:"items" doc:"The sum of the quantities."`
	Total     int64         `json:"total" doc:"In minor units; 0 of a refused order."`
	Currency  string        `json:"currency" doc:"ISO 4217; empty of a refused order."`
	Lines     []OrderLine   `json:"lines" nullable:"false"`
	Refusal   *OrderRefusal `json:"refusal" doc:"Why the order could not be taken, or null."`
	Carrier   *string       `json:"carrier"`
	Tracking  *string       `json:"tracking"`
	History   []OrderStep   `json:"history" nullable:"false" doc:"Of the status, oldest first."`
	PlacedAt  time.Time     `json:"placed_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// OrderVisitor is who placed it, as the profile has it now.
type OrderVisitor struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone"`
}

// OrderLine is a product of an order.
type OrderLine struct {
	Product   string `json:"product"`
	Name      string `json:"name,omitempty"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
	Total     int64  `json:"total"`
}

// OrderRefusal keeps what was ordered, as it came.
type OrderRefusal struct {
	Code   string               `json:"code" example:"order.mixed_currencies"`
	Reason string               `json:"reason"`
	Lines  []orders.RefusedLine `json:"lines" nullable:"false"`
}

// OrderStep is a change of an order's status.
type OrderStep struct {
	Status   string    `json:"status"`
	At       time.Time `json:"at"`
	By       string    `json:"by,omitempty"`
	ByKind   string    `json:"by_kind,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Carrier  string    `json:"carrier,omitempty"`
	Tracking string    `json:"tracking,omitempty"`
}

func newOrder(o orders.Full) Order {
	out := Order{
		ID: o.ID, Revision: o.Revision, Status: o.Status, Visitor: OrderVisitor{o.VisitorName, o.VisitorEmail, o.VisitorPhone},
		Chat: orNull(o.Chat), Channel: orNull(o.Channel), Message: orNull(o.Message), Source: o.Source, Catalog: orNull(o.Catalog),
		Comment: o.Comment, Items: o.Items, Total: o.Total, Currency: o.Currency, Lines: make([]OrderLine, len(o.Lines)),
		Carrier: orNull(o.Carrier), Tracking: orNull(o.Tracking), History: make([]OrderStep, len(o.History)),
		PlacedAt: moment(o.PlacedAt), UpdatedAt: moment(o.UpdatedAt),
	}
	for i, l := range o.Lines {
		out.Lines[i] = OrderLine(l)
	}
	for i, c := range o.History {
		out.History[i] = OrderStep{c.Status, moment(c.At), c.By, c.ByKind, c.Reason, c.Carrier, c.Tracking}
	}
	if o.Refusal.Code != "" {
		out.Refusal = &OrderRefusal{o.Refusal.Code, o.Refusal.Reason, orEmpty(o.Refusal.Lines)}
	}
	return out
}

func listOrders(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inOrders) (web.List[Order], eventstore.Revision, error) {
	page, err := orders.List(ctx, tx, orders.Query{Workspace: r.Workspace, Status: in.Status, Chat: in.Chat, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return web.List[Order]{}, none, err
	}
	items := make([]Order, len(page.Orders))
	for i, o := range page.Orders {
		items[i] = newOrder(o)
	}
	return web.NewList(items, page.Next), none, nil
}

func getOrder(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inOrder) (Order, eventstore.Revision, error) {
	o, err := orders.Get(ctx, tx, r.Workspace, in.Order)
	return newOrder(o), eventstore.Revision(o.Revision), err
}
