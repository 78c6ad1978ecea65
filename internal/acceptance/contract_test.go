package acceptance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// firstChat delivers one message and returns the id of its chat.
func (s *server) firstChat(admin client, channel string) string {
	s.t.Helper()
	files, _ := fixtures(s.t)
	s.post(admin, channel, files, []string{"01-text.json"})
	chats := admin.all("/v1/chats")
	if len(chats) != 1 {
		s.t.Fatalf("%d chats, want 1", len(chats))
	}
	return chats[0]["id"].(string)
}

// Of two agents who claim a chat at once, one gets it.
func TestClaimIsAtomic(t *testing.T) {
	const times = 1000
	onBoth(t, func(t *testing.T, s *server) {
		channel, admin := s.channel("http://127.0.0.1:1"), s.token("admin", "Root")
		ann, bob := s.token("agent", "Ann"), s.token("agent", "Bob")
		s.start()
		chat := "/v1/chats/" + s.firstChat(admin, channel)
		for i := range times {
			var wg sync.WaitGroup
			var got [2]response
			for j, c := range []client{ann, bob} {
				wg.Go(func() { got[j], _ = c.do("POST", chat+"/claim", "") })
			}
			wg.Wait()
			if a, b := min(got[0].status, got[1].status), max(got[0].status, got[1].status); a != 200 || b != 409 {
				t.Fatalf("race %d: %d %s and %d %s", i, got[0].status, got[0].body, got[1].status, got[1].body)
			}
			admin.must(200, "POST", chat+"/unassign", "")
		}
	})
}

// The same key, ten times at once: one effect, ten equal answers.
func TestIdempotencyKey(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		channel, ann := s.channel("http://127.0.0.1:1"), s.token("agent", "Ann")
		admin := s.token("admin", "Root")
		s.start()
		chat := "/v1/chats/" + s.firstChat(admin, channel)
		for i, req := range []struct{ path, body, other string }{
			{chat + "/notes", `{"text":"call back"}`, `{"text":"another"}`},
			{chat + "/tags", `{"add":["vip"]}`, `{"add":["vip","late"]}`},
			{chat + "/tags", `{"add":["vip"]}`, `{"add":["later"]}`}, // nothing to do
			{chat + "/messages", `{"text":"hello"}`, `{"text":"hello again"}`},
			{"/v1/orders", `{"currency":"EUR","lines":[{"product":"hat","quantity":2,"unit_price":1999}]}`, `{"currency":"EUR","lines":[{"product":"hat","quantity":3,"unit_price":1999}]}`},
			{chat + "/claim", ``, ``},
			{chat + "/close", ``, ``},
			{chat + "/claim", ``, ``}, // refused: closed
		} {
			key := fmt.Sprintf("Idempotency-Key: key-%d", i)
			before := len(s.events())
			var got [10]response
			var wg sync.WaitGroup
			for j := range got {
				wg.Go(func() { got[j], _ = ann.do("POST", req.path, req.body, key) })
			}
			wg.Wait()
			for j := range got {
				a, b := got[0], got[j]
				if a.status == 0 || a.status != b.status || string(a.body) != string(b.body) ||
					a.header.Get("ETag") != b.header.Get("ETag") || a.header.Get("Position") != b.header.Get("Position") {
					t.Fatalf("%s: answers differ:\n%d %v %s\n%d %v %s", req.path, a.status, a.header, a.body, b.status, b.header, b.body)
				}
			}
			n := map[string]int{}
			for _, e := range s.events()[before:] {
				n[e["type"].(string)]++
			}
			for typ, n := range n {
				if n != 1 {
					t.Errorf("%s %s: %d events %s", req.path, req.body, n, typ)
				}
			}
			if req.other != "" {
				ann.must(422, "POST", req.path, req.other, key)
			}
		}
		// Also after a restart.
		first := ann.must(201, "POST", chat+"/notes", `{"text":"once"}`, "Idempotency-Key: restart")
		s.kill()
		s.start()
		again := ann.must(201, "POST", chat+"/notes", `{"text":"once"}`, "Idempotency-Key: restart")
		if string(first.body) != string(again.body) {
			t.Errorf("after a restart: %s, first: %s", again.body, first.body)
		}
	})
}

