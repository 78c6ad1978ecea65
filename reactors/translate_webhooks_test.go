package reactors_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "channels", "whatsapp", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWebhooksAreTranslated(t *testing.T) {
	s := newShop(t)
	h, stop := s.start()
	names, err := filepath.Glob("../channels/whatsapp/testdata/[0-9][0-9]-*.json")
	if err != nil || len(names) != 38 {
		t.Fatalf("%d fixtures: %v", len(names), err)
	}
	slices.Sort(names)
	for range 2 {
		for _, name := range names {
			if got := s.post(fixture(t, filepath.Base(name))); got != 200 {
				t.Fatalf("%s: %d", name, got)
			}
		}
	}
	done := func() map[string]int {
		return map[string]int{
			"translated": s.count("webhook.translated.v1"), "set aside": s.count("webhook.set_aside.v1"),
			"chats": s.count("chat.opened.v1"), "messages": s.count("chat.message_received.v1"),
			"contacts": s.count("chat.details_shared.v1"), "orders": s.count("order.placed.v1"), "refused": s.count("order.refused.v1"),
		}
	}
	want := map[string]int{"translated": 34, "set aside": 4, "chats": 3, "messages": 28, "contacts": 1, "orders": 2, "refused": 1}
	until(t, "all are translated", func() bool { return h.Stats()[0].Handled == 38 })
	if diff := cmp.Diff(want, done()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st := h.Stats()[0]; st.Parked != 0 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}

	// A customer's messages are in the log as they came.
	last := ""
	for r, err := range s.store.ReadStream(t.Context(), "chat-"+ids.Chat(workspace, s.channel, "15551230001"), eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			t.Fatal(err)
		}
		if at := meta.OccurredAt.Format("2006-01-02T15:04:05Z"); r.Type == "chat.message_received.v1" {
			if at < last {
				t.Errorf("%s came after %s", at, last)
			}
			last = at
		}
	}
	stop()
}

// A delivery can be translated again, by a version that understands more.
func TestATranslationOnRequest(t *testing.T) {
	s := newShop(t)
	s.start()
	body := fixture(t, "42-call.json")
	s.post(body)
	until(t, "it is set aside", func() bool { return s.count("webhook.set_aside.v1") == 1 })
	o := commands.Origin{Workspace: workspace, Actor: "root", ActorKind: commands.ActorAgent}
	if _, err := s.commands.Webhooks.RequestRetranslation(t.Context(), o, webhook.ID(ids.Webhook(s.channel, body)), webhook.RequestRetranslation{By: "root"}); err != nil {
		t.Fatal(err)
	}
	until(t, "it is set aside again", func() bool { return s.count("webhook.set_aside.v1") == 2 })
}
