package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	domain "github.com/chatledger/chatledger/domain/contact"
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
	// Nobody is left without all of these.
	if o := l.must(400, anAgent, "PATCH", path, `{"name":null,"emails":[],"phones":null}`); o["code"] != "contact.no_details" {
		t.Errorf("emptied: %v", o)
	}
	l.must(200, anAgent, "PATCH", path, `{"name":null,"emails":[]}`)
	// Two without anything of their own are two.
	one, two := l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"Eve"}`), l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"Eve"}`)
	if one["id"] == two["id"] {
		t.Error("two of a name are one")
	}
	l.must(404, l.stranger(), "PATCH", path, `{"city":"Rome"}`)
}

// An agent who types in an address of a visitor makes a contact of this visitor.
func TestAddingAContactFromAChat(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat, other := l.receive(acme, "15551230001", "hello"), l.receive(acme, "15551230002", "hello")
	key := []string{"Idempotency-Key", "from-chat"}
	body := `{"chat":"` + chat + `","emails":["ana@example.com"],"phones":["+15559999"],"city":null}`
	first := l.must(201, anAgent, "POST", "/v1/contacts", body, key...)
	id := first["id"].(string)
	if want := ids.Contact(acme, "15551230001"); id != want {
		t.Errorf("id %s, want that of the chat's customer, %s", id, want)
	}
	c := l.get("/v1/contacts/" + id)
	if c["phone"] != "+15551230001" || c["email"] != "ana@example.com" || c["name"] != "Customer 15551230001" || c["reason"] != "typed_in" || c.at("chats.0.chat") != chat {
		t.Errorf("contact %v", c)
	}
	if v := l.get("/v1/chats/" + chat + "/visitor"); v["contact"] != id {
		t.Errorf("the visitor is %v", v)
	}
	l.must(409, anAgent, "POST", "/v1/contacts", body)
	l.must(200, aSenior, "DELETE", "/v1/chats/"+chat, "")
	if again := l.must(201, anAgent, "POST", "/v1/contacts", body, key...); again["id"] != id || again["position"] != first["position"] {
		t.Errorf("the repeat: %v, want %v", again, first)
	}

	l.settle("rivals")
	theirs := l.receive("rivals", "15551230003", "hello")
	for _, none := range []string{theirs, chat, "none"} { // another workspace's, a deleted one
		if o := l.must(404, anAgent, "POST", "/v1/contacts", `{"chat":"`+none+`","name":"Ana"}`); o["code"] != "chat.not_found" || o.at("errors.0.location") != "body.chat" {
			t.Errorf("%s: %v", none, o)
		}
	}
	for body, at := range map[string]string{`{"chat":"` + other + `"}`: "body.name", `{"chat":7,"name":"Ana"}`: "body.chat"} {
		if o := l.must(400, anAgent, "POST", "/v1/contacts", body); o.at("errors.0.location") != at {
			t.Errorf("%s: %v", body, o)
		}
	}
	l.must(400, anAgent, "PATCH", "/v1/contacts/"+id, `{"chat":"`+other+`"}`)
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

// What is empty takes a value away, and so does null.
func TestEmptyingContacts(t *testing.T) {
	for name, empty := range map[string][2]string{"empty": {`""`, `[]`}, "null": {`null`, `null`}} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			text, list := empty[0], empty[1]
			full := `{"name":"Ana","emails":["ana@example.com"],"phones":["+15550000001"],"company":"Lima Hats","city":"Rome","country":"IT","gender":"female","language":"it"}`
			one := "/v1/contacts/" + l.must(201, anAgent, "POST", "/v1/contacts", full)["id"].(string)
			for _, body := range []string{
				`{"name":` + text + `}`, `{"emails":` + list + `}`,
				`{"company":` + text + `,"city":` + text + `,"country":` + text + `,"gender":` + text + `,"language":` + text + `}`,
			} {
				if o := l.must(200, anAgent, "PATCH", one, body); o["changed"] != true {
					t.Errorf("%s: %v", body, o)
				}
				if o := l.must(200, anAgent, "PATCH", one, body); o["changed"] != false {
					t.Errorf("%s again: %v", body, o)
				}
			}
			if o := l.get(one); len(o["fields"].([]any)) != 1 || o.at("fields.0.field") != "phones" {
				t.Errorf("left: %v", o["fields"])
			}
			l.must(400, anAgent, "PATCH", one, `{"phones":`+list+`}`)
			l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"Bob","emails":`+list+`,"city":`+text+`}`)
			l.must(400, anAgent, "POST", "/v1/contacts", `{"name":`+text+`}`)
		})
	}
}

func TestAnswersNameTheFieldAtFault(t *testing.T) {
	l := newLedger(t)
	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Points","kind":"number"}`)
	for attribute, want := range map[string]struct {
		status int
		at     string
	}{"none": {404, "body.attribute"}, "points": {400, "body.value"}} {
		body := `{"customer":"+15550000001","flow":"f","question":"q","value":"many","attribute":"` + attribute + `"}`
		if o := l.must(want.status, agent.RoleBot, "POST", "/v1/chatflows/answers", body); o.at("errors.0.location") != want.at {
			t.Errorf("%s: %v", attribute, o)
		}
	}
}

