package inbox_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func us(n int) int64 { return sec(n).UnixMicro() }

func opened(n int) chat.Opened {
	return chat.Opened{Workspace: "acme", Channel: "ch", Customer: "15551230001", Status: "OPEN", Category: chat.CategoryOpen, At: sec(n)}
}

func text(n int, s string) chat.MessageReceived {
	return chat.MessageReceived{
		Message: chat.MessageID("m" + s), ProviderID: "wamid." + s, ProfileName: "Ana",
		Content: chat.Content{Kind: "text", Text: s}, At: sec(n),
	}
}

func answer(n int, s string) chat.MessageQueued {
	return chat.MessageQueued{Message: chat.MessageID("o" + s), Text: s, By: "ann", At: sec(n)}
}

func fold(t testing.TB, facts ...any) projectionstest.Tables {
	events := make([]projections.Event, len(facts))
	for i, f := range facts {
		events[i] = projectionstest.Event("chat-1", f)
	}
	return projectionstest.Fold(t, inbox.New(), events...)
}

func TestFold(t *testing.T) {
	base := inbox.Chat{
		ID: "1", Workspace: "acme", Channel: "ch", Customer: "15551230001", Name: "Ana", Phone: "+15551230001",
		Status: "OPEN", Category: "open", Unread: 1,
		LastAt: us(10), LastBy: "customer", LastKind: "text", LastPreview: "hi",
		WaitingSince: us(10), CreatedAt: us(10), LastActivityAt: us(10), Revision: 1,
	}
	given := []any{opened(10), text(10, "hi")}
	tests := []struct {
		name string
		when []any
		then func(c *inbox.Chat)
	}{
		{"a first message", nil, func(*inbox.Chat) {}},
		{"a second one", []any{text(20, "hm")}, func(c *inbox.Chat) {
			c.Unread, c.LastAt, c.LastActivityAt, c.LastPreview = 2, us(20), us(20), "hm"
		}},
		{"an older one, late", []any{text(5, "first")}, func(c *inbox.Chat) {
			c.Unread, c.CreatedAt, c.WaitingSince = 2, us(5), us(5)
		}},
		{"an answer", []any{answer(30, "yes")}, func(c *inbox.Chat) {
			c.LastAt, c.LastActivityAt, c.LastPreview, c.LastBy, c.WaitingSince = us(30), us(30), "yes", "agent", 0
		}},
		{"an answer by a clock behind the customer's", []any{answer(9, "yes")}, func(c *inbox.Chat) { c.WaitingSince = 0 }},
		{"a question after the answer", []any{answer(30, "yes"), text(40, "and")}, func(c *inbox.Chat) {
			c.LastAt, c.LastActivityAt, c.LastPreview, c.WaitingSince, c.Unread = us(40), us(40), "and", us(40), 2
		}},
		{"a late question from before the answer", []any{answer(30, "yes"), text(20, "late")}, func(c *inbox.Chat) {
			c.LastAt, c.LastActivityAt, c.LastPreview, c.LastBy, c.WaitingSince, c.Unread = us(30), us(30), "yes", "agent", 0, 2
		}},
		{"more of the same second", []any{text(20, "b"), text(20, "c"), text(20, "a")}, func(c *inbox.Chat) {
			c.Unread, c.LastAt, c.LastActivityAt, c.LastPreview = 4, us(20), us(20), "a"
		}},
		{"an answer of the same time", []any{answer(10, "yes")}, func(c *inbox.Chat) {
			c.LastPreview, c.LastBy, c.WaitingSince = "yes", "agent", 0
		}},
		{"a question of the same time, after the answer", []any{answer(10, "yes"), text(10, "and")}, func(c *inbox.Chat) {
			c.LastPreview, c.WaitingSince, c.Unread = "and", us(10), 2
		}},
		{"an answer by a bot", []any{chat.MessageQueued{Message: "o", Text: "beep", By: "bot", Bot: true, At: sec(11)}}, func(c *inbox.Chat) {
			c.LastAt, c.LastActivityAt, c.LastPreview, c.LastBy, c.WaitingSince = us(11), us(11), "beep", "bot", 0
		}},
		{"a reaction is no activity", []any{chat.ReactionReceived{ProviderID: "r", Target: "wamid.hi", Emoji: "👍", At: sec(50)}}, func(*inbox.Chat) {}},
		{"a notice is none either", []any{chat.SystemNoticed{ProviderID: "s", Kind: "user_changed_number", NewNumber: "1999", At: sec(50)}}, func(*inbox.Chat) {}},
		{"read", []any{text(20, "hm"), chat.MarkedRead{By: "ann"}}, func(c *inbox.Chat) {
			c.Unread, c.LastAt, c.LastActivityAt, c.LastPreview = 0, us(20), us(20), "hm"
		}},
		{"claimed", []any{chat.Claimed{By: "ann"}}, func(c *inbox.Chat) { c.Assignee = "ann" }},
		{"assigned and unassigned", []any{chat.Assigned{To: "ann"}, chat.Unassigned{From: "ann"}}, func(*inbox.Chat) {}},
		{"transferred to an agent", []any{chat.Assigned{To: "ann"}, chat.Transferred{Kind: chat.ToAgent, To: "bob"}}, func(c *inbox.Chat) { c.Assignee = "bob" }},
		{"transferred to a team", []any{chat.Assigned{To: "ann"}, chat.Transferred{Kind: chat.ToTeam, To: "sales"}}, func(c *inbox.Chat) { c.Team = "sales" }},
		{"an agent of the team", []any{chat.Transferred{Kind: chat.ToTeam, To: "sales"}, chat.Claimed{By: "ann"}}, func(c *inbox.Chat) { c.Team, c.Assignee = "sales", "ann" }},
		{"back to the bot", []any{chat.Transferred{Kind: chat.ToTeam, To: "sales"}, chat.Claimed{By: "ann"}, chat.Transferred{Kind: chat.ToBot}}, func(*inbox.Chat) {}},
		{"tags", []any{
			chat.TagsChanged{Added: []chat.TagID{"vip", "a"}}, chat.TagsChanged{Added: []chat.TagID{"b"}, Removed: []chat.TagID{"a"}},
		}, func(c *inbox.Chat) { c.Tags = []string{"b", "vip"} }},
		{"status", []any{chat.StatusSet{Status: "REVIEW", Category: chat.CategoryPending}}, func(c *inbox.Chat) { c.Status, c.Category = "REVIEW", "pending" }},
		{"closed", []any{chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed}}, func(c *inbox.Chat) { c.Status, c.Category = "CLOSED", "closed" }},
		{"reopened", []any{chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed}, chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen}}, func(*inbox.Chat) {}},
		{"details", []any{chat.DetailsShared{Reason: chat.ByForm, Name: "Ana Lima", Emails: []string{"a@x", "b@x"}, Phones: []string{"+1999"}, At: sec(12)}}, func(c *inbox.Chat) {
			c.Name, c.Email, c.Phone, c.IsContact = "Ana Lima", "a@x", "+1999", true
		}},
		{"older details fill gaps only", []any{
			chat.DetailsShared{Reason: chat.ByForm, Name: "Ana Lima", At: sec(12)},
			chat.DetailsShared{Reason: chat.ByContactCard, Name: "A.", Emails: []string{"a@x"}, Message: "m", At: sec(11)},
		}, func(c *inbox.Chat) { c.Name, c.Email, c.IsContact = "Ana Lima", "a@x", true }},
		{"details of the same time", []any{
			chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ben", Emails: []string{"b@x"}, Message: "z", At: sec(12)},
			chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana Lima", Emails: []string{"a@x"}, Message: "m", At: sec(12)},
		}, func(c *inbox.Chat) { c.Name, c.Email, c.IsContact = "Ana Lima", "a@x", true }},
		{"details that the contact has no more", []any{
			chat.DetailsShared{Reason: chat.ByForm, Name: "Ana Lima", Emails: []string{"a@x"}, Phones: []string{"+1999"}, At: sec(12)},
			chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"name", "emails", "phones"}, By: "ann", At: sec(13)},
			chat.DetailsShared{Reason: chat.ByContactCard, Emails: []string{"old@x"}, Message: "m", At: sec(11)},
			chat.DetailsShared{Reason: chat.ByAgent, Phones: []string{"+1888"}, By: "ann", At: sec(14)},
			chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"phones"}, By: "ann", At: sec(12)},
		}, func(c *inbox.Chat) { c.Phone, c.IsContact = "+1888", true }},
		{"a contact that was deleted", []any{
			chat.DetailsShared{Reason: chat.ByForm, Name: "Ana Lima", Emails: []string{"a@x"}, Phones: []string{"+1999"}, At: sec(12)},
			chat.DetailsShared{Reason: chat.ByForm, Emptied: []string{"name", "emails", "phones"}, Gone: true, At: sec(13)},
		}, func(*inbox.Chat) {}},
		{"a contact that came back", []any{
			chat.DetailsShared{Reason: chat.ByForm, Name: "Ana Lima", At: sec(12)},
			chat.DetailsShared{Reason: chat.ByForm, Emptied: []string{"name"}, Gone: true, At: sec(13)},
			chat.DetailsShared{Reason: chat.ByForm, Name: "Ana Lima", At: sec(14)},
		}, func(c *inbox.Chat) { c.Name, c.IsContact = "Ana Lima", true }},
		{"snoozed", []any{chat.Snoozed{Until: sec(99), By: "ann"}}, func(c *inbox.Chat) { c.Snoozed, c.SnoozedUntil = true, us(99) }},
		{"snoozed until a reply", []any{chat.Snoozed{Until: sec(99), By: "ann"}, chat.Snoozed{By: "ann"}}, func(c *inbox.Chat) { c.Snoozed = true }},
		{"woken by time", []any{chat.MarkedRead{By: "ann"}, chat.Snoozed{Until: sec(99), By: "ann"}, chat.Woken{Reason: chat.WokenByTime}}, func(c *inbox.Chat) { c.Unread = 1 }},
		{"woken by an agent", []any{chat.MarkedRead{By: "ann"}, chat.Snoozed{By: "ann"}, chat.Woken{Reason: chat.WokenByAgent, By: "ann"}}, func(c *inbox.Chat) { c.Unread = 0 }},
		{"snoozed and closed", []any{chat.Snoozed{By: "ann"}, chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed}}, func(c *inbox.Chat) { c.Status, c.Category = "CLOSED", "closed" }},
		{"deleted and restored", []any{chat.Deleted{By: "ann"}, chat.Restored{By: "ann"}}, func(*inbox.Chat) {}},
		{"what it does not show moves the revision", []any{chat.NoteAdded{Note: "n", Text: "x"}, chat.MessageAccepted{Message: "o"}}, func(*inbox.Chat) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tables := fold(t, append(given, tt.when...)...)
			want := base
			tt.then(&want)
			want.Revision = int64(1 + len(tt.when))
			got := projectionstest.Rows[inbox.Row](tables, "inbox_v3_chats")
			if diff := cmp.Diff([]inbox.Chat{want}, []inbox.Chat{got[0].Chat}); diff != "" {
				t.Errorf("chat (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAReportBeforeTheChatMakesNone(t *testing.T) {
	tables := fold(t, chat.DeliveryRecorded{ProviderID: "wamid.OUT1", State: chat.Read, At: sec(1)})
	if rows := tables["inbox_v3_chats"]; len(rows) != 0 {
		t.Errorf("rows %+v", rows)
	}
	tables = fold(t, chat.DeliveryRecorded{ProviderID: "wamid.OUT1", State: chat.Read, At: sec(1)}, opened(5), text(5, "hi"))
	if got := projectionstest.Rows[inbox.Row](tables, "inbox_v3_chats"); len(got) != 1 || got[0].Revision != 2 || got[0].CreatedAt != us(5) {
		t.Errorf("rows %+v", got)
	}
}

func TestDerivedTablesFollow(t *testing.T) {
	tagged := []any{opened(10), text(10, "hi"), chat.TagsChanged{Added: []chat.TagID{"vip"}}}
	tests := []struct {
		name   string
		when   []any
		counts map[inbox.CountKey]int64
		tags   []inbox.TagKey
	}{
		{"unassigned", nil, map[inbox.CountKey]int64{
			{Listed: "acme", Dimension: "all", Category: "open"}:                   1,
			{Listed: "acme", Dimension: "assignee", Category: "open"}:              1,
			{Listed: "acme", Dimension: "status", Value: "OPEN", Category: "open"}: 1,
			{Listed: "acme", Dimension: "unread", Category: "open"}:                1,
		}, []inbox.TagKey{{Listed: "acme", Tag: "vip", Status: "OPEN", LastActivityAt: us(10), Chat: "1"}}},
		{"worked on", []any{
			chat.Claimed{By: "ann"}, chat.MarkedRead{By: "ann"}, answer(30, "bye"), chat.Closed{Status: "DONE", Category: chat.CategoryClosed},
		}, map[inbox.CountKey]int64{
			{Listed: "acme", Dimension: "all", Category: "closed"}:                    1,
			{Listed: "acme", Dimension: "assignee", Value: "ann", Category: "closed"}: 1,
			{Listed: "acme", Dimension: "status", Value: "DONE", Category: "closed"}:  1,
		}, []inbox.TagKey{{Listed: "acme", Tag: "vip", Status: "DONE", Assignee: "ann", LastActivityAt: us(30), Chat: "1"}}},
		{"snoozed", []any{chat.Claimed{By: "ann"}, chat.Snoozed{By: "ann"}}, map[inbox.CountKey]int64{
			{Listed: "acme", Dimension: "snoozed", Category: "open"}:                        1,
			{Listed: "acme", Dimension: "snoozed_assignee", Value: "ann", Category: "open"}: 1,
			{Listed: "acme", Dimension: "snoozed_status", Value: "OPEN", Category: "open"}:  1,
			{Listed: "acme", Dimension: "snoozed_unread", Category: "open"}:                 1,
		}, []inbox.TagKey{
			{Listed: "acme", Tag: "@snoozed", Status: "OPEN", Assignee: "ann", LastActivityAt: us(10), Chat: "1"},
			{Listed: "acme", Tag: "vip", Status: "OPEN", Assignee: "ann", LastActivityAt: us(10), Chat: "1"},
		}},
		{"deleted", []any{chat.Deleted{By: "ann"}}, map[inbox.CountKey]int64{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tables := fold(t, append(tagged, tt.when...)...)
			counts := map[inbox.CountKey]int64{}
			for _, c := range projectionstest.Rows[inbox.CountRow](tables, "inbox_v3_counts") {
				counts[c.CountKey] = c.N
			}
			if diff := cmp.Diff(tt.counts, counts); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
			var tags []inbox.TagKey
			for _, r := range projectionstest.Rows[inbox.TagRow](tables, "inbox_v3_tags") {
				tags = append(tags, r.TagKey)
			}
			if diff := cmp.Diff(tt.tags, tags); diff != "" {
				t.Errorf("tag index (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever order webhooks arrive in, the list is the same.
func TestLateWebhooksLeadToTheSameList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		story := viewstest.Draw(rt)
		if diff := cmp.Diff(settled(t, story.InOrder()), settled(t, story.Late(rt))); diff != "" {
			rt.Fatalf("in order (-), late (+):\n%s", diff)
		}
	})
}

// settled folds events and takes the revisions out.
func settled(t testing.TB, events []projections.Event) projectionstest.Tables {
	tables := projectionstest.Fold(t, inbox.New(), events...)
	for i, r := range tables["inbox_v3_chats"] {
		row := r.(inbox.Row)
		row.Revision = 0
		tables["inbox_v3_chats"][i] = row
	}
	return tables
}

// A preview is what one would write first: words with single spaces, cut.
func TestPreviewOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("ab é\t\x00\u00a0…")), 0, 130, -1)
		text := word.Draw(t, "a") + rapid.SampledFrom([]string{"", " ", "  ", "\n"}).Draw(t, "between") + word.Draw(t, "b")
		want := []rune(strings.Join(strings.Fields(text), " "))
		if len(want) > 120 {
			want = append(want[:119], '…')
		}
		if got := inbox.Preview(chat.Content{Kind: "text", Text: text}); got != string(want) {
			t.Fatalf("Preview(%q) = %q, want %q", text, got, string(want))
		}
	})
	clean := strings.Repeat("a", 120)
	for _, text := range []string{clean, clean + " ", clean + " b", clean[1:] + " b"} {
		want := text
		if strings.TrimSpace(text) != clean {
			want = text[:119] + "…"
		}
		if got := inbox.Preview(chat.Content{Kind: "text", Text: text}); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("Preview(%q) = %q", text, got)
		}
	}
}

