package chat_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

func TestFollowContact(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	opened := chat.Opened{Workspace: "acme", Channel: "c", Customer: "15551230001", Status: "OPEN", Category: "open", At: at(1)}
	shared := chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana", Emails: []string{"Ana@example.com"}, Phones: []string{"+1 555 123-0001"}, At: at(5)}
	told := chat.ShareDetails{
		Reason: chat.ByAgent, Name: "Ana Lima", Emails: []string{"ana@example.com"}, Phones: []string{"+15551230001"}, City: "Lisbon", By: "ann", At: at(9),
	}
	with := func(change func(*chat.ShareDetails)) chat.FollowContact {
		d := told
		change(&d)
		return chat.FollowContact{ShareDetails: d}
	}
	withOnly := func(value string) chat.FollowContact {
		c := with(func(d *chat.ShareDetails) {
			d.Name, d.Emails, d.City, d.Emptied = "Ana", nil, "", []string{"name", "emails", "phones", "city"}
		})
		c.Only = []string{value}
		return c
	}
	news := chat.DetailsShared{Reason: chat.ByAgent, Name: "Ana Lima", City: "Lisbon", By: "ann", At: at(9)}
	gone := chat.DetailsShared{Reason: chat.ByAgent, By: "ann", Emptied: []string{"emails"}, At: at(9)}
	var many []string // of contacts that were merged
	for i := range 110 {
		many = append(many, fmt.Sprintf("+1555000%04d", i))
	}
	domaintest.Run(t, chat.Evolve, []domaintest.Case[chat.State, chat.Event]{
		{
			Name: "more than a chat takes", Given: past{opened}, When: with(func(d *chat.ShareDetails) { d.Emails, d.Phones = many, many }),
			Then: past{chat.DetailsShared{Reason: chat.ByAgent, Name: "Ana Lima", Emails: many[:100], Phones: many[:100], City: "Lisbon", By: "ann", At: at(9)}},
		},
		{
			Name: "more than a chat takes, and no name", Given: past{opened},
			When: with(func(d *chat.ShareDetails) {
				d.Name, d.Emails, d.Phones = "", nil, append([]string{"+15551230001"}, many...)
			}),
			Then: past{chat.DetailsShared{Reason: chat.ByAgent, Phones: append([]string{"+15551230001"}, many[:99]...), City: "Lisbon", By: "ann", At: at(9)}},
		},
		{Name: "what is new", Given: past{opened, shared}, When: with(func(*chat.ShareDetails) {}), Then: past{news}},
		{Name: "told again", Given: past{opened, shared, news}, When: with(func(d *chat.ShareDetails) { d.At = at(12) })},
		{Name: "a city alone", Given: past{opened, shared}, When: with(func(d *chat.ShareDetails) { d.Name = "Ana" }), Then: past{
			chat.DetailsShared{Reason: chat.ByAgent, Name: "Ana", City: "Lisbon", By: "ann", At: at(9)},
		}},
		{Name: "older than what is known", Given: past{opened, shared}, When: with(func(d *chat.ShareDetails) { d.At, d.City = at(4), "" })},
		{Name: "another number", Given: past{opened, shared}, When: with(func(d *chat.ShareDetails) { d.Phones, d.Name, d.City = []string{"+15559999999"}, "", "" }), Then: past{
			chat.DetailsShared{Reason: chat.ByAgent, Phones: []string{"+15559999999"}, By: "ann", At: at(9)},
		}},
		{
			Name: "a visitor becomes a contact by a number alone", Given: past{opened},
			When: with(func(d *chat.ShareDetails) { d.Name, d.Emails, d.City, d.Reason = "", nil, "", chat.ByImport }),
			Then: past{chat.DetailsShared{Reason: chat.ByImport, Phones: []string{"+15551230001"}, By: "ann", At: at(9)}},
		},
		{
			Name: "what the contact has no more", Given: past{opened, shared},
			When: with(func(d *chat.ShareDetails) {
				d.Name, d.Emails, d.City, d.Emptied = "Ana", nil, "", []string{"emails", "city", "nothing"}
			}),
			Then: past{gone},
		},
		{
			Name: "it has one again from another of its parts", Given: past{opened, shared},
			When: with(func(d *chat.ShareDetails) { d.Name, d.City, d.Emptied = "Ana", "", []string{"emails"} }),
		},
		{
			Name: "what is another's alone", Given: past{opened, shared},
			When: withOnly("Ana@example.com"), Then: past{chat.DetailsShared{Reason: chat.ByAgent, By: "ann", Emptied: []string{"emails"}, At: at(9)}},
		},
		{Name: "what another does not have", Given: past{opened, shared}, When: withOnly("ben@example.com")},
		{
			Name: "it was given later than taken away", Given: past{opened, shared},
			When: with(func(d *chat.ShareDetails) {
				d.Name, d.Emails, d.City, d.At, d.Emptied = "Ana", nil, "", at(4), []string{"emails"}
			}),
		},
		{
			Name: "taken away, and told late", Given: past{opened, shared, gone},
			When: with(func(d *chat.ShareDetails) { d.Name, d.City, d.At = "Ana", "", at(8) }),
		},
		{
			Name: "taken away, then given again", Given: past{opened, shared, gone},
			When: with(func(d *chat.ShareDetails) { d.Name, d.City, d.At = "Ana", "", at(12) }),
			Then: past{chat.DetailsShared{Reason: chat.ByAgent, Emails: told.Emails, By: "ann", At: at(12)}},
		},
		{Name: "a contact of whom nothing is known", Given: past{opened}, When: chat.FollowContact{ShareDetails: chat.ShareDetails{Reason: chat.ByChatflow, At: at(9)}}},
		{Name: "a hidden chat", Given: past{opened, chat.Deleted{By: "ann"}}, When: with(func(*chat.ShareDetails) {})},
		{Name: "no chat", When: with(func(*chat.ShareDetails) {})},
	})
}
