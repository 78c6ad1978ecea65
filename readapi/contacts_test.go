package readapi_test

import (
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/internal/ids"
)

const (
	anAgent = agent.RoleAgent
	aSenior = agent.RoleSupervisor
)

func TestAddingAContact(t *testing.T) {
	l := newLedger(t)
	key := []string{"Idempotency-Key", "add-1"}
	const body = `{"name":"Ana","phones":["+1 555 123-0001"],"emails":["ana@example.com"]}`
	first := l.must(201, anAgent, "POST", "/v1/contacts", body, key...)
	id := first["id"].(string)
	if want := ids.Contact(acme, "15551230001"); id != want {
		t.Errorf("id %s, want that of the phone number, %s", id, want)
	}
	if again := l.must(201, anAgent, "POST", "/v1/contacts", body, key...); again["id"] != id || again["position"] != first["position"] {
		t.Errorf("the repeat: %v, want %v", again, first)
	}
	l.must(409, anAgent, "POST", "/v1/contacts", body)
	l.must(409, anAgent, "POST", "/v1/contacts", `{"phones":["0015551230001"]}`)
	l.must(201, anAgent, "POST", "/v1/contacts", `{"emails":["Bob@Example.com"]}`)
	l.must(409, anAgent, "POST", "/v1/contacts", `{"emails":["bob@example.com"]}`)

	// A number that its owner has no more is free for somebody else.
	path := "/v1/contacts/" + id
	l.must(200, anAgent, "PATCH", path, `{"phones":["+15559999"],"city":"Lisbon","country":""}`)
	other := l.must(201, anAgent, "POST", "/v1/contacts", body, "Idempotency-Key", "add-2")
	if other["id"] == id {
		t.Error("the number's old owner was changed")
	}
	if again := l.must(201, anAgent, "POST", "/v1/contacts", body, "Idempotency-Key", "add-2"); again["id"] != other["id"] {
		t.Errorf("the repeat: %v, want %v", again, other)
	}
	// Two without anything of their own are two.
	one, two := l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"Eve"}`), l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"Eve"}`)
	if one["id"] == two["id"] {
		t.Error("two of a name are one")
	}
	l.must(404, l.stranger(), "PATCH", path, `{"city":"Rome"}`)
}

// stranger is the token of an admin of another workspace.
func (l *ledger) stranger() string {
	l.t.Helper()
	l.settle("other")
	secret, _ := l.token("other", agent.RoleAdmin, ids.Agent("other", "x"))
	return secret
}

func TestAttributesOfContacts(t *testing.T) {
	l := newLedger(t)
	size := l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Shirt size","kind":"choice","choices":["S","M"]}`)["id"].(string)
	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Points","kind":"number"}`)
	if size != "shirt-size" {
		t.Errorf("id %q", size)
	}
	path := "/v1/contacts/" + l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"Ana","attributes":{"Shirt Size":"m","points":12.50}}`)["id"].(string)
	if w := l.must(200, anAgent, "PATCH", path, `{"attributes":{"shirt-size":"M","points":"12.5"}}`); w["changed"] != false {
		t.Error("the same values are a change")
	}
	for body, field := range map[string]string{
		`{"attributes":{"shirt-size":"XL"}}`: "attributes.shirt-size",
		`{"attributes":{"points":"many"}}`:   "attributes.points",
		`{"attributes":{"points":[1]}}`:      "attributes.points",
	} {
		if w := l.do(anAgent, "PATCH", path, body); w.status != 400 || !strings.Contains(w.body, "body."+field) {
			t.Errorf("%s: %d %s", body, w.status, w.body)
		}
	}
	l.must(404, anAgent, "PATCH", path, `{"attributes":{"shoes":1}}`)
	l.must(200, aSenior, "PATCH", "/v1/attributes/"+size, `{"choices":["S","M","XL"]}`)
	l.must(200, aSenior, "PATCH", "/v1/attributes/"+size, `{"name":"Size"}`)
	l.must(200, anAgent, "PATCH", path, `{"attributes":{"size":"xl"}}`)
	l.must(200, aSenior, "DELETE", "/v1/attributes/"+size, "")
	l.must(409, anAgent, "PATCH", path, `{"attributes":{"size":"S"}}`)
	l.must(200, anAgent, "PATCH", path, `{"attributes":{"size":null}}`)
	l.must(200, aSenior, "POST", "/v1/attributes/"+size+"/restore", "")
	l.must(400, aSenior, "PATCH", "/v1/attributes/"+size, `{}`)
}

func TestMergingContacts(t *testing.T) {
	l := newLedger(t)
	add := func(name string) string {
		return l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"`+name+`"}`)["id"].(string)
	}
	a, b, c := add("a"), add("b"), add("c")
	into := func(a string) string { return "/v1/contacts/" + a + "/merge" }
	other := func(id string) string { return `{"contact":"` + id + `"}` }
	first := l.must(200, anAgent, "POST", into(a), other(b), "Idempotency-Key", "m")
	if again := l.must(200, anAgent, "POST", into(a), other(b), "Idempotency-Key", "m"); again["position"] != first["position"] {
		t.Errorf("the repeat: %v, want %v", again, first)
	}
	if again := l.must(200, anAgent, "POST", into(a), other(b)); again["changed"] != false {
		t.Errorf("merged twice: %v", again)
	}
	l.must(409, anAgent, "POST", into(c), other(a)) // has merged
	l.must(409, anAgent, "POST", into(c), other(b)) // is merged
	l.must(409, anAgent, "POST", into(b), other(c))
	l.must(409, anAgent, "POST", into(a), other(a))
	l.must(404, anAgent, "POST", into(a), other("none"))
	l.must(404, anAgent, "POST", into("none"), other(c))
	l.must(409, anAgent, "PATCH", "/v1/contacts/"+b, `{"city":"Rome"}`)
	l.must(200, anAgent, "POST", into(a), other(c))
	l.must(409, anAgent, "POST", "/v1/contacts/"+c+"/unmerge", other(b))
	l.must(200, anAgent, "POST", "/v1/contacts/"+a+"/unmerge", other(b))
	if again := l.must(200, anAgent, "POST", "/v1/contacts/"+a+"/unmerge", other(b)); again["changed"] != false {
		t.Errorf("unmerged twice: %v", again)
	}
	l.must(200, anAgent, "PATCH", "/v1/contacts/"+b, `{"city":"Rome"}`)
	l.must(200, anAgent, "POST", into(b), other(add("d")))
}
