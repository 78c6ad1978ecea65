package calling_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/channels/calling"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// The example of https://github.com/standard-webhooks/standard-webhooks, so that
// their libraries understand us.
func TestSignIsThatOfStandardWebhooks(t *testing.T) {
	h, at, body := http.Header{}, time.Unix(1_614_265_330, 0), []byte(`{"test": 2432232314}`)
	calling.Sign(h, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)
	if got := h.Get("Webhook-Signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" || h.Get("Webhook-Timestamp") != "1614265330" {
		t.Fatalf("%v", h)
	}
	if id, ok := calling.Verify(h, secret, at, body); !ok || id != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
		t.Errorf("%q %v", id, ok)
	}
	two := h.Clone()
	two.Set("Webhook-Signature", "v1,AAAA v2,x "+h.Get("Webhook-Signature"))
	if _, ok := calling.Verify(two, secret, at, body); !ok {
		t.Error("one of several signatures is not taken")
	}
	for name, bad := range map[string]func() (http.Header, string, time.Time, []byte){
		"too old":        func() (http.Header, string, time.Time, []byte) { return h, secret, at.Add(6 * time.Minute), body },
		"of the future":  func() (http.Header, string, time.Time, []byte) { return h, secret, at.Add(-6 * time.Minute), body },
		"another secret": func() (http.Header, string, time.Time, []byte) { return h, "another", at, body },
		"no secret":      func() (http.Header, string, time.Time, []byte) { return h, "", at, body },
		"another body":   func() (http.Header, string, time.Time, []byte) { return h, secret, at, []byte("{}") },
		"another id": func() (http.Header, string, time.Time, []byte) {
			o := h.Clone()
			o.Set("Webhook-Id", "x")
			return o, secret, at, body
		},
		"no headers": func() (http.Header, string, time.Time, []byte) { return http.Header{}, secret, at, body },
	} {
		if _, ok := calling.Verify(bad()); ok {
			t.Errorf("%s: verified", name)
		}
	}
}

func TestAService(t *testing.T) {
	now := func() time.Time { return time.Unix(1_790_000_000, 0) }
	for _, tc := range []struct {
		name    string
		status  int
		body    string
		header  string
		want    calling.Outcome
		id      string
		reason  string
		waiting time.Duration
	}{
		{name: "taken", status: 200, body: `{"id":"pbx-7"}`, want: calling.Accepted, id: "pbx-7"},
		{name: "taken without a word", status: 202, want: calling.Accepted},
		{name: "refused", status: 422, body: `{"code":"no_such_extension","message":"who?"}`, want: calling.Refused, reason: "no_such_extension"},
		{name: "refused without a word", status: 404, want: calling.Refused, reason: "http_404"},
		{name: "a redirect", status: 307, want: calling.Refused, reason: "http_307"},
		{name: "busy", status: 429, header: "7", want: calling.Again, reason: "http_429", waiting: 7 * time.Second},
		{name: "out of order", status: 503, want: calling.Again, reason: "http_503"},
		{name: "a gateway lost it", status: 504, want: calling.Unknown, reason: "outcome_unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got string
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if _, ok := calling.Verify(r.Header, secret, now(), body); !ok || err != nil {
					t.Errorf("not signed: %v", r.Header)
				}
				got = r.Header.Get("Webhook-Id") + " " + string(body)
				w.Header().Set("Retry-After", tc.header)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer service.Close()
			c := calling.NewClient(func(context.Context, string) (calling.Settings, error) {
				return calling.Settings{Workspace: "acme", URL: service.URL, Secret: secret}, nil
			}, nil, now)
			defer c.Close()
			k := calling.Call{ID: "k1", Workspace: "acme", Channel: "shop", Chat: "c1", Phone: "+4915", By: "ann"}
			a := c.Place(t.Context(), k)
			if a.Outcome != tc.want || a.ProviderID != tc.id || a.Reason != tc.reason || a.After != tc.waiting {
				t.Errorf("%+v", a)
			}
			if want := `k1-start {"type":"call.start","call":"k1","workspace":"acme","channel":"shop","chat":"c1","agent":"ann","to":"+4915"}`; got != want {
				t.Errorf("asked\n%s, want\n%s", got, want)
			}
		})
	}
}

func TestAServiceThatIsNotThere(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	url, err := gone.URL, error(nil)
	c := calling.NewClient(func(context.Context, string) (calling.Settings, error) {
		return calling.Settings{URL: url, Secret: secret}, err
	}, nil, time.Now)
	defer c.Close()
	if a := c.HangUp(t.Context(), calling.Call{ID: "k1"}); a.Outcome != calling.Again || a.Reason != "unreachable" || strings.Contains(fmt.Sprint(a.Cause), url) {
		t.Errorf("%+v", a)
	}
	err = calling.ErrNotSetUp
	if a := c.Place(t.Context(), calling.Call{ID: "k1"}); a.Outcome != calling.Refused || a.Reason != call.NotSetUp {
		t.Errorf("%+v", a)
	}
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	url, err = cut.URL, nil
	if a := c.Place(t.Context(), calling.Call{ID: "k1"}); a.Outcome != calling.Unknown {
		t.Errorf("%+v", a)
	}
}

