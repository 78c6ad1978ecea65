package chat_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

// What a blocked customer writes changes nothing else, and nothing goes to them.
func TestBlockedCustomers(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	opened := chat.Opened{Workspace: "acme", Channel: "c", Customer: "15551", Status: "OPEN", Category: "open", At: at(2)}
	receive := chat.ReceiveMessage{
		Workspace: "acme", Channel: "c", Customer: "15551", DefaultStatus: "OPEN", DefaultCategory: "open", ClosedStatus: "CLOSED", Blocked: true,
		Message: "m", ProviderID: "wamid", Content: chat.Content{Kind: "text", Text: "hi"}, At: at(2),
	}
	received := chat.MessageReceived{Message: "m", ProviderID: "wamid", Content: receive.Content, Blocked: true, At: at(2)}
	nowhere := receive
	nowhere.ClosedStatus = ""
	closed := chat.Closed{Status: "CLOSED", Category: "closed", From: "OPEN"}
	scheduled := chat.MessageScheduled{Message: "s", Outgoing: chat.Outgoing{Text: "soon"}, SendAt: at(9), By: "ann", At: at(3)}
	domaintest.Run(t, chat.Evolve, []domaintest.Case[chat.State, chat.Event]{
		{Name: "a new chat is closed", When: receive, Then: past{opened, received, closed}, Anew: true},
		{Name: "but not without a status", When: nowhere, Err: chat.ErrStatusMissing},
		{Name: "an open chat", Given: past{opened}, When: receive, Then: past{received}, Anew: true},
		{Name: "a closed chat", Given: past{opened, closed}, When: receive, Then: past{received}, Anew: true},
		{Name: "a deleted chat", Given: past{opened, chat.Deleted{By: "ann"}}, When: receive, Then: past{received}, Anew: true},
		{Name: "a snoozed chat", Given: past{opened, chat.Snoozed{By: "ann", At: at(3)}}, When: receive, Then: past{received}, Anew: true},
		{Name: "send", Given: past{opened}, When: chat.SendMessage{Message: "o", Outgoing: chat.Outgoing{Text: "hi"}, By: "ann", Blocked: true, At: at(3)}, Err: chat.ErrBlocked},
		{Name: "send what is due", Given: past{opened, scheduled}, When: chat.SendDue{Message: "s", Blocked: true, At: at(9)}, Then: past{
			chat.ScheduleFailed{Message: "s", Code: chat.ErrBlocked.Code, Reason: chat.ErrBlocked.Msg, At: at(9)},
		}},
		{Name: "react", Given: past{opened}, When: chat.React{ID: "r", Message: "m", Target: "wamid", Emoji: "👍", By: "ann", Blocked: true, At: at(3)}, Err: chat.ErrBlocked},
		{Name: "show that it was read", Given: past{opened, received}, When: chat.MarkRead{By: "ann", Show: true, Blocked: true, At: at(3)}, Err: chat.ErrBlocked},
		{Name: "mark as read", Given: past{opened, received}, When: chat.MarkRead{By: "ann", Blocked: true, At: at(3)}},
		{Name: "call", Given: past{opened}, When: chat.RequestCall{Call: "k", Provider: "webhook", By: "ann", Blocked: true, At: at(3)}, Err: chat.ErrBlocked},
	})
	s := chat.State{}
	for _, e := range (past{opened, received}) {
		s = chat.Evolve(s, e)
	}
	if s.Unread != 0 || !s.LastReceived.Equal(at(2)) {
		t.Errorf("unread %d, last received %s", s.Unread, s.LastReceived)
	}
}
