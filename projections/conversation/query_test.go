package conversation_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{conversation.New}, test)
}

func list(t *testing.T, tx sqldb.Tx, q conversation.Query) conversation.Page {
	t.Helper()
	page, err := conversation.List(t.Context(), tx, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func all(chatID string) conversation.Query {
	return conversation.Query{Workspace: viewstest.Workspace, Chat: chatID, Limit: 200, Notes: true, Events: true}
}

func TestEntriesAreComplete(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		in := text(10, "a")
		in.Content = chat.Content{Kind: "hologram", Raw: []byte(`{"deep":[1,2]}`), Cards: []chat.Card{{Name: "Ben"}}}
		in.Referral = &chat.Referral{Headline: "Bikes"}
		back := text(30, "b")
		back.Context = &chat.Context{ProviderID: "wamid.OUTx", From: "1"}
		lost := text(40, "c")
		lost.Context = &chat.Context{ProviderID: "wamid.unknown"}
		failed := report(36, "y", chat.Failed)
		failed.Error = &chat.DeliveryError{Code: 131047, Title: "Re-engagement"}
		l.Record(t, "chat-1",
			chat.ReactionReceived{ProviderID: "r1", Target: "wamid.a", Emoji: "👍", At: sec(11)},
			in, queued(20, "x"), accepted(21, "x"), report(22, "x", chat.Delivered), back, lost,
			queued(35, "y"), accepted(35, "y"), failed,
			chat.NoteAdded{Note: "n", Text: "careful", By: "ann", At: sec(50)},
			chat.NoteEdited{Note: "n", Text: "very careful", By: "bob", At: sec(51)},
			chat.SystemNoticed{ProviderID: "s", Kind: "user_changed_number", Text: "moved", NewNumber: "1999", At: sec(60)},
			chat.ReactionQueued{Reaction: "q1", Message: "m-b", Target: "wamid.b", Emoji: "🙏", By: "bob", At: sec(70)},
			chat.ReactionQueued{Reaction: "q2", Message: "m-b", Target: "wamid.b", Emoji: "👍", By: "ann", At: sec(71), Instead: &chat.ShownReaction{Emoji: "🙏", By: "bob"}},
		)
		customer, ann := conversation.Author{Kind: "customer", ID: viewstest.Customer}, conversation.Author{Kind: "agent", ID: "ann"}
		want := []conversation.Entry{
			{ID: "m-a", Kind: "message", At: us(10), By: customer, Revision: 1, Position: 2, Message: &conversation.Message{
				ProviderID: "wamid.a", Direction: "in", Content: in.Content, Referral: in.Referral,
				Reactions: []conversation.Reaction{{By: customer, Emoji: "👍", At: us(11)}},
			}},
			{ID: "o-x", Kind: "message", At: us(20), By: ann, Revision: 2, Position: 3, Message: &conversation.Message{
				ProviderID: "wamid.OUTx", Direction: "out", Content: chat.Content{Kind: "text", Text: "x"},
				Delivery: &conversation.Delivery{State: "delivered", At: us(22)},
			}},
			{ID: "m-b", Kind: "message", At: us(30), By: customer, Revision: 5, Position: 6, Message: &conversation.Message{
				ProviderID: "wamid.b", Direction: "in", Content: back.Content,
				Context:   &conversation.Context{Context: *back.Context, Message: "o-x"},
				Reactions: []conversation.Reaction{{By: ann, Emoji: "👍", At: us(71)}},
			}},
			{ID: "o-y", Kind: "message", At: us(35), By: ann, Revision: 7, Position: 8, Message: &conversation.Message{
				ProviderID: "wamid.OUTy", Direction: "out", Content: chat.Content{Kind: "text", Text: "y"},
				Delivery: &conversation.Delivery{State: "failed", At: us(36), Error: failed.Error},
			}},
			{ID: "m-c", Kind: "message", At: us(40), By: customer, Revision: 6, Position: 7, Message: &conversation.Message{
				ProviderID: "wamid.c", Direction: "in", Content: lost.Content, Context: &conversation.Context{Context: *lost.Context},
			}},
			{ID: "n", Kind: "note", At: us(50), By: ann, Revision: 10, Position: 11, Note: &conversation.Note{
				Text: "very careful", EditedAt: us(51), EditedBy: "bob",
			}},
			{Kind: "system", At: us(60), By: conversation.Author{Kind: "system"}, Revision: 12, Position: 13, System: &conversation.System{
				Type: "noticed", Notice: "user_changed_number", Text: "moved", NewNumber: "1999",
			}},
		}
		l.Read(t, func(tx sqldb.Tx) {
			got := list(t, tx, all("1")).Entries
			want[6].ID = got[6].ID // TestSystemEntries looks at it
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			for name, tt := range map[string]struct {
				query conversation.Query
				want  []conversation.Entry
			}{
				"messages only":       {conversation.Query{Chat: "1", Workspace: viewstest.Workspace}, want[:5]},
				"with notes":          {conversation.Query{Chat: "1", Workspace: viewstest.Workspace, Notes: true}, want[:6]},
				"with events":         {conversation.Query{Chat: "1", Workspace: viewstest.Workspace, Events: true}, append(slices.Clone(want[:5]), want[6])},
				"another chat":        {all("2"), nil},
				"no text":             {all("\x00"), nil},
				"another workspace's": {conversation.Query{Chat: "1", Workspace: "other"}, nil},
			} {
				page := list(t, tx, tt.query)
				if diff := cmp.Diff(tt.want, page.Entries); diff != "" && len(tt.want)+len(page.Entries) > 0 {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
		l.Verify(t)
	})
}

// Messages of both sides answer messages of both sides, and what is to be tapped is there.
func TestRepliesAndTaps(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		ask := &chat.Interactive{Body: "Which?", Buttons: []chat.ReplyButton{{ID: "s", Title: "Small"}, {ID: "l", Title: "Large"}}}
		asking := queued(20, "x")
		asking.Text, asking.Interactive, asking.ReplyTo = ask.Words(), ask, &chat.RepliedTo{Message: "m-a", ProviderID: "wamid.a"}
		tap := text(30, "b")
		tap.Content = chat.Content{Kind: "button", Text: "Large", Reply: &chat.Reply{ID: "l", Title: "Large"}}
		tap.Context = &chat.Context{ProviderID: "wamid.OUTx"}
		again := queued(40, "y")
		again.ReplyTo = &chat.RepliedTo{Message: "o-x", ProviderID: "wamid.OUTx"}
		l.Record(t, "chat-1", text(10, "a"), asking, accepted(21, "x"), tap, again)
		check := func(what string) {
			l.Read(t, func(tx sqldb.Tx) {
				got := list(t, tx, all("1")).Entries
				if len(got) != 4 {
					t.Fatalf("%s: %d entries", what, len(got))
				}
				for i, want := range map[int]string{1: "m-a", 2: "o-x", 3: "o-x"} {
					if c := got[i].Message.Context; c == nil || c.Message != want {
						t.Errorf("%s: entry %d answers %+v, want %s", what, i, c, want)
					}
				}
				want := chat.Content{Kind: "interactive", Text: "Which?\n\n- Small\n- Large", Interactive: ask}
				if diff := cmp.Diff(want, got[1].Message.Content); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
				if got[2].Message.Content.Reply.ID != "l" {
					t.Errorf("%s: tapped %+v", what, got[2].Message.Content)
				}
			})
		}
		check("live")
		l.Rebuild(t)
		check("rebuilt")
	})
}

// Pages, in both directions and of any size, add up to the whole.
func TestPages(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		r := rand.New(rand.NewPCG(1, 2))
		var facts []codec.Event
		for i := range 90 { // several at the same time
			facts = append(facts, text(r.IntN(20), fmt.Sprintf("%02d", i)), chat.Claimed{By: "ann"},
				chat.NoteAdded{Note: chat.NoteID(fmt.Sprint("n", i)), Text: "x", By: "ann", At: sec(r.IntN(20))})
		}
		l.Record(t, "chat-1", facts...)
		l.Record(t, "chat-2", text(5, "else"))
		l.Read(t, func(tx sqldb.Tx) {
			for _, q := range []conversation.Query{{}, {Notes: true}, {Events: true}, {Notes: true, Events: true}} {
				q.Workspace, q.Chat = viewstest.Workspace, "1"
				for _, q.Limit = range []int{1, 7, 90, 200} {
					back := backwards(t, tx, q)
					if want := 90 * (1 + b2i(q.Notes) + b2i(q.Events)); len(back) != want {
						t.Fatalf("%+v: %d entries, want %d", q, len(back), want)
					}
					if !slices.IsSortedFunc(back, func(a, b conversation.Entry) int { return int(a.At - b.At) }) {
						t.Errorf("%+v: not in order", q)
					}
					start := cursorOf(t, tx, q, back[0])
					before := q
					before.Before = start
					if page := list(t, tx, before); len(page.Entries) != 0 || page.Older != "" {
						t.Errorf("%+v: before the first are %d entries", q, len(page.Entries))
					}
					if diff := cmp.Diff(idsOf(back[1:]), idsOf(forwards(t, tx, q, start))); diff != "" {
						t.Errorf("%+v: forwards other entries than backwards:\n%s", q, diff)
					}
				}
			}
		})
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func idsOf(entries []conversation.Entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return out
}

// backwards reads the whole conversation from its end.
func backwards(t *testing.T, tx sqldb.Tx, q conversation.Query) (out []conversation.Entry) {
	for {
		page := list(t, tx, q)
		out = append(slices.Clone(page.Entries), out...)
		if q.Before = page.Older; q.Before == "" {
			return out
		}
	}
}

// forwards reads what comes after a cursor.
func forwards(t *testing.T, tx sqldb.Tx, q conversation.Query, from string) (out []conversation.Entry) {
	q.After = from
	for {
		page := list(t, tx, q)
		out = append(out, page.Entries...)
		if q.After = page.Newer; !page.MoreNewer {
			return out
		}
	}
}

// cursorOf returns the cursor of the first entry.
func cursorOf(t *testing.T, tx sqldb.Tx, q conversation.Query, first conversation.Entry) string {
	q.Limit = 1
	for {
		page := list(t, tx, q)
		if page.Entries[0].ID == first.ID {
			return page.Newer
		}
		q.Before = page.Older
	}
}

// Entries of the same time are in the order of the log, whatever their ids, and
// whatever they are. A page may begin and end between them.
func TestOfTheSameTimeInTheOrderOfTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		album := func(provider, s string) chat.MessageReceived {
			m := text(10, s)
			m.Message, m.ProviderID = chat.MessageID("m-"+provider), "wamid."+provider
			return m
		}
		l.Record(t, "chat-1",
			album("e", "one"), album("b", "two"),
			chat.NoteAdded{Note: "z", Text: "mind", By: "ann", At: sec(10)},
			album("d", "three"),
			chat.SystemNoticed{ProviderID: "wamid.a", Kind: "user_changed_number", At: sec(10)},
			queued(10, "y"), queued(10, "x"),
			album("c", "four"), album("a", "five"),
			text(9, "late"),
			chat.NoteEdited{Note: "z", Text: "never mind", By: "ann", At: sec(11)},
			chat.ReactionReceived{ProviderID: "r2", Target: "wamid.a", Emoji: "👍", At: sec(12)},
			chat.ReactionQueued{Reaction: "q1", Message: "m-a", Target: "wamid.a", Emoji: "🙏", By: "ann", At: sec(12)},
		)
		want := []string{"m-late", "m-e", "m-b", "z", "m-d", ids.Message("1", "wamid.a"), "o-y", "o-x", "m-c", "m-a"}
		l.Read(t, func(tx sqldb.Tx) {
			whole := list(t, tx, all("1")).Entries
			if diff := cmp.Diff(want, idsOf(whole)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			reactions := whole[len(whole)-1].Message.Reactions
			if len(reactions) != 2 || reactions[0].Emoji != "👍" || reactions[1].Emoji != "🙏" {
				t.Errorf("reactions %+v", reactions)
			}
			q := all("1")
			for q.Limit = range 12 {
				if q.Limit == 0 {
					continue
				}
				if diff := cmp.Diff(want, idsOf(backwards(t, tx, q))); diff != "" {
					t.Errorf("%d at once, backwards (-want +got):\n%s", q.Limit, diff)
				}
				if diff := cmp.Diff(want[1:], idsOf(forwards(t, tx, q, cursorOf(t, tx, q, whole[0])))); diff != "" {
					t.Errorf("%d at once, forwards (-want +got):\n%s", q.Limit, diff)
				}
			}
		})
	})
}

// Whoever keeps the cursor of the newest entry gets what comes later by it.
func TestPagesGoOnFromTheNewest(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", text(10, "a"))
		var newer string
		l.Read(t, func(tx sqldb.Tx) {
			page := list(t, tx, all("1"))
			if newer = page.Newer; page.MoreNewer || page.Older != "" {
				t.Errorf("page %+v", page)
			}
			q := all("1")
			q.After = newer
			if page = list(t, tx, q); len(page.Entries) > 0 || page.Newer != newer || page.MoreNewer {
				t.Errorf("nothing new: %+v", page)
			}
		})
		l.Record(t, "chat-1", text(20, "b"), text(5, "late"), text(30, "c"))
		l.Read(t, func(tx sqldb.Tx) {
			q := all("1")
			q.After = newer
			if page := list(t, tx, q); fmt.Sprint(idsOf(page.Entries)) != "[m-b m-c]" || page.MoreNewer || page.Older == "" {
				t.Errorf("what is new: %+v", page)
			}
			if got := list(t, tx, all("1")).Entries; fmt.Sprint(idsOf(got)) != "[m-late m-a m-b m-c]" {
				t.Errorf("all of it: %v", idsOf(got))
			}
		})
	})
}

