package deliveries_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/deliveries"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestQueries(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{deliveries.New}, func(t *testing.T, l *viewstest.Ledger) {
		want := map[string][]string{}
		for i := range 20 {
			id, channel := fmt.Sprintf("w%02d", i), fmt.Sprint("ch", i%2)
			l.Record(t, "webhook-"+id, webhook.Received{Workspace: "acme", Channel: channel, Body: "{}"})
			want[""], want[channel] = append(want[""], id), append(want[channel], id)
			if i%4 == 0 {
				l.Record(t, "webhook-"+id, webhook.SetAside{Code: "not_ours", Reason: "r"})
				want["set_aside"] = append(want["set_aside"], id)
			}
		}
		l.RecordIn(t, "other", "webhook-else", webhook.Received{Workspace: "other", Channel: "ch0", Body: "{}"})
		l.Read(t, func(tx sqldb.Tx) {
			for name, q := range map[string]deliveries.Query{"": {}, "ch1": {Channel: "ch1"}, "set_aside": {State: "set_aside"}} {
				q.Workspace, q.Limit = "acme", 3
				var got []string
				for {
					page, err := deliveries.List(t.Context(), tx, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, d := range page.Deliveries {
						got = append(got, d.ID)
					}
					if q.Cursor = page.Next; q.Cursor == "" {
						break
					}
				}
				slices.Sort(got) // the log may have dated two of them alike
				if diff := cmp.Diff(want[name], got); diff != "" {
					t.Errorf("%q (-want +got):\n%s", name, diff)
				}
			}
			if d, err := deliveries.Get(t.Context(), tx, "acme", "w04"); err != nil || d.State != "set_aside" || d.Code != "not_ours" || d.Revision != 1 {
				t.Errorf("delivery %+v, %v", d, err)
			}
			for _, at := range [][2]string{{"other", "w04"}, {"acme", "none"}, {"acme", "\x00"}} {
				if _, err := deliveries.Get(t.Context(), tx, at[0], at[1]); !errors.Is(err, deliveries.ErrNotFound) {
					t.Errorf("get %q: %v", at, err)
				}
			}
			for _, tt := range []struct {
				query deliveries.Query
				want  error
			}{
				{deliveries.Query{State: "lost"}, deliveries.ErrState},
				{deliveries.Query{Channel: "\x00"}, deliveries.ErrChannel},
				{deliveries.Query{Limit: 201}, cursor.ErrLimit},
				{deliveries.Query{Cursor: "x"}, cursor.ErrInvalid},
			} {
				if _, err := deliveries.List(t.Context(), tx, tt.query); !errors.Is(err, tt.want) {
					t.Errorf("%+v: %v, want %v", tt.query, err, tt.want)
				}
			}
		})
		l.Verify(t)
	})
}
