package readapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/ids"
)

// The team reacts to a message of the customer, and everybody sees it.
func TestReactionsOverHTTP(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	id := l.receive(acme, "15551230001", "hello")
	messages := "/v1/chats/" + id + "/messages"
	path := messages + "/" + ids.Message(id, "wamid.15551230001.hello") + "/reactions"
	shown := func() string {
		t.Helper()
		list, _ := l.get(messages + "?events=false").at("items.0.message.reactions").([]any)
		var all []string
		for _, r := range list {
			r := object(r.(map[string]any))
			all = append(all, fmt.Sprint(r.at("by.kind"), " ", r.at("emoji")))
		}
		return strings.Join(all, ", ")
	}

	if got := l.must(202, ann, "POST", path, `{"emoji":"👍"}`); got["changed"] != true {
		t.Errorf("%v", got)
	}
	if got := l.must(202, agent.RoleSupervisor, "POST", path, `{"emoji":"👍"}`); got["changed"] != false {
		t.Errorf("the same again: %v", got)
	}
	if got := shown(); got != "agent 👍" {
		t.Errorf("shown: %s", got)
	}
	_, err := l.commands.Chats.ReceiveReaction(t.Context(), l.origin(acme), chat.ID(id), chat.ReceiveReaction{
		Workspace: acme, Channel: ids.Channel(acme, "whatsapp", "1065"), Customer: "15551230001",
		ProviderID: "wamid.r", Target: "wamid.15551230001.hello", Emoji: "🎉", At: time.Now().UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.must(202, agent.RoleBot, "POST", path, `{"emoji":"❤️"}`)
	if got := shown(); !strings.Contains(got, "bot ❤️") || strings.Contains(got, "👍") || !strings.Contains(got, "🎉") {
		t.Errorf("of both sides: %s", got)
	}
	transcript := l.do(ann, "GET", "/v1/chats/"+id+"/transcript?format=txt", "")
	if !strings.Contains(transcript.body, "❤️") || strings.Contains(transcript.body, "👍") {
		t.Errorf("the transcript says %s", transcript.body)
	}

	// The provider refuses it: what the customer sees is back, and an entry says why.
	var r chat.OwnReaction
	look := func(s chat.State) error {
		for _, r = range s.Reactions {
		}
		return nil
	}
	if err := l.commands.Chats.Look(t.Context(), acme, chat.ID(id), look); err != nil {
		t.Fatal(err)
	}
	_, err = l.commands.Chats.SettleReaction(t.Context(), l.origin(acme), chat.ID(id), chat.SettleReaction{
		ID: r.ID, Message: chat.MessageID(ids.Message(id, "wamid.15551230001.hello")), Error: &chat.DeliveryError{Code: 131009, Title: "Parameter value is not valid"}, At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	items := l.get(messages).items()
	last := items[len(items)-1]
	if got := shown(); strings.Contains(got, "bot") {
		t.Errorf("after the failure: %s", got)
	}
	if last.at("system.type") != "reaction_failed" || last.at("system.code") != "131009" || last.at("system.reason") != "Parameter value is not valid" || last.at("system.text") != "❤️" {
		t.Errorf("the last entry: %v", last)
	}

	l.must(202, ann, "POST", path, `{"emoji":"🙏"}`)
	l.must(202, ann, "DELETE", path, "")
	if got := l.must(202, ann, "DELETE", path, ""); got["changed"] != false {
		t.Errorf("taken away twice: %v", got)
	}
	if got := shown(); strings.Contains(got, "agent") {
		t.Errorf("taken away: %s", got)
	}

	for body, code := range map[string]string{`{"emoji":"ok"}`: "chat.bad_emoji", `{"emoji":"👍👍"}`: "chat.bad_emoji"} {
		if got := l.must(400, ann, "POST", path, body); got["code"] != code || got.at("errors.0.location") != "body.emoji" {
			t.Errorf("%s: %v", body, got)
		}
	}
	ours := l.must(202, ann, "POST", messages, `{"text":"hi"}`)["id"].(string)
	for _, m := range []string{"none", ours} {
		if got := l.must(404, ann, "POST", messages+"/"+m+"/reactions", `{"emoji":"👍"}`); got["code"] != "chat.reaction_target" {
			t.Errorf("%s: %v", m, got)
		}
	}
	l.must(403, agent.RoleAuditor, "POST", path, `{"emoji":"👍"}`)
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	l.must(404, stranger, "POST", path, `{"emoji":"👍"}`)
	l.must(200, agent.RoleSupervisor, "POST", "/v1/chats/"+id+"/close", "")
	if got := l.must(409, ann, "POST", path, `{"emoji":"👍"}`); got["code"] != "chat.closed" {
		t.Errorf("closed: %v", got)
	}
}

// That a chat was read is the team's business, unless the customer is to see it, once.
func TestReadOverHTTP(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	id := l.receive(acme, "15551230001", "hello")
	read := "/v1/chats/" + id + "/read"
	shown := func() int {
		t.Helper()
		return strings.Count(fmt.Sprint(l.get("/v1/chats/"+id+"/history").field("type")), "chat.read_shown.v1")
	}
	l.must(200, ann, "POST", read, "")
	if n := shown(); n != 0 {
		t.Errorf("shown %d times", n)
	}
	for _, want := range []bool{true, false} {
		if got := l.must(200, ann, "POST", read, `{"show_customer":true}`); got["changed"] != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if n := shown(); n != 1 {
		t.Errorf("shown %d times", n)
	}
	l.must(400, ann, "POST", read, `{"show_customer":"yes"}`)
}

// A customer sees that somebody writes, whoever does, once while they see it.
func TestTypingOverHTTP(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	id := l.receive(acme, "15551230001", "hello")
	path := "/v1/chats/" + id + "/typing"
	for i, who := range []agent.Role{agent.RoleBot, agent.RoleAgent, agent.RoleSupervisor} {
		if got := l.must(202, who, "POST", path, ""); got["changed"] != (i == 0) {
			t.Errorf("%s: %v", who, got)
		}
	}
	l.must(404, ann, "POST", "/v1/chats/nobody/typing", "")
	l.must(200, ann, "POST", "/v1/chats/"+id+"/close", "")
	if got := l.must(409, ann, "POST", path, ""); got["code"] != "chat.closed" {
		t.Errorf("in a closed chat: %v", got)
	}
}

// A channel shows read marks when asked, always or never.
func TestReadMarksOfAChannel(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	channel := "/v1/channels/" + ids.Channel(acme, "whatsapp", "1065")
	for i, tc := range []struct {
		marks     string
		asked     bool
		shown     bool
		typing    int
		unchanged bool
	}{
		{marks: "asked", asked: true, shown: true, typing: 202, unchanged: true},
		{marks: "asked", typing: 202, unchanged: true},
		{marks: "never", asked: true, typing: 409},
		{marks: "always", shown: true, typing: 202},
	} {
		if got := l.must(200, agent.RoleAdmin, "PUT", channel+"/read-marks", `{"read_marks":"`+tc.marks+`"}`); got["changed"] == tc.unchanged {
			t.Errorf("%v: %v", tc, got)
		}
		if got := l.get(channel); got["read_marks"] != tc.marks {
			t.Errorf("%v: %v", tc, got)
		}
		if got := l.get("/v1/channels").at("items.0.read_marks"); got != tc.marks {
			t.Errorf("%v: listed as %v", tc, got)
		}
		id := l.receive(acme, fmt.Sprint(15550+i), "hello")
		l.must(200, ann, "POST", "/v1/chats/"+id+"/read", fmt.Sprintf(`{"show_customer":%t}`, tc.asked))
		if shown := strings.Contains(fmt.Sprint(l.get("/v1/chats/"+id+"/history").field("type")), "chat.read_shown.v1"); shown != tc.shown {
			t.Errorf("%v: shown: %t", tc, shown)
		}
		if got := l.must(tc.typing, ann, "POST", "/v1/chats/"+id+"/typing", ""); tc.typing == 409 && got["code"] != "chat.read_marks_off" {
			t.Errorf("%v: typing: %v", tc, got)
		}
	}
	l.must(400, agent.RoleAdmin, "PUT", channel+"/read-marks", `{"read_marks":"sometimes"}`)
	l.must(404, agent.RoleAdmin, "PUT", "/v1/channels/nothing/read-marks", `{"read_marks":"never"}`)
}
