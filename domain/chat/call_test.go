package chat_test

import (
	"testing"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestCalls(t *testing.T) {
	ask := chat.RequestCall{Call: "k1", Provider: "webhook", By: "ann", At: opened.At}
	with := func(change func(*chat.RequestCall)) chat.RequestCall { c := ask; change(&c); return c }
	number := opened
	number.Customer = "491712345678"
	named := opened
	named.Customer = "US.1349120865530"
	asked := chat.CallRequested{Call: "k1", Phone: "+491712345678", Provider: "webhook", By: "ann", At: opened.At}
	ended := chat.CallEnded{Call: "k1", Outcome: "completed", Duration: 60, At: opened.At}
	shared := chat.DetailsShared{Reason: chat.ByAgent, Phones: []string{"ask at the desk", "+1 (555) 123-4567"}, At: opened.At}
	run(t, cases{
		{Name: "the customer's own number", Given: past{number}, When: ask, Then: past{asked}},
		{Name: "a number that was shared", Given: past{number, shared}, When: ask, Then: past{chat.CallRequested{Call: "k1", Phone: "+15551234567", Provider: "webhook", By: "ann", At: opened.At}}},
		{Name: "a number that is given", Given: past{named}, When: with(func(c *chat.RequestCall) { c.Phone = "+49 171 2345678" }), Then: past{asked}},
		{Name: "no number", Given: past{named}, When: ask, Err: chat.ErrNoPhone},
		{Name: "nonsense", Given: past{number}, When: with(func(c *chat.RequestCall) { c.Phone = "0171 2345678" }), Err: chat.ErrPhone},
		{Name: "nobody calls", Given: past{number}, When: with(func(c *chat.RequestCall) { c.Provider = "" }), Err: chat.ErrNoCalls},
		{Name: "the line is taken", Given: past{number, asked}, When: with(func(c *chat.RequestCall) { c.Call = "k2" }), Err: chat.ErrCallRunning},
		{Name: "the line is known to be free", Given: past{number, asked}, When: with(func(c *chat.RequestCall) { c.Call, c.Over = "k2", "k1" }), Then: past{chat.CallRequested{Call: "k2", Phone: "+491712345678", Provider: "webhook", By: "ann", At: opened.At}}},
		{Name: "the line is free again", Given: past{number, asked, ended}, When: with(func(c *chat.RequestCall) { c.Call = "k2" }), Then: past{chat.CallRequested{Call: "k2", Phone: "+491712345678", Provider: "webhook", By: "ann", At: opened.At}}},
		{Name: "a deleted chat", Given: past{number, gone}, When: ask, Err: chat.ErrNotFound},
		{Name: "by nobody", Given: past{number}, When: with(func(c *chat.RequestCall) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "no call", Given: past{number}, When: with(func(c *chat.RequestCall) { c.Call = "" }), Err: chat.ErrCallMissing},
		{Name: "ended", Given: past{number, asked}, When: chat.EndCall{CallEnded: ended}, Then: past{ended}},
		{Name: "ended in a deleted chat", Given: past{number, asked, gone}, When: chat.EndCall{CallEnded: ended}, Then: past{ended}},
		{Name: "another one ended", Given: past{number, asked}, When: chat.EndCall{CallEnded: chat.CallEnded{Call: "k0"}}},
		{Name: "ended in no chat", When: chat.EndCall{CallEnded: ended}, Err: chat.ErrNotFound},
	})
}
