package orders_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/views/viewstest"
	"github.com/chatledger/chatledger/projections/visitor"
)

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{orders.New, visitor.New, directory.New}, test)
}

func TestOrdersAreShownWithTheirVisitors(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-c", chat.Opened{Workspace: "acme", Channel: "ch", Customer: "1555", At: sec(1)},
			chat.DetailsShared{Reason: chat.ByForm, Name: "Camille", Emails: []string{"c@x"}, At: sec(2)})
		l.Record(t, "order-1", placed(), order.Confirmed{}, order.NoteAdded{Note: "b", Text: "first", By: "ann", At: sec(1)}, order.NoteAdded{Note: "a", Text: "second", By: "ann", At: sec(1)})
		alone := placed()
		alone.Chat, alone.Source = "", "api"
		l.Record(t, "order-2", alone)
		l.Read(t, func(tx sqldb.Tx) {
			o, err := orders.Get(t.Context(), tx, "acme", "1")
			if err != nil || o.VisitorName != "Camille" || o.VisitorEmail != "c@x" || o.VisitorPhone != "+1555" || o.Status != "confirmed" || o.Revision != 3 {
				t.Errorf("order %+v, %v", o, err)
			}
			if diff := cmp.Diff([]orders.Line{{Product: "a", Quantity: 2, UnitPrice: 1999, Total: 3998}, {Product: "b", Name: "B", Quantity: 3, UnitPrice: 750, Total: 2250}}, o.Lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if notes, err := orders.Notes(t.Context(), tx, "1"); err != nil || len(notes) != 2 || notes[0].Text != "first" || notes[1].Text != "second" {
				t.Errorf("notes %+v, %v", notes, err)
			}
			if notes, err := orders.NotesOf(t.Context(), tx, []string{"1", "2"}); err != nil || len(notes) != 1 || len(notes["1"]) != 2 || notes["1"][0].Text != "first" {
				t.Errorf("notes of both %+v, %v", notes, err)
			}
			if o, err = orders.Get(t.Context(), tx, "acme", "2"); err != nil || o.VisitorName != "" || o.Total != 6248 {
				t.Errorf("an order without a chat: %+v, %v", o, err)
			}
			for _, at := range [][2]string{{"other", "1"}, {"acme", "3"}, {"acme", "\x00"}} {
				if _, err := orders.Get(t.Context(), tx, at[0], at[1]); !errors.Is(err, orders.ErrNotFound) {
					t.Errorf("get %q: %v, want %v", at, err, orders.ErrNotFound)
				}
			}
		})
		l.Verify(t)
	})
}

func reversed(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return ids
}

