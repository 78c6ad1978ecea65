package acceptance

import (
	"fmt"
	"strings"
	"testing"
)

// chatOf returns the row of the customer's chat, or nil.
func chatOf(c client, phone string) map[string]any {
	for _, chat := range c.all("/v1/chats") {
		if dig(chat, "contact", "phone") == phone {
			return chat
		}
	}
	return nil
}

// dig returns what is at a path of names and indexes in JSON, or nil.
func dig(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

const (
	ana     = "+15551230001"
	ben     = "+15551230002"
	camille = "+33612345678"
)

// Each sample webhook by itself, in the order of their names, leads to what is
// documented for it.
func TestEachWebhook(t *testing.T) {
	files, names := fixtures(t)
	onBoth(t, func(t *testing.T, s *server) {
		channel, c := s.channel("http://127.0.0.1:1"), s.token("admin", "Root")
		s.start()
		var msgs map[string][]map[string]any // by phone
		load := func() {
			msgs = map[string][]map[string]any{}
			for _, phone := range []string{ana, ben, camille} {
				if chat := chatOf(c, phone); chat != nil {
					msgs[phone] = c.all("/v1/chats/" + chat["id"].(string) + "/messages?events=true")
				}
			}
		}
		// message returns the entry of the message with this provider id.
		message := func(phone, wamid string) map[string]any {
			for _, m := range msgs[phone] {
				if dig(m, "message", "provider_id") == wamid {
					return m
				}
			}
			t.Errorf("no message %s of %s", wamid, phone)
			return nil
		}
		wam := func(n string) string { return "wamid.HBgLMTU1NTEyMzAwMD" + n }
		is := func(name string, got, want any) {
			t.Helper()
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		content := func(phone, n string, path ...any) any {
			return dig(message(phone, wam(n)), append([]any{"message", "content"}, path...)...)
		}
		order := func(phone string, i int) map[string]any {
			chat := chatOf(c, phone)
			var of []map[string]any
			for _, o := range c.all("/v1/orders") {
				if o["chat"] == chat["id"] {
					of = append([]map[string]any{o}, of...) // oldest first
				}
			}
			if i >= len(of) {
				t.Fatalf("%d orders of %s", len(of), phone)
			}
			return c.must(200, "GET", "/v1/orders/"+of[i]["id"].(string), "").object(t)
		}
		unread := func(phone string) any { return chatOf(c, phone)["unread"] }

		checks := map[string]func(){
			"01-text.json": func() {
				chat := chatOf(c, ana)
				is("name", dig(chat, "contact", "name"), "Ana Lima")
				is("is_contact", dig(chat, "contact", "is_contact"), false)
				is("status", chat["status"], "OPEN")
				is("unread", chat["unread"], 1)
				is("by", dig(chat, "last_message", "by"), "customer")
				is("text", content(ana, "01A", "text"), "Hi, do you deliver on Sundays? 🙂")
			},
			"02-text-second.json": func() { is("unread", unread(ana), 2) },
			"03-reply-in-context.json": func() {
				is("context", dig(message(ana, wam("03A")), "message", "context", "provider_id"), "wamid.HBgLMTU1NTEyMzAwMDAUT")
			},
			"04-image-caption.json": func() {
				is("kind", content(ana, "04A", "kind"), "image")
				is("caption", content(ana, "04A", "text"), "the broken handle")
				is("media", content(ana, "04A", "media", "id"), "2754859441498128")
				is("type", content(ana, "04A", "media", "mime_type"), "image/jpeg")
				is("hash", content(ana, "04A", "media", "sha256"), "29ed500fa64eb55fc19dc4124acb300e5dcc54a0f822a301ae99944db0000001")
			},
			"05-document.json": func() {
				is("kind", content(ana, "05A", "kind"), "document")
				is("file name", content(ana, "05A", "media", "filename"), "invoice 7.pdf")
			},
			"06-voice.json": func() { is("kind", content(ana, "06A", "kind"), "voice") },
			"07-video.json": func() {
				is("kind", content(ana, "07A", "kind"), "video")
				is("caption", content(ana, "07A", "text"), nil)
			},
			"08-sticker.json": func() { is("kind", content(ana, "08A", "kind"), "sticker") },
			"09-location.json": func() {
				is("kind", content(ana, "09A", "kind"), "location")
				is("latitude", content(ana, "09A", "location", "latitude"), 41.1496)
			},
			"10-contact-card.json": func() {
				is("is_contact", dig(chatOf(c, ben), "contact", "is_contact"), true)
				v := c.must(200, "GET", "/v1/chats/"+chatOf(c, ben)["id"].(string)+"/visitor", "").object(t)
				is("reason", v["contact_reason"], "contact_card")
				is("e-mail", dig(v, "email", "value"), "ben.okoro@example.com")
				is("source", dig(v, "email", "source", "kind"), "contact_card")
			},
			"11-contact-card-of-another.json": func() {
				is("card", content(ana, "11A", "cards", 0, "name"), "Rui Costa")
				is("is_contact", dig(chatOf(c, ana), "contact", "is_contact"), false)
				is("name", dig(chatOf(c, ana), "contact", "name"), "Ana Lima")
			},
			"12-button-reply.json": func() {
				is("text", content(ana, "12A", "text"), "Yes, please")
				is("id", content(ana, "12A", "reply", "id"), "deliver-yes")
			},
			"13-list-reply.json": func() { is("text", content(ana, "13A", "text"), "Tuesday") },
			"14-flow-reply.json": func() { is("answers", content(ben, "14B", "flow", "answers", "size"), "L") },
			"15-template-button.json": func() {
				is("text", content(ana, "15A", "text"), "Stop promotions")
			},
			"16-reaction.json": func() {
				is("emoji", dig(message(ana, wam("01A")), "message", "reactions", 0, "emoji"), "👍")
				is("unread", unread(ana), 13)
			},
			"17-reaction-removed.json": func() { is("reactions", dig(message(ana, wam("01A")), "message", "reactions"), nil) },
			"18-order.json": func() {
				o := order(camille, 0)
				is("chat", dig(chatOf(c, camille), "contact", "name"), "Camille D'Arc")
				is("status", o["status"], "placed")
				is("items", o["items"], 5)
				is("total", o["total"], 6248)
				is("currency", o["currency"], "EUR")
				is("lines", []any{dig(o, "lines", 0, "total"), dig(o, "lines", 1, "total")}, "[3998 2250]")
			},
			"19-order-yen.json": func() { is("total", order(ben, 0)["total"], 1200) },
			"20-order-mixed-currencies.json": func() {
				o := order(ben, 1)
				is("status", o["status"], "refused")
				is("code", strings.Contains(fmt.Sprint(o), "order.mixed_currencies"), true)
				if total := o["total"]; total != nil && fmt.Sprint(total) != "0" {
					t.Errorf("a refused order has the total %v", total)
				}
				is("message", content(ben, "20B", "kind"), "order")
			},
			"21-referral.json": func() {
				is("referral", dig(message(camille, wam("21C")), "message", "referral", "source_id"), "120330000000")
			},
			"22-number-changed.json": func() {
				for _, m := range msgs[ana] {
					if dig(m, "system", "new_number") == "15551239999" {
						is("phone", dig(chatOf(c, ana), "contact", "phone"), ana)
						return
					}
				}
				t.Error("no system entry tells the new number")
			},
			"23-unsupported.json": func() { is("code", content(ana, "23A", "error", "code"), 131051) },
			"24-type-of-the-future.json": func() {
				is("kind", content(ana, "24A", "kind"), "unknown")
				is("kept", content(ana, "24A", "raw", "hologram", "id"), "9")
			},
			"25-two-visitors-one-payload.json": func() {
				is("ana", content(ana, "25A", "text"), "first")
				is("ben", content(ben, "25B", "text"), "second")
				is("camille", content(camille, "25C", "text"), "third")
			},
			"26-two-messages-one-value.json": func() {
				last := msgs[ana][len(msgs[ana])-2:]
				is("in order", []any{dig(last[0], "message", "content", "text"), dig(last[1], "message", "content", "text")}, "[one two]")
			},
			"27-call-permission.json": func() {
				is("kind", content(ana, "27A", "kind"), "call_permission")
				is("allowed", dig(c.must(200, "GET", "/v1/chats/"+chatOf(c, ana)["id"].(string), "").object(t), "call_permission", "until"), "2026-09-28T14:22:00Z")
			},
			"28-call-permission-taken-back.json": func() {
				is("allowed", dig(c.must(200, "GET", "/v1/chats/"+chatOf(c, ana)["id"].(string), "").object(t), "call_permission", "allowed"), false)
			},
			"34-statuses-and-message.json": func() { is("text", content(ana, "34A", "text"), "and?") },
		}
		deliveries := map[string]string{
			"40-other-phone-number.json": "not_ours", "41-template-status.json": "", "42-call.json": "",
			"50-empty-entry.json": "empty", "51-not-whatsapp.json": "not_whatsapp",
		}
		for _, name := range names {
			before := s.views(c)
			count := len(c.all("/v1/channels/" + channel + "/deliveries"))
			s.post(c, channel, files, []string{name})
			load()
			t.Run(name, func(t2 *testing.T) {
				outer := t
				t = t2
				defer func() { t = outer }()
				if check := checks[name]; check != nil {
					check()
					return
				}
				// Everything else changes no chat.
				if after := s.views(c); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("the views changed:\n%v\n%v", before, after)
				}
				after := c.all("/v1/channels/" + channel + "/deliveries")
				kept := 1
				if strings.HasSuffix(name, ".txt") {
					kept = 0
				}
				is("deliveries kept", len(after)-count, kept)
				if code, ok := deliveries[name]; ok && code != "" {
					is("code", after[0]["code"], code)
				}
			})
		}
	})
}

// A report on a message that is not known is applied when the message turns up.
func TestDeliveryReports(t *testing.T) {
	files, _ := fixtures(t)
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		channel, c := s.channel(graph.URL), s.token("admin", "Root")
		s.start()
		s.post(c, channel, files, []string{"01-text.json", "30-status-sent.json", "31-status-read-before-delivered.json", "32-status-delivered-late.json", "33-status-failed.json"})
		chat := "/v1/chats/" + chatOf(c, ana)["id"].(string)
		states := func() string {
			var got []any
			for _, m := range c.all(chat + "/messages?events=false") {
				if dig(m, "message", "direction") == "out" {
					got = append(got, dig(m, "message", "delivery", "state"), dig(m, "message", "delivery", "error", "code"))
				}
			}
			return fmt.Sprint(got)
		}
		s.writesNow(c, channel, chat, files)
		// The stand-in calls our first message OUT1, the second OUT2, and so on.
		c.must(202, "POST", chat+"/messages", `{"text":"yes we do"}`)
		s.until("the first is read", func() bool { return states() == "[read <nil>]" })
		c.must(202, "POST", chat+"/messages", `{"text":"until noon"}`)
		s.until("the second has failed", func() bool { return states() == "[read <nil> failed 131047]" })
		c.must(202, "POST", chat+"/messages", `{"text":"are you there?"}`)
		s.until("the third is sent", func() bool { return states() == "[read <nil> failed 131047 sent <nil>]" })
		s.post(c, channel, files, []string{"34-statuses-and-message.json", "30-status-sent.json"})
		s.until("the third is delivered", func() bool { return states() == "[read <nil> failed 131047 delivered <nil>]" })
		if got := graph.sent(); fmt.Sprint(got) != "[yes we do until noon are you there?]" {
			t.Errorf("the provider got %v", got)
		}
	})
}
