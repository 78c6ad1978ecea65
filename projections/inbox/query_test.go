package inbox_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{inbox.New, directory.New}, test)
}

// model is what the list should hold, kept in the simplest way.
type model map[string]*inbox.Chat

func (m model) list(q inbox.Query) (ids []string) {
	var chats []*inbox.Chat
	for _, c := range m {
		if (q.Status == "" || c.Status == q.Status) && (q.Category == "" || c.Category == q.Category) &&
			(q.Assignee == nil || c.Assignee == *q.Assignee) && (q.Team == "" || c.Team == q.Team) &&
			(q.Tag == "" || slices.Contains(c.Tags, q.Tag)) && (q.Channel == "" || c.Channel == q.Channel) &&
			(q.Unread == nil || (c.Unread > 0) == *q.Unread) && (q.Snoozed == nil || c.Snoozed == *q.Snoozed) && c.Workspace == q.Workspace {
			chats = append(chats, c)
		}
	}
	slices.SortFunc(chats, func(a, b *inbox.Chat) int {
		id := cmp.Compare(a.ID, b.ID)
		switch {
		case q.Sort == inbox.ByCreated:
			return -cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), id)
		case q.Sort == inbox.ByWaiting && a.WaitingSince > 0 && b.WaitingSince > 0:
			return cmp.Or(cmp.Compare(a.WaitingSince, b.WaitingSince), id)
		case q.Sort == inbox.ByWaiting && a.WaitingSince+b.WaitingSince > 0:
			return -cmp.Compare(a.WaitingSince, b.WaitingSince)
		case q.Sort == inbox.ByWaiting:
			return cmp.Or(-cmp.Compare(a.LastActivityAt, b.LastActivityAt), id)
		}
		return -cmp.Or(cmp.Compare(a.LastActivityAt, b.LastActivityAt), id)
	})
	for _, c := range chats {
		ids = append(ids, c.ID)
	}
	return ids
}

// populate records chats of two workspaces in all sorts of states.
func populate(t *testing.T, l *viewstest.Ledger, r *rand.Rand, n int) model {
	m := model{}
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	for i := range n {
		c := &inbox.Chat{
			ID: fmt.Sprintf("c%03d", i), Workspace: pick("acme", "acme", "acme", "other"), Channel: pick("ch1", "ch2"),
			Status: "OPEN", Category: "open",
		}
		at := r.IntN(40) // so that some are equal
		c.CreatedAt, c.LastActivityAt = us(at), us(at)
		facts := []codec.Event{
			chat.Opened{Workspace: c.Workspace, Channel: c.Channel, Customer: fmt.Sprint(1555_000 + i), Status: "OPEN", Category: "open", At: sec(at)},
		}
		if r.IntN(10) > 0 {
			facts = append(facts, text(at, fmt.Sprint(i)))
			c.Unread, c.WaitingSince = 1, us(at)
		}
		if r.IntN(3) == 0 {
			at += 1 + r.IntN(5)
			facts = append(facts, answer(at, fmt.Sprint("a", i)))
			c.LastActivityAt, c.WaitingSince = us(at), 0
		}
		if r.IntN(2) == 0 {
			facts = append(facts, chat.MarkedRead{By: "ann"})
			c.Unread = 0
		}
		if r.IntN(3) == 0 {
			c.Team = pick("sales", "help")
			facts = append(facts, chat.Transferred{Kind: chat.ToTeam, To: c.Team})
		}
		if r.IntN(2) == 0 {
			c.Assignee = pick("ann", "bob")
			facts = append(facts, chat.Claimed{By: chat.AgentID(c.Assignee)})
		}
		for _, tag := range []string{"late", "vip"} {
			if r.IntN(2) == 0 {
				c.Tags = append(c.Tags, tag)
				facts = append(facts, chat.TagsChanged{Added: []chat.TagID{chat.TagID(tag)}})
			}
		}
		if r.IntN(4) == 0 {
			c.Snoozed = true
			facts = append(facts, chat.Snoozed{By: "ann"})
		}
		switch r.IntN(4) {
		case 0:
			c.Status, c.Category = "REVIEW", "pending"
			facts = append(facts, chat.StatusSet{Status: "REVIEW", Category: chat.CategoryPending})
		case 1:
			c.Status, c.Category, c.Snoozed = "CLOSED", "closed", false
			facts = append(facts, chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed})
		}
		if r.IntN(10) == 0 {
			facts = append(facts, chat.Deleted{By: "ann"})
		} else {
			m[c.ID] = c
		}
		l.RecordIn(t, c.Workspace, "chat-"+c.ID, facts...)
	}
	return m
}

