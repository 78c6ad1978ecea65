package commandapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

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
	s.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)
	s.must(200, ann, "POST", path+"/transfer", `{"team":"billing"}`)
	s.must(200, ann, "POST", path+"/claim", ``)
	for name, want := range map[string]string{"chat.assignee": "<The agent>", "chat.team": "<Billing>"} {
		w := s.must(200, ann, "POST", "/v1/quick-replies/workspace."+strings.ReplaceAll(name, ".", "-")+"/preview", fmt.Sprintf(`{"chat":%q}`, id))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("{{%s}} is %s, want %s", name, w.Body, want)
		}
	}
}
