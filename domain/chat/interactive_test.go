package chat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
)

func sizes() *chat.Interactive {
	return &chat.Interactive{
		Header: "Sizes", Body: "Which one?", Footer: "You can change it later",
		List: &chat.ChoiceList{Button: "Choose", Sections: []chat.ListSection{
			{Title: "Small", Rows: []chat.ListRow{{ID: "s", Title: "S", Description: "to 36"}}},
			{Title: "Large", Rows: []chat.ListRow{{ID: "l", Title: "L"}, {ID: "xl", Title: "XL", Description: "from 44"}}},
		}},
	}
}

func yesOrNo() *chat.Interactive {
	return &chat.Interactive{Body: "Is that right?", Buttons: []chat.ReplyButton{{ID: "yes", Title: "Yes"}, {ID: "no", Title: "No"}}}
}

func track() *chat.Interactive {
	return &chat.Interactive{Body: "It left today.", Link: &chat.LinkButton{Title: "Track it", URL: "https://example.com/t/1"}}
}

func TestInteractiveMessages(t *testing.T) {
	send := func(m *chat.Interactive) chat.SendMessage {
		return chat.SendMessage{Message: "o1", By: "ann", At: later, Outgoing: chat.Outgoing{Interactive: m}}
	}
	sent := func(m *chat.Interactive, text string) chat.MessageQueued {
		return chat.MessageQueued{Message: "o1", Text: text, By: "ann", At: later, Interactive: m}
	}
	const choose = "Sizes\n\nWhich one?\n\nYou can change it later\n\nChoose:\nSmall\n- S: to 36\nLarge\n- L\n- XL: from 44"
	due := noon.Add(2 * time.Hour)
	soon := send(sizes())
	soon.Later = &chat.Later{SendAt: due}
	waits := chat.MessageScheduled{Message: "o1", Outgoing: chat.Outgoing{Text: choose, Interactive: sizes()}, SendAt: due, By: "ann", At: later}
	queued := sent(sizes(), choose)
	queued.At, queued.Scheduled = due, true
	late := send(yesOrNo())
	late.At, late.Window = noon.Add(48*time.Hour), chat.WhatsAppWindow
	text := "other"
	run(t, cases{
		{Name: "buttons", Given: past{opened}, When: send(yesOrNo()), Then: past{sent(yesOrNo(), "Is that right?\n\n- Yes\n- No")}},
		{Name: "again", Given: past{opened, sent(yesOrNo(), "")}, When: send(yesOrNo())},
		{Name: "a list", Given: past{opened}, When: send(sizes()), Then: past{sent(sizes(), choose)}},
		{Name: "a link", Given: past{opened}, When: send(track()), Then: past{sent(track(), "It left today.\n\nTrack it: https://example.com/t/1")}},
		{Name: "later", Given: past{opened}, When: soon, Then: past{waits}},
		{Name: "when it is due", Given: past{opened, waits}, When: chat.SendDue{Message: "o1", At: due}, Then: past{queued}},
		{Name: "other words of what waits", Given: past{opened, waits}, When: chat.ChangeScheduled{Message: "o1", Text: &text, By: "ann", At: later}, Err: chat.ErrInteractiveText},
		{Name: "too late", Given: past{opened, hello}, When: late, Err: chat.ErrWindowClosed},
		{Name: "in a closed chat", Given: past{opened, chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed, From: "OPEN"}}, When: send(track()), Err: chat.ErrClosed},
	})
}

