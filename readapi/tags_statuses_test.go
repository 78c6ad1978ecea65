package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Merging two tags is one event: chats and orders show the one that remains, which
// can be taken off and is not added again.
func TestMergeTags(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	one, two := "/v1/chats/"+l.receive(acme, "15551", "hello"), "/v1/chats/"+l.receive(acme, "15552", "hello")
	order := "/v1/orders/" + l.must(201, ann, "POST", "/v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":100}]}`)["id"].(string)
	l.must(200, ann, "POST", one+"/tags", `{"add":["VIP","Gold"]}`)
	l.must(200, ann, "POST", two+"/tags", `{"add":["VIP"]}`)
	l.must(200, ann, "POST", order+"/tags", `{"add":["VIP"]}`)
	if got := l.get("/v1/tags/vip"); got.at("uses.chats") != 2.0 || got.at("uses.orders") != 1.0 {
		t.Errorf("uses %v", got)
	}
	before := len(l.events())
	l.must(200, sue, "POST", "/v1/tags/vip/merge", `{"into":"gold"}`)
	l.must(200, sue, "POST", "/v1/tags/vip/merge", `{"into":"Gold"}`)
	if got := l.events()[before:]; !slices.Equal(got, []string{"tag.merged.v1"}) {
		t.Errorf("events %v", got)
	}
	for _, path := range []string{one, two, order, one + "/visitor"} {
		if got := l.get(path)["tags"]; !slices.Equal(got.([]any), []any{"gold"}) {
			t.Errorf("%s shows %v", path, got)
		}
	}
	for _, tag := range []string{"gold", "vip"} {
		if got := l.get("/v1/chats?tag=" + tag).items(); len(got) != 2 {
			t.Errorf("chats with %s: %v", tag, got)
		}
		if got := l.get("/v1/orders?tag=" + tag).items(); len(got) != 1 {
			t.Errorf("orders with %s: %v", tag, got)
		}
	}
	if got := l.get("/v1/tags/gold"); got.at("uses.chats") != 2.0 || got.at("uses.orders") != 1.0 || got["merged_into"] != nil {
		t.Errorf("uses %v", got)
	}
	if got := l.get("/v1/tags").field("id"); !slices.Equal(got, []any{"gold"}) {
		t.Errorf("tags %v", got)
	}
	if got := l.get("/v1/tags?all=true").field("merged_into"); !slices.Equal(got, []any{nil, "gold"}) {
		t.Errorf("merged %v", got)
	}
	if got := l.must(200, ann, "POST", two+"/tags", `{"add":["Gold"]}`); got["changed"] != false {
		t.Errorf("what it shows is added: %v", got)
	}
	l.must(200, ann, "POST", two+"/tags", `{"remove":["VIP"]}`)
	l.must(200, ann, "POST", order+"/tags", `{"remove":["gold"]}`)
	for _, path := range []string{two, order} {
		if got := l.get(path)["tags"]; len(got.([]any)) != 0 {
			t.Errorf("%s shows %v", path, got)
		}
	}
	// One that is archived stays where it is, and can be taken off.
	l.must(200, sue, "DELETE", "/v1/tags/gold", "")
	if got := l.get(one)["tags"]; !slices.Equal(got.([]any), []any{"gold"}) {
		t.Errorf("with an archived tag: %v", got)
	}
	l.must(409, ann, "POST", order+"/tags", `{"add":["gold"]}`)
	l.must(200, ann, "POST", one+"/tags", `{"remove":["gold"]}`)
	if got := l.get("/v1/tags/gold"); got.at("uses.chats") != 0.0 {
		t.Errorf("uses %v", got)
	}
}

// A status that chats have can only be archived with another in its place.
// Contacts count, too, and a status that only they have is not said to be that of chats.
func TestUsesByContacts(t *testing.T) {
	l := newLedger(t)
	chat := "/v1/chats/" + l.receive(acme, "1", "hello")
	contact := "/v1/contacts/" + l.must(201, anAgent, "POST", "/v1/contacts", `{"name":"Ana"}`)["id"].(string)
	l.must(200, anAgent, "POST", contact+"/tags", `{"add":["vip"]}`)
	l.must(200, anAgent, "POST", contact+"/status", `{"status":"REVIEW"}`)
	if got := l.get("/v1/tags/vip"); got.at("uses.contacts") != 1.0 || got.at("uses.chats") != 0.0 {
		t.Errorf("uses %v", got)
	}
	if got := l.get("/v1/statuses/REVIEW"); got["contacts"] != 1.0 || got["chats"] != 0.0 {
		t.Errorf("status %v", got)
	}
	refused := func(status, want string) {
		t.Helper()
		if o := l.must(409, aSenior, "DELETE", "/v1/statuses/"+status, ""); o["code"] != "status.in_use" || !strings.HasPrefix(o["detail"].(string), want+" have the status") {
			t.Errorf("%s: %v", status, o)
		}
	}
	refused("REVIEW", "contacts")
	l.must(200, anAgent, "POST", chat+"/status", `{"status":"ONHOLD"}`)
	refused("ONHOLD", "chats")
	l.must(200, anAgent, "POST", chat+"/status", `{"status":"REVIEW"}`)
	refused("REVIEW", "chats and contacts")
}

func TestRemapStatuses(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	l.must(200, ann, "POST", chat+"/status", `{"status":"ONHOLD"}`)
	if got := l.get("/v1/statuses/ONHOLD"); got["chats"] != 1.0 {
		t.Errorf("in use: %v", got)
	}
	if o := l.must(409, sue, "DELETE", "/v1/statuses/ONHOLD", ""); o["code"] != "status.in_use" {
		t.Errorf("archive it: %v", o)
	}
	for to, want := range map[string]int{"OPEN": 400, "none": 400, "ONHOLD": 400} {
		if o := l.must(want, sue, "DELETE", "/v1/statuses/ONHOLD?remap_to="+to, ""); o["code"] != "status.bad_remap" || o.at("errors.0.location") != "query.remap_to" {
			t.Errorf("remap to %s: %v", to, o)
		}
	}
	before := len(l.events())
	l.must(200, sue, "DELETE", "/v1/statuses/ONHOLD?remap_to=REVIEW", "")
	if again := l.must(200, sue, "DELETE", "/v1/statuses/ONHOLD?remap_to=REVIEW", ""); again["changed"] != false {
		t.Errorf("again: %v", again)
	}
	if got := l.events()[before:]; !slices.Equal(got, []string{"status.remapped.v1"}) {
		t.Errorf("events %v", got)
	}
	if got := l.get(chat); got["status"] != "REVIEW" || got["status_category"] != "pending" {
		t.Errorf("chat %v", got)
	}
	for _, s := range []string{"ONHOLD", "REVIEW"} {
		if got := l.get("/v1/chats?status=" + s).items(); len(got) != 1 {
			t.Errorf("chats with %s: %v", s, got)
		}
		if got := l.must(200, ann, "POST", "/v1/chats/count?min_position="+l.head(), fmt.Sprintf(`{"filter":{"field":"status","op":"eq","value":%q}}`, s)); got["count"] != 1.0 {
			t.Errorf("count of %s: %v", s, got)
		}
	}
	if got := l.get("/v1/chats/counts").at("statuses.REVIEW"); got != 1.0 {
		t.Errorf("counts %v", got)
	}
	if got := l.get("/v1/statuses/ONHOLD"); got["remapped_to"] != "REVIEW" || got["archived"] != true || got["chats"] != 0.0 {
		t.Errorf("the archived one: %v", got)
	}
	if got := l.must(200, ann, "POST", chat+"/status", `{"status":"REVIEW"}`); got["changed"] != false {
		t.Errorf("what it shows is set: %v", got)
	}
	// The old id stands for the new status.
	l.must(200, ann, "POST", chat+"/status", `{"status":"OPEN"}`)
	l.must(200, ann, "POST", chat+"/status", `{"status":"ONHOLD"}`)
	if got := l.get(chat); got["status"] != "REVIEW" {
		t.Errorf("chat %v", got)
	}
	// What no chat ever had is archived as it is; what one had before it was noted
	// that it has, is found in the log.
	l.must(200, sue, "DELETE", "/v1/statuses/DEPENDENCY", "")
	l.must(201, sue, "POST", "/v1/statuses", `{"name":"Parts","category":"pending"}`)
	l.append(acme, "chat-"+chat[len("/v1/chats/"):], "chat.status_set.v1", `{"status":"PARTS","category":"pending","from":"REVIEW"}`)
	if o := l.must(409, sue, "DELETE", "/v1/statuses/PARTS", ""); o["code"] != "status.in_use" {
		t.Errorf("archive what an older version gave: %v", o)
	}
}

func TestTeamsAtWork(t *testing.T) {
	l := newLedger(t)
	me := l.agents[ann]
	l.must(201, sue, "POST", "/v1/teams", `{"name":"Sales"}`)
	if got := l.get("/v1/teams/sales"); got["rule"] != "manual" || got["hours"] != nil {
		t.Errorf("a new team: %v", got)
	}
	l.must(200, sue, "PUT", "/v1/teams/sales/rule", `{"rule":"least_busy"}`)
	const hours = `{"zone":"Europe/Berlin","weekly":[{"day":1,"from":"09:00","to":"17:30"}],"exceptions":[{"date":"2026-12-24"},{"date":"2026-12-31","open":[{"from":"09:00","to":"12:00"}]}]}`
	l.must(200, sue, "PUT", "/v1/teams/sales/hours", hours)
	if again := l.must(200, sue, "PUT", "/v1/teams/sales/hours", hours); again["changed"] != false {
		t.Errorf("the same hours: %v", again)
	}
	got := l.get("/v1/teams/sales")
	for path, want := range map[string]any{
		"rule": "least_busy", "hours.zone": "Europe/Berlin", "hours.weekly.0.day": 1.0, "hours.weekly.0.to": "17:30", "hours.exceptions.1.open.0.to": "12:00",
	} {
		if got.at(path) != want {
			t.Errorf("%s = %v, want %v", path, got.at(path), want)
		}
	}
	l.must(200, sue, "PUT", "/v1/teams/sales/hours", `{}`)
	if got := l.get("/v1/teams/sales"); got["hours"] != nil {
		t.Errorf("always: %v", got)
	}
	l.must(200, ann, "PUT", "/v1/me/availability", `{"availability":"online"}`)
	l.must(200, sue, "PUT", "/v1/agents/"+me+"/capacity", `{"capacity":3}`)
	if got := l.get("/v1/agents/" + me); got["availability"] != "online" || got["capacity"] != 3.0 {
		t.Errorf("agent %v", got)
	}
}

// Whoever makes what is there already learns its id, and a repeat with the same key
// learns the same, whatever happened since.
func TestMakingWhatIsThere(t *testing.T) {
	for list, tt := range map[string]struct{ body, again, id string }{
		"tags":       {`{"name":"Big Ones"}`, `{"name":"big ones"}`, "big-ones"},
		"teams":      {`{"name":"Big Ones"}`, `{"name":"big ones"}`, "big-ones"},
		"statuses":   {`{"name":"Big Ones","category":"open"}`, `{"name":"big ones","category":"open"}`, "BIG-ONES"},
		"attributes": {`{"name":"Big Ones","kind":"text"}`, `{"name":"big ones","kind":"text"}`, "big-ones"},
	} {
		t.Run(list, func(t *testing.T) {
			l := newLedger(t)
			posted := func(body string, header ...string) map[string]any {
				t.Helper()
				o := l.must(201, aSenior, "POST", "/v1/"+list, body, header...)
				if o["id"] != tt.id {
					t.Errorf("%s: id %v, want %s", body, o["id"], tt.id)
				}
				return o
			}
			if o := posted(tt.body, "Idempotency-Key", "first"); o["changed"] != true {
				t.Errorf("made: %v", o)
			}
			if o := posted(tt.again); o["changed"] != false {
				t.Errorf("made again: %v", o)
			}
			posted(tt.again, "Idempotency-Key", "second")
			l.must(200, aSenior, "PATCH", "/v1/"+list+"/"+tt.id, `{"name":"Small ones"}`)
			posted(tt.body, "Idempotency-Key", "first")
			posted(tt.again, "Idempotency-Key", "second")
		})
	}
}

// What was archived comes back with what it had, and its name does not get lost.
func TestRestoringTeamsAndStatuses(t *testing.T) {
	l := newLedger(t)
	chat := "/v1/chats/" + l.receive(acme, "1", "hello")
	l.must(201, aSenior, "POST", "/v1/teams", `{"name":"Desk"}`)
	l.must(200, aSenior, "POST", "/v1/teams/desk/members", `{"agent":"`+l.agents[anAgent]+`"}`)
	l.must(200, anAgent, "POST", chat+"/transfer", `{"team":"desk","reason":"theirs"}`)
	l.must(200, aSenior, "DELETE", "/v1/teams/desk", "")
	if o := l.must(409, aSenior, "POST", "/v1/teams", `{"name":"desk"}`); o["code"] != "team.archived" {
		t.Errorf("another with the name: %v", o)
	}
	if l.get("/v1/teams"); len(l.get("/v1/teams").items()) != 0 || len(l.get("/v1/teams?all=true").items()) != 1 {
		t.Errorf("teams %v", l.get("/v1/teams?all=true"))
	}
	l.must(404, aSenior, "POST", "/v1/teams/none/restore", "")
	if o := l.must(200, aSenior, "POST", "/v1/teams/desk/restore", ""); o["id"] != "desk" || o["changed"] != true {
		t.Errorf("restored: %v", o)
	}
	if o := l.must(200, aSenior, "POST", "/v1/teams/desk/restore", ""); o["changed"] != false {
		t.Errorf("again: %v", o)
	}
	if got := l.get("/v1/teams/desk"); got["archived"] != false || got.at("members.0") != l.agents[anAgent] {
		t.Errorf("team %v", got)
	}

	l.must(200, anAgent, "POST", chat+"/status", `{"status":"REVIEW"}`)
	l.must(200, aSenior, "DELETE", "/v1/statuses/REVIEW?remap_to=ONHOLD", "")
	if got := l.get(chat)["status"]; got != "ONHOLD" {
		t.Errorf("remapped: %v", got)
	}
	if o := l.must(409, aSenior, "POST", "/v1/statuses", `{"name":"Review","category":"pending"}`); o["code"] != "status.archived" {
		t.Errorf("another with the name: %v", o)
	}
	l.must(200, aSenior, "POST", "/v1/statuses/REVIEW/restore", "")
	if got := l.get(chat)["status"]; got != "REVIEW" {
		t.Errorf("chat after the restore: %v", got)
	}
	if got := l.get("/v1/statuses/REVIEW"); got["archived"] != false || got["remapped_to"] != nil || got["order"] != 5.0 || got["chats"] != 1.0 {
		t.Errorf("status %v", got)
	}
	l.must(200, anAgent, "POST", chat+"/status", `{"status":"ONHOLD"}`)
	if got := l.get(chat)["status"]; got != "ONHOLD" {
		t.Errorf("status after that: %v", got)
	}
}

// A PATCH does all that it asks for in one go, or nothing.
func TestPatchingTogether(t *testing.T) {
	l := newLedger(t)
	l.must(201, aSenior, "POST", "/v1/tags", `{"name":"vip"}`)
	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Size","kind":"choice","choices":["S"]}`)
	group := "/v1/groups/" + l.must(201, aSenior, "POST", "/v1/groups", `{"name":"Romans","kind":"dynamic","filter":{"field":"city","op":"eq","value":"Rome"}}`)["id"].(string)
	for path, tt := range map[string]struct {
		body   string
		events []string
		bad    string
	}{
		"/v1/tags/vip":        {`{"name":"Gold","colour":"#ffcc00"}`, []string{"tag.renamed.v1", "tag.recoloured.v1"}, `{"name":"Silver","colour":"grey"}`},
		"/v1/statuses/REVIEW": {`{"name":"Check","colour":"#ffcc00","order":0}`, []string{"status.renamed.v1", "status.recoloured.v1", "status.moved.v1"}, `{"name":"Look","order":99}`},
		"/v1/attributes/size": {`{"name":"Shirt","choices":["S","M"]}`, []string{"attribute.renamed.v1", "attribute.choices_set.v1"}, `{"name":"Coat","choices":["S","S"]}`},
		group:                 {`{"name":"Wiener","filter":{"field":"city","op":"eq","value":"Wien"}}`, []string{"group.renamed.v1", "group.filter_set.v1"}, `{"name":"All","filter":{"field":"hue"}}`},
	} {
		before := len(l.events())
		first := l.must(200, aSenior, "PATCH", path, tt.body, "Idempotency-Key", "k"+path)
		if got := l.events()[before:]; !slices.Equal(got, tt.events) {
			t.Errorf("%s: events %v, want %v", path, got, tt.events)
		}
		if again := l.must(200, aSenior, "PATCH", path, tt.body, "Idempotency-Key", "k"+path); again["revision"] != first["revision"] || first["changed"] != true {
			t.Errorf("%s: first %v, again %v", path, first, again)
		}
		l.must(412, aSenior, "PATCH", path, `{"name":"Stale"}`, "If-Match", `"0"`)
		l.must(400, aSenior, "PATCH", path, tt.bad)
		l.must(400, aSenior, "PATCH", path, `{}`)
		if again := l.must(200, aSenior, "PATCH", path, tt.body); again["changed"] != false || len(l.events()) != before+len(tt.events) {
			t.Errorf("%s: the same again: %v", path, again)
		}
	}
}
