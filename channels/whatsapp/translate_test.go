package whatsapp_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

var update = flag.Bool("update", false, "rewrite testdata/facts.golden")

// Each sample alone, on an empty log, leads to these facts.
func TestFixtures(t *testing.T) {
	var b strings.Builder
	for _, name := range fixtures(t) {
		w := newWorld(t)
		before := w.head()
		want := 200
		if strings.HasSuffix(name, ".txt") {
			want = 400
		}
		if got := w.post(fixture(t, name)); got != want {
			t.Errorf("%s: status %d, want %d", name, got, want)
		}
		if err := w.translate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fmt.Fprintf(&b, "== %s\n", name)
		for _, category := range []string{"chat", "order", "webhook"} {
			for _, f := range w.facts(category, before) {
				if f.Type == "webhook.received.v1" {
					continue
				}
				data, err := json.Marshal(f.Data)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "%s %s\n", f.Type, data)
			}
		}
	}
	const golden = "testdata/facts.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("run with -update if this is right (-want +got):\n%s", diff)
	}
}

// lasting returns what the views are made of and must not depend on the order
// in which webhooks came: everything but which message opened a chat and which
// reports were news.
func (w *world) lasting() (facts []string, delivery map[string]chat.Delivery) {
	w.t.Helper()
	delivery = map[string]chat.Delivery{}
	for _, f := range append(w.facts("chat", 0), w.facts("order", 0)...) {
		switch f.Type {
		case "chat.opened.v1":
			delete(f.Data, "at")
		case "chat.delivery_recorded.v1":
			id, state := f.Data["provider_id"].(string), chat.Delivery(f.Data["state"].(string))
			if state.Rank() > delivery[id].Rank() {
				delivery[id] = state
			}
			continue
		}
		data, err := json.Marshal(f.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		facts = append(facts, f.Type+" "+string(data))
	}
	slices.Sort(facts)
	return facts, delivery
}

func TestTwiceAndInAnyOrder(t *testing.T) {
	names := fixtures(t)
	backwards := slices.Clone(names)
	slices.Reverse(backwards)
	run := func(orders ...[]string) *world {
		w := newWorld(t)
		for _, names := range orders {
			for _, name := range names {
				w.post(fixture(t, name))
			}
			if err := w.translate(); err != nil {
				t.Fatal(err)
			}
		}
		return w
	}
	wantFacts, wantDelivery := run(names).lasting()
	if len(wantFacts) != 40 || !cmp.Equal(wantDelivery, map[string]chat.Delivery{"wamid.OUT1": chat.Read, "wamid.OUT2": chat.Failed, "wamid.OUT3": chat.Delivered}) {
		t.Fatalf("%d facts:\n%s\n%v", len(wantFacts), strings.Join(wantFacts, "\n"), wantDelivery)
	}
	for name, w := range map[string]*world{
		"twice": run(names, names), "backwards": run(backwards), "forwards, then backwards": run(names, backwards),
	} {
		facts, delivery := w.lasting()
		if diff := cmp.Diff(wantFacts, facts); diff != "" {
			t.Errorf("%s (-once +now):\n%s", name, diff)
		}
		if diff := cmp.Diff(wantDelivery, delivery); diff != "" {
			t.Errorf("%s (-once +now):\n%s", name, diff)
		}
	}
}

// The same message in another delivery, as Meta sends it after a failure.
func TestTheSameMessageInAnotherDelivery(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"18-order.json", "10-contact-card.json", "16-reaction.json", "22-number-changed.json", "33-status-failed.json"} {
		w.post(fixture(t, name))
		w.post(append(fixture(t, name), '\n', ' '))
	}
	if got := len(w.facts("webhook", 0)); got != 10 {
		t.Fatalf("%d deliveries, want 10", got)
	}
	if err := w.translate(); err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, f := range append(w.facts("chat", 0), w.facts("order", 0)...) {
		n[f.Type]++
	}
	want := map[string]int{
		"chat.opened.v1": 3, "chat.message_received.v1": 2, "chat.details_shared.v1": 1, "order.placed.v1": 1,
		"chat.reaction_received.v1": 1, "chat.system_noticed.v1": 1, "chat.delivery_recorded.v1": 1,
	}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhoDidItAndWhy(t *testing.T) {
	w := newWorld(t)
	w.post(fixture(t, "34-statuses-and-message.json"))
	if err := w.translate(); err != nil {
		t.Fatal(err)
	}
	var cause string
	for r, err := range w.store.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			t.Fatal(err)
		}
		switch r.Type {
		case "webhook.received.v1":
			cause = r.ID.String()
		case "chat.message_received.v1":
			if meta.Workspace != workspace || meta.Actor != "15551230001" || meta.ActorKind != "customer" || meta.Channel != w.channel ||
				meta.Causation != cause || !meta.OccurredAt.Equal(time.Unix(1790000520, 0)) {
				t.Errorf("message: %+v", meta)
			}
		case "chat.delivery_recorded.v1", "webhook.translated.v1":
			if meta.Actor != "translate" || meta.ActorKind != "system" || meta.Causation != cause {
				t.Errorf("%s: %+v", r.Type, meta)
			}
		}
	}
}