// walk returns the ids on all pages of a list.
func walk(t *testing.T, tx sqldb.Tx, q inbox.Query) (ids []string) {
	for {
		page, err := inbox.List(t.Context(), tx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Chats {
			ids = append(ids, c.ID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return ids
		}
		if len(page.Chats) != q.Limit {
			t.Errorf("a page of %d chats that is not the last, want %d", len(page.Chats), q.Limit)
		}
	}
}

func TestListAndCounts(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		r := rand.New(rand.NewPCG(1, 2))
		m := populate(t, l, r, 150)
		pick := func(values ...string) string { return values[r.IntN(len(values))] }
		l.Read(t, func(tx sqldb.Tx) {
			for range 400 {
				q := inbox.Query{
					Workspace: pick("acme", "acme", "other", "nobody's"), Status: pick("", "", "OPEN", "REVIEW", "CLOSED"), Category: pick("", "", "", "open", "closed"),
					Team: pick("", "", "", "sales"), Tag: pick("", "", "vip", "late", "none"), Channel: pick("", "", "ch1"),
					Sort: inbox.Sort(pick("", "last_activity", "created", "waiting")), Limit: 1 + r.IntN(30),
				}
				if r.IntN(2) == 0 {
					a := pick("", "ann", "bob")
					q.Assignee = &a
				}
				if r.IntN(3) == 0 {
					u := r.IntN(2) == 0
					q.Unread = &u
				}
				if r.IntN(2) == 0 {
					z := r.IntN(2) == 0
					q.Snoozed = &z
				}
				if diff := gocmp.Diff(m.list(q), walk(t, tx, q)); diff != "" {
					t.Fatalf("list %+v (-want +got):\n%s", q, diff)
				}
			}
			for _, ws := range []string{"acme", "other", "nobody's"} {
				checkCounts(t, tx, ws, "ann")
			}
		})
		l.Verify(t)
	})
}

// Each count is what the list has with the one filter.
func checkCounts(t *testing.T, tx sqldb.Tx, workspace, agent string) {
	t.Helper()
	got, err := inbox.Counts(t.Context(), tx, workspace, agent)
	if err != nil {
		t.Fatal(err)
	}
	nobody, unread, snoozed, awake := "", true, true, false
	n := func(q inbox.Query) int64 {
		q.Workspace, q.Limit = workspace, 200
		return int64(len(walk(t, tx, q)))
	}
	tally := func(set func(*inbox.Query)) (out inbox.Tally) {
		for field, q := range map[*int64]inbox.Query{
			&out.All: {}, &out.Mine: {Assignee: &agent}, &out.Unassigned: {Assignee: &nobody}, &out.Unread: {Unread: &unread},
		} {
			set(&q)
			*field = n(q)
		}
		return out
	}
	want := inbox.Numbers{
		Tally: tally(func(q *inbox.Query) { q.Snoozed = &awake }), Snoozed: tally(func(q *inbox.Query) { q.Snoozed = &snoozed }),
		Statuses: map[string]int64{}, Shown: map[string]int64{},
	}
	for _, s := range []string{"OPEN", "REVIEW", "CLOSED"} {
		if k := n(inbox.Query{Status: s, Snoozed: &awake}); k > 0 {
			want.Statuses[s] = k
		}
		if k := n(inbox.Query{Status: s}); k > 0 {
			want.Shown[s] = k
		}
	}
	for _, category := range []string{"open", "pending"} {
		part := tally(func(q *inbox.Query) { q.Category, q.Snoozed = category, &awake })
		want.Open.All += part.All
		want.Open.Mine += part.Mine
		want.Open.Unassigned += part.Unassigned
		want.Open.Unread += part.Unread
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("counts of %s (-lists +counts):\n%s", workspace, diff)
	}
}

