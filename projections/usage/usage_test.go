package usage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/usage"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestTagsAreCounted(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	views := []func() projections.Projection{inbox.New, orders.New, directory.New, usage.New}
	viewstest.OnBoth(t, parts, views, func(t *testing.T, l *viewstest.Ledger) {
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
