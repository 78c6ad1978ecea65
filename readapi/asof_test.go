package readapi_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chatledger/chatledger/domain/agent"
)

// A chat can be seen as it was at any revision, position or time, and what changed
// between two of them.
func TestAChatAsItWas(t *testing.T) {
	l := newLedger(t)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	l.must(200, ann, "POST", chat+"/claim", "")
	claimed := l.get(chat + "/state")
	l.must(200, ann, "POST", chat+"/tags", `{"add":["VIP"]}`)
	note := l.must(201, ann, "POST", chat+"/notes", `{"text":"careful"}`)["id"].(string)
	l.must(202, ann, "POST", chat+"/messages", `{"text":"hi"}`)
	l.must(200, ann, "POST", chat+"/close", "")

	state := func(at string) object { t.Helper(); return l.get(chat + "/state?at=" + at) }
	if s := state(""); s["status"] != "CLOSED" || fmt.Sprint(s["tags"]) != "[vip]" || fmt.Sprint(s["notes"]) != "["+note+"]" || s.at("sent.queued") != 1.0 || s["received"] != 1.0 || s["unread"] != 1.0 {
		t.Errorf("now: %v", s)
	}
	for _, at := range []string{
		fmt.Sprintf("revision:%v", claimed["revision"]), fmt.Sprintf("position:%v", claimed["position"]), fmt.Sprint(claimed["recorded_at"]),
	} {
		if s := state(at); s["assignee"] != l.agents[ann] || s["status"] != "OPEN" || len(s["tags"].([]any)) != 0 || s["revision"] != claimed["revision"] {
			t.Errorf("at %s: %v", at, s)
		}
	}
	for at, revision := range map[string]float64{"revision:0": 0, "2020-01-01T00:00:00Z": -1, "position:0": -1, "revision:999": 6} {
		if s := state(at); s["revision"] != revision || s["exists"] != (revision >= 0) {
			t.Errorf("at %s: %v", at, s)
		}
	}

	changed := func(query string) (fields []string) {
		t.Helper()
		d := l.get(chat + "/difference?" + query)
		for _, c := range d["changes"].([]any) {
			fields = append(fields, fmt.Sprintf("%s %v>%v", c.(map[string]any)["field"], c.(map[string]any)["from"], c.(map[string]any)["to"]))
		}
		return append(fields, fmt.Sprint(d["events"]))
	}
	want := []string{"notes []>[" + note + "]", "sent map[]>map[queued:1]", "status OPEN>CLOSED", "status_category open>closed", "tags []>[vip]", "4"}
	if got := changed(fmt.Sprintf("from=revision:%v", claimed["revision"])); !slices.Equal(got, want) {
		t.Errorf("since it was claimed: %q, want %q", got, want)
	}
	if got := changed(fmt.Sprintf("from=revision:%v&to=position:%v", claimed["revision"], claimed["position"])); !slices.Equal(got, []string{"0"}) {
		t.Errorf("between a point and itself: %q", got)
	}
	if got := changed("to=revision:0"); !slices.Contains(got, "exists false>true") || got[len(got)-1] != "1" {
		t.Errorf("from before its beginning: %q", got)
	}
	for _, query := range []string{"state?at=yesterday", "state?at=revision:-1", "state?at=revision:", "difference?from=revision:5&to=revision:1", "difference?to=x"} {
		l.must(400, ann, "GET", chat+"/"+query, "")
	}
	l.must(404, ann, "GET", "/v1/chats/none/state", "")
	l.must(404, l.stranger(), "GET", chat+"/state", "")
	l.must(200, sue, "DELETE", chat, "")
	l.must(404, ann, "GET", chat+"/state?min_position="+l.head(), "")
	if s := l.must(200, agent.RoleAuditor, "GET", chat+"/state", ""); s["deleted"] != true {
		t.Errorf("to an auditor: %v", s)
	}
	l.must(404, agent.RoleAuditor, "GET", "/v1/chats/none/difference", "")
}
