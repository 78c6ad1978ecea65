package reactors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/team"
	wsdomain "github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/reactors"
)

// clockwork is chats and the reactor that keeps their time, in a bubble: hours pass
// at once.
type clockwork struct {
	*shop
	looks atomic.Int64 // at the timers
	fails atomic.Bool  // the timers
}

func newClockwork(t *testing.T) *clockwork {
	t.Helper()
	log := memory.New(time.Now)
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &clockwork{shop: &shop{t: t, store: log, log: log, accounts: newAccounts(t), channel: "shop"}}
	c.leases, c.parking, c.commands = c.accounts, c.accounts, newCommands(log)
	c.reacting = c.commands
	c.settle()
	return c
}

func (c *clockwork) start() (stop func()) {
	c.t.Helper()
	keeper := reactors.KeepTime{Timers: observed{c.accounts, c}, Chats: c.reacting.Chats, Calls: c.reacting.Calls, Campaigns: c.reacting.Campaigns, Workspaces: c.reacting.Workspaces, Bulk: c.reacting.Bulk, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}.Reactor()
	_, stop = host(c.t, reactors.Config{Store: c.log, Reactors: []reactors.Reactor{keeper}, Leases: c.leases, Parking: c.parking, Alone: true, Poll: time.Hour, LeaseTTL: time.Hour})
	return stop
}

// observed counts how often somebody looks at timers, and fails on request.
type observed struct {
	*accounts.Accounts
	c *clockwork
}

func (o observed) NextTimers(ctx context.Context, reactor string, limit int) ([]reactors.Timer, error) {
	o.c.looks.Add(1)
	if o.c.fails.Load() {
		return nil, errors.New("the timers cannot be read")
	}
	return o.Accounts.NextTimers(ctx, reactor, limit)
}

func (c *clockwork) snooze(id chat.ID, d time.Duration) {
	c.t.Helper()
	cmd := chat.PutAside{UntilReply: d == 0, By: "ann", At: time.Now()}
	if d > 0 {
		cmd.Until = cmd.At.Add(d)
	}
	c.done(c.commands.Chats.Snooze(c.t.Context(), someone, id, cmd))
}

// woken returns when chats were woken, by chat, and fails if one was twice.
func (c *clockwork) woken() map[chat.ID]time.Time {
	c.t.Helper()
	all := map[chat.ID]time.Time{}
	for _, w := range facts[chat.Woken](c.shop) {
		id := chat.ID(w.Stream[len("chat-"):])
		if _, twice := all[id]; twice {
			c.t.Errorf("%s was woken twice", id)
		}
		all[id] = w.Time
	}
	return all
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestASnoozedChatWakesWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		first, second, third, fourth := c.open("1"), c.open("2"), c.open("3"), c.open("4")
		stop := c.start()
		synctest.Wait()
		began := time.Now()
		c.snooze(second, 3*time.Hour)
		c.snooze(first, 2*time.Hour)
		c.snooze(third, 0)
		c.snooze(fourth, 4*time.Hour)
		c.snooze(fourth, 90*time.Minute) // sooner after all
		looks := c.looks.Load()
		pass(90*time.Minute - time.Microsecond)
		if got := c.woken(); len(got) != 0 {
			t.Errorf("woken early: %v", got)
		}
		pass(time.Hour * 2)
		got := c.woken()
		for id, want := range map[chat.ID]time.Duration{fourth: 90 * time.Minute, first: 2 * time.Hour, second: 3 * time.Hour} {
			if d := got[id].Sub(began); d < want || d > want+time.Millisecond {
				t.Errorf("woken after %s, want %s", d, want)
			}
		}
		if len(got) != 3 {
			t.Errorf("woken: %v", got)
		}
		// Once a minute, and when something is due or was set.
		if n := c.looks.Load() - looks; n > 3*60+60 {
			t.Errorf("looked %d times within three and a half hours", n)
		}
		if left, err := c.accounts.NextTimers(t.Context(), reactors.KeepTimeName, 10); err != nil || len(left) != 0 {
			t.Errorf("timers left: %v, %v", left, err)
		}
		stop()
	})
}

