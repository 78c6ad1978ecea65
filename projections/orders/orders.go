// Package orders is the list of orders, each with its lines, its status and how
// it came to that.
//
// It folds and reads; it decides nothing. It keeps no names of people: they are
// joined from the visitors when it is read.
package orders

import (
	"slices"

	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the orders up to date.
type Projection struct {
	orders *projections.Rows[string, Order]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("orders", func(o *Order) string { return o.ID },
		projections.Index{Name: "by_placed", Columns: "workspace, placed_at, order_id"},
		projections.Index{Name: "by_status", Columns: "workspace, status, placed_at, order_id"},
		projections.Index{Name: "by_chat", Columns: "chat_id, placed_at, order_id"},
	)}
}

// Name returns the name under which the orders were first published.
func (*Projection) Name() string { return "orders.v1" }

// Categories returns the one category of streams that orders are made of.
func (*Projection) Categories() []string { return []string{"order"} }

// Tables returns the one table of orders.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.orders} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	id := e.Subject()
	switch f := e.Fact.(type) {
	case order.Placed:
		o := Order{
			ID: id, Workspace: f.Workspace, Chat: f.Chat, Channel: f.Channel, Customer: f.Customer, Message: f.Message,
			Source: f.Source, Catalog: f.Catalog, Comment: f.Comment, Items: f.Items, Total: f.Total, Currency: f.Currency,
			PlacedAt: f.At.UnixMicro(),
		}
		for _, l := range f.Lines {
			o.Lines = append(o.Lines, Line(l))
		}
		o.become(e, Change{Status: string(order.StatusPlaced), At: o.PlacedAt})
		p.orders.Put(o)
	case order.Refused:
		o := Order{
			ID: id, Workspace: f.Workspace, Chat: f.Chat, Channel: f.Channel, Customer: f.Customer, Message: f.Message,
			Source: f.Source, Catalog: f.Catalog, Comment: f.Comment, PlacedAt: f.At.UnixMicro(),
			Refusal: Refusal{Code: f.Code, Reason: f.Reason},
		}
		for _, l := range f.Lines {
			o.Refusal.Lines = append(o.Refusal.Lines, RefusedLine(l))
		}
		o.become(e, Change{Status: string(order.StatusRefused), At: o.PlacedAt, Reason: f.Reason})
		p.orders.Put(o)
	case order.Confirmed:
		p.change(e, Change{Status: string(order.StatusConfirmed)})
	case order.ProcessingStarted:
		p.change(e, Change{Status: string(order.StatusProcessing)})
	case order.Shipped:
		p.change(e, Change{Status: string(order.StatusShipped), Carrier: f.Carrier, Tracking: f.Tracking})
	case order.Delivered:
		p.change(e, Change{Status: string(order.StatusDelivered)})
	case order.Cancelled:
		p.change(e, Change{Status: string(order.StatusCancelled), Reason: f.Reason})
	case order.Returned:
		p.change(e, Change{Status: string(order.StatusReturned), Reason: f.Reason})
	}
}

func (p *Projection) change(e projections.Event, c Change) {
	c.At = e.At()
	p.orders.Update(e.Subject(), func(o *Order) { o.become(e, c) })
}

// become notes a step of the order's life.
func (o *Order) become(e projections.Event, c Change) {
	c.By, c.ByKind = e.Meta.Actor, e.Meta.ActorKind
	o.Status, o.UpdatedAt, o.Revision = c.Status, c.At, int64(e.Revision)
	o.History = append(slices.Clone(o.History), c)
	if c.Carrier != "" || c.Tracking != "" {
		o.Carrier, o.Tracking = c.Carrier, c.Tracking
	}
}
