package offers_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/offers"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func offered(to string) chat.TransferOffered {
	return chat.TransferOffered{Kind: chat.ToAgent, To: to, From: "ann", Reason: "French", Expires: sec(900), By: "ann", At: sec(1)}
}

// A row is there from the offer until it lapses, or whose the chat is was decided
// otherwise, or it is no work any more.
func TestFold(t *testing.T) {
	toTeam := offered("care")
	toTeam.Kind, toTeam.FromTeam, toTeam.By, toTeam.Bot, toTeam.Reason = chat.ToTeam, "sales", "token:1", true, ""
	var events []projections.Event
	add := func(stream string, facts ...any) {
		for _, fact := range facts {
			e := projectionstest.Event(stream, fact)
			e.Meta.Workspace = "acme"
			events = append(events, e)
		}
	}
	add("chat-1", offered("bob"), chat.NoteAdded{}, chat.MessageQueued{}, chat.Snoozed{})
	add("chat-2", offered("bob"), chat.TransferLapsed{Cause: chat.LapsedByTime}, toTeam)
	for id, over := range map[string]any{
		"chat-3": chat.TransferLapsed{Cause: chat.LapsedByRefusal, By: "bob"},
		"chat-4": chat.Assigned{To: "cid"},
		"chat-5": chat.Unassigned{From: "ann"},
		"chat-6": chat.Transferred{Kind: chat.ToAgent, To: "bob", Accepted: true},
		"chat-7": chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed},
		"chat-8": chat.Deleted{By: "sue"},
	} {
		add(id, offered("bob"), over)
	}
	add("chat-8", chat.Restored{By: "sue"})
	want := []offers.Offer{
		{Chat: "1", Workspace: "acme", Kind: "agent", To: "bob", From: "ann", Reason: "French", By: "ann", At: 1e6, Expires: 900e6},
		{Chat: "2", Workspace: "acme", Kind: "team", To: "care", From: "ann", FromTeam: "sales", By: "token:1", Bot: true, At: 1e6, Expires: 900e6},
	}
	got := projectionstest.Rows[offers.Offer](projectionstest.Fold(t, offers.New(), events...), "offers_pending")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestOf(t *testing.T) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	viewstest.OnBoth(t, parts, []func() projections.Projection{offers.New}, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", offered("bob"))
		l.Record(t, "chat-2", offered("bob"), chat.Assigned{To: "cid"})
		l.Record(t, "chat-3", offered("cid"))
		l.Read(t, func(tx sqldb.Tx) {
			ids := []string{"1", "2", "none"}
			ids = append(ids, slices.Repeat([]string{"other"}, 600)...)
			got, err := offers.Of(t.Context(), tx, viewstest.Workspace, ids)
			if err != nil || len(got) != 1 || got["1"].To != "bob" || got["1"].Expires != 900e6 {
				t.Errorf("%v, %v", got, err)
			}
			for workspace, chats := range map[string][]string{"other": {"1"}, viewstest.Workspace: nil} {
				if got, err := offers.Of(t.Context(), tx, workspace, chats); err != nil || len(got) > 0 {
					t.Errorf("%q of %s: %v, %v", chats, workspace, got, err)
				}
			}
		})
		l.Verify(t)
	})
}
