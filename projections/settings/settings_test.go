package settings_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/settings"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestSettings(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	days := func(n int) workspace.Settings {
		return workspace.Settings{Retention: &workspace.Retention{ClosedDays: n}}
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{settings.New}, func(t *testing.T, l *viewstest.Ledger) {
		previous := workspace.Settings{Reopening: &workspace.Reopening{Status: "previous", Assignee: "keep"}}
		l.Record(t, "workspace-acme", workspace.Created{Name: "Acme"},
			workspace.SettingsChanged{To: days(30), From: days(0), By: "ann"},
			workspace.SettingsChanged{To: previous, By: "bob"},
			workspace.SettingsChanged{To: days(60), From: days(30), By: "bob"}, workspace.Renamed{Name: "Apex"})
		l.Record(t, "workspace-other", workspace.Created{Name: "Other"})
		l.Read(t, func(tx sqldb.Tx) {
			got, row, err := settings.Get(t.Context(), tx, "acme")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(days(60).With(previous).As(), got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if row.Revision != 4 || row.ChangedBy != "bob" || row.ChangedAt == 0 {
				t.Errorf("row %+v", row)
			}
			got, row, err = settings.Get(t.Context(), tx, "other")
			if diff := cmp.Diff(workspace.Settings{}.As(), got); diff != "" || err != nil || row.ChangedAt != 0 {
				t.Errorf("where nothing was set: %v, %+v (-want +got):\n%s", err, row, diff)
			}
			if _, _, err := settings.Get(t.Context(), tx, "none"); !errors.Is(err, settings.ErrNotFound) {
				t.Errorf("of no workspace: %v", err)
			}
		})
		l.Verify(t)
	})
}
