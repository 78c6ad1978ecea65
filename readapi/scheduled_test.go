package readapi_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/template"
)

func TestScheduled(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	id := l.receive(acme, "15551", "hello")
	other := l.receive(acme, "15552", "hello")
	talk := "/v1/chats/" + id
	due := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	in := func(d time.Duration) string { return due.Add(d).Format(time.RFC3339Nano) }
	schedule := func(as agent.Role, chat, body string, header ...string) object {
		t.Helper()
		return l.must(201, as, "POST", "/v1/chats/"+chat+"/scheduled", body, header...)
	}
	ask := fmt.Sprintf(`{"text":"Still there?","send_at":%q,"cancel_on_reply":true}`, in(0))
	first := schedule(ann, id, ask, "Idempotency-Key", "k1")
	if first["state"] != "waiting" || first["chat"] != id || first["changed"] != true {
		t.Errorf("scheduled: %v", first)
	}
	if again := schedule(ann, id, ask, "Idempotency-Key", "k1"); again["id"] != first["id"] {
		t.Errorf("the same key: %v, want %v", again["id"], first["id"])
	}
	second := schedule(agent.RoleBot, id, fmt.Sprintf(`{"text":"From a bot","send_at":%q}`, in(-time.Minute)))["id"].(string)
	third := schedule(agent.RoleSupervisor, other, fmt.Sprintf(`{"text":"Elsewhere","send_at":%q}`, in(-30*time.Second)))["id"].(string)

	list := func(path string) []any {
		t.Helper()
		return l.get(path).field("id")
	}
	for path, want := range map[string][]any{
		"/v1/scheduled":                     {second, third, first["id"]},
		"/v1/scheduled?by=" + l.agents[ann]: {first["id"]},
		"/v1/scheduled?state=failed":        nil,
		talk + "/scheduled":                 {second, first["id"]},
		talk + "/scheduled?limit=1":         {second},
		"/v1/chats/" + other + "/scheduled": {third},
	} {
		if got := list(path); !slices.Equal(got, want) {
			t.Errorf("%s lists %v, want %v", path, got, want)
		}
	}
	if got := l.must(200, agent.RoleBot, "GET", "/v1/scheduled?by=me", "").field("id"); !slices.Equal(got, []any{second}) {
		t.Errorf("mine: %v", got)
	}
	for i, want := range []object{
		{"text": "From a bot", "by.kind": "bot", "send_at": in(-time.Minute), "cancel_on_reply": false, "changed_at": nil, "failure": nil},
		{"text": "Still there?", "by.kind": "agent", "by.id": l.agents[ann], "send_at": in(0), "cancel_on_reply": true, "state": "waiting"},
	} {
		got := l.get(talk + "/scheduled").items()[i]
		for field, value := range want {
			if got.at(field) != value {
				t.Errorf("%d: %s is %v, want %v", i, field, got.at(field), value)
			}
		}
	}

	// Changed, by whoever answers in the chat; a stale revision is refused.
	one := talk + "/scheduled/" + second
	l.must(200, ann, "PATCH", one, fmt.Sprintf(`{"text":"From us","send_at":%q}`, in(time.Hour)))
	if again := l.must(200, ann, "PATCH", one, `{"text":"From us"}`); again["changed"] != false {
		t.Errorf("as it is: %v", again)
	}
	l.must(412, ann, "PATCH", one, `{"text":"x"}`, "If-Match", `"1"`)
	if o := l.must(400, ann, "PATCH", one, `{"send_at":"2020-01-01T00:00:00Z"}`); o["code"] != "chat.bad_send_at" || o.at("errors.0.location") != "body.send_at" {
		t.Errorf("to the past: %v", o)
	}
	got := l.get(talk + "/scheduled").items()[1]
	if got["id"] != second || got["text"] != "From us" || got["send_at"] != in(time.Hour) || got["changed_by"] != l.agents[ann] || got.at("by.kind") != "bot" {
		t.Errorf("changed: %v", got)
	}

	// The customer writes: what was not to be sent then is not.
	l.receive(acme, "15551", "I am")
	if got := list(talk + "/scheduled"); !slices.Equal(got, []any{second}) {
		t.Errorf("after a reply: %v", got)
	}
	l.must(404, ann, "DELETE", talk+"/scheduled/"+first["id"].(string), "")

	// Its time comes.
	ring := func(chatID, message string, at time.Time) {
		t.Helper()
		if _, err := l.commands.Chats.SendDue(t.Context(), l.origin(acme), chat.ID(chatID), chat.SendDue{Message: chat.MessageID(message), At: at}); err != nil {
			t.Fatal(err)
		}
	}
	ring(id, second, due)
	if got := list(talk + "/scheduled"); !slices.Equal(got, []any{second}) {
		t.Errorf("too early: %v", got)
	}
	ring(id, second, due.Add(time.Hour))
	ring(id, second, due.Add(time.Hour))
	if got := list(talk + "/scheduled"); len(got) > 0 {
		t.Errorf("sent, and waits: %v", got)
	}
	var said, messages []any
	for _, e := range l.get(talk + "/messages").items() {
		switch e["kind"] {
		case "system":
			said = append(said, e.at("system.type"))
		case "message":
			if e.at("message.direction") == "out" {
				messages = append(messages, e["id"], e.at("message.content.text"), e.at("by.kind"))
			}
		}
	}
	if want := []any{"message_scheduled", "message_scheduled", "schedule_changed", "schedule_cancelled"}; !slices.Equal(said, want) {
		t.Errorf("the conversation says %v, want %v", said, want)
	}
	if want := []any{second, "From us", "bot"}; !slices.Equal(messages, want) {
		t.Errorf("sent %v, want %v", messages, want)
	}

	// In vain.
	l.must(200, ann, "POST", "/v1/chats/"+other+"/read", "")
	l.must(200, ann, "POST", "/v1/chats/"+other+"/close", "")
	ring(other, third, due)
	if c := l.get("/v1/chats/" + other); c["unread"] != 1.0 {
		t.Errorf("a message failed, and unread is %v", c["unread"])
	}
	failed := l.get("/v1/scheduled?state=failed").items()
	if len(failed) != 1 || failed[0]["id"] != third || failed[0].at("failure.code") != "chat.closed" || failed[0].at("failure.reason") == "" || failed[0].at("failure.at") != in(0) {
		t.Errorf("failed: %v", failed)
	}
	entries := l.get("/v1/chats/" + other + "/messages").items()
	last := entries[len(entries)-1]
	if last.at("system.type") != "schedule_failed" || last.at("system.code") != "chat.closed" || last.at("system.message") != third {
		t.Errorf("the conversation says %v", last)
	}
	if o := l.must(409, ann, "POST", "/v1/chats/"+other+"/scheduled", ask); o["code"] != "chat.closed" {
		t.Errorf("in a closed chat: %v", o)
	}

	// Taken back.
	fourth := schedule(ann, id, ask)["id"].(string)
	l.must(200, agent.RoleSupervisor, "DELETE", talk+"/scheduled/"+fourth, "")
	if o := l.must(404, ann, "DELETE", talk+"/scheduled/"+fourth, ""); o["code"] != "chat.not_scheduled" {
		t.Errorf("taken back twice: %v", o)
	}
	if got := list(talk + "/scheduled"); len(got) > 0 {
		t.Errorf("taken back, and waits: %v", got)
	}
}

