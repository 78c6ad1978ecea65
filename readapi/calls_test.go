package readapi_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
)

func TestCallsOverHTTP(t *testing.T) {
	l := newLedger(t)
	shop := channel.ID(l.connect(acme))
	id := l.receive(acme, "15551230001", "hello")
	path := "/v1/chats/" + id
	if got := l.must(409, ann, "POST", path+"/calls", ""); got["code"] != "chat.no_calls" {
		t.Errorf("before it is set up: %v", got)
	}
	provide := func(p call.Provider) {
		t.Helper()
		if _, err := l.commands.Channels.SetCalls(t.Context(), l.origin(acme), shop, channel.SetCalls{Provider: p}); err != nil {
			t.Fatal(err)
		}
	}
	provide(call.WhatsApp)
	if got := l.must(400, ann, "POST", path+"/calls", ""); got["code"] != "call.offer_missing" || got.at("errors.0.location") != "body.offer" {
		t.Errorf("without an offer: %v", got)
	}
	provide(call.Webhook)
	if got := l.must(400, ann, "POST", path+"/calls", `{"phone":"0171"}`); got["code"] != "chat.phone" || got.at("errors.0.location") != "body.phone" {
		t.Errorf("a bad number: %v", got)
	}
	first := l.must(202, ann, "POST", path+"/calls", `{}`, "Idempotency-Key", "k")
	again := l.must(202, ann, "POST", path+"/calls", `{}`, "Idempotency-Key", "k")
	if first["id"] != again["id"] || first["position"] != again["position"] || first["state"] != "requested" || first["chat"] != id {
		t.Errorf("%v, again %v", first, again)
	}
	l.must(422, ann, "POST", path+"/calls", `{"phone":"+15559999999"}`, "Idempotency-Key", "k")
	if got := l.must(409, sue, "POST", path+"/calls", ""); got["code"] != "chat.call_running" {
		t.Errorf("a second call: %v", got)
	}
	mine := "/v1/calls/" + first["id"].(string)
	if got := l.get(mine); got["state"] != "requested" || got["phone"] != "+15551230001" || got["chat"] != id || got["ended_at"] != nil || got["by"] != l.agents[agent.RoleAgent] {
		t.Errorf("%v", got)
	}
	l.must(412, ann, "POST", mine+"/end", "", "If-Match", `"7"`)
	l.must(202, ann, "POST", mine+"/end", "", "If-Match", `"0"`)
	l.must(202, sue, "POST", mine+"/end", "")
	if got := l.get(mine); got["ending"] != true || got["ended_by"] != l.agents[agent.RoleAgent] {
		t.Errorf("%v", got)
	}
	if _, err := l.commands.Calls.End(t.Context(), l.origin(acme), call.ID(first["id"].(string)), call.End{At: chat.Opened{}.At.AddDate(2025, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	if got := l.must(409, ann, "POST", mine+"/end", ""); got["code"] != "call.over" {
		t.Errorf("end twice: %v", got)
	}
	// The line is free as soon as the call is over, whatever the reactor has told
	// the chat.
	second := l.must(202, ann, "POST", path+"/calls", `{"phone":"+1 555 999 9999"}`)
	list := l.get(path + "/calls").items()
	if len(list) != 2 || list[0]["id"] != second["id"] || list[1]["state"] != "no_answer" {
		t.Errorf("%v", list)
	}
	entries := l.get(path + "/messages").items()
	if last := entries[len(entries)-1]; last.at("system.type") != "call_requested" || last.at("system.call.id") != second["id"] {
		t.Errorf("%v", entries)
	}

	// Strangers, and deleted chats.
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	l.must(404, stranger, "GET", mine, "")
	l.must(404, stranger, "GET", path+"/calls", "")
	l.must(404, stranger, "POST", path+"/calls", "")
	l.must(404, stranger, "POST", mine+"/end", "")
	l.must(404, ann, "GET", "/v1/calls/none", "")
	l.must(404, ann, "POST", "/v1/calls/none/end", "")
	l.must(200, sue, "DELETE", path, "")
	l.must(404, sue, "GET", mine+"?min_position="+l.head(), "")
	l.must(404, sue, "GET", path+"/calls", "")
	l.must(404, sue, "POST", path+"/calls", "")
}

func TestAskingToCallOverHTTP(t *testing.T) {
	l := newLedger(t)
	shop := channel.ID(l.connect(acme))
	id := l.receive(acme, "15551230001", "hello")
	path := "/v1/chats/" + id
	ask := func(status int, body string) object {
		t.Helper()
		return l.must(status, ann, "POST", path+"/calls/permission", body)
	}
	provide := func(p call.Provider) {
		t.Helper()
		if _, err := l.commands.Channels.SetCalls(t.Context(), l.origin(acme), shop, channel.SetCalls{Provider: p}); err != nil {
			t.Fatal(err)
		}
	}
	const why = `{"text":"May we call you?"}`
	if got := ask(409, why); got["code"] != "chat.no_calls" {
		t.Errorf("before it is set up: %v", got)
	}
	provide(call.Webhook)
	if got := ask(409, why); got["code"] != "chat.calls_allowed" {
		t.Errorf("where nobody needs to: %v", got)
	}
	provide(call.WhatsApp)
	for _, body := range []string{`{"text":""}`, `{"text":"` + strings.Repeat("x", 1025) + `"}`} {
		if got := ask(400, body); got.at("errors.0.location") != "body.text" {
			t.Errorf("%.40s: %v", body, got)
		}
	}
	l.must(404, ann, "POST", "/v1/chats/none/calls/permission", why)
	if got := l.get(path); got["call_permission"] != nil {
		t.Errorf("before it is asked: %v", got["call_permission"])
	}
	asked := ask(202, why)
	got := l.get(path)
	if got.at("call_permission.asked_at") == nil || got.at("call_permission.allowed") != nil || got.at("call_permission.at") != nil {
		t.Errorf("asked: %v", got["call_permission"])
	}
	entries := l.get(path + "/messages").items()
	if last := entries[len(entries)-1]; last["id"] != asked["id"] || last.at("message.content.kind") != "call_permission_request" || last.at("message.content.text") != "May we call you?" {
		t.Errorf("the conversation: %v", last)
	}
	until := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	for _, p := range []chat.CallPermission{{At: until.Add(-2 * time.Hour)}, {Allowed: true, Until: until, At: until.Add(-time.Hour)}} {
		_, err := l.commands.Chats.RecordCallPermission(t.Context(), l.origin(acme), chat.ID(id), chat.RecordCallPermission{Permission: p})
		if err != nil {
			t.Fatal(err)
		}
		got := l.get(path)
		want := []any{false, nil}
		if p.Allowed {
			want = []any{true, until.Format(time.RFC3339)}
		}
		if got := []any{got.at("call_permission.allowed"), got.at("call_permission.until")}; !slices.Equal(got, want) {
			t.Errorf("said: %v, want %v", got, want)
		}
		if got := l.must(409, ann, "POST", path+"/calls", `{"offer":"v=0"}`); got["code"] != "chat.no_call_permission" {
			t.Errorf("called: %v", got)
		}
	}
	var said []any
	for _, e := range l.get(path + "/messages").items() {
		if e.at("system.type") == "call_permission" {
			said = append(said, e.at("system.cause"), e.at("by.kind"))
		}
	}
	if want := []any{"declined", "system", "allowed", "system"}; !slices.Equal(said, want) {
		t.Errorf("the conversation says %v, want %v", said, want)
	}
}

// The steps of a call are followed by whoever may see its chat; the caller's end is the
// provider's alone.
func TestTheStepsOfACallAreFollowed(t *testing.T) {
	l := newLedger(t)
	shop := channel.ID(l.connect(acme))
	if _, err := l.commands.Channels.SetCalls(t.Context(), l.origin(acme), shop, channel.SetCalls{Provider: call.WhatsApp}); err != nil {
		t.Fatal(err)
	}
	in := l.receive(acme, "15551230001", "hello")
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	s := l.listen()
	after := "/v1/changes?after=" + l.head()
	live, away := l.subscribe(s.URL+after, l.tokens[ann]), l.subscribe(s.URL+after, stranger)

	const answer = "v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\n"
	id := l.must(202, ann, "POST", "/v1/chats/"+in+"/calls", `{"offer":"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"}`)["id"].(string)
	at := time.Now()
	for _, r := range []call.Report{{ProviderID: "p", Phase: call.Rings, At: at}, {Phase: call.InProgress, At: at}} {
		if _, err := l.commands.Calls.Report(t.Context(), l.origin(acme), call.ID(id), r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.commands.Calls.AnswerSession(t.Context(), l.origin(acme), call.ID(id), call.AnswerSession{Answer: answer, At: at}); err != nil {
		t.Fatal(err)
	}
	l.must(202, ann, "POST", "/v1/calls/"+id+"/end", "")
	if _, err := l.commands.Calls.End(t.Context(), l.origin(acme), call.ID(id), call.End{At: at.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"chat.call_requested.v1", "call.requested.v1", "call.placed.v1", "call.ringing.v1", "call.answered.v1", "call.session_answered.v1",
		"call.end_requested.v1", "call.ended.v1",
	}
	for name, stream := range map[string]*listener{"as it happens": live, "afterwards": l.subscribe(s.URL+after, l.tokens[ann])} {
		for _, typ := range want {
			e := stream.event()
			kind := "call"
			if strings.HasPrefix(typ, "chat.") {
				kind = "chat"
			}
			if e.event != typ || e.data.at("subject.kind") != kind || kind == "call" && e.data.at("subject.id") != id {
				t.Errorf("%s: %s of %v, want %s of %s", name, e.event, e.data["subject"], typ, kind)
			}
			if _, there := e.data["data"].(map[string]any)["offer"]; there {
				t.Errorf("%s: %s shows the caller's end", name, typ)
			}
			if typ == "call.session_answered.v1" && e.data.at("data.answer") != answer {
				t.Errorf("%s: %v", name, e.data["data"])
			}
		}
	}
	elsewhere := l.receive("other", "15559", "elsewhere")
	if e := away.event(); e.event != "chat.opened.v1" || e.data.at("subject.id") != elsewhere {
		t.Errorf("a stranger sees %s of %v", e.event, e.data["subject"])
	}
}
