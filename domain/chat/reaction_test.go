package chat_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestReactions(t *testing.T) {
	react := func(id, emoji string, by chat.AgentID) chat.React {
		return chat.React{ID: id, Message: "m1", Target: "wamid.1", Emoji: emoji, By: by, At: later}
	}
	wanted := func(id, emoji string, by chat.AgentID, instead *chat.ShownReaction) chat.ReactionQueued {
		return chat.ReactionQueued{Reaction: id, Message: "m1", Target: "wamid.1", Emoji: emoji, By: by, At: later, Instead: instead}
	}
	with := func(change func(*chat.React)) chat.React {
		c := react("r1", "👍", "ann")
		change(&c)
		return c
	}
	up, sent := wanted("r1", "👍", "ann", nil), chat.ReactionSent{Reaction: "r1", Message: "m1", ProviderID: "wamid.r1", At: later}
	anns := &chat.ShownReaction{Emoji: "👍", By: "ann"}
	heart := wanted("r2", "❤️", "bob", anns)
	off := wanted("r2", "", "bob", anns)
	why := &chat.DeliveryError{Code: 131009, Title: "Parameter value is not valid"}
	failed := chat.ReactionFailed{Reaction: "r1", Message: "m1", Target: "wamid.1", Emoji: "👍", By: "ann", Error: why, At: later}
	failedHeart := chat.ReactionFailed{Reaction: "r2", Message: "m1", Target: "wamid.1", Emoji: "❤️", By: "bob", Error: why, Left: *anns, At: later}
	settle := func(id, provider string, err *chat.DeliveryError) chat.SettleReaction {
		return chat.SettleReaction{ID: id, Message: "m1", ProviderID: provider, Error: err, At: later}
	}
	report := func(provider string, d chat.Delivery) chat.RecordDelivery {
		return chat.RecordDelivery{ProviderID: provider, State: d, Error: why, At: later}
	}
	early := failed
	early.Error = &chat.DeliveryError{Title: "WhatsApp did not deliver the reaction"}
	given := past{opened, hello}
	and := func(more ...chat.Event) past { return append(given[:2:2], more...) }
	run(t, cases{
		{Name: "react", Given: given, When: react("r1", "👍", "ann"), Then: past{up}},
		{Name: "react the same", Given: and(up), When: react("r2", "👍", "bob")},
		{Name: "react in the place of another", Given: and(up, sent), When: react("r2", "❤️", "bob"), Then: past{heart}},
		{Name: "take it away", Given: and(up, sent), When: react("r2", "", "bob"), Then: past{off}},
		{Name: "take away what is not there", Given: given, When: react("r1", "", "ann")},
		{Name: "take it away twice", Given: and(up, sent, off), When: react("r3", "", "ann")},
		{Name: "react again after that", Given: and(up, sent, off), When: react("r3", "👍", "ann"), Then: past{wanted("r3", "👍", "ann", nil)}},
		{Name: "react again after a failure", Given: and(up, failed), When: react("r2", "👍", "ann"), Then: past{wanted("r2", "👍", "ann", nil)}},
		{Name: "to no message of the customer", Given: given, When: with(func(c *chat.React) { c.Target = "" }), Err: chat.ErrReactionTarget},
		{Name: "to nothing", Given: given, When: with(func(c *chat.React) { c.Message = "" }), Err: chat.ErrMessageMissing},
		{Name: "by nobody", Given: given, When: with(func(c *chat.React) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "with words", Given: given, When: with(func(c *chat.React) { c.Emoji = "ok" }), Err: chat.ErrEmoji},
		{Name: "in a closed chat", Given: and(closed), When: react("r1", "👍", "ann"), Err: chat.ErrClosed},
		{Name: "in a deleted chat", Given: and(gone), When: react("r1", "👍", "ann"), Err: chat.ErrNotFound},
		{Name: "too late", Given: given, When: with(func(c *chat.React) { c.At, c.Window = noon.Add(24*time.Hour), 24*time.Hour }), Err: chat.ErrWindowClosed},
		{Name: "just in time", Given: given, When: with(func(c *chat.React) { c.Window = 24 * time.Hour }), Then: past{up}},

		{Name: "sent", Given: and(up), When: settle("r1", "wamid.r1", nil), Then: past{sent}},
		{Name: "sent twice", Given: and(up, sent), When: settle("r1", "wamid.r1", nil)},
		{Name: "sent under no id", Given: and(up), When: settle("r1", "", nil), Err: chat.ErrProviderIDMissing},
		{Name: "sent, but another is wanted", Given: and(up, heart), When: settle("r1", "wamid.r1", nil)},
		{Name: "failed", Given: and(up), When: settle("r1", "", why), Then: past{failed}},
		{Name: "failed after it was sent", Given: and(up, sent), When: settle("r1", "", why)},
		{Name: "failed in the place of another", Given: and(up, sent, heart), When: settle("r2", "", why), Then: past{failedHeart}},
		{Name: "sent after its failure was reported", Given: and(up, chat.DeliveryRecorded{ProviderID: "wamid.r1", State: chat.Failed, At: noon}), When: settle("r1", "wamid.r1", nil), Then: past{sent, early}},

		{Name: "reported as read", Given: and(up, sent), When: report("wamid.r1", chat.Read)},
		{Name: "reported as failed", Given: and(up, sent), When: report("wamid.r1", chat.Failed), Then: past{failed}},
		{Name: "reported as failed twice", Given: and(up, sent, failed), When: report("wamid.r1", chat.Failed)},
		{Name: "reported as failed when another is wanted", Given: and(up, sent, heart), When: report("wamid.r1", chat.Failed)},
	})
}

func TestOneEmoji(t *testing.T) {
	emoji := func(s string) error {
		_, err := chat.React{ID: "r", Message: "m1", Target: "wamid.1", Emoji: s, By: "ann"}.Decide(chat.State{Exists: true})
		return err
	}
	for _, s := range []string{"👍", "👍🏽", "❤️", "❤", "😂", "🇧🇷", "1️⃣", "#⃣", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☺️", "‼️", "↔️", "©️", "🧑🏿‍🚀", "⌚", "〰️", "🫶🏾"} {
		if err := emoji(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"a", "ok", "👍👍", "👍 ", " 👍", "1", "é", "🇧", "👍\u200D", "\u200D", "\uFE0F", "!", "<", "\x00", "\xff", "👍\xff", "中", "👍a"} {
		if err := emoji(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestShowingThatItWasRead(t *testing.T) {
	second := chat.MessageReceived{Message: "m2", ProviderID: "wamid.2", Content: chat.Content{Kind: "text", Text: "and?"}, At: later}
	late := chat.MessageReceived{Message: "m0", ProviderID: "wamid.0", Content: chat.Content{Kind: "text", Text: "hi"}, At: noon.Add(-time.Hour)}
	same := second
	same.At = noon
	read, shown := chat.MarkedRead{By: "ann"}, chat.ReadShown{Message: "m1", ProviderID: "wamid.1", By: "ann", At: later}
	shownSecond := chat.ReadShown{Message: "m2", ProviderID: "wamid.2", By: "ann", At: later}
	show := chat.MarkRead{By: "ann", At: later, Show: true}
	run(t, cases{
		{Name: "shown", Given: past{opened, hello}, When: show, Then: past{read, shown}},
		{Name: "shown of what was read before", Given: past{opened, hello, read}, When: show, Then: past{shown}},
		{Name: "shown twice", Given: past{opened, hello, read, shown}, When: show},
		{Name: "shown of the next", Given: past{opened, hello, read, shown, second}, When: show, Then: past{read, shownSecond}},
		{Name: "shown of the last that was written", Given: past{opened, hello, second, late}, When: show, Then: past{read, shownSecond}},
		{Name: "shown of the later of the same time", Given: past{opened, hello, same}, When: show, Then: past{read, shownSecond}},
		{Name: "not shown", Given: past{opened, hello}, When: chat.MarkRead{By: "ann", At: later}, Then: past{read}},
		{Name: "shown since the channel always does", Given: past{opened, hello}, When: chat.MarkRead{By: "ann", At: later, Always: true}, Then: past{read, shown}},
		{Name: "not shown since the channel never does", Given: past{opened, hello}, When: chat.MarkRead{By: "ann", At: later, Show: true, Never: true}, Then: past{read}},
		{Name: "not shown to whom is blocked", Given: past{opened, hello}, When: chat.MarkRead{By: "ann", At: later, Always: true, Blocked: true}, Then: past{read}},
		{Name: "asked to be shown to whom is blocked", Given: past{opened, hello}, When: chat.MarkRead{By: "ann", At: later, Show: true, Blocked: true}, Err: chat.ErrBlocked},
		{Name: "nothing to show", Given: past{opened}, When: show},
		{Name: "shown in a closed chat", Given: past{opened, hello, closed}, When: show, Then: past{read, shown}},
		{Name: "in a deleted chat", Given: past{opened, hello, gone}, When: show, Err: chat.ErrNotFound},
	})
}

func TestShowingThatSomebodyWrites(t *testing.T) {
	second := chat.MessageReceived{Message: "m2", ProviderID: "wamid.2", Content: chat.Content{Kind: "text", Text: "and?"}, At: later}
	show := chat.ShowTyping{By: "ann", At: later, Window: chat.WhatsAppWindow}
	with := func(change func(*chat.ShowTyping)) chat.ShowTyping { c := show; change(&c); return c }
	shown := chat.ReadShown{Message: "m1", ProviderID: "wamid.1", By: "ann", Typing: true, At: later}
	byBot, again, ofSecond := shown, shown, shown
	byBot.By, byBot.Bot = "rob", true
	again.At = later.Add(chat.TypingShown)
	ofSecond.Message, ofSecond.ProviderID = "m2", "wamid.2"
	read := shown
	read.Typing = false
	run(t, cases{
		{Name: "shown", Given: past{opened, hello}, When: show, Then: past{shown}},
		{Name: "of a bot", Given: past{opened, hello}, When: with(func(c *chat.ShowTyping) { c.By, c.Bot = "rob", true }), Then: past{byBot}},
		{Name: "while it is shown", Given: past{opened, hello, shown}, When: with(func(c *chat.ShowTyping) { c.At = again.At.Add(-1) })},
		{Name: "when it is shown no more", Given: past{opened, hello, shown}, When: with(func(c *chat.ShowTyping) { c.At = again.At }), Then: past{again}},
		{Name: "after it was read", Given: past{opened, hello, read}, When: show, Then: past{shown}},
		{Name: "to the next message", Given: past{opened, hello, shown, second}, When: show, Then: past{ofSecond}},
		{Name: "what was shown so is read", Given: past{opened, hello, shown}, When: chat.MarkRead{By: "ann", At: later, Show: true}, Then: past{chat.MarkedRead{By: "ann"}}},
		{Name: "before anything was written", Given: past{opened}, When: show, Err: chat.ErrNothingToAnswer},
		{Name: "a day later", Given: past{opened, hello}, When: with(func(c *chat.ShowTyping) { c.At = noon.Add(25 * time.Hour) }), Err: chat.ErrWindowClosed},
		{Name: "to whom is blocked", Given: past{opened, hello}, When: with(func(c *chat.ShowTyping) { c.Blocked = true }), Err: chat.ErrBlocked},
		{Name: "where nothing is shown", Given: past{opened, hello}, When: with(func(c *chat.ShowTyping) { c.Never = true }), Err: chat.ErrReadMarksOff},
		{Name: "by nobody", Given: past{opened, hello}, When: with(func(c *chat.ShowTyping) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "in a closed chat", Given: past{opened, hello, closed}, When: show, Err: chat.ErrClosed},
		{Name: "in a deleted chat", Given: past{opened, hello, gone}, When: show, Err: chat.ErrNotFound},
	})
}
