package readapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/agent"
)

func TestFilters(t *testing.T) {
	l := newLedger(t)
	first := l.receive(acme, "15551", "hello")
	second := l.receive(acme, "15552", "hello")
	third := l.receive(acme, "15553", "hello")
	l.must(200, agent.RoleAgent, "POST", "/v1/chats/"+first+"/claim", "")
	l.must(200, agent.RoleAgent, "POST", "/v1/chats/"+second+"/tags", `{"add":["vip"]}`)
	ask := func(path, filter, more string) object {
		t.Helper()
		return l.must(200, agent.RoleAgent, "POST", path+"?min_position="+l.head(), fmt.Sprintf(`{"filter":%s%s}`, filter, more))
	}
	for filter, want := range map[string][]string{
		`{}`: {third, second, first},
		`{"field":"assignee","op":"eq","value":"me"}`:         {first},
		`{"not":{"field":"assignee","op":"eq","value":"me"}}`: {third, second},
		`{"field":"tag","op":"in","value":["vip","spam"]}`:    {second},
		`{"and":[{"field":"unread","op":"eq","value":true},{"or":[{"field":"phone","op":"contains","value":"15553"},{"field":"tag","op":"exists"}]}]}`: {third, second},
		`{"field":"last_activity","op":"gt","value":"+1d"}`: {},
	} {
		items := ask("/v1/chats/query", filter, "").items()
		var got []string
		for _, o := range items {
			got = append(got, o["id"].(string))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
		n := ask("/v1/chats/count", filter, "")
		if n["count"] != float64(len(want)) || n["exact"] != true {
			t.Errorf("%s: counted %v, want %d", filter, n, len(want))
		}
	}
	page := ask("/v1/chats/query", `{}`, `,"limit":2`)
	rest := ask("/v1/chats/query", `{}`, fmt.Sprintf(`,"limit":2,"cursor":%q`, page["next_cursor"]))
	if len(page.items()) != 2 || len(rest.items()) != 1 || rest["next_cursor"] != nil {
		t.Errorf("two pages: %v, %v", page, rest)
	}
	fields := l.get("/v1/filters/chats").items()
	if len(fields) < 18 || fields[1]["name"] != "status" {
		t.Errorf("fields: %v", fields)
	}
}

// Chats are chosen by what their contact has, and a filter's fields are described
// with the workspace's own.
func TestFiltersByTheContact(t *testing.T) {
	l := newLedger(t)
	chat, other := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello")
	l.must(201, agent.RoleAdmin, "POST", "/v1/attributes", `{"name":"Size","kind":"number"}`)
	l.must(201, agent.RoleAgent, "POST", "/v1/contacts", `{"name":"Ana","phones":["+15551"],"gender":"f","language":"pt"}`)
	l.must(200, agent.RoleBot, "POST", "/v1/chatflows/answers", fmt.Sprintf(`{"chat":%q,"flow":"shoes","question":"Size?","value":"41.5","attribute":"size","marks_as_contact":true}`, chat))
	for filter, want := range map[string]string{
		`{"field":"attributes.size","op":"gt","value":41}`:          chat,
		`{"field":"attributes.size","op":"exists","value":false}`:   other,
		`{"not":{"field":"attributes.size","op":"lt","value":100}}`: other,
	} {
		items := l.must(200, agent.RoleAgent, "POST", "/v1/chats/query?min_position="+l.head(), `{"filter":`+filter+`}`).items()
		if len(items) != 1 || items[0]["id"] != want {
			t.Errorf("%s: %v, want %s", filter, items, want)
		}
	}
	refused := l.must(400, agent.RoleAgent, "POST", "/v1/chats/query", `{"filter":{"and":[{"field":"attributes.shoe","op":"eq","value":1}]}}`)
	if refused["code"] != "filter.unknown_field" || !strings.Contains(fmt.Sprint(refused["errors"]), "body.filter.and[0].field") {
		t.Errorf("an attribute that there is not: %v", refused)
	}
	fields := l.get("/v1/filters/chats").items()
	last := fields[len(fields)-1]
	if last["name"] != "attributes.size" || last["label"] != "Size" || last["kind"] != "number" {
		t.Errorf("the last field is %v", last)
	}
}

func TestOrderFilters(t *testing.T) {
	l := newLedger(t)
	chat := l.receive(acme, "15551", "hello")
	place := func(product string, price int) string {
		body := fmt.Sprintf(`{"chat":%q,"currency":"EUR","lines":[{"product":%q,"name":"\"product\":\"x\"","quantity":1,"unit_price":%d}]}`, chat, product, price)
		return l.must(201, agent.RoleAgent, "POST", "/v1/orders", body)["id"].(string)
	}
	tea, hat := place("tea", 100), place("hat", 2_000)
	l.must(200, agent.RoleAgent, "POST", "/v1/orders/"+hat+"/confirm", "")
	for filter, want := range map[string][]string{
		`{}`: {hat, tea},
		`{"field":"total","op":"between","value":[50,100]}`:    {tea},
		`{"field":"status","op":"eq","value":"confirmed"}`:     {hat},
		`{"field":"product","op":"in","value":["tea","none"]}`: {tea},
		`{"field":"product","op":"eq","value":"x"}`:            {},
		`{"and":[{"field":"phone","op":"contains","value":"15551"},{"field":"payment","op":"eq","value":"unpaid"},{"not":{"field":"items","op":"gt","value":1}}]}`: {hat, tea},
		`{"field":"tag","op":"eq","value":"vip"}`: {},
	} {
		body := fmt.Sprintf(`{"filter":%s}`, filter)
		items := l.must(200, agent.RoleAgent, "POST", "/v1/orders/query?min_position="+l.head(), body).items()
		var got []string
		for _, o := range items {
			got = append(got, o["id"].(string))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
		if n := l.must(200, agent.RoleAgent, "POST", "/v1/orders/count?min_position="+l.head(), body); n["count"] != float64(len(want)) {
			t.Errorf("%s: counted %v", filter, n)
		}
	}
}
