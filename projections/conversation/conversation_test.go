package conversation_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func us(n int) int64 { return sec(n).UnixMicro() }

func text(n int, s string) chat.MessageReceived {
	return chat.MessageReceived{
		Message: chat.MessageID("m-" + s), ProviderID: "wamid." + s, Content: chat.Content{Kind: "text", Text: s}, At: sec(n),
	}
}

func queued(n int, s string) chat.MessageQueued {
	return chat.MessageQueued{Message: chat.MessageID("o-" + s), Text: s, By: "ann", At: sec(n)}
}

func accepted(n int, s string) chat.MessageAccepted {
	return chat.MessageAccepted{Message: chat.MessageID("o-" + s), ProviderID: "wamid.OUT" + s, At: sec(n)}
}

func report(n int, s string, state chat.Delivery) chat.DeliveryRecorded {
	return chat.DeliveryRecorded{ProviderID: "wamid.OUT" + s, State: state, At: sec(n)}
}

// fold returns the entries and reactions of a chat in which facts happened, at
// seconds 1, 2, 3 …
func fold(t testing.TB, facts ...any) ([]conversation.EntryRow, projectionstest.Tables) {
	events := make([]projections.Event, len(facts))
	for i, f := range facts {
		e := projectionstest.Event("chat-1", f)
		e.ID = uuid.UUID{15: byte(i + 1)}
		e.Meta = eventstore.Metadata{Workspace: "acme", Actor: "ann", ActorKind: "agent"}
		switch f.(type) {
		case chat.MessageReceived, chat.ReactionReceived, chat.SystemNoticed:
			e.Meta.Actor, e.Meta.ActorKind = "1555", "customer"
		}
		events[i] = e
	}
	tables := projectionstest.Fold(t, conversation.New(), events...)
	return projectionstest.Rows[conversation.EntryRow](tables, "conversation_v3_entries"), tables
}

