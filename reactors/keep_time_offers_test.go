package reactors_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/reactors"
)

// lapsed returns when offers were over, and why, by chat.
func (c *clockwork) lapsed(began time.Time) (all []string) {
	c.t.Helper()
	for _, e := range facts[chat.TransferLapsed](c.shop) {
		all = append(all, fmt.Sprintf("%s %s %s", e.Stream[len("chat-"):], e.Fact.Cause, e.Time.Sub(began).Round(time.Second)))
	}
	slices.Sort(all)
	return all
}

// An offer that nobody accepts is over at its time, once, also if nothing ran then; one
// that was accepted, declined or overtaken by then is left alone.
func TestOffersExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		for _, name := range []string{"ann", "bob"} {
			c.done(c.commands.Agents.Invite(t.Context(), someone, agent.ID(name), agent.Invite{Name: name, Role: agent.RoleAgent}))
		}
		var chats []chat.ID
		for i := range 7 {
			id := c.open(fmt.Sprint(i))
			c.done(c.commands.Chats.Claim(t.Context(), someone, id, chat.Claim{By: "ann"}))
			chats = append(chats, id)
		}
		offer := func(i int, d time.Duration) {
			t.Helper()
			c.done(c.commands.Chats.OfferTransfer(t.Context(), someone, chats[i], chat.OfferTransfer{Kind: chat.ToAgent, To: "bob", By: "ann", For: d, At: time.Now()}))
		}
		stop := c.start()
		began := time.Now()
		for i := range 6 {
			offer(i, 0) // as long as the workspace says
		}
		c.done(c.commands.Chats.AcceptTransfer(t.Context(), someone, chats[1], chat.AcceptTransfer{By: "bob", At: time.Now()}))
		c.done(c.commands.Chats.DeclineTransfer(t.Context(), someone, chats[2], chat.DeclineTransfer{By: "bob", At: time.Now()}))
		c.done(c.commands.Chats.Close(t.Context(), someone, chats[3], ""))
		c.done(c.commands.Chats.WithdrawTransfer(t.Context(), someone, chats[4], chat.WithdrawTransfer{By: "ann", At: time.Now()}))
		offer(4, time.Hour) // anew
		c.done(c.commands.Agents.Deactivate(t.Context(), someone, agent.ID("bob"), agent.Deactivate{}))
		want := []string{fmt.Sprintf("%s declined 0s", chats[2]), fmt.Sprintf("%s withdrawn 0s", chats[4])}
		check := func(more ...string) {
			t.Helper()
			want = append(want, more...)
			slices.Sort(want)
			if got := c.lapsed(began); !slices.Equal(got, want) {
				t.Errorf("over: %q, want %q", got, want)
			}
		}
		pass(15*time.Minute - time.Microsecond)
		check()
		timers, err := c.accounts.NextTimers(t.Context(), reactors.KeepTimeName, 10)
		if err != nil || len(timers) == 0 {
			t.Fatalf("%v, %v", timers, err)
		}
		pass(time.Second)
		check(fmt.Sprintf("%s expired 15m0s", chats[0]), fmt.Sprintf("%s expired 15m0s", chats[5]))
		stop()

		// While nothing runs; and a timer that had been served, but not noted so.
		pass(2 * time.Hour)
		if err := c.accounts.SetTimer(t.Context(), reactors.KeepTimeName, timers[0]); err != nil {
			t.Fatal(err)
		}
		stop = c.start()
		pass(time.Hour)
		check(fmt.Sprintf("%s expired 2h15m1s", chats[4]))
		c.noTimers()
		stop()
	})
}
