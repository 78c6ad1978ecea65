package reactors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// KeepTimeName names the reactor.
const KeepTimeName = "keep_time.v1"

// KeepTime does what is to happen at a time: it wakes chats that were snoozed, sends
// messages that were scheduled, ends offers of chats that nobody accepted and calls that nobody
// reports about, begins campaigns, and each day has chats hidden that the workspace does
// not keep.
//
// Events set timers and stop them. Timers are kept durably, so that a start needs
// none of the log that was handled before, and memory holds the few that are due
// next. What is due is decided on the chat's own stream by a command whose id comes
// from the event that set the timer: so it happens once, whatever happens to this
// process, and not at all if it is no longer to happen.
type KeepTime struct {
	Timers Timers
	Chats  commands.Chats

	Calls      commands.Calls
	Campaigns  commands.Campaigns
	Workspaces commands.Workspaces
	Bulk       commands.Bulk

	Now    func() time.Time
	Logger *slog.Logger
}

// Kinds of timer.
const (
	timerSnooze   = "snooze"   // its subject is a chat
	timerCampaign = "campaign" // its subject is a campaign
	timerSend     = "send"     // a chat, a space, and a message
	timerOffer    = "offer"    // its subject is a chat
	timerCall     = "call"     // its subject is a call that nobody has answered
	timerTalk     = "talk"     // its subject is a call that somebody has

	timerRetention = "retention" // its subject is a workspace
)

const (
	timersAtOnce = 16
	timerPause   = time.Minute // before another try of a timer that could not be served
	timersRead   = 128

	// A clock may be set, and a machine may sleep: so the time is looked at this
	// often, however far the next timer is.
	longestWait = time.Minute
)

// Reactor returns it, ready for a Host.
func (k KeepTime) Reactor() Reactor {
	events := []codec.Event{
		chat.Snoozed{},
		chat.Woken{},
		chat.MessageScheduled{},
		chat.ScheduleChanged{},
		chat.ScheduleCancelled{},
		chat.ScheduleFailed{},
		chat.TransferOffered{},
		chat.TransferLapsed{},
		call.Requested{},
		call.Placed{},
		call.Ringing{},
		call.Answered{},
		call.Ended{},
		campaign.Launched{},
		campaign.Resumed{},
		campaign.Rescheduled{},
		workspace.SettingsChanged{},
	}
	t := &timekeeper{KeepTime: k, events: codec.New(events), changed: make(chan struct{}, 1)}
	r := Reactor{Name: KeepTimeName, Categories: []string{"chat", "call", "campaign", "workspace"}, Handle: t.handle, Beside: t.run}
	for _, e := range events {
		r.Types = append(r.Types, e.EventType())
	}
	return r
}

type timekeeper struct {
	KeepTime
	events  codec.Codec[codec.Event]
	changed chan struct{} // holds a token if timers were set since run has looked
}

