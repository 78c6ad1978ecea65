package readapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

const saved = "/v1/saved-views"

func TestSavedViews(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	first, second := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello")
	third := l.receive(acme, "15553", "hello")
	l.must(200, ann, "POST", "/v1/chats/"+first+"/claim", "")
	_, bob := l.colleague("Bob")
	l.must(200, bob, "POST", "/v1/chats/"+second+"/claim", "")
	l.must(200, ann, "POST", "/v1/chats/"+second+"/tags", `{"add":["vip"]}`)

	create := func(as any, body string) string {
		t.Helper()
		return l.must(201, as, "POST", saved, body)["id"].(string)
	}
	mine := create(sue, `{"scope":"shared","target":"chats","name":"Mine","icon":"star","colour":"#2f7d32","filter":{"field":"assignee","op":"eq","value":"me"},"sort":"created","columns":["name","status"]}`)
	all := create(sue, `{"scope":"shared","target":"chats","name":"All"}`)
	people := create(sue, `{"scope":"shared","target":"contacts","name":"All","sort":"updated"}`)
	sales := create(agent.RoleAdmin, `{"scope":"shared","target":"orders","name":"All"}`)
	vips := create(ann, `{"scope":"personal","target":"chats","name":"All","filter":{"field":"tag","op":"eq","value":"vip"}}`)
	if !strings.HasPrefix(mine, "shared.") || !strings.HasPrefix(vips, "personal."+l.agents[ann]+".") {
		t.Errorf("ids %s, %s", mine, vips)
	}

	// Each sees what is theirs, and what is shared.
	list := func(as any, query string) object {
		t.Helper()
		return l.must(200, as, "GET", saved+"?min_position="+l.head()+query, "")
	}
	for _, tt := range []struct {
		as    any
		query string
		want  []any
	}{
		{ann, "", []any{vips, mine, all, people, sales}},
		{ann, "&target=chats", []any{vips, mine, all}},
		{ann, "&scope=personal", []any{vips}},
		{bob, "&scope=personal", nil},
		{bob, "", []any{mine, all, people, sales}},
		{bot, "&target=contacts", []any{people}},
		{agent.RoleAuditor, "&scope=shared&target=orders", []any{sales}},
	} {
		if got := list(tt.as, tt.query).field("id"); !slices.Equal(got, tt.want) {
			t.Errorf("%v sees for %q: %v, want %v", tt.as, tt.query, got, tt.want)
		}
	}
	page := list(ann, "&limit=2")
	if more := list(ann, "&limit=200&cursor="+page["next_cursor"].(string)); !slices.Equal(append(page.field("id"), more.field("id")...), []any{vips, mine, all, people, sales}) {
		t.Errorf("two pages: %v, %v", page, more)
	}
	l.must(404, bob, "GET", saved+"/"+vips, "")
	got := l.must(200, bob, "GET", saved+"/"+mine, "")
	if got["name"] != "Mine" || got["icon"] != "star" || got["colour"] != "#2f7d32" || got.at("filter.value") != "me" || got["sort"] != "created" || got.at("columns.1") != "status" ||
		got["valid"] != true || got["problems"] != nil || got["created_by"] != l.agents[sue] || got["owner"] != nil || got["revision"] != 3.0 {
		t.Errorf("%v", got)
	}

	// It finds what it says, for whoever asks; a filter narrows it.
	find := func(as any, path, body string) []any {
		t.Helper()
		return l.must(200, as, "POST", path+"?min_position="+l.head(), body).field("id")
	}
	view := func(id string) string { return fmt.Sprintf(`{"view":%q}`, id) }
	for _, tt := range []struct {
		as   any
		body string
		want []any
	}{
		{ann, view(mine), []any{first}},
		{bob, view(mine), []any{second}},
		{ann, view(all), []any{third, second, first}},
		{ann, fmt.Sprintf(`{"view":%q,"sort":"waiting"}`, all), []any{first, second, third}},
		{ann, view(vips), []any{second}},
		{ann, fmt.Sprintf(`{"view":%q,"filter":{"field":"phone","op":"contains","value":"15551"}}`, all), []any{first}},
		{ann, fmt.Sprintf(`{"view":%q,"filter":{"field":"tag","op":"eq","value":"vip"}}`, mine), nil},
	} {
		if got := find(tt.as, "/v1/chats/query", tt.body); !slices.Equal(got, tt.want) {
			t.Errorf("%v finds with %s: %v, want %v", tt.as, tt.body, got, tt.want)
		}
		if n := l.must(200, tt.as, "POST", "/v1/chats/count?min_position="+l.head(), strings.ReplaceAll(tt.body, `,"sort":"waiting"`, "")); n["count"] != float64(len(tt.want)) {
			t.Errorf("%v counts with %s: %v", tt.as, tt.body, n)
		}
	}
	contact := l.must(201, ann, "POST", "/v1/contacts", `{"name":"Ana Lima","phones":["+15559"]}`)["id"]
	order := l.must(201, ann, "POST", "/v1/orders", fmt.Sprintf(`{"chat":%q,"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":100}]}`, first))["id"]
	if got := find(bob, "/v1/contacts/query", view(people)); !slices.Equal(got, []any{contact}) {
		t.Errorf("contacts: %v", got)
	}
	if got := find(bob, "/v1/orders/query", view(sales)); !slices.Equal(got, []any{order}) {
		t.Errorf("orders: %v", got)
	}
	if o := l.must(400, ann, "POST", "/v1/orders/query", view(mine)); o["code"] != "savedview.other_target" || o.at("errors.0.location") != "body.view" {
		t.Errorf("a view of chats on orders: %v", o)
	}
	l.must(404, bob, "POST", "/v1/chats/query", view(vips))
	l.must(404, bob, "POST", "/v1/chats/query", view("shared.none"))

	// Counted, all at once.
	counts := l.must(200, ann, "GET", saved+"/counts?min_position="+l.head(), "")
	if !slices.Equal(counts.field("view"), []any{vips, mine, all, people, sales}) || !slices.Equal(counts.field("count"), []any{1.0, 1.0, 3.0, 1.0, 1.0}) || counts.at("items.0.exact") != true {
		t.Errorf("counts: %v", counts)
	}
	some := l.must(200, ann, "GET", saved+"/counts?target=chats&limit=2", "")
	rest := l.must(200, ann, "GET", saved+"/counts?target=chats&limit=2&cursor="+some["next_cursor"].(string), "")
	if !slices.Equal(append(some.field("count"), rest.field("count")...), []any{1.0, 1.0, 3.0}) || rest["next_cursor"] != nil {
		t.Errorf("counts in two pages: %v, %v", some, rest)
	}
	l.must(400, ann, "GET", saved+"/counts?limit=21", "")

	// Changed and ordered by whom it may be.
	if o := l.must(403, bob, "PATCH", saved+"/"+mine, `{"name":"Bob's"}`); o["code"] != "savedview.not_yours" {
		t.Errorf("%v", o)
	}
	l.must(403, bob, "POST", saved, `{"scope":"shared","target":"chats","name":"x"}`)
	l.must(403, bob, "DELETE", saved+"/"+mine, "")
	l.must(403, bob, "PUT", saved+"/order", fmt.Sprintf(`{"scope":"shared","target":"chats","views":[%q,%q]}`, all, mine))
	l.must(404, sue, "PATCH", saved+"/"+vips, `{"name":"Sue's"}`)
	l.must(404, sue, "DELETE", saved+"/"+vips, "")
	l.must(404, bob, "PATCH", saved+"/nonsense", `{"name":"x"}`)
	program, _ := l.token(acme, agent.RoleAgent, "")
	if o := l.must(403, program, "POST", saved, `{"scope":"personal","target":"chats","name":"x"}`); o["code"] != "auth.no_agent" {
		t.Errorf("of a program: %v", o)
	}
	etag := l.do(sue, "GET", saved+"/"+mine+"?min_position="+l.head(), "").header.Get("ETag")
	l.must(200, sue, "PATCH", saved+"/"+mine, `{"filter":{"field":"status","op":"eq","value":"OPEN"},"columns":[],"sort":""}`, "If-Match", etag)
	l.must(412, sue, "PATCH", saved+"/"+mine, `{"name":"x"}`, "If-Match", etag)
	l.must(200, sue, "PATCH", saved+"/"+mine, `{"name":"Open"}`)
	if again := l.must(200, sue, "PATCH", saved+"/"+mine, `{"name":"Open"}`); again["changed"] != false {
		t.Errorf("the same again: %v", again)
	}
	l.must(200, sue, "PUT", saved+"/order", fmt.Sprintf(`{"scope":"shared","target":"chats","views":[%q,%q]}`, all, mine))
	if got := list(bob, "&target=chats"); !slices.Equal(got.field("name"), []any{"All", "Open"}) || got.at("items.1.filter.field") != "status" || got.at("items.1.columns.0") != nil {
		t.Errorf("changed: %v", got)
	}
	for body, want := range map[string]string{
		`{}`:                         "request.invalid",
		`{"filter":{"field":"age"}}`: "filter.unknown_field",
		`{"sort":"updated"}`:         "savedview.unknown_sort",
		`{"columns":["age"]}`:        "savedview.unknown_column",
		`{"colour":"red"}`:           "savedview.bad_colour",
		`{"name":""}`:                "savedview.name_missing",
		`{"icon":"` + strings.Repeat("i", 41) + `"}`: "savedview.icon_too_long",
	} {
		if o := l.must(400, sue, "PATCH", saved+"/"+mine, body); o["code"] != want {
			t.Errorf("%s: %v", body, o)
		}
	}
	if o := l.must(400, sue, "PUT", saved+"/order", fmt.Sprintf(`{"scope":"shared","target":"chats","views":[%q]}`, all)); o["code"] != "savedview.bad_order" || o.at("errors.0.location") != "body.views" {
		t.Errorf("an order of some: %v", o)
	}
	if o := l.must(409, sue, "POST", saved, `{"scope":"shared","target":"chats","name":"open"}`); o["code"] != "savedview.name_taken" {
		t.Errorf("a name twice: %v", o)
	}

	// Deleted for good; a repeat of the request is answered as it was.
	for range 2 {
		l.must(200, sue, "DELETE", saved+"/"+all, "", "Idempotency-Key", "gone")
	}
	l.must(404, sue, "DELETE", saved+"/"+all, "")
	l.must(404, ann, "GET", saved+"/"+all+"?min_position="+l.head(), "")

	// Nothing of it is there for another workspace.
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	if got := list(stranger, ""); len(got.items()) != 0 {
		t.Errorf("a stranger sees %v", got)
	}
	l.must(404, stranger, "GET", saved+"/"+mine, "")
	l.must(404, stranger, "PATCH", saved+"/"+mine, `{"name":"theirs"}`, "If-Match", `"0"`)
	l.must(404, stranger, "POST", "/v1/chats/query", view(mine))
}

