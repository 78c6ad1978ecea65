package transcript_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/internal/transcript"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

var update = flag.Bool("update", false, "rewrite golden files")

const chatID = "17b55568-c3ce-5651-89f2-470769811570"

// noon is just before the clocks of Berlin go forward.
func noon() time.Time { return time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC) }

// teller appends what happens to a store, a minute between any two events.
type teller struct {
	t     testing.TB
	store eventstore.Store
	n     int
}

func (l *teller) now() time.Time { return noon().Add(time.Duration(l.n) * time.Minute) }

// by appends facts to a stream, on behalf of somebody.
func (l *teller) by(kind, actor, stream string, facts ...codec.Event) {
	l.t.Helper()
	c := viewstest.Codec()
	for _, f := range facts {
		l.n++
		meta := eventstore.Metadata{Workspace: "acme", Actor: actor, ActorKind: kind, OccurredAt: l.now()}
		e, err := c.Encode(uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "event %d", l.n)), f, meta)
		if err != nil {
			l.t.Fatal(err)
		}
		if _, err := l.store.Append(l.t.Context(), stream, eventstore.Any, e); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *teller) agent(facts ...codec.Event) { l.by("agent", "ann", "chat-"+chatID, facts...) }

func (l *teller) customer(facts ...codec.Event) { l.by("customer", "4915", "chat-"+chatID, facts...) }

func (l *teller) system(facts ...codec.Event) {
	l.by("system", "translate-webhooks", "chat-"+chatID, facts...)
}

// beginning is what there is before anything is edited, deleted or renamed;
// story goes on from there. Each kind of event of a chat is in one of them.
func (l *teller) beginning() {
	l.by("system", "setup", "workspace-acme", workspace.Created{Name: "Acme"})
	l.by("system", "setup", "statuses-acme",
		status.Created{Status: "OPEN", Name: "Open", Category: status.Open, Default: true},
		status.Created{Status: "REVIEW", Name: "Review", Category: status.Pending},
		status.Created{Status: "CLOSED", Name: "Closed", Category: status.Closed})
	l.by("system", "setup", "channel-shop", channel.Connected{Workspace: "acme", Kind: channel.WhatsApp, Name: "Shop", Account: "1"})
	l.by("system", "setup", "agent-ann", agent.Invited{Workspace: "acme", Name: "Ann Smith", Role: agent.RoleAgent})
	l.by("system", "setup", "agent-bob", agent.Invited{Workspace: "acme", Name: "Bob <Ops>", Role: agent.RoleAgent})
	l.by("system", "setup", "agent-spy", agent.Invited{Workspace: "other", Name: "Of another workspace", Role: agent.RoleAgent})
	l.by("system", "setup", "tags-acme", tag.Created{Tag: "vip", Name: "VIP"}, tag.Created{Tag: "late", Name: "Late"})
	l.by("system", "setup", "teams-acme", team.Created{Team: "billing", Name: "Billing"})

	text := func(id, text string, at time.Time) chat.MessageReceived {
		return chat.MessageReceived{
			Message: chat.MessageID("in-" + id), ProviderID: "wamid." + id, ProfileName: "ana", At: at, Content: chat.Content{Kind: "text", Text: text},
		}
	}
	l.system(chat.Opened{Workspace: "acme", Channel: "shop", Customer: "4915", Status: "OPEN", Category: chat.CategoryOpen, At: l.now()})
	first := text("1", "Hello,\nis anybody there? 😀", l.now())
	first.Referral = &chat.Referral{SourceURL: "https://example.com/ad", SourceType: "ad", Headline: "Tea, 20 % off"}
	l.customer(first)
	l.agent(chat.MarkedRead{By: "ann"}, chat.Claimed{By: "ann"}, chat.TagsChanged{Added: []chat.TagID{"vip", "late"}},
		chat.NoteAdded{Note: "n1", Text: "=careful, \"first\" draft", By: "ann", At: l.now()},
		chat.MessageQueued{Message: "out-1", Text: "We are. How can we help?", By: "ann", At: l.now()})
	l.system(chat.MessageAccepted{Message: "out-1", ProviderID: "wamid.o1", At: l.now()})
}

