package history_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/history"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestList(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{history.New}, func(t *testing.T, l *viewstest.Ledger) {
		for i := range 10 {
			l.Record(t, "chat-1", chat.TagsChanged{Added: []chat.TagID{chat.TagID(fmt.Sprint("t<", i))}})
			l.Record(t, "chat-2", chat.Claimed{By: "bob"})
		}
		walk := func(tx sqldb.Tx, q history.Query) (out []history.Fact) {
			for {
				page, err := history.List(t.Context(), tx, q)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, page.Facts...)
				if q.Cursor = page.Next; q.Cursor == "" {
					return out
				}
			}
		}
		l.Read(t, func(tx sqldb.Tx) {
			for _, limit := range []int{1, 3, 10, 50} {
				facts := walk(tx, history.Query{Workspace: "acme", Chat: "1", Limit: limit})
				if len(facts) != 10 {
					t.Fatalf("limit %d: %d facts, want 10", limit, len(facts))
				}
				for i, f := range facts {
					want := fmt.Sprintf(`{"added":["t<%d"]}`, i)
					if f.Revision != int64(i) || f.Position != int64(2*i+1) || string(f.JSON()) != want || f.Actor != "ann" {
						t.Errorf("fact %d: %+v, want %s", i, f, want)
					}
				}
			}
			after := int64(6)
			if facts := walk(tx, history.Query{Workspace: "acme", Chat: "1", After: &after, Limit: 2}); len(facts) != 3 || facts[0].Revision != 7 {
				t.Errorf("after revision 6: %+v", facts)
			}
			for _, q := range []history.Query{{Workspace: "other", Chat: "1"}, {Workspace: "acme", Chat: "3"}, {Workspace: "acme", Chat: "\x00"}} {
				if facts := walk(tx, q); len(facts) > 0 {
					t.Errorf("%+v: %+v", q, facts)
				}
			}
			_, err := history.List(t.Context(), tx, history.Query{Workspace: "acme", Chat: "1", Cursor: cursor.Encode("orders", 3)})
			if !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a cursor of another list: %v", err)
			}
		})
		l.Verify(t)
	})
}
