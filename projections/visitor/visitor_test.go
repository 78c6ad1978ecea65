package visitor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/views/viewstest"
	"github.com/chatledger/chatledger/projections/visitor"
)

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func us(n int) int64 { return sec(n).UnixMicro() }

func message(n int, profile string) chat.MessageReceived {
	return chat.MessageReceived{Message: chat.MessageID(fmt.Sprint("m", n)), ProviderID: fmt.Sprint("wamid.", n), ProfileName: profile, At: sec(n)}
}

func fold(t testing.TB, facts ...any) visitor.Row {
	t.Helper()
	events := []projections.Event{projectionstest.Event("chat-1", chat.Opened{
		Workspace: "acme", Channel: "ch", Customer: "15551230001", Status: "OPEN", Category: chat.CategoryOpen, At: sec(50),
	})}
	for i, f := range facts {
		e := projectionstest.Event("chat-1", f)
		e.ID = uuid.UUID{15: byte(i + 1)}
		e.Meta = eventstore.Metadata{Actor: "15551230001", ActorKind: "customer"}
		events = append(events, e)
	}
	rows := projectionstest.Rows[visitor.Row](projectionstest.Fold(t, visitor.New(), events...), "visitor_v2_profiles")
	if len(rows) != 1 {
		t.Fatalf("profiles %+v", rows)
	}
	return rows[0]
}

func TestAVisitor(t *testing.T) {
	got := fold(t, message(50, "Ana"))
	want := visitor.Row{
		Chat: "1", Workspace: "acme", Channel: "ch", Customer: "15551230001", Name: "Ana", Phone: "+15551230001",
		FirstSeen: us(50), LastSeen: us(50), LastActAt: us(50), Revision: 1,
		Fields: visitor.Fields{ProfileName: visitor.Field{Value: "Ana", Source: visitor.Source{
			Kind: "profile", By: "15551230001", ByKind: "customer", Message: "m50", Revision: 1, At: us(50),
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}

func TestSeen(t *testing.T) {
	for name, tt := range map[string]struct {
		facts       []any
		first, last int
	}{
		"later":            {[]any{message(50, ""), message(70, "")}, 50, 70},
		"earlier, late":    {[]any{message(50, ""), message(30, "")}, 30, 50},
		"a reaction":       {[]any{chat.ReactionReceived{At: sec(80)}}, 50, 80},
		"a notice is none": {[]any{message(50, ""), chat.SystemNoticed{At: sec(80)}}, 50, 50},
		"an answer too":    {[]any{message(50, ""), chat.MessageQueued{At: sec(80)}}, 50, 50},
	} {
		if got := fold(t, tt.facts...); got.FirstSeen != us(tt.first) || got.LastSeen != us(tt.last) {
			t.Errorf("%s: first %d, last %d; want %d, %d", name, got.FirstSeen, got.LastSeen, us(tt.first), us(tt.last))
		}
	}
}

func TestNames(t *testing.T) {
	shared := chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana Lima", Message: "m60", At: sec(60)}
	for name, tt := range map[string]struct {
		facts []any
		want  string
	}{
		"none":                           {nil, "15551230001"},
		"the profile's":                  {[]any{message(50, "Ana")}, "Ana"},
		"a newer profile":                {[]any{message(50, "Ana"), message(60, "Anna")}, "Anna"},
		"an older profile, late":         {[]any{message(60, "Anna"), message(50, "Ana")}, "Anna"},
		"no profile takes none away":     {[]any{message(50, "Ana"), message(60, "")}, "Ana"},
		"shared":                         {[]any{message(50, "Ana"), shared}, "Ana Lima"},
		"a profile does not undo it":     {[]any{shared, message(90, "Ana")}, "Ana Lima"},
		"shared again":                   {[]any{shared, chat.DetailsShared{Reason: chat.ByAgent, Name: "A. Lima", By: "ann", At: sec(61)}}, "A. Lima"},
		"taken away":                     {[]any{message(50, "Ana"), shared, chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"name"}, By: "ann", At: sec(61)}}, "Ana"},
		"taken away before":              {[]any{shared, chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"name"}, By: "ann", At: sec(59)}}, "Ana Lima"},
		"shared at the same time, later": {[]any{shared, chat.DetailsShared{Reason: chat.ByContactCard, Name: "A. Lima", Message: "m1", At: sec(60)}}, "A. Lima"},
		"taken away at the same time":    {[]any{message(50, "Ana"), shared, chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"name"}, By: "ann", At: sec(60)}}, "Ana"},
		"shared before, told afterwards": {[]any{shared, chat.DetailsShared{Reason: chat.ByAgent, Name: "A. Lima", By: "ann", At: sec(59)}}, "Ana Lima"},
	} {
		if got := fold(t, tt.facts...); got.Name != tt.want {
			t.Errorf("%s: name %q, want %q", name, got.Name, tt.want)
		}
	}
}