func (l *teller) story() {
	l.system(chat.DeliveryRecorded{ProviderID: "wamid.o1", State: chat.Delivered, At: l.now()})
	reply := chat.MessageReceived{
		Message: "in-3", ProviderID: "wamid.3", ProfileName: "Ana L.", At: l.now(), Context: &chat.Context{ProviderID: "wamid.o1"},
		Content: chat.Content{Kind: "image", Text: "<b>this</b> & that", Media: &chat.Media{ID: "m", MIMEType: "image/jpeg", Filename: "tea \"box\".jpg"}},
	}
	l.customer(reply)
	// One that was sent before the last, and came after it.
	l.customer(chat.MessageReceived{
		Message: "in-2", ProviderID: "wamid.2", At: reply.At.Add(-90 * time.Second), Context: &chat.Context{ProviderID: "wamid.gone", Forwarded: true},
		Content: chat.Content{Kind: "text", Text: "@sum(1)\r\n  12:00:00  Ann Smith: you owe me"},
	})
	l.customer(
		chat.ReactionReceived{ProviderID: "wamid.r1", Target: "wamid.o1", Emoji: "👍", At: l.now()},
		chat.ReactionReceived{ProviderID: "wamid.r2", Target: "wamid.3", Emoji: "😀", At: l.now()},
		chat.ReactionReceived{ProviderID: "wamid.r3", Target: "wamid.3", At: l.now().Add(time.Second)},
		chat.SystemNoticed{ProviderID: "wamid.s", Kind: "user_changed_number", Text: "Ana changed to 4916", NewNumber: "4916", At: l.now()},
	)
	l.agent(
		chat.NoteEdited{Note: "n1", Text: "=careful, \"second\" draft", By: "bob", At: l.now()},
		chat.NoteAdded{Note: "n2", Text: "a secret that was deleted", By: "ann", At: l.now()},
		chat.NoteDeleted{Note: "n2", By: "ann", At: l.now()},
		chat.Assigned{To: "bob", From: "ann"}, chat.Unassigned{From: "bob"}, chat.Assigned{To: "spy"},
		chat.Transferred{Kind: chat.ToTeam, To: "billing", From: "spy", Reason: "has a question\nabout an invoice"},
		chat.Transferred{Kind: chat.ToAgent, To: "bob", FromTeam: "billing"},
		chat.TagsChanged{Removed: []chat.TagID{"late"}, Added: []chat.TagID{"unknown"}},
		chat.StatusSet{Status: "REVIEW", Category: chat.CategoryPending, From: "OPEN"},
		chat.MarkedUnread{By: "ann"},
		chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed, From: "REVIEW"},
		chat.Deleted{By: "ann", Reason: "a mistake"},
	)
	card := chat.MessageReceived{
		Message: "in-4", ProviderID: "wamid.4", ProfileName: "Ana L.", At: l.now(),
		Content: chat.Content{Kind: "contacts", Cards: []chat.Card{{Name: "Ana Lima", Phones: []string{"+4915"}, Emails: []string{"ana@example.com"}, Company: "Lima"}}},
	}
	l.customer(card, chat.Restored{Message: "in-4"}, chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen, From: "CLOSED", Message: "in-4"})
	l.system(chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana Lima", Phones: []string{"+4915"}, Emails: []string{"ana@example.com"}, Company: "Lima", Message: "in-4", At: card.At})
	l.by("bot", "token:7", "chat-"+chatID, chat.MessageQueued{Message: "out-2", Text: "Thank you", By: "token:7", Bot: true, At: l.now(), QuickReply: &chat.QuickReplyUse{ID: "workspace.thanks", Version: 2}})
	l.system(chat.DeliveryRecorded{Message: "out-2", State: chat.Failed, Error: &chat.DeliveryError{Code: 131047, Title: "Re-engagement message", Details: "more than 24 hours"}, At: l.now()})
	// The next day, and the clocks have gone forward.
	l.n += 24 * 60
	for i, c := range []chat.Content{
		{Kind: "location", Location: &chat.Location{Latitude: -23.5505, Longitude: 46.6333, Name: "Depot", Address: "Rua 1"}},
		{Kind: "button", Text: "Yes", Reply: &chat.Reply{ID: "y", Title: "Yes"}},
		{Kind: "list", Text: "Large", Reply: &chat.Reply{ID: "l", Title: "Large", Description: "for four"}},
		{Kind: "flow", Flow: &chat.Flow{Name: "address", Body: "Sent", Answers: json.RawMessage(`{"zip":"10115"}`)}},
		{Kind: "order", Order: "order-1"},
		{Kind: "voice", Media: &chat.Media{ID: "v", MIMEType: "audio/ogg"}},
		{Kind: "unsupported", Error: &chat.DeliveryError{Code: 131051, Title: "Message type unknown"}},
		{Kind: "unknown", Raw: json.RawMessage(`{"type":"new"}`)},
	} {
		l.customer(chat.MessageReceived{Message: chat.MessageID(fmt.Sprintf("in-c%d", i)), ProviderID: fmt.Sprintf("wamid.c%d", i), Content: c, At: l.now()})
	}
	l.agent(
		chat.CallRequested{Call: "call-1", Phone: "+4915112345678", Provider: "webhook", By: "ann", At: l.now()},
		chat.CallEnded{Call: "call-1", Outcome: "completed", Reason: "hung_up", Duration: 95, At: l.now()},
	)
	l.agent(chat.Snoozed{Until: l.now().Add(time.Hour), By: "ann", At: l.now()})
	l.system(chat.Woken{Reason: chat.WokenByTime})
	l.agent(chat.Snoozed{By: "ann", At: l.now()})
	l.customer(chat.MessageReceived{Message: "in-z", ProviderID: "wamid.z", Content: chat.Content{Kind: "text", Text: "Hello?"}, At: l.now()}, chat.Woken{Reason: chat.WokenByReply, Message: "in-z"})
	l.agent(chat.Snoozed{By: "ann", At: l.now()}, chat.Woken{Reason: chat.WokenByAgent, By: "ann"})
	l.system(chat.MediaFailed{Message: "in-3", Code: chat.MediaGone, Reason: "the provider has it no longer", At: l.now()})
	l.agent(chat.MediaRequested{Message: "in-3", By: "ann", At: l.now()})
	l.system(chat.MediaStored{Message: "in-3", SHA256: strings.Repeat("0a", 32), Size: 7, MIMEType: "image/jpeg", At: l.now()})
	l.customer(chat.OptedOut{Reason: "word", Message: "in-z", At: l.now()})
	l.agent(chat.OptedIn{Reason: "agent", By: "ann", At: l.now()})
	l.agent(chat.MessageQueued{
		Message: "out-t", Text: "Your parcel is on its way.", By: "ann", At: l.now(),
		Template: &chat.TemplateUse{ID: "t1", Name: "delivery_update", Language: "en_US", Category: "utility"},
	})
	bill := chat.FileUse{ID: "f1", Kind: "document", SHA256: strings.Repeat("0b", 32), Size: 9, MIMEType: "application/pdf"}
	l.agent(chat.FileUploaded{File: bill, By: "ann", At: l.now()})
	bill.Filename = "bill 7.pdf"
	l.agent(chat.MessageQueued{Message: "out-f", Text: "The bill", By: "ann", At: l.now(), Media: &bill})
	ask := &chat.Interactive{Body: "Which size?", Buttons: []chat.ReplyButton{{ID: "s", Title: "Small"}, {ID: "l", Title: "Large"}}}
	l.agent(chat.MessageQueued{
		Message: "out-i", Text: ask.Words(), By: "ann", At: l.now(), Interactive: ask, ReplyTo: &chat.RepliedTo{Message: "in-z", ProviderID: "wamid.z"},
	})
	l.system(chat.MessageAccepted{Message: "out-i", ProviderID: "wamid.oi", At: l.now()})
	l.customer(chat.MessageReceived{
		Message: "in-t", ProviderID: "wamid.t", Context: &chat.Context{ProviderID: "wamid.oi"}, At: l.now(),
		Content: chat.Content{Kind: "button", Text: "Large", Reply: &chat.Reply{ID: "l", Title: "Large"}},
	})
	react := func(emoji, by string, instead *chat.ShownReaction) {
		l.by("agent", by, "chat-"+chatID, chat.ReactionQueued{
			Reaction: "r-" + emoji, Message: "in-z", Target: "wamid.z", Emoji: emoji, By: chat.AgentID(by), At: l.now(), Instead: instead,
		})
	}
	react("🙏", "ann", nil)
	l.system(chat.ReactionSent{Reaction: "r-🙏", Message: "in-z", ProviderID: "wamid.r", At: l.now()})
	react("👍", "bob", &chat.ShownReaction{Emoji: "🙏", By: "ann"})
	l.system(chat.ReactionFailed{
		Reaction: "r-👍", Message: "in-z", Target: "wamid.z", Emoji: "👍", By: "bob", Left: chat.ShownReaction{Emoji: "🙏", By: "ann"},
		Error: &chat.DeliveryError{Code: 131009, Title: "Parameter value is not valid"}, At: l.now(),
	})
	l.agent(chat.ReadShown{Message: "in-z", ProviderID: "wamid.z", By: "ann", At: l.now()})
	for _, id := range []chat.MessageID{"out-l", "out-m", "out-n"} {
		l.agent(chat.MessageScheduled{Message: id, Outgoing: chat.Outgoing{Text: "Still there?"}, SendAt: l.now().Add(time.Hour), By: "ann", At: l.now()})
	}
	l.agent(chat.ScheduleChanged{Message: "out-l", Outgoing: chat.Outgoing{Text: "Are you still there?"}, SendAt: l.now().Add(2 * time.Hour), By: "bob", At: l.now()})
	l.agent(chat.ScheduleCancelled{Message: "out-l", Reason: chat.CancelledByAgent, By: "ann", At: l.now()})
	l.customer(
		chat.MessageReceived{Message: "in-y", ProviderID: "wamid.y", Content: chat.Content{Kind: "text", Text: "I am"}, At: l.now()},
		chat.ScheduleCancelled{Message: "out-m", Reason: chat.CancelledByReply, Reply: "in-y", At: l.now()},
	)
	l.system(chat.ScheduleFailed{Message: "out-n", Code: "chat.closed", Reason: "the chat is closed; reopen it first", At: l.now()})
	l.customer(
		chat.MessageReceived{Message: "in-x", ProviderID: "wamid.x", Content: chat.Content{Kind: "call_permission", Reply: &chat.Reply{ID: "accept", Title: "accept"}}, At: l.now()},
		chat.CallPermissionChanged{Allowed: true, Until: l.now().Add(168 * time.Hour), Reason: chat.PermittedByCustomer, Message: "in-x", At: l.now()},
	)
	l.system(chat.CallPermissionChanged{Allowed: true, Reason: chat.PermittedByProvider, At: l.now()})
	l.system(chat.CallPermissionChanged{Reason: chat.PermittedByProvider, At: l.now()})
	l.agent(chat.TransferOffered{Kind: chat.ToTeam, To: "billing", From: "bob", Reason: "an invoice", Expires: l.now().Add(15 * time.Minute), By: "bob", At: l.now()})
	l.agent(chat.TransferLapsed{Cause: chat.LapsedByWithdrawal, By: "bob", Reason: "found it"})
	l.agent(chat.TransferOffered{Kind: chat.ToAgent, To: "ann", From: "bob", Expires: l.now().Add(15 * time.Minute), By: "bob", At: l.now()})
	l.agent(chat.TransferLapsed{Cause: chat.LapsedByRefusal, By: "ann", Reason: "lunch"})
	l.system(chat.TransferLapsed{Cause: chat.LapsedByTime})
	l.agent(chat.Transferred{Kind: chat.ToAgent, To: "ann", From: "bob", Accepted: true})
	l.agent(chat.Transferred{Kind: chat.ToBot, From: "bob"}, chat.TranscriptDownloaded{Format: "txt", Zone: "UTC", AsOf: 9, By: "ann"}, chat.Restored{By: "ann"})
	l.contact("4915", contact.Added{Workspace: "acme"}, named("Ana Lima"))
	l.contact("other", contact.Added{Workspace: "acme"}, named("Ana Lima-Silva"))
	l.contact("4915", contact.Merged{Into: contact.ID(ids.Contact("acme", "other"))})
	l.by("system", "setup", "tags-acme", tag.Renamed{Tag: "vip", Name: "Gold", From: "VIP"},
		tag.Created{Tag: "unknown", Name: "Not for long"}, tag.Merged{Tag: "unknown", Into: "vip"})
	l.by("system", "setup", "teams-acme", team.Renamed{Team: "billing", Name: "Invoices", From: "Billing"})
	l.by("system", "setup", "statuses-acme", status.Renamed{Status: "REVIEW", Name: "Checking", From: "Review"},
		status.Created{Status: "NEW", Name: "New", Category: status.Open}, status.Remapped{Status: "OPEN", To: "NEW"})
	l.by("system", "setup", "channel-shop", channel.Renamed{Name: "Big shop"})
	l.by("system", "setup", "workspace-acme", workspace.Renamed{Name: "ACME Ltd"})
	l.system(chat.FileDiscarded{File: "f0", SHA256: strings.Repeat("0c", 32), At: l.now()})
}

