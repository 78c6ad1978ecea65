package readapi_test

import (
	"fmt"
	"testing"
	"time"

	domain "github.com/chatledger/chatledger/domain/contact"
)

// Whoever has two chats is one person: with one sum of what was ordered, found by what
// is in either chat, and shown beside each of them.
func TestAPersonWithTwoChats(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	first, second := l.receive(acme, "15551230001", "hello"), l.receive(acme, "15551230002", "hi")
	l.must(201, sue, "POST", "/v1/attributes", `{"name":"Size","kind":"number"}`)
	ana := l.must(201, ann, "POST", "/v1/contacts",
		`{"name":"Ana","phones":["+15551230001"],"emails":["ana@x.example","ana2@x.example"],"gender":"f","language":"pt","attributes":{"size":42}}`)["id"].(string)
	l.must(201, ann, "POST", "/v1/contacts/"+ana+"/notes", `{"text":"likes tea"}`)
	for chat, price := range map[string]int{first: 150, second: 350} {
		link := domain.LinkChat{Link: domain.Link{Chat: chat, Channel: "c", Customer: "15551230001"}, At: time.Now()}
		if _, err := l.commands.Contacts.LinkChat(t.Context(), l.origin(acme), link); err != nil {
			t.Fatal(err)
		}
		l.must(201, ann, "POST", "/v1/orders", fmt.Sprintf(`{"chat":%q,"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":%d}]}`, chat, price))
	}

	contact := l.get("/v1/contacts/" + ana)
	if contact.at("orders.0.orders") != 2.0 || contact.at("orders.0.total") != 500.0 || contact.at("orders.1") != nil {
		t.Errorf("what Ana ordered: %v", contact["orders"])
	}
	visitor := l.get("/v1/chats/" + second + "/visitor")
	for path, want := range map[string]any{
		"contact": ana, "gender.value": "f", "language.value": "pt", "language.source.kind": "typed_in", "attributes.0.field": "attributes.size",
		"attributes.0.values.0.value": "42", "notes.0.text": "likes tea", "more_notes": false, "orders.0.total": 350.0,
	} {
		if visitor.at(path) != want {
			t.Errorf("%s = %v, want %v", path, visitor.at(path), want)
		}
	}

	group := l.must(201, sue, "POST", "/v1/groups", `{"name":"Who ordered","kind":"dynamic","filter":{"and":[
		{"field":"has_ordered","op":"eq","value":true},{"field":"order_status","op":"eq","value":"placed"},{"field":"channel","op":"exists"},{"field":"team","op":"exists","value":false},
		{"field":"unread","op":"eq","value":true},{"field":"last_activity","op":"gt","value":"2000-01-01"},{"field":"last_message_by","op":"eq","value":"customer"},
		{"field":"is_contact","op":"eq","value":true},{"field":"email","op":"eq","value":"ana2@x.example"},{"field":"phone","op":"prefix","value":"+1555"}]}}`)["id"].(string)
	why := l.get("/v1/groups/" + group + "/members/" + ana + "/why")
	if why["in"] != true {
		t.Errorf("Ana is not in the group: %v", why)
	}
	for path, want := range map[string]any{
		"0.has": true, "1.has.0": "placed", "2.has.1": nil, "4.has": true, "6.has": "customer", "7.has": true, "8.has.1": "ana2@x.example", "9.has": "+15551230001",
	} {
		if got := why.at("filter.and." + path); got != want {
			t.Errorf("and.%s = %v, want %v", path, got, want)
		}
	}
	count := func(target, filter string) any {
		t.Helper()
		return l.must(200, ann, "POST", "/v1/"+target+"/count?min_position="+l.head(), `{"filter":`+filter+`}`)["count"]
	}
	for _, tt := range []struct {
		target, filter string
		want           float64
	}{
		{"orders", `{"field":"attributes.size","op":"eq","value":42}`, 2},
		{"orders", `{"field":"email","op":"eq","value":"ana2@x.example"}`, 2},
		{"chats", `{"field":"email","op":"eq","value":"ana2@x.example"}`, 2},
		{"contacts", `{"field":"has_ordered","op":"eq","value":false}`, 0},
	} {
		if got := count(tt.target, tt.filter); got != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.target, tt.filter, got, tt.want)
		}
	}
}
