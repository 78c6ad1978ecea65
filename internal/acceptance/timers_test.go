package acceptance

import (
	"fmt"
	"testing"
	"time"
)

// What was to happen at a time happens once, though the server is killed before and
// while it falls due.
func TestTimersOutliveKills(t *testing.T) {
	const messages = 12
	onBoth(t, func(t *testing.T, s *server) {
		g := newGraph(t)
		channel, admin := s.channel(g.URL), s.token("admin", "Root")
		s.start()
		body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
			"metadata":{"display_phone_number":"15550001111","phone_number_id":%q},"contacts":[{"profile":{"name":"Ana"},"wa_id":"15551230001"}],
			"messages":[{"from":"15551230001","id":"wamid.now","timestamp":"%d","type":"text","text":{"body":"hello"}}]}}]}]}`, phoneNumber, time.Now().Unix())
		if status := s.deliver(channel, []byte(body)); status != 200 {
			t.Fatalf("deliver: %d", status)
		}
		chat := "/v1/chats/" + s.firstChat(admin, channel)
		due := time.Now().Add(1500 * time.Millisecond)
		for i := range messages {
			at := due.Add(time.Duration(i) * 100 * time.Millisecond).UTC().Format(time.RFC3339Nano)
			admin.must(201, "POST", chat+"/scheduled", fmt.Sprintf(`{"text":"message %d","send_at":%q}`, i, at))
		}
		s.kill()
		s.start()
		s.until("some were sent", func() bool { return len(g.sent()) >= messages/3 })
		s.kill()
		s.start()
		s.until("none waits any more", func() bool { return len(admin.all(chat+"/scheduled")) == 0 })
		states := map[any]int{}
		s.until("each was sent, or it is said why not", func() bool {
			clear(states)
			for _, e := range admin.all(chat + "/messages?events=false&notes=false") {
				if m, ok := e["message"].(map[string]any); ok && m["direction"] == "out" {
					states[m["delivery"].(map[string]any)["state"]]++
				}
			}
			return states["sent"]+states["failed"] == messages && states["failed"] <= 1
		})
		times := map[string]int{}
		for _, text := range g.sent() {
			times[text]++
		}
		for i := range messages {
			if n := times[fmt.Sprintf("message %d", i)]; n > 1 || n == 0 && states["failed"] == 0 {
				t.Errorf("message %d was sent %d times; %v", i, n, states)
			}
		}
	})
}
