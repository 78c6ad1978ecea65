package commandapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
)

// On each log, and in two processes: of many who want a shortcut at once, one
// gets it, and everybody can then use what that one made.
func TestShortcutsAreUnique(t *testing.T) {
	onEachLog(t, func(t *testing.T, store eventstore.Store) {
		s := newServer(t, store)
		other := newServer(t, store)
		path := s.receive("hello")
		for round := range 5 {
			var mu sync.Mutex
			won := map[int]string{}
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					p := []*server{s, other}[i%2]
					w := p.do(sue, "POST", "/v1/quick-replies", fmt.Sprintf(`{"scope":"workspace","shortcut":"round%d","text":"text %d"}`, round, i))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case w.Code == 201:
						won[i] = w.Body.String()
					case w.Code != 409 || !strings.Contains(w.Body.String(), "quickreply.shortcut_taken"):
						t.Errorf("%d %s", w.Code, w.Body)
					}
				})
			}
			wg.Wait()
			if len(won) != 1 {
				t.Fatalf("round %d: %d won: %v", round, len(won), won)
			}
			for i := range won {
				w := other.must(200, ann, "POST", fmt.Sprintf("/v1/quick-replies/workspace.round%d/preview", round), fmt.Sprintf(`{"chat":%q}`, strings.TrimPrefix(path, "/v1/chats/")))
				if !strings.Contains(w.Body.String(), fmt.Sprintf(`"text":"text %d"`, i)) {
					t.Errorf("round %d: %s, want that of %d", round, w.Body, i)
				}
			}
		}
		s.must(202, ann, "POST", path+"/messages", `{"quick_reply":{"id":"workspace.round0"}}`)
	})
}

// Every placeholder has its value from the log, and is named if it has none.
func TestPlaceholders(t *testing.T) {
	s := newServer(t, memory.New(time.Now))
	path := s.receive("hello")
	id := strings.TrimPrefix(path, "/v1/chats/")
	preview := func(status int, name string) string {
		t.Helper()
		shortcut := strings.NewReplacer(".", "-", "_", "-").Replace(name)
		s.must(201, sue, "POST", "/v1/quick-replies", fmt.Sprintf(`{"scope":"workspace","shortcut":%q,"text":"<{{%s}}>"}`, shortcut, name))
		w := s.must(status, ann, "POST", "/v1/quick-replies/workspace."+shortcut+"/preview", fmt.Sprintf(`{"chat":%q}`, id))
		var body struct{ Text, Detail string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		return body.Text + body.Detail
	}
	for name, want := range map[string]string{
		"contact.name": "<Ana>", "contact.first_name": "<Ana>", "contact.phone": "<+4915>",
		"agent.name": "<The agent>", "agent.first_name": "<The>",
		"chat.id": "<" + id + ">", "chat.customer": "<4915>", "chat.status": "<OPEN>", "workspace.name": "<Acme>",
	} {
		if got := preview(200, name); got != want {
			t.Errorf("{{%s}} is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"contact.email", "contact.company", "contact.city", "contact.country", "agent.email", "chat.channel", "chat.assignee", "chat.team"} {
		if got := preview(409, name); got != "there is no value for {{"+name+"}}" {
			t.Errorf("{{%s}} without a value: %q", name, got)
		}
	}
	again := func(status int, name, want string) {
		t.Helper()
		shortcut := strings.NewReplacer(".", "-", "_", "-").Replace(name)
		w := s.must(status, ann, "POST", "/v1/quick-replies/workspace."+shortcut+"/preview", fmt.Sprintf(`{"chat":%q}`, id))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("{{%s}} is %s, want %s", name, w.Body, want)
		}
	}
	s.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)
	s.must(200, ann, "POST", path+"/transfer", `{"team":"billing"}`)
	s.must(200, ann, "POST", path+"/claim", ``)
	again(200, "chat.assignee", "<The agent>")
	again(200, "chat.team", "<Billing>")

	// What was shared in the chat counts until there is a contact.
	_, err := s.commands.Chats.ShareDetails(t.Context(), s.origin(), chat.ID(id), chat.ShareDetails{
		Reason: chat.ByForm, Name: "Ana Lima", Emails: []string{"ana@example.com", "lima@example.com"}, City: "Ulm", At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	again(200, "contact.first_name", "<Ana>")
	again(200, "contact.email", "<ana@example.com>")
	again(200, "contact.city", "<Ulm>")

	// An attribute is one of the workspace, or no placeholder.
	const sized = `{"scope":"workspace","shortcut":"size","text":"You: {{contact.attributes.shoe-size}}"}`
	if w := s.must(400, sue, "POST", "/v1/quick-replies", sized); !strings.Contains(w.Body.String(), "{{contact.attributes.shoe-size}} at character 6 is no placeholder") {
		t.Errorf("an unknown attribute: %s", w.Body)
	}
	if _, err := s.commands.Attributes.Define(t.Context(), s.origin(), attribute.Define{Name: "Shoe size", Kind: attribute.Number}); err != nil {
		t.Fatal(err)
	}
	s.must(201, sue, "POST", "/v1/quick-replies", sized)
	if w := s.must(400, sue, "PATCH", "/v1/quick-replies/workspace.size", `{"text":"{{contact.attributes.hat-size}}"}`); !strings.Contains(w.Body.String(), "hat-size") {
		t.Errorf("edited to an unknown attribute: %s", w.Body)
	}
	again(409, "size", "{{contact.attributes.shoe-size}}")

	// What the contact says counts, and what it says no more does not.
	record := func(customer string, changes ...contact.Change) {
		t.Helper()
		_, err := s.commands.Contacts.Share(t.Context(), s.origin(), contact.Record{
			Link: contact.Link{Chat: id, Channel: "shop", Customer: customer}, Changes: changes, Source: contact.Source{Reason: contact.ByForm}, At: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	one := func(field string, values ...string) contact.Change {
		return contact.Change{Field: field, Values: values}
	}
	record("4915", one("name", "Dr. Ana Lima"), one("phones", "+491512345678", "+491587654321"), one("attributes.Shoe size", "42"), one("gender", "female"))
	again(200, "contact.name", "<Dr. Ana Lima>")
	again(200, "contact.phone", "<+491512345678>")
	again(200, "size", "You: 42")
	again(409, "contact.city", "{{contact.city}}")
	if got := preview(200, "contact.gender"); got != "<female>" {
		t.Errorf("gender %q", got)
	}

	// A contact that is a part of another is that one.
	record("4916", one("name", "Ana Maria Lima"), one("city", "Bonn"))
	into, part := commands.ContactID("acme", "4916"), commands.ContactID("acme", "4915")
	if _, err := s.commands.Contacts.Merge(t.Context(), s.origin(), into, part, contact.Merge{By: "ann", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	again(200, "contact.name", "<Ana Maria Lima>")
	again(200, "contact.city", "<Bonn>")
}