func TestPreview(t *testing.T) {
	tests := []struct {
		content chat.Content
		want    string
	}{
		{chat.Content{Kind: "text", Text: " two\n\nlines "}, "two lines"},
		{chat.Content{Kind: "image", Text: "my bike"}, "[image] my bike"},
		{chat.Content{Kind: "video"}, "[video]"},
		{chat.Content{Kind: "document", Media: &chat.Media{Filename: "bill.pdf"}}, "[document] bill.pdf"},
		{chat.Content{Kind: "location", Location: &chat.Location{Name: "Harbour"}}, "[location] Harbour"},
		{chat.Content{Kind: "location", Location: &chat.Location{}}, "[location]"},
		{chat.Content{Kind: "contacts", Cards: []chat.Card{{Name: "Ben"}, {Name: "Eva"}}}, "[contact] Ben, Eva"},
		{chat.Content{Kind: "button", Text: "Yes"}, "Yes"},
		{chat.Content{Kind: "flow", Flow: &chat.Flow{Body: "Sent"}}, "[form] Sent"},
		{chat.Content{Kind: "order"}, "Order"},
		{chat.Content{Kind: "order", Text: "quick please"}, "Order: quick please"},
		{chat.Content{Kind: "unsupported"}, "[unsupported]"},
		{chat.Content{Kind: "text", Text: strings.Repeat("é", 120)}, strings.Repeat("é", 120)},
		{chat.Content{Kind: "text", Text: strings.Repeat("é", 121)}, strings.Repeat("é", 119) + "…"},
	}
	for _, tt := range tests {
		if got := inbox.Preview(tt.content); got != tt.want || utf8.RuneCountInString(got) > 120 {
			t.Errorf("Preview(%+v) = %q, want %q", tt.content, got, tt.want)
		}
	}
}
