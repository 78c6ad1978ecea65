package channelsettings_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/channelsettings"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestSettings(t *testing.T) {
	connected := channel.Connected{Workspace: viewstest.Workspace, Kind: channel.WhatsApp, Name: "Shop", Account: "106"}
	never := channel.ReadMarksSet{ReadMarks: channel.ReadMarksNever, From: channel.ReadMarksAsked}
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	viewstest.OnBoth(t, parts, []func() projections.Projection{channelsettings.New}, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "channel-1", connected)
		l.Record(t, "channel-2", connected, never, channel.Renamed{Name: "Store", From: "Shop"})
		l.Record(t, "channel-3", connected, never, channel.Disconnected{}, connected)
		want := map[string]string{"1": "asked", "2": "never", "3": "asked"}
		l.Read(t, func(tx sqldb.Tx) {
			for workspace, want := range map[string]map[string]string{viewstest.Workspace: want, "other": {}} {
				got := map[string]string{}
				all, err := channelsettings.Of(t.Context(), tx, workspace, []string{"1", "2", "3", "4"})
				if err != nil {
					t.Error(err)
				}
				for id, s := range all {
					got[id] = s.ReadMarks
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", workspace, diff)
				}
			}
		})
		l.Verify(t)
	})
}
