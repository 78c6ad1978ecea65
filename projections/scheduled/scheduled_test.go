package scheduled_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/scheduled"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }
func us(n int) int64      { return int64(n) * 1e6 }

func set(m string, at int) chat.MessageScheduled {
	return chat.MessageScheduled{Message: chat.MessageID(m), Outgoing: chat.Outgoing{Text: "text of " + m}, By: "ann", SendAt: sec(at), At: sec(1)}
}

func TestFold(t *testing.T) {
	quick := set("quick", 60)
	quick.Outgoing.QuickReply, quick.CancelOnReply, quick.Bot = &chat.QuickReplyUse{ID: "workspace.hello", Version: 3}, true, true
	var events []projections.Event
	for _, fact := range []any{
		quick, set("moved", 70), set("late", 80), set("sent", 90), set("taken back", 95),
		chat.ScheduleChanged{Message: "moved", Outgoing: chat.Outgoing{Text: "new"}, SendAt: sec(75), By: "bob", At: sec(2)},
		chat.ScheduleFailed{Message: "late", Code: "chat.closed", Reason: "closed", At: sec(80)},
		chat.MessageQueued{Message: "sent", Scheduled: true},
		chat.MessageQueued{Message: "quick"},
		chat.ScheduleCancelled{Message: "taken back", Reason: chat.CancelledByAgent},
		chat.ScheduleFailed{Message: "unknown"},
	} {
		e := projectionstest.Event("chat-1", fact)
		e.Meta.Workspace = "acme"
		events = append(events, e)
	}
	key := func(m string) scheduled.Key { return scheduled.Key{Chat: "1", Message: m} }
	want := []scheduled.Message{
		{Key: key("late"), Workspace: "acme", State: "failed", Outgoing: chat.Outgoing{Text: "text of late"}, By: "ann", SendAt: us(80), Position: 3, ScheduledAt: us(1), FailedAt: us(80), Code: "chat.closed", Reason: "closed"},
		{Key: key("moved"), Workspace: "acme", State: "waiting", Outgoing: chat.Outgoing{Text: "new"}, By: "ann", SendAt: us(75), Position: 6, ScheduledAt: us(1), ChangedAt: us(2), ChangedBy: "bob"},
		{
			Key: key("quick"), Workspace: "acme", State: "waiting", Outgoing: quick.Outgoing, By: "ann", Bot: true,
			SendAt: us(60), Position: 1, CancelOnReply: true, ScheduledAt: us(1),
		},
	}
	got := projectionstest.Rows[scheduled.Message](projectionstest.Fold(t, scheduled.New(), events...), "scheduled_v2_messages")
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestList(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{inbox.New, scheduled.New}, func(t *testing.T, l *viewstest.Ledger) {
		opened := chat.Opened{Workspace: viewstest.Workspace, Channel: "ch", Customer: "1", Status: "OPEN", Category: chat.CategoryOpen, At: sec(1)}
		bobs := set("b", 40)
		bobs.By = "bob"
		l.Record(t, "chat-1", opened, set("c", 50), set("a", 30), bobs, set("f", 20), chat.ScheduleFailed{Message: "f", Code: "chat.closed", At: sec(20)})
		l.Record(t, "chat-2", opened, set("d", 30))
		l.Record(t, "chat-3", opened, set("e", 10), chat.Deleted{By: "ann"})
		keeps := chat.ScheduleChanged{Message: "z", Outgoing: chat.Outgoing{Text: "another"}, SendAt: sec(5), By: "ann", At: sec(2)}
		moves := chat.ScheduleChanged{Message: "y", SendAt: sec(5), By: "ann", At: sec(2)}
		l.RecordIn(t, "album", "chat-4", chat.Opened{Workspace: "album", Channel: "ch", Customer: "4", Status: "OPEN", Category: chat.CategoryOpen, At: sec(1)},
			set("y", 6), set("z", 5), set("x", 5), set("w", 5), keeps, moves)
		l.Read(t, func(tx sqldb.Tx) {
			list := func(q scheduled.Query) (all []string) {
				t.Helper()
				for q.Workspace = cmp.Or(q.Workspace, viewstest.Workspace); ; {
					p, err := scheduled.List(t.Context(), tx, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range p.Items {
						all = append(all, m.Message)
					}
					if q.Cursor = p.Next; q.Cursor == "" {
						return all
					}
				}
			}
			for _, tt := range []struct {
				q    scheduled.Query
				want []string
			}{
				{scheduled.Query{}, []string{"a", "d", "b", "c"}},
				{scheduled.Query{Limit: 1}, []string{"a", "d", "b", "c"}},
				{scheduled.Query{Chat: "1", Limit: 2}, []string{"a", "b", "c"}},
				{scheduled.Query{By: "bob"}, []string{"b"}},
				{scheduled.Query{Workspace: "album"}, []string{"z", "x", "w", "y"}},
				{scheduled.Query{Workspace: "album", Chat: "4", Limit: 1}, []string{"z", "x", "w", "y"}},
				{scheduled.Query{State: scheduled.Failed}, []string{"f"}},
				{scheduled.Query{Chat: "3"}, nil},
				{scheduled.Query{Chat: "\x00"}, nil},
			} {
				if got := list(tt.q); !slices.Equal(got, tt.want) {
					t.Errorf("%+v: %v, want %v", tt.q, got, tt.want)
				}
			}
			if _, err := scheduled.List(t.Context(), tx, scheduled.Query{Workspace: viewstest.Workspace, Cursor: "x"}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a bad cursor: %v", err)
			}
			older := cursor.Encode("scheduled", map[string]any{"t": 1, "c": "1", "m": "a"})
			if _, err := scheduled.List(t.Context(), tx, scheduled.Query{Workspace: viewstest.Workspace, Cursor: older}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a cursor in the order of ids: %v", err)
			}
			if p, err := scheduled.List(t.Context(), tx, scheduled.Query{Workspace: "other"}); err != nil || len(p.Items) > 0 {
				t.Errorf("of another workspace: %v", fmt.Sprint(p, err))
			}
		})
		l.Verify(t)
	})
}
