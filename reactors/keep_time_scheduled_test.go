package reactors_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/reactors"
)

// schedule has a text sent after a while.
func (c *clockwork) schedule(id chat.ID, m chat.MessageID, d time.Duration) {
	c.t.Helper()
	now := time.Now()
	c.done(c.commands.Chats.Send(c.t.Context(), someone, id, chat.SendMessage{
		Message: m, Outgoing: chat.Outgoing{Text: "text of " + string(m)}, By: "ann", At: now, Later: &chat.Later{SendAt: now.Add(d)},
	}))
}

// outcomes returns what became of scheduled messages and when: "sent" or a code.
func (c *clockwork) outcomes(began time.Time) (all []string) {
	c.t.Helper()
	for _, e := range facts[chat.MessageQueued](c.shop) {
		if e.Fact.Scheduled {
			all = append(all, fmt.Sprintf("%s sent %s", e.Fact.Message, e.Time.Sub(began).Round(time.Second)))
		}
	}
	for _, e := range facts[chat.ScheduleFailed](c.shop) {
		all = append(all, fmt.Sprintf("%s %s %s", e.Fact.Message, e.Fact.Code, e.Time.Sub(began).Round(time.Second)))
	}
	slices.Sort(all)
	return all
}

func (c *clockwork) wantOutcomes(began time.Time, want ...string) {
	c.t.Helper()
	if got := c.outcomes(began); !slices.Equal(got, want) {
		c.t.Errorf("came to %q, want %q", got, want)
	}
}

func (c *clockwork) noTimers() {
	c.t.Helper()
	if left, err := c.accounts.NextTimers(c.t.Context(), reactors.KeepTimeName, 10); err != nil || len(left) != 0 {
		c.t.Errorf("timers left: %v, %v", left, err)
	}
}

// What is due is sent once, at its time or the one it was moved to, or says why not.
func TestScheduledMessagesAreSentWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		first, second, third := c.open("1"), c.open("2"), c.open("3")
		stop := c.start()
		began := time.Now()
		c.schedule(first, "a", 2*time.Hour)
		c.schedule(first, "b", time.Hour)
		c.schedule(first, "moved", time.Hour)
		c.schedule(first, "cancelled", time.Hour)
		c.schedule(second, "closed", time.Hour)
		c.schedule(third, "deleted", time.Hour)
		c.schedule(third, "restored", 3*time.Hour)
		later := time.Now().Add(90 * time.Minute)
		c.done(c.commands.Chats.ChangeScheduled(t.Context(), someone, first, chat.ChangeScheduled{Message: "moved", SendAt: &later, By: "ann", At: time.Now()}))
		c.done(c.commands.Chats.CancelScheduled(t.Context(), someone, first, chat.CancelScheduled{Message: "cancelled", By: "ann", At: time.Now()}))
		c.done(c.commands.Chats.Close(t.Context(), someone, second, ""))
		c.done(c.commands.Chats.Delete(t.Context(), someone, third, chat.Delete{By: "ann"}))
		pass(time.Hour - time.Microsecond)
		c.wantOutcomes(began)
		pass(time.Minute)
		c.done(c.commands.Chats.Restore(t.Context(), someone, third, chat.Restore{By: "ann"}))
		pass(3 * time.Hour)
		c.wantOutcomes(began, "a sent 2h0m0s", "b sent 1h0m0s", "closed chat.closed 1h0m0s", "deleted chat.not_found 1h0m0s", "moved sent 1h30m0s", "restored sent 3h0m0s")
		c.noTimers()
		stop()
	})
}