// While somebody pages, chats get messages and answers: nobody is shown twice,
// and whoever is left alone is shown.
func TestPagesWhileRowsChange(t *testing.T) {
	for _, sort := range []inbox.Sort{inbox.ByActivity, inbox.ByCreated, inbox.ByWaiting} {
		t.Run(string(sort), func(t *testing.T) {
			onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
				r := rand.New(rand.NewPCG(3, 4))
				m := populate(t, l, r, 80)
				q := inbox.Query{Workspace: "acme", Sort: sort, Limit: 7}
				touched, shown := map[string]bool{}, map[string]int{}
				all := m.list(q)
				for second := 1000; ; {
					var page inbox.Page
					l.Read(t, func(tx sqldb.Tx) {
						var err error
						if page, err = inbox.List(t.Context(), tx, q); err != nil {
							t.Fatal(err)
						}
					})
					for _, c := range page.Chats {
						shown[c.ID]++
					}
					if q.Cursor = page.Next; q.Cursor == "" {
						break
					}
					for range 4 {
						second++
						id := all[r.IntN(len(all))]
						touched[id] = true
						var what codec.Event = text(second, fmt.Sprint("x", second))
						if r.IntN(2) == 0 {
							what = answer(second, fmt.Sprint("y", second))
						}
						l.Record(t, "chat-"+id, what)
					}
				}
				for _, id := range all {
					if n := shown[id]; n > 1 || n == 0 && !touched[id] {
						t.Errorf("chat %s, touched %v, is shown %d times", id, touched[id], n)
					}
				}
			})
		})
	}
}

func TestGet(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opened(10), text(10, "hi"), chat.TagsChanged{Added: []chat.TagID{"vip"}})
		l.Record(t, "chat-2", opened(10), text(10, "ho"), chat.Deleted{By: "ann"})
		l.Read(t, func(tx sqldb.Tx) {
			got, err := inbox.Get(t.Context(), tx, "acme", "1")
			want := inbox.Chat{
				ID: "1", Workspace: "acme", Channel: "ch", Customer: "15551230001", Name: "Ana", Phone: "+15551230001",
				Status: "OPEN", Category: "open", Tags: []string{"vip"}, Unread: 1,
				LastAt: us(10), LastBy: "customer", LastKind: "text", LastPreview: "hi",
				WaitingSince: us(10), CreatedAt: us(10), LastActivityAt: us(10), Revision: 2,
			}
			if diff := gocmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, chat (-want +got):\n%s", err, diff)
			}
			for _, at := range [][2]string{{"acme", "2"}, {"other", "1"}, {"acme", "3"}, {"", "2"}, {"acme", "\x00"}} {
				if c, err := inbox.Get(t.Context(), tx, at[0], at[1]); !errors.Is(err, inbox.ErrNotFound) {
					t.Errorf("get %q: %+v, %v; want %v", at, c, err, inbox.ErrNotFound)
				}
			}
			// The empty workspace is nobody's, though deleted chats are filed under it.
			if ids := walk(t, tx, inbox.Query{Workspace: ""}); len(ids) > 0 {
				t.Errorf("the list of no workspace: %q", ids)
			}
		})
	})
}

func TestBadQueries(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		for i := range 3 {
			l.Record(t, fmt.Sprintf("chat-%d", i), opened(10), text(10, "hi"))
		}
		l.Read(t, func(tx sqldb.Tx) {
			page, err := inbox.List(context.Background(), tx, inbox.Query{Workspace: "acme", Limit: 1})
			if err != nil || page.Next == "" {
				t.Fatalf("page %+v, %v", page, err)
			}
			nul := "\x00"
			for name, tt := range map[string]struct {
				query inbox.Query
				field string
			}{
				"a cursor of another order": {inbox.Query{Sort: inbox.ByCreated, Cursor: page.Next}, "cursor"},
				"a damaged cursor":          {inbox.Query{Cursor: page.Next[:len(page.Next)-2]}, "cursor"},
				"a cursor of another list":  {inbox.Query{Cursor: cursor.Encode("orders", 1)}, "cursor"},
				"nonsense":                  {inbox.Query{Cursor: "nonsense"}, "cursor"},
				"too much":                  {inbox.Query{Limit: 201}, "limit"},
				"less than nothing":         {inbox.Query{Limit: -1}, "limit"},
				"an unknown order":          {inbox.Query{Sort: "size"}, "sort"},
				"NUL":                       {inbox.Query{Status: nul}, "filter"},
				"NUL as assignee":           {inbox.Query{Assignee: &nul}, "filter"},
			} {
				tt.query.Workspace = "acme"
				_, err := inbox.List(t.Context(), tx, tt.query)
				var f *fault.Error
				if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field {
					t.Errorf("%s: %v, want one that names %s", name, err, tt.field)
				}
			}
		})
	})
}