// A view that was saved with a field that there is no more is shown, and says what
// is wrong with it.
func TestSavedViewsThatAreNoLongerValid(t *testing.T) {
	l := newLedger(t)
	at := savedview.Place{Scope: savedview.Shared}
	cdc := commands.Codec()
	old, err := cdc.Encode(uuid.New(), savedview.Created{
		Workspace: acme, Scope: at.Scope, View: at.ID("old"), Target: "chats", Name: "Old", Filter: []byte(`{"not":{"field":"mood","op":"eq","value":"blue"}}`), Sort: "mood", By: "sue",
	}, eventstore.Metadata{Workspace: acme})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.Append(t.Context(), "savedviews-"+ids.SavedViews(acme, at.String()), eventstore.NoStream, old); err != nil {
		t.Fatal(err)
	}
	got := l.get(saved + "/shared.old")
	if got["valid"] != false || got.at("problems.0.code") != "filter.unknown_field" || got.at("problems.0.field") != "filter.not.field" || got.at("problems.1.code") != "savedview.unknown_sort" || got.at("filter.not.value") != "blue" {
		t.Errorf("%v", got)
	}
	if o := l.must(409, ann, "POST", "/v1/chats/query", `{"view":"shared.old"}`); o["code"] != "savedview.invalid" || !strings.Contains(o["detail"].(string), "filter.not.field") {
		t.Errorf("asked: %v", o)
	}
	if n := l.must(200, ann, "GET", saved+"/counts", ""); n.at("items.0.valid") != false || n.at("items.0.count") != 0.0 {
		t.Errorf("counted: %v", n)
	}
	l.must(400, sue, "PATCH", saved+"/shared.old", `{"name":"Still"}`)
	l.must(200, sue, "PATCH", saved+"/shared.old", `{"filter":{},"sort":""}`)
	if got := l.get(saved + "/shared.old"); got["valid"] != true {
		t.Errorf("mended: %v", got)
	}
}