func TestSettingsHideTheSecret(t *testing.T) {
	s := calling.Settings{Workspace: "acme", URL: "https://user:pw@pbx", Secret: "s3cr3t"}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "settings", s)
	j, err := json.Marshal(s)
	if all := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, log.String(), j); err != nil || strings.Contains(all, "s3cr3t") || strings.Contains(all, "pw@") {
		t.Error(all)
	}
}

// Reports in any order, again and again, by those who may.
func TestCallback(t *testing.T) {
	store := memory.New(time.Now)
	c := commands.New(store, commands.Options{})
	o := commands.Origin{Workspace: "acme", Actor: "test", ActorKind: commands.ActorSystem}
	must := func(_ commands.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Workspaces.Create(t.Context(), o, workspace.Create{Name: "Acme"}))
	for _, id := range []channel.ID{"shop", "depot"} {
		must(c.Channels.Connect(t.Context(), o, id, channel.Connect{Kind: channel.WhatsApp, Name: "Shop", Account: string(id)}))
		must(c.Channels.SetCalls(t.Context(), o, id, channel.SetCalls{Provider: call.Webhook}))
	}
	must(c.Chats.Receive(t.Context(), o, "c1", chat.ReceiveMessage{
		Workspace: "acme", Channel: "shop", Customer: "4915112345678", Message: "m1", ProviderID: "w1", Content: chat.Content{Kind: "text", Text: "hi"}, At: time.Now(),
	}))
	must(c.Calls.Request(t.Context(), o, "c1", chat.RequestCall{Call: "k1", By: "ann", At: time.Now()}))
	state := func() (s call.State) {
		t.Helper()
		if err := c.Calls.Look(t.Context(), "acme", "k1", func(now call.State) error { s = now; return nil }); err != nil {
			t.Fatal(err)
		}
		return s
	}
	counted := map[string]int{}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/calls/{channel}", &calling.Callback{
		Find: func(_ context.Context, id string) (calling.Settings, error) {
			if id == "shop" || id == "depot" {
				return calling.Settings{Workspace: "acme", Secret: secret}, nil
			}
			return calling.Settings{}, calling.ErrNotSetUp
		},
		Calls: c.Calls, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Count: func(o string) { counted[o]++ },
	})
	post := func(channel, id, key, body string, at time.Time) int {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/calls/"+channel, strings.NewReader(body))
		calling.Sign(r.Header, key, id, at, []byte(body))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code
	}
	for i, tc := range []struct {
		channel, id, key, body string
		age                    time.Duration
		status                 int
		phase                  call.Phase
	}{
		{channel: "nowhere", id: "1", key: secret, body: `{"call":"k1","status":"ringing"}`, status: 404, phase: call.Asked},
		{channel: "shop", id: "1", key: "wrong", body: `{"call":"k1","status":"ringing"}`, status: 401, phase: call.Asked},
		{channel: "shop", id: "1", key: secret, age: 6 * time.Minute, body: `{"call":"k1","status":"ringing"}`, status: 401, phase: call.Asked},
		{channel: "depot", id: "1", key: secret, body: `{"call":"k1","status":"ringing"}`, status: 404, phase: call.Asked},
		{channel: "shop", id: "1", key: secret, body: `{"call":"k2","status":"ringing"}`, status: 404, phase: call.Asked},
		{channel: "shop", id: "1", key: secret, body: `[]`, status: 400, phase: call.Asked},
		{channel: "shop", id: "1", key: secret, body: `{"call":"k1","status":"exploded"}`, status: 400, phase: call.Asked},
		{channel: "shop", id: "2", key: secret, body: `{"call":"k1","status":"answered","provider_id":"p1"}`, status: 200, phase: call.InProgress},
		{channel: "shop", id: "3", key: secret, body: `{"call":"k1","status":"ringing","provider_id":"p1"}`, status: 200, phase: call.InProgress},
		{channel: "shop", id: "4", key: secret, body: `{"call":"k1","status":"ringing","provider_id":"p2"}`, status: 409, phase: call.InProgress},
		{channel: "shop", id: "5", key: secret, body: `{"call":"k1","status":"completed","duration":61}`, status: 200, phase: call.Completed},
		{channel: "shop", id: "5", key: secret, body: `{"call":"k1","status":"completed","duration":61}`, status: 200, phase: call.Completed},
		{channel: "shop", id: "6", key: secret, body: `{"call":"k1","status":"busy"}`, status: 200, phase: call.Completed},
	} {
		if got := post(tc.channel, tc.id, tc.key, tc.body, time.Now().Add(-tc.age)); got != tc.status || state().Phase != tc.phase {
			t.Errorf("%d: %d, %s; want %d, %s", i, got, state().Phase, tc.status, tc.phase)
		}
	}
	if s := state(); s.Outcome.Duration != 61 || s.ProviderID != "p1" {
		t.Errorf("%+v", s)
	}
	if counted[calling.Kept] != 5 || counted[calling.WrongSignature] != 2 || counted[calling.UnknownChannel] != 1 {
		t.Errorf("%v", counted)
	}
	var types []string
	for r, err := range store.ReadStream(t.Context(), "call-k1", eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, r.Type)
	}
	if want := "call.requested.v1 call.placed.v1 call.answered.v1 call.ended.v1"; strings.Join(types, " ") != want {
		t.Errorf("events %v", types)
	}
}
