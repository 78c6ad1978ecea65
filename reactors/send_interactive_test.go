package reactors_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
)

// What is answered with a tap, and what answers another message, goes out as the
// provider documents it; what the customer tapped comes back with the id and with the
// message that it answers.
func TestTapsAndReplies(t *testing.T) {
	s := newShop(t)
	s.start()
	const customer = "15551230001"
	id := s.open(customer)
	first := s.say(id, 1)
	until(t, "it was accepted", func() bool { return s.outbound(id, first).ProviderID != "" })
	asked := s.outbound(id, first).ProviderID
	tap := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":%q},
		"messages":[{"from":%q,"id":"wamid.tap","timestamp":"%d","type":"interactive","context":{"from":"15550000000","id":%q},
		"interactive":{"type":"button_reply","button_reply":{"id":"y","title":"Yes"}}}]}}]}]}`, phoneID, customer, time.Now().Unix(), asked)
	if got := s.post([]byte(tap)); got != http.StatusOK {
		t.Fatalf("webhook: %d", got)
	}
	until(t, "the tap is there", func() bool { return s.count("chat.message_received.v1") == 2 })
	got := last[chat.MessageReceived](s)
	if got.Content.Kind != "button" || got.Content.Text != "Yes" || *got.Content.Reply != (chat.Reply{ID: "y", Title: "Yes"}) || got.Context.ProviderID != asked {
		t.Errorf("received %+v", got)
	}

	// To a message of either side.
	o := commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent}
	for i, to := range []chat.MessageID{got.Message, first, "m0"} {
		m := chat.MessageID(fmt.Sprint("reply-", i))
		s.done(s.commands.Chats.Send(t.Context(), o, id, chat.SendMessage{Message: m, By: "ana", At: time.Now(), Outgoing: chat.Outgoing{Text: "so", ReplyTo: &chat.RepliedTo{Message: to}}}))
		until(t, "it was accepted", func() bool { return s.outbound(id, m).ProviderID != "" })
		want := []string{"wamid.tap", asked, "w0-" + customer}[i]
		taken := s.graph.Taken()
		if sent := taken[len(taken)-1]; sent.ReplyTo != want || !strings.Contains(sent.Payload, `"context":{"message_id":"`+want+`"}`) {
			t.Errorf("sent %s, want it to answer %s", sent.Payload, want)
		}
	}
	if _, err := s.commands.Chats.Send(t.Context(), o, id, chat.SendMessage{Message: "x", By: "ana", At: time.Now(), Outgoing: chat.Outgoing{Text: "so", ReplyTo: &chat.RepliedTo{Message: "nobody's"}}}); err == nil {
		t.Error("a reply to a message that there is not was queued")
	}
	payloads := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(s.graph.Taken()[0].Payload), &payloads); err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"button","body":{"text":"Well?"},"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}},{"type":"reply","reply":{"id":"n","title":"No"}}]}}`
	if string(payloads["interactive"]) != want || string(payloads["type"]) != `"interactive"` {
		t.Errorf("sent %s, want %s", payloads["interactive"], want)
	}
}