// What WhatsApp would not take is refused, and the part is named.
func TestInteractiveBounds(t *testing.T) {
	const e = "é" // bounds are characters
	long := func(n int) string { return strings.Repeat(e, n) }
	rows := func(n int) (list []chat.ListRow) {
		for i := range n {
			list = append(list, chat.ListRow{ID: fmt.Sprint(i), Title: "row"})
		}
		return list
	}
	for _, tc := range []struct {
		field  string // "" if it is taken
		change func(list, buttons, link *chat.Interactive) *chat.Interactive
	}{
		{"", func(l, _, _ *chat.Interactive) *chat.Interactive {
			l.Header, l.Body, l.Footer, l.List.Button = long(60), long(4096), long(60), long(20)
			l.List.Sections = []chat.ListSection{{Title: long(24), Rows: []chat.ListRow{{ID: strings.Repeat("x", 200), Title: long(24), Description: long(72)}}}}
			return l
		}},
		{"", func(l, _, _ *chat.Interactive) *chat.Interactive {
			l.List.Sections = []chat.ListSection{{Rows: rows(10)}}
			return l
		}},
		{"", func(_, b, _ *chat.Interactive) *chat.Interactive {
			b.Body, b.Buttons[0] = long(1024), chat.ReplyButton{ID: strings.Repeat("x", 256), Title: long(20)}
			return b
		}},
		{"", func(_, _, k *chat.Interactive) *chat.Interactive { k.Link.Title = long(20); return k }},
		{"interactive", func(_, _, _ *chat.Interactive) *chat.Interactive { return &chat.Interactive{Body: "x"} }},
		{"interactive", func(l, b, _ *chat.Interactive) *chat.Interactive { l.Buttons = b.Buttons; return l }},
		{"interactive", func(l, _, k *chat.Interactive) *chat.Interactive { k.List = l.List; return k }},
		{"interactive.header", func(l, _, _ *chat.Interactive) *chat.Interactive { l.Header = long(61); return l }},
		{"interactive.header", func(l, _, _ *chat.Interactive) *chat.Interactive { l.Header = "a\nb"; return l }},
		{"interactive.body", func(l, _, _ *chat.Interactive) *chat.Interactive { l.Body = " \n"; return l }},
		{"interactive.body", func(l, _, _ *chat.Interactive) *chat.Interactive { l.Body = long(4097); return l }},
		{"interactive.body", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Body = long(1025); return b }},
		{"interactive.body", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Body = "\xff"; return b }},
		{"interactive.footer", func(_, _, k *chat.Interactive) *chat.Interactive { k.Footer = long(61); return k }},
		{"interactive.buttons", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Buttons = []chat.ReplyButton{}; return b }},
		{"interactive.buttons", func(_, b, _ *chat.Interactive) *chat.Interactive {
			b.Buttons = append(b.Buttons, chat.ReplyButton{ID: "3", Title: "3"}, chat.ReplyButton{ID: "4", Title: "4"})
			return b
		}},
		{"interactive.buttons[1].title", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Buttons[1].Title = long(21); return b }},
		{"interactive.buttons[1].title", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Buttons[1].Title = "Yes"; return b }},
		{"interactive.buttons[1].id", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Buttons[1].ID = "yes"; return b }},
		{"interactive.buttons[0].id", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Buttons[0].ID = ""; return b }},
		{"interactive.buttons[0].id", func(_, b, _ *chat.Interactive) *chat.Interactive { b.Buttons[0].ID = " a"; return b }},
		{"interactive.buttons[0].id", func(_, b, _ *chat.Interactive) *chat.Interactive {
			b.Buttons[0].ID = strings.Repeat("x", 257)
			return b
		}},
		{"interactive.list.button", func(l, _, _ *chat.Interactive) *chat.Interactive { l.List.Button = ""; return l }},
		{"interactive.list.sections", func(l, _, _ *chat.Interactive) *chat.Interactive { l.List.Sections = nil; return l }},
		{"interactive.list.sections", func(l, _, _ *chat.Interactive) *chat.Interactive {
			l.List.Sections = make([]chat.ListSection, 11)
			return l
		}},
		{"interactive.list.sections[1].title", func(l, _, _ *chat.Interactive) *chat.Interactive { l.List.Sections[1].Title = ""; return l }},
		{"interactive.list.sections[1].rows", func(l, _, _ *chat.Interactive) *chat.Interactive { l.List.Sections[1].Rows = nil; return l }},
		{"interactive.list.sections[1].rows", func(l, _, _ *chat.Interactive) *chat.Interactive { l.List.Sections[1].Rows = rows(10); return l }},
		{"interactive.list.sections[1].rows[0].id", func(l, _, _ *chat.Interactive) *chat.Interactive {
			l.List.Sections[1].Rows[0].ID = "s"
			return l
		}},
		{"interactive.list.sections[0].rows[0].title", func(l, _, _ *chat.Interactive) *chat.Interactive {
			l.List.Sections[0].Rows[0].Title = long(25)
			return l
		}},
		{"interactive.list.sections[0].rows[0].description", func(l, _, _ *chat.Interactive) *chat.Interactive {
			l.List.Sections[0].Rows[0].Description = long(73)
			return l
		}},
		{"interactive.link.title", func(_, _, k *chat.Interactive) *chat.Interactive { k.Link.Title = long(21); return k }},
		{"interactive.link.url", func(_, _, k *chat.Interactive) *chat.Interactive { k.Link.URL = "javascript:alert(1)"; return k }},
		{"interactive.link.url", func(_, _, k *chat.Interactive) *chat.Interactive { k.Link.URL = "https:///x"; return k }},
	} {
		m := tc.change(sizes(), yesOrNo(), track())
		_, err := chat.SendMessage{Message: "o1", By: "ann", Outgoing: chat.Outgoing{Interactive: m}}.Decide(chat.State{Exists: true})
		f, _ := errors.AsType[*fault.Error](err)
		if tc.field == "" && err != nil || tc.field != "" && (f == nil || f.Field != tc.field || !errors.Is(err, chat.ErrInteractive)) {
			t.Errorf("%+v: %v at %v, want it at %q", m, err, f, tc.field)
		}
	}
}

