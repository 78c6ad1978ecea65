package readapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/agent"
)

func TestSearch(t *testing.T) {
	l := newLedger(t)
	l.settle("rivals")
	first := l.receive(acme, "4915112345678", "Wo ist meine Rechnung?")
	second := l.receive(acme, "4915187654321", "RECHNUNG <b>fehlt</b>")
	l.receive("rivals", "15551", "Rechnung")
	l.must(202, agent.RoleAgent, "POST", "/v1/chats/"+first+"/messages", `{"text":"Die Rechnung kommt"}`)
	note := l.must(201, agent.RoleAgent, "POST", "/v1/chats/"+second+"/notes", `{"text":"Rechnung prüfen"}`)["id"].(string)
	find := func(more string, as agent.Role) object {
		t.Helper()
		return l.must(200, as, "GET", "/v1/search?min_position="+l.head()+"&"+more, "")
	}
	got := find("q=rechn", agent.RoleBot)
	if kinds := fmt.Sprint(got.field("kind")); kinds != "[note"+strings.Repeat(" message", 3)+"]" {
		t.Fatalf("found %v", got)
	}
	if got.at("items.0.id") != note || got.at("items.0.chat") != second || got.at("items.0.visitor.phone") != "+4915187654321" || got.at("items.0.by.id") != l.agents[agent.RoleAgent] {
		t.Errorf("note %v", got.items()[0])
	}
	if s := fmt.Sprint(got.at("items.2.snippet")); s != "[map[hit:true text:RECHNUNG] map[hit:false text: <b>fehlt</b>]]" {
		t.Errorf("snippet %s", s)
	}
	var paged []any
	for cursor := ""; ; {
		page := find("q=rechn&limit=1&cursor="+cursor, agent.RoleAgent)
		paged = append(paged, page.field("position")...)
		if cursor, _ = page["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if fmt.Sprint(paged) != fmt.Sprint(got.field("position")) {
		t.Errorf("pages of one: %v, want %v", paged, got.field("position"))
	}

	// A place opens the conversation there.
	place := url.QueryEscape(got.at("items.3.place").(string))
	before := l.get("/v1/chats/" + first + "/messages?events=false&before=" + place).items()
	if len(before) != 1 || before[0]["text"] != "Wo ist meine Rechnung?" {
		t.Errorf("before the place: %v", before)
	}
	if after := l.get("/v1/chats/" + first + "/messages?events=false&after=" + place).items(); len(after) != 1 || after[0]["text"] != "Die Rechnung kommt" {
		t.Errorf("after the place: %v", after)
	}

	if got := find("q=5678&kind=visitor", agent.RoleAgent); len(got.items()) != 1 || got.at("items.0.chat") != first {
		t.Errorf("by the end of a number: %v", got)
	}
	l.must(200, agent.RoleAdmin, "DELETE", "/v1/chats/"+second, "")
	if got := find("q=rechn", agent.RoleAdmin); len(got.items()) != 2 {
		t.Errorf("found of a deleted chat: %v", got)
	}
	l.must(200, agent.RoleAdmin, "POST", "/v1/chats/"+second+"/restore", "")
	if got := find("q=rechn", agent.RoleAdmin); len(got.items()) != 4 {
		t.Errorf("found of a restored chat: %v", got)
	}

	for query, field := range map[string]string{
		"": "q", "q=": "q", "q=%20*": "q", "q=" + strings.Repeat("x", 201): "q", "q=" + strings.Repeat("x+", 17): "q", "q=x&kind=chat": "kind",
		"q=x&cursor=x": "cursor", "q=x&limit=0": "limit", "q=x&limit=201": "limit",
	} {
		a := l.do(agent.RoleAgent, "GET", "/v1/search?"+query, "")
		if a.status != 400 || !strings.Contains(a.body, field) {
			t.Errorf("%q: %d %s, want a 400 that names %s", query, a.status, a.body, field)
		}
	}
}
