package savedviews_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/savedviews"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

var (
	everybody = savedview.Place{Scope: savedview.Shared}
	anns      = savedview.Place{Scope: savedview.Personal, Of: "ann"}
)

func created(at savedview.Place, word, target string, order int64) savedview.Created {
	return savedview.Created{Workspace: "acme", Scope: at.Scope, Of: at.Of, View: at.ID(word), Target: target, Name: "Name of " + word, Order: order, By: "sue"}
}

func TestFold(t *testing.T) {
	var events []projections.Event
	for _, fact := range []any{
		created(everybody, "a", "chats", 0), created(everybody, "b", "chats", 1), created(everybody, "c", "chats", 2),
		savedview.Changed{View: "shared.a", Name: "A", Icon: "star", Colour: "#2f7d32", Filter: json.RawMessage(`{"field":"unread"}`), Sort: "waiting", Columns: []string{"name"}, By: "ann"},
		savedview.Ordered{Target: "chats", Views: []savedview.ID{"shared.c", "shared.b", "shared.a"}, By: "ann"},
		savedview.Deleted{View: "shared.b", By: "ann"},
	} {
		e := projectionstest.Event("savedviews-x", fact)
		e.Meta.Workspace = "acme"
		events = append(events, e)
	}
	tables := projectionstest.Fold(t, savedviews.New(), events...)
	got := projectionstest.Rows[savedviews.View](tables, "savedviews_views")
	if len(got) != 2 || got[0].UpdatedAt <= got[0].CreatedAt || got[1].UpdatedAt != got[1].CreatedAt {
		t.Fatalf("views: %+v", got)
	}
	for i := range got {
		got[i].CreatedAt, got[i].UpdatedAt = 0, 0
	}
	want := []savedviews.View{
		{
			Key: savedviews.Key{Workspace: "acme", ID: "shared.a"}, Place: "shared", Scope: "shared", Target: "chats", Order: 2, Name: "A", Icon: "star", Colour: "#2f7d32",
			Filter: `{"field":"unread"}`, Sort: "waiting", Columns: []string{"name"}, CreatedBy: "sue", UpdatedBy: "ann",
		},
		{Key: savedviews.Key{Workspace: "acme", ID: "shared.c"}, Place: "shared", Scope: "shared", Target: "chats", Name: "Name of c", CreatedBy: "sue", UpdatedBy: "sue"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}
	places := []savedviews.Place{{PlaceKey: savedviews.PlaceKey{Workspace: "acme", Place: "shared"}, Revision: 5}}
	if diff := cmp.Diff(places, projectionstest.Rows[savedviews.Place](tables, "savedviews_places")); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

func TestQueries(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{savedviews.New}, func(t *testing.T, l *viewstest.Ledger) {
		var many []codec.Event
		for i := range 7 {
			many = append(many, created(everybody, fmt.Sprint("v", i), []string{"chats", "orders"}[i%2], int64(10-i)))
		}
		l.Record(t, "savedviews-1", many...)
		l.Record(t, "savedviews-2", created(anns, "own", "chats", 0))
		l.Read(t, func(tx sqldb.Tx) {
			ctx := t.Context()
			list := func(q savedviews.Query) (ids []string) {
				t.Helper()
				for q.Workspace = "acme"; ; {
					p, err := savedviews.List(ctx, tx, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range p.Views {
						ids = append(ids, v.ID)
					}
					if q.Cursor = p.Next; q.Cursor == "" {
						return ids
					}
				}
			}
			both := []string{"shared", "personal.ann"}
			want := []string{"personal.ann.own", "shared.v6", "shared.v4", "shared.v2", "shared.v0", "shared.v5", "shared.v3", "shared.v1"}
			for _, limit := range []int{0, 1, 3} {
				if got := list(savedviews.Query{Places: both, Limit: limit}); !slices.Equal(got, want) {
					t.Errorf("pages of %d: %v", limit, got)
				}
			}
			for _, tt := range []struct {
				q    savedviews.Query
				want []string
			}{
				{savedviews.Query{Places: both, Target: "orders"}, want[5:]},
				{savedviews.Query{Places: both[1:]}, want[:1]},
				{savedviews.Query{}, nil},
			} {
				if got := list(tt.q); !slices.Equal(got, tt.want) {
					t.Errorf("%+v: %v, want %v", tt.q, got, tt.want)
				}
			}
			if _, err := savedviews.List(ctx, tx, savedviews.Query{Workspace: "acme", Places: both, Cursor: "x"}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a bad cursor: %v", err)
			}
			v, revision, err := savedviews.Get(ctx, tx, "acme", "shared.v6", both)
			if err != nil || v.Name != "Name of v6" || revision != 6 {
				t.Errorf("%+v, revision %d, %v", v, revision, err)
			}
			for _, tt := range []struct {
				workspace, id string
				places        []string
			}{{"acme", "shared.none", both}, {"other", "shared.v6", both}, {"acme", "personal.ann.own", both[:1]}, {"acme", "shared.v6", nil}, {"acme", "\x00", both}} {
				if _, _, err := savedviews.Get(ctx, tx, tt.workspace, tt.id, tt.places); !errors.Is(err, savedview.ErrNotFound) {
					t.Errorf("%v: %v", tt, err)
				}
			}
		})
		l.Verify(t)
	})
}