func (l *teller) contact(unique string, facts ...codec.Event) {
	l.by("agent", "ann", "contact-"+ids.Contact("acme", unique), facts...)
}

func named(name string) contact.DetailsSet {
	return contact.DetailsSet{Changes: []contact.Change{{Field: contact.Name, Values: []string{name}}}}
}

// later is what must not show in a transcript of the time before.
func (l *teller) later(n int) {
	l.by("system", "setup", "tags-acme", tag.Renamed{Tag: "vip", Name: "Platinum", From: "Gold"})
	l.by("system", "setup", "statuses-acme", status.Renamed{Status: "NEW", Name: "Newer", From: "New"})
	l.by("system", "setup", "channel-shop", channel.Renamed{Name: "Closed shop"})
	l.contact("other", named("Ana Somebody"))
	l.by("system", "setup", "agent-zoe", agent.Invited{Workspace: "acme", Name: "Zoe", Role: agent.RoleAgent})
	for i := range n {
		l.customer(chat.MessageReceived{
			Message: chat.MessageID(fmt.Sprintf("in-l%d", i)), ProviderID: fmt.Sprintf("wamid.l%d", i), ProfileName: "Another name",
			Content: chat.Content{Kind: "text", Text: "later"}, At: noon().Add(time.Duration(i) * time.Second),
		})
		l.customer(chat.ReactionReceived{ProviderID: fmt.Sprintf("wamid.lr%d", i), Target: "wamid.1", Emoji: "🎉", At: l.now()})
		l.system(chat.DeliveryRecorded{ProviderID: "wamid.o1", State: chat.Read, At: l.now()})
		l.agent(chat.NoteEdited{Note: "n1", Text: fmt.Sprintf("edit %d", i), By: "zoe", At: l.now()})
	}
	l.agent(chat.NoteDeleted{Note: "n1", By: "ann", At: l.now()})
}

