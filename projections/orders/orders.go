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

// maxPayments is how much is kept of what was said about a payment.
const maxPayments = 100

// Projection keeps the orders up to date.
type Projection struct {
	orders *projections.Rows[string, Order]
	tags   *projections.Rows[TagKey, TagRow]
	notes  *projections.Rows[NoteKey, NoteRow]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	p := &Projection{
		orders: projections.NewRows("orders_v2", func(o *Order) string { return o.ID },
			projections.Index{Name: "by_placed", Columns: "workspace, placed_at, order_id"},
			projections.Index{Name: "by_status", Columns: "workspace, status, placed_at, order_id"},
			projections.Index{Name: "by_payment", Columns: "workspace, payment, placed_at, order_id"},
			projections.Index{Name: "by_assignee", Columns: "workspace, assignee, placed_at, order_id"},
			projections.Index{Name: "by_chat", Columns: "chat_id, placed_at, order_id"},
		),
		tags:  projections.NewRows("orders_v2_tags", func(r *TagRow) TagKey { return r.TagKey }),
		notes: projections.NewRows("orders_v2_notes", func(r *NoteRow) NoteKey { return r.NoteKey }),
	}
	p.orders.OnChange(p.tag)
	return p
}

// Name returns the name under which the orders were first published in this
// form. In orders.v1 they had no payment, assignee, tags, notes and notices.
func (*Projection) Name() string { return "orders.v2" }

// Categories returns the one category of streams that orders are made of.
func (*Projection) Categories() []string { return []string{"order"} }

// Tables returns the orders, what is derived from them, and the notes on them.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.orders, p.tags, p.notes}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	id := e.Subject()
	switch f := e.Fact.(type) {
	case order.Placed:
		o := Order{
			ID: id, Workspace: f.Workspace, Chat: f.Chat, Channel: f.Channel, Customer: f.Customer, Message: f.Message,
			Source: f.Source, External: f.External, Catalog: f.Catalog, Comment: f.Comment,
			Items: f.Items, Total: f.Total, Currency: f.Currency, Payment: string(order.Unpaid), PlacedAt: f.At.UnixMicro(),
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
	case order.NoteAdded:
		p.notes.Put(NoteRow{
			NoteKey: NoteKey{id, string(f.Note)}, Text: f.Text, By: f.By, ByKind: e.Meta.ActorKind, At: f.At.UnixMicro(), Position: int64(e.Position),
		})
		p.touch(e, func(*Order) {})
	case order.NoteEdited:
		p.notes.Update(NoteKey{id, string(f.Note)}, func(n *NoteRow) { n.Text, n.EditedAt, n.EditedBy = f.Text, f.At.UnixMicro(), f.By })
		p.touch(e, func(*Order) {})
	case order.NoteDeleted:
		p.notes.Delete(NoteKey{id, string(f.Note)})
		p.touch(e, func(*Order) {})
	case order.Event:
		p.touch(e, func(o *Order) { o.fold(e, f) })
	}
}

// fold takes in what is no step of the order's life.
func (o *Order) fold(e projections.Event, fact order.Event) {
	switch f := fact.(type) {
	case order.PaymentSet:
		o.Payment = string(f.Payment)
		o.Payments = append(slices.Clone(o.Payments), PaymentChange{
			Payment: string(f.Payment), At: e.At(), By: e.Meta.Actor, ByKind: e.Meta.ActorKind, Reference: f.Reference, Reason: f.Reason,
		})
		o.Payments = o.Payments[max(0, len(o.Payments)-maxPayments):]
	case order.TagsChanged:
		o.Tags = projections.Retag(o.Tags, f.Added, f.Removed)
	case order.Assigned:
		o.Assignee = f.To
	case order.Unassigned:
		o.Assignee = ""
	case order.NoticeRequested:
		o.Notices = append(slices.Clone(o.Notices), Notice{
			Message: f.Message, Status: string(f.Status), Text: f.Text, At: f.At.UnixMicro(), State: NoticeRequested,
		})
	case order.NoticeQueued:
		o.notice(f.Message, func(n *Notice) { n.State = NoticeQueued })
	case order.NoticeRefused:
		o.notice(f.Message, func(n *Notice) { n.State, n.Code, n.Reason = NoticeRefused, f.Code, f.Reason })
	}
}

func (o *Order) notice(message string, change func(*Notice)) {
	if i := slices.IndexFunc(o.Notices, func(n Notice) bool { return n.Message == message }); i >= 0 {
		o.Notices = slices.Clone(o.Notices)
		change(&o.Notices[i])
	}
}

// touch changes an order. Every event moves its revision, so that a reader's
// If-Match is never out of date.
func (p *Projection) touch(e projections.Event, fold func(*Order)) {
	p.orders.Update(e.Subject(), func(o *Order) {
		fold(o)
		o.UpdatedAt, o.Revision = e.At(), int64(e.Revision)
	})
}

// tag keeps the index of tags.
func (p *Projection) tag(before, after *Order) {
	b, a := tagged(before), tagged(after)
	if slices.Equal(b, a) {
		return
	}
	for _, t := range b {
		p.tags.Delete(t.TagKey)
	}
	for _, t := range a {
		p.tags.Put(t)
	}
}

// tagged returns the entries of the index of tags that an order is in.
func tagged(o *Order) (rows []TagRow) {
	if o == nil {
		return nil
	}
	for _, t := range o.Tags {
		rows = append(rows, TagRow{TagKey{o.Workspace, t, o.PlacedAt, o.ID}, o.Status})
	}
	return rows
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