// What falls due while nothing runs is done at the start, whatever was handled.
func TestTimersOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		var chats []chat.ID
		for i := range 40 {
			chats = append(chats, c.open(fmt.Sprint(i)))
		}
		stop := c.start()
		for i, id := range chats[:30] {
			c.snooze(id, time.Duration(i)*time.Minute+time.Second)
		}
		synctest.Wait()
		stop()
		for i, id := range chats[30:] { // while nothing runs
			c.snooze(id, time.Duration(i)*time.Minute+time.Second)
		}
		c.snooze(chats[3], 0)
		c.done(c.commands.Chats.Close(t.Context(), someone, chats[4], ""))
		c.done(c.commands.Chats.Wake(t.Context(), someone, chats[5], chat.WakeUp{By: "ann"}))
		pass(10 * time.Minute)
		stop = c.start()
		pass(time.Second / 2)
		got := c.woken()
		for i, id := range chats {
			due := i%30 < 10 && i != 3 && i != 4
			if _, woken := got[id]; woken != due {
				t.Errorf("chat %d: woken %v", i, woken)
			}
		}
		pass(time.Hour)
		if got := c.woken(); len(got) != 38 {
			t.Errorf("%d woken, want 38", len(got))
		}
		stop()
	})
}

// A timer that fires again, since the process ended before it was noted, changes
// nothing; neither does one that was set for what is no more.
func TestATimerThatFiresAgainChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		id := c.open("1")
		c.snooze(id, time.Minute)
		stop := c.start()
		synctest.Wait()
		timers, err := c.accounts.NextTimers(t.Context(), reactors.KeepTimeName, 10)
		if err != nil || len(timers) != 1 {
			t.Fatalf("%v, %v", timers, err)
		}
		pass(2 * time.Minute)
		c.snooze(id, 0)
		again := []reactors.Timer{timers[0], {Kind: "snooze", Subject: "no-chat", Due: time.Now(), Workspace: workspace, Event: uuid.New()}}
		for _, timer := range again {
			if err := c.accounts.SetTimer(t.Context(), reactors.KeepTimeName, timer); err != nil {
				t.Fatal(err)
			}
		}
		pass(2 * time.Minute)
		if got := c.woken(); len(got) != 1 {
			t.Errorf("woken: %v", got)
		}
		if left, err := c.accounts.NextTimers(t.Context(), reactors.KeepTimeName, 10); err != nil || len(left) != 0 {
			t.Errorf("timers left: %v, %v", left, err)
		}
		stop()
	})
}

// While the timers cannot be read nothing is lost, and what is due is done after.
func TestTimersThatCannotBeReadForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		id := c.open("1")
		c.fails.Store(true)
		stop := c.start()
		c.snooze(id, time.Minute)
		pass(10 * time.Minute)
		if n := c.looks.Load(); n > 40 || len(c.woken()) > 0 {
			t.Errorf("looked %d times in vain, woken %v", n, c.woken())
		}
		c.fails.Store(false)
		pass(time.Minute)
		if _, woken := c.woken()[id]; !woken {
			t.Error("not woken")
		}
		stop()
	})
}

// A timer that cannot be served, such as one of a newer program, waits a minute for its
// next try, and holds up none of those that are due behind it, however many there are.
func TestATimerThatCannotBeServedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		id := c.open("1")
		for i := range 200 {
			timer := reactors.Timer{Kind: "unknown", Subject: fmt.Sprint(i), Due: time.Now(), Workspace: workspace, Event: uuid.New()}
			if err := c.accounts.SetTimer(t.Context(), reactors.KeepTimeName, timer); err != nil {
				t.Fatal(err)
			}
		}
		c.snooze(id, time.Minute)
		stop := c.start()
		pass(time.Minute + time.Second)
		if _, woken := c.woken()[id]; !woken {
			t.Error("not woken in time")
		}
		looks := c.looks.Load()
		pass(10 * time.Minute)
		if n := c.looks.Load() - looks; n > 60 {
			t.Errorf("looked %d times in ten minutes", n)
		}
		if left, err := c.accounts.NextTimers(t.Context(), reactors.KeepTimeName, 500); err != nil || len(left) != 200 {
			t.Errorf("%d timers left, %v", len(left), err)
		}
		stop()
	})
}

// Many that are due at the same moment are all woken.
func TestManyTimersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		until := time.Now().Add(time.Hour)
		var want []chat.ID
		for i := range 300 {
			id := c.open(fmt.Sprint(i))
			want = append(want, id)
			c.done(c.commands.Chats.Snooze(t.Context(), commands.Origin{Workspace: workspace, Actor: "ann"}, id, chat.PutAside{Until: until, By: "ann", At: time.Now()}))
		}
		stop := c.start()
		pass(time.Hour)
		got := c.woken()
		late := slices.DeleteFunc(want, func(id chat.ID) bool { at, woken := got[id]; return woken && at.Before(until.Add(time.Second)) })
		if len(late) > 0 {
			t.Errorf("%d woken, not in time: %v", len(got), late)
		}
		stop()
	})
}