var formats = []chat.TranscriptFormat{chat.TranscriptJSON, chat.TranscriptCSV, chat.TranscriptText, chat.TranscriptHTML}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := transcript.Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func write(t testing.TB, store eventstore.Store, id string, o transcript.Options) string {
	t.Helper()
	tr, err := transcript.New(t.Context(), store, id, o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tr.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func head(t testing.TB, store eventstore.Store) eventstore.Position {
	t.Helper()
	h, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Position
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// stores are the logs, with the teller's clock where a log takes one.
func stores(t *testing.T, now func() time.Time) map[string]eventstore.Store {
	lite, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"), sqlite.Clock(now))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lite.Close() })
	pg, err := postgres.Open(t.Context(), testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pg.Close() })
	return map[string]eventstore.Store{"memory": memory.New(now), "sqlite": lite, "postgres": pg}
}

// On each log: a transcript is what the golden file says, and stays so, byte for
// byte, whatever happens after its position.
func TestGolden(t *testing.T) {
	for _, name := range []string{"memory", "sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			l := &teller{t: t}
			l.store = stores(t, l.now)[name]
			l.beginning()
			early := head(t, l.store)
			l.story()
			end := head(t, l.store)
			type file struct {
				name string
				o    transcript.Options
			}
			var files []file
			for _, f := range formats {
				files = append(files,
					file{"full." + string(f), transcript.Options{Format: f, Notes: true, Events: true, Zone: zone(t, "Europe/Berlin"), AsOf: end}},
					file{"early." + string(f), transcript.Options{Format: f, Notes: true, Events: true, Zone: time.UTC, AsOf: early}},
					file{"messages." + string(f), transcript.Options{Format: f, Zone: zone(t, "America/Sao_Paulo"), AsOf: end}})
			}
			before := map[string]string{}
			for _, f := range files {
				before[f.name] = write(t, l.store, chatID, f.o)
				if name != "postgres" { // which has a clock of its own
					golden(t, f.name, before[f.name])
				}
				if strings.Contains(before[f.name], "secret") || strings.Contains(before[f.name], "another workspace") {
					t.Errorf("%s holds what it must not", f.name)
				}
			}
			l.later(250)
			for _, f := range files {
				if after := write(t, l.store, chatID, f.o); after != before[f.name] {
					t.Errorf("%s is not the same after 1,000 events: %s", f.name, cmp.Diff(before[f.name], after))
				}
			}
		})
	}
}

