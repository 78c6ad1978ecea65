package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
)

const replies = "/v1/quick-replies"

func TestQuickReplies(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	first := l.receive(acme, "15551", "hello")
	talk := "/v1/chats/" + first
	bobID, bob := l.colleague("Bob")
	l.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)
	l.must(200, sue, "POST", "/v1/teams/billing/members", fmt.Sprintf(`{"agent":%q}`, bobID))

	create := func(as any, body string) string {
		t.Helper()
		return l.must(201, as, "POST", replies, body)["id"].(string)
	}
	common := create(sue, `{"scope":"workspace","shortcut":"/hello","text":"Hello {{contact.first_name}}, this is {{agent.name}}."}`)
	team := create(sue, `{"scope":"team","team":"billing","shortcut":"hello","text":"Your invoice, {{contact.name}}: {{custom.number}}"}`)
	own := create(bob, `{"scope":"personal","shortcut":"Hello","text":"Hey"}`)
	if common != "workspace.hello" || team != "team.billing.hello" || own != "personal."+bobID+".hello" {
		t.Errorf("ids %s, %s, %s", common, team, own)
	}

	// Each sees what is theirs.
	for _, tt := range []struct {
		as    any
		query string
		want  []any
	}{
		{bob, "", []any{own, team, common}},
		{bob, "&scope=team", []any{team}},
		{bob, "&scope=personal", []any{own}},
		{bob, "&team=billing", []any{team}},
		{bob, "&prefix=/HEL", []any{own, team, common}},
		{bob, "&prefix=x", nil},
		{ann, "", []any{common}},
		{bot, "", []any{common}},
		{sue, "", []any{team, common}},
		{agent.RoleAuditor, "", []any{team, common}},
	} {
		got := l.must(200, tt.as, "GET", replies+"?min_position="+l.head()+tt.query, "").field("id")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v sees for %q: %s", tt.as, tt.query, diff)
		}
	}
	page := l.must(200, bob, "GET", replies+"?limit=2", "")
	if more := l.must(200, bob, "GET", replies+"?limit=2&cursor="+page["next_cursor"].(string), ""); !slices.Equal(append(page.field("id"), more.field("id")...), []any{own, team, common}) {
		t.Errorf("two pages: %v, %v", page, more)
	}
	l.must(404, ann, "GET", replies+"/"+own, "")
	l.must(404, sue, "GET", replies+"/"+own, "")
	l.must(404, ann, "GET", replies+"/"+team, "")

	// And changes what is theirs.
	for _, id := range []string{common, team} {
		if o := l.must(403, ann, "PATCH", replies+"/"+id, `{"text":"mine"}`); o["code"] != "quickreply.not_yours" {
			t.Errorf("%v", o)
		}
		l.must(403, bob, "DELETE", replies+"/"+id, "")
	}
	l.must(403, ann, "POST", replies, `{"scope":"workspace","shortcut":"x","text":"x"}`)
	l.must(404, sue, "PATCH", replies+"/"+own, `{"text":"mine"}`)
	l.must(404, sue, "DELETE", replies+"/"+own, "", "If-Match", `"7"`)
	program, _ := l.token(acme, agent.RoleAgent, "")
	if o := l.must(403, program, "POST", replies, `{"scope":"personal","shortcut":"x","text":"x"}`); o["code"] != "auth.no_agent" {
		t.Errorf("of a program: %v", o)
	}

	// A shortcut is taken once in its scope, whoever comes first.
	var wins int
	for _, a := range l.atOnce(8, sue, "POST", replies, `{"scope":"workspace","shortcut":"race","text":"same"}`) {
		if a.status != 201 || l.object(a)["id"] != "workspace.race" {
			t.Errorf("the same once more: %d %s", a.status, a.body)
		}
		if l.object(a)["changed"] == true {
			wins++
		}
	}
	if o := l.must(409, sue, "POST", replies, `{"scope":"workspace","shortcut":"RACE","text":"another"}`); wins != 1 || o["code"] != "quickreply.shortcut_taken" {
		t.Errorf("%d made it; with another text: %v", wins, o)
	}

	// Preview: what would be sent.
	preview := func(as any, id, body string, status int) object {
		t.Helper()
		return l.must(status, as, "POST", replies+"/"+id+"/preview", body)
	}
	about := fmt.Sprintf(`{"chat":%q`, first)
	if got := preview(ann, common, about+`}`, 200); got["text"] != "Hello Customer, this is The agent." || got["version"] != 1.0 || got["reply"] != common {
		t.Errorf("preview: %v", got)
	}
	if got := preview(bob, team, about+`,"values":{"number":"R-7"}}`, 200); got["text"] != "Your invoice, Customer 15551: R-7" {
		t.Errorf("preview: %v", got)
	}
	if got := preview(bob, team, about+`}`, 400); got["code"] != "quickreply.custom_value_missing" || got.at("errors.0.location") != "body.values" || !strings.Contains(got["detail"].(string), "{{custom.number}}") {
		t.Errorf("without a value: %v", got)
	}
	if got := preview(program, common, about+`}`, 409); got["code"] != "quickreply.value_missing" || !strings.Contains(got["detail"].(string), "{{agent.name}}") {
		t.Errorf("without an agent: %v", got)
	}
	preview(ann, team, about+`}`, 404)
	preview(sue, own, about+`}`, 404)
	preview(ann, common, `{"chat":"none"}`, 404)
	preview(ann, "nonsense", about+`}`, 404)

	// Sent: the text that was previewed, with its source.
	send := func(as any, quick string, status int, header ...string) object {
		t.Helper()
		return l.must(status, as, "POST", talk+"/messages", `{"quick_reply":`+quick+`}`, header...)
	}
	key := []string{"Idempotency-Key", "hello"}
	sent := send(ann, `{"id":"workspace.hello","version":1}`, 202, key...)
	send(bob, `{"id":"team.billing.hello","values":{"number":"R-7"}}`, 202)
	talked := l.get(talk + "/messages?notes=false&events=false")
	if got := talked.field("text"); !slices.Equal(got, []any{"hello", "Hello Customer, this is The agent.", "Your invoice, Customer 15551: R-7"}) {
		t.Errorf("texts: %v", got)
	}
	if talked.at("items.0.message.quick_reply") != nil || talked.at("items.1.id") != sent["id"] ||
		talked.at("items.1.message.quick_reply.id") != common || talked.at("items.1.message.quick_reply.version") != 1.0 || talked.at("items.2.message.quick_reply.id") != team {
		t.Errorf("sources: %v", talked)
	}

	// Edited: a new version; who has seen the old one is told, and a repeat gets
	// what it got.
	etag := l.do(sue, "GET", replies+"/"+common+"?min_position="+l.head(), "").header.Get("ETag")
	l.must(200, sue, "PATCH", replies+"/"+common, `{"text":"Good day, {{contact.city}}"}`, "If-Match", etag)
	l.must(412, sue, "PATCH", replies+"/"+common, `{"shortcut":"hi"}`, "If-Match", etag)
	if again := l.must(200, sue, "PATCH", replies+"/"+common, `{"text":"Good day, {{contact.city}}"}`); again["changed"] != false || again["id"] != common {
		t.Errorf("the same again: %v", again)
	}
	if o := send(ann, `{"id":"workspace.hello","version":1}`, 409); o["code"] != "quickreply.version_changed" || !strings.Contains(o["detail"].(string), "version 2") {
		t.Errorf("an old version: %v", o)
	}
	if o := send(ann, `{"id":"workspace.hello"}`, 409); o["code"] != "quickreply.value_missing" || !strings.Contains(o["detail"].(string), "{{contact.city}}") {
		t.Errorf("without a city: %v", o)
	}
	if o := send(ann, `{"id":"workspace.hello","values":{"city":"Ulm"}}`, 400); o["code"] != "quickreply.custom_value_unknown" || o.at("errors.0.location") != "body.quick_reply.values" {
		t.Errorf("a value for nothing: %v", o)
	}
	if again := send(ann, `{"id":"workspace.hello","version":1}`, 202, key...); again["id"] != sent["id"] || again["revision"] != sent["revision"] {
		t.Errorf("the repeat: %v, want %v", again, sent)
	}
	_, err := l.commands.Chats.ShareDetails(t.Context(), l.origin(acme), chat.ID(first), chat.ShareDetails{
		Reason: chat.ByAgent, Name: "Ana Lima", City: "Ulm", By: chat.AgentID(l.agents[ann]), At: time.Now().UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	send(ann, `{"id":"workspace.hello"}`, 202)

	// Used: counted by version.
	got := l.get(replies + "/" + common)
	if got["uses"] != 2.0 || got["last_used_at"] == nil || got["version"] != 2.0 || got.at("placeholders.0") != "contact.city" || got["updated_by"] != l.agents[sue] ||
		got.at("versions.0.version") != 2.0 || got.at("versions.0.uses") != 1.0 || got.at("versions.1.uses") != 1.0 || got.at("versions.1.text") != "Hello {{contact.first_name}}, this is {{agent.name}}." {
		t.Errorf("used: %v", got)
	}

	// Archived: its shortcut is free, and it is not to be used.
	l.must(200, sue, "DELETE", replies+"/"+common, "")
	if o := send(ann, `{"id":"workspace.hello"}`, 409); o["code"] != "quickreply.archived" {
		t.Errorf("archived: %v", o)
	}
	if ids := l.must(200, ann, "GET", replies+"?min_position="+l.head(), "").field("id"); !slices.Equal(ids, []any{"workspace.race"}) {
		t.Errorf("in use: %v", ids)
	}
	if ids := l.get(replies + "?all=true").field("id"); !slices.Contains(ids, any(common)) {
		t.Errorf("all: %v", ids)
	}
	second := create(sue, `{"scope":"workspace","shortcut":"hello","text":"Hello again"}`)
	if second != "workspace.hello-2" {
		t.Errorf("the second hello is %s", second)
	}
	l.must(409, sue, "POST", replies+"/"+common+"/restore", "")
	l.must(200, sue, "PATCH", replies+"/"+second, `{"shortcut":"again"}`)
	l.must(200, sue, "POST", replies+"/"+common+"/restore", "")
	if got := l.get(replies + "/" + common); got["archived"] != false || got["uses"] != 2.0 {
		t.Errorf("restored: %v", got)
	}

	// A team that is no more has no quick replies.
	l.must(200, sue, "DELETE", "/v1/teams/billing", "")
	preview(bob, team, about+`,"values":{"number":"1"}}`, 404)
	if o := l.must(409, sue, "POST", replies, `{"scope":"team","team":"billing","shortcut":"x","text":"x"}`); o["code"] != "team.archived" {
		t.Errorf("%v", o)
	}

	// Nothing of it is there for another workspace.
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	if got := l.must(200, stranger, "GET", replies+"?min_position="+l.head(), ""); len(got.items()) != 0 {
		t.Errorf("a stranger sees %v", got)
	}
	l.must(404, stranger, "GET", replies+"/"+common, "")
	l.must(404, stranger, "PATCH", replies+"/"+common, `{"text":"theirs"}`)
	l.must(404, stranger, "PATCH", replies+"/"+common, `{"text":"theirs"}`, "If-Match", `"0"`)
	l.must(404, stranger, "DELETE", replies+"/"+common, "")
	l.must(404, stranger, "POST", replies+"/"+common+"/preview", about+"}")

	// A closed chat takes no message, and tells nobody's values.
	l.must(200, ann, "POST", talk+"/close", "")
	if o := send(ann, `{"id":"workspace.hello"}`, 409); o["code"] != "chat.closed" {
		t.Errorf("closed: %v", o)
	}
}
