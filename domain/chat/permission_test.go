package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestCallPermission(t *testing.T) {
	number := opened
	number.Customer = "491712345678"
	until := noon.Add(time.Hour)
	call := chat.RequestCall{Call: "k1", Provider: "whatsapp", By: "ann", At: later}
	asked := chat.CallRequested{Call: "k1", Phone: "+491712345678", Provider: "whatsapp", By: "ann", At: later}
	allowed := chat.CallPermissionChanged{Allowed: true, Until: until, Reason: chat.PermittedByCustomer, Message: "m1", At: noon}
	forGood := chat.CallPermissionChanged{Allowed: true, Reason: chat.PermittedByCustomer, At: noon}
	declined := chat.CallPermissionChanged{Reason: chat.PermittedByProvider, At: later}
	at := func(when time.Time) chat.RequestCall { c := call; c.At = when; return c }
	ask := chat.AskToCall{SendMessage: chat.SendMessage{Message: "o1", Outgoing: chat.Outgoing{Text: "May we?"}, By: "ann", At: later}, Provider: "whatsapp"}
	with := func(change func(*chat.AskToCall)) chat.AskToCall { c := ask; change(&c); return c }
	request := chat.MessageQueued{Message: "o1", Text: "May we?", By: "ann", At: later, CallPermission: true}
	reply := chat.ReceiveMessage{
		Message: "m1", ProviderID: "wamid.1", Content: chat.Content{Kind: "call_permission", Reply: &chat.Reply{ID: "accept", Title: "accept"}},
		Calls: &chat.CallPermission{Allowed: true, Until: until, At: noon}, At: noon,
	}
	got := chat.MessageReceived{Message: "m1", ProviderID: "wamid.1", Content: reply.Content, At: noon}
	word := chat.RecordCallPermission{
		Workspace: "acme", Channel: "wa", Customer: "5511", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen, Permission: chat.CallPermission{At: noon},
	}
	run(t, cases{
		{Name: "call one who allows it", Given: past{number, allowed}, When: call, Then: past{asked}},
		{Name: "call one who allows it for good", Given: past{number, forGood}, When: call, Then: past{asked}},
		{Name: "call one of whom nothing is known", Given: past{number}, When: call, Then: past{asked}},
		{Name: "call one who does not allow it", Given: past{number, declined}, When: call, Err: chat.ErrNoCallPermission},
		{Name: "call one who allowed it before", Given: past{number, allowed, declined}, When: call, Err: chat.ErrNoCallPermission},
		{Name: "the words came in another order", Given: past{number, declined, allowed}, When: call, Err: chat.ErrNoCallPermission},
		{Name: "call just in time", Given: past{number, allowed}, When: at(until.Add(-1)), Then: past{chat.CallRequested{Call: "k1", Phone: "+491712345678", Provider: "whatsapp", By: "ann", At: until.Add(-1)}}},
		{Name: "call too late", Given: past{number, allowed}, When: at(until), Err: chat.ErrNoCallPermission},
		{Name: "call by telephone", Given: past{number, declined}, When: chat.RequestCall{Call: "k1", Provider: "webhook", By: "ann", At: later}, Then: past{
			chat.CallRequested{Call: "k1", Phone: "+491712345678", Provider: "webhook", By: "ann", At: later},
		}},

		{Name: "ask", Given: past{number}, When: ask, Then: past{request}},
		{Name: "ask again after a no", Given: past{number, declined}, When: ask, Then: past{request}},
		{Name: "ask again after its time", Given: past{number, allowed}, When: with(func(c *chat.AskToCall) { c.At = until }), Then: past{chat.MessageQueued{Message: "o1", Text: "May we?", By: "ann", At: until, CallPermission: true}}},
		{Name: "ask one who allows it", Given: past{number, allowed}, When: ask, Err: chat.ErrCallsAllowed},
		{Name: "ask where nobody needs to", Given: past{number}, When: with(func(c *chat.AskToCall) { c.Provider = "webhook" }), Err: chat.ErrCallsAllowed},
		{Name: "ask where nobody calls", Given: past{number}, When: with(func(c *chat.AskToCall) { c.Provider = "" }), Err: chat.ErrNoCalls},
		{Name: "ask when the window is closed", Given: past{number}, When: with(func(c *chat.AskToCall) { c.Window = chat.WhatsAppWindow }), Err: chat.ErrWindowClosed},
		{Name: "ask without words", Given: past{number}, When: with(func(c *chat.AskToCall) { c.Text = "" }), Err: chat.ErrTextMissing},
		{Name: "ask with many words", Given: past{number}, When: with(func(c *chat.AskToCall) { c.Text = strings.Repeat("é", 1025) }), Err: chat.ErrTextTooLong},
		{Name: "ask one who is blocked", Given: past{number}, When: with(func(c *chat.AskToCall) { c.Blocked = true }), Err: chat.ErrBlocked},
		{Name: "ask in a closed chat", Given: past{number, closed}, When: ask, Err: chat.ErrClosed},

		{Name: "they answer", Given: past{opened}, When: reply, Then: past{got, allowed}, Anew: true},
		{Name: "they answer, blocked", Given: past{opened}, When: func() chat.ReceiveMessage { c := reply; c.Blocked = true; return c }(), Then: past{
			chat.MessageReceived{Message: "m1", ProviderID: "wamid.1", Content: reply.Content, Blocked: true, At: noon}, allowed,
		}, Anew: true},
		{Name: "the provider says so", Given: past{opened, closed}, When: word, Then: past{chat.CallPermissionChanged{Reason: chat.PermittedByProvider, At: noon}}, Anew: true},
		{Name: "of somebody new", When: word, Then: past{opened, chat.CallPermissionChanged{Reason: chat.PermittedByProvider, At: noon}}, Anew: true},
		{Name: "of nobody", When: chat.RecordCallPermission{}, Err: chat.ErrOpening},
	})
}
