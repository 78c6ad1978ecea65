package readapi_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
)

// poison appends an event of a known type that cannot be decoded.
func (l *ledger) poison(workspace, stream string) eventstore.Position {
	l.t.Helper()
	return l.append(workspace, stream, "chat.note_added.v1", `{"text": 1}`)
}

// append adds an event that no command has made.
func (l *ledger) append(workspace, stream, typ, data string) eventstore.Position {
	l.t.Helper()
	meta, err := eventstore.Metadata{Workspace: workspace, Actor: "test", ActorKind: "system"}.Encode()
	if err != nil {
		l.t.Fatal(err)
	}
	res, err := l.store.Append(l.t.Context(), stream, eventstore.Any,
		eventstore.Event{ID: uuid.New(), Type: typ, Data: []byte(data), Meta: meta})
	if err != nil {
		l.t.Fatal(err)
	}
	return res.Position
}

// An admin sees what the views could not take of their own workspace, tries it
// again, leaves it out, and takes that back.
func TestParkedEventsOverHTTP(t *testing.T) {
	l := newLedger(t)
	l.settle("rivals")
	ours, theirs := l.receive(acme, "15551", "hello"), l.receive("rivals", "15552", "hello")
	bad := l.poison(acme, "chat-"+ours)
	notOurs := l.poison("rivals", "chat-"+theirs)
	behind := l.append(acme, "chat-"+ours, "chat.message_received.v1",
		`{"message":"m","provider_id":"wamid.m","content":{"kind":"text","text":"are you there"},"at":"2040-01-02T03:04:05Z"}`)
	l.receive(acme, "15553", "another chat goes on")
	l.get("/v1/chats") // waits

	admin := agent.RoleAdmin
	for _, view := range l.must(200, admin, "GET", "/v1/views", "").items() {
		if view["name"] == "inbox.v3" && (view["lag"] != 0.0 || view["stale_seconds"] == 0.0 || view["parked_streams"] != 2.0 || view["parked_events"] != 3.0) {
			t.Errorf("status %v", view)
		}
	}
	parked := l.must(200, admin, "GET", "/v1/views/inbox.v3/parked?limit=1", "")
	item := parked.items()[0]
	if item["stream"] != "chat-"+ours || item["position"] != float64(bad) || item["events"] != 2.0 || item["error"] == "" || item["since"] == nil {
		t.Errorf("parked %v", item)
	}
	if next, _ := parked["next_cursor"].(string); next == "" {
		t.Error("there is a second stream, and no next page")
	} else if rest := l.must(200, admin, "GET", "/v1/views/inbox.v3/parked?limit=1&cursor="+next, ""); len(rest.items()) != 0 {
		t.Errorf("another workspace's stream: %v", rest)
	}
	if got := l.must(404, admin, "GET", "/v1/views/none.v1/parked", ""); got["code"] != "view.not_found" {
		t.Errorf("no such view: %v", got)
	}
	if got := l.must(400, admin, "GET", "/v1/views/inbox.v3/parked?cursor=x", ""); got["code"] != "cursor.invalid" {
		t.Errorf("cursor: %v", got)
	}

	retried := l.must(200, admin, "POST", "/v1/views/inbox.v3/retry", fmt.Sprintf(`{"stream":"chat-%s"}`, ours))
	if retried["applied"] != 0.0 || retried.at("parked.attempts") != 2.0 {
		t.Errorf("retried %v", retried)
	}
	for body, path := range map[string]string{
		fmt.Sprintf(`{"stream":"chat-%s"}`, theirs): "retry",
		`{"stream":"chat-none"}`:                    "retry",
		fmt.Sprintf(`{"position":%d}`, notOurs):     "skip",
		`{"position":1}`:                            "skip",
	} {
		if got := l.must(404, admin, "POST", "/v1/views/inbox.v3/"+path, body); got["code"] != "view.not_parked" {
			t.Errorf("%s %s: %v", path, body, got)
		}
	}
	if got := l.must(409, admin, "POST", "/v1/views/inbox.v3/skip", fmt.Sprintf(`{"position":%d}`, behind)); got["code"] != "view.not_first" {
		t.Errorf("skip one that waits: %v", got)
	}

	skip := fmt.Sprintf(`{"position":%d,"reason":"a note by a broken import"}`, bad)
	done := l.must(200, admin, "POST", "/v1/views/inbox.v3/skip", skip)
	if done["applied"] != 1.0 || done["parked"] != nil || done.at("skipped.by") != l.agents[admin] || done.at("skipped.reason") == nil {
		t.Errorf("skip: %v", done)
	}
	if again := l.must(200, admin, "POST", "/v1/views/inbox.v3/skip", skip); again["applied"] != 0.0 || again.at("skipped.at") != done.at("skipped.at") {
		t.Errorf("skip again: %v", again)
	}
	if chat := l.get("/v1/chats/" + ours); chat.at("last_message.preview") != "are you there" {
		t.Errorf("the chat goes on: %v", chat)
	}
	if got := l.must(404, admin, "POST", "/v1/views/inbox.v3/unskip", fmt.Sprintf(`{"position":%d}`, notOurs)); got["code"] != "view.not_skipped" {
		t.Errorf("unskip: %v", got)
	}
	l.must(200, admin, "POST", "/v1/views/inbox.v3/unskip", fmt.Sprintf(`{"position":%d}`, bad))
	record := l.must(200, admin, "GET", "/v1/views/inbox.v3/skipped", "").items()
	if len(record) != 1 || record[0]["undone_by"] != l.agents[admin] || record[0]["position"] != float64(bad) {
		t.Errorf("record: %v", record)
	}
}
