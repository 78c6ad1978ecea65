package readapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/internal/ids"
)

// Something to tap, the tap, and replies to messages of both sides, as the conversation
// and a transcript show them.
func TestTapsAndRepliesOverHTTP(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	id := l.receive(acme, "15551", "hello")
	other := l.receive(acme, "15552", "hello")
	talk := "/v1/chats/" + id
	hello, elsewhere := ids.Message(id, "wamid.15551.hello"), ids.Message(other, "wamid.15552.hello")
	send := func(status int, body string) object {
		t.Helper()
		return l.must(status, ann, "POST", talk+"/messages", body)
	}
	ask := send(202, fmt.Sprintf(`{"reply_to":%q,"interactive":{"header":"Hats","body":"Which size?","footer":"All in stock","list":{"button":"Sizes","sections":[{"rows":[{"id":"s","title":"Small"},{"id":"l","title":"Large","description":"from 58 cm"}]}]}}}`, hello))["id"].(string)
	if got := send(409, fmt.Sprintf(`{"text":"so","reply_to":%q}`, ask)); got["code"] != "chat.reply_unsent" {
		t.Errorf("to what was not sent: %v", got)
	}
	o := l.origin(acme)
	_, err := l.commands.Chats.Accept(t.Context(), o, chat.ID(id), chat.AcceptMessage{Message: chat.MessageID(ask), ProviderID: "wamid.ask", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	tap := ids.Message(id, "wamid.tap")
	_, err = l.commands.Chats.Receive(t.Context(), l.origin(acme), chat.ID(id), chat.ReceiveMessage{
		Workspace: acme, Channel: ids.Channel(acme, "whatsapp", "1065"), Customer: "15551", Message: chat.MessageID(tap), ProviderID: "wamid.tap",
		Content: chat.Content{Kind: "list", Text: "Large", Reply: &chat.Reply{ID: "l", Title: "Large", Description: "from 58 cm"}}, Context: &chat.Context{ProviderID: "wamid.ask"}, At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	send(202, fmt.Sprintf(`{"text":"A good choice.","reply_to":%q}`, tap))
	send(202, fmt.Sprintf(`{"reply_to":%q,"interactive":{"body":"Anything else?","buttons":[{"id":"y","title":"Yes"},{"id":"n","title":"No"}]}}`, ask))
	send(202, `{"interactive":{"body":"See","link":{"title":"Our hats","url":"https://example.com/hats"}}}`)

	entries := l.must(200, ann, "GET", talk+"/messages?events=false&min_position="+l.head(), "").items()
	if len(entries) != 6 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, want := range []map[string]any{
		{"id": hello, "message.direction": "in"},
		{
			"id": ask, "text": "Hats\n\nWhich size?\n\nAll in stock\n\nSizes:\n- Small\n- Large: from 58 cm", "message.content.kind": "interactive",
			"message.content.interactive.list.sections.0.rows.1.id": "l", "message.context.message": hello, "message.context.provider_id": "wamid.15551.hello",
		},
		{"id": tap, "text": "Large", "message.content.kind": "list", "message.content.reply.id": "l", "message.context.message": ask},
		{"text": "A good choice.", "message.context.message": tap, "message.content.kind": "text"},
		{"text": "Anything else?\n\n- Yes\n- No", "message.context.message": ask, "message.content.interactive.buttons.0.title": "Yes"},
		{"text": "See\n\nOur hats: https://example.com/hats", "message.context": nil},
	} {
		for path, value := range want {
			if got := entries[i].at(path); got != value {
				t.Errorf("entry %d: %s is %v, want %v", i, path, got, value)
			}
		}
	}
	if row := l.get(talk); !strings.HasPrefix(fmt.Sprint(row.at("last_message.preview")), "See Our hats") {
		t.Errorf("the list shows %v", row["last_message"])
	}
	if got := l.do(ann, "GET", talk+"/transcript?format=txt", ""); !strings.Contains(got.body, "reply to Ann") && !strings.Contains(got.body, "reply to The agent") {
		t.Errorf("transcript: %s", got.body)
	}

	for body, want := range map[string][2]string{
		`{"text":"so","reply_to":"nobody's"}`:                                                    {"chat.reply_unknown", "body.reply_to"},
		fmt.Sprintf(`{"text":"so","reply_to":%q}`, elsewhere):                                    {"chat.reply_unknown", "body.reply_to"},
		`{"interactive":{"body":"x"}}`:                                                           {"chat.interactive", "body.interactive"},
		`{"interactive":{"body":"x","buttons":[{"id":"a","title":"A"},{"id":"b","title":"A"}]}}`: {"chat.interactive", "body.interactive.buttons[1].title"},
		`{"text":"x","interactive":{"body":"x","buttons":[{"id":"a","title":"A"}]}}`:             {"request.invalid", "body.interactive"},
		`{"interactive":{"body":"x","link":{"title":"A","url":"ftp://example.com"}}}`:            {"chat.interactive", "body.interactive.link.url"},
	} {
		got := send(400, body)
		if got["code"] != want[0] || !strings.Contains(fmt.Sprint(got["errors"]), "location:"+want[1]+" ") {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	// Later, too.
	due := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	later := l.must(201, ann, "POST", talk+"/scheduled", fmt.Sprintf(`{"send_at":%q,"reply_to":%q,"interactive":{"body":"Well?","buttons":[{"id":"y","title":"Yes"}]}}`, due, tap))["id"]
	if got := l.get(talk + "/scheduled").items()[0]; got.at("interactive.buttons.0.id") != "y" || got.at("reply_to.message") != tap || got["text"] != "Well?\n\n- Yes" {
		t.Errorf("scheduled: %v", got)
	}
	if got := l.must(409, ann, "PATCH", fmt.Sprint(talk, "/scheduled/", later), `{"text":"Other"}`); got["code"] != "chat.interactive_text" {
		t.Errorf("other words: %v", got)
	}
	l.must(403, agent.RoleAnalyst, "POST", talk+"/messages", `{"interactive":{"body":"x","buttons":[{"id":"a","title":"A"}]}}`)
}

// A quick reply can answer a message; a template cannot, now or later.
func TestWhatCanAnswerAMessage(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	id := l.receive(acme, "15551", "hello")
	talk, hello := "/v1/chats/"+id, ids.Message(id, "wamid.15551.hello")
	quick := l.must(201, agent.RoleSupervisor, "POST", "/v1/quick-replies", `{"scope":"workspace","shortcut":"hi","text":"Hello!"}`)["id"]
	l.must(202, ann, "POST", talk+"/messages", fmt.Sprintf(`{"quick_reply":{"id":%q},"reply_to":%q}`, quick, hello))
	entries := l.must(200, ann, "GET", talk+"/messages?events=false&min_position="+l.head(), "").items()
	if got := entries[len(entries)-1]; got["text"] != "Hello!" || got.at("message.context.message") != hello || got.at("message.quick_reply.id") != quick {
		t.Errorf("a quick reply: %v", got)
	}
	form := l.must(201, agent.RoleAdmin, "POST", "/v1/templates", fmt.Sprintf(
		`{"channel":%q,"name":"follow_up","language":"en","category":"utility","components":{"body":"Hello!"}}`, ch))["id"].(string)
	report := template.Report{Channel: ch, Name: "follow_up", Language: "en", Status: template.Approved, At: time.Now()}
	if _, err := l.commands.Templates.Report(t.Context(), l.origin(acme), report); err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for path, body := range map[string]string{
		"/messages":  fmt.Sprintf(`{"template":{"id":%q},"reply_to":%q}`, form, hello),
		"/scheduled": fmt.Sprintf(`{"template":{"id":%q},"reply_to":%q,"send_at":%q}`, form, hello, due),
	} {
		if got := l.must(400, ann, "POST", talk+path, body); got["code"] != "chat.reply_template" || got.at("errors.0.location") != "body.reply_to" {
			t.Errorf("a template to %s: %v", path, got)
		}
	}
}
