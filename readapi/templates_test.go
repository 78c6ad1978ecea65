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

// A day after the customer has written, a text is refused with a link to what can be
// sent instead: an approved template. Once they write, a text goes again.
func TestWindow(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	write := func(provider string, at time.Time) string {
		t.Helper()
		id := ids.Chat(acme, ch, "15551")
		o := l.origin(acme)
		o.Channel = ch
		_, err := l.commands.Chats.Receive(t.Context(), o, chat.ID(id), chat.ReceiveMessage{
			Workspace: acme, Channel: ch, Customer: "15551", Message: chat.MessageID(ids.Message(id, provider)), ProviderID: provider,
			Content: chat.Content{Kind: "text", Text: "hi"}, At: at,
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	wrote := time.Now().UTC().Add(-25 * time.Hour).Truncate(time.Second)
	messages := "/v1/chats/" + write("wamid.1", wrote) + "/messages"
	closed := l.must(409, agent.RoleAgent, "POST", messages, `{"text":"Still there?"}`)
	if closed["code"] != "chat.window_closed" || !strings.Contains(fmt.Sprint(closed["detail"]), wrote.Add(24*time.Hour).Format(time.RFC3339)) {
		t.Errorf("refused with %v", closed)
	}
	if got := l.get(strings.TrimSuffix(messages, "/messages"))["window_closes_at"]; got != wrote.Add(24*time.Hour).Format(time.RFC3339) {
		t.Errorf("the window closes at %v", got)
	}

	form := l.must(201, agent.RoleAdmin, "POST", "/v1/templates", fmt.Sprintf(
		`{"channel":%q,"name":"follow_up","language":"en","category":"utility","components":{"header":{"kind":"text","text":"About {{topic}}"},"body":"Hello {{name}}!","footer":"Acme"}}`, ch))["id"].(string)
	use := fmt.Sprintf(`{"template":{"id":%q,"values":{"header":{"topic":"hats"},"body":{"name":"Ana"}}}}`, form)
	if got := l.must(409, agent.RoleAgent, "POST", messages, use); got["code"] != "template.not_approved" {
		t.Errorf("a pending one: %v", got)
	}
	if items := l.get(closed["templates"].(string)).items(); len(items) != 0 {
		t.Errorf("offered %v", items)
	}
	_, err := l.commands.Templates.Report(t.Context(), l.origin(acme), template.Report{Channel: ch, Name: "follow_up", Language: "en", Status: template.Approved, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if items := l.get(closed["templates"].(string)).items(); len(items) != 1 || items[0]["id"] != form {
		t.Errorf("offered %v", items)
	}
	lacks := l.must(400, agent.RoleAgent, "POST", messages, fmt.Sprintf(`{"template":{"id":%q,"values":{"header":{"topic":"hats"}}}}`, form))
	if !strings.Contains(fmt.Sprint(lacks["errors"]), "body.template.values.body") {
		t.Errorf("without a value: %v", lacks)
	}
	l.must(202, agent.RoleAgent, "POST", messages, use)
	entries := l.get(messages + "?events=false").items()
	sent := entries[len(entries)-1]["message"].(map[string]any)
	if content := sent["content"].(map[string]any); content["text"] != "About hats\n\nHello Ana!\n\nAcme" || sent["template"].(map[string]any)["name"] != "follow_up" {
		t.Errorf("sent %v", sent)
	}

	// So is whatever else a customer would see.
	order := "/v1/orders/" + l.must(201, agent.RoleAgent, "POST", "/v1/orders", fmt.Sprintf(
		`{"chat":%q,"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":100}]}`, ids.Chat(acme, ch, "15551")))["id"].(string)
	for path, body := range map[string]string{
		strings.TrimSuffix(messages, "/messages") + "/typing": "",
		order + "/confirm": `{"notify":true}`, order + "/cancel": `{"notify":true,"reason":"sold out"}`,
	} {
		if got := l.must(409, agent.RoleAgent, "POST", path, body); got["code"] != "chat.window_closed" || got["templates"] != closed["templates"] {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := l.get(order); got["status"] != "placed" {
		t.Errorf("an order whose customer cannot be told: %v", got)
	}
	l.must(200, agent.RoleAdmin, "PATCH", "/v1/settings", `{"languages":{"default":"en"}}`)
	const values = `,"values":{"header":{"topic":"tea"},"body":{"name":"Ana"}}}`
	for body, place := range map[string]string{
		`{"notify":true,"template":{"name":"follow_up"}}`:                         "body.template.values.header",
		`{"notify":true,"template":{}}`:                                           "body.template",
		`{"template":{"name":"follow_up"` + values + `}`:                          "body.template",
		`{"notify":true,"text":"a","template":{"name":"follow_up"` + values + `}`: "body.template",
	} {
		if got := l.must(400, agent.RoleAgent, "POST", order+"/confirm", body); got.at("errors.0.location") != place {
			t.Errorf("%s: %v", body, got)
		}
	}
	l.must(200, agent.RoleAgent, "POST", order+"/confirm", `{"notify":true,"template":{"name":"follow_up"`+values+`}`)
	if got := l.get(order); got["status"] != "confirmed" || got.at("notices.0.text") != "About tea\n\nHello Ana!\n\nAcme" {
		t.Errorf("told by a template: %v", got)
	}

	write("wamid.2", time.Now().UTC())
	l.must(202, agent.RoleAgent, "POST", messages, `{"text":"There you are."}`)
}