// Messages that are due at the same time are sent in the order in which they were
// scheduled for it.
func TestScheduledForTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		one, two := c.open("1"), c.open("2")
		stop := c.start()
		at := time.Now().Add(time.Hour)
		var want []chat.MessageID
		for i := range 20 {
			m := chat.MessageID(fmt.Sprintf("%02d", (i*7)%20))
			c.schedule(one, m, time.Until(at))
			c.schedule(two, "two-"+m, time.Until(at))
			want = append(want, m)
		}
		c.schedule(one, "moved", 2*time.Hour)
		c.done(c.commands.Chats.ChangeScheduled(t.Context(), someone, one, chat.ChangeScheduled{Message: "moved", SendAt: &at, By: "ann", At: time.Now()}))
		text := "another text"
		c.done(c.commands.Chats.ChangeScheduled(t.Context(), someone, one, chat.ChangeScheduled{Message: want[0], Text: &text, By: "ann", At: time.Now()}))
		pass(2 * time.Hour)
		var sent, others []chat.MessageID
		for _, e := range facts[chat.MessageQueued](c.shop) {
			if other, ok := strings.CutPrefix(string(e.Fact.Message), "two-"); ok {
				others = append(others, chat.MessageID(other))
			} else {
				sent = append(sent, e.Fact.Message)
			}
		}
		if !slices.Equal(sent, append(slices.Clone(want), "moved")) || !slices.Equal(others, want) {
			t.Errorf("sent %v and %v, want %v", sent, others, want)
		}
		c.noTimers()
		stop()
	})
}

// On WhatsApp a text that is due when the window is closed fails, and one whose
// customer has written in between is sent.
func TestScheduledMessagesAndTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		c.done(c.commands.Channels.Connect(t.Context(), someone, channel.ID(c.channel), channel.Connect{Kind: channel.WhatsApp, Name: "Shop", Account: phoneID}))
		silent, answers := c.open("1"), c.open("2")
		stop := c.start()
		began := time.Now()
		for _, id := range []chat.ID{silent, answers} {
			c.schedule(id, "in-time-"+chat.MessageID(id), 23*time.Hour)
			c.schedule(id, "late-"+chat.MessageID(id), 25*time.Hour)
		}
		pass(12 * time.Hour)
		c.write(answers, "2")
		pass(24 * time.Hour)
		want := []string{
			fmt.Sprintf("in-time-%s sent 23h0m0s", silent), fmt.Sprintf("in-time-%s sent 23h0m0s", answers),
			fmt.Sprintf("late-%s chat.window_closed 25h0m0s", silent), fmt.Sprintf("late-%s sent 25h0m0s", answers),
		}
		slices.Sort(want)
		c.wantOutcomes(began, want...)
		stop()
	})
}

// write has the customer of a chat write.
func (c *clockwork) write(id chat.ID, customer string) {
	c.t.Helper()
	provider := uuid.NewString()
	c.done(c.commands.Chats.Receive(c.t.Context(), someone, id, chat.ReceiveMessage{
		Workspace: workspace, Channel: c.channel, Customer: customer, Message: chat.MessageID(ids.Message(string(id), provider)), ProviderID: provider,
		Content: chat.Content{Kind: "text", Text: "hello"}, At: time.Now().UTC(),
	}))
}

// What falls due while nothing runs is sent at the start; what the process did before
// it could note it is not done again.
func TestScheduledMessagesOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		id := c.open("1")
		stop := c.start()
		began := time.Now()
		c.schedule(id, "noted", time.Minute)
		c.schedule(id, "later", 2*time.Hour)
		synctest.Wait()
		timers, err := c.accounts.NextTimers(t.Context(), reactors.KeepTimeName, 10)
		if err != nil || len(timers) != 2 {
			t.Fatalf("%v, %v", timers, err)
		}
		stop()
		c.schedule(id, "while nothing runs", 30*time.Minute)
		pass(time.Hour)
		c.wantOutcomes(began)
		stop = c.start()
		pass(time.Second)
		c.wantOutcomes(began, "noted sent 1h0m0s", "while nothing runs sent 1h0m0s")
		stop()
		// As if it had ended before it noted that it had served this one.
		if err := c.accounts.SetTimer(t.Context(), reactors.KeepTimeName, timers[0]); err != nil {
			t.Fatal(err)
		}
		stop = c.start()
		pass(2 * time.Hour)
		c.wantOutcomes(began, "later sent 2h0m0s", "noted sent 1h0m0s", "while nothing runs sent 1h0m0s")
		c.noTimers()
		stop()
	})
}
