package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/views"
	"github.com/chatledger/chatledger/readapi"
)

const (
	ann  = agent.RoleAgent
	bot  = agent.RoleBot
	sue  = agent.RoleSupervisor
	root = agent.RoleAdmin
)

// atOnce makes the same request n times at the same time.
func (l *ledger) atOnce(n int, as any, method, path, body string, header ...string) []answer {
	got := make([]answer, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range got {
		wg.Go(func() {
			<-start
			got[i] = l.do(as, method, path, body, header...)
		})
	}
	close(start)
	wg.Wait()
	return got
}

func (l *ledger) events() (types []string) {
	l.t.Helper()
	for r, err := range l.store.ReadAll(l.t.Context(), query{}) {
		if err != nil {
			l.t.Fatal(err)
		}
		types = append(types, r.Type)
	}
	return types
}

// Of two agents who claim a chat at once, one gets it.
func TestClaimIsAtomic(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	_, bob := l.colleague("Bob")
	for i := range 300 {
		var wg sync.WaitGroup
		var got [2]answer
		for j, as := range []any{ann, bob} {
			wg.Go(func() { got[j] = l.do(as, "POST", chat+"/claim", "") })
		}
		wg.Wait()
		if a, b := min(got[0].status, got[1].status), max(got[0].status, got[1].status); a != 200 || b != 409 {
			t.Fatalf("race %d: %d %s and %d %s", i, got[0].status, got[0].body, got[1].status, got[1].body)
		}
		l.must(200, root, "POST", chat+"/unassign", "")
	}
}

// The same key ten times at once: one effect and ten equal answers, also when
// the command changes nothing or is refused. Another body is a 422.
func TestIdempotencyKey(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	team := "/v1/teams/" + l.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)["id"].(string)
	delivery := l.deliver(acme, ch, `{}`)
	for i, tt := range []struct {
		as                         any
		method, path, body, second string
		status                     int
	}{
		{ann, "POST", chat + "/notes", `{"text":"call back"}`, `{"text":"another"}`, 201},
		{ann, "POST", chat + "/tags", `{"add":["VIP","Late"]}`, `{"add":["VIP"]}`, 200},
		{ann, "POST", chat + "/tags", `{"add":["vip"]}`, `{"add":["new"]}`, 200}, // nothing to do
		{bot, "POST", chat + "/messages", `{"text":"hello"}`, `{"text":"hello again"}`, 202},
		{sue, "POST", "/v1/quick-replies", `{"scope":"workspace","shortcut":"hello","text":"hello"}`, `{"scope":"workspace","shortcut":"hi","text":"hello"}`, 201},
		{sue, "PATCH", "/v1/quick-replies/workspace.hello", `{"text":"Hello"}`, `{"text":"hi"}`, 200},
		{ann, "PATCH", "/v1/quick-replies/personal.nobody.hello", `{"text":"Hello"}`, `{"text":"hi"}`, 404},
		{ann, "POST", chat + "/messages", `{"quick_reply":{"id":"workspace.hello"}}`, `{"text":"Hello"}`, 202},
		{ann, "POST", chat + "/claim", ``, ``, 200},
		{sue, "POST", chat + "/claim", ``, ``, 409}, // refused
		{ann, "POST", chat + "/transfer", `{"to":"team","team":"billing","reason":"invoice"}`, `{"to":"team","team":"billing"}`, 200},
		{ann, "POST", chat + "/close", ``, `{"status":"CLOSED"}`, 200},
		{ann, "POST", chat + "/messages", `{"text":"too late"}`, `{"text":"later"}`, 409},
		{ann, "POST", "/v1/orders", `{"currency":"EUR","lines":[{"product":"hat","quantity":2,"unit_price":1999}]}`, `{"currency":"EUR","lines":[{"product":"hat","quantity":3,"unit_price":1999}]}`, 201},
		{sue, "POST", "/v1/tags", `{"name":"Fragile"}`, `{"name":"Heavy"}`, 201},
		{sue, "POST", "/v1/teams", `{"name":"Sales"}`, `{"name":"Support"}`, 201},
		{sue, "POST", "/v1/statuses", `{"name":"Parts","category":"pending"}`, `{"name":"Parts","category":"closed"}`, 201},
		{sue, "PATCH", "/v1/statuses/PARTS", `{"name":"Spare parts"}`, `{"colour":"#000000"}`, 200},
		{sue, "PATCH", team, `{"name":"Invoices"}`, `{"name":"Bills"}`, 200},
		{root, "POST", "/v1/agents", `{"name":"Zoe","role":"agent"}`, `{"name":"Zoe","role":"admin"}`, 201},
		{ann, "PUT", "/v1/me/availability", `{"availability":"away"}`, `{"availability":"online"}`, 200},
		{root, "POST", "/v1/channels/" + ch + "/deliveries/" + delivery + "/retranslate", ``, ``, 202},
	} {
		key := []string{"Idempotency-Key", fmt.Sprintf("key-%d", i)}
		before := len(l.events())
		got := l.atOnce(10, tt.as, tt.method, tt.path, tt.body, key...)
		n := map[string]int{}
		for _, typ := range l.events()[before:] {
			n[typ]++
		}
		for typ, n := range n {
			if n != 1 && typ != "tag.created.v1" { // two tags are made, each once
				t.Errorf("%s %s: %d events %s", tt.path, tt.body, n, typ)
			}
		}
		// The same again, later, when the world has moved on.
		got = append(got, l.do(tt.as, tt.method, tt.path, tt.body, key...))
		for _, a := range got {
			if a.status != tt.status || a.body != got[0].body || a.header.Get("ETag") != got[0].header.Get("ETag") || a.header.Get("Position") != got[0].header.Get("Position") {
				t.Errorf("%s %s: want %d and equal answers:\n%d %s\n%d %s", tt.path, tt.body, tt.status, got[0].status, got[0].body, a.status, a.body)
				break
			}
		}
		if tt.second != "" {
			if o := l.must(422, tt.as, tt.method, tt.path, tt.second, key...); o["code"] != "request.key_reused" {
				t.Errorf("another body: %v", o)
			}
		}
		if tt.body != "" { // laid out in another way, it is the same body
			l.must(tt.status, tt.as, tt.method, tt.path, strings.ReplaceAll(tt.body, ":", " : "), key...)
		}
	}
	// The key is the caller's: somebody else's is another one.
	mine := l.must(201, ann, "POST", chat+"/notes", `{"text":"mine"}`, "Idempotency-Key", "shared")
	theirs := l.must(201, sue, "POST", chat+"/notes", `{"text":"theirs"}`, "Idempotency-Key", "shared")
	if mine["id"] == theirs["id"] {
		t.Error("two callers with one key share a note")
	}
}