func TestReplyingToAMessage(t *testing.T) {
	send := func(to, provider string, change func(*chat.SendMessage)) chat.SendMessage {
		c := chat.SendMessage{Message: "o9", By: "ann", At: later, Outgoing: chat.Outgoing{
			Text: "that one", ReplyTo: &chat.RepliedTo{Message: chat.MessageID(to), ProviderID: provider},
		}}
		if change != nil {
			change(&c)
		}
		return c
	}
	sent := func(to, provider string) past {
		return past{chat.MessageQueued{Message: "o9", Text: "that one", By: "ann", At: later, ReplyTo: &chat.RepliedTo{Message: chat.MessageID(to), ProviderID: provider}}}
	}
	queued := chat.MessageQueued{Message: "o1", Text: "hi", By: "ann", At: noon}
	accepted := chat.MessageAccepted{Message: "o1", ProviderID: "wamid.o1", At: noon}
	failed := chat.DeliveryRecorded{Message: "o1", State: chat.Failed, At: noon}
	due := noon.Add(2 * time.Hour)
	soon := send("m1", "wamid.1", func(c *chat.SendMessage) { c.Later = &chat.Later{SendAt: due} })
	waits := chat.MessageScheduled{Message: "o9", Outgoing: soon.Outgoing, SendAt: due, By: "ann", At: later}
	atLast := sent("m1", "wamid.1")[0].(chat.MessageQueued)
	atLast.At, atLast.Scheduled = due, true
	run(t, cases{
		{Name: "to the customer's", Given: past{opened, hello}, When: send("m1", "wamid.1", nil), Then: sent("m1", "wamid.1")},
		{Name: "to one that there is not", Given: past{opened, hello}, When: send("m7", "", nil), Err: chat.ErrReplyUnknown},
		{Name: "to nothing", Given: past{opened, hello}, When: send("", "wamid.1", nil), Err: chat.ErrReplyUnknown},
		{Name: "to ours", Given: past{opened, queued, accepted}, When: send("o1", "", nil), Then: sent("o1", "wamid.o1")},
		{Name: "to ours, whatever is said of it", Given: past{opened, queued, accepted}, When: send("o1", "wamid.x", nil), Then: sent("o1", "wamid.o1")},
		{Name: "to one that is not sent yet", Given: past{opened, queued}, When: send("o1", "", nil), Err: chat.ErrReplyUnsent},
		{Name: "to one that failed", Given: past{opened, queued, failed}, When: send("o1", "", nil), Err: chat.ErrReplyUnsent},
		{Name: "to one that failed in the end", Given: past{opened, queued, accepted, failed}, When: send("o1", "", nil), Err: chat.ErrReplyUnsent},
		{Name: "to one that waits for its time", Given: past{opened, chat.MessageScheduled{Message: "o1", Outgoing: chat.Outgoing{Text: "hi"}, SendAt: due, By: "ann", At: noon}}, When: send("o1", "", nil), Err: chat.ErrReplyUnsent},
		{Name: "again", Given: append(past{opened}, sent("o1", "x")...), When: send("o1", "", nil)},
		{Name: "later", Given: past{opened, hello}, When: soon, Then: past{waits}},
		{Name: "when it is due", Given: past{opened, hello, waits}, When: chat.SendDue{Message: "o9", At: due}, Then: past{atLast}},
		{Name: "with a template", Given: past{opened, hello}, When: send("m1", "wamid.1", func(c *chat.SendMessage) {
			c.Template = &chat.TemplateUse{ID: "t", Name: "hi", Language: "en"}
		}), Err: chat.ErrReplyTemplate},
		{Name: "with something interactive", Given: past{opened, hello}, When: send("m1", "wamid.1", func(c *chat.SendMessage) { c.Interactive = yesOrNo() }), Then: past{chat.MessageQueued{
			Message: "o9", Text: yesOrNo().Words(), By: "ann", At: later, Interactive: yesOrNo(), ReplyTo: &chat.RepliedTo{Message: "m1", ProviderID: "wamid.1"},
		}}},
	})
}