func TestMessages(t *testing.T) {
	in := chat.MessageReceived{
		Message: "m", ProviderID: "wamid.1", At: sec(50),
		Content:  chat.Content{Kind: "image", Text: "look", Media: &chat.Media{ID: "7", MIMEType: "image/jpeg"}},
		Context:  &chat.Context{ProviderID: "wamid.0"},
		Referral: &chat.Referral{Headline: "Bikes"},
	}
	bot := queued(60, "a")
	bot.Bot = true
	got, _ := fold(t, in, bot)
	want := []conversation.EntryRow{
		{
			Position: 1, Chat: "1", ID: "m", Workspace: "acme", Kind: "message", At: us(50),
			ByKind: "customer", ByID: "1555", ProviderID: "wamid.1",
			Body: conversation.Body{Content: &in.Content, Context: in.Context, Referral: in.Referral}, Revision: 0,
		},
		{
			Position: 2, Chat: "1", ID: "o-a", Workspace: "acme", Kind: "message", At: us(60),
			ByKind: "bot", ByID: "ann",
			Body: conversation.Body{Content: &chat.Content{Kind: "text", Text: "a"}}, Revision: 1,
		},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestDelivery(t *testing.T) {
	failed := report(63, "a", chat.Failed)
	failed.Error = &chat.DeliveryError{Code: 131047, Title: "Re-engagement", Details: "24 hours"}
	tests := []struct {
		name  string
		given []any
		want  conversation.Progress
	}{
		{"queued", []any{queued(60, "a")}, conversation.Progress{}},
		{"accepted", []any{queued(60, "a"), accepted(61, "a")}, conversation.Progress{State: "sent", StateAt: us(61)}},
		{"read", []any{queued(60, "a"), accepted(61, "a"), report(65, "a", chat.Read)}, conversation.Progress{State: "read", StateAt: us(65)}},
		{
			"delivered after read",
			[]any{queued(60, "a"), accepted(61, "a"), report(65, "a", chat.Read), report(64, "a", chat.Delivered)},
			conversation.Progress{State: "read", StateAt: us(65)},
		},
		{"reported before it was accepted", []any{queued(60, "a"), report(64, "a", chat.Delivered), accepted(61, "a")}, conversation.Progress{State: "delivered", StateAt: us(64)}},
		{"reported before it was there", []any{report(64, "a", chat.Delivered), queued(60, "a"), accepted(61, "a")}, conversation.Progress{State: "delivered", StateAt: us(64)}},
		{"sent, reported first", []any{queued(60, "a"), report(62, "a", chat.Sent), accepted(61, "a")}, conversation.Progress{State: "sent", StateAt: us(61)}},
		{"of another message", []any{queued(60, "a"), accepted(61, "a"), report(64, "b", chat.Read)}, conversation.Progress{State: "sent", StateAt: us(61)}},
		{"failed", []any{queued(60, "a"), accepted(61, "a"), failed}, conversation.Progress{
			State: "failed", StateAt: us(63), ErrorCode: 131047, ErrorTitle: "Re-engagement", ErrorDetails: "24 hours",
		}},
		{"failed, but there after all", []any{queued(60, "a"), accepted(61, "a"), failed, report(70, "a", chat.Delivered)}, conversation.Progress{State: "delivered", StateAt: us(70)}},
		{"never handed over", []any{queued(60, "a"), chat.DeliveryRecorded{Message: "o-a", State: chat.Failed, Error: &chat.DeliveryError{Code: 100}, At: sec(61)}}, conversation.Progress{
			State: "failed", StateAt: us(61), ErrorCode: 100,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, tables := fold(t, tt.given...)
			var got conversation.Progress
			for _, r := range projectionstest.Rows[conversation.DeliveryRow](tables, "conversation_v3_deliveries") {
				if r.ID == "o-a" {
					got = r.Progress
				}
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestReactions(t *testing.T) {
	react := func(n int, id, emoji string) chat.ReactionReceived {
		return chat.ReactionReceived{ProviderID: id, Target: "wamid.a", Emoji: emoji, At: sec(n)}
	}
	for name, tt := range map[string]struct {
		given []any
		want  string
	}{
		"one":                    {[]any{text(10, "a"), react(20, "r1", "👍")}, "👍"},
		"before its message":     {[]any{react(20, "r1", "👍"), text(10, "a")}, "👍"},
		"the later one":          {[]any{text(10, "a"), react(20, "r1", "👍"), react(30, "r2", "🎉")}, "🎉"},
		"the later one, first":   {[]any{text(10, "a"), react(30, "r2", "🎉"), react(20, "r1", "👍")}, "🎉"},
		"taken away":             {[]any{text(10, "a"), react(20, "r1", "👍"), react(30, "r2", "")}, ""},
		"taken away, told first": {[]any{text(10, "a"), react(30, "r2", ""), react(20, "r1", "👍")}, ""},
		"two of the same second": {[]any{text(10, "a"), react(20, "r2", "👍"), react(20, "r1", "🎉")}, "🎉"},
		"taken away at once":     {[]any{text(10, "a"), react(20, "r2", "👍"), react(20, "r1", "")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, tables := fold(t, tt.given...)
			got := projectionstest.Rows[conversation.ReactionRow](tables, "conversation_v3_reactions")
			if len(got) != 1 || got[0].Emoji != tt.want || got[0].Sender != "1555" {
				t.Errorf("reactions %+v, want %q", got, tt.want)
			}
		})
	}
}

// Of ours there is one on a message, whoever of us has put it there, besides the
// customer's own. One that failed gives way to what the customer sees, and says why.
func TestOurReactions(t *testing.T) {
	react := func(n int, by chat.AgentID, emoji string, instead *chat.ShownReaction) chat.ReactionQueued {
		return chat.ReactionQueued{Reaction: fmt.Sprint("q", n), Message: "m-a", Target: "wamid.a", Emoji: emoji, By: by, At: sec(n), Instead: instead}
	}
	failed := func(by chat.AgentID, emoji string, left chat.ShownReaction) chat.ReactionFailed {
		return chat.ReactionFailed{
			Reaction: "q", Message: "m-a", Target: "wamid.a", Emoji: emoji, By: by, Left: left,
			Error: &chat.DeliveryError{Code: 131009, Title: "Parameter value is not valid"}, At: sec(50),
		}
	}
	anns := chat.ShownReaction{Emoji: "👍", By: "ann"}
	own := chat.ReactionReceived{ProviderID: "r1", Target: "wamid.a", Emoji: "🎉", At: sec(15)}
	for name, tt := range map[string]struct {
		given []any
		want  string
	}{
		"one":                     {[]any{react(20, "ann", "👍", nil)}, "ann 👍"},
		"beside the customer's":   {[]any{own, react(20, "ann", "👍", nil)}, "1555 🎉 ann 👍"},
		"another's":               {[]any{react(20, "ann", "👍", nil), react(30, "bob", "🙏", &anns)}, "bob 🙏"},
		"another of the same":     {[]any{react(20, "ann", "👍", nil), react(30, "ann", "🙏", &anns)}, "ann 🙏"},
		"taken away":              {[]any{react(20, "ann", "👍", nil), react(30, "bob", "", &anns)}, ""},
		"failed":                  {[]any{react(20, "ann", "👍", nil), failed("ann", "👍", chat.ShownReaction{})}, ""},
		"failed after another's":  {[]any{react(20, "ann", "👍", nil), react(30, "bob", "🙏", &anns), failed("bob", "🙏", anns)}, "ann 👍"},
		"failed to be taken away": {[]any{react(20, "ann", "👍", nil), react(30, "ann", "", &anns), failed("ann", "", anns)}, "ann 👍"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, tables := fold(t, append([]any{text(10, "a")}, tt.given...)...)
			var got []string
			for _, r := range projectionstest.Rows[conversation.ReactionRow](tables, "conversation_v3_reactions") {
				if r.Emoji != "" {
					got = append(got, r.Sender+" "+r.Emoji)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("reactions %q, want %q", got, tt.want)
			}
			last := entries[len(entries)-1]
			says := last.Body.System != nil && last.Body.System.Type == conversation.NoReaction && last.Body.System.Code == "131009" && last.ByKind == "system"
			if says != strings.HasPrefix(name, "failed") {
				t.Errorf("the last entry is %+v", last)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	note := chat.NoteAdded{Note: "n", Text: "first", By: "ann", At: sec(5)}
	edit := chat.NoteEdited{Note: "n", Text: "second", By: "bob", At: sec(6)}
	got, tables := fold(t, note, edit)
	if len(got) != 1 || got[0].Kind != "note" || got[0].ID != "n" || got[0].ByID != "ann" {
		t.Errorf("the entry of a note: %+v", got)
	}
	want := []conversation.NoteRow{{
		NoteKey: conversation.NoteKey{Chat: "1", ID: "n"}, Position: 1, Text: "second", EditedAt: us(6), EditedBy: "bob",
	}}
	if diff := gocmp.Diff(want, projectionstest.Rows[conversation.NoteRow](tables, "conversation_v3_notes")); diff != "" {
		t.Errorf("an edited note (-want +got):\n%s", diff)
	}
	got, tables = fold(t, note, edit, chat.NoteDeleted{Note: "n", By: "ann", At: sec(7)})
	want = []conversation.NoteRow{{NoteKey: want[0].NoteKey, Position: 1, Deleted: true}}
	if len(got) != 0 || gocmp.Diff(want, projectionstest.Rows[conversation.NoteRow](tables, "conversation_v3_notes")) != "" {
		t.Errorf("a deleted note: %+v, %+v", got, tables["conversation_v3_notes"])
	}
}

// What is written by hand must be what encoding/json reads.
func TestBodyJSON(t *testing.T) {
	text := chat.Content{Kind: "text", Text: "\"a\"\n\u2028<b> \xff\x00 é"}
	bodies := []conversation.Body{{}, {Content: &text}, {Content: &chat.Content{Kind: "text"}}, {Context: &chat.Context{ProviderID: "x"}, Content: &text}, {Content: &chat.Content{Kind: "text", Text: "x", Interactive: &chat.Interactive{Body: "y"}}}, {Content: &chat.Content{Kind: "text", Text: "x"}, QuickReply: &chat.QuickReplyUse{ID: "x", Version: 1}}}
	for _, set := range []func(*chat.Content){
		func(c *chat.Content) { c.Kind = "image" },
		func(c *chat.Content) { c.Media = &chat.Media{ID: "1"} },
		func(c *chat.Content) { c.Location = &chat.Location{Name: "x"} },
		func(c *chat.Content) { c.Cards = []chat.Card{{Name: "x"}} },
		func(c *chat.Content) { c.Reply = &chat.Reply{ID: "x"} },
		func(c *chat.Content) { c.Flow = &chat.Flow{} },
		func(c *chat.Content) { c.Order = "x" },
		func(c *chat.Content) { c.Error = &chat.DeliveryError{Code: 1} },
		func(c *chat.Content) { c.Interactive = &chat.Interactive{Body: "x"} },
		func(c *chat.Content) { c.Raw = []byte(`{"x":1}`) },
	} {
		c := text
		set(&c)
		bodies = append(bodies, conversation.Body{Content: &c})
	}
	if n := reflect.TypeFor[chat.Content]().NumField(); n != 11 {
		t.Errorf("Content has %d fields: is the new one looked at here, and in isText?", n)
	}
	for _, b := range bodies {
		type plain conversation.Body
		want, err := json.Marshal(plain(b))
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var x, y plain
		if err := errors.Join(json.Unmarshal(want, &x), json.Unmarshal(got, &y)); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if diff := gocmp.Diff(x, y); diff != "" {
			t.Errorf("%s (-encoding/json +ours):\n%s", got, diff)
		}
	}
}

func TestSystemEntries(t *testing.T) {
	tests := []struct {
		fact any
		want conversation.System
	}{
		{chat.SystemNoticed{ProviderID: "wamid.s", Kind: "user_changed_number", Text: "t", NewNumber: "1999", At: sec(1)}, conversation.System{
			Type: "noticed", Notice: "user_changed_number", Text: "t", NewNumber: "1999",
		}},
		{chat.Claimed{By: "ann"}, conversation.System{Type: "claimed", To: "ann"}},
		{chat.Assigned{To: "bob", From: "ann"}, conversation.System{Type: "assigned", To: "bob", From: "ann"}},
		{chat.Unassigned{From: "ann"}, conversation.System{Type: "unassigned", From: "ann"}},
		{chat.Transferred{Kind: chat.ToTeam, To: "sales", From: "ann", FromTeam: "x", Reason: "r"}, conversation.System{
			Type: "transferred", ToKind: "team", To: "sales", From: "ann", FromTeam: "x", Reason: "r",
		}},
		{chat.TagsChanged{Added: []chat.TagID{"vip"}}, conversation.System{Type: "tags_changed", Added: []string{"vip"}}},
		{chat.StatusSet{Status: "REVIEW", Category: chat.CategoryPending, From: "OPEN"}, conversation.System{
			Type: "status_set", Status: "REVIEW", Category: "pending", Was: "OPEN",
		}},
		{chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed, From: "OPEN"}, conversation.System{
			Type: "closed", Status: "CLOSED", Category: "closed", Was: "OPEN",
		}},
		{chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen, From: "CLOSED", Message: "m"}, conversation.System{
			Type: "reopened", Status: "OPEN", Category: "open", Was: "CLOSED", Message: "m",
		}},
		{chat.Deleted{By: "ann", Reason: "spam"}, conversation.System{Type: "deleted", Reason: "spam"}},
		{chat.Restored{By: "ann"}, conversation.System{Type: "restored"}},
		{chat.DetailsShared{Reason: chat.ByForm, Name: "Ana", Emails: []string{"a@x"}, At: sec(1)}, conversation.System{
			Type: "details_shared", Details: &conversation.Details{Reason: "form", Name: "Ana", Emails: []string{"a@x"}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.want.Type, func(t *testing.T) {
			got, _ := fold(t, tt.fact)
			if len(got) != 1 || got[0].Kind != "system" || got[0].At != us(1) {
				t.Fatalf("entries %+v", got)
			}
			if diff := gocmp.Diff(&tt.want, got[0].Body.System); diff != "" {
				t.Errorf("entry (-want +got):\n%s", diff)
			}
		})
	}
	for _, f := range []any{chat.Opened{At: sec(1)}, chat.MarkedRead{By: "ann"}} {
		if got, _ := fold(t, f); len(got) != 0 {
			t.Errorf("%T is shown: %+v", f, got)
		}
	}
	got, _ := fold(t, chat.SystemNoticed{ProviderID: "wamid.s", At: sec(1)})
	if want := ids.Message("1", "wamid.s"); got[0].ID != want {
		t.Errorf("a notice has the id %s, want %s, whatever event recorded it", got[0].ID, want)
	}
}

// Whatever order webhooks of different times arrive in, the conversation is the same.
func TestLateWebhooksLeadToTheSameConversation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		story := viewstest.Draw(rt)
		if diff := gocmp.Diff(settled(t, story.InOrder()), settled(t, story.Late(rt))); diff != "" {
			rt.Fatalf("in order (-), late (+):\n%s", diff)
		}
	})
}

// settled folds events, orders entries as they are read, and takes revisions and
// positions out.
func settled(t testing.TB, events []projections.Event) []any {
	tables := projectionstest.Fold(t, conversation.New(), events...)
	entries := projectionstest.Rows[conversation.EntryRow](tables, "conversation_v3_entries")
	slices.SortFunc(entries, func(a, b conversation.EntryRow) int {
		return cmp.Or(cmp.Compare(a.Chat, b.Chat), cmp.Compare(a.At, b.At), cmp.Compare(a.Position, b.Position))
	})
	for i := range entries {
		entries[i].Revision, entries[i].Position = 0, 0
	}
	reactions := projectionstest.Rows[conversation.ReactionRow](tables, "conversation_v3_reactions")
	for i := range reactions {
		reactions[i].Position = 0
	}
	out := []any{entries, reactions}
	for _, table := range []string{"conversation_v3_deliveries", "conversation_v3_reports"} {
		out = append(out, tables[table]...)
	}
	return out
}