// flaky fails appends to one stream.
type flaky struct {
	eventstore.Store
	stream string
	fail   func() bool
}

func (f *flaky) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	if stream == f.stream && f.fail() {
		return eventstore.Result{}, errors.New("connection reset")
	}
	return f.Store.Append(ctx, stream, want, events...)
}

func TestOneCustomersTroubleIsNotAnothers(t *testing.T) {
	for name, trouble := range map[string]func(){
		"a failure": nil,
		"a panic":   func() { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			broken := true
			f := &flaky{fail: func() bool {
				if broken && trouble != nil {
					trouble()
				}
				return broken
			}}
			w := newWorldOn(t, func(s eventstore.Store) eventstore.Store { f.Store = s; return f })
			f.stream = "chat-" + ids.Chat(workspace, w.channel, "15551230001") // Ana's, the first of the three
			w.post(fixture(t, "25-two-visitors-one-payload.json"))
			if err := w.translate(); err == nil {
				t.Fatal("the delivery must be translated again")
			}
			count := func() (messages, translated int) {
				for _, c := range []string{"chat", "webhook"} {
					for _, f := range w.facts(c, 0) {
						switch f.Type {
						case "chat.message_received.v1":
							messages++
						case "webhook.translated.v1":
							translated++
						}
					}
				}
				return messages, translated
			}
			if m, n := count(); m != 2 || n != 0 {
				t.Errorf("%d messages, translated %d times, want those of Ben and Camille", m, n)
			}
			broken = false
			w.done = 0
			if err := w.translate(); err != nil {
				t.Fatal(err)
			}
			if m, n := count(); m != 3 || n != 1 {
				t.Errorf("%d messages, translated %d times", m, n)
			}
		})
	}
}

func TestOrdersThatCannotBePlaced(t *testing.T) {
	item := func(quantity, price, currency string) string {
		return fmt.Sprintf(`{"product_retailer_id":"a","quantity":%s,"item_price":%s,"currency":%q}`, quantity, price, currency)
	}
	for _, tc := range []struct{ items, code string }{
		{"", "order.no_lines"},
		{item("1", "5", "XXQ"), "money.unknown_currency"},
		{item("1", "5", ""), "money.unknown_currency"},
		{item("1", "1.005", "EUR"), "money.too_fine"},
		{item("1", "1.5", "JPY"), "money.too_fine"},
		{item("1", `"cheap"`, "EUR"), "money.bad_amount"},
		{item("1", `"1e400"`, "EUR"), "money.bad_amount"},
		{item("1", "99999999999999999999", "EUR"), "money.too_large"},
		{item("1", "-5", "EUR"), "order.bad_price"},
		{item("0", "5", "EUR"), "order.bad_quantity"},
		{item("1.5", "5", "EUR"), "order.bad_quantity"},
		{item("null", "5", "EUR"), "order.bad_quantity"},
		{item("1000000", "99999999999", "EUR"), "order.total_too_large"},
		{item("1", "5", "EUR") + "," + item("1", "5", "JPY"), "order.mixed_currencies"},
		{"7", "order.bad_quantity"},
	} {
		t.Run(tc.code, func(t *testing.T) {
			w := newWorld(t)
			w.post([]byte(`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"` + phoneID + `"},
				"messages":[{"id":"w1","from":"15551230001","timestamp":"1790000000","type":"order","order":{"product_items":[` + tc.items + `]}}]}}]}]}`))
			if err := w.translate(); err != nil {
				t.Fatal(err)
			}
			orders, chats := w.facts("order", 0), w.facts("chat", 0)
			if len(orders) != 1 || orders[0].Type != "order.refused.v1" || orders[0].Data["code"] != tc.code || orders[0].Data["reason"] == "" {
				t.Errorf("%s: %v", tc.items, orders)
			}
			if len(chats) != 2 || chats[1].Data["content"].(map[string]any)["kind"] != "order" {
				t.Errorf("the message does not show: %v", chats)
			}
		})
	}
}
