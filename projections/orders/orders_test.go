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
	return projectionstest.Rows[orders.Order](projectionstest.Fold(t, orders.New(), events...), "orders")
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
				Status: "placed", Items: 5, Total: 6248, Currency: "EUR",
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