// A quick reply and a template are filled in when they are scheduled, and say what
// they were made from.
func TestScheduledFromAQuickReplyAndATemplate(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	talk := "/v1/chats/" + l.receive(acme, "15551", "hello") + "/scheduled"
	in := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	reply := l.must(201, agent.RoleSupervisor, "POST", "/v1/quick-replies", `{"scope":"workspace","shortcut":"hi","text":"Hello {{contact.name}}, {{custom.what}}!"}`)["id"]
	lacks := l.must(400, ann, "POST", talk, fmt.Sprintf(`{"quick_reply":{"id":%q},"send_at":%q}`, reply, in))
	if lacks.at("errors.0.location") != "body.quick_reply.values" {
		t.Errorf("without a value: %v", lacks)
	}
	l.must(201, ann, "POST", talk, fmt.Sprintf(`{"quick_reply":{"id":%q,"values":{"what":"well"}},"send_at":%q}`, reply, in))
	form := l.must(201, agent.RoleAdmin, "POST", "/v1/templates", fmt.Sprintf(
		`{"channel":%q,"name":"follow_up","language":"en","category":"marketing","components":{"body":"Hello {{name}}!"}}`, ch))["id"].(string)
	use := fmt.Sprintf(`{"template":{"id":%q,"values":{"body":{"name":"Ana"}}},"send_at":%q}`, form, time.Now().Add(2*time.Hour).UTC().Format(time.RFC3339))
	if o := l.must(409, ann, "POST", talk, use); o["code"] != "template.not_approved" {
		t.Errorf("a pending one: %v", o)
	}
	if _, err := l.commands.Templates.Report(t.Context(), l.origin(acme), template.Report{Channel: ch, Name: "follow_up", Language: "en", Status: template.Approved, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	set := l.must(201, ann, "POST", talk, use)["id"].(string)
	got := l.get(talk).items()
	if len(got) != 2 || got[0]["text"] != "Hello Customer 15551, well!" || got[0].at("quick_reply.version") != 1.0 ||
		got[1]["text"] != "Hello Ana!" || got[1].at("template.name") != "follow_up" {
		t.Errorf("scheduled: %v", got)
	}
	if o := l.must(409, ann, "PATCH", talk+"/"+set, `{"text":"Hi"}`); o["code"] != "chat.template_text" {
		t.Errorf("another text for a template: %v", o)
	}
}
