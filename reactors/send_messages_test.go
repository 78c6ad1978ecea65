package reactors_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/reactors"
)

func TestAMessageOnItsWay(t *testing.T) {
	s := newShop(t)
	s.start()
	id := s.open("15551230001")
	m := s.answer(id, "Yes, on Sundays too.")
	until(t, "it was accepted", func() bool { return s.outbound(id, m).ProviderID != "" })
	taken := s.graph.Taken()
	if len(taken) != 1 || taken[0].To != "15551230001" || taken[0].Text != "Yes, on Sundays too." || taken[0].PhoneNumberID != phoneID || taken[0].ID != s.outbound(id, m).ProviderID {
		t.Fatalf("taken %+v", taken)
	}
	for _, state := range []string{"read", "sent", "delivered"} {
		if err := (graphtest.Report{Message: taken[0], Status: state, At: time.Now()}).Post(t.Context(), http.DefaultClient, s.webhookURL(), appSecret); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all reports are translated", func() bool { return s.count("webhook.translated.v1") == 3 })
	if got := s.outbound(id, m).State; got != chat.Read {
		t.Errorf("state %s", got)
	}
}

// A template is sent with its values, as the provider documents it.
func TestATemplateOnItsWay(t *testing.T) {
	s := newShop(t)
	s.start()
	id := s.open("15551230001")
	_, err := s.commands.Chats.Send(t.Context(), someone, id, chat.SendMessage{Message: "m1", By: "ana", At: time.Now().Add(48 * time.Hour), Outgoing: chat.Outgoing{
		Text: "Hello Ana!",
		Template: &chat.TemplateUse{
			ID: "t", Name: "follow_up", Language: "en", Category: "utility",
			Header: &chat.TemplateHeader{Kind: "image", Link: "https://shop.example/tea.jpg"},
			Body:   []chat.TemplateValue{{Name: "name", Text: "Ana"}}, Buttons: []chat.TemplateButton{{Place: 1, Kind: "url", Text: "JD2"}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "it was accepted", func() bool { return s.outbound(id, "m1").ProviderID != "" })
	taken := s.graph.Taken()
	want := `"type":"template","template":{"name":"follow_up","language":{"code":"en"},"components":[` +
		`{"type":"header","parameters":[{"type":"image","image":{"link":"https://shop.example/tea.jpg"}}]},` +
		`{"type":"body","parameters":[{"type":"text","parameter_name":"name","text":"Ana"}]},` +
		`{"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"JD2"}]}]}`
	if len(taken) != 1 || !strings.Contains(taken[0].Payload, want) {
		t.Errorf("taken %+v, want %s", taken, want)
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	s := newShop(t)
	s.graph.Next(graphtest.Behaviour{Status: 429, Code: 130429, Title: "Rate limit hit"}, graphtest.Behaviour{Status: 503})
	h, _ := s.start()
	id := s.open("15551230001")
	m := s.answer(id, "hello")
	until(t, "it was accepted", func() bool { return s.outbound(id, m).ProviderID != "" })
	if n := s.graph.Requests(); n != 3 || len(s.graph.Taken()) != 1 {
		t.Errorf("%d requests, %d taken", n, len(s.graph.Taken()))
	}
	if st := h.Stats()[1]; st.Retried != 2 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAMessageThatFails(t *testing.T) {
	busy := graphtest.Behaviour{Status: 429, Code: 130429, Title: "Rate limit hit"}
	for _, tc := range []struct {
		name     string
		script   []graphtest.Behaviour
		requests int
		want     chat.DeliveryError
	}{
		{
			"for good",
			[]graphtest.Behaviour{{Status: 400, Code: 131047, Title: "Re-engagement message", Details: "more than 24 hours"}},
			1,
			chat.DeliveryError{Code: 131047, Title: "Re-engagement message", Details: "more than 24 hours"},
		},
		{
			"for lack of a token",
			[]graphtest.Behaviour{{Status: 401, Code: 190, Title: "Access token has expired"}},
			1,
			chat.DeliveryError{Code: 190, Title: "Access token has expired"},
		},
		{"after all tries", []graphtest.Behaviour{busy, busy, busy}, 3, chat.DeliveryError{Code: 130429, Title: "Rate limit hit"}},
		{"nobody knows how", []graphtest.Behaviour{{Cut: true, Take: true}}, 1, *whatsapp.OutcomeUnknown()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShop(t)
			s.graph.Next(tc.script...)
			h, _ := s.start()
			id := s.open("15551230001")
			m := s.answer(id, "hello")
			until(t, "it failed", func() bool { return s.outbound(id, m).State == chat.Failed })
			if got := s.failure(id, m); got != tc.want {
				t.Errorf("failed with %+v, want %+v", got, tc.want)
			}
			// The chat is not held up.
			next := s.answer(id, "another")
			until(t, "the next was accepted", func() bool { return s.outbound(id, next).ProviderID != "" })
			if n := s.graph.Requests(); n != tc.requests+1 {
				t.Errorf("%d requests", n)
			}
			if st := h.Stats()[1]; st.Parked != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// The answer was lost, so the message failed as "outcome unknown". Meta's report
// says that it arrived, and is believed.
func TestAReportFindsAMessageWhoseAnswerWasLost(t *testing.T) {
	s := newShop(t)
	s.graph.Next(graphtest.Behaviour{Cut: true, Take: true})
	s.start()
	id := s.open("15551230001")
	m := s.answer(id, "hello")
	until(t, "it failed", func() bool { return s.failure(id, m).Code == whatsapp.CodeOutcomeUnknown })
	taken := s.graph.Taken()[0]
	if err := (graphtest.Report{Message: taken, Status: "delivered", At: time.Now()}).Post(t.Context(), http.DefaultClient, s.webhookURL(), appSecret); err != nil {
		t.Fatal(err)
	}
	until(t, "it was delivered", func() bool { return s.outbound(id, m) == chat.Outbound{State: chat.Delivered, ProviderID: taken.ID} })
	if n := s.graph.Requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestADisconnectedChannelSendsNothing(t *testing.T) {
	s := newShop(t)
	id := s.open("15551230001")
	m := s.answer(id, "hello")
	o := commands.Origin{Workspace: workspace, Actor: "root", ActorKind: commands.ActorAgent}
	if _, err := s.commands.Channels.Disconnect(t.Context(), o, channel.ID(s.channel), channel.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	s.start()
	until(t, "it failed", func() bool { return s.outbound(id, m).State == chat.Failed })
	if got := s.failure(id, m); got.Code != whatsapp.CodeNoChannel || s.graph.Requests() != 0 {
		t.Errorf("%+v, %d requests", got, s.graph.Requests())
	}
}

func TestInOrderWithinAChatAndBesideOthers(t *testing.T) {
	s := newShop(t)
	slow, quick := s.open("15551230001"), s.open("15551230002")
	s.graph.Decide(func(_ int, m graphtest.Message) graphtest.Behaviour {
		if m.To == "15551230001" && m.Text == "0" {
			return graphtest.Behaviour{Hang: true}
		}
		return graphtest.Behaviour{}
	})
	var last chat.MessageID
	for i := range 5 {
		s.answer(slow, fmt.Sprint(i))
		last = s.answer(quick, fmt.Sprint(i))
	}
	h, stop := s.start()
	until(t, "the quick chat is through", func() bool { return s.outbound(quick, last).ProviderID != "" })
	var texts []string
	for _, m := range s.graph.Taken() {
		if m.To == "15551230001" {
			t.Errorf("%q of the slow chat overtook its first", m.Text)
		}
		texts = append(texts, m.Text)
	}
	if !slices.Equal(texts, []string{"0", "1", "2", "3", "4"}) {
		t.Errorf("order %v", texts)
	}
	until(t, "only the slow one is in flight", func() bool { return h.Stats()[1].InFlight == 1 })
	_ = s.graph.Close() // what hangs breaks off
	until(t, "the first failed", func() bool { return s.failure(slow, "out-1").Code == whatsapp.CodeOutcomeUnknown })
	stop()
}

// What kill -9 leaves behind, at each moment of a call.
func TestNothingIsSentTwiceAfterACrash(t *testing.T) {
	for name, tc := range map[string]struct {
		left reactors.Attempt // what the dead process left behind
		want func(*shop, chat.ID, chat.MessageID) error
	}{
		"during the call": {reactors.Attempt{State: reactors.AttemptBegun}, func(s *shop, id chat.ID, m chat.MessageID) error {
			if got := s.failure(id, m); got != *whatsapp.OutcomeUnknown() || s.graph.Requests() != 0 {
				return fmt.Errorf("%+v, %d requests", got, s.graph.Requests())
			}
			return nil
		}},
		"after the answer": {reactors.Attempt{State: reactors.AttemptAccepted, ProviderID: "wamid.X"}, func(s *shop, id chat.ID, m chat.MessageID) error {
			if got := s.outbound(id, m); got.ProviderID != "wamid.X" || s.graph.Requests() != 0 {
				return fmt.Errorf("%+v, %d requests", got, s.graph.Requests())
			}
			return nil
		}},
		"between two tries": {reactors.Attempt{State: reactors.AttemptRefused}, func(s *shop, id chat.ID, m chat.MessageID) error {
			if got := s.outbound(id, m); got.ProviderID == "" || len(s.graph.Taken()) != 1 {
				return fmt.Errorf("%+v, %d taken", got, len(s.graph.Taken()))
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			id := s.open("15551230001")
			m := s.answer(id, "hello")
			head, err := s.store.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.accounts.BeginAttempt(t.Context(), reactors.SendMessagesName, head.Position); err != nil {
				t.Fatal(err)
			}
			if err := s.accounts.EndAttempt(t.Context(), reactors.SendMessagesName, head.Position, tc.left); err != nil {
				t.Fatal(err)
			}
			h, _ := s.start()
			until(t, "it was handled", func() bool { return h.Stats()[1].Handled == 1 })
			if err := tc.want(s, id, m); err != nil {
				t.Error(err)
			}
			// The note is gone: the outcome is in the log.
			if left, err := s.accounts.BeginAttempt(t.Context(), reactors.SendMessagesName, head.Position); err != nil || left != (reactors.Attempt{}) {
				t.Errorf("left behind: %+v, %v", left, err)
			}
		})
	}
}

// overtaken lets something happen before the first attempt begins.
type overtaken struct {
	reactors.Attempts
	before func()
}

func (o *overtaken) BeginAttempt(ctx context.Context, reactor string, at eventstore.Position) (reactors.Attempt, error) {
	if o.before != nil {
		before := o.before
		o.before = nil
		before()
	}
	return o.Attempts.BeginAttempt(ctx, reactor, at)
}

// A process that is suspended just before it sends, for longer than its lease,
// does not send what its successor has sent.
func TestNothingIsSentTwiceAfterASuspension(t *testing.T) {
	s := newShop(t)
	id := s.open("15551230001")
	m := s.answer(id, "hello")
	send := reactors.SendMessages{
		Accounts: s.lookup, Client: s.client, Chats: s.commands.Chats, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	var queued eventstore.Recorded
	for r, err := range s.store.ReadStream(t.Context(), "chat-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		queued = r
	}
	successor, suspended := send, send
	successor.Attempts = s.accounts
	suspended.Attempts = &overtaken{s.accounts, func() {
		if err := successor.Reactor().Handle(t.Context(), queued); err != nil {
			t.Error(err)
		}
	}}
	if err := suspended.Reactor().Handle(t.Context(), queued); err != nil {
		t.Fatal(err)
	}
	if n := s.graph.Requests(); n != 1 || s.outbound(id, m).ProviderID == "" {
		t.Errorf("%d requests, %+v", n, s.outbound(id, m))
	}
	if left, err := s.accounts.BeginAttempt(t.Context(), reactors.SendMessagesName, queued.Position); err != nil || left != (reactors.Attempt{}) {
		t.Errorf("left behind: %+v, %v", left, err)
	}
}

// The checkpoint is lost, so everything is delivered again.
func TestTheWholeLogAgainSendsNothing(t *testing.T) {
	s := newShop(t)
	id := s.open("15551230001")
	for i := range 5 {
		s.answer(id, fmt.Sprint(i))
	}
	s.graph.Next(graphtest.Behaviour{}, graphtest.Behaviour{Status: 400, Code: 131026, Title: "Message undeliverable"})
	h, stop := s.start()
	until(t, "all are handled", func() bool { return h.Stats()[1].Handled == 5 })
	stop()
	head, err := s.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := s.reactors()
	for i := range list {
		list[i].Predecessor = ""
	}
	a := newAccounts(t)
	h, stop = host(t, reactors.Config{Store: s.store, Reactors: list, Leases: a, Parking: a, Alone: true})
	until(t, "all are handled again", func() bool { return h.Stats()[1].Handled == 5 })
	stop()
	if n := s.graph.Requests(); n != 5 || len(s.graph.Taken()) != 4 {
		t.Errorf("%d requests, %d taken", n, len(s.graph.Taken()))
	}
	if again, err := s.store.Head(t.Context()); err != nil || again != head {
		t.Errorf("the log grew from %d to %d, %v", head.Position, again.Position, err)
	}
}

// Shutting down waits for the call under way, and does not wait out a pause.
func TestAStopLetsACallFinish(t *testing.T) {
	s := newShop(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	s.graph.Decide(func(_ int, m graphtest.Message) graphtest.Behaviour {
		if m.To == "15551230002" {
			return graphtest.Behaviour{Status: 429, Code: 130429, RetryAfter: "3600"}
		}
		close(arrived)
		<-release
		return graphtest.Behaviour{}
	})
	first, second := s.open("15551230001"), s.open("15551230002")
	pausing := s.answer(second, "later")
	h, stop := s.start()
	until(t, "one waits for its next try", func() bool { return h.Stats()[1].Retried == 1 })
	m := s.answer(first, "now")
	<-arrived
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	until(t, "it stops", func() bool { return !h.Stats()[1].Running })
	close(release)
	<-stopped
	if s.outbound(first, m).ProviderID == "" {
		t.Error("the call under way was cut off")
	}
	if o := s.outbound(second, pausing); o.State != chat.Queued {
		t.Errorf("%+v", o)
	}
	s.graph.Decide(nil)
	s.start()
	until(t, "the other goes out after the restart", func() bool { return s.outbound(second, pausing).ProviderID != "" })
	if n := len(s.graph.Taken()); n != 2 {
		t.Errorf("%d taken", n)
	}
}

func TestWhoSentItAndWhy(t *testing.T) {
	s := newShop(t)
	s.start()
	id := s.open("15551230001")
	m := s.answer(id, "hello")
	until(t, "it was accepted", func() bool { return s.outbound(id, m).ProviderID != "" })
	var queued eventstore.Recorded
	for r, err := range s.store.ReadStream(t.Context(), "chat-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch r.Type {
		case "chat.message_queued.v1":
			queued = r
		case "chat.message_accepted.v1":
			meta, err := eventstore.DecodeMetadata(r)
			if err != nil {
				t.Fatal(err)
			}
			asked, err := eventstore.DecodeMetadata(queued)
			if err != nil {
				t.Fatal(err)
			}
			if meta.Actor != reactors.SendMessagesName || meta.ActorKind != "system" || meta.Causation != queued.ID.String() || meta.Correlation != asked.Correlation {
				t.Errorf("%+v", meta)
			}
		}
	}
}
