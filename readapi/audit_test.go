package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
)

const auditor = agent.RoleAuditor

// signed returns a checkpoint that has the whole log.
func (l *ledger) signed(key string) audit.Checkpoint {
	l.t.Helper()
	a := l.do(auditor, "GET", "/v1/audit/checkpoint?min_position="+l.head(), "")
	if a.status != 200 || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		l.t.Fatalf("%d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	c, err := audit.OpenCheckpoint(a.body, key)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// An auditor keeps the key and a checkpoint, and finds later that the log has grown
// and nothing else.
func TestAuditOverHTTP(t *testing.T) {
	l := newLedger(t)
	key := fmt.Sprint(l.must(200, auditor, "GET", "/v1/audit", "")["key"])
	older := l.signed(key)
	l.receive(acme, "ana", "Hello")
	newer := l.signed(key)
	if fmt.Sprint(newer.Size) != l.head() || newer.Size <= older.Size {
		t.Errorf("sizes %d and %d, the log ends at %s", older.Size, newer.Size, l.head())
	}
	status := l.get("/v1/audit")
	if status["problem"] != nil || status["size"] != float64(newer.Size) || status.at("last_checkpoint.note") != newer.Note {
		t.Errorf("status %v", status)
	}
	path := fmt.Sprintf("/v1/audit/consistency?from=%d&to=%d", older.Size, newer.Size)
	proof, err := audit.ParseConsistency([]byte(l.do(auditor, "GET", path, "").body))
	if err == nil {
		err = audit.VerifyConsistency(older, newer, proof)
	}
	if err != nil {
		t.Errorf("the second does not follow from the first: %v", err)
	}

	var notes []string
	for page, n := l.must(200, auditor, "GET", "/v1/audit/checkpoints?limit=1", ""), 0; n < 10; n++ {
		notes = append(notes, fmt.Sprint(page.at("items.0.note")))
		if page["next_cursor"] == nil {
			break
		}
		page = l.must(200, auditor, "GET", fmt.Sprintf("/v1/audit/checkpoints?limit=1&cursor=%v", page["next_cursor"]), "")
	}
	if !slices.Contains(notes, older.Note) || notes[0] != newer.Note {
		t.Errorf("the list lacks what was signed:\n%s", strings.Join(notes, "\n"))
	}
	if again := l.do(auditor, "GET", fmt.Sprintf("/v1/audit/checkpoint?size=%d", older.Size), ""); again.status != 200 || again.body != older.Note {
		t.Errorf("by its size: %d %s", again.status, again.body)
	}
	if last := l.do(auditor, "GET", "/v1/audit/checkpoint", ""); last.status != 200 || last.body != newer.Note {
		t.Errorf("the last: %d %s", last.status, last.body)
	}

	for path, code := range map[string]string{
		"/v1/audit/checkpoint?size=1000000":        "audit.no_checkpoint",
		"/v1/audit/consistency?from=2&to=1":        "audit.bad_size",
		"/v1/audit/consistency?from=1&to=100000":   "audit.bad_size",
		"/v1/audit/consistency?from=1":             "request.invalid",
		"/v1/audit/checkpoints?cursor=nonsense":    "cursor.invalid",
		"/v1/audit?min_position=1000000000&wait=1": "position.not_reached",
	} {
		if got := l.do(auditor, "GET", path, ""); !strings.Contains(got.body, `"code":"`+code+`"`) {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, code)
		}
	}
}

// An auditor takes the proof of a chat, which says who took it, and finds in it what
// a transcript of the same position says.
func TestProofOfAChat(t *testing.T) {
	l := newLedger(t)
	key := fmt.Sprint(l.must(200, auditor, "GET", "/v1/audit", "")["key"])
	id := l.receive(acme, "ana", "Hello")
	l.must(200, agent.RoleAgent, "POST", "/v1/chats/"+id+"/tags", `{"add":["Wholesale"]}`)
	at := l.head()
	l.receive(acme, "ana", "And later?")
	path := "/v1/chats/" + id + "/proof?as_of=" + at

	a := l.do(auditor, "GET", path, "", "Idempotency-Key", "k1")
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" || a.header.Get("Position") != at ||
		a.header.Get("Content-Disposition") != `attachment; filename="chat-`+id+`-`+at+`.proof.ndjson"` {
		t.Fatalf("%d %v: %s", a.status, a.header, a.body)
	}
	var types []string
	v, err := audit.VerifyBundle(strings.NewReader(a.body), key, func(r eventstore.Recorded) error {
		types = append(types, r.Type)
		return nil
	})
	if err != nil || v.Chat != id || fmt.Sprint(v.AsOf) != at {
		t.Fatalf("%+v, %v", v, err)
	}
	for _, typ := range []string{"chat.opened.v1", "chat.message_received.v1", "chat.tags_changed.v1", "tag.created.v1", "agent.invited.v1", "workspace.created.v1"} {
		if !slices.Contains(types, typ) {
			t.Errorf("the proof has no %s: %v", typ, types)
		}
	}
	if again := l.do(auditor, "GET", path, "", "Idempotency-Key", "k1"); again.body != a.body {
		t.Error("a repeat has other bytes")
	}
	history := l.do(auditor, "GET", "/v1/chats/"+id+"/history?min_position="+l.head(), "").body
	if n := strings.Count(history, `"format":"proof"`); n != 1 {
		t.Errorf("%d downloads in the history: %s", n, history)
	}

	foreign, _ := l.token("other", auditor, "")
	for _, tc := range []struct {
		as     any
		path   string
		status int
	}{
		{foreign, path, 404},
		{auditor, "/v1/chats/nobody/proof", 404},
		{auditor, "/v1/chats/" + id + "/proof?as_of=1000000", 400},
		{auditor, "/v1/chats/" + id + "/proof?as_of=1", 400},
		{agent.RoleSupervisor, path, 403},
	} {
		if got := l.do(tc.as, "GET", tc.path, ""); got.status != tc.status {
			t.Errorf("%v %s: %d %s, want %d", tc.as, tc.path, got.status, got.body, tc.status)
		}
	}
	// A deleted chat is proven, too.
	l.must(200, agent.RoleSupervisor, "DELETE", "/v1/chats/"+id, `{"reason":"by mistake"}`)
	if got := l.do(auditor, "GET", "/v1/chats/"+id+"/proof", ""); got.status != 200 {
		t.Errorf("of a deleted chat: %d %s", got.status, got.body)
	}
}

// What is not hashed yet is asked for again, and leaves no trace.
func TestProofOfWhatIsNotHashed(t *testing.T) {
	l := newLedger(t)
	id := l.receive(acme, "ana", "Hello")
	l.stopAudit()
	l.receive(acme, "ana", "Anybody?")
	before := l.head()
	a := l.do(auditor, "GET", "/v1/chats/"+id+"/proof?wait=1", "")
	if a.status != 503 || !strings.Contains(a.body, "position.not_reached") || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if l.head() != before {
		t.Error("what was not taken is in the log")
	}
}