func TestDetailsAndTheirSources(t *testing.T) {
	got := fold(t,
		chat.DetailsShared{
			Reason: chat.ByAgent, Name: "Ana", Emails: []string{"a@x", "b@x"}, City: "Porto", Country: "PT", By: "ann", At: sec(70),
		},
		chat.DetailsShared{
			Reason: chat.ByContactCard, Name: "Ana Lima", Emails: []string{"b@x", "c@x"}, Phones: []string{"+1999"}, Company: "Lima Ltd", Message: "m60", At: sec(60),
		},
	)
	agent := visitor.Source{Kind: "typed_in", By: "ann", ByKind: "agent", Event: uuid.UUID{15: 1}.String(), Revision: 1, At: us(70)}
	card := visitor.Source{Kind: "contact_card", By: "15551230001", ByKind: "customer", Message: "m60", Revision: 2, At: us(60)}
	want := visitor.Fields{
		Name: visitor.Field{Value: "Ana", Source: agent}, Email: visitor.Field{Value: "a@x", Source: agent},
		City: visitor.Field{Value: "Porto", Source: agent}, Country: visitor.Field{Value: "PT", Source: agent},
		Phone: visitor.Field{Value: "+1999", Source: card}, Company: visitor.Field{Value: "Lima Ltd", Source: card},
	}
	if diff := cmp.Diff(want, got.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	emails := []visitor.Field{{Value: "a@x", Source: agent}, {Value: "b@x", Source: agent}, {Value: "c@x", Source: card}}
	if diff := cmp.Diff(emails, got.Emails); diff != "" {
		t.Errorf("e-mails (-want +got):\n%s", diff)
	}
	if !got.IsContact || got.ContactReason != "contact_card" {
		t.Errorf("contact %v, %q; want by the first, the card", got.IsContact, got.ContactReason)
	}
	if got.Phone != "+1999" || got.Email != "a@x" {
		t.Errorf("phone %q, e-mail %q", got.Phone, got.Email)
	}
}

// What the contact has no more is gone, but for what was given later.
func TestDetailsThatAreTakenAway(t *testing.T) {
	got := fold(t,
		chat.DetailsShared{Reason: chat.ByAgent, Name: "Ana", Emails: []string{"a@x"}, Phones: []string{"+1999"}, Company: "Lima", City: "Porto", Country: "PT", By: "ann", At: sec(60)},
		chat.DetailsShared{Reason: chat.ByAgent, Emails: []string{"b@x"}, By: "ann", At: sec(80)},
		chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"emails", "phones", "company", "city", "country"}, By: "ann", At: sec(70)},
	)
	if got.Email != "b@x" || len(got.Emails) != 1 || len(got.Phones) != 0 || got.Name != "Ana" ||
		got.Fields.Company.Value+got.Fields.City.Value+got.Fields.Country.Value != "" {
		t.Errorf("profile %+v", got)
	}
}

// Of a contact that was deleted nothing is left but what the channel knows.
func TestContactsThatAreGone(t *testing.T) {
	facts := []any{
		message(50, "~ana~"),
		chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ana", Emails: []string{"a@x"}, Phones: []string{"+1999"}, At: sec(60)},
		chat.DetailsShared{Reason: chat.ByContactCard, Emptied: []string{"name", "emails", "phones"}, Gone: true, At: sec(70)},
	}
	got := fold(t, facts...)
	if got.IsContact || got.ContactReason != "" || got.Name != "~ana~" || got.Email != "" || got.Phone != "+15551230001" || len(got.Emails)+len(got.Phones) > 0 {
		t.Errorf("gone: %+v", got)
	}
	got = fold(t, append(facts, chat.DetailsShared{Reason: chat.ByForm, Name: "Ana", At: sec(80)})...)
	if !got.IsContact || got.ContactReason != "form" || got.Name != "Ana" {
		t.Errorf("back: %+v", got)
	}
}

func TestListsAreBounded(t *testing.T) {
	var facts []any
	for i := range 60 {
		facts = append(facts, chat.DetailsShared{Reason: chat.ByImport, Emails: []string{fmt.Sprintf("%02d@x", i)}, At: sec(i)})
	}
	if got := fold(t, facts...); len(got.Emails) != 50 || got.Emails[0].Value != "59@x" || got.Emails[49].Value != "10@x" {
		t.Errorf("%d e-mails: %+v", len(got.Emails), got.Emails)
	}
}

// Whatever order webhooks of different times arrive in, the profile is the same.
func TestLateWebhooksLeadToTheSameProfile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		story := viewstest.Draw(rt)
		if diff := cmp.Diff(settled(t, story.InOrder()), settled(t, story.Late(rt))); diff != "" {
			rt.Fatalf("in order (-), late (+):\n%s", diff)
		}
	})
}

// settled folds events and takes the revisions out.
func settled(t testing.TB, events []projections.Event) visitor.Row {
	rows := projectionstest.Rows[visitor.Row](projectionstest.Fold(t, visitor.New(), events...), "visitor_v2_profiles")
	r := rows[0]
	r.Revision = 0
	f := &r.Fields
	for _, field := range []*visitor.Field{&f.Name, &f.ProfileName, &f.Phone, &f.Email, &f.Company, &f.City, &f.Country} {
		field.Source.Revision = 0
	}
	f.EmailsGone.Revision, f.PhonesGone.Revision = 0, 0
	for _, list := range [][]visitor.Field{r.Emails, r.Phones} {
		for i := range list {
			list[i].Source.Revision = 0
		}
	}
	return r
}
