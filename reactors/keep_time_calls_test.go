package reactors_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
)

// ends returns how calls ended, and when.
func (c *clockwork) ends(began time.Time) (all []string) {
	c.t.Helper()
	for _, e := range facts[call.Ended](c.shop) {
		all = append(all, fmt.Sprintf("%s %s %s %s", e.Stream[len("call-"):], e.Fact.Outcome, e.Fact.Reason, e.Time.Sub(began).Round(time.Second)))
	}
	slices.Sort(all)
	return all
}

// A call of which nobody says anything any more is over after an hour, by our clock,
// and after a day if somebody had answered; also if nothing ran when that was.
func TestCallsThatNobodyReportsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		c.done(c.commands.Channels.Connect(t.Context(), someone, channel.ID(c.channel), channel.Connect{Kind: channel.WhatsApp, Name: "Shop", Account: phoneID}))
		c.calledBy(call.Webhook)
		began := time.Now()
		dial := func(k call.ID) chat.ID {
			id := c.open("4915" + fmt.Sprint(len(k)) + string(k[0]-'a'+'0'))
			c.call(id, k)
			return id
		}
		report := func(k call.ID, p call.Phase, at time.Time) {
			c.done(c.commands.Calls.Report(t.Context(), someone, k, call.Report{ProviderID: "pbx-" + string(k), Phase: p, At: at}))
		}
		stop := c.start()
		for _, k := range []call.ID{"asked", "billed", "chatty", "dropped", "endless"} {
			dial(k)
		}
		pass(30 * time.Minute)
		report("billed", call.Asked, time.Now())
		report("chatty", call.Rings, time.Unix(0, 0)) // a clock that is wrong
		report("dropped", call.Rings, time.Now())
		report("dropped", call.NoAnswer, time.Now())
		report("endless", call.InProgress, time.Now())
		want := []string{"dropped no_answer  30m0s"}
		check := func(more ...string) {
			t.Helper()
			want = append(want, more...)
			slices.Sort(want)
			if got := c.ends(began); !slices.Equal(got, want) {
				t.Errorf("ended: %q, want %q", got, want)
			}
		}
		pass(30*time.Minute - time.Microsecond)
		check()
		pass(time.Second)
		check("asked failed no_report 1h0m0s")
		stop()
		pass(2 * time.Hour)
		stop = c.start()
		pass(time.Second)
		check("billed failed no_report 3h0m1s", "chatty failed no_report 3h0m1s")
		pass(21*time.Hour + 20*time.Minute)
		check()
		pass(10 * time.Minute)
		check("endless failed no_report 24h30m0s")
		pass(48 * time.Hour)
		check()
		c.noTimers()
		stop()
	})
}
