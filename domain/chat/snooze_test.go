package chat_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestSnooze(t *testing.T) {
	until := noon.Add(48 * time.Hour)
	aside := chat.PutAside{Until: until, By: "ann", At: noon}
	with := func(change func(*chat.PutAside)) chat.PutAside { c := aside; change(&c); return c }
	snoozed := chat.Snoozed{Until: until, By: "ann", At: noon}
	waiting := chat.Snoozed{By: "ann", At: noon}
	due := func(at time.Time) chat.WakeDue { return chat.WakeDue{At: at} }
	woken := chat.Woken{Reason: chat.WokenByTime}
	wrote := chat.ReceiveMessage{Message: "m1", ProviderID: "wamid.1", Content: hello.Content, At: noon}
	back := chat.Woken{Reason: chat.WokenByReply, Message: "m1"}
	run(t, cases{
		{Name: "until a time", Given: past{opened}, When: aside, Then: past{snoozed}},
		{Name: "in another zone", Given: past{opened}, When: with(func(c *chat.PutAside) { c.Until = until.In(time.FixedZone("x", 3600)).Add(999) }), Then: past{snoozed}},
		{Name: "until a reply", Given: past{opened}, When: chat.PutAside{UntilReply: true, By: "ann", At: noon}, Then: past{waiting}},
		{Name: "for longer", Given: past{opened, waiting}, When: aside, Then: past{snoozed}},
		{Name: "for a reply now", Given: past{opened, snoozed}, When: chat.PutAside{UntilReply: true, By: "ann", At: noon}, Then: past{waiting}},
		{Name: "the same again", Given: past{opened, snoozed}, When: with(func(c *chat.PutAside) { c.At = later })},
		{Name: "a year", Given: past{opened}, When: with(func(c *chat.PutAside) { c.Until = noon.Add(chat.MaxSnooze) }), Then: past{chat.Snoozed{Until: noon.Add(chat.MaxSnooze), By: "ann", At: noon}}},
		{Name: "more than a year", Given: past{opened}, When: with(func(c *chat.PutAside) { c.Until = noon.Add(chat.MaxSnooze + time.Second) }), Err: chat.ErrSnoozeUntil},
		{Name: "until now", Given: past{opened}, When: with(func(c *chat.PutAside) { c.Until = noon }), Err: chat.ErrSnoozeUntil},
		{Name: "until nothing", Given: past{opened}, When: with(func(c *chat.PutAside) { c.Until = time.Time{} }), Err: chat.ErrSnoozeMissing},
		{Name: "until both", Given: past{opened}, When: with(func(c *chat.PutAside) { c.UntilReply = true }), Err: chat.ErrSnoozeMissing},
		{Name: "by nobody", Given: past{opened}, When: with(func(c *chat.PutAside) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "closed", Given: past{opened, closed}, When: aside, Err: chat.ErrClosed},
		{Name: "deleted", Given: past{opened, gone}, When: aside, Err: chat.ErrNotFound},
		{Name: "no chat", When: aside, Err: chat.ErrNotFound},

		{Name: "its time", Given: past{opened, snoozed}, When: due(until), Then: past{woken}},
		{Name: "just before", Given: past{opened, snoozed}, When: due(until.Add(-time.Microsecond))},
		{Name: "moved", Given: past{opened, snoozed, chat.Snoozed{Until: until.Add(time.Hour), By: "ann", At: later}}, When: due(until)},
		{Name: "its time, and only a reply counts now", Given: past{opened, snoozed, waiting}, When: due(until)},
		{Name: "its time once more", Given: past{opened, snoozed, woken}, When: due(until)},
		{Name: "its time, closed since", Given: past{opened, snoozed, closed}, When: due(until)},
		{Name: "its time, closed and reopened since", Given: past{opened, snoozed, closed, chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen, From: "CLOSED"}}, When: due(until)},
		{Name: "its time while it is deleted", Given: past{opened, snoozed, gone}, When: due(until), Then: past{woken}},
		{Name: "its time in no chat", When: due(until)},
		{Name: "what is back is unread", Given: past{opened, snoozed, woken}, When: chat.MarkRead{By: "ann"}, Then: past{chat.MarkedRead{By: "ann"}}},

		{Name: "the customer writes", Given: past{opened, snoozed}, When: wrote, Then: past{hello, back}, Anew: true},
		{Name: "the customer writes, for which it waits", Given: past{opened, waiting}, When: wrote, Then: past{hello, back}, Anew: true},
		{Name: "the customer writes again", Given: past{opened, waiting, hello, back}, When: wrote, Then: past{hello}, Anew: true},
		{Name: "a reaction is no reply", Given: past{opened, waiting}, When: chat.ReceiveReaction{ProviderID: "r", Target: "wamid.o1", Emoji: "x", At: noon}, Then: past{chat.ReactionReceived{ProviderID: "r", Target: "wamid.o1", Emoji: "x", At: noon}}, Anew: true},
		{Name: "an answer leaves it", Given: past{opened, waiting, queued}, When: chat.WakeUp{By: "bob"}, Then: past{chat.Woken{Reason: chat.WokenByAgent, By: "bob"}}},

		{Name: "taken back", Given: past{opened, snoozed}, When: chat.WakeUp{By: "bob"}, Then: past{chat.Woken{Reason: chat.WokenByAgent, By: "bob"}}},
		{Name: "taken back again", Given: past{opened}, When: chat.WakeUp{By: "bob"}},
		{Name: "taken back by nobody", Given: past{opened, snoozed}, When: chat.WakeUp{}, Err: chat.ErrByMissing},
		{Name: "taken back from the dead", Given: past{opened, snoozed, gone}, When: chat.WakeUp{By: "bob"}, Err: chat.ErrNotFound},
	})
}
