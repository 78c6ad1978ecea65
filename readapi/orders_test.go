package readapi_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chatledger/chatledger/domain/agent"
)

// An order that is placed twice under one external id is one order.
func TestExternalIDsMakeOneOrder(t *testing.T) {
	l := newLedger(t)
	const tea = `{"external_id":"A-1","currency":"EUR","lines":[{"product":"tea","quantity":2,"unit_price":150,"currency":"EUR"}]}`
	first := l.must(201, bot, "POST", "/v1/orders", tea)
	for _, got := range l.atOnce(8, ann, "POST", "/v1/orders", tea) {
		if o := l.object(got); got.status != 201 || o["id"] != first["id"] || o["changed"] != false {
			t.Errorf("again: %d %s", got.status, got.body)
		}
	}
	other := l.must(409, bot, "POST", "/v1/orders", `{"external_id":"A-1","currency":"EUR","lines":[{"product":"tea","quantity":3,"unit_price":150}]}`)
	if other["code"] != "order.placed_otherwise" {
		t.Errorf("another order under the same id: %v", other)
	}
	l.must(201, bot, "POST", "/v1/orders", `{"external_id":"A-2","currency":"EUR","lines":[{"product":"tea","quantity":2,"unit_price":150}]}`)
	list := l.get("/v1/orders")
	if got := list.field("external_id"); !slices.Equal(got, []any{"A-2", "A-1"}) {
		t.Errorf("orders %v", got)
	}
}

func TestWorkOnOrders(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat := l.receive(acme, "15551", "hello")
	place := func(product string) string {
		return "/v1/orders/" + l.must(201, ann, "POST", "/v1/orders",
			fmt.Sprintf(`{"chat":%q,"currency":"EUR","lines":[{"product":%q,"quantity":2,"unit_price":150}]}`, chat, product))["id"].(string)
	}
	tea, pot := place("tea"), place("pot")
	me := l.agents[agent.RoleAgent]

	l.must(200, bot, "POST", tea+"/payment", `{"payment":"paid","reference":"pi_1"}`)
	if again := l.must(200, bot, "POST", tea+"/payment", `{"payment":"paid","reference":"pi_1"}`); again["changed"] != false {
		t.Errorf("paid again: %v", again)
	}
	l.must(200, ann, "POST", tea+"/assign", fmt.Sprintf(`{"agent":%q}`, me))
	l.must(200, ann, "POST", tea+"/tags", `{"add":["Gift","vip"]}`)
	l.must(200, ann, "POST", tea+"/tags", `{"add":["gift"],"remove":["VIP"]}`)
	note := l.must(201, ann, "POST", tea+"/notes", `{"text":"wrap it"}`)
	gone := l.must(201, ann, "POST", tea+"/notes", `{"text":"oops"}`)
	l.must(200, ann, "PATCH", tea+"/notes/"+note["id"].(string), `{"text":"wrap it well"}`)
	l.must(403, bot, "DELETE", tea+"/notes/"+gone["id"].(string), "")
	l.must(200, sue, "DELETE", tea+"/notes/"+gone["id"].(string), "")

	got := l.get(tea)
	for path, want := range map[string]any{
		"payment": "paid", "payments.0.reference": "pi_1", "payments.1": nil, "assignee": me, "tags.0": "gift", "tags.1": nil,
		"notes.0.text": "wrap it well", "notes.0.by": me, "notes.0.edited_by": me, "notes.1": nil, "status": "placed", "items": 2.0, "total": 300.0,
		"lines.0.total": 300.0, "visitor.phone": "+15551", "visitor.name": "Customer 15551",
	} {
		if got.at(path) != want {
			t.Errorf("%s = %v, want %v", path, got.at(path), want)
		}
	}
	l.get("/v1/orders")
	for query, want := range map[string][]any{
		"payment=paid": {tea}, "payment=unpaid": {pot}, "tag=gift": {tea}, "tag=vip": {}, "assignee=me": {tea}, "tag=gift&payment=unpaid": {}, "chat=" + chat: {pot, tea},
	} {
		var ids []any
		for _, id := range l.must(200, ann, "GET", "/v1/orders?"+query, "").field("id") {
			ids = append(ids, "/v1/orders/"+id.(string))
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", query, ids, want)
		}
	}
	if got := l.must(200, l.machine(), "GET", "/v1/orders?assignee=me", "").items(); len(got) != 0 {
		t.Errorf("a program has orders: %v", got)
	}
	l.must(200, ann, "POST", tea+"/unassign", "")
	if got := l.get(tea); got["assignee"] != nil {
		t.Errorf("unassigned: %v", got["assignee"])
	}
	visitor := l.get("/v1/chats/" + chat + "/visitor")
	if visitor.at("orders.0.orders") != 2.0 || visitor.at("orders.0.total") != 600.0 || visitor.at("orders.0.last_at") == nil {
		t.Errorf("totals of the visitor: %v", visitor["orders"])
	}
}

// machine is a token that belongs to no member of staff.
func (l *ledger) machine() string {
	l.t.Helper()
	secret, _ := l.token(acme, agent.RoleAdmin, "")
	return secret
}

// A step that is to be told asks for it in the same write, or nothing is done.
func TestStepsThatTheCustomerIsToldOf(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat := l.receive(acme, "15551", "hello")
	order := "/v1/orders/" + l.must(201, ann, "POST", "/v1/orders",
		fmt.Sprintf(`{"chat":%q,"currency":"EUR","lines":[{"product":"tea","quantity":2,"unit_price":150}]}`, chat))["id"].(string)
	l.must(200, ann, "POST", order+"/confirm", `{"notify":true}`, "Idempotency-Key", "k")
	l.must(200, ann, "POST", order+"/confirm", `{"notify":true}`, "Idempotency-Key", "k")
	if again := l.must(200, ann, "POST", order+"/confirm", `{"notify":true}`); again["changed"] != false {
		t.Errorf("confirmed again: %v", again)
	}
	got := l.get(order)
	for path, want := range map[string]any{
		"status": "confirmed", "notices.0.status": "confirmed", "notices.0.text": "Your order is confirmed.", "notices.0.state": "requested", "notices.1": nil,
	} {
		if got.at(path) != want {
			t.Errorf("%s = %v, want %v", path, got.at(path), want)
		}
	}
	l.must(200, ann, "POST", "/v1/chats/"+chat+"/close", "")
	if o := l.must(409, ann, "POST", order+"/process", `{"notify":true,"text":"We are on it."}`); o["code"] != "chat.closed" {
		t.Errorf("to a closed chat: %v", o)
	}
	if got := l.get(order); got["status"] != "confirmed" {
		t.Errorf("the order is %v", got["status"])
	}
	l.must(200, ann, "POST", order+"/process", "")
}
