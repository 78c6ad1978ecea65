package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/template"
)

func TestSettings(t *testing.T) {
	l := newLedger(t)
	before := l.get("/v1/settings")
	for at, want := range map[string]any{
		"reopening.status": "default", "reopening.assignee": "keep", "hours": nil, "languages.default": nil, "opt_out.built_in": true,
		"retention.closed_days": 0.0, "transfers.accept": false, "transfers.minutes": 15.0, "changed_at": nil, "changed_by": nil,
	} {
		if got := before.at(at); got != want {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}
	change := func(status int, body string, header ...string) object {
		t.Helper()
		return l.must(status, agent.RoleAdmin, "PATCH", "/v1/settings", body, header...)
	}
	stale := fmt.Sprintf(`"%v"`, before["revision"])
	change(200, `{"hours":{"zone":"Europe/Berlin","weekly":[{"day":1,"from":"09:00","to":"17:00"}]},"retention":{"closed_days":30}}`, "If-Match", stale)
	change(412, `{"retention":{"closed_days":31}}`, "If-Match", stale)
	if again := change(200, `{"retention":{"closed_days":30}}`); again["changed"] != false {
		t.Errorf("the same again: %v", again)
	}
	change(200, `{"retention":{}}`)
	got := l.get("/v1/settings")
	if got.at("hours.zone") != "Europe/Berlin" || got.at("retention.closed_days") != 0.0 || got["changed_by"] != l.agents[agent.RoleAdmin] {
		t.Errorf("settings %v", got)
	}
	for body, field := range map[string]string{
		`{}`:                                                  "body",
		`{"hours":{"zone":"Mars/Olympus"}}`:                   "body.hours.zone",
		`{"reopening":{"status":"OPEN"}}`:                     "body.reopening.status",
		`{"retention":{"closed_days":-1}}`:                    "body.retention.closed_days",
		`{"languages":{"offered":["english"]}}`:               "body.languages",
		`{"opt_out":{"out":["halt"],"in":["Halt."]}}`:         "body.opt_out.in",
		`{"transfers":{"minutes":20000}}`:                     "body.transfers.minutes",
		`{"retention":{"closed_days":1},"transfers":{"a":1}}`: "body.transfers.a",
	} {
		o := change(400, body)
		if !strings.Contains(fmt.Sprint(o["errors"]), "location:"+field+" ") {
			t.Errorf("%s: refused at %v, want %s", body, o["errors"], field)
		}
	}
	l.must(403, sue, "PATCH", "/v1/settings", `{"retention":{"closed_days":1}}`)
}

// A closed chat whose customer writes is as the workspace wants it.
func TestReopeningRule(t *testing.T) {
	l := newLedger(t)
	one := "/v1/chats/" + l.receive(acme, "15551", "hello")
	l.must(200, ann, "POST", one+"/claim", "")
	closed := func(before string) {
		t.Helper()
		l.must(200, ann, "POST", one+"/status", `{"status":"`+before+`"}`)
		l.must(200, ann, "POST", one+"/close", "")
	}
	write := func(text, status string, assignee any) {
		t.Helper()
		l.receive(acme, "15551", text)
		if c := l.get(one); c["status"] != status || c["assignee"] != assignee {
			t.Errorf("after %q: status %v, assignee %v; want %s, %v", text, c["status"], c["assignee"], status, assignee)
		}
	}
	closed("REVIEW")
	write("once more", "OPEN", l.agents[ann])
	l.must(200, agent.RoleAdmin, "PATCH", "/v1/settings", `{"reopening":{"status":"previous","assignee":"keep"}}`)
	closed("REVIEW")
	l.must(201, sue, "POST", "/v1/statuses", `{"name":"Archived","category":"closed"}`)
	l.must(200, ann, "POST", one+"/status", `{"status":"ARCHIVED"}`) // from one closed status to another
	write("twice more", "REVIEW", l.agents[ann])
	l.must(200, agent.RoleAdmin, "PATCH", "/v1/settings", `{"reopening":{"status":"previous","assignee":"unassign"}}`)
	closed("ONHOLD")
	l.must(200, sue, "DELETE", "/v1/statuses/ONHOLD?remap_to=REVIEW", "")
	write("thrice more", "REVIEW", nil)
}

func TestOwnOptOutWords(t *testing.T) {
	l := newLedger(t)
	l.must(200, agent.RoleAdmin, "PATCH", "/v1/settings", `{"opt_out":{"out":["Bitte nicht"],"in":["doch"]}}`)
	one := "/v1/chats/" + l.receive(acme, "15551", "stop")
	out := func() any { t.Helper(); return l.get(one + "/visitor").at("marketing.opted_out") }
	if got := out(); got != false {
		t.Errorf("a word that is not the workspace's: %v", got)
	}
	l.receive(acme, "15551", "BITTE  nicht!")
	if got := out(); got != true {
		t.Errorf("the workspace's own: %v", got)
	}
	l.receive(acme, "15551", "doch")
	if got := out(); got != false {
		t.Errorf("in again: %v", got)
	}
}

// A template that is named goes in the customer's language, if there is one that may
// be sent, else in the workspace's.
func TestTemplatesInTheCustomersLanguage(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	id := l.receive(acme, "15551230001", "hello")
	messages := "/v1/chats/" + id + "/messages"
	for _, language := range []string{"en", "es_MX", "de"} {
		l.must(201, agent.RoleAdmin, "POST", "/v1/templates", fmt.Sprintf(`{"channel":%q,"name":"hi","language":%q,"category":"utility","components":{"body":"hi in %s"}}`, ch, language, language))
		if language == "de" { // is not approved
			continue
		}
		_, err := l.commands.Templates.Report(t.Context(), l.origin(acme), template.Report{Channel: ch, Name: "hi", Language: language, Status: template.Approved, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	const use = `{"template":{"name":"hi"}}`
	if o := l.must(400, ann, "POST", messages, use); o["code"] != "template.no_language" || !strings.Contains(fmt.Sprint(o["errors"]), "body.template.name") {
		t.Errorf("no language is known: %v", o)
	}
	l.must(200, agent.RoleAdmin, "PATCH", "/v1/settings", `{"languages":{"default":"en","offered":["en","es_MX"]}}`)
	l.must(202, ann, "POST", messages, use)
	contact := l.must(201, ann, "POST", "/v1/contacts", `{"phones":["+15551230001"],"language":"es"}`)["id"].(string)
	l.must(202, ann, "POST", messages, use)
	l.must(200, ann, "PATCH", "/v1/contacts/"+contact, `{"language":"de"}`)
	l.must(202, ann, "POST", messages, use)
	var sent []string
	for _, e := range l.get(messages + "?events=false&notes=false").items()[1:] {
		sent = append(sent, fmt.Sprint(e.at("message.content.text")))
	}
	if want := []string{"hi in en", "hi in es_MX", "hi in en"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	if o := l.must(404, ann, "POST", messages, `{"template":{"name":"bye"}}`); o["code"] != "template.not_found" {
		t.Errorf("an unknown one: %v", o)
	}
	for _, body := range []string{`{"template":{}}`, `{"template":{"id":"x","name":"hi"}}`} {
		l.must(400, ann, "POST", messages, body)
	}
}

// Where the workspace wants it, a transfer waits to be accepted unless it says
// otherwise, for a chat that somebody has.
func TestTransfersByTheSettings(t *testing.T) {
	l := newLedger(t)
	one, two := "/v1/chats/"+l.receive(acme, "15551", "hello"), "/v1/chats/"+l.receive(acme, "15552", "hello")
	bob, bobs := l.colleague("Bob")
	l.must(200, ann, "POST", one+"/claim", "")
	l.must(200, agent.RoleAdmin, "PATCH", "/v1/settings", `{"transfers":{"accept":true,"minutes":3}}`)
	to := fmt.Sprintf(`{"agent":%q}`, bob)
	l.must(200, ann, "POST", one+"/transfer", to)
	c := l.get(one)
	expires, err := time.Parse(time.RFC3339Nano, fmt.Sprint(c.at("offer.expires_at")))
	if left := time.Until(expires); err != nil || c["assignee"] != l.agents[ann] || left <= time.Minute || left > 3*time.Minute {
		t.Errorf("offered: %v, %v", c, err)
	}
	l.must(200, bobs, "POST", one+"/transfer/accept", "")
	if c := l.get(one); c["assignee"] != bob {
		t.Errorf("accepted: %v", c)
	}
	l.must(200, bobs, "POST", one+"/transfer", fmt.Sprintf(`{"agent":%q,"accept":false}`, l.agents[ann]))
	l.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)
	l.must(200, sue, "POST", two+"/transfer", `{"team":"billing"}`) // nobody keeps it meanwhile
	for path, want := range map[string]any{one: l.agents[ann], two: nil} {
		if c := l.get(path); c["assignee"] != want || c["offer"] != nil {
			t.Errorf("at once: %v", c)
		}
	}
}
