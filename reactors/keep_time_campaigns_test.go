package reactors_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/template"
)

// begun returns when campaigns began, by campaign.
func (c *clockwork) begun(since time.Time) (all []string) {
	c.t.Helper()
	for _, e := range facts[campaign.Started](c.shop) {
		all = append(all, fmt.Sprintf("%s %s", e.Stream[len("campaign-"):], e.Time.Sub(since).Round(time.Second)))
	}
	slices.Sort(all)
	return all
}

// A campaign begins at the time that it has at last, once, and not while it is paused.
func TestScheduledCampaigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		ctx, campaigns := t.Context(), c.commands.Campaigns
		c.done(c.commands.Channels.Connect(ctx, someone, channel.ID(c.channel), channel.Connect{Kind: channel.WhatsApp, Name: "Shop", Account: phoneID}))
		res, err := c.commands.Templates.Define(ctx, someone, template.Define{
			Channel: c.channel, Name: "sale", Language: "en", Category: template.Marketing, Components: template.Components{Body: "Hello"},
		})
		c.done(res, err)
		c.done(c.commands.Templates.Report(ctx, someone, template.Report{Channel: c.channel, Name: "sale", Language: "en", Status: template.Approved, At: time.Now().UTC()}))
		began := time.Now()
		launch := func(id campaign.ID, after time.Duration) {
			t.Helper()
			c.done(campaigns.Create(ctx, someone, id, campaign.Create{
				Workspace: workspace, Name: string(id), Filter: []byte(`{}`), Channel: c.channel, Template: res.ID, By: "sue", At: time.Now().UTC(),
			}))
			c.done(campaigns.Launch(ctx, someone, id, campaign.Launch{Due: time.Now().Add(after), By: "sue", At: time.Now()}))
		}
		pause := func(id campaign.ID) {
			t.Helper()
			c.done(campaigns.Pause(ctx, someone, id, campaign.Pause{By: "sue", At: time.Now()}))
		}
		resume := func(id campaign.ID) {
			t.Helper()
			c.done(campaigns.Resume(ctx, someone, id, campaign.Resume{By: "sue", At: time.Now()}))
		}
		move := func(id campaign.ID, after time.Duration) {
			t.Helper()
			c.done(campaigns.Reschedule(ctx, someone, id, campaign.Reschedule{Due: time.Now().Add(after), By: "sue", At: time.Now()}))
		}
		stop := c.start()
		for _, id := range []campaign.ID{"kept", "cancelled", "earlier", "moved-held", "missed", "held", "later"} {
			launch(id, time.Hour)
		}
		c.done(campaigns.Cancel(ctx, someone, "cancelled", campaign.Cancel{By: "sue", At: time.Now()}))
		move("earlier", 10*time.Minute)
		move("later", 2*time.Hour)
		for _, id := range []campaign.ID{"held", "missed", "moved-held"} {
			pause(id)
		}
		move("moved-held", 3*time.Hour)
		pass(30 * time.Minute)
		resume("held")
		stop() // the timers are kept
		pass(15 * time.Minute)
		stop = c.start()
		pass(45 * time.Minute) // 90 min: one of them has missed its time
		resume("missed")
		resume("moved-held")
		pass(4 * time.Hour)
		stop()
		want := []string{"earlier 10m0s", "held 1h0m0s", "kept 1h0m0s", "later 2h0m0s", "missed 1h30m0s", "moved-held 3h0m0s"}
		if got := c.begun(began); !slices.Equal(got, want) {
			t.Errorf("begun: %q, want %q", got, want)
		}
	})
}
