package chat_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestSchedule(t *testing.T) {
	due := noon.Add(2 * time.Hour)
	hours := &chat.QuickReplyUse{ID: "workspace.hours", Version: 2}
	ask := chat.SendMessage{Message: "o1", Outgoing: chat.Outgoing{Text: "hi"}, By: "bob", At: noon, Window: chat.WhatsAppWindow}
	with := func(change func(*chat.SendMessage)) chat.SendMessage {
		c := ask
		c.Later = &chat.Later{SendAt: due}
		change(&c)
		return c
	}
	at := func(due time.Time) chat.SendMessage { return with(func(c *chat.SendMessage) { c.Later.SendAt = due }) }
	say := func(text string) chat.Outgoing { return chat.Outgoing{Text: text} }
	scheduled := chat.MessageScheduled{Message: "o1", Outgoing: say("hi"), By: "bob", SendAt: due, At: noon}
	replying := chat.Outgoing{Text: "hi", QuickReply: hours}
	quick := chat.MessageScheduled{Message: "o1", Outgoing: replying, By: "bob", SendAt: due, At: noon}
	advertising := chat.Outgoing{Text: "Buy!", Template: &chat.TemplateUse{ID: "t1", Name: "buy", Language: "en", Category: "marketing"}}
	informing := chat.Outgoing{Text: "Ready.", Template: &chat.TemplateUse{ID: "t2", Name: "ready", Language: "en", Category: "utility"}}
	advert := chat.MessageScheduled{Message: "o1", Outgoing: advertising, By: "bob", SendAt: due, At: noon}
	notice := chat.MessageScheduled{Message: "o1", Outgoing: informing, By: "bob", SendAt: due, At: noon}
	optedOut := chat.OptedOut{Reason: chat.ByStaff, By: "ann", At: noon}
	shy := chat.MessageScheduled{Message: "o2", Outgoing: say("ho"), By: "bob", SendAt: due, CancelOnReply: true, At: noon}
	shy3 := shy
	shy3.Message = "o3"
	changed := chat.ScheduleChanged{Message: "o1", Outgoing: say("hi"), SendAt: due.Add(time.Hour), By: "ann", At: later}
	text, moved, yes := "hello", due.Add(time.Hour), true
	change := func(c chat.ChangeScheduled) chat.ChangeScheduled {
		c.Message, c.By, c.At = "o1", "ann", later
		return c
	}
	send := func(at time.Time) chat.SendDue { return chat.SendDue{Message: "o1", At: at} }
	out := chat.MessageQueued{Message: "o1", Text: "hi", By: "bob", At: due, Scheduled: true}
	cancelled := chat.ScheduleCancelled{Message: "o1", Reason: chat.CancelledByAgent, By: "ann", At: later}
	cancel := chat.CancelScheduled{Message: "o1", By: "ann", At: later}
	full := past{opened}
	for i := range chat.MaxScheduled {
		full = append(full, chat.MessageScheduled{Message: chat.MessageID(fmt.Sprint("x", i)), Outgoing: say("hi"), By: "bob", SendAt: due, At: noon})
	}
	wrote := chat.ReceiveMessage{Message: "m1", ProviderID: "wamid.1", Content: hello.Content, At: noon}
	run(t, cases{
		{Name: "scheduled", Given: past{opened}, When: at(due), Then: past{scheduled}},
		{
			Name: "with all there is", Given: past{opened}, When: with(func(c *chat.SendMessage) { c.Bot, c.QuickReply, c.Later.CancelOnReply = true, hours, true }),
			Then: past{chat.MessageScheduled{Message: "o1", Outgoing: replying, By: "bob", Bot: true, SendAt: due, CancelOnReply: true, At: noon}},
		},
		{Name: "in another zone", Given: past{opened}, When: at(due.In(time.FixedZone("x", 3600)).Add(999)), Then: past{scheduled}},
		{Name: "again", Given: past{opened, scheduled}, When: at(due)},
		{Name: "again once it was sent", Given: past{opened, scheduled, out}, When: at(due)},
		{Name: "for now", Given: past{opened}, When: at(noon), Err: chat.ErrSendAt},
		{Name: "in a year", Given: past{opened}, When: at(noon.Add(chat.MaxAhead)), Then: past{chat.MessageScheduled{Message: "o1", Outgoing: say("hi"), By: "bob", SendAt: noon.Add(chat.MaxAhead), At: noon}}},
		{Name: "for too late", Given: past{opened}, When: at(noon.Add(chat.MaxAhead + 1000)), Err: chat.ErrSendAt},
		{Name: "without a text", Given: past{opened}, When: with(func(c *chat.SendMessage) { c.Text = "" }), Err: chat.ErrTextMissing},
		{Name: "by nobody", Given: past{opened}, When: with(func(c *chat.SendMessage) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "closed", Given: past{opened, closed}, When: at(due), Err: chat.ErrClosed},
		{Name: "a template", Given: past{opened}, When: with(func(c *chat.SendMessage) { c.Outgoing = advertising }), Then: past{advert}},
		{Name: "marketing for one who opted out", Given: past{opened, optedOut}, When: with(func(c *chat.SendMessage) { c.Outgoing = advertising }), Err: chat.ErrOptedOut},
		{Name: "a notice for one who opted out", Given: past{opened, optedOut}, When: with(func(c *chat.SendMessage) { c.Outgoing = informing }), Then: past{notice}},
		{Name: "now, with the window closed", Given: past{opened}, When: ask, Err: chat.ErrWindowClosed},
		{Name: "no chat", When: at(due), Err: chat.ErrNotFound},
		{Name: "one too many", Given: full, When: at(due), Err: chat.ErrTooManyScheduled},

		{Name: "moved", Given: past{opened, scheduled}, When: change(chat.ChangeScheduled{SendAt: &moved}), Then: past{changed}},
		{Name: "another text", Given: past{opened, quick}, When: change(chat.ChangeScheduled{Text: &text}), Then: past{chat.ScheduleChanged{Message: "o1", Outgoing: say("hello"), SendAt: due, By: "ann", At: later}}},
		{
			Name: "not after a reply", Given: past{opened, quick}, When: change(chat.ChangeScheduled{CancelOnReply: &yes}),
			Then: past{chat.ScheduleChanged{Message: "o1", Outgoing: replying, SendAt: due, CancelOnReply: true, By: "ann", At: later}},
		},
		{Name: "as it is", Given: past{opened, scheduled, changed}, When: change(chat.ChangeScheduled{SendAt: &moved})},
		{Name: "as it is, in the past", Given: past{opened, scheduled}, When: chat.ChangeScheduled{Message: "o1", SendAt: &due, CancelOnReply: &yes, By: "ann", At: due.Add(time.Second)}, Then: past{
			chat.ScheduleChanged{Message: "o1", Outgoing: say("hi"), SendAt: due, CancelOnReply: true, By: "ann", At: due.Add(time.Second)},
		}},
		{Name: "another text for a template", Given: past{opened, notice}, When: change(chat.ChangeScheduled{Text: &text}), Err: chat.ErrTemplateText},
		{Name: "a template moved", Given: past{opened, notice}, When: change(chat.ChangeScheduled{SendAt: &moved}), Then: past{chat.ScheduleChanged{Message: "o1", Outgoing: informing, SendAt: moved, By: "ann", At: later}}},
		{Name: "to the past", Given: past{opened, scheduled}, When: change(chat.ChangeScheduled{SendAt: &noon}), Err: chat.ErrSendAt},
		{Name: "to nothing", Given: past{opened, scheduled}, When: change(chat.ChangeScheduled{Text: new(string)}), Err: chat.ErrTextMissing},
		{Name: "changed in a closed chat", Given: past{opened, scheduled, closed}, When: change(chat.ChangeScheduled{SendAt: &moved}), Err: chat.ErrClosed},
		{Name: "changed by nobody", Given: past{opened, scheduled}, When: chat.ChangeScheduled{Message: "o1", SendAt: &moved, At: later}, Err: chat.ErrByMissing},
		{Name: "change one that is sent", Given: past{opened, scheduled, out}, When: change(chat.ChangeScheduled{SendAt: &moved}), Err: chat.ErrNotScheduled},
		{Name: "change none", Given: past{opened, scheduled}, When: chat.ChangeScheduled{SendAt: &moved, By: "ann"}, Err: chat.ErrMessageMissing},

		{Name: "cancelled", Given: past{opened, scheduled}, When: cancel, Then: past{cancelled}},
		{Name: "cancelled in a closed chat", Given: past{opened, scheduled, closed}, When: cancel, Then: past{cancelled}},
		{Name: "cancelled twice", Given: past{opened, scheduled, cancelled}, When: cancel, Err: chat.ErrNotScheduled},
		{Name: "cancelled in a deleted chat", Given: past{opened, scheduled, gone}, When: cancel, Err: chat.ErrNotFound},
		{Name: "cancelled by a reply", Given: past{opened, scheduled, shy3, shy}, When: wrote, Then: past{
			hello, chat.ScheduleCancelled{Message: "o2", Reason: chat.CancelledByReply, Reply: "m1", At: noon}, chat.ScheduleCancelled{Message: "o3", Reason: chat.CancelledByReply, Reply: "m1", At: noon},
		}, Anew: true},

		{Name: "due", Given: past{opened, scheduled}, When: send(due), Then: past{out}},
		{Name: "due with its quick reply", Given: past{opened, quick}, When: send(due), Then: past{chat.MessageQueued{Message: "o1", Text: "hi", By: "bob", At: due, QuickReply: hours, Scheduled: true}}},
		{Name: "not due", Given: past{opened, scheduled}, When: send(due.Add(-time.Microsecond))},
		{Name: "not due any more", Given: past{opened, scheduled, changed}, When: send(due)},
		{Name: "due as changed", Given: past{opened, scheduled, changed}, When: send(moved), Then: past{chat.MessageQueued{Message: "o1", Text: "hi", By: "bob", At: moved, Scheduled: true}}},
		{Name: "due and sent", Given: past{opened, scheduled, out}, When: send(due)},
		{Name: "due and cancelled", Given: past{opened, scheduled, cancelled}, When: send(due)},
		{Name: "due in a closed chat", Given: past{opened, scheduled, closed}, When: send(due), Then: past{chat.ScheduleFailed{Message: "o1", Code: "chat.closed", Reason: chat.ErrClosed.Msg, At: due}}},
		{Name: "due in a deleted chat", Given: past{opened, scheduled, gone}, When: send(due), Then: past{chat.ScheduleFailed{Message: "o1", Code: "chat.not_found", Reason: chat.ErrNotFound.Msg, At: due}}},
		{Name: "due when the window is closed", Given: past{opened, scheduled}, When: chat.SendDue{Message: "o1", At: due, Window: chat.WhatsAppWindow}, Then: past{
			chat.ScheduleFailed{Message: "o1", Code: "chat.window_closed", Reason: "the customer has not written yet: only a template can be sent", At: due},
		}},
		{Name: "a template due when the window is closed", Given: past{opened, notice, optedOut}, When: chat.SendDue{Message: "o1", At: due, Window: chat.WhatsAppWindow}, Then: past{
			chat.MessageQueued{Message: "o1", Text: "Ready.", By: "bob", At: due, Template: informing.Template, Scheduled: true},
		}},
		{Name: "due after the customer opted out", Given: past{opened, advert, optedOut}, When: send(due), Then: past{chat.ScheduleFailed{Message: "o1", Code: "chat.opted_out", Reason: chat.ErrOptedOut.Msg, At: due}}},
		{Name: "due after the customer wrote", Given: past{opened, scheduled, hello}, When: chat.SendDue{Message: "o1", At: due, Window: chat.WhatsAppWindow}, Then: past{out}},
		{Name: "failed and due again", Given: past{opened, scheduled, chat.ScheduleFailed{Message: "o1", Code: "chat.closed", At: due}}, When: send(moved)},
		{Name: "due in no chat", When: send(due)},
	})
}
