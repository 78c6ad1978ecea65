package chat_test

import (
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestWordsThatOptOut(t *testing.T) {
	for text, want := range map[string]string{
		"STOP": "out", " stop! ": "out", "Stópp.": "out", "ARRÊT": "out", "Désabonner": "out", "opt  out": "out", "cancelar": "out",
		"please stop": "", "stop it": "", "": "", "START": "", "bus stop?": "",
	} {
		c := chat.ReceiveMessage{
			Workspace: "acme", Channel: "ch", Customer: "1555", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen,
			Message: "m", ProviderID: "p", Content: chat.Content{Kind: "text", Text: text}, At: noon,
		}
		events, err := c.Decide(chat.State{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range events {
			if o, ok := e.(chat.OptedOut); ok && o == (chat.OptedOut{Reason: chat.ByWord, Message: "m", At: noon}) {
				got = "out"
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A workspace's words are bounded in characters, of which some are several bytes.
func TestWordsOfAWorkspaceThatOptOut(t *testing.T) {
	const words = "отписаться от всех ваших рассылок"
	c := chat.ReceiveMessage{Words: chat.MarketingWords{Out: []string{words}}, Message: "m", ProviderID: "p", Content: chat.Content{Kind: "text", Text: "Отписаться от всех ваших рассылок!"}, At: noon}
	received := chat.MessageReceived{Message: "m", ProviderID: "p", Content: c.Content, At: noon}
	tooLong := c
	tooLong.Content.Text = words + strings.Repeat("!", 8)
	run(t, cases{
		{Name: "in an alphabet of two bytes", Given: past{opened}, When: c, Then: past{received, chat.OptedOut{Reason: chat.ByWord, Message: "m", At: noon}}, Anew: true},
		{Name: "longer than any word", Given: past{opened}, When: tooLong, Then: past{chat.MessageReceived{Message: "m", ProviderID: "p", Content: tooLong.Content, At: noon}}, Anew: true},
	})
}

func TestMarketing(t *testing.T) {
	out, in := chat.OptedOut{Reason: chat.ByStaff, By: "bob", Note: "asked", At: noon}, chat.OptedIn{Reason: chat.ByStaff, By: "bob", At: noon}
	start := chat.ReceiveMessage{Message: "m1", ProviderID: "p1", Content: chat.Content{Kind: "text", Text: "Start"}, At: noon}
	received := chat.MessageReceived{Message: "m1", ProviderID: "p1", Content: start.Content, At: noon}
	send := chat.SendCampaign{
		Workspace: opened.Workspace, Channel: opened.Channel, Customer: opened.Customer, DefaultStatus: opened.Status, DefaultCategory: opened.Category,
		Message: "o9", Campaign: "sale", Outgoing: chat.Outgoing{Text: "Sale"}, By: "bob", At: opened.At,
	}
	queued := chat.MessageQueued{Message: "o9", Text: "Sale", Campaign: "sale", By: "bob", At: opened.At}
	stopped := chat.RecordDelivery{Message: "o9", State: chat.Failed, Error: &chat.DeliveryError{Code: 131050}, At: noon}
	failed := chat.DeliveryRecorded{Message: "o9", State: chat.Failed, Error: stopped.Error, At: noon}
	run(t, cases{
		{Name: "an agent opts out", Given: past{opened}, When: chat.SetMarketing{Out: true, Note: "asked", By: "bob", At: noon}, Then: past{out}},
		{Name: "again", Given: past{opened, out}, When: chat.SetMarketing{Out: true, By: "bob"}},
		{Name: "an agent opts in", Given: past{opened, out}, When: chat.SetMarketing{By: "bob", At: noon}, Then: past{in}},
		{Name: "nobody opts out", Given: past{opened}, When: chat.SetMarketing{Out: true}, Err: chat.ErrByMissing},
		{Name: "of no chat", When: chat.SetMarketing{Out: true, By: "bob"}, Err: chat.ErrNotFound},
		{Name: "the customer opts in", Given: past{opened, out}, When: start, Then: past{received, chat.OptedIn{Reason: chat.ByWord, Message: "m1", At: noon}}, Anew: true},
		{Name: "the customer starts without an end", Given: past{opened}, When: start, Then: past{received}, Anew: true},
		{Name: "the provider says so", Given: past{opened, queued}, When: stopped, Then: past{failed, chat.OptedOut{Reason: chat.ByProvider, Message: "o9", At: noon}}},

		{Name: "send to somebody new", When: send, Then: past{opened, queued}},
		{Name: "send in a chat", Given: past{opened}, When: send, Then: past{queued}},
		{Name: "send in a closed chat", Given: past{opened, closed}, When: send, Then: past{queued}},
		{Name: "send twice", Given: past{opened, queued}, When: send},
		{Name: "send to who opted out", Given: past{opened, out}, When: send, Err: chat.ErrOptedOut},
		{Name: "send in a deleted chat", Given: past{opened, gone}, When: send, Err: chat.ErrNotFound},
	})
}
