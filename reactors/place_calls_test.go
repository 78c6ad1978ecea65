package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/calling"
	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/reactors"
)

// pbx is a provider that answers what it is told to, and takes calls otherwise.
type pbx struct {
	mu     sync.Mutex
	script []calling.Answer
	asked  []string
}

func (p *pbx) answer(what string) calling.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
	if len(p.script) == 0 {
		return calling.Answer{Outcome: calling.Accepted, ProviderID: "pbx-1"}
	}
	a := p.script[0]
	p.script = p.script[1:]
	return a
}

func (p *pbx) Place(_ context.Context, k calling.Call) calling.Answer {
	return p.answer("start " + k.Phone)
}

func (p *pbx) HangUp(_ context.Context, k calling.Call) calling.Answer {
	return p.answer("end " + k.ProviderID)
}

func (p *pbx) wasAsked(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked) == n
}

func agentOrigin() commands.Origin {
	return commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent}
}

func (s *shop) calledBy(p call.Provider) {
	s.t.Helper()
	if _, err := s.commands.Channels.SetCalls(s.t.Context(), agentOrigin(), channel.ID(s.channel), channel.SetCalls{Provider: p}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) call(id chat.ID, k call.ID) {
	s.t.Helper()
	_, err := s.commands.Calls.Request(s.t.Context(), agentOrigin(), id, chat.RequestCall{Call: string(k), Offer: "v=0\r\n", By: "ana", At: time.Now()})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) hangUp(k call.ID) {
	s.t.Helper()
	if _, err := s.commands.Calls.RequestEnd(s.t.Context(), agentOrigin(), k, call.RequestEnd{By: "ana", At: time.Now()}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) callState(k call.ID) (state call.State) {
	s.t.Helper()
	err := s.commands.Calls.Look(s.t.Context(), workspace, k, func(now call.State) error {
		state = now
		return nil
	})
	if err != nil && !errors.Is(err, call.ErrNotFound) {
		s.t.Fatal(err)
	}
	return state
}

func (s *shop) lineIsFree(id chat.ID) (free bool) {
	s.t.Helper()
	err := s.commands.Chats.Look(s.t.Context(), workspace, id, func(c chat.State) error {
		free = c.Call == ""
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return free
}

func TestACallOnItsWay(t *testing.T) {
	s, p := newShop(t), &pbx{}
	s.callers[call.Webhook] = p
	s.calledBy(call.Webhook)
	s.start()
	id := s.open("15551230001")
	s.call(id, "k1")
	until(t, "it was made", func() bool { return s.callState("k1").ProviderID == "pbx-1" })
	_, err := s.commands.Calls.Request(t.Context(), agentOrigin(), id, chat.RequestCall{Call: "k2", By: "ana", At: time.Now()})
	if !errors.Is(err, chat.ErrCallRunning) {
		t.Errorf("a second call: %v", err)
	}
	if _, err := s.commands.Calls.Report(t.Context(), agentOrigin(), "k1", call.Report{Phase: call.InProgress, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	s.hangUp("k1")
	until(t, "the chat knows", func() bool { return s.lineIsFree(id) })
	if k := s.callState("k1"); k.Phase != call.Completed || k.Outcome.By != "ana" || k.Outcome.Reason != call.HungUp || !p.wasAsked(2) || p.asked[1] != "end pbx-1" {
		t.Errorf("%+v, asked %v", k, p.asked)
	}
	s.call(id, "k2")
	until(t, "the next was made", func() bool { return s.callState("k2").ProviderID != "" })
}

func TestACallThatFails(t *testing.T) {
	busy := calling.Answer{Outcome: calling.Again, Reason: "http_503"}
	for _, tc := range []struct {
		name   string
		script []calling.Answer
		asked  int
		reason string
	}{
		{"for good", []calling.Answer{{Outcome: calling.Refused, Reason: "no_permission"}}, 1, "no_permission"},
		{"after all tries", []calling.Answer{busy, busy, busy}, 3, "http_503"},
		{"nobody knows how", []calling.Answer{{Outcome: calling.Unknown, Reason: call.OutcomeUnknown, Cause: errors.New("cut")}}, 1, call.OutcomeUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, p := newShop(t), &pbx{script: tc.script}
			s.callers[call.Webhook] = p
			s.calledBy(call.Webhook)
			s.start()
			id := s.open("15551230001")
			s.call(id, "k1")
			until(t, "the chat knows", func() bool { return s.callState("k1").Phase.Over() && s.lineIsFree(id) })
			if k := s.callState("k1"); k.Phase != call.Failed || k.Outcome.Reason != tc.reason || !p.wasAsked(tc.asked) {
				t.Errorf("%+v, asked %v", k, p.asked)
			}
		})
	}
}

// A call whose request may have been made, by a process that died, is not made
// again; one that nobody makes fails, and so does one whose end nobody hears of.
func TestNoCallIsMadeTwice(t *testing.T) {
	s, p := newShop(t), &pbx{}
	s.callers[call.Webhook] = p
	s.calledBy(call.Webhook)
	id := s.open("15551230001")
	s.call(id, "k1")
	for r, err := range s.store.ReadStream(t.Context(), "call-k1", eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.attempts.BeginAttempt(t.Context(), reactors.PlaceCallsName, r.Position); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	until(t, "it failed", func() bool { return s.callState("k1").Phase == call.Failed && s.lineIsFree(id) })
	if k := s.callState("k1"); k.Outcome.Reason != call.OutcomeUnknown || !p.wasAsked(0) {
		t.Errorf("%+v, asked %v", k, p.asked)
	}
}

func TestACallIsEndedBeforeItIsMade(t *testing.T) {
	s, p := newShop(t), &pbx{}
	s.callers[call.Webhook] = p
	s.calledBy(call.Webhook)
	id := s.open("15551230001")
	s.call(id, "k1")
	s.hangUp("k1")
	s.start()
	until(t, "it ended", func() bool { return s.callState("k1").Phase.Over() && s.lineIsFree(id) })
	if k := s.callState("k1"); k.Phase != call.NoAnswer || k.Outcome.Reason != call.Cancelled || !p.wasAsked(0) {
		t.Errorf("%+v, asked %v", k, p.asked)
	}
}

// The program died after the provider had taken the call, and before that was in the
// log; meanwhile somebody wants to end it.
func TestACallIsEndedWhoseMakingNobodyRecorded(t *testing.T) {
	s, p := newShop(t), &pbx{}
	s.callers[call.Webhook] = p
	s.calledBy(call.Webhook)
	id := s.open("15551230001")
	s.call(id, "k1")
	var at eventstore.Position
	for e, err := range s.store.ReadStream(t.Context(), "call-k1", eventstore.StreamQuery{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		at = e.Position
	}
	if _, err := s.accounts.BeginAttempt(t.Context(), reactors.PlaceCallsName, at); err != nil {
		t.Fatal(err)
	}
	if err := s.accounts.EndAttempt(t.Context(), reactors.PlaceCallsName, at, reactors.Attempt{State: reactors.AttemptAccepted, ProviderID: "pbx-7"}); err != nil {
		t.Fatal(err)
	}
	s.hangUp("k1")
	s.start()
	until(t, "it ended", func() bool { return s.callState("k1").Phase.Over() && s.lineIsFree(id) })
	if k := s.callState("k1"); !p.wasAsked(1) || p.asked[0] != "end pbx-7" {
		t.Errorf("%+v, asked %v", k, p.asked)
	}
}

func TestAnEndThatNobodyHearsOf(t *testing.T) {
	s, p := newShop(t), &pbx{}
	s.callers[call.Webhook] = p
	s.calledBy(call.Webhook)
	s.start()
	id := s.open("15551230001")
	s.call(id, "k1")
	until(t, "it was made", func() bool { return s.callState("k1").ProviderID != "" })
	lost := calling.Answer{Outcome: calling.Unknown, Reason: call.OutcomeUnknown}
	p.mu.Lock()
	p.script = []calling.Answer{lost, lost, lost}
	p.mu.Unlock()
	s.hangUp("k1")
	until(t, "it ended all the same", func() bool { return s.callState("k1").Phase.Over() && s.lineIsFree(id) })
	if k := s.callState("k1"); k.Phase != call.Failed || k.Outcome.Reason != call.NotHungUp || !p.wasAsked(4) {
		t.Errorf("%+v, asked %v", k, p.asked)
	}
}

// The program ended between the chat's event and the call's. The call belongs to the
// request for it all the same.
func TestACallThatWasNotOpened(t *testing.T) {
	s, p := newShop(t), &pbx{}
	s.callers[call.Webhook] = p
	s.calledBy(call.Webhook)
	id := s.open("15551230001")
	asked := chat.CallRequested{Call: "k1", Phone: "+15551230001", Provider: "webhook", By: "ana", At: time.Now().UTC()}
	rev := eventstore.Any
	e := eventstore.Event{ID: [16]byte{1}, Type: asked.EventType(), Data: []byte(`{"call":"k1","phone":"+15551230001","provider":"webhook","by":"ana","at":"2026-11-26T00:00:00Z"}`), Meta: []byte(`{"workspace":"` + workspace + `","$correlationId":"the request"}`)}
	if _, err := s.store.Append(t.Context(), "chat-"+string(id), rev, e); err != nil {
		t.Fatal(err)
	}
	s.start()
	until(t, "it was made", func() bool { return s.callState("k1").ProviderID == "pbx-1" })
	opened := facts[call.Requested](s)
	if len(opened) != 1 {
		t.Fatalf("%d calls", len(opened))
	}
	if meta, err := eventstore.DecodeMetadata(opened[0].Recorded); err != nil || meta.Correlation != "the request" || meta.Causation != e.ID.String() {
		t.Errorf("%+v, %v", meta, err)
	}
}

func TestACallThroughWhatsApp(t *testing.T) {
	s := newShop(t)
	s.calledBy(call.WhatsApp)
	s.start()
	id := s.open("15551230001")
	s.call(id, "k1")
	until(t, "it was made", func() bool { return s.callState("k1").ProviderID != "" })
	rung := s.graph.Rung()
	if len(rung) != 1 || rung[0].To != "15551230001" || rung[0].Action != "connect" || rung[0].Callback != "k1" || rung[0].SDP != "v=0\r\n" || rung[0].ID != s.callState("k1").ProviderID {
		t.Fatalf("%+v", rung)
	}
	report := func(r graphtest.CallReport) {
		t.Helper()
		r.Call, r.At = rung[0], time.Now()
		if err := r.Post(t.Context(), http.DefaultClient, s.webhookURL(), appSecret); err != nil {
			t.Fatal(err)
		}
	}
	report(graphtest.CallReport{Status: "RINGING"})
	until(t, "it rings", func() bool { return s.callState("k1").Phase == call.Rings })
	rung[0].Callback = "" // then the call is the one that the chat has
	report(graphtest.CallReport{Event: "connect", SDP: "v=0\r\nanswer"})
	until(t, "there is an answer", func() bool { return s.callState("k1").Connected })
	report(graphtest.CallReport{Status: "ACCEPTED"})
	until(t, "it was taken", func() bool { return s.callState("k1").Phase == call.InProgress })
	report(graphtest.CallReport{Event: "terminate", Status: "COMPLETED", Duration: 29})
	until(t, "the chat knows", func() bool { return s.lineIsFree(id) })
	if k := s.callState("k1"); k.Phase != call.Completed || k.Outcome.Duration != 29 {
		t.Errorf("%+v", k)
	}

	// One that nobody takes, and one that we end.
	s.call(id, "k2")
	until(t, "it was made", func() bool { return s.callState("k2").ProviderID != "" })
	rung[0] = s.graph.Rung()[1]
	report(graphtest.CallReport{Event: "terminate", Status: "COMPLETED"})
	until(t, "nobody took it", func() bool { return s.callState("k2").Phase == call.NoAnswer && s.lineIsFree(id) })
	s.call(id, "k3")
	until(t, "it was made", func() bool { return s.callState("k3").ProviderID != "" })
	s.hangUp("k3")
	until(t, "it ended", func() bool { return s.callState("k3").Phase.Over() && s.lineIsFree(id) })
	if all := s.graph.Rung(); len(all) != 4 || all[3].Action != "terminate" || all[3].ID != all[2].ID {
		t.Errorf("%+v", all)
	}

	// Without the customer's permission there is no call.
	s.graph.Next(graphtest.Behaviour{Status: 400, Code: 138006, Title: "No approved call permission"})
	s.call(id, "k4")
	until(t, "it failed", func() bool { return s.callState("k4").Phase == call.Failed })
	if k := s.callState("k4"); k.Outcome.Reason != "no_permission" {
		t.Errorf("%+v", k.Outcome)
	}
}

// A customer is asked to allow calls, by a message; what they answer decides whether they
// are called, and WhatsApp may take it back.
func TestAskingToCall(t *testing.T) {
	s := newShop(t)
	s.calledBy(call.WhatsApp)
	s.start()
	id := s.open("15551230001")
	ask := func(m chat.MessageID) error {
		_, err := s.commands.Chats.AskToCall(t.Context(), agentOrigin(), id, chat.AskToCall{SendMessage: chat.SendMessage{
			Message: m, Outgoing: chat.Outgoing{Text: "May we call you?"}, By: "ana", At: time.Now(),
		}})
		return err
	}
	if err := ask("o1"); err != nil {
		t.Fatal(err)
	}
	if err := s.graph.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if m := s.graph.Taken()[0]; m.Type != "interactive" || m.Text != "May we call you?" || m.To != "15551230001" {
		t.Errorf("asked %+v", m)
	}
	n := 0
	say := func(reply map[string]any) {
		t.Helper()
		n++
		err := graphtest.PostChange(t.Context(), http.DefaultClient, s.webhookURL(), appSecret, "messages", map[string]any{
			"messaging_product": "whatsapp", "metadata": map[string]any{"phone_number_id": phoneID},
			"messages": []any{map[string]any{
				"from": "15551230001", "id": fmt.Sprint("wamid.reply", n), "timestamp": fmt.Sprint(time.Now().Unix() + int64(n)), "type": "interactive",
				"interactive": map[string]any{"type": "call_permission_reply", "call_permission_reply": reply},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	known := func() (p chat.CallPermission) {
		err := s.commands.Chats.Look(t.Context(), workspace, id, func(s chat.State) error {
			if s.CallPermission != nil {
				p = *s.CallPermission
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	request := func(k string) error {
		_, err := s.commands.Calls.Request(t.Context(), agentOrigin(), id, chat.RequestCall{Call: k, Offer: "v=0\r\n", By: "ana", At: time.Now()})
		return err
	}
	say(map[string]any{"response": "reject", "response_source": "user_action"})
	until(t, "it was declined", func() bool { return !known().At.IsZero() })
	if err := request("k1"); !errors.Is(err, chat.ErrNoCallPermission) {
		t.Errorf("called one who declined: %v", err)
	}
	say(map[string]any{"response": "accept", "is_permanent": false, "expiration_timestamp": time.Now().Add(time.Hour).Unix(), "response_source": "user_action"})
	until(t, "it was allowed", func() bool { return known().Allowed && !known().Until.IsZero() })
	if err := ask("o2"); !errors.Is(err, chat.ErrCallsAllowed) {
		t.Errorf("asked one who allows calls: %v", err)
	}
	if err := request("k1"); err != nil {
		t.Errorf("called one who allows it: %v", err)
	}
	until(t, "it was made", func() bool { return len(s.graph.Rung()) == 1 })
	say(map[string]any{"response": "accept", "is_permanent": true, "response_source": "user_action"})
	until(t, "it was allowed for good", func() bool { return known().Allowed && known().Until.IsZero() })
	say(map[string]any{"response": "reject", "response_source": "automatic"})
	until(t, "it was taken back", func() bool { return !known().Allowed })
	messages := 0
	for r, err := range s.store.ReadStream(t.Context(), "chat-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == (chat.MessageReceived{}).EventType() {
			messages++
		}
	}
	if want := 1 + 3; messages != want {
		t.Errorf("%d messages of the customer, want %d", messages, want)
	}
}
