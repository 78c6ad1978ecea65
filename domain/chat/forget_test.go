package chat_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

func TestForgetContact(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	opened := chat.Opened{Workspace: "acme", Channel: "c", Customer: "15551230001", Status: "OPEN", Category: "open", At: at(1)}
	shared := chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana", Emails: []string{"ana@example.com"}, City: "Lisbon", At: at(5)}
	marked := chat.DetailsShared{Reason: chat.ByChatflow, At: at(5)}
	gone := chat.DetailsShared{Reason: chat.ByContactCard, Emptied: []string{"name", "emails", "city"}, Gone: true, At: at(9)}
	ahead := gone
	ahead.At = at(12).Add(time.Microsecond)
	forget := chat.ForgetContact{At: at(9)}
	domaintest.Run(t, chat.Evolve, []domaintest.Case[chat.State, chat.Event]{
		{Name: "what was shared", Given: past{opened, shared}, When: forget, Then: past{gone}},
		{Name: "again", Given: past{opened, shared, gone}, When: chat.ForgetContact{At: at(20)}},
		{Name: "nothing but a mark", Given: past{opened, marked}, When: forget, Then: past{chat.DetailsShared{Reason: chat.ByChatflow, Gone: true, At: at(9)}}},
		{
			Name: "told by a clock that is ahead", Given: past{opened, chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana", Emails: []string{"ana@example.com"}, City: "Lisbon", At: at(12)}},
			When: forget, Then: past{ahead},
		},
		{Name: "a visitor who is no contact", Given: past{opened}, When: forget},
		{Name: "a hidden chat", Given: past{opened, shared, chat.Deleted{By: "sue"}}, When: forget},
		{Name: "no chat", When: forget},
		{Name: "then they are marked", Given: past{opened, shared, gone}, When: chat.MarkVisitor{At: at(10)}, Then: past{chat.DetailsShared{Reason: chat.ByChatflow, At: at(10)}}},
		{
			Name: "then the contact is back", Given: past{opened, shared, gone},
			When: chat.FollowContact{ShareDetails: chat.ShareDetails{Reason: chat.ByContactCard, Name: "Ana", Emails: []string{"ana@example.com"}, City: "Lisbon", At: at(10)}},
			Then: past{chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana", Emails: []string{"ana@example.com"}, City: "Lisbon", At: at(10)}},
		},
	})
}
