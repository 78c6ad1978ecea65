package deliveries_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/deliveries"
	"github.com/chatledger/chatledger/projections/projectionstest"
)

func TestFold(t *testing.T) {
	given := webhook.Received{Workspace: "acme", Channel: "ch", Body: `{"object":"x"}`}
	base := deliveries.Delivery{
		ID: "1", Workspace: "acme", Channel: "ch", ReceivedAt: 1e6, Size: 14, State: "received", UpdatedAt: 1e6,
	}
	translated := webhook.Translated{Messages: 2, Statuses: 1, Orders: 1, Ignored: []string{"calls"}}
	tests := []struct {
		name string
		when []any
		then func(d *deliveries.Delivery)
	}{
		{"received", nil, func(*deliveries.Delivery) {}},
		{"translated", []any{translated}, func(d *deliveries.Delivery) {
			d.State, d.Messages, d.Statuses, d.Orders, d.Ignored = "translated", 2, 1, 1, []string{"calls"}
		}},
		{"set aside", []any{webhook.SetAside{Code: "not_ours", Reason: "another number"}}, func(d *deliveries.Delivery) {
			d.State, d.Code, d.Reason = "set_aside", "not_ours", "another number"
		}},
		{"to be translated again", []any{webhook.SetAside{Code: "not_ours", Reason: "r"}, webhook.RetranslationRequested{By: "ann"}}, func(d *deliveries.Delivery) {
			d.Code, d.Reason = "not_ours", "r"
		}},
		{"translated after all", []any{webhook.SetAside{Code: "c", Reason: "r"}, webhook.RetranslationRequested{By: "ann"}, webhook.Translated{Messages: 1}}, func(d *deliveries.Delivery) {
			d.State, d.Messages = "translated", 1
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := []projections.Event{projectionstest.Event("webhook-1", given)}
			for _, f := range tt.when {
				events = append(events, projectionstest.Event("webhook-1", f))
			}
			want := base
			want.Revision = int64(len(tt.when))
			want.UpdatedAt = int64(1+len(tt.when)) * 1e6
			tt.then(&want)
			got := projectionstest.Rows[deliveries.Delivery](projectionstest.Fold(t, deliveries.New(), events...), "deliveries")
			if diff := cmp.Diff([]deliveries.Delivery{want}, got); diff != "" {
				t.Errorf("delivery (-want +got):\n%s", diff)
			}
		})
	}
}