func TestReadingContacts(t *testing.T) {
	l := newLedger(t)
	add := func(body string) string {
		return l.must(201, anAgent, "POST", "/v1/contacts", body)["id"].(string)
	}
	ana := add(`{"name":"Ana Lima","phones":["+15551230001"],"emails":["ana@example.com"],"city":"Lisbon"}`)
	bob := add(`{"name":"Bob","emails":["ANA@example.com","bob@example.com"],"phones":["+15559"]}`)
	eve := add(`{"name":"Eve"}`)
	path := "/v1/contacts/" + ana
	l.must(200, anAgent, "POST", path+"/tags", `{"add":["VIP"]}`)
	note := l.must(201, anAgent, "POST", path+"/notes", `{"text":"careful"}`)["id"].(string)
	l.must(200, anAgent, "PATCH", path+"/notes/"+note, `{"text":"kind"}`)
	l.must(200, anAgent, "POST", path+"/status", `{"status":"REVIEW"}`)
	l.must(200, anAgent, "POST", path+"/assign", `{"agent":"`+l.agents[anAgent]+`"}`)
	l.must(200, anAgent, "POST", path+"/block", `{"reason":"spam"}`)

	c := l.get(path)
	for at, want := range map[string]any{
		"name": "Ana Lima", "email": "ana@example.com", "phone": "+15551230001", "city": "Lisbon", "status": "REVIEW", "status_category": "pending",
		"tags.0": "vip", "assignee": l.agents[anAgent], "blocked": true, "reason": "typed_in", "added.by": l.agents[anAgent],
		"fields.0.field": "name", "fields.0.values.0.value": "Ana Lima", "fields.0.values.0.source.kind": "typed_in", "fields.0.values.0.source.by": l.agents[anAgent],
		"notes.0.id": note, "notes.0.text": "kind", "notes.0.edited_by": l.agents[anAgent], "more_notes": false,
	} {
		if got := c.at(at); got != want {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}
	for query, want := range map[string][]any{
		"":                               {eve, bob, ana},
		"?sort=updated&limit=1":          {ana},
		"?assignee=none":                 {eve, bob},
		"?assignee=" + l.agents[anAgent]: {ana},
		"?status=REVIEW&tag=vip":         {ana},
		"?blocked=false":                 {eve, bob},
		"?blocked=true&assignee=me&status=REVIEW": nil, // an admin asks
	} {
		if got := l.get("/v1/contacts" + query).field("id"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	find := `{"filter":{"and":[{"field":"name","op":"prefix","value":"b"},{"field":"blocked","op":"eq","value":false}]}}`
	if got := l.must(200, anAgent, "POST", "/v1/contacts/query?min_position="+l.head(), find).field("id"); !slices.Equal(got, []any{bob}) {
		t.Errorf("found %v", got)
	}
	if n := l.must(200, anAgent, "POST", "/v1/contacts/count?min_position="+l.head(), find); n["count"] != 1.0 || n["exact"] != true {
		t.Errorf("counted %v", n)
	}
	if n := len(l.must(200, anAgent, "GET", "/v1/filters/contacts", "").items()); n < 15 {
		t.Errorf("%d fields", n)
	}
	if d := l.get(path + "/duplicates"); d.at("items.0.contact.id") != bob || d.at("items.0.value") != "ana@example.com" || len(d.items()) != 1 {
		t.Errorf("duplicates %v", d)
	}

	// Merged, they are one; and two again afterwards.
	l.must(200, anAgent, "POST", path+"/merge", `{"contact":"`+bob+`"}`)
	c = l.get("/v1/contacts/" + bob)
	if c["id"] != ana || c.at("merged.0.id") != bob || c.at("merged.0.name") != "Bob" || len(l.get("/v1/contacts").items()) != 2 {
		t.Errorf("merged: %v", c)
	}
	l.must(200, anAgent, "POST", path+"/unmerge", `{"contact":"`+bob+`"}`)
	if c = l.get("/v1/contacts/" + bob); c["id"] != bob || c["phone"] != "+15559" {
		t.Errorf("unmerged: %v", c)
	}

	// A tag that was merged and a status that was remapped show as what they are now.
	l.must(201, aSenior, "POST", "/v1/tags", `{"name":"Gold"}`)
	l.must(200, aSenior, "POST", "/v1/tags/vip/merge", `{"into":"gold"}`)
	l.must(200, aSenior, "DELETE", "/v1/statuses/REVIEW?remap_to=ONHOLD", "")
	if got := l.get("/v1/contacts?tag=gold&status=ONHOLD"); got.at("items.0.id") != ana || got.at("items.0.status") != "ONHOLD" || got.at("items.0.tags.0") != "gold" {
		t.Errorf("by tag and status: %v", got)
	}
	if again := l.must(200, anAgent, "POST", path+"/tags", `{"add":["gold"]}`); again["changed"] != false {
		t.Error("it has the tag already")
	}
	if again := l.must(200, anAgent, "POST", path+"/status", `{"status":"ONHOLD"}`); again["changed"] != false {
		t.Error("it shows the status already")
	}
	l.must(200, anAgent, "POST", path+"/tags", `{"remove":["gold"]}`)
	if got := l.get("/v1/contacts?tag=gold"); len(got.items()) != 0 {
		t.Errorf("without the tag: %v", got)
	}
	l.must(200, anAgent, "POST", "/v1/contacts/"+eve+"/status", `{"status":"DEPENDENCY"}`)
	l.must(409, aSenior, "DELETE", "/v1/statuses/DEPENDENCY", "")

	l.must(200, aSenior, "DELETE", "/v1/contacts/"+eve, "")
	l.must(404, anAgent, "GET", "/v1/contacts/"+eve+"?min_position="+l.head(), "")
	l.must(200, aSenior, "POST", "/v1/contacts/"+eve+"/restore", "")
	l.get("/v1/contacts/" + eve)
	l.must(404, l.stranger(), "GET", "/v1/contacts/"+eve, "")

	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Size","kind":"choice","choices":["S","M"]}`)
	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Old","kind":"text"}`)
	l.must(200, aSenior, "DELETE", "/v1/attributes/old", "")
	if a := l.get("/v1/attributes"); a.at("items.0.id") != "size" || a.at("items.0.choices.1") != "M" || len(a.items()) != 1 {
		t.Errorf("attributes %v", a)
	}
	if a := l.get("/v1/attributes?all=true"); len(a.items()) != 2 {
		t.Errorf("all attributes %v", a)
	}
}

// What bots report marks contacts and fills attributes, however often they say it.
func TestAnswersOfChatflows(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat := l.receive(acme, "15551230001", "hello")
	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Size","kind":"choice","choices":["S","M"]}`)
	answer := func(status int, body string) object {
		t.Helper()
		return l.must(status, agent.RoleBot, "POST", "/v1/chatflows/answers", body)
	}
	first := answer(200, `{"chat":"`+chat+`","flow":"welcome","question":"size?","value":"m","attribute":"size"}`)
	id := first["id"].(string)
	l.must(404, anAgent, "GET", "/v1/contacts/"+id+"?min_position="+l.head(), "")
	if again := answer(200, `{"chat":"`+chat+`","flow":"welcome","question":"size?","value":"m","attribute":"Size"}`); again["changed"] != false {
		t.Error("the same answer is a change")
	}
	if bad := answer(400, `{"chat":"`+chat+`","flow":"welcome","question":"size?","value":"XL","attribute":"size"}`); bad["code"] != "attribute.bad_value" {
		t.Errorf("a bad value: %v", bad)
	}
	answer(404, `{"chat":"`+chat+`","flow":"welcome","question":"size?","value":"XL","attribute":"none"}`)
	if marked := answer(200, `{"customer":"+1 555 123 0001","bot":"b2","flow":"welcome","question":"may we call?","value":"yes","marks_as_contact":true}`); marked["id"] != id {
		t.Errorf("by number it is %v, by chat %s", marked["id"], id)
	}
	c := l.get("/v1/contacts/" + id)
	for at, want := range map[string]any{
		"reason": "chatflow", "added.flow": "welcome", "added.question": "may we call?", "added.by": "b2", "phone": "+15551230001",
		"fields.1.field": "attributes.size", "fields.1.values.0.value": "M", "fields.1.values.0.source.question": "size?",
	} {
		if got := c.at(at); got != want {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}

	// The chat shows it, too, and once.
	other := l.receive(acme, "15551230002", "hello")
	for _, question := range []string{"may we call?", "may we write?"} {
		answer(200, `{"chat":"`+other+`","flow":"welcome","question":"`+question+`","value":"yes","marks_as_contact":true}`)
	}
	if got := l.get("/v1/chats/" + other).at("contact.is_contact"); got != true {
		t.Errorf("the chat's contact: %v", got)
	}
	// Its contact has the name of the profile, since nobody has told another.
	found := l.must(200, anAgent, "POST", "/v1/contacts/query?min_position="+l.head(), `{"filter":{"field":"name","op":"eq","value":"Customer 15551230002"}}`)
	if len(found.items()) != 1 {
		t.Fatalf("by the name of the profile: %v", found)
	}
	named := "/v1/contacts/" + found.at("items.0.id").(string)
	if c := l.get(named); c.at("fields.0.values.0.source.kind") != "profile" || c.at("fields.0.values.0.source.chat") != other {
		t.Errorf("the name comes from %v", c.at("fields.0.values.0.source"))
	}
	l.must(200, anAgent, "PATCH", named, `{"name":"Ben"}`)
	answer(200, `{"chat":"`+other+`","flow":"welcome","question":"may we sing?","value":"yes","marks_as_contact":true}`)
	if got := l.get(named); got["name"] != "Ben" || got["reason"] != "chatflow" {
		t.Errorf("renamed, then marked again: %v", got)
	}
	n := 0
	for _, typ := range l.events() {
		if typ == "chat.details_shared.v1" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("details were shared %d times", n)
	}
}

// What is shown as blocked can be unblocked, also if it was a part that was blocked.
func TestUnblockingWhatWasMerged(t *testing.T) {
	l := newLedger(t)
	add := func(name string) string {
		return "/v1/contacts/" + l.must(201, ann, "POST", "/v1/contacts", `{"name":"`+name+`"}`)["id"].(string)
	}
	one, other := add("Ana"), add("Ana again")
	l.must(200, ann, "POST", other+"/block", `{"reason":"spam"}`)
	l.must(200, ann, "POST", one+"/merge", `{"contact":"`+strings.TrimPrefix(other, "/v1/contacts/")+`"}`)
	if c := l.get(one); c["blocked"] != true {
		t.Fatalf("merged: %v", c)
	}
	done := l.must(200, ann, "POST", one+"/unblock", "")
	if done["changed"] != true || l.get(one)["blocked"] != false || fmt.Sprint(done["position"]) != l.head() {
		t.Errorf("unblocked: %v", done)
	}
	if again := l.must(200, ann, "POST", one+"/unblock", ""); again["changed"] != false {
		t.Errorf("once more: %v", again)
	}
	l.must(200, ann, "POST", one+"/unmerge", `{"contact":"`+strings.TrimPrefix(other, "/v1/contacts/")+`"}`)
	if c := l.get(other); c["blocked"] != false {
		t.Errorf("apart again: %v", c)
	}
}

// Whoever is blocked writes to nobody: it is kept, and changes nothing else. And
// nothing goes to them.
func TestBlocking(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	const number = "15551230001"
	one := "/v1/chats/" + l.receive(acme, number, "hello")
	l.must(202, ann, "POST", one+"/messages", `{"text":"hi"}`)
	l.must(200, ann, "POST", one+"/read", "")
	contact := l.must(201, ann, "POST", "/v1/contacts", `{"name":"Ana","phones":["+`+number+`"]}`)["id"].(string)
	other := l.must(201, ann, "POST", "/v1/contacts", `{"name":"Ana again","emails":["ana@example.com"]}`)["id"].(string)
	l.must(201, ann, "POST", one+"/scheduled", `{"text":"later","send_at":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
	chatID := strings.TrimPrefix(one, "/v1/chats/")
	_, err := l.commands.Contacts.LinkChat(t.Context(), l.origin(acme), domain.LinkChat{Link: domain.Link{Chat: chatID, Channel: "c", Customer: number}, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	// The contact is a part of another, and that one is blocked.
	l.must(200, sue, "POST", "/v1/contacts/"+other+"/merge", `{"contact":"`+contact+`"}`)
	l.must(200, ann, "POST", "/v1/contacts/"+other+"/block", `{"reason":"spam"}`)
	unread := func() any { t.Helper(); return l.get(one)["unread"] }
	l.receive(acme, number, "buy this")
	if n := unread(); n != 0.0 {
		t.Errorf("%v unread of somebody who is blocked", n)
	}
	l.must(200, ann, "POST", one+"/close", "")
	l.receive(acme, number, "and that")
	if c := l.get(one); c["status"] != "CLOSED" || c.at("last_message.preview") != "and that" || c["waiting_since"] != nil {
		t.Errorf("closed, then: %v", c)
	}
	l.must(200, sue, "DELETE", one, "")
	l.receive(acme, number, "and more")
	l.must(404, ann, "GET", one+"?min_position="+l.head(), "")
	l.must(200, sue, "POST", one+"/restore", "")
	l.must(200, ann, "POST", one+"/reopen", "")
	first := l.get(one + "/messages?events=false").items()[0]["id"].(string)
	for path, body := range map[string]string{"/messages": `{"text":"hi"}`, "/messages/" + first + "/reactions": `{"emoji":"👍"}`, "/read": `{"show_customer":true}`, "/calls": "", "/scheduled": `{"text":"hi","send_at":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`} {
		if o := l.must(409, ann, "POST", one+path, body); o["code"] != "chat.blocked" && path != "/calls" {
			t.Errorf("%s: %v", path, o)
		}
	}
	if v := l.get(one + "/visitor"); v["blocked"] != true || v["contact"] != other {
		t.Errorf("visitor %v", v)
	}
	for value, n := range map[string]float64{"true": 1, "false": 0} {
		if got := l.must(200, ann, "POST", "/v1/chats/count?min_position="+l.head(), `{"filter":{"field":"blocked","op":"eq","value":`+value+`}}`); got["count"] != n {
			t.Errorf("blocked %s: %v", value, got)
		}
	}
	var marked []any // what came, and what was sent
	for _, e := range l.get(one + "/messages?events=false").items() {
		marked = append(marked, e.at("message.blocked"))
	}
	if want := []any{nil, nil, true, true, true}; !slices.Equal(marked, want) {
		t.Errorf("messages are marked %v, want %v", marked, want)
	}

	l.must(200, ann, "POST", "/v1/contacts/"+other+"/unblock", "")
	l.receive(acme, number, "sorry")
	if n := unread(); n != 1.0 {
		t.Errorf("%v unread once unblocked", n)
	}
	l.must(202, ann, "POST", one+"/messages", `{"text":"hi"}`)

	// A chat that somebody begins who is blocked already is closed.
	stranger := l.must(201, ann, "POST", "/v1/contacts", `{"phones":["+15551230002"]}`)["id"].(string)
	l.must(200, ann, "POST", "/v1/contacts/"+stranger+"/block", "")
	if c := l.get("/v1/chats/" + l.receive(acme, "15551230002", "hello")); c["status"] != "CLOSED" || c["unread"] != 0.0 {
		t.Errorf("a new chat: %v", c)
	}
}
