package views_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections/views"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A view's name is published: it is in every checkpoint.
func TestNames(t *testing.T) {
	want := []string{"inbox.v3", "conversation.v3", "history.v1", "visitor.v2", "orders.v2", "directory.v2", "deliveries.v1", "bulk.v2", "quickreplies.v1", "usage.v2", "contacts.v3", "search.v2", "calls.v1", "savedviews.v1", "groups.v2", "media.v1", "templates.v1", "campaigns.v1", "scheduled.v2", "settings.v1", "offers.v1", "permissions.v1", "customviews.v1", "channelsettings.v1"}
	var got []string
	for _, view := range views.All() {
		p := view()
		got = append(got, p.Name())
		short, _, _ := strings.Cut(p.Name(), ".")
		for _, table := range p.Tables() {
			if table.Name() != short && !strings.HasPrefix(table.Name(), short+"_") {
				t.Errorf("%s has a table %s, want %s_…", p.Name(), table.Name(), short)
			}
		}
		if p == view() {
			t.Errorf("%s: an instance is handed out twice", p.Name())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("views %q, want %q", got, want)
	}
}

// Every view equals its rebuild, row for row.
func TestViewsEqualTheirRebuilds(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, views.All(), func(t *testing.T, l *viewstest.Ledger) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n <= 5 {
				events := viewstest.Draw(rt).Late(rt)
				for i := range events {
					events[i].Stream += string(rune('a' + n))
				}
				l.Replay(t, events)
			}
		})
		l.Verify(t)
	})
}