// The story has each kind of event of a chat in it.
func TestStoryIsComplete(t *testing.T) {
	l := &teller{t: t}
	l.store = memory.New(l.now)
	l.beginning()
	l.story()
	told := map[string]bool{}
	for r, err := range l.store.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		told[r.Type] = true
	}
	for _, e := range chat.Events {
		if !told[e.EventType()] {
			t.Errorf("the story lacks %s", e.EventType())
		}
	}
}

// What is written is well-formed, each in its own way, and holds every message.
// Who is no contact any more is called by the name of their profile from then on.
func TestAContactThatIsGone(t *testing.T) {
	l := &teller{t: t}
	l.store = memory.New(l.now)
	l.system(chat.Opened{Workspace: "acme", Channel: "shop", Customer: "4915", Status: "OPEN", Category: chat.CategoryOpen, At: l.now()})
	l.customer(chat.MessageReceived{Message: "in-1", ProviderID: "wamid.1", ProfileName: "~ana~", At: l.now(), Content: chat.Content{Kind: "text", Text: "hello"}})
	l.system(chat.DetailsShared{Reason: chat.ByForm, Name: "Ana Lima", Emails: []string{"ana@example.com"}, At: l.now()})
	l.system(chat.DetailsShared{Reason: chat.ByForm, Emptied: []string{"name", "emails"}, Gone: true, At: l.now()})
	text := write(t, l.store, chatID, transcript.Options{Format: chat.TranscriptText, Notes: true, Events: true, Zone: time.UTC, AsOf: head(t, l.store)})
	for _, want := range []string{"no contact any more, no more name, emails", "~ana~: hello"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestFormsAreWellFormed(t *testing.T) {
	l := &teller{t: t}
	l.store = memory.New(l.now)
	l.beginning()
	l.story()
	o := transcript.Options{Notes: true, Events: true, Zone: time.UTC, AsOf: head(t, l.store)}
	o.Format = chat.TranscriptJSON
	var doc struct {
		Schema  string
		Count   int
		Entries []transcript.Entry
	}
	dec := json.NewDecoder(strings.NewReader(write(t, l.store, chatID, o)))
	if err := dec.Decode(&doc); err != nil || doc.Schema != transcript.Schema || doc.Count != len(doc.Entries) || doc.Count < 30 {
		t.Errorf("%d of %d entries, %v", len(doc.Entries), doc.Count, err)
	}
	if !slices.IsSortedFunc(doc.Entries, func(a, b transcript.Entry) int { return a.At.Compare(b.At) }) {
		t.Error("entries are not in the order of time")
	}
	o.Format = chat.TranscriptCSV
	rows, err := csv.NewReader(strings.NewReader(write(t, l.store, chatID, o))).ReadAll()
	if err != nil || len(rows) != doc.Count+1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for i, c := range row {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				t.Errorf("%s: a cell begins a formula: %q", rows[0][i], c)
			}
		}
	}
	o.Format = chat.TranscriptHTML
	page := write(t, l.store, chatID, o)
	if strings.Count(page, "<article") != doc.Count || strings.Count(page, "</article>") != doc.Count || strings.Contains(page, "<b>this") || strings.Contains(page, "<Ops>") {
		t.Error("the page is not one article for each entry, with all text escaped")
	}
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if !strings.Contains(transcript.Policy(), "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.Contains(style, "@media print") {
		t.Error("the policy of the page does not allow its style")
	}
}

