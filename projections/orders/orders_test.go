package orders_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/projectionstest"
)

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func us(n int) int64 { return sec(n).UnixMicro() }

func placed() order.Placed {
	return order.Placed{
		Workspace: "acme", Chat: "c", Channel: "ch", Customer: "1555", Message: "m", Source: "whatsapp", Catalog: "cat", Comment: "quick",
		Lines: []order.Line{{Product: "a", Quantity: 2, UnitPrice: 1999, Total: 3998}, {Product: "b", Name: "B", Quantity: 3, UnitPrice: 750, Total: 2250}},
		Items: 5, Total: 6248, Currency: "EUR", At: sec(10),
	}
}

// fold returns the order in which facts happened at seconds 1, 2, 3 ….
func fold(t testing.TB, facts ...any) []orders.Order {
	events := make([]projections.Event, len(facts))
	for i, f := range facts {
		events[i] = projectionstest.Event("order-1", f)
		events[i].Meta = eventstore.Metadata{Workspace: "acme", Actor: "ann", ActorKind: "agent"}
	}
	return projectionstest.Rows[orders.Order](projectionstest.Fold(t, orders.New(), events...), "orders_v2")
}

func TestFold(t *testing.T) {
	first := orders.Change{Status: "placed", At: us(10), By: "ann", ByKind: "agent"}
	step := func(n int, status string) orders.Change {
		return orders.Change{Status: status, At: us(n), By: "ann", ByKind: "agent"}
	}
	shipped := step(4, "shipped")
	shipped.Carrier, shipped.Tracking = "DHL", "77"
	cancelled, returned := step(2, "cancelled"), step(6, "returned")
	cancelled.Reason, returned.Reason = "no stock", "too small"
	tests := []struct {
		name string
		when []any
		then []orders.Change
	}{
		{"placed", nil, nil},
		{"confirmed", []any{order.Confirmed{}}, []orders.Change{step(2, "confirmed")}},
		{"cancelled", []any{order.Cancelled{Reason: "no stock"}}, []orders.Change{cancelled}},
		{"a whole life", []any{
			order.Confirmed{}, order.ProcessingStarted{}, order.Shipped{Carrier: "DHL", Tracking: "77"}, order.Delivered{}, order.Returned{Reason: "too small"},
		}, []orders.Change{step(2, "confirmed"), step(3, "processing"), shipped, step(5, "delivered"), returned}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := orders.Order{
				ID: "1", Workspace: "acme", Chat: "c", Channel: "ch", Customer: "1555", Message: "m", Source: "whatsapp", Catalog: "cat", Comment: "quick",
				Status: "placed", Payment: "unpaid", Items: 5, Total: 6248, Currency: "EUR",
				Lines:    []orders.Line{{Product: "a", Quantity: 2, UnitPrice: 1999, Total: 3998}, {Product: "b", Name: "B", Quantity: 3, UnitPrice: 750, Total: 2250}},
				History:  []orders.Change{first},
				PlacedAt: us(10), UpdatedAt: us(10),
			}
			for i, c := range tt.then {
				want.History = append(want.History, c)
				want.Status, want.UpdatedAt, want.Revision = c.Status, c.At, int64(i+1)
				if c.Carrier != "" {
					want.Carrier, want.Tracking = c.Carrier, c.Tracking
				}
			}
			if diff := cmp.Diff([]orders.Order{want}, fold(t, append([]any{placed()}, tt.when...)...)); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARefusedOrderIsKept(t *testing.T) {
	got := fold(t, order.Refused{
		Workspace: "acme", Chat: "c", Source: "whatsapp", Code: "order.mixed_currencies", Reason: "USD and EUR", At: sec(10),
		Lines: []order.RefusedLine{{Product: "a", Quantity: "1", Price: "5", Currency: "USD"}},
	})
	want := []orders.Order{{
		ID: "1", Workspace: "acme", Chat: "c", Source: "whatsapp", Status: "refused", PlacedAt: us(10), UpdatedAt: us(10),
		Refusal: orders.Refusal{
			Code: "order.mixed_currencies", Reason: "USD and EUR",
			Lines: []orders.RefusedLine{{Product: "a", Quantity: "1", Price: "5", Currency: "USD"}},
		},
		History: []orders.Change{{Status: "refused", At: us(10), By: "ann", ByKind: "agent", Reason: "USD and EUR"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// What is no step of its life changes the order and its revision, not its status.
func TestWorkOnAnOrder(t *testing.T) {
	events := []projections.Event{}
	for _, f := range []any{
		placed(),
		order.PaymentSet{Payment: order.Paid, From: order.Unpaid, Reference: "pi_1"},
		order.TagsChanged{Added: []string{"vip", "late"}},
		order.TagsChanged{Added: []string{"new"}, Removed: []string{"late"}},
		order.Assigned{To: "bob"},
		order.NoteAdded{Note: "n", Text: "careful", By: "ann", At: sec(6)},
		order.NoteAdded{Note: "gone", Text: "oops", By: "ann", At: sec(7)},
		order.NoteEdited{Note: "n", Text: "very careful", By: "sue", At: sec(8)},
		order.NoteDeleted{Note: "gone", By: "ann", At: sec(9)},
		order.Confirmed{},
		order.NoticeRequested{Message: "m1", Chat: "c", Status: order.StatusConfirmed, Text: "It is confirmed.", By: "ann", At: sec(11)},
		order.NoticeRequested{Message: "m2", Chat: "c", Status: order.StatusConfirmed, Text: "Really.", By: "ann", At: sec(12)},
		order.NoticeQueued{Message: "m1"},
		order.NoticeRefused{Message: "m2", Code: "chat.closed", Reason: "closed"},
	} {
		e := projectionstest.Event("order-1", f)
		e.Meta = eventstore.Metadata{Workspace: "acme", Actor: "ann", ActorKind: "agent"}
		events = append(events, e)
	}
	tables := projectionstest.Fold(t, orders.New(), events...)
	o := projectionstest.Rows[orders.Order](tables, "orders_v2")[0]
	want := orders.Order{
		Status: "confirmed", Payment: "paid", Assignee: "bob", Tags: []string{"new", "vip"}, UpdatedAt: us(14), Revision: 13,
		Payments: []orders.PaymentChange{{Payment: "paid", At: us(2), By: "ann", ByKind: "agent", Reference: "pi_1"}},
		Notices: []orders.Notice{
			{Message: "m1", Status: "confirmed", Text: "It is confirmed.", At: us(11), State: "queued"},
			{Message: "m2", Status: "confirmed", Text: "Really.", At: us(12), State: "refused", Code: "chat.closed", Reason: "closed"},
		},
	}
	got := orders.Order{
		Status: o.Status, Payment: o.Payment, Assignee: o.Assignee, Tags: o.Tags, UpdatedAt: o.UpdatedAt, Revision: o.Revision,
		Payments: o.Payments, Notices: o.Notices,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	index := []orders.TagRow{
		{TagKey: orders.TagKey{Workspace: "acme", Tag: "new", PlacedAt: us(10), Order: "1"}, Status: "confirmed"},
		{TagKey: orders.TagKey{Workspace: "acme", Tag: "vip", PlacedAt: us(10), Order: "1"}, Status: "confirmed"},
	}
	if diff := cmp.Diff(index, projectionstest.Rows[orders.TagRow](tables, "orders_v2_tags")); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	notes := []orders.NoteRow{{
		NoteKey: orders.NoteKey{Order: "1", Note: "n"}, Text: "very careful", By: "ann", ByKind: "agent", At: us(6), EditedAt: us(8), EditedBy: "sue", Position: 6,
	}}
	if diff := cmp.Diff(notes, projectionstest.Rows[orders.NoteRow](tables, "orders_v2_notes")); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
