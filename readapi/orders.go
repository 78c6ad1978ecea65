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
	Status   string `query:"status" enum:"placed,confirmed,processing,shipped,delivered,cancelled,returned,refused"`
	Payment  string `query:"payment" enum:"unpaid,pending,paid,failed,partly_refunded,refunded"`
	Assignee string `query:"assignee" doc:"The id of an agent, or me."`
	Tag      string `query:"tag" doc:"The id of a tag."`
	Chat     string `query:"chat" doc:"The id of a chat."`
	Sort     string `query:"sort" enum:"placed,oldest" doc:"placed if it is not given: what was placed last first. oldest: what was placed first."`
}

type inOrder struct {
	web.Read
	Order string `path:"order"`
}

// Order is an order as it stands. Money is in minor units of the currency.
type Order struct {
	ID        string        `json:"id"`
	External  *string       `json:"external_id" doc:"The id that whoever placed it has for it, or null."`
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
	Payment   *string       `json:"payment" enum:"unpaid,pending,paid,failed,partly_refunded,refunded" doc:"Null of a refused order."`
	Assignee  *string       `json:"assignee"`
	Tags      []string      `json:"tags" nullable:"false"`
	History   []OrderStep   `json:"history" nullable:"false" doc:"Of the status, oldest first."`
	PlacedAt  time.Time     `json:"placed_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// OrderDetails is an order with what is not in the list.
type OrderDetails struct {
	Order
	Payments []OrderPayment `json:"payments" nullable:"false" doc:"What was said about the payment, oldest first; the last 100."`
	Notes    []OrderNote    `json:"notes" nullable:"false" doc:"Private text, oldest first."`
	Notices  []OrderNotice  `json:"notices" nullable:"false" doc:"Messages that tell the customer of a status, oldest first."`
}

// OrderPayment is what somebody said about the payment.
type OrderPayment struct {
	Payment   string    `json:"payment"`
	At        time.Time `json:"at"`
	By        string    `json:"by,omitempty"`
	ByKind    string    `json:"by_kind,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// OrderNote is private text on an order.
type OrderNote struct {
	ID       string     `json:"id"`
	Text     string     `json:"text"`
	By       string     `json:"by"`
	ByKind   string     `json:"by_kind"`
	At       time.Time  `json:"at"`
	EditedAt *time.Time `json:"edited_at,omitempty"`
	EditedBy string     `json:"edited_by,omitempty"`
}

// OrderNotice is a message that tells the customer of a status.
type OrderNotice struct {
	Message string    `json:"message" doc:"Its id in the chat, where its delivery is shown."`
	Status  string    `json:"status"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
	State   string    `json:"state" enum:"requested,queued,refused" doc:"queued: it is in the chat."`
	Code    string    `json:"code,omitempty" doc:"Why the chat refused it."`
	Reason  string    `json:"reason,omitempty"`
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
		ID: o.ID, External: orNull(o.External), Revision: o.Revision, Status: o.Status, Visitor: OrderVisitor{o.VisitorName, o.VisitorEmail, o.VisitorPhone},
		Chat: orNull(o.Chat), Channel: orNull(o.Channel), Message: orNull(o.Message), Source: o.Source, Catalog: orNull(o.Catalog),
		Comment: o.Comment, Items: o.Items, Total: o.Total, Currency: o.Currency, Lines: make([]OrderLine, len(o.Lines)),
		Payment: orNull(o.Payment), Assignee: orNull(o.Assignee), Tags: orEmpty(o.Tags),
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
	q := orders.Query{
		Workspace: r.Workspace, Status: in.Status, Payment: in.Payment, Assignee: in.Assignee, Tag: in.Tag, Chat: in.Chat, Sort: orders.Sort(in.Sort), Cursor: in.Cursor, Limit: in.Limit,
	}
	if in.Assignee == "me" {
		if r.Agent == "" {
			return web.NewList([]Order{}, ""), none, nil
		}
		q.Assignee = r.Agent
	}
	page, err := orders.List(ctx, tx, q)
	if err != nil {
		return web.List[Order]{}, none, err
	}
	items := make([]Order, len(page.Orders))
	for i, o := range page.Orders {
		items[i] = newOrder(o)
	}
	return web.NewList(items, page.Next), none, nil
}

func getOrder(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inOrder) (out OrderDetails, _ eventstore.Revision, _ error) {
	o, err := orders.Get(ctx, tx, r.Workspace, in.Order)
	if err != nil {
		return out, none, err
	}
	notes, err := orders.Notes(ctx, tx, o.ID)
	if err != nil {
		return out, none, err
	}
	out = OrderDetails{
		Order: newOrder(o), Payments: make([]OrderPayment, len(o.Payments)), Notes: make([]OrderNote, len(notes)), Notices: make([]OrderNotice, len(o.Notices)),
	}
	for i, p := range o.Payments {
		out.Payments[i] = OrderPayment{p.Payment, moment(p.At), p.By, p.ByKind, p.Reference, p.Reason}
	}
	for i, n := range notes {
		out.Notes[i] = OrderNote{n.Note, n.Text, n.By, n.ByKind, moment(n.At), momentOrNull(n.EditedAt), n.EditedBy}
	}
	for i, n := range o.Notices {
		out.Notices[i] = OrderNotice{n.Message, n.Status, n.Text, moment(n.At), n.State, n.Code, n.Reason}
	}
	return out, eventstore.Revision(o.Revision), nil
}