// What has the same time is in the order of the log: messages, notes, reactions and
// what else happened, whatever their ids are.
func TestOfTheSameTimeInTheOrderOfTheLog(t *testing.T) {
	l := &teller{t: t}
	l.store = memory.New(l.now)
	at := l.now()
	l.system(chat.Opened{Workspace: "acme", Channel: "shop", Customer: "4915", Status: "OPEN", Category: chat.CategoryOpen, At: at})
	received := func(id, profile string) {
		l.customer(chat.MessageReceived{
			Message: chat.MessageID("in-" + id), ProviderID: "wamid." + id, ProfileName: profile, At: at, Content: chat.Content{Kind: "text", Text: id},
		})
	}
	received("z", "Zoe")
	received("b", "Bea")
	l.agent(chat.NoteAdded{Note: "n", Text: "mind", By: "ann", At: at})
	received("c", "Cid")
	l.system(chat.SystemNoticed{ProviderID: "wamid.d", Kind: "user_changed_number", At: at})
	l.agent(chat.MessageQueued{Message: "out-1", Text: "yes", By: "ann", At: at})
	received("a", "Ada")
	l.customer(chat.ReactionReceived{ProviderID: "r2", Target: "wamid.a", Emoji: "👍", At: at},
		chat.ReactionReceived{ProviderID: "r1", Target: "wamid.a", Emoji: "🎉", At: at})
	l.agent(chat.ReactionQueued{Reaction: "q", Message: "in-a", Target: "wamid.a", Emoji: "🙏", By: "ann", At: at})

	var doc struct {
		About   transcript.About
		Entries []transcript.Entry
	}
	o := transcript.Options{Format: chat.TranscriptJSON, Notes: true, Events: true, Zone: time.UTC, AsOf: head(t, l.store)}
	if err := json.Unmarshal([]byte(write(t, l.store, chatID, o)), &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range doc.Entries {
		got = append(got, e.ID)
	}
	want := []string{"in-z", "in-b", "n", "in-c", ids.Message(chatID, "wamid.d"), "out-1", "in-a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if name := doc.About.Customer.Name; name != "Ada" {
		t.Errorf("the customer is %q", name)
	}
	last := doc.Entries[len(doc.Entries)-1].Message.Reactions
	if len(last) != 2 || last[0].Emoji != "🎉" || last[1].Emoji != "🙏" {
		t.Errorf("reactions %+v", last)
	}
}

func TestNotThere(t *testing.T) {
	l := &teller{t: t}
	l.store = memory.New(l.now)
	l.beginning()
	for id, asOf := range map[string]eventstore.Position{chatID: 3, "none": head(t, l.store)} {
		if _, err := transcript.New(t.Context(), l.store, id, transcript.Options{Zone: time.UTC, AsOf: asOf}); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("%s at %d: %v", id, asOf, err)
		}
		if w, err := transcript.Opened(t.Context(), l.store, id, asOf); w != "" || err != nil {
			t.Errorf("%s was opened by %d: %q, %v", id, asOf, w, err)
		}
	}
	if w, err := transcript.Opened(t.Context(), l.store, chatID, head(t, l.store)); w != "acme" || err != nil {
		t.Errorf("opened in %q, %v", w, err)
	}
}