func TestPreconditionAndMinPosition(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		channel, ann := s.channel("http://127.0.0.1:1"), s.token("agent", "Ann")
		admin := s.token("admin", "Root")
		s.start()
		chat := "/v1/chats/" + s.firstChat(admin, channel)
		etag := ann.must(200, "GET", chat, "").header.Get("ETag")
		ann.must(200, "POST", chat+"/claim", "", "If-Match: "+etag)
		stale := ann.must(412, "POST", chat+"/close", "", "If-Match: "+etag).object(t)
		if since := fmt.Sprint(stale); !containsAll(since, "chat.claimed.v1") {
			t.Errorf("412 does not say what happened since: %v", stale)
		}
		for i := range 100 {
			position := ann.must(201, "POST", chat+"/notes", fmt.Sprintf(`{"text":"note %d"}`, i)).header.Get("Position")
			shown := ann.must(200, "GET", chat+"/messages?limit=1&min_position="+position, "")
			if !containsAll(string(shown.body), fmt.Sprintf("note %d", i)) {
				t.Fatalf("min_position=%s does not show the write: %s", position, shown.body)
			}
		}
		ann.must(503, "GET", chat+"?min_position=999999999", "")
		ann.must(400, "GET", chat+"?min_position=x", "")
		client{s, "cl_wrong"}.must(401, "GET", chat, "")
	})
}

// What a token may do is what its agent may do now.
func TestTokensFollowTheirAgent(t *testing.T) {
	s := newServer(t)
	ann, admin := s.token("agent", "Ann"), s.token("admin", "Root")
	auditor := s.token("auditor", "Ann") // another member of staff by that name
	s.start()
	me := ann.must(200, "GET", "/v1/me", "").object(t)["agent"]
	if m, ok := me.(map[string]any); ok {
		me = m["id"]
	}
	if other := auditor.must(200, "GET", "/v1/me", "").object(t); fmt.Sprint(other) == fmt.Sprint(me) {
		t.Errorf("two members of staff are one: %v", other)
	}
	path := fmt.Sprint("/v1/agents/", me)
	ann.must(403, "POST", "/v1/teams", `{"name":"Sales"}`)
	admin.must(200, "POST", path+"/role", `{"role":"supervisor"}`)
	ann.must(201, "POST", "/v1/teams", `{"name":"Sales"}`)
	admin.must(200, "POST", path+"/deactivate", "")
	ann.must(401, "GET", "/v1/chats", "")
	admin.must(200, "POST", path+"/reactivate", "")
	ann.must(200, "GET", "/v1/chats", "")
	auditor.must(403, "POST", "/v1/teams", `{"name":"Support"}`)
	own := fmt.Sprint("/v1/agents/", admin.must(200, "GET", "/v1/me", "").object(t)["agent"].(map[string]any)["id"])
	for path, body := range map[string]string{own + "/deactivate": "", own + "/role": `{"role":"agent"}`} {
		if got := admin.must(409, "POST", path, body).object(t)["code"]; got != "agent.self" { // else nobody is left who may
			t.Errorf("%s: %v", path, got)
		}
	}
	list := s.run("token", "list", "--ids")
	for id := range strings.Lines(list) {
		s.run("token", "revoke", strings.TrimSpace(id))
	}
	admin.must(401, "GET", "/v1/chats", "")
}

// A server needs nothing to be made before it.
func TestServeOnNothing(t *testing.T) {
	s := newServer(t)
	s.where = []string{"--data", t.TempDir() + "/not/there/yet"}
	s.start()
	admin := s.token("admin", "Root")
	if chats := admin.all("/v1/chats"); len(chats) != 0 {
		t.Errorf("chats: %v", chats)
	}
	s.stop()
}