// handle sets and stops timers.
func (k *timekeeper) handle(ctx context.Context, e eventstore.Recorded) error {
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	fact, err := k.events.Decode(e)
	if err != nil {
		return Permanent(err)
	}
	_, id, _ := strings.Cut(e.Stream, "-")
	set := func(kind, subject string, due time.Time) error {
		return k.set(ctx, Timer{Kind: kind, Subject: subject, Due: due, Position: e.Position, Workspace: meta.Workspace, Event: e.ID})
	}
	stop := func(kind, subject string) error {
		return k.Timers.StopTimer(ctx, KeepTimeName, kind, subject, uuid.Nil)
	}
	of := func(m chat.MessageID) string { return id + " " + string(m) }
	switch f := fact.(type) {
	case chat.Snoozed:
		if f.Until.IsZero() {
			return stop(timerSnooze, id)
		}
		return set(timerSnooze, id, f.Until)
	case campaign.Launched:
		if !f.Due.IsZero() {
			return set(timerCampaign, id, f.Due)
		}
	case campaign.Resumed: // while it was paused, its timer did nothing
		if !f.Due.IsZero() {
			return set(timerCampaign, id, f.Due)
		}
	case campaign.Rescheduled:
		return set(timerCampaign, id, f.Due)
	case workspace.SettingsChanged:
		switch {
		case f.To.Retention == nil:
		case f.To.Retention.ClosedDays == 0:
			return k.Timers.StopTimer(ctx, KeepTimeName, timerRetention, id, uuid.Nil)
		default: // at once, then each day
			return k.set(ctx, Timer{Kind: timerRetention, Subject: id, Due: e.Time, Position: e.Position, Workspace: meta.Workspace, Event: e.ID})
		}
	case chat.Woken:
		return stop(timerSnooze, id)
	case chat.MessageScheduled:
		return set(timerSend, of(f.Message), f.SendAt)
	case chat.ScheduleChanged:
		return set(timerSend, of(f.Message), f.SendAt)
	case chat.ScheduleCancelled:
		return stop(timerSend, of(f.Message))
	case chat.ScheduleFailed:
		return stop(timerSend, of(f.Message))
	case chat.TransferOffered:
		return set(timerOffer, id, f.Expires)
	case chat.TransferLapsed:
		return stop(timerOffer, id)
	case call.Requested, call.Placed, call.Ringing: // by our clock, whatever the provider's says
		return set(timerCall, id, e.Time.Add(call.MaxSilence))
	case call.Answered:
		return errors.Join(stop(timerCall, id), set(timerTalk, id, e.Time.Add(call.MaxTalk)))
	case call.Ended:
		return errors.Join(stop(timerCall, id), stop(timerTalk, id))
	}
	return nil
}

func (k *timekeeper) set(ctx context.Context, t Timer) error {
	if err := k.Timers.SetTimer(ctx, KeepTimeName, t); err != nil {
		return err
	}
	select {
	case k.changed <- struct{}{}:
	default:
	}
	return nil
}

