package usage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/usage"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{inbox.New, orders.New, contacts.New, directory.New, usage.New}, test)
}

func TestTagsAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		at := time.Unix(1, 0).UTC()
		open := chat.Opened{Workspace: "acme", Channel: "ch", Customer: "1", Status: "OPEN", Category: "open", At: at}
		placed := order.Placed{Workspace: "acme", Source: "api", Currency: "EUR", At: at}
		l.Record(t, "chat-1", open, chat.TagsChanged{Added: []chat.TagID{"vip", "old"}})
		l.Record(t, "chat-2", open, chat.TagsChanged{Added: []chat.TagID{"vip", "new"}}, chat.TagsChanged{Removed: []chat.TagID{"new"}})
		l.Record(t, "chat-3", open, chat.TagsChanged{Added: []chat.TagID{"vip", "gone"}}, chat.Deleted{By: "sue"})
		l.Record(t, "chat-4", open, chat.Deleted{By: "sue"}, chat.TagsChanged{Added: []chat.TagID{"late"}}, chat.Restored{By: "sue"})
		l.Record(t, "order-1", placed, order.TagsChanged{Added: []string{"vip"}})
		l.Record(t, "order-2", placed, order.TagsChanged{Added: []string{"old"}})
		check := func(want map[string]usage.Uses) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				aliases, err := directory.ReadAliases(t.Context(), tx, "acme")
				if err != nil {
					t.Fatal(err)
				}
				got, err := usage.Tags(t.Context(), tx, "acme", aliases)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		}
		check(map[string]usage.Uses{"vip": {Chats: 2, Orders: 1}, "old": {Chats: 1, Orders: 1}, "late": {Chats: 1}})
		l.Record(t, "tags-acme", tag.Merged{Tag: "old", Into: "vip"})
		check(map[string]usage.Uses{"vip": {Chats: 2, Orders: 2}, "late": {Chats: 1}})
		l.Verify(t)
	})
}

// Contacts count as they are shown: one that was merged into another as a part of it,
// one that is deleted or none yet not at all.
func TestContactsAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		at := time.Unix(1, 0).UTC()
		added := contact.Added{Workspace: "acme", Source: contact.Source{Reason: contact.ByImport, By: "ann"}, Status: "OPEN", Category: "open", At: at}
		tagged := func(ids ...contact.TagID) contact.TagsChanged { return contact.TagsChanged{Added: ids} }
		check := func(tags map[string]usage.Uses, statuses map[string]int64) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				aliases, err := directory.ReadAliases(t.Context(), tx, "acme")
				if err != nil {
					t.Fatal(err)
				}
				got, err := usage.Tags(t.Context(), tx, "acme", aliases)
				if diff := cmp.Diff(tags, got); err != nil || diff != "" {
					t.Errorf("tags: %v (-want +got):\n%s", err, diff)
				}
				shown, err := usage.Statuses(t.Context(), tx, "acme", aliases)
				if diff := cmp.Diff(statuses, shown); err != nil || diff != "" {
					t.Errorf("statuses: %v (-want +got):\n%s", err, diff)
				}
			})
		}
		l.Record(t, "contact-a", added, tagged("vip"), contact.StatusSet{Status: "REVIEW", Category: "pending", From: "OPEN"})
		l.Record(t, "contact-b", added, tagged("vip", "late"))
		l.Record(t, "contact-c", added, tagged("vip"), contact.Deleted{By: "sue"})
		l.Record(t, "contact-d", contact.Answered{Workspace: "acme", Flow: "f", Question: "q", Value: "v", At: at})
		check(map[string]usage.Uses{"vip": {Contacts: 2}, "late": {Contacts: 1}}, map[string]int64{"OPEN": 1, "REVIEW": 1})
		l.Record(t, "contact-c", contact.Restored{By: "sue"})
		l.Record(t, "contact-a", contact.Absorbed{Contact: "b", By: "ann", At: at})
		l.Record(t, "contact-b", contact.Merged{Into: "a", By: "ann", At: at})
		check(map[string]usage.Uses{"vip": {Contacts: 2}, "late": {Contacts: 1}}, map[string]int64{"OPEN": 1, "REVIEW": 1})
		l.Record(t, "contact-b", contact.TagsChanged{Removed: []contact.TagID{"late"}})
		l.Record(t, "contact-a", contact.Deleted{By: "sue"})
		check(map[string]usage.Uses{"vip": {Contacts: 1}}, map[string]int64{"OPEN": 1})
		l.Record(t, "contact-b", contact.Unmerged{From: "a", By: "ann", At: at})
		l.Record(t, "statuses-acme", status.Created{Status: "OPEN", Name: "Open"}, status.Created{Status: "NEW", Name: "New"}, status.Remapped{Status: "OPEN", To: "NEW"})
		check(map[string]usage.Uses{"vip": {Contacts: 2}}, map[string]int64{"NEW": 2})
		l.Record(t, "tags-acme", tag.Merged{Tag: "vip", Into: "late"})
		check(map[string]usage.Uses{"late": {Contacts: 2}}, map[string]int64{"NEW": 2})
		l.Verify(t)
	})
}