// Once a day closed chats are hidden that the workspace does not keep, for as long as
// it says so, whatever stops in between.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		keep := func(days int) {
			t.Helper()
			c.done(c.commands.Workspaces.ChangeSettings(t.Context(), someone, wsdomain.ChangeSettings{Settings: wsdomain.Settings{Retention: &wsdomain.Retention{ClosedDays: days}}}))
		}
		asked := func() (all []bulk.Requested) {
			t.Helper()
			for _, e := range facts[bulk.Requested](c.shop) {
				all = append(all, e.Fact)
			}
			return all
		}
		stop := c.start()
		began := time.Now()
		keep(30)
		pass(time.Minute)
		stop()
		stop = c.start() // at the same day: not again
		pass(time.Minute)
		all := asked()
		if len(all) != 1 {
			t.Fatalf("asked %d times: %+v", len(all), all)
		}
		want := bulk.Requested{
			Workspace: workspace, Action: bulk.Delete, Target: "chats", Reason: "closed, and nothing happened for 30 days", Untouched: began.AddDate(0, 0, -30).UTC(), By: reactors.KeepTimeName, At: began.UTC(),
			Filter: json.RawMessage(fmt.Sprintf(`{"and":[{"field":"status_category","op":"eq","value":"closed"},{"field":"last_activity","op":"lt","value":%q}]}`, began.AddDate(0, 0, -30).UTC().Format(time.RFC3339))),
		}
		if diff := cmp.Diff(want, all[0]); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		pass(72 * time.Hour)
		if n := len(asked()); n != 4 {
			t.Errorf("asked %d times after three days, want 4", n)
		}
		keep(60) // at once
		pass(time.Minute)
		if all := asked(); len(all) != 5 || all[4].Reason != "closed, and nothing happened for 60 days" {
			t.Errorf("after a change: %+v", all)
		}
		keep(0)
		pass(72 * time.Hour)
		if n := len(asked()); n != 5 {
			t.Errorf("asked %d times although everything is kept, want 5", n)
		}
		stop()
	})
}

// What waits for a team is given out when its hours begin: its own, or the workspace's.
func TestHoursBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble begins on Saturday, 2000-01-01 00:00 UTC
		c := newClockwork(t)
		c.staff(team.RoundRobin, "ann")
		monday := team.Hours{Zone: "UTC", Weekly: []team.Span{{Day: 1, From: "09:00", To: "17:00"}}}
		c.done(c.commands.Workspaces.ChangeSettings(t.Context(), someone, wsdomain.ChangeSettings{Settings: wsdomain.Settings{Hours: &monday}}))
		waits := c.hand(0, 1)
		start := func() (stop func()) {
			_, stop = host(t, reactors.Config{Store: c.log, Reactors: []reactors.Reactor{c.rules(time.Now)}, Leases: c.leases, Parking: c.parking, Alone: true, Poll: time.Hour, LeaseTTL: time.Hour})
			return stop
		}
		stop := start()
		opens := time.Date(2000, 1, 3, 9, 0, 0, 0, time.UTC)
		pass(time.Until(opens) - time.Second)
		if who := c.assignee(waits[0]); who != "" {
			t.Errorf("before the hours begin %s has the chat", who)
		}
		stop()
		stop = start() // nothing happens in the log any more
		pass(2 * time.Second)
		if who := c.assignee(waits[0]); who != "ann" {
			t.Errorf("once the hours have begun %q has the chat", who)
		}
		// A team's own hours come before the workspace's.
		own := team.Hours{Zone: "UTC", Weekly: []team.Span{{Day: 1, From: "12:30", To: "13:00"}}}
		c.done(c.commands.Teams.SetHours(t.Context(), someone, team.SetHours{Team: "sales", Hours: own}))
		waits = c.hand(1, 1)
		pass(time.Until(opens.Add(3*time.Hour + 29*time.Minute)))
		if who := c.assignee(waits[0]); who != "" {
			t.Errorf("out of the team's hours %s has the chat", who)
		}
		pass(2 * time.Minute)
		if who := c.assignee(waits[0]); who != "ann" {
			t.Errorf("in the team's hours %q has the chat", who)
		}
		stop()
	})
}
