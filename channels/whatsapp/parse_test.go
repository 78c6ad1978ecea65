package whatsapp_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
)

var received = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// message wraps a message, given as JSON, in a payload, and returns what Parse
// makes of it.
func parseOne(t *testing.T, msg string) whatsapp.Change {
	t.Helper()
	p, ok := whatsapp.Parse([]byte(`{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{
		"metadata":{"phone_number_id":106540352242922},"contacts":[{"wa_id":"4915551","profile":{"name":"Ana"}}],
		"messages":[`+msg+`]}}]}]}`), received)
	if !ok || len(p.Changes) != 1 {
		t.Fatalf("Parse: %v, %+v", ok, p)
	}
	return p.Changes[0]
}

func TestParseTakesWhatComes(t *testing.T) {
	head := `"id":"wamid.1","from":"4915551","timestamp":`
	for _, tc := range []struct {
		name, msg string
		want      whatsapp.Message
	}{
		{
			"a number as a timestamp, a plus in the sender", `{"id":"wamid.1","from":"+49 15551","timestamp":1790000000,"type":"text","text":{"body":"hi"}}`,
			whatsapp.Message{Content: &chat.Content{Kind: "text", Text: "hi"}},
		},
		{
			"NUL and what is no UTF-8", "{" + head + `1790000000,"type":"text","text":{"body":"a\u0000b` + "\xff" + `\ud800c"}}`,
			whatsapp.Message{Content: &chat.Content{Kind: "text", Text: "ab\uFFFD\uFFFDc"}},
		},
		{
			"a time before WhatsApp", "{" + head + `"-5","type":"text","text":{"body":"hi"}}`,
			whatsapp.Message{At: received, Content: &chat.Content{Kind: "text", Text: "hi"}},
		},
		{
			"a time in milliseconds", "{" + head + `1790000000000,"type":"text","text":{"body":"hi"}}`,
			whatsapp.Message{At: received, Content: &chat.Content{Kind: "text", Text: "hi"}},
		},
		{
			"a time that is none", "{" + head + `{"x":1},"type":"text","text":{"body":"hi"}}`,
			whatsapp.Message{At: received, Content: &chat.Content{Kind: "text", Text: "hi"}},
		},
		{
			"a text without text", "{" + head + `1790000000,"type":"text","text":["a\u0000"]}`,
			whatsapp.Message{Content: &chat.Content{Kind: "unknown", Raw: json.RawMessage(`{"from":"4915551","id":"wamid.1","text":["a"],"timestamp":1790000000,"type":"text"}`)}},
		},
		{
			"a location outside of the world", "{" + head + `1790000000,"type":"location","location":{"latitude":"91","longitude":"NaN"}}`,
			whatsapp.Message{Content: &chat.Content{Kind: "unknown", Raw: json.RawMessage(`{"from":"4915551","id":"wamid.1","location":{"latitude":"91","longitude":"NaN"},"timestamp":1790000000,"type":"location"}`)}},
		},
		{
			"a location in strings", "{" + head + `1790000000,"type":"location","location":{"latitude":"41.5","longitude":"-8"}}`,
			whatsapp.Message{Content: &chat.Content{Kind: "location", Location: &chat.Location{Latitude: 41.5, Longitude: -8}}},
		},
		{
			"a forwarded message", "{" + head + `1790000000,"type":"text","text":{"body":"hi"},"context":{"frequently_forwarded":true}}`,
			whatsapp.Message{Content: &chat.Content{Kind: "text", Text: "hi"}, Context: &chat.Context{Forwarded: true}},
		},
		{
			"a flow that answered no JSON", "{" + head + `1790000000,"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","response_json":"{"}}}`,
			whatsapp.Message{Content: &chat.Content{Kind: "flow", Flow: &chat.Flow{Name: "flow"}}},
		},
		{
			"an answer about calls without a type", "{" + head + `1790000000,"interactive":{"type":"call_permission_reply","call_permission_reply":{"response":"accept","is_permanent":false,"expiration_timestamp":"1790500000","response_source":"user_action"}}}`,
			whatsapp.Message{
				Content: &chat.Content{Kind: "call_permission", Reply: &chat.Reply{ID: "accept", Title: "accept"}},
				Calls:   &chat.CallPermission{Allowed: true, Until: time.Unix(1790500000, 0).UTC(), At: time.Unix(1790000000, 0).UTC()},
			},
		},
		{
			"an error under another type", "{" + head + `1790000000,"type":"unknown","errors":[{"code":"131051","message":"Unsupported"}]}`,
			whatsapp.Message{Content: &chat.Content{Kind: "unsupported", Error: &chat.DeliveryError{Code: 131051, Title: "Unsupported"}}},
		},
		{
			"an order in odd numbers", "{" + head + `1790000000,"type":"order","order":{"catalog_id":1948,"product_items":[{"product_retailer_id":7,"quantity":2,"item_price":1.50,"currency":"eur"},5]}}`,
			whatsapp.Message{
				Content: &chat.Content{Kind: "order"},
				Order:   &whatsapp.Order{Catalog: "1948", Lines: []order.RefusedLine{{Product: "7", Quantity: "2", Price: "1.50", Currency: "EUR"}, {}}},
			},
		},
		{
			"a card among others that is the sender's own", "{" + head + `1790000000,"type":"contacts","contacts":[{"name":{"first_name":"X"}},
			{"name":{"first_name":"Ana","last_name":"Lima"},"phones":[{"phone":"0049 15551"},{"phone":"4915551"},{"phone":"+351 912 345 678"}],"emails":[{"email":" a@x "},{"email":"a@x"}],
			"org":{"company":"C"},"addresses":[{"city":"Porto","country":"Portugal"}]}]}`,
			whatsapp.Message{
				Content: &chat.Content{Kind: "contacts", Cards: []chat.Card{{Name: "X"}, {Name: "Ana Lima", Phones: []string{"0049 15551", "4915551", "+351912345678"}, Emails: []string{"a@x"}, Company: "C"}}},
				OwnCard: &whatsapp.Details{Name: "Ana Lima", Phones: []string{"0049 15551", "4915551", "+351912345678"}, Emails: []string{"a@x"}, Company: "C", City: "Porto", Country: "Portugal"},
			},
		},
		{
			"a system notice about the identity", "{" + head + `1790000000,"type":"system","system":{"type":"customer_identity_changed","body":"x","wa_id":"4915551"}}`,
			whatsapp.Message{System: &whatsapp.System{Kind: "customer_identity_changed", Text: "x"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := parseOne(t, tc.msg)
			tc.want.ID, tc.want.From, tc.want.ProfileName = "wamid.1", "4915551", "Ana"
			if tc.want.At.IsZero() {
				tc.want.At = time.Unix(1790000000, 0).UTC()
			}
			if c.PhoneNumberID != "106540352242922" || len(c.Messages) != 1 {
				t.Fatalf("%+v", c)
			}
			if diff := cmp.Diff(tc.want, c.Messages[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseBoundsWhatItTakes(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	c := parseOne(t, `{"id":"wamid.1","from":"4915551","type":"text","text":{"body":"`+long+`"}}`)
	if got := c.Messages[0].Content.Text; len(got) != 64<<10 || !utf8.ValidString(got) {
		t.Errorf("a text of %d bytes", len(got))
	}
	c = parseOne(t, `{"id":"wamid.1","from":"4915551","type":"future","future":"`+strings.Repeat("x", 300<<10)+`"}`)
	if got := c.Messages[0].Content; got.Kind != "unknown" || got.Raw != nil {
		t.Errorf("kind %s with %d bytes", got.Kind, len(got.Raw))
	}
	c = parseOne(t, `{"id":"`+strings.Repeat("w", 600)+`","from":"4915551","type":"text","text":{"body":"x"}},{"id":"wamid.2","type":"text"},7`)
	if len(c.Messages) != 0 || !cmp.Equal(c.Ignored, []string{"messages: one without sender or id"}) {
		t.Errorf("%+v", c)
	}
	c = parseOne(t, `{"id":"w","from":"4915551","type":"order","order":{"product_items":[`+strings.Repeat(`{"quantity":1},`, 600)+`{}]}}`)
	if o := c.Messages[0].Order; len(o.Lines) != order.MaxLines || !o.More {
		t.Errorf("%d lines, more %v", len(o.Lines), o.More)
	}
}

// What is kept with a message becomes a part of an event, and that of an answer:
// it must leave room for both in what a JSON decoder takes.
func TestParseKeepsNoDeepNesting(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	for depth, kept := range map[int]bool{60: true, 65: false, 5_000: false, 9_980: false} {
		future := parseOne(t, `{"id":"wamid.1","from":"4915551","type":"future","future":`+nested(depth)+`}`).Messages[0].Content
		if (future.Raw != nil) != kept || future.Kind != "unknown" {
			t.Errorf("depth %d: a message of the future is kept as %s with %d bytes", depth, future.Kind, len(future.Raw))
		}
		flow := parseOne(t, `{"id":"wamid.1","from":"4915551","type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"`+nested(depth)+`"}}}`).Messages[0].Content
		if (flow.Flow.Answers != nil) != kept || flow.Text != "Sent" {
			t.Errorf("depth %d: the answers of a flow are kept with %d bytes", depth, len(flow.Flow.Answers))
		}
	}
}

func TestParseRefusesWhatIsNoObject(t *testing.T) {
	for _, body := range []string{"", "null", "[]", "7", `"x"`, "{", "{} {}", "{}x"} {
		if p, ok := whatsapp.Parse([]byte(body), received); ok {
			t.Errorf("%q: %+v", body, p)
		}
	}
}

// Whatever comes, Parse returns something that can be kept.
func FuzzParse(f *testing.F) {
	addFixtures(f, func(body []byte) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		p, ok := whatsapp.Parse(body, received)
		if !ok {
			return
		}
		again, _ := whatsapp.Parse(body, received)
		if diff := cmp.Diff(p, again); diff != "" {
			t.Fatalf("not the same twice:\n%s", diff)
		}
		out, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("what it returns is no JSON: %v", err)
		}
		if strings.Contains(strings.ReplaceAll(string(out), `\\`, ""), `\u0000`) {
			t.Fatalf("NUL is left: %s", out)
		}
		for _, c := range p.Changes {
			for _, m := range c.Messages {
				kinds := 0
				for _, is := range []bool{m.Content != nil, m.Reaction != nil, m.System != nil} {
					if is {
						kinds++
					}
				}
				if kinds != 1 || m.ID == "" || m.From == "" || m.At.Year() < 2009 || m.At.Year() >= 2100 {
					t.Fatalf("%+v", m)
				}
			}
			for _, s := range c.Statuses {
				if s.ID == "" || s.Customer == "" || s.State.Rank() < 1 || s.At.IsZero() {
					t.Fatalf("%+v", s)
				}
			}
		}
	})
}
