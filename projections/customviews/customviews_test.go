package customviews_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/customviews"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func saved(view customview.Name, version customview.Version) customview.Saved {
	return customview.Saved{
		Workspace: "acme", View: view, Version: version, Description: fmt.Sprint("The ", version), By: "ann",
		Definition: customview.Definition{
			Types:  []string{"order.placed.v1"},
			Tables: []customview.Table{{Name: "cities", Key: "city", Columns: []customview.Column{{Name: "orders", Type: customview.Integer}}}},
			Script: fmt.Sprintf("function apply() { return %d }", version),
		},
	}
}

func TestQueries(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{customviews.New}, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "customviews-acme", []codec.Event{
			saved("sales", 1), saved("sales", 2), saved("calls", 1), saved("gone", 1), saved("waits", 1),
			customview.Published{View: "sales", Version: 2, By: "ann"},
			customview.Retired{View: "gone", By: "bob"},
			saved("waits", 2),
			customview.Dropped{View: "waits", Version: 1, By: "bob"},
			customview.Retried{View: "waits", Version: 2, By: "bob"},
		}...)
		l.Read(t, func(tx sqldb.Tx) {
			ctx := t.Context()
			for _, limit := range []int{0, 1, 2} {
				var names []string
				for q := (cursor.Query{Limit: limit}); ; {
					p, err := customviews.List(ctx, tx, "acme", q)
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range p.Items {
						names = append(names, v.Name)
					}
					if q.Cursor = p.Next; q.Cursor == "" {
						break
					}
				}
				if want := []string{"calls", "sales", "waits"}; !slices.Equal(names, want) {
					t.Errorf("pages of %d: %v", limit, names)
				}
			}
			if _, err := customviews.List(ctx, tx, "acme", cursor.Query{Cursor: "x"}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a bad cursor: %v", err)
			}
			v, err := customviews.Get(ctx, tx, "acme", "sales")
			if err != nil || v.Published != 2 || !slices.Equal(v.Versions, []int64{1, 2}) || v.Description != "The 2" || v.UpdatedAt < v.CreatedAt {
				t.Errorf("%+v, %v", v, err)
			}
			if v, err := customviews.Get(ctx, tx, "acme", "waits"); err != nil || !slices.Equal(v.Versions, []int64{2}) || v.UpdatedBy != "bob" {
				t.Errorf("%+v, %v", v, err)
			}
			for version, want := range map[int64]int64{0: 2, 1: 1} {
				got, err := customviews.GetVersion(ctx, tx, "acme", "sales", version)
				if err != nil || got.Version != want {
					t.Errorf("version %d: %+v, %v", version, got, err)
				}
				if diff := cmp.Diff(saved("sales", customview.Version(want)).Definition, got.Definition); diff != "" {
					t.Errorf("definition (-want +got):\n%s", diff)
				}
			}
			for _, tt := range []struct {
				workspace, name string
				version         int64
				want            error
			}{
				{"acme", "gone", 1, customview.ErrNotFound},
				{"other", "sales", 1, customview.ErrNotFound},
				{"acme", "\x00", 1, customview.ErrNotFound},
				{"acme", "waits", 1, customview.ErrVersion},
				{"acme", "waits", 0, customview.ErrNothing},
			} {
				if _, err := customviews.GetVersion(ctx, tx, tt.workspace, tt.name, tt.version); !errors.Is(err, tt.want) {
					t.Errorf("%+v: %v", tt, err)
				}
			}
			for workspace, want := range map[string]int64{"acme": 9, "other": -1} {
				if got, err := customviews.Revision(ctx, tx, workspace); got != want || err != nil {
					t.Errorf("revision of %s: %d, %v", workspace, got, err)
				}
			}
		})
		l.Verify(t)
	})
}
