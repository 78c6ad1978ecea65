package readapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/agent"
)

func TestBulkOverHTTP(t *testing.T) {
	l := newLedger(t)
	first, second := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello")
	preview := l.must(200, sue, "POST", "/v1/bulk/preview?min_position="+l.head(),
		fmt.Sprintf(`{"target":"chats","selection":{"filter":{"field":"status","op":"eq","value":"OPEN"},"except":[%q]}}`, first))
	if preview["count"] != 1.0 || preview["exact"] != true || preview.at("items.0.id") != second {
		t.Errorf("preview: %v", preview)
	}
	job := l.must(202, sue, "POST", "/v1/bulk", `{"action":"tag","target":"chats","tags":["Sale"],"selection":{"filter":{}}}`, "Idempotency-Key", "k")
	again := l.must(202, sue, "POST", "/v1/bulk", `{"action":"tag","target":"chats","tags":["Sale"],"selection":{"filter":{}}}`, "Idempotency-Key", "k")
	if job["id"] != again["id"] {
		t.Errorf("a repeat made another job: %v, %v", job, again)
	}
	path := "/v1/bulk/" + job["id"].(string)
	at := "?min_position=" + l.head()
	got := l.must(200, sue, "GET", path+at, "")
	if got["state"] != "selecting" || got["action"] != "tag" || got.at("tags.0") != "Sale" || got.at("progress.eta_seconds") != nil {
		t.Errorf("job: %v", got)
	}
	l.must(202, sue, "POST", path+"/cancel", "")
	l.must(202, sue, "POST", path+"/cancel", "")
	if got := l.must(409, sue, "POST", path+"/undo", ""); got["code"] != "bulk.running" {
		t.Errorf("undo: %v", got)
	}
	at = "?min_position=" + l.head()
	if got := l.must(200, sue, "GET", path+at, ""); got["state"] != "cancelling" || got["cancelled_by"] == nil {
		t.Errorf("cancelled: %v", got)
	}
	if list := l.must(200, sue, "GET", "/v1/bulk"+at, "").items(); len(list) != 1 {
		t.Errorf("list: %v", list)
	}
	if items := l.must(200, sue, "GET", path+"/items"+at, "").items(); len(items) != 0 {
		t.Errorf("items: %v", items)
	}
}

// A preview of each target shows its rows; one of a restore those that are deleted.
func TestBulkPreviewOfEachTarget(t *testing.T) {
	l := newLedger(t)
	kept, gone := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello")
	l.must(200, sue, "DELETE", "/v1/chats/"+gone, "")
	ana := l.must(201, sue, "POST", "/v1/contacts", `{"name":"Ana","emails":["ana@example.com"]}`)["id"]
	bob := l.must(201, sue, "POST", "/v1/contacts", `{"name":"Bob","emails":["bob@example.com"]}`)["id"].(string)
	l.must(200, sue, "DELETE", "/v1/contacts/"+bob, "")
	order := l.must(201, sue, "POST", "/v1/orders", `{"external_id":"o1","currency":"EUR","lines":[{"product":"hat","quantity":1,"unit_price":100}]}`)["id"]
	preview := func(body string) object {
		t.Helper()
		return l.must(200, sue, "POST", "/v1/bulk/preview?min_position="+l.head(), body)
	}
	for _, tc := range []struct {
		body, rows string
		want       any
	}{
		{`{"target":"chats","selection":{"filter":{}}}`, "items", kept},
		{`{"target":"chats","action":"close","selection":{}}`, "items", kept},
		{`{"target":"chats","action":"restore","selection":{"filter":{"field":"phone","op":"contains","value":"1555"}}}`, "items", gone},
		{`{"target":"contacts","selection":{"filter":{"field":"email","op":"exists"}}}`, "contacts", ana},
		{`{"target":"contacts","action":"restore","selection":{"filter":{"field":"email","op":"exists"}}}`, "contacts", bob},
		{`{"target":"orders","action":"assign","selection":{"filter":{"field":"currency","op":"eq","value":"EUR"}}}`, "orders", order},
	} {
		got := preview(tc.body)
		if got["count"] != 1.0 || got["exact"] != true || got.at(tc.rows+".0.id") != tc.want || len(got[tc.rows].([]any)) != 1 {
			t.Errorf("%s: %v, want %v", tc.body, got, tc.want)
		}
	}
	for body, want := range map[string][2]string{
		`{"target":"contacts","action":"close","selection":{"filter":{}}}`:                                                                        {"bulk.target_action", "action"},
		`{"target":"orders","action":"restore","selection":{"filter":{}}}`:                                                                        {"bulk.target_action", "action"},
		`{"target":"contacts","action":"restore","selection":{"filter":{"not":{"field":"has_ordered","op":"eq","value":true}}}}`:                  {"filter.attribute_of_deleted", "selection.filter.not.field"},
		`{"target":"contacts","action":"restore","selection":{"filter":{"field":"attributes.x","op":"exists"}}}`:                                  {"filter.attribute_of_deleted", "selection.filter.field"},
		`{"target":"orders","action":"assign","agent":"a","selection":{"filter":{"and":[{"field":"has_chat","op":"eq","value":true}]}}}`:          {"filter.unknown_field", "selection.filter.and[0].field"},
		`{"target":"contacts","action":"untag","tags":["x"],"selection":{"filter":{"field":"waiting_since","op":"exists"},"except":["whoever"]}}`: {"filter.unknown_field", "selection.filter.field"},
	} {
		paths := []string{"/v1/bulk"}
		if !strings.Contains(body, `"tags"`) && !strings.Contains(body, `"agent"`) {
			paths = append(paths, "/v1/bulk/preview")
		}
		for _, path := range paths {
			got := l.must(400, sue, "POST", path, body)
			if got["code"] != want[0] || !strings.Contains(fmt.Sprint(got["errors"]), want[1]) {
				t.Errorf("%s of %s: %v, want %v", path, body, got, want)
			}
		}
	}
	for _, role := range []agent.Role{agent.RoleAgent, agent.RoleBot, agent.RoleAuditor, agent.RoleAnalyst} {
		l.must(403, role, "POST", "/v1/bulk", `{"action":"delete","target":"contacts","selection":{"filter":{}}}`)
		l.must(403, role, "POST", "/v1/bulk/preview", `{"target":"orders","selection":{"filter":{}}}`)
	}
}

