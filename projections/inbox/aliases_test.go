package inbox_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

// What was merged or remapped is found and shown as what stands for it, page by
// page, also where it happens between two pages.
func TestMergedTagsAndRemappedStatuses(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		const n = 30
		var vip, held []string
		for i := n - 1; i >= 0; i-- {
			id := fmt.Sprintf("c%02d", i)
			facts := []codec.Event{chat.Opened{Workspace: "acme", Channel: "ch", Customer: id, Status: "OPEN", Category: "open", At: time.Unix(int64(i+1), 0).UTC()}}
			switch i % 3 {
			case 0:
				facts = append(facts, chat.TagsChanged{Added: []chat.TagID{"vip"}}, chat.StatusSet{Status: "ONHOLD", Category: "pending", From: "OPEN"})
				vip, held = append(vip, id), append(held, id)
			case 1:
				facts = append(facts, chat.TagsChanged{Added: []chat.TagID{"gold", "vip"}}, chat.StatusSet{Status: "REVIEW", Category: "pending", From: "OPEN"})
				vip, held = append(vip, id), append(held, id)
			}
			l.Record(t, "chat-"+id, facts...)
		}
		created := status.Created{Category: status.Pending}
		review, hold := created, created
		review.Status, review.Name, hold.Status, hold.Name = "REVIEW", "Review", "ONHOLD", "On hold"
		l.Record(t, "tags-acme", tag.Created{Tag: "vip", Name: "VIP"}, tag.Created{Tag: "gold", Name: "Gold"})
		l.Record(t, "statuses-acme", review, hold)

		var first inbox.Page
		byTag := inbox.Query{Workspace: "acme", Tag: "gold", Limit: 4}
		l.Read(t, func(tx sqldb.Tx) {
			var err error
			if first, err = inbox.List(t.Context(), tx, byTag); err != nil || first.Next == "" {
				t.Fatal(err)
			}
		})
		l.Record(t, "tags-acme", tag.Merged{Tag: "vip", Into: "gold"})
		l.Record(t, "statuses-acme", status.Remapped{Status: "ONHOLD", To: "REVIEW"})
		l.Read(t, func(tx sqldb.Tx) {
			pages := func(q inbox.Query, find bool, f string) (ids []string) {
				for {
					var page inbox.Page
					var err error
					if find {
						parsed, ferr := filter.Parse(filter.Chats, []byte(f))
						if ferr != nil {
							t.Fatal(ferr)
						}
						page, err = inbox.Find(t.Context(), tx, inbox.Search{Workspace: "acme", Filter: parsed, Scope: filtersql.Scope{}, Cursor: q.Cursor, Limit: q.Limit})
					} else {
						page, err = inbox.List(t.Context(), tx, q)
					}
					if err != nil {
						t.Fatal(err)
					}
					for _, c := range page.Chats {
						ids = append(ids, c.ID)
						if slices.Contains(c.Tags, "vip") || c.Status == "ONHOLD" || slices.Contains(c.Tags, "gold") && len(c.Tags) != 1 {
							t.Errorf("%s shows %v and %s", c.ID, c.Tags, c.Status)
						}
					}
					if q.Cursor = page.Next; q.Cursor == "" {
						return ids
					}
				}
			}
			for _, limit := range []int{1, 7, 100} {
				for name, got := range map[string][]string{
					"by the tag":        pages(inbox.Query{Workspace: "acme", Tag: "gold", Limit: limit}, false, ""),
					"by the merged tag": pages(inbox.Query{Workspace: "acme", Tag: "vip", Limit: limit}, false, ""),
					"found":             pages(inbox.Query{Limit: limit}, true, `{"field":"tag","op":"eq","value":"gold"}`),
					"found in others":   pages(inbox.Query{Limit: limit}, true, `{"not":{"not":{"field":"tag","op":"in","value":["gold","none"]}}}`),
				} {
					if diff := cmp.Diff(vip, got); diff != "" {
						t.Errorf("%s, %d at a time (-want +got):\n%s", name, limit, diff)
					}
				}
				for name, got := range map[string][]string{
					"by the status":          pages(inbox.Query{Workspace: "acme", Status: "REVIEW", Limit: limit}, false, ""),
					"by the remapped status": pages(inbox.Query{Workspace: "acme", Status: "ONHOLD", Category: "pending", Limit: limit}, false, ""),
					"found":                  pages(inbox.Query{Limit: limit}, true, `{"field":"status","op":"eq","value":"REVIEW"}`),
					"not the others":         pages(inbox.Query{Limit: limit}, true, `{"and":[{"field":"status","op":"ne","value":"OPEN"},{"field":"status","op":"exists"}]}`),
				} {
					if diff := cmp.Diff(held, got); diff != "" {
						t.Errorf("%s, %d at a time (-want +got):\n%s", name, limit, diff)
					}
				}
			}
			if got := pages(inbox.Query{Limit: 100}, true, `{"field":"status","op":"ne","value":"REVIEW"}`); len(got) != n-len(held) {
				t.Errorf("not of the status: %v", got)
			}
			rest := byTag
			rest.Cursor = first.Next
			seen := pages(rest, false, "")
			for _, c := range first.Chats {
				if slices.Contains(seen, c.ID) {
					t.Errorf("%s is shown twice", c.ID)
				}
			}
			counts, err := inbox.Counts(t.Context(), tx, "acme", "ann")
			if want := map[string]int64{"OPEN": 10, "REVIEW": 20}; err != nil || !cmp.Equal(counts.Statuses, want) {
				t.Errorf("counts %v, %v, want %v", counts.Statuses, err, want)
			}
			if c, err := inbox.Get(t.Context(), tx, "acme", "c00"); err != nil || c.Status != "REVIEW" || !slices.Equal(c.Tags, []string{"gold"}) {
				t.Errorf("chat %+v, %v", c, err)
			}
			if _, err := inbox.List(t.Context(), tx, inbox.Query{Workspace: "acme", Tag: "gold", Cursor: cursor.Encode("orders", 1)}); err == nil {
				t.Error("a cursor of another list is taken")
			}
		})
		l.Verify(t)
	})
}