func TestZone(t *testing.T) {
	for name, ok := range map[string]bool{"": true, "UTC": true, "Asia/Kathmandu": true, "Local": false, "Mars": false, "../UTC": false, "/etc/passwd": false} {
		if _, err := transcript.Zone(name); ok != (err == nil) {
			t.Errorf("Zone(%q): %v", name, err)
		}
	}
}

// counting counts what is read, and holds back nothing.
type counting struct {
	eventstore.Store
	reads, events, most int
}

func (c *counting) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		c.reads++
		n := 0
		for r, err := range c.Store.ReadStream(ctx, stream, q) {
			c.events++
			n++
			if q.Limit > 0 {
				c.most = max(c.most, n)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// full takes so many bytes and no more.
type full struct{ left int }

var errFull = errors.New("full")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// A long chat is read a part at a time, as it is written, and each event twice
// or so.
func TestLongChats(t *testing.T) {
	l := &teller{t: t}
	store := &counting{Store: memory.New(l.now)}
	l.store = store
	l.beginning()
	const n = 20_000
	var batch []eventstore.Event
	c := viewstest.Codec()
	for i := range n {
		at := noon().Add(time.Duration(i*7919%n) * time.Second) // in no order at all
		if i < n/2 {
			at = noon().Add(time.Duration(i) * time.Second)
		}
		e, err := c.Encode(uuid.New(), chat.MessageReceived{
			Message: chat.MessageID(fmt.Sprint(i)), ProviderID: fmt.Sprintf("wamid.%06d", i), At: at, Content: chat.Content{Kind: "text", Text: "message"},
		}, eventstore.Metadata{Workspace: "acme", Actor: "4915", ActorKind: "customer"})
		if err != nil {
			t.Fatal(err)
		}
		if batch = append(batch, e); len(batch) == eventstore.MaxEvents {
			if _, err := store.Append(t.Context(), "chat-"+chatID, eventstore.Any, batch...); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
	o := transcript.Options{Format: chat.TranscriptText, Zone: time.UTC, AsOf: head(t, store)}
	if got := strings.Count(write(t, store, chatID, o), ": message\n"); got != n {
		t.Errorf("%d messages, want %d", got, n)
	}
	if store.most > 200*33 {
		t.Errorf("a read of %d events at once", store.most)
	}
	tr, err := transcript.New(t.Context(), store, chatID, o)
	if err != nil {
		t.Fatal(err)
	}
	store.events = 0
	if err := tr.Write(t.Context(), &full{left: 40 << 10}); !errors.Is(err, errFull) {
		t.Errorf("a reader that went away: %v", err)
	}
	if store.events > 5_000 {
		t.Errorf("%d events were read for a reader who went away after 40 kB", store.events)
	}
}
