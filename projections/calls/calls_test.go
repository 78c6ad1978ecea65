package calls_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/calls"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func at(s int) time.Time { return time.Unix(1_790_000_000+int64(s), 0).UTC() }

func us(s int) int64 { return at(s).UnixMicro() }

func TestCalls(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{calls.New}, func(t *testing.T, l *viewstest.Ledger) {
		var want []string
		for i := range 7 {
			id := fmt.Sprintf("k%d", i)
			want = append(want, id)
			l.Record(t, "call-"+id, call.Requested{Workspace: "acme", Chat: "c1", Channel: "shop", Customer: "4915", Phone: "+4915", Provider: call.WhatsApp, Offer: "v=0", By: "ann", At: at(i / 2)})
		}
		slices.Reverse(want)
		l.Record(t, "call-other", call.Requested{Workspace: "acme", Chat: "c2", Phone: "+1", Provider: call.Webhook, By: "ann", At: at(9)})
		l.Record(t, "call-k0", call.Placed{ProviderID: "w1", At: at(10)})
		l.Record(t, "call-k0", call.Ringing{At: at(11)})
		l.Record(t, "call-k0", call.SessionAnswered{Answer: "v=1", At: at(11)})
		l.Record(t, "call-k0", call.Answered{At: at(12)})
		k0 := calls.Call{
			ID: "k0", Workspace: "acme", Chat: "c1", Channel: "shop", Phone: "+4915", Provider: "whatsapp", ProviderID: "w1", Phase: "in_progress",
			Answer: "v=1", By: "ann", RequestedAt: us(0), RingingAt: us(11), AnsweredAt: us(12), Revision: 4,
		}
		check := func() {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				got, err := calls.Get(t.Context(), tx, "acme", "k0")
				if diff := cmp.Diff(k0, got); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		}
		check()
		l.Record(t, "call-k0", call.EndRequested{By: "bob", At: at(20)})
		l.Record(t, "call-k0", call.Ended{Outcome: call.Completed, Reason: call.HungUp, Details: "so", Duration: 8, By: "bob", At: at(20)})
		k0.Phase, k0.Reason, k0.Details, k0.Duration, k0.EndedBy, k0.EndedAt, k0.Answer, k0.Revision = "completed", "hung_up", "so", 8, "bob", us(20), "", 6
		check()
		l.Read(t, func(tx sqldb.Tx) {
			q, got := calls.Query{Workspace: "acme", Chat: "c1", Limit: 2}, []string(nil)
			for {
				page, err := calls.List(t.Context(), tx, q)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page.Calls {
					got = append(got, c.ID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, q := range []calls.Query{{Workspace: "other", Chat: "c1"}, {Workspace: "acme", Chat: "\x00"}} {
				if page, err := calls.List(t.Context(), tx, q); err != nil || len(page.Calls) > 0 {
					t.Errorf("%+v: %+v, %v", q, page, err)
				}
			}
			if _, err := calls.List(t.Context(), tx, calls.Query{Workspace: "acme", Chat: "c1", Cursor: "x"}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a bad cursor: %v", err)
			}
			for _, of := range [][2]string{{"other", "k0"}, {"acme", "none"}, {"acme", "\x00"}} {
				if _, err := calls.Get(t.Context(), tx, of[0], of[1]); !errors.Is(err, call.ErrNotFound) {
					t.Errorf("get %q: %v", of, err)
				}
			}
		})
		l.Verify(t)
	})
}