// run does what is due, and waits for what is due next.
func (k *timekeeper) run(ctx context.Context) error {
	for {
		next, err := k.Timers.NextTimers(ctx, KeepTimeName, timersRead)
		if err != nil {
			return err
		}
		now := k.Now()
		wait := longestWait
		due := 0
		for due < len(next) && !next[due].Due.After(now) {
			due++
		}
		if due > 0 {
			if err := k.ring(ctx, next[:due], now); err != nil {
				return err
			}
			continue
		}
		if len(next) > 0 {
			wait = min(wait, next[0].Due.Sub(now))
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-k.changed:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// ring does what some timers are for, and stops those that were served. What is sent
// in one chat is sent in the order of its timers.
func (k *timekeeper) ring(ctx context.Context, due []Timer, now time.Time) error {
	var lanes [][]Timer
	of := map[string]int{} // the lane of a chat
	for _, t := range due {
		chat, _, _ := strings.Cut(t.Subject, " ")
		lane, begun := of[chat]
		if t.Kind != timerSend || !begun {
			lane = len(lanes)
			lanes = append(lanes, nil)
		}
		if t.Kind == timerSend {
			of[chat] = lane
		}
		lanes[lane] = append(lanes[lane], t)
	}
	failed := make([]error, len(lanes))
	var work errgroup.Group
	work.SetLimit(timersAtOnce)
	for i, lane := range lanes {
		work.Go(func() error {
			failed[i] = k.serveAll(ctx, lane, now)
			return nil
		})
	}
	_ = work.Wait() // each has its own error
	return errors.Join(failed...)
}

// serveAll serves timers one after another, up to one that cannot be served now.
func (k *timekeeper) serveAll(ctx context.Context, due []Timer, now time.Time) error {
	for _, t := range due {
		if err := k.serve(ctx, t, now); err != nil {
			return err
		}
	}
	return nil
}

func (k *timekeeper) serve(ctx context.Context, t Timer, now time.Time) error {
	o := commands.Origin{
		Workspace: t.Workspace, Actor: KeepTimeName, ActorKind: commands.ActorSystem,
		Command: ids.Command("timer", t.Kind, t.Event.String()), Causation: t.Event.String(),
	}
	var again time.Time // if it is to be served another time
	now = now.UTC().Truncate(time.Microsecond)
	var err error
	switch t.Kind {
	case timerSnooze:
		_, err = k.Chats.WakeDue(ctx, o, chat.ID(t.Subject), chat.WakeDue{At: now})
	case timerCampaign: // no more if it was cancelled, nor while it is paused
		_, err = k.Campaigns.Start(ctx, o, campaign.ID(t.Subject), campaign.Start{At: now})
	case timerOffer:
		_, err = k.Chats.ExpireTransfer(ctx, o, chat.ID(t.Subject), chat.ExpireTransfer{At: now})
	case timerCall, timerTalk:
		_, err = k.Calls.TimeOut(ctx, o, call.ID(t.Subject), call.TimeOut{Answered: t.Kind == timerTalk, At: now})
	case timerSend:
		id, message, _ := strings.Cut(t.Subject, " ")
		_, err = k.Chats.SendDue(ctx, o, chat.ID(id), chat.SendDue{Message: chat.MessageID(message), At: now})
	case timerRetention:
		o.Command = ids.Command("timer", t.Kind, t.Event.String(), t.Due.UTC().Format(time.RFC3339Nano))
		again, err = k.retain(ctx, o, t, now)
	default:
		err = fmt.Errorf("there is a timer of the kind %q, which a newer program has set", t.Kind)
	}
	switch {
	case errors.Is(err, commands.ErrUnavailable): // nor are the others to be served now
		return err
	case commands.IsRefusal(err):
		k.Logger.LogAttrs(ctx, slog.LevelError, "what was due was refused", slog.String("kind", t.Kind), slog.String("event", t.Event.String()), slog.Any("error", err))
	case err != nil: // those that are due behind it are not to wait for it
		k.Logger.LogAttrs(ctx, slog.LevelError, "what was due failed", slog.String("kind", t.Kind), slog.String("event", t.Event.String()), slog.Any("error", err))
		return k.Timers.PostponeTimer(ctx, KeepTimeName, t, now.Add(timerPause))
	}
	if !again.IsZero() { // unless it was set anew
		return k.Timers.PostponeTimer(ctx, KeepTimeName, t, again)
	}
	return k.Timers.StopTimer(ctx, KeepTimeName, t.Kind, t.Subject, t.Event)
}

// retain asks for a bulk operation that hides the chats that the workspace does not
// keep any longer, and returns when to do so again. Like any other it leaves alone
// what somebody is at, and can be undone.
func (k *timekeeper) retain(ctx context.Context, o commands.Origin, t Timer, now time.Time) (again time.Time, err error) {
	settings, err := k.Workspaces.Settings(ctx, t.Workspace)
	days := 0
	if err == nil {
		days = settings.Retention.ClosedDays
	}
	if err != nil || days == 0 {
		return again, err
	}
	since := now.AddDate(0, 0, -days)
	chats := fmt.Sprintf(`{"and":[{"field":"status_category","op":"eq","value":"closed"},{"field":"last_activity","op":"lt","value":%q}]}`,
		since.Format(time.RFC3339))
	_, err = k.Bulk.Request(ctx, o, commands.NewJob(o), bulk.Request{
		Workspace: t.Workspace, Action: bulk.Delete, Target: string(filter.Chats), Filter: []byte(chats),
		Reason: "closed, and nothing happened for " + inDays(days), Untouched: since, By: KeepTimeName, At: now,
	})
	return now.Add(24 * time.Hour), err
}

func inDays(n int) string {
	if n == 1 {
		return "a day"
	}
	return fmt.Sprintf("%d days", n)
}