// What is read is the same, too, in whatever order webhooks of different times arrive.
func TestLateWebhooksReadTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n > 5 { // each is two chats in the one database
				return
			}
			story := viewstest.Draw(rt)
			read := func(events []projections.Event, as string) (out []conversation.Entry) {
				for i := range events {
					events[i].Stream = "chat-" + as
					events[i].Meta.OccurredAt = events[i].Time // since the log dates what it takes itself
				}
				l.Replay(t, events)
				l.Read(t, func(tx sqldb.Tx) { out = list(t, tx, all(as)).Entries })
				for i := range out {
					out[i].Revision, out[i].Position = 0, 0
					if out[i].System != nil {
						out[i].ID = "" // a notice's is derived from the chat's
					}
				}
				return out
			}
			if diff := cmp.Diff(read(story.InOrder(), fmt.Sprint("a", n)), read(story.Late(rt), fmt.Sprint("b", n))); diff != "" {
				rt.Fatalf("in order (-), late (+):\n%s", diff)
			}
		})
	})
}

func TestBadQueries(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Read(t, func(tx sqldb.Tx) {
			good := cursor.Encode("conversation/position", map[string]any{"t": 1, "p": 2})
			for name, tt := range map[string]struct {
				query conversation.Query
				field string
			}{
				"damaged before":           {conversation.Query{Before: good[1:]}, "before"},
				"damaged after":            {conversation.Query{After: good[1:]}, "after"},
				"a cursor of another list": {conversation.Query{Before: cursor.Encode("history", 1)}, "before"},
				"before, by provider's id": {conversation.Query{Before: cursor.Encode("conversation", map[string]any{"t": 1, "i": "x", "e": "y"})}, "before"},
				"after, by provider's id":  {conversation.Query{After: cursor.Encode("conversation", map[string]any{"t": 1, "i": "x", "e": "y"})}, "after"},
				"both":                     {conversation.Query{Before: good, After: good}, "after"},
				"too much":                 {conversation.Query{Limit: 201}, "limit"},
			} {
				tt.query.Workspace, tt.query.Chat = "acme", "1"
				_, err := conversation.List(t.Context(), tx, tt.query)
				var f *fault.Error
				if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field {
					t.Errorf("%s: %v, want one that names %s", name, err, tt.field)
				}
			}
		})
	})
}