func TestStaleIfMatchSaysWhatHappened(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	l.get(chat)
	etag := l.do(ann, "GET", chat, "").header.Get("ETag")
	claimed := l.do(ann, "POST", chat+"/claim", "", "If-Match", etag)
	if claimed.status != 200 || claimed.header.Get("ETag") == etag {
		t.Fatalf("%d %s %s", claimed.status, claimed.header.Get("ETag"), claimed.body)
	}
	l.must(201, ann, "POST", chat+"/notes", `{"text":"private"}`)
	stale := l.must(412, sue, "POST", chat+"/close", "", "If-Match", etag)
	want := object{"code": "revision.stale", "first": "chat.claimed.v1", "second": "chat.note_added.v1", "actor": l.agents[ann], "text": "private", "revision": 3.0}
	got := object{
		"code": stale["code"], "first": stale.at("since.0.type"), "second": stale.at("since.1.type"), "actor": stale.at("since.0.actor"),
		"text": stale.at("since.1.data.text"), "revision": stale["revision"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The repeat of a write that went through gets its answer, though its
	// condition holds no more.
	key := []string{"Idempotency-Key", "k", "If-Match", fmt.Sprintf(`"%v"`, stale["revision"])}
	first := l.do(sue, "POST", chat+"/close", "", key...)
	again := l.do(sue, "POST", chat+"/close", "", key...)
	if first.status != 200 || again.body != first.body {
		t.Errorf("%d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	l.must(200, sue, "POST", chat+"/reopen", "", "If-Match", "*")
	l.must(404, sue, "POST", "/v1/chats/none/reopen", "", "If-Match", "*")
}

func TestMinPositionShowsTheWrite(t *testing.T) {
	l := newLedger(t, func(_ *readapi.Config, w *web.Config) { w.Limits.Wait = 50 * time.Millisecond })
	l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	for i := range 50 {
		text := fmt.Sprintf("note %d", i)
		position := l.do(ann, "POST", chat+"/notes", fmt.Sprintf(`{"text":%q}`, text)).header.Get("Position")
		shown := l.do(ann, "GET", chat+"/messages?wait=10&limit=1&min_position="+position, "")
		if shown.status != 200 || !strings.Contains(shown.body, text) {
			t.Fatalf("%d %s after position %s", shown.status, shown.body, position)
		}
	}
	l.workers.pause()
	position := l.do(ann, "POST", chat+"/notes", `{"text":"unseen"}`).header.Get("Position")
	late := l.do(ann, "GET", chat+"/messages?min_position="+position, "")
	if late.status != 503 || late.header.Get("Retry-After") == "" || l.object(late)["code"] != "position.not_reached" {
		t.Errorf("%d %v %s", late.status, late.header, late.body)
	}
	if now := l.do(ann, "GET", chat+"/messages", ""); now.status != 200 || now.header.Get("Position") >= position && len(now.header.Get("Position")) >= len(position) {
		t.Errorf("%d at %s: the views are behind %s", now.status, now.header.Get("Position"), position)
	}
}

// A day in the inbox, as its users see it.
func TestInbox(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	first, second := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hi")
	chat := "/v1/chats/" + first
	bob, _ := l.colleague("Bob")
	l.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)

	row := l.get("/v1/chats").items()
	if len(row) != 2 || row[0]["id"] != second || row[1]["id"] != first {
		t.Fatalf("list: %v", row)
	}
	want := object{
		"status": "OPEN", "status_category": "open", "assignee": nil, "team": nil, "tags": []any{}, "unread": 1.0,
		"last_message.by": "customer", "last_message.preview": "hello", "last_message.kind": "text",
		"contact.name": "Customer 15551", "contact.phone": "+15551", "contact.is_contact": false,
	}
	check := func(what string, got, want object) {
		t.Helper()
		for path, value := range want {
			if diff := cmp.Diff(value, got.at(path)); diff != "" {
				t.Errorf("%s: %s: %s", what, path, diff)
			}
		}
	}
	check("a new chat", row[1], want)

	l.must(200, ann, "POST", chat+"/claim", "")
	l.must(200, ann, "POST", chat+"/read", "")
	l.must(200, ann, "POST", chat+"/tags", `{"add":["VIP customer"]}`)
	sent := l.must(202, ann, "POST", chat+"/messages", `{"text":"Good morning"}`)
	note := l.must(201, ann, "POST", chat+"/notes", `{"text":"be kind"}`)
	if sent["state"] != "queued" || sent["chat"] != first || note["chat"] != first {
		t.Errorf("sent %v, noted %v", sent, note)
	}
	check("a claimed chat", l.get(chat), object{
		"assignee": l.agents[ann], "unread": 0.0, "tags": []any{"vip-customer"},
		"last_message.by": "agent", "last_message.preview": "Good morning", "waiting_since": nil,
	})
	for filter, ids := range map[string][]any{
		"assignee=" + l.agents[ann]: {first}, "assignee=none": {second}, "assignee=" + bob: nil, "unread=true": {second}, "unread=false": {first},
		"tag=vip-customer": {first}, "status=OPEN": {second, first}, "status=CLOSED": nil, "category=open": {second, first}, "sort=created": {second, first},
		"channel=none": nil, "team=billing": nil,
	} {
		if got := l.get("/v1/chats?" + filter).field("id"); filter == "status=OPEN" || filter == "category=open" {
			if len(got) != 2 {
				t.Errorf("%s: %v", filter, got)
			}
		} else if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("%s: %s", filter, diff)
		}
	}
	if got := l.must(200, ann, "GET", "/v1/chats?assignee=me", "").field("id"); !slices.Equal(got, []any{first}) {
		t.Errorf("mine: %v", got)
	}
	check("counts", l.must(200, ann, "GET", "/v1/chats/counts?min_position="+l.head(), ""), object{
		"all": 2.0, "mine": 1.0, "unassigned": 1.0, "unread": 1.0, "statuses.OPEN": 2.0, "open.all": 2.0,
	})

	// Pages.
	page := l.get("/v1/chats?limit=1")
	if got := append(page.field("id"), l.get("/v1/chats?limit=1&cursor="+page["next_cursor"].(string)).field("id")...); len(got) != 2 || got[0] == got[1] {
		t.Errorf("two pages: %v", got)
	}

	// The conversation.
	talk := l.get(chat + "/messages")
	kinds := talk.field("kind")
	if n := len(kinds); n < 4 || kinds[0] != "message" || kinds[n-1] != "note" {
		t.Errorf("conversation: %v", kinds)
	}
	for _, field := range []string{"message.content.text", "text"} {
		if got := l.get(chat + "/messages?notes=false&events=false").field(field); !slices.Equal(got, []any{"hello", "Good morning"}) {
			t.Errorf("%s of messages: %v", field, got)
		}
	}
	for _, e := range talk["items"].([]any) {
		entry := e.(map[string]any)
		note, isNote := entry["note"].(map[string]any)
		if isNote && entry["text"] != note["text"] || entry["kind"] == "system" && entry["text"] != nil {
			t.Errorf("text of %v", entry)
		}
	}
	var all []any
	for at, n := chat+"/messages?limit=2", 0; at != "" && n < 20; n++ {
		p := l.get(at)
		all = append(p.field("id"), all...)
		if at, _ = p["next_cursor"].(string); at != "" {
			at = chat + "/messages?limit=2&cursor=" + at
		}
	}
	if diff := cmp.Diff(talk.field("id"), all); diff != "" {
		t.Errorf("page by page, backwards: %s", diff)
	}
	l.must(202, bot, "POST", chat+"/messages", `{"text":"I am a bot"}`)
	news := l.get(chat + "/messages?after=" + talk["after"].(string))
	if len(news.items()) != 1 || news.at("items.0.by.kind") != "bot" || news.at("items.0.message.delivery.state") != "queued" {
		t.Errorf("what is new: %v", news)
	}

	// Notes are the author's, or a senior's to change.
	l.must(403, bot, "PATCH", chat+"/notes/"+note["id"].(string), `{"text":"mine now"}`)
	l.must(200, ann, "PATCH", chat+"/notes/"+note["id"].(string), `{"text":"be very kind"}`)
	l.must(200, sue, "DELETE", chat+"/notes/"+note["id"].(string), ``)

	// Hand it on.
	l.must(200, ann, "POST", chat+"/transfer", `{"team":"billing","reason":"invoice"}`)
	check("transferred", l.get(chat), object{"assignee": nil, "team": "billing"})
	l.must(200, sue, "POST", chat+"/assign", fmt.Sprintf(`{"agent":%q}`, bob))
	l.must(200, ann, "POST", chat+"/status", `{"status":"review"}`)
	l.must(200, ann, "POST", chat+"/close", `{}`)
	check("closed", l.get(chat), object{"assignee": bob, "status": "CLOSED", "status_category": "closed"})
	if o := l.must(409, ann, "POST", chat+"/claim", ``); o["code"] != "chat.closed" {
		t.Errorf("claim of a closed chat: %v", o)
	}
	l.must(200, ann, "POST", chat+"/reopen", ``)
	check("reopened", l.get(chat), object{"status": "OPEN"})
	if same := l.must(200, ann, "POST", chat+"/reopen", ``); same["changed"] != false {
		t.Errorf("reopen of an open chat: %v", same)
	}

	// The history has it all, the visitor has a source for each field.
	past := l.get(chat + "/history?limit=200")
	if types := past.field("type"); types[0] != "chat.opened.v1" || !slices.Contains(types, "chat.transferred.v1") || past.at("items.1.command") != "chat.receive_message" {
		t.Errorf("history: %v", types)
	}
	if got := l.get(chat + "/history?after=1&limit=1").field("revision"); !slices.Equal(got, []any{2.0}) {
		t.Errorf("history after 1: %v", got)
	}
	l.must(201, ann, "POST", "/v1/orders", fmt.Sprintf(`{"chat":%q,"currency":"EUR","lines":[{"product":"tea","quantity":2,"unit_price":150}]}`, first))
	check("visitor", l.get(chat+"/visitor"), object{
		"display_name": "Customer 15551", "profile_name.value": "Customer 15551", "profile_name.source.kind": "profile", "phone.source.kind": "channel",
		"email": nil, "orders.0.total": 300.0, "orders.0.currency": "EUR", "tags": []any{"vip-customer"},
	})

	// Deleted is hidden, but not from those who examine.
	l.must(200, sue, "DELETE", chat, `{"reason":"spam"}`)
	at := "?min_position=" + l.head()
	for _, path := range []string{chat, chat + "/messages", chat + "/visitor", chat + "/history"} {
		l.must(404, ann, "GET", path+at, "")
	}
	if got := l.get("/v1/chats").field("id"); !slices.Equal(got, []any{second}) {
		t.Errorf("after the deletion: %v", got)
	}
	if got := l.must(200, agent.RoleAuditor, "GET", chat+"/history"+at+"&limit=200", "").field("type"); !slices.Contains(got, "chat.deleted.v1") {
		t.Errorf("the auditor sees %v", got)
	}
	l.must(404, ann, "POST", chat+"/claim", ``)
	l.must(200, sue, "POST", chat+"/restore", ``)
	l.get(chat)
}

func TestOrders(t *testing.T) {
	l := newLedger(t)
	placed := l.must(201, ann, "POST", "/v1/orders", `{"currency":"EUR","comment":"quick","lines":[{"product":"tea","name":"Tea","quantity":2,"unit_price":150},{"product":"pot","quantity":1,"unit_price":999}]}`)
	order := "/v1/orders/" + placed["id"].(string)
	for _, step := range [][3]string{{"confirm", "", "confirmed"}, {"process", "", "processing"}, {"ship", `{"carrier":"DHL","tracking":"JD1"}`, "shipped"}, {"deliver", "", "delivered"}, {"return", `{"reason":"broken"}`, "returned"}} {
		l.must(200, bot, "POST", order+"/"+step[0], step[1])
		if got := l.get(order); got["status"] != step[2] {
			t.Errorf("after %s: %v", step[0], got["status"])
		}
	}
	got := l.get(order)
	if got["total"] != 1299.0 || got["items"] != 3.0 || got.at("lines.0.total") != 300.0 || got["carrier"] != "DHL" || got.at("history.5.reason") != "broken" || got["comment"] != "quick" {
		t.Errorf("%v", got)
	}
	l.must(409, ann, "POST", order+"/cancel", "")
	if got := l.get("/v1/orders?status=returned").field("id"); !slices.Equal(got, []any{placed["id"]}) {
		t.Errorf("returned: %v", got)
	}
	if a := l.do(ann, "GET", order, ""); a.header.Get("ETag") == "" || a.header.Get("Position") == "" {
		t.Errorf("headers: %v", a.header)
	}
}

func TestStaffAndSettings(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	zoe := l.must(201, root, "POST", "/v1/agents", `{"name":"Zoe","email":"zoe@example.com","role":"agent"}`)["id"].(string)
	l.must(200, root, "POST", "/v1/agents/"+zoe+"/role", `{"role":"supervisor"}`)
	l.must(200, sue, "PUT", "/v1/agents/"+zoe+"/availability", `{"availability":"online"}`)
	if got := l.get("/v1/agents/" + zoe); got["role"] != "supervisor" || got["availability"] != "online" || got["active"] != true {
		t.Errorf("agent: %v", got)
	}
	l.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)
	l.must(200, sue, "POST", "/v1/teams/billing/members", fmt.Sprintf(`{"agent":%q}`, zoe))
	if got := l.get("/v1/teams/billing"); !slices.Equal(got["members"].([]any), []any{zoe}) {
		t.Errorf("team: %v", got)
	}
	l.must(200, sue, "DELETE", "/v1/teams/billing/members/"+zoe, "")
	l.must(200, sue, "PATCH", "/v1/teams/billing", `{"name":"Invoices"}`)
	l.must(200, sue, "DELETE", "/v1/teams/billing", "")
	if got := l.get("/v1/teams").items(); len(got) != 0 {
		t.Errorf("teams: %v", got)
	}
	if got := l.get("/v1/teams?all=true"); got.at("items.0.name") != "Invoices" || got.at("items.0.archived") != true {
		t.Errorf("all teams: %v", got)
	}
	l.must(200, root, "POST", "/v1/agents/"+zoe+"/deactivate", `{"reason":"left"}`)
	if got := l.get("/v1/agents").field("id"); slices.Contains(got, any(zoe)) {
		t.Errorf("agents: %v", got)
	}
	l.must(200, root, "POST", "/v1/agents/"+zoe+"/reactivate", "")

	if tag := l.must(201, sue, "POST", "/v1/tags", `{"name":"VIP","colour":"#ffcc00"}`); tag["id"] != "vip" {
		t.Errorf("tag: %v", tag)
	}
	for _, body := range []string{`{"name":"Very important"}`, `{"colour":"#000000"}`} {
		l.must(200, sue, "PATCH", "/v1/tags/vip", body)
	}
	if got := l.get("/v1/tags/vip"); got["name"] != "Very important" || got["colour"] != "#000000" {
		t.Errorf("tag: %v", got)
	}
	etag := l.do(sue, "GET", "/v1/tags/vip", "").header.Get("ETag")
	l.must(200, sue, "DELETE", "/v1/tags/vip", "", "If-Match", etag)
	l.must(412, sue, "POST", "/v1/tags/vip/restore", "", "If-Match", etag)
	l.must(200, sue, "POST", "/v1/tags/vip/restore", "")

	l.must(201, sue, "POST", "/v1/statuses", `{"name":"Parts","category":"open"}`)
	for _, body := range []string{`{"name":"Spare parts"}`, `{"colour":"#102030"}`, `{"order":0}`, `{"default":true}`} {
		l.must(200, sue, "PATCH", "/v1/statuses/PARTS", body)
	}
	got := l.get("/v1/statuses")
	if got.at("items.0.id") != "PARTS" || got.at("items.0.name") != "Spare parts" || got.at("items.0.default") != true || got.at("items.1.id") != "OPEN" || got.at("items.1.default") != false {
		t.Errorf("statuses: %v", got)
	}
	l.must(200, sue, "DELETE", "/v1/statuses/REVIEW", "")
	if ids := l.get("/v1/statuses").field("id"); slices.Contains(ids, any("REVIEW")) || len(ids) != 6 {
		t.Errorf("statuses: %v", ids)
	}
	if got := l.get("/v1/statuses/REVIEW"); got["archived"] != true {
		t.Errorf("archived: %v", got)
	}

	l.must(200, ann, "PUT", "/v1/me/availability", `{"availability":"away"}`)
	me := l.must(200, ann, "GET", "/v1/me?min_position="+l.head(), "")
	if me.at("workspace.id") != acme || me.at("workspace.name") != "ACME" || me["role"] != "agent" || me.at("agent.id") != l.agents[ann] || me.at("agent.availability") != "away" || me.at("token.id") != l.tokenIDs[ann] {
		t.Errorf("me: %v", me)
	}
	program, _ := l.token(acme, agent.RoleAgent, "")
	if me := l.must(200, program, "GET", "/v1/me", ""); me["agent"] != nil {
		t.Errorf("a program: %v", me)
	}
	chat := l.receive(acme, "15551", "hello")
	if o := l.must(403, program, "POST", "/v1/chats/"+chat+"/claim", ""); o["code"] != "auth.no_agent" {
		t.Errorf("a program claims: %v", o)
	}

	l.must(200, root, "PATCH", "/v1/channels/"+ch, `{"name":"Big shop"}`)
	l.must(200, root, "DELETE", "/v1/channels/"+ch, `{"reason":"moved"}`)
	if got := l.get("/v1/channels/" + ch); got["name"] != "Big shop" || got["connected"] != false {
		t.Errorf("channel: %v", got)
	}
}

func TestDeliveries(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	const body = `{"object": "whatsapp_business_account",  "entry":[]}`
	id := l.deliver(acme, ch, body)
	path := "/v1/channels/" + ch + "/deliveries"
	if got := l.get(path); got.at("items.0.id") != id || got.at("items.0.state") != "received" || got.at("items.0.size") != float64(len(body)) {
		t.Errorf("deliveries: %v", got)
	}
	if raw := l.do(agent.RoleAuditor, "GET", path+"/"+id+"/body", ""); raw.status != 200 || raw.body != body || raw.header.Get("Position") == "" {
		t.Errorf("body: %d %v %s", raw.status, raw.header, raw.body)
	}
	l.must(202, root, "POST", path+"/"+id+"/retranslate", "")
	if got := l.get(path + "/" + id); got["state"] != "received" {
		t.Errorf("delivery: %v", got)
	}
}

func TestHealth(t *testing.T) {
	l := newLedger(t)
	l.must(200, "", "GET", "/healthz", "")
	ready := l.must(200, "", "GET", "/readyz", "")
	if names := ready["checks"].([]any); len(names) != 2+len(views.All()) || ready["status"] != "ok" {
		t.Errorf("ready: %v", ready)
	}
	l.must(200, ann, "GET", "/v1/chats", "")
	if m := l.do("", "GET", "/metrics", ""); m.status != 200 || !strings.Contains(m.body, `chatledger_http_request_duration_seconds_count{method="GET",route="GET /v1/chats",status="200"} 1`) {
		t.Errorf("metrics: %d %.500s", m.status, m.body)
	}
}

func TestViewsThatAreBehindAreNotReady(t *testing.T) {
	l := newLedger(t, func(r *readapi.Config, _ *web.Config) { r.MaxLag = time.Nanosecond })
	l.workers.pause()
	l.connect(acme)
	until(t, "the lag shows", func() bool { return l.do("", "GET", "/readyz", "").status == 503 })
	ready := l.object(l.do("", "GET", "/readyz", ""))
	if !strings.Contains(fmt.Sprint(ready), "state:behind") {
		t.Errorf("%v", ready)
	}
}
