package acceptance

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What is written within a second, in one webhook or in two, is shown in the order in
// which it came, wherever it is shown. A webhook that comes again changes nothing.
func TestMessagesOfTheSameSecond(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		channel := s.channel("")
		admin, agent := s.token("admin", "Root"), s.token("agent", "Ann")
		s.start()
		second := time.Now().Unix()
		webhook := func(messages ...string) []byte {
			var all []string
			for _, m := range messages {
				id, text, _ := strings.Cut(m, " ")
				all = append(all, fmt.Sprintf(`{"from": "15557700001", "id": "wamid.%s", "timestamp": "%d", "type": "text", "text": {"body": %q}}`, id, second, text))
			}
			return fmt.Appendf(nil, `{"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": {
				"messaging_product": "whatsapp", "metadata": {"display_phone_number": "15550001111", "phone_number_id": %q}, "messages": [%s]
			}}]}]}`, phoneNumber, strings.Join(all, ", "))
		}
		album, more := webhook("Q one", "C two", "K three", "A four", "Z five"), webhook("B six", "Y seven")
		for _, body := range [][]byte{album, more, album} {
			if got := s.deliver(channel, body); got != 200 {
				t.Fatalf("delivery: %d", got)
			}
			s.settle(admin, channel)
		}
		const want = "one two three four five six seven"
		type page struct {
			Items, Entries []struct {
				Message struct{ Content struct{ Text string } }
			}
			Before string
		}
		said := func(p page) string {
			var texts []string
			for _, i := range append(p.Items, p.Entries...) {
				texts = append(texts, i.Message.Content.Text)
			}
			return strings.Join(texts, " ")
		}
		chats := agent.must(200, "GET", "/v1/chats?min_position="+fmt.Sprint(len(s.events())), "").object(t)["items"].([]any)
		chat := chats[0].(map[string]any)
		if preview := chat["last_message"].(map[string]any)["preview"]; len(chats) != 1 || preview != "seven" {
			t.Errorf("the last message is %v", preview)
		}
		path := "/v1/chats/" + chat["id"].(string)
		for _, limit := range []int{1, 2, 3, 50} {
			var pages []string
			for before := ""; ; {
				var p page
				agent.must(200, "GET", fmt.Sprint(path, "/messages?events=false&limit=", limit, before), "").into(t, &p)
				pages = append([]string{said(p)}, pages...)
				if p.Before == "" {
					break
				}
				before = "&before=" + p.Before
			}
			if got := strings.Join(pages, " "); got != want {
				t.Errorf("the conversation, %d at once: %s", limit, got)
			}
		}
		var transcript page
		agent.must(200, "GET", path+"/transcript?format=json&events=false", "").into(t, &transcript)
		if got := said(transcript); got != want {
			t.Errorf("the transcript: %s", got)
		}

		older := base64.RawURLEncoding.EncodeToString([]byte(`{"v":1,"l":"conversation","p":{"t":1,"i":"0wamid.A","e":"x"}}`))
		if got := agent.must(400, "GET", path+"/messages?after="+older, "").object(t); got["code"] != "cursor.invalid" {
			t.Errorf("a cursor in the order of ids: %v", got)
		}
	})
}