func TestList(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		var want, confirmed, ofD, late, vip, paid, bobs []string
		for i := 29; i >= 0; i-- {
			p := placed()
			p.At = sec(i / 3) // some at the same time
			id := fmt.Sprintf("o%02d", i)
			facts := []codec.Event{p}
			want = append(want, id)
			if i%5 == 0 {
				p.Chat = "d"
				facts = []codec.Event{p, order.Confirmed{}}
				confirmed, ofD = append(confirmed, id), append(ofD, id)
			}
			if i%4 == 0 {
				facts = append(facts, order.TagsChanged{Added: []string{"vip"}}, order.PaymentSet{Payment: order.Paid, From: order.Unpaid})
				vip, paid = append(vip, id), append(paid, id)
			}
			if i%3 == 0 {
				facts = append(facts, order.TagsChanged{Added: []string{"old", "older"}}, order.Assigned{To: "bob"})
				bobs = append(bobs, id)
			}
			if i%3 == 0 {
				late = append(late, id)
			}
			l.Record(t, "order-"+id, facts...)
		}
		l.Record(t, "tags-acme", tag.Merged{Tag: "old", Into: "older"}, tag.Merged{Tag: "older", Into: "top"})
		other := placed()
		other.Workspace = "other"
		l.RecordIn(t, "other", "order-else", other)
		l.Read(t, func(tx sqldb.Tx) {
			for _, limit := range []int{1, 4, 30, 100} {
				for _, tt := range []struct {
					query orders.Query
					want  []string
				}{
					{orders.Query{}, want},
					{orders.Query{Status: "confirmed"}, confirmed},
					{orders.Query{Chat: "d"}, ofD},
					{orders.Query{Chat: "d", Status: "placed"}, nil},
					{orders.Query{Tag: "vip"}, vip},
					{orders.Query{Tag: "vip", Payment: "unpaid"}, nil},
					{orders.Query{Tag: "top"}, late},
					{orders.Query{Tag: "old"}, late},
					{orders.Query{Tag: "none"}, nil},
					{orders.Query{Payment: "paid"}, paid},
					{orders.Query{Assignee: "bob"}, bobs},
					{orders.Query{Sort: orders.ByOldest}, reversed(want)},
					{orders.Query{Sort: orders.ByOldest, Status: "confirmed"}, reversed(confirmed)},
					{orders.Query{Sort: orders.ByOldest, Tag: "vip"}, reversed(vip)},
					{orders.Query{Sort: orders.ByOldest, Tag: "top"}, reversed(late)},
					{orders.Query{Sort: orders.ByPlaced, Chat: "d"}, ofD},
				} {
					q := tt.query
					q.Workspace, q.Limit = "acme", limit
					var got []string
					for {
						page, err := orders.List(t.Context(), tx, q)
						if err != nil {
							t.Fatal(err)
						}
						for _, o := range page.Orders {
							got = append(got, o.ID)
						}
						if q.Cursor = page.Next; q.Cursor == "" {
							break
						}
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("%+v (-want +got):\n%s", tt.query, diff)
					}
					if tt.query != (orders.Query{Sort: tt.query.Sort}) {
						continue
					}
					got = nil
					for s := (orders.Search{Workspace: "acme", Sort: tt.query.Sort, Limit: min(limit, cursor.MaxLimit)}); ; {
						page, err := orders.Find(t.Context(), tx, s)
						if err != nil {
							t.Fatal(err)
						}
						for _, o := range page.Orders {
							got = append(got, o.ID)
						}
						if s.Cursor = page.Next; s.Cursor == "" {
							break
						}
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("found by %q (-want +got):\n%s", tt.query.Sort, diff)
					}
				}
			}
			if _, err := orders.List(t.Context(), tx, orders.Query{Cursor: cursor.Encode("history", 3)}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a cursor of another list: %v", err)
			}
			if _, err := orders.List(t.Context(), tx, orders.Query{Sort: "size"}); !errors.Is(err, orders.ErrSort) {
				t.Errorf("an order that there is not: %v", err)
			}
			first, err := orders.List(t.Context(), tx, orders.Query{Workspace: "acme", Limit: 1})
			if _, again := orders.List(t.Context(), tx, orders.Query{Workspace: "acme", Sort: orders.ByOldest, Cursor: first.Next}); err != nil || !errors.Is(again, cursor.ErrInvalid) {
				t.Errorf("a cursor of another order: %v, %v", err, again)
			}
			if _, err := orders.List(t.Context(), tx, orders.Query{Limit: 300}); !errors.Is(err, cursor.ErrLimit) {
				t.Errorf("too much: %v", err)
			}
		})
	})
}

func TestTotals(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		place := func(id, chat, currency string, total int64, at int, then ...codec.Event) {
			p := placed()
			p.Chat, p.Currency, p.Total, p.At = chat, currency, total, sec(at)
			l.Record(t, "order-"+id, append([]codec.Event{p}, then...)...)
		}
		place("1", "c", "EUR", 6248, 10)
		place("2", "c", "EUR", 1_999_999, 30)
		place("3", "c", "EUR", 500, 20, order.Cancelled{})
		place("4", "c", "JPY", 1200, 15)
		place("5", "d", "EUR", 7, 15)
		l.Record(t, "order-6", order.Refused{Workspace: "acme", Chat: "c", At: sec(99)})
		place("7", "huge", "EUR", math.MaxInt64, 1)
		place("8", "huge", "EUR", math.MaxInt64, 2)
		l.Read(t, func(tx sqldb.Tx) {
			for chatID, want := range map[string][]orders.Totals{
				"c": {
					{Currency: "EUR", Orders: 3, Total: 2_006_247, LastAt: us(30)},
					{Currency: "JPY", Orders: 1, Total: 1200, LastAt: us(15)},
				},
				"d":      {{Currency: "EUR", Orders: 1, Total: 7, LastAt: us(15)}},
				"huge":   {{Currency: "EUR", Orders: 2, Total: math.MaxInt64, LastAt: us(2)}},
				"nobody": {},
			} {
				got, err := orders.TotalsByChats(t.Context(), tx, "acme", chatID)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s: %v (-want +got):\n%s", chatID, err, diff)
				}
			}
			if got, err := orders.TotalsByChats(t.Context(), tx, "other", "c"); err != nil || len(got) > 0 {
				t.Errorf("of another workspace: %+v, %v", got, err)
			}
		})
	})
}
