package permissions_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/permissions"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

var (
	asked   = chat.MessageQueued{Message: "o1", Text: "May we call?", By: "ann", CallPermission: true, At: sec(5)}
	allowed = chat.CallPermissionChanged{Allowed: true, Until: sec(900), Reason: chat.PermittedByCustomer, Message: "m1", At: sec(10)}
	forGood = chat.CallPermissionChanged{Allowed: true, Reason: chat.PermittedByCustomer, Message: "m2", At: sec(20)}
	revoked = chat.CallPermissionChanged{Reason: chat.PermittedByProvider, At: sec(30)}
)

func TestFold(t *testing.T) {
	var events []projections.Event
	add := func(stream string, facts ...any) {
		for _, fact := range facts {
			e := projectionstest.Event(stream, fact)
			e.Meta.Workspace = "acme"
			events = append(events, e)
		}
	}
	add("chat-1", asked, allowed)
	add("chat-2", allowed, revoked)
	add("chat-3", revoked, forGood) // in another order
	add("chat-4", allowed, forGood)
	add("chat-5", asked, chat.MessageQueued{Message: "o2", Text: "hi", By: "bob", At: sec(6)})
	add("chat-6", chat.MessageQueued{Message: "o2", Text: "hi", By: "bob", At: sec(6)})
	want := []permissions.Call{
		{Chat: "1", Workspace: "acme", Known: true, Allowed: true, Until: 900e6, Reason: "customer", Message: "m1", At: 10e6, AskedAt: 5e6, AskedBy: "ann"},
		{Chat: "2", Workspace: "acme", Known: true, Reason: "provider", At: 30e6},
		{Chat: "3", Workspace: "acme", Known: true, Reason: "provider", At: 30e6},
		{Chat: "4", Workspace: "acme", Known: true, Allowed: true, Reason: "customer", Message: "m2", At: 20e6},
		{Chat: "5", Workspace: "acme", AskedAt: 5e6, AskedBy: "ann"},
	}
	got := projectionstest.Rows[permissions.Call](projectionstest.Fold(t, permissions.New(), events...), "permissions_calls")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestCalls(t *testing.T) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	viewstest.OnBoth(t, parts, []func() projections.Projection{permissions.New}, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", asked, allowed)
		l.Read(t, func(tx sqldb.Tx) {
			if c, ok, err := permissions.Calls(t.Context(), tx, viewstest.Workspace, "1"); err != nil || !ok || !c.Allowed || c.Until != 900e6 {
				t.Errorf("%+v, %v, %v", c, ok, err)
			}
			for _, q := range [][2]string{{viewstest.Workspace, "2"}, {"other", "1"}, {viewstest.Workspace, "\x00"}} {
				if c, ok, err := permissions.Calls(t.Context(), tx, q[0], q[1]); err != nil || ok {
					t.Errorf("%q: %+v, %v, %v", q, c, ok, err)
				}
			}
		})
		l.Verify(t)
	})
}
