//go:build unix

package reactors_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/reactors"
)

// react asks for a reaction to the customer's first message.
func (s *shop) react(id chat.ID, name, emoji string) {
	s.t.Helper()
	o := commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent, Command: ids.Command("react", name)}
	s.done(s.commands.Chats.React(s.t.Context(), o, id, chat.React{Message: "m0", Emoji: emoji, By: "ana", At: time.Now()}))
}

// reaction returns ours to the customer's first message.
func (s *shop) reaction(id chat.ID) (r chat.OwnReaction) {
	s.t.Helper()
	err := s.commands.Chats.Look(s.t.Context(), workspace, id, func(c chat.State) error {
		r = c.Reactions["m0"]
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// emojis returns the reactions that the provider took.
func (s *shop) emojis() (all []string) {
	for _, m := range s.graph.Taken() {
		if _, after, ok := strings.Cut(m.Payload, `"type":"reaction","reaction":{"message_id":"w0-15551230001","emoji":"`); ok {
			emoji, _, _ := strings.Cut(after, `"`)
			all = append(all, emoji)
		}
	}
	return all
}

func TestAReactionOnItsWay(t *testing.T) {
	s := newShop(t)
	s.start()
	id := s.open("15551230001")
	s.react(id, "1", "👍")
	until(t, "it was sent", func() bool { return s.reaction(id).Settled })
	s.react(id, "2", "👍")
	s.react(id, "3", "")
	until(t, "it was taken back", func() bool { return s.reaction(id).Settled && s.reaction(id).Shown.Emoji == "" })
	if got := s.emojis(); !slices.Equal(got, []string{"👍", ""}) || s.graph.Requests() != 2 {
		t.Errorf("taken %q of %d", got, s.graph.Requests())
	}
	// The customer's app reports on reactions as on messages. Only a failure says
	// something.
	s.react(id, "4", "❤️")
	until(t, "the next was sent", func() bool { return s.reaction(id).Shown.Emoji == "❤️" })
	taken := s.graph.Taken()[2]
	for _, r := range []graphtest.Report{
		{Message: taken, Status: "delivered", At: time.Now()}, {Message: taken, Status: "failed", At: time.Now(), Code: 131026, Title: "Message undeliverable"},
	} {
		if err := r.Post(t.Context(), http.DefaultClient, s.webhookURL(), appSecret); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the failure is known", func() bool { return s.count("chat.reaction_failed.v1") == 1 })
	if got := last[chat.ReactionFailed](s); got.Error == nil || got.Error.Code != 131026 || got.Emoji != "❤️" || s.count("chat.delivery_recorded.v1") != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAReactionThatFails(t *testing.T) {
	down := graphtest.Behaviour{Status: 503}
	for _, tc := range []struct {
		name     string
		script   []graphtest.Behaviour
		requests int
		code     int // 0: it is sent
	}{
		{"for a moment", []graphtest.Behaviour{down, {Status: 429, Code: 130429, Title: "Rate limit hit"}}, 3, 0},
		{"in all tries", []graphtest.Behaviour{down, down, down}, 3, whatsapp.CodeUnreachable},
		{"for good", []graphtest.Behaviour{{Status: 400, Code: 131009, Title: "Parameter value is not valid"}}, 1, 131009},
		{"nobody knows how", []graphtest.Behaviour{{Cut: true, Take: true}}, 1, whatsapp.CodeOutcomeUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShop(t)
			s.graph.Next(tc.script...)
			s.start()
			id := s.open("15551230001")
			s.react(id, "1", "👍")
			until(t, "it has an outcome", func() bool { return s.reaction(id).Settled })
			r := s.reaction(id)
			if sent := tc.code == 0; (r.Shown.Emoji != "") != sent || s.graph.Requests() != tc.requests || s.count("chat.reaction_failed.v1") != map[bool]int{true: 0, false: 1}[sent] {
				t.Errorf("%+v after %d requests", r, s.graph.Requests())
			}
			if got := last[chat.ReactionFailed](s); tc.code != 0 && (got.Error == nil || got.Error.Code != tc.code) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A process that dies at any step of sending a reaction: it is not sent twice, nor is
// one that another was asked for instead.
func TestKilledWhileItReacts(t *testing.T) {
	type want struct{ taken, failed int }
	safe := want{1, 0}
	for at, want := range map[string]want{
		"before begin 1":                 safe,
		"after begin 1":                  {0, 1},
		"before call 1":                  {0, 1},
		"after call 1":                   {1, 1},
		"before end 1":                   {1, 1},
		"after end 1":                    safe,
		"before chat.reaction_sent.v1 1": safe,
		"after chat.reaction_sent.v1 1":  safe,
		"after forget 1":                 safe,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s, dir := newDurableShop(t)
			id := s.open("15551230001")
			s.react(id, "1", "👍")
			s.crash(dir, at, nil)
			_, stop := s.start()
			until(t, "it has an outcome", func() bool { return s.reaction(id).Settled })
			// And one that comes after it is sent, whatever became of the first.
			s.react(id, "2", "🙏")
			until(t, "the next was sent", func() bool { return s.reaction(id).Shown.Emoji == "🙏" })
			stop()
			got := s.emojis()
			if len(got) != want.taken+1 || got[len(got)-1] != "🙏" || s.count("chat.reaction_failed.v1") != want.failed || s.graph.Requests() != want.taken+1 {
				t.Errorf("taken %q of %d requests, %d failed; want %+v", got, s.graph.Requests(), s.count("chat.reaction_failed.v1"), want)
			}
		})
	}
}

// What was asked for before its turn came, and then changed, is not sent.
func TestAReactionThatIsNotWantedAnyMore(t *testing.T) {
	s := newShop(t)
	id := s.open("15551230001")
	s.react(id, "1", "👍")
	s.react(id, "2", "🙏")
	s.start()
	until(t, "the last was sent", func() bool { return s.reaction(id).Shown.Emoji == "🙏" })
	if got := s.emojis(); !slices.Equal(got, []string{"🙏"}) {
		t.Errorf("taken %q", got)
	}
}

func TestCustomersAreShownThatItWasRead(t *testing.T) {
	s := newShop(t)
	id := s.open("15551230001")
	read := func(at time.Time) {
		t.Helper()
		s.done(s.commands.Chats.MarkRead(t.Context(), someone, id, chat.MarkRead{By: "ana", At: at, Show: true}))
	}
	read(time.Now())
	read(time.Now())
	h, _ := s.start()
	until(t, "it was shown", func() bool { return len(s.graph.Taken()) == 1 })
	if got := s.graph.Taken()[0]; got.Payload != `{"messaging_product":"whatsapp","status":"read","message_id":"w0-15551230001"}` {
		t.Errorf("%+v", got)
	}
	signals := func() int64 {
		for _, st := range h.Stats() {
			if st.Reactor == reactors.SendSignalsName {
				return st.Handled
			}
		}
		return -1
	}
	until(t, "all is handled", func() bool { return signals() == 1 })

	// One that the provider does not take is given up, and holds up nothing.
	s.graph.Next(graphtest.Behaviour{Status: 503}, graphtest.Behaviour{Status: 503}, graphtest.Behaviour{Status: 503})
	other := s.open("15551230002")
	s.done(s.commands.Chats.MarkRead(t.Context(), someone, other, chat.MarkRead{By: "ana", At: time.Now(), Show: true}))
	until(t, "it was tried", func() bool { return s.graph.Requests() == 4 })
	s.react(id, "1", "👍")
	until(t, "a reaction was sent", func() bool { return s.reaction(id).Settled })
	if n := s.graph.Requests(); n != 5 {
		t.Errorf("%d requests", n)
	}

	// One that comes too late is not shown.
	third := s.open("15551230003")
	s.done(s.commands.Chats.MarkRead(t.Context(), someone, third, chat.MarkRead{By: "ana", At: time.Now().Add(-2 * time.Hour), Show: true}))
	handled := signals()
	s.react(id, "2", "")
	until(t, "it was left out", func() bool { return signals() >= handled && s.reaction(id).Shown.Emoji == "" })
	if n := s.graph.Requests(); n != 6 {
		t.Errorf("%d requests", n)
	}
}

// That somebody writes is shown with the read mark, and not later than it is of use.
func TestSomebodyWrites(t *testing.T) {
	s := newShop(t)
	id := s.open("15551230001")
	show := func(name string, at time.Time) {
		t.Helper()
		o := commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent, Command: ids.Command("typing", name)}
		s.done(s.commands.Chats.ShowTyping(t.Context(), o, id, chat.ShowTyping{By: "ana", At: at}))
	}
	const read, writes = `"status":"read","message_id":"w0-15551230001"}`, `"status":"read","message_id":"w0-15551230001","typing_indicator":{"type":"text"}}`
	show("too late", time.Now().Add(-time.Minute))
	s.start()
	until(t, "the first was taken", func() bool { return len(s.graph.Taken()) == 1 })
	show("in time", time.Now())
	until(t, "the second was taken", func() bool { return len(s.graph.Taken()) == 2 })
	for i, want := range []string{read, writes} {
		if got := s.graph.Taken()[i].Payload; !strings.HasSuffix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
