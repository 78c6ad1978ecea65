package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/internal/ids"
)

// pages returns the items of all pages of a list.
func (l *ledger) pages(as agent.Role, path string, limit int) (all []object) {
	l.t.Helper()
	at := "&min_position=" + l.head()
	for cursor := ""; ; {
		page := l.must(200, as, "GET", fmt.Sprintf("%s?limit=%d%s%s", path, limit, at, cursor), "")
		if n := len(page.items()); n > limit {
			l.t.Fatalf("%s: %d items, want %d at most", path, n, limit)
		}
		all = append(all, page.items()...)
		next, _ := page["next_cursor"].(string)
		if next == "" {
			return all
		}
		cursor = "&cursor=" + next
	}
}

// texts returns some fields of items, in a line each.
func texts(items []object, fields ...string) (out []string) {
	for _, o := range items {
		var line []string
		for _, f := range fields {
			line = append(line, fmt.Sprint(o.at(f)))
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

// What was answered to chatflows is read by chat and by contact, with all that was
// merged into it, also of visitors who are no contacts.
func TestReadingAnswers(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	ana, ben := l.receive(acme, "15551230001", "hello"), l.receive(acme, "15551230002", "hello")
	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Size","kind":"choice","choices":["S","M"]}`)
	answer := func(whose, question, value, more string) {
		t.Helper()
		l.must(200, agent.RoleBot, "POST", "/v1/chatflows/answers", `{`+whose+`,"flow":"welcome","question":"`+question+`","value":"`+value+`"`+more+`}`)
	}
	inAna, inBen := `"chat":"`+ana+`"`, `"chat":"`+ben+`"`
	answer(inAna, "size?", "m", `,"attribute":"Size"`)
	answer(inBen, "size?", "S", "")
	answer(`"customer":"+15551230001"`, "colour?", "red", "")
	answer(inAna, "colour?", "blue", "")
	anas := []string{"colour? blue false <nil> " + ana, "colour? red false <nil> <nil>", "size? m false size " + ana}
	fields := []string{"question", "value", "marked_as_contact", "attribute", "chat"}
	for limit := 1; limit < 5; limit++ {
		if got := texts(l.pages(agent.RoleBot, "/v1/chats/"+ana+"/answers", limit), fields...); !slices.Equal(got, anas) {
			t.Errorf("by %d: %q, want %q", limit, got, anas)
		}
	}
	first := l.get("/v1/chats/" + ana + "/answers").items()[0]
	if first["bot"] != l.agents[agent.RoleBot] || first["flow"] != "welcome" || first["contact"] != ids.Contact(acme, "15551230001") || first["at"] == nil {
		t.Errorf("the first is %v", first)
	}
	l.must(404, anAgent, "GET", "/v1/contacts/"+ids.Contact(acme, "15551230001")+"/answers?min_position="+l.head(), "")

	// They become contacts, and one.
	answer(inAna, "may we call?", "yes", `,"marks_as_contact":true`)
	answer(inBen, "may we call?", "yes", `,"marks_as_contact":true`)
	a, b := ids.Contact(acme, "15551230001"), ids.Contact(acme, "15551230002")
	l.must(200, anAgent, "POST", "/v1/contacts/"+a+"/merge", `{"contact":"`+b+`"}`)
	both := slices.Concat(
		[]string{"may we call? yes true <nil> " + ben, "may we call? yes true <nil> " + ana},
		anas[:2], []string{"size? S false <nil> " + ben}, anas[2:],
	)
	for limit := 1; limit < 8; limit++ {
		for _, id := range []string{a, b} {
			if got := texts(l.pages(anAgent, "/v1/contacts/"+id+"/answers", limit), fields...); !slices.Equal(got, both) {
				t.Errorf("by %d: %q, want %q", limit, got, both)
			}
		}
	}
	l.must(404, l.stranger(), "GET", "/v1/contacts/"+a+"/answers", "")
	l.must(200, aSenior, "DELETE", "/v1/contacts/"+a, "")
	l.must(404, agent.RoleAdmin, "GET", "/v1/contacts/"+a+"/answers?min_position="+l.head(), "")
}

// Answers from before they said so themselves show what they led to; and the page says
// that there are more if it had to look at too much.
func TestReadingOldAnswers(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat := l.receive(acme, "15551230001", "hello")
	stream := "contact-" + ids.Contact(acme, "15551230001")
	source := `"source":{"reason":"chatflow","chat":"` + chat + `","flow":"f","question":"q","by":"b"},"at":"2026-01-02T03:04:05Z"`
	l.append(acme, stream, "contact.answered.v1", `{"workspace":"acme","bot":"b","flow":"f","question":"q","value":"M","at":"2026-01-02T03:04:05Z"}`)
	l.append(acme, stream, "contact.added.v1", `{"workspace":"acme","status":"OPEN","category":"open",`+source+`}`)
	l.append(acme, stream, "contact.details_set.v1", `{"changes":[{"field":"attributes.size","values":["M"]}],`+source+`}`)
	path := "/v1/chats/" + chat + "/answers"
	want := []string{"M true size"}
	if got := texts(l.get(path).items(), "value", "marked_as_contact", "attribute"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i := range 6_000 {
		l.append(acme, stream, "contact.tags_changed.v1", fmt.Sprintf(`{"added":["t%d"]}`, i))
	}
	if page := l.get(path); len(page.items()) != 0 || page["next_cursor"] == nil {
		t.Errorf("the first page: %v", page)
	}
	if got := texts(l.pages(agent.RoleAdmin, path, 2), "value", "marked_as_contact", "attribute"); !slices.Equal(got, want) {
		t.Errorf("all pages: %q, want %q", got, want)
	}
}

// Who blocked a contact, when and why is in its history, and so is what happened to
// those that were merged into it.
func TestHistoryOfContacts(t *testing.T) {
	l := newLedger(t)
	add := func(name string) string {
		return l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"`+name+`"}`)["id"].(string)
	}
	a, b := add("Ana"), add("Ana again")
	l.must(200, anAgent, "POST", "/v1/contacts/"+b+"/block", `{"reason":"threats"}`)
	l.must(200, aSenior, "POST", "/v1/contacts/"+a+"/tags", `{"add":["vip"]}`)
	l.must(200, aSenior, "POST", "/v1/contacts/"+a+"/merge", `{"contact":"`+b+`"}`)
	var want []string
	for _, e := range []string{
		"contact.added.v1 0 A", "contact.details_set.v1 1 A", "contact.added.v1 0 B", "contact.details_set.v1 1 B", "contact.blocked.v1 2 B",
		"contact.tags_changed.v1 2 A", "contact.absorbed.v1 3 A", "contact.merged.v1 3 B",
	} {
		want = append(want, strings.NewReplacer(" A", " "+a, " B", " "+b).Replace(e))
	}
	for limit := 1; limit < 10; limit++ {
		for _, id := range []string{a, b} {
			if got := texts(l.pages(anAgent, "/v1/contacts/"+id+"/history", limit), "type", "revision", "contact"); !slices.Equal(got, want) {
				t.Errorf("by %d: %q, want %q", limit, got, want)
			}
		}
	}
	blocked := l.get("/v1/contacts/" + a + "/history").items()[4]
	for at, want := range map[string]any{
		"data.reason": "threats", "data.by": l.agents[anAgent], "actor": l.agents[anAgent], "actor_kind": "agent", "command": "contact.block",
	} {
		if got := blocked.at(at); got != want {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(blocked["at"])); err != nil || time.Since(at) > time.Hour || blocked["command_id"] == "" || blocked["causation"] == "" {
		t.Errorf("blocked %v", blocked)
	}

	// What is merged while pages are read is read on from there.
	page := l.get("/v1/contacts/" + a + "/history?limit=7")
	c := add("Ana once more")
	l.must(200, aSenior, "POST", "/v1/contacts/"+a+"/merge", `{"contact":"`+c+`"}`)
	rest := l.get("/v1/contacts/" + a + "/history?cursor=" + page["next_cursor"].(string))
	if got := rest.field("contact"); !slices.Equal(got, []any{b, c, c, a, c}) {
		t.Errorf("the rest is of %v", got)
	}

	l.must(200, aSenior, "DELETE", "/v1/contacts/"+a, "")
	at := "/v1/contacts/" + a + "/history?min_position=" + l.head()
	l.must(404, anAgent, "GET", at, "")
	if got := l.must(200, agent.RoleAuditor, "GET", at, "").field("type"); got[len(got)-1] != "contact.deleted.v1" {
		t.Errorf("of one that was deleted: %v", got)
	}
	l.must(404, l.stranger(), "GET", at, "")
}

func TestHistoryOfOrders(t *testing.T) {
	l := newLedger(t)
	order := "/v1/orders/" + l.must(201, anAgent, "POST", "/v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":100}]}`)["id"].(string)
	l.must(200, anAgent, "POST", order+"/confirm", "")
	l.must(200, aSenior, "POST", order+"/cancel", `{"reason":"twice"}`)
	all := l.pages(anAgent, order+"/history", 200)
	for limit := 1; limit < 4; limit++ {
		if got := l.pages(anAgent, order+"/history", limit); !slices.Equal(texts(got, "id"), texts(all, "id")) {
			t.Errorf("by %d: %v", limit, texts(got, "id"))
		}
	}
	last := all[len(all)-1]
	if last["command"] != "order.cancel" || last.at("data.reason") != "twice" || last["actor"] != l.agents[aSenior] || last["contact"] != nil {
		t.Errorf("the last is %v", last)
	}
	if got := l.get(order + "/history?after=0").field("revision"); len(got) != len(all)-1 || got[0] != 1.0 {
		t.Errorf("after the first: %v", got)
	}
}