// An export that is asked for as a bulk operation is one like any other.
func TestBulkExport(t *testing.T) {
	l := newLedger(t)
	first, second, third := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello"), l.receive(acme, "15553", "hello")
	ask := func(body string) object {
		t.Helper()
		return l.must(202, sue, "POST", "/v1/bulk", body)
	}
	rows := func(export object) string {
		t.Helper()
		got := l.do(sue, "GET", export["file"].(string)+"?min_position="+l.head(), "")
		if got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(got.body, "id"), "\r\n", " "))
	}
	const start = `{"action":"export","target":"chats","format":"csv","columns":["id"],"selection":`
	for selection, want := range map[string][]string{
		`{"filter":{}}`: {third, second, first},
		fmt.Sprintf(`{"filter":{},"except":[%q]}`, second):                                                         {third, first},
		fmt.Sprintf(`{"filter":{"field":"phone","op":"contains","value":"1555"},"except":[%q,%q]}`, third, second): {first},
		fmt.Sprintf(`{"ids":[%q,"nobody",%q]}`, first, third):                                                      {third, first},
		fmt.Sprintf(`{"ids":[%q,%q],"except":[%q]}`, first, third, first):                                          {third},
	} {
		if got := rows(ask(start + selection + "}")); got != strings.Join(want, " ") {
			t.Errorf("%s: %q, want %q", selection, got, want)
		}
	}
	ana := l.must(201, sue, "POST", "/v1/contacts", `{"name":"Ana"}`)["id"].(string)
	l.must(201, sue, "POST", "/v1/contacts", `{"name":"Bob"}`)
	if got := rows(ask(fmt.Sprintf(`{"action":"export","target":"contacts","format":"csv","columns":["id"],"selection":{"ids":[%q]}}`, ana))); got != ana {
		t.Errorf("contacts: %q", got)
	}
	order := l.must(201, sue, "POST", "/v1/orders", `{"external_id":"o1","currency":"EUR","lines":[{"product":"hat","quantity":1,"unit_price":100}]}`)["id"].(string)
	if got := rows(ask(`{"action":"export","target":"orders","format":"csv","columns":["id"],"selection":{"filter":{"field":"currency","op":"eq","value":"EUR"}}}`)); got != order {
		t.Errorf("orders: %q", got)
	}

	export := ask(start + `{"filter":{}}}`)
	if export["expires_in_seconds"] != 3600.0 {
		t.Errorf("%v", export)
	}
	id := export["id"].(string)
	for _, verb := range []string{"cancel", "retry", "undo"} {
		if got := l.must(409, sue, "POST", "/v1/bulk/"+id+"/"+verb, ""); got["code"] != "bulk.export" {
			t.Errorf("%s: %v", verb, got)
		}
		l.must(404, sue, "POST", "/v1/bulk/nothing/"+verb, "")
	}
	if got := l.must(404, sue, "GET", "/v1/bulk/"+id, ""); !strings.Contains(fmt.Sprint(got["detail"]), export["file"].(string)) {
		t.Errorf("as a job: %v", got)
	}
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	if got := l.do(stranger, "POST", "/v1/bulk/"+id+"/undo", ""); got.status != 404 {
		t.Errorf("a stranger: %d %s", got.status, got.body)
	}
	if got := l.must(200, sue, "POST", "/v1/bulk/preview?min_position="+l.head(), fmt.Sprintf(`{"action":"export","target":"chats","selection":{"filter":{},"except":[%q]}}`, first)); got["count"] != 2.0 {
		t.Errorf("preview: %v", got)
	}

	for body, want := range map[string][2]string{
		start + `{}}`:                        {"bulk.selection", "selection"},
		start + `{"filter":{},"ids":["c"]}}`: {"bulk.selection", "selection"},
		start + `{"filter":{"and":[{"field":"x","op":"exists"}]}}}`:                                           {"filter.unknown_field", "selection.filter.and[0].field"},
		start + `{"ids":["` + strings.Repeat("x", 201) + `"]}}`:                                               {"export.bad_ids", "selection.ids"},
		`{"action":"export","target":"orders","format":"csv","columns":["phones"],"selection":{"filter":{}}}`: {"export.unknown_column", "columns"},
		`{"action":"export","target":"chats","selection":{"filter":{}}}`:                                      {"export.unknown_format", "format"},
		`{"action":"export","target":"chats","format":"csv","tags":["x"],"selection":{"filter":{}}}`:          {"bulk.parameter", "tags"},
		`{"action":"delete","target":"chats","format":"csv","selection":{"filter":{}}}`:                       {"bulk.parameter", "format"},
	} {
		if got := l.must(400, sue, "POST", "/v1/bulk", body); got["code"] != want[0] || !strings.Contains(fmt.Sprint(got["errors"]), want[1]) {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}
