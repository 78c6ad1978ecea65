package readapi_test

import (
	"slices"
	"testing"
	"time"
)

func TestSnooze(t *testing.T) {
	l := newLedger(t)
	first, second := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello")
	talk := "/v1/chats/" + first
	l.must(200, ann, "POST", talk+"/claim", "")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	snooze := func(status int, body string) object {
		t.Helper()
		return l.must(status, ann, "POST", talk+"/snooze", body)
	}
	list := func(query string) []any {
		t.Helper()
		return l.must(200, ann, "GET", "/v1/chats?min_position="+l.head()+query, "").field("id")
	}
	snooze(200, `{"until":"`+until.Format(time.RFC3339Nano)+`"}`)
	if again := snooze(200, `{"until":"`+until.Format(time.RFC3339Nano)+`"}`); again["changed"] != false {
		t.Errorf("the same again: %v", again)
	}
	if c := l.get(talk); c["snoozed"] != true || c["snoozed_until"] != until.Format(time.RFC3339Nano) {
		t.Errorf("snoozed: %v", c)
	}
	for query, want := range map[string][]any{
		"": {second}, "&snoozed=false": {second}, "&snoozed=true": {first}, "&snoozed=any": {second, first}, "&assignee=me": nil, "&snoozed=true&assignee=me&sort=waiting": {first},
		"&status=OPEN": {second}, "&snoozed=true&status=OPEN": {first}, "&snoozed=true&status=CLOSED": nil,
	} {
		if got := list(query); !slices.Equal(got, want) {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
	n := l.must(200, ann, "GET", "/v1/chats/counts?min_position="+l.head(), "")
	if n["all"] != 1.0 || n["mine"] != 0.0 || n.at("open.all") != 1.0 || n.at("snoozed.all") != 1.0 || n.at("snoozed.mine") != 1.0 || n.at("snoozed.unread") != 1.0 || n.at("statuses.OPEN") != 1.0 {
		t.Errorf("counts: %v", n)
	}
	if s := l.get("/v1/statuses/OPEN"); s["chats"] != 2.0 {
		t.Errorf("chats that have the status: %v", s)
	}
	found := func(filter string) []any {
		t.Helper()
		return l.must(200, ann, "POST", "/v1/chats/query?min_position="+l.head(), `{"filter":`+filter+`}`).field("id")
	}
	for filter, want := range map[string][]any{
		`{}`: {second, first},
		`{"field":"snoozed","op":"eq","value":true}`:                                         {first},
		`{"field":"snoozed","op":"eq","value":false}`:                                        {second},
		`{"field":"snoozed","op":"ne","value":true}`:                                         {second},
		`{"field":"snoozed_until","op":"gt","value":"-1m"}`:                                  {first},
		`{"and":[{"field":"snoozed","op":"eq","value":true},{"field":"tag","op":"exists"}]}`: nil,
	} {
		if got := found(filter); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", filter, got, want)
		}
	}

	// The customer writes: it is back.
	l.receive(acme, "15551", "still there?")
	if got := list("&assignee=me"); !slices.Equal(got, []any{first}) {
		t.Errorf("after a message: %v", got)
	}
	snooze(200, `{"until_reply":true}`)
	if c := l.get(talk); c["snoozed"] != true || c["snoozed_until"] != nil {
		t.Errorf("until a reply: %v", c)
	}
	l.must(200, ann, "POST", talk+"/unsnooze", "")
	if again := l.must(200, ann, "POST", talk+"/unsnooze", ""); again["changed"] != false {
		t.Errorf("taken back twice: %v", again)
	}
	var said []any
	for _, e := range l.get(talk + "/messages").items() {
		if e["kind"] == "system" {
			said = append(said, e.at("system.type"), e.at("system.reason"))
		}
	}
	if want := []any{"claimed", nil, "snoozed", nil, "woken", "reply", "snoozed", nil, "woken", "agent"}; !slices.Equal(said, want) {
		t.Errorf("the conversation says %v, want %v", said, want)
	}

	for body, want := range map[string]string{
		`{}`: "chat.snooze_until_missing", `{"until":"2020-01-01T00:00:00Z"}`: "chat.bad_snooze_until", `{"until":"2999-01-01T00:00:00Z"}`: "chat.bad_snooze_until",
		`{"until":"2999-01-01T00:00:00Z","until_reply":true}`: "chat.snooze_until_missing", `{"until":"tomorrow"}`: "request.invalid",
	} {
		if o := snooze(400, body); o["code"] != want || o.at("errors.0.location") != "body.until" && want != "request.invalid" {
			t.Errorf("%s: %v", body, o)
		}
	}
	l.must(200, ann, "POST", talk+"/close", "")
	if o := snooze(409, `{"until_reply":true}`); o["code"] != "chat.closed" {
		t.Errorf("closed: %v", o)
	}
}
