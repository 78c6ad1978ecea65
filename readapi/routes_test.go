package readapi_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/agent"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestOpenAPIDocument(t *testing.T) {
	const file = "../docs/openapi.json"
	got := newLedger(t).web.OpenAPI()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("the API has changed; look at the difference, then run this test with -update (-want +got):\n%s",
			cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
	}
}

// rules says, for every route, who may call it: in the order agent, bot,
// supervisor, auditor, analyst, admin. A route that is not here fails the test.
const rules = `
a b s . . A  POST /v1/chats/{chat}/messages
a b s . . A  POST /v1/chats/{chat}/scheduled
a b s . . A  PATCH /v1/chats/{chat}/scheduled/{message}
a b s . . A  DELETE /v1/chats/{chat}/scheduled/{message}
a b s u y A  GET /v1/chats/{chat}/scheduled
a b s u y A  GET /v1/scheduled
a . s . . A  POST /v1/chats/{chat}/claim
a . s . . A  POST /v1/chats/{chat}/assign
a . s . . A  POST /v1/chats/{chat}/unassign
a b s . . A  POST /v1/chats/{chat}/transfer
a . s . . A  POST /v1/chats/{chat}/transfer/accept
a . s . . A  POST /v1/chats/{chat}/transfer/decline
a b s . . A  POST /v1/chats/{chat}/transfer/withdraw
a . s . . A  POST /v1/chats/{chat}/status
a . s . . A  POST /v1/chats/{chat}/close
a . s . . A  POST /v1/chats/{chat}/reopen
a b s . . A  POST /v1/chats/{chat}/tags
a b s . . A  POST /v1/chats/{chat}/notes
a b s . . A  PATCH /v1/chats/{chat}/notes/{note}
a b s . . A  DELETE /v1/chats/{chat}/notes/{note}
a . s . . A  POST /v1/chats/{chat}/read
a b s . . A  POST /v1/chats/{chat}/typing
a . s . . A  POST /v1/chats/{chat}/unread
a . s . . A  POST /v1/chats/{chat}/snooze
a . s . . A  POST /v1/chats/{chat}/unsnooze
a b s . . A  POST /v1/chats/{chat}/media
a . s . . A  POST /v1/chats/{chat}/messages/{message}/media/fetch
a b s . . A  POST /v1/chats/{chat}/messages/{message}/reactions
a b s . . A  DELETE /v1/chats/{chat}/messages/{message}/reactions
. . s . . A  DELETE /v1/chats/{chat}
. . s . . A  POST /v1/chats/{chat}/restore
a b s u y A  GET /v1/chats/{chat}/transcript
. . . u . A  GET /v1/chats/{chat}/proof
. . . u . A  GET /v1/audit
. . . u . A  GET /v1/audit/checkpoints
. . . u . A  GET /v1/audit/checkpoint
. . . u . A  GET /v1/audit/consistency
a . s . . A  POST /v1/contacts
. . s . . A  POST /v1/contacts/import
a b s u y A  GET /v1/contacts
a b s u y A  POST /v1/contacts/query
a b s u y A  POST /v1/contacts/count
a b s u y A  GET /v1/contacts/{contact}
a b s u y A  GET /v1/contacts/{contact}/duplicates
a b s u y A  GET /v1/contacts/duplicates
a b s u y A  GET /v1/attributes
. . . . y A  POST /v1/custom-views/{view}/versions
. . . . y A  POST /v1/custom-views/{view}/publish
. . . . y A  POST /v1/custom-views/{view}/versions/{version}/retry
. . . . y A  DELETE /v1/custom-views/{view}/versions/{version}
. . . . y A  DELETE /v1/custom-views/{view}
. . . . y A  GET /v1/custom-views
. . . . y A  GET /v1/custom-views/{view}
. . . . y A  GET /v1/custom-views/{view}/versions/{version}
. . . . y A  POST /v1/custom-views/dry-run
. . . . y A  POST /v1/custom-views/{view}/exports
. . . . y A  GET /v1/custom-views/{view}/exports/{export}/file
. . . . y A  GET /v1/custom-views/{view}/tables/{table}/rows
. . . . y A  GET /v1/custom-views/{view}/tables/{table}/rows/{key}
. . . . y A  GET /v1/custom-views/{view}/tables/{table}/difference
. . s . . A  POST /v1/campaigns
. . s . . A  POST /v1/campaigns/{campaign}/launch
. . s . . A  PATCH /v1/campaigns/{campaign}
. . s . . A  POST /v1/campaigns/{campaign}/pause
. . s . . A  POST /v1/campaigns/{campaign}/resume
. . s . . A  POST /v1/campaigns/{campaign}/cancel
. . s . . A  GET /v1/campaigns
. . s . . A  GET /v1/campaigns/{campaign}
. . s . . A  GET /v1/campaigns/{campaign}/recipients
a . s . . A  POST /v1/chats/{chat}/marketing
. . s . . A  POST /v1/groups
. . s . . A  PATCH /v1/groups/{group}
. . s . . A  DELETE /v1/groups/{group}
. . s . . A  POST /v1/groups/{group}/refresh
. . s . . A  PUT /v1/groups/{group}/members
. . s . . A  POST /v1/groups/preview
. . s . . A  POST /v1/groups/{group}/refresh/preview
a b s u y A  GET /v1/groups
a b s u y A  GET /v1/groups/{group}
a b s u y A  GET /v1/groups/{group}/members
a b s u y A  GET /v1/groups/{group}/members/{contact}/why
a b s u y A  GET /v1/groups/{group}/choices
a b s u y A  GET /v1/groups/{group}/choices/{choice}/changes
a . s . . A  PATCH /v1/contacts/{contact}
a b s . . A  POST /v1/contacts/{contact}/tags
a b s . . A  POST /v1/contacts/{contact}/notes
a b s . . A  PATCH /v1/contacts/{contact}/notes/{note}
a b s . . A  DELETE /v1/contacts/{contact}/notes/{note}
a . s . . A  POST /v1/contacts/{contact}/status
a . s . . A  POST /v1/contacts/{contact}/assign
a . s . . A  POST /v1/contacts/{contact}/unassign
a . s . . A  POST /v1/contacts/{contact}/block
a . s . . A  POST /v1/contacts/{contact}/unblock
a . s . . A  POST /v1/contacts/{contact}/merge
a . s . . A  POST /v1/contacts/{contact}/unmerge
. . s . . A  DELETE /v1/contacts/{contact}
. . s . . A  POST /v1/contacts/{contact}/restore
a b s . . A  POST /v1/chatflows/answers
. . s . . A  POST /v1/attributes
. . s . . A  PATCH /v1/attributes/{attribute}
. . s . . A  DELETE /v1/attributes/{attribute}
. . s . . A  POST /v1/attributes/{attribute}/restore
a . s . . A  POST /v1/chats/{chat}/calls
a . s . . A  POST /v1/chats/{chat}/calls/permission
a . s . . A  POST /v1/calls/{call}/end
a b s u y A  GET /v1/chats/{chat}/calls
a b s u y A  GET /v1/calls/{call}
a b s . . A  POST /v1/orders
a b s . . A  POST /v1/orders/{order}/confirm
a b s . . A  POST /v1/orders/{order}/process
a b s . . A  POST /v1/orders/{order}/ship
a b s . . A  POST /v1/orders/{order}/deliver
a b s . . A  POST /v1/orders/{order}/cancel
a b s . . A  POST /v1/orders/{order}/return
a b s . . A  POST /v1/orders/{order}/payment
a . s . . A  POST /v1/orders/{order}/assign
a . s . . A  POST /v1/orders/{order}/unassign
a b s . . A  POST /v1/orders/{order}/tags
a b s . . A  POST /v1/orders/{order}/notes
a b s . . A  PATCH /v1/orders/{order}/notes/{note}
a b s . . A  DELETE /v1/orders/{order}/notes/{note}
. . . . . A  POST /v1/agents
. . . . . A  POST /v1/agents/{agent}/role
. . . . . A  POST /v1/agents/{agent}/deactivate
. . . . . A  POST /v1/agents/{agent}/reactivate
. . s . . A  POST /v1/agents/{agent}/availability
. . s . . A  PUT /v1/agents/{agent}/availability
a . s . . A  POST /v1/me/availability
a . s . . A  PUT /v1/me/availability
. . s . . A  POST /v1/teams
. . s . . A  PATCH /v1/teams/{team}
. . s . . A  DELETE /v1/teams/{team}
. . s . . A  POST /v1/teams/{team}/restore
. . s . . A  PUT /v1/agents/{agent}/capacity
. . s . . A  PUT /v1/teams/{team}/rule
. . s . . A  PUT /v1/teams/{team}/hours
. . s . . A  POST /v1/teams/{team}/members
. . s . . A  DELETE /v1/teams/{team}/members/{agent}
. . s . . A  POST /v1/tags
. . s . . A  PATCH /v1/tags/{tag}
. . s . . A  DELETE /v1/tags/{tag}
. . s . . A  POST /v1/tags/{tag}/restore
. . s . . A  POST /v1/tags/{tag}/merge
. . s . . A  POST /v1/statuses
. . s . . A  PATCH /v1/statuses/{status}
. . s . . A  DELETE /v1/statuses/{status}
. . s . . A  POST /v1/statuses/{status}/restore
. . . . . A  PATCH /v1/channels/{channel}
. . . . . A  PUT /v1/channels/{channel}/read-marks
. . . . . A  DELETE /v1/channels/{channel}
. . . . . A  POST /v1/channels/{channel}/deliveries/{delivery}/retranslate
a b s u y A  GET /v1/chats
a b s u y A  GET /v1/chats/counts
a b s u y A  POST /v1/chats/query
a b s u y A  POST /v1/chats/count
a b s u y A  POST /v1/orders/query
a b s u y A  POST /v1/orders/count
a b s u y A  GET /v1/search
a b s u y A  GET /v1/filters/{target}
. . s . y A  POST /v1/exports
. . s . y A  GET /v1/exports/{export}/file
. . s . . A  POST /v1/bulk
. . s . . A  POST /v1/bulk/preview
. . s . . A  GET /v1/bulk
. . s . . A  GET /v1/bulk/{job}
. . s . . A  GET /v1/bulk/{job}/items
. . s . . A  POST /v1/bulk/{job}/cancel
. . s . . A  POST /v1/bulk/{job}/retry
. . s . . A  POST /v1/bulk/{job}/undo
a b s u y A  GET /v1/chats/{chat}
a b s u y A  GET /v1/chats/{chat}/messages
a b s u y A  GET /v1/chats/{chat}/messages/{message}/media
a . s u y A  GET /v1/chats/{chat}/history
a . s u y A  GET /v1/contacts/{contact}/history
a . s u y A  GET /v1/orders/{order}/history
a b s u y A  GET /v1/chats/{chat}/answers
a b s u y A  GET /v1/contacts/{contact}/answers
a . s u y A  GET /v1/chats/{chat}/state
a . s u y A  GET /v1/chats/{chat}/difference
a b s u y A  GET /v1/chats/{chat}/visitor
a . s . . A  POST /v1/quick-replies
a . s . . A  PATCH /v1/quick-replies/{reply}
a . s . . A  DELETE /v1/quick-replies/{reply}
a . s . . A  POST /v1/quick-replies/{reply}/restore
a b s . . A  POST /v1/quick-replies/{reply}/preview
a b s u y A  GET /v1/quick-replies
a b s u y A  GET /v1/quick-replies/{reply}
. . . . . A  POST /v1/templates
. . . . . A  PUT /v1/templates/{template}
a b s . . A  POST /v1/templates/{template}/preview
a b s u y A  GET /v1/templates
a b s u y A  GET /v1/templates/{template}
. . . . . A  PATCH /v1/settings
a b s u y A  GET /v1/settings
a . s u y A  POST /v1/saved-views
a . s u y A  PATCH /v1/saved-views/{view}
a . s u y A  DELETE /v1/saved-views/{view}
a . s u y A  PUT /v1/saved-views/order
a b s u y A  GET /v1/saved-views
a b s u y A  GET /v1/saved-views/counts
a b s u y A  GET /v1/saved-views/{view}
a b s u y A  GET /v1/orders
a b s u y A  GET /v1/orders/{order}
a b s u y A  GET /v1/me
a b s u y A  GET /v1/agents
a b s u y A  GET /v1/agents/{agent}
a b s u y A  GET /v1/teams
a b s u y A  GET /v1/teams/{team}
a b s u y A  GET /v1/tags
a b s u y A  GET /v1/tags/{tag}
a b s u y A  GET /v1/statuses
a b s u y A  GET /v1/statuses/{status}
a b s u y A  GET /v1/channels
a b s u y A  GET /v1/channels/{channel}
. . . u . A  GET /v1/channels/{channel}/deliveries
. . . u . A  GET /v1/channels/{channel}/deliveries/{delivery}
. . . u . A  GET /v1/channels/{channel}/deliveries/{delivery}/body
a b s u y A  GET /v1/changes
. . . . . A  GET /v1/views
. . . . . A  GET /v1/views/{view}/parked
. . . . . A  GET /v1/views/{view}/skipped
. . . . . A  POST /v1/views/{view}/retry
. . . . . A  POST /v1/views/{view}/skip
. . . . . A  POST /v1/views/{view}/unskip
public       GET /healthz
public       GET /readyz`

func TestEveryRouteHasItsRule(t *testing.T) {
	l := newLedger(t)
	known := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(rules)) {
		known[strings.TrimSpace(line[13:])] = line[:11]
	}
	for _, route := range l.web.Routes() {
		name := route.Method + " " + route.Path
		rule, ok := known[name]
		if !ok {
			t.Errorf("%s has no line in rules", name)
			continue
		}
		delete(known, name)
		path := strings.NewReplacer("{", "no-", "}", "").Replace(route.Path)
		body := ""
		if route.Method != http.MethodGet {
			body = "[]" // no route takes a list: whoever may call is told so, and nothing happens
		}
		if strings.HasPrefix(rule, "public") {
			if got := l.do("", route.Method, path, ""); got.status == 401 || got.status == 403 {
				t.Errorf("%s is not public: %d", name, got.status)
			}
			continue
		}
		for _, secret := range []string{"", "cl_unknown"} {
			if got := l.do(secret, route.Method, path, body); got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with token %q: %d", name, secret, got.status)
			}
		}
		if route.Stream {
			path += "?after=x" // refused, or it would go on for ever
		}
		may := strings.Fields(rule)
		for i, role := range allRoles {
			got := l.do(role, route.Method, path, body)
			switch {
			case may[i] == "." && (got.status != 403 || l.object(got)["code"] != "auth.forbidden"):
				t.Errorf("%s as %s: %d %s, want 403", name, role, got.status, got.body)
			case may[i] != "." && (got.status == 401 || got.status == 403 || got.status >= 500):
				t.Errorf("%s as %s: %d %s", name, role, got.status, got.body)
			}
		}
	}
	for name := range known {
		t.Errorf("rules has a line for %s, which is no route", name)
	}
}

// Everything that a body, a parameter or a header can have wrong is the
// caller's fault and names what is wrong.
func TestBadInput(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	id := "/v1/chats/" + l.receive(acme, "15551", "hello")
	delivery := l.deliver(acme, ch, `{"object":"x"}`)
	order := "/v1/orders/" + l.must(201, agent.RoleAgent, "POST", "/v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":100}]}`)["id"].(string)
	l.get("/v1/orders")
	l.get(id)
	const line = `{"product":"tea","quantity":1,"unit_price":100}`
	for _, tt := range []struct {
		route, body string
		status      int
		location    string
	}{
		{"POST " + id + "/messages", `{}`, 400, "body"},
		{"POST " + id + "/messages", `{"text":""}`, 400, "body.text"},
		{"POST " + id + "/messages", `{"text":7}`, 400, "body.text"},
		{"POST " + id + "/messages", `{"text":"` + strings.Repeat("x", 5000) + `"}`, 400, "body.text"},
		{"POST " + id + "/messages", `{"text":"a","to":"b"}`, 400, "body.to"},
		{"POST " + id + "/messages", `{"text":"a","quick_reply":{"id":"workspace.a"}}`, 400, "body.quick_reply"},
		{"POST " + id + "/messages", `{"quick_reply":{}}`, 400, "body.quick_reply"},
		{"POST " + id + "/messages", `{"quick_reply":{"id":"workspace.a","version":0}}`, 400, "body.quick_reply.version"},
		{"POST " + id + "/messages", `{"quick_reply":{"id":"workspace.a"}}`, 404, ""},
		{"POST " + id + "/messages", `{"quick_reply":{"id":"a"}}`, 404, ""},
		{"POST " + id + "/scheduled", `{"send_at":"2020-01-01T00:00:00Z","text":"a"}`, 400, "body.send_at"},
		{"POST " + id + "/scheduled", `{"send_at":"2999-01-01T00:00:00Z","text":"a"}`, 400, "body.send_at"},
		{"POST " + id + "/scheduled", `{"send_at":"soon","text":"a"}`, 400, "body.send_at"},
		{"POST " + id + "/scheduled", `{"text":"a"}`, 400, "body"},
		{"POST " + id + "/scheduled", `{"send_at":"2020-01-01T00:00:00Z"}`, 400, "body"},
		{"POST " + id + "/scheduled", `{"send_at":"2020-01-01T00:00:00Z","text":""}`, 400, "body.text"},
		{"POST " + id + "/scheduled", `{"send_at":"2020-01-01T00:00:00Z","text":"a","template":{"id":"x"}}`, 400, "body.template"},
		{"POST /v1/chats/none/scheduled", `{"send_at":"2020-01-01T00:00:00Z","text":"a"}`, 404, ""},
		{"PATCH " + id + "/scheduled/none", `{}`, 400, "body"},
		{"PATCH " + id + "/scheduled/none", `{"text":"a"}`, 404, ""},
		{"DELETE " + id + "/scheduled/none", ``, 404, ""},
		{"GET " + id + "/scheduled?state=sent", "", 400, "query.state"},
		{"GET /v1/chats/none/scheduled", "", 404, ""},
		{"GET /v1/scheduled?limit=201", "", 400, "query.limit"},
		{"GET /v1/scheduled?cursor=x", "", 400, "query.cursor"},
		{"POST /v1/quick-replies", `{"scope":"workspace","shortcut":"a b","text":"x"}`, 400, "body.shortcut"},
		{"POST /v1/quick-replies", `{"scope":"workspace","shortcut":"a","text":""}`, 400, "body.text"},
		{"POST /v1/quick-replies", `{"scope":"workspace","shortcut":"a","text":"{{contact.shoe_size}}"}`, 400, "body.text"},
		{"POST /v1/quick-replies", `{"scope":"workspace","shortcut":"a","text":"{{contact.name"}`, 400, "body.text"},
		{"POST /v1/quick-replies", `{"scope":"world","shortcut":"a","text":"x"}`, 400, "body.scope"},
		{"POST /v1/quick-replies", `{"scope":"team","shortcut":"a","text":"x"}`, 400, "body.team"},
		{"POST /v1/quick-replies", `{"scope":"team","team":"none","shortcut":"a","text":"x"}`, 404, ""},
		{"POST /v1/quick-replies", `{"scope":"team","team":"a.b","shortcut":"a","text":"x"}`, 404, ""},
		{"POST /v1/quick-replies", `{"scope":"workspace","team":"none","shortcut":"a","text":"x"}`, 400, "body.team"},
		{"PATCH /v1/quick-replies/workspace.a", `{}`, 400, "body"},
		{"PATCH /v1/quick-replies/workspace.a", `{"text":"x"}`, 404, ""},
		{"PATCH /v1/quick-replies/a", `{"text":"x"}`, 404, ""},
		{"POST /v1/quick-replies/workspace.a/preview", `{}`, 400, "body"},
		{"POST /v1/quick-replies/workspace.a/preview", `{"chat":"none"}`, 404, ""},
		{"GET /v1/quick-replies?scope=world", "", 400, "query.scope"},
		{"GET /v1/quick-replies?limit=201", "", 400, "query.limit"},
		{"GET /v1/quick-replies?cursor=x", "", 400, "query.cursor"},
		{"GET /v1/quick-replies?prefix=" + strings.Repeat("x", 41), "", 400, "query.prefix"},
		{"GET /v1/quick-replies/none", "", 404, ""},
		{"POST /v1/chats/none/messages", `{"text":"a"}`, 404, ""},
		{"POST " + id + "/assign", `{"agent":""}`, 400, "body.agent"},
		{"POST " + id + "/assign", `{"agent":"nobody"}`, 404, ""},
		{"POST " + id + "/assign", fmt.Sprintf(`{"agent":%q}`, l.agents[agent.RoleAuditor]), 409, ""},
		{"POST " + id + "/transfer", `{"to":"moon"}`, 400, "body.to"},
		{"POST " + id + "/transfer", `{"reason":"lunch"}`, 400, "body.to"},
		{"POST " + id + "/transfer", `{"agent":"a","team":"b"}`, 400, "body.team"},
		{"POST " + id + "/transfer", `{"to":"agent"}`, 400, "body.agent"},
		{"POST " + id + "/transfer", `{"to":"team"}`, 400, "body.team"},
		{"POST " + id + "/transfer", `{"to":"team","team":"none"}`, 404, ""},
		{"POST " + id + "/transfer", `{"to":"bot","agent":"ann"}`, 400, "body.agent"},
		{"POST " + id + "/status", `{"status":"none"}`, 404, ""},
		{"POST " + id + "/status", `{"status":""}`, 404, ""},
		{"POST " + id + "/close", `{"status":"OPEN"}`, 400, "body.status"},
		{"POST " + id + "/tags", `{"add":[""]}`, 400, "body.add"},
		{"POST " + id + "/tags", `{"add":["a"],"remove":["a"]}`, 400, "body.remove"},
		{"POST " + id + "/tags", `{"add":"vip"}`, 400, "body.add"},
		{"POST " + id + "/notes", `{"text":""}`, 400, "body.text"},
		{"PATCH " + id + "/notes/none", `{"text":"a"}`, 404, ""},
		{"DELETE " + id + "/notes/none", ``, 404, ""},
		{"DELETE " + id, `{"reason":"` + strings.Repeat("x", 1001) + `"}`, 400, "body.reason"},
		{"POST /v1/orders", `{"currency":"EUR","lines":[]}`, 400, "body.lines"},
		{"POST /v1/orders", `{"currency":"EURO","lines":[` + line + `]}`, 400, "body.currency"},
		{"POST /v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":0,"unit_price":1}]}`, 400, "body.lines[0].quantity"},
		{"POST /v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":-1}]}`, 400, "body.lines[0].unit_price"},
		{"POST /v1/orders", `{"currency":"EUR","lines":[` + line + `,{"product":"","quantity":1,"unit_price":1}]}`, 400, "body.lines[1].product"},
		{"POST /v1/orders", `{"currency":"EUR","lines":[{"product":"tea","name":"` + strings.Repeat("x", 1001) + `","quantity":1,"unit_price":1}]}`, 400, "body.lines[0].name"},
		{"POST /v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":10.5}]}`, 400, "body.lines[0].unit_price"},
		{"POST /v1/orders", `{"chat":"none","currency":"EUR","lines":[` + line + `]}`, 404, ""},
		{"POST " + order + "/deliver", ``, 409, ""},
		{"POST /v1/orders/none/confirm", ``, 404, ""},
		{"POST " + order + "/confirm", `{"text":"On its way"}`, 400, "body.text"},
		{"POST " + order + "/confirm", `{"notify":true}`, 409, ""}, // it has no chat
		{"POST " + order + "/payment", `{"payment":"maybe"}`, 400, "body.payment"},
		{"POST " + order + "/payment", `{"payment":"refunded"}`, 409, ""},
		{"POST " + order + "/payment", `{"payment":"paid","reference":"` + strings.Repeat("x", 201) + `"}`, 400, "body.reference"},
		{"POST " + order + "/assign", `{"agent":""}`, 400, "body.agent"},
		{"POST " + order + "/assign", `{"agent":"nobody"}`, 404, ""},
		{"POST " + order + "/tags", `{"add":[""]}`, 400, "body.add"},
		{"POST " + order + "/tags", `{"add":["a"],"remove":["a"]}`, 400, "body.remove"},
		{"POST " + order + "/notes", `{"text":""}`, 400, "body.text"},
		{"PATCH " + order + "/notes/none", `{"text":"a"}`, 404, ""},
		{"DELETE " + order + "/notes/none", ``, 404, ""},
		{"POST /v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":1,"currency":"USD"}]}`, 400, "body.currency"},
		{"POST /v1/orders", `{"external_id":"` + strings.Repeat("x", 201) + `","currency":"EUR","lines":[` + line + `]}`, 400, "body.external_id"},
		{"GET /v1/orders?payment=lost", "", 400, "query.payment"},
		{"POST /v1/agents", `{"name":"","role":"agent"}`, 400, "body.name"},
		{"POST /v1/agents", `{"name":"Ann","role":"king"}`, 400, "body.role"},
		{"POST /v1/agents", `{"name":"Ann","role":"agent","email":"ann"}`, 400, "body.email"},
		{"POST /v1/agents/none/role", `{"role":"agent"}`, 404, ""},
		{"POST /v1/me/availability", `{"availability":"asleep"}`, 400, "body.availability"},
		{"POST /v1/teams", `{"name":""}`, 400, "body.name"},
		{"POST /v1/teams/none/members", `{"agent":"x"}`, 404, ""},
		{"PUT /v1/agents/none/capacity", `{"capacity":-1}`, 400, "body.capacity"},
		{"PUT /v1/agents/none/capacity", `{"capacity":1}`, 404, ""},
		{"PUT /v1/teams/none/rule", `{"rule":"dice"}`, 400, "body.rule"},
		{"PUT /v1/teams/none/rule", `{"rule":"manual"}`, 404, ""},
		{"PUT /v1/teams/none/hours", `{"zone":"Mars/Olympus"}`, 400, "body.zone"},
		{"PUT /v1/teams/none/hours", `{"weekly":[{"day":1,"from":"09:00","to":"17:00"}]}`, 400, "body.zone"},
		{"PUT /v1/teams/none/hours", `{"zone":"UTC","weekly":[{"day":1,"from":"9","to":"17:00"}]}`, 400, "body.weekly"},
		{"PUT /v1/teams/none/hours", `{"zone":"UTC","exceptions":[{"date":"soon"}]}`, 400, "body.exceptions"},
		{"PUT /v1/teams/none/hours", `{}`, 404, ""},
		{"POST /v1/tags", `{"name":"VIP","colour":"red"}`, 400, "body.colour"},
		{"PATCH /v1/tags/none", `{"name":"x"}`, 404, ""},
		{"POST /v1/tags/none/merge", `{"into":"none"}`, 400, "body.into"},
		{"PATCH /v1/tags/none", `{}`, 400, "body"},
		{"POST /v1/statuses", `{"name":"Later","category":"sometime"}`, 400, "body.category"},
		{"PATCH /v1/statuses/OPEN", `{"order":-1}`, 400, "body.order"},
		{"PATCH /v1/statuses/OPEN", `{"default":false}`, 400, "body.default"},
		{"DELETE /v1/statuses/OPEN", ``, 409, ""},
		{"PATCH /v1/channels/none", `{"name":"x"}`, 404, ""},
		{"POST /v1/channels/none/deliveries/" + delivery + "/retranslate", ``, 404, ""},
		{"GET /v1/chats?limit=0", "", 400, "query.limit"},
		{"GET /v1/chats?limit=201", "", 400, "query.limit"},
		{"GET /v1/chats?category=half", "", 400, "query.category"},
		{"GET /v1/chats?unread=perhaps", "", 400, "query.unread"},
		{"GET /v1/chats?sort=name", "", 400, "query.sort"},
		{"GET /v1/chats?cursor=abc", "", 400, "query.cursor"},
		{"GET /v1/chats?state=OPEN", "", 400, "query.state"},
		{"GET /v1/chats?min_position=x", "", 400, "query.min_position"},
		{"GET /v1/chats/none", "", 404, ""},
		{"GET /v1/chats/a%20b", "", 404, ""},
		{"POST /v1/chats/query", `{"filter":{"and":[{"field":"status","op":"eq","value":"OPEN"},{"field":"hue","op":"eq","value":"x"}]}}`, 400, "body.filter.and[1].field"},
		{"POST /v1/chats/query", `{"filter":{"field":"unread","op":"lt","value":true}}`, 400, "body.filter.op"},
		{"POST /v1/chats/query", `{"filter":"OPEN"}`, 400, "body.filter"},
		{"POST /v1/chats/query", `{"sort":"name"}`, 400, "body.sort"},
		{"POST /v1/chats/query", `{"limit":201}`, 400, "body.limit"},
		{"POST /v1/chats/query", `{"cursor":"x"}`, 400, "body.cursor"},
		{"POST /v1/chats/query?min_position=x", `{}`, 400, "query.min_position"},
		{"POST /v1/chats/count", `{"filter":{"field":"created","op":"gt","value":"soon"}}`, 400, "body.filter.value"},
		{"GET /v1/contacts?limit=201", "", 400, "query.limit"},
		{"GET /v1/contacts?cursor=x", "", 400, "query.cursor"},
		{"GET /v1/contacts?sort=size", "", 400, "query.sort"},
		{"GET /v1/contacts/none", "", 404, ""},
		{"GET /v1/contacts/none/duplicates", "", 404, ""},
		{"POST /v1/contacts/query", `{"filter":{"field":"shoe","op":"eq","value":1}}`, 400, "body.filter.field"},
		{"POST /v1/contacts/count", `{"filter":{"field":"created","op":"gt","value":"soon"}}`, 400, "body.filter.value"},
		{"POST /v1/contacts", `{"city":"Rome"}`, 400, "body.name"},
		{"POST /v1/contacts", `{"name":"Ana","emails":["x"]}`, 400, "body.emails"},
		{"POST /v1/contacts", `{"name":"Ana","phones":["x"]}`, 400, "body.phones"},
		{"POST /v1/contacts", `{"name":"Ana","attributes":{"none":"x"}}`, 404, "body.attributes.none"},
		{"PATCH /v1/contacts/none", `{"name":"Ana"}`, 404, ""},
		{"POST /v1/chatflows/answers", `{"flow":"f","question":"q","value":"v"}`, 400, "body.chat"},
		{"POST /v1/chatflows/answers", `{"customer":"+15551","flow":"","question":"q","value":"v"}`, 400, "body.flow"},
		{"POST /v1/chatflows/answers", `{"chat":"none","flow":"f","question":"q","value":"v"}`, 404, ""},
		{"POST /v1/contacts/none/tags", `{"add":["x"]}`, 404, ""},
		{"POST /v1/contacts/none/notes", `{"text":""}`, 400, "body.text"},
		{"POST /v1/contacts/none/merge", `{"contact":""}`, 400, "body.contact"},
		{"POST /v1/attributes", `{"name":"x","kind":"colour"}`, 400, "body.kind"},
		{"POST /v1/attributes", `{"name":"x","kind":"choice"}`, 400, "body.choices"},
		{"GET /v1/filters/cars", "", 404, ""},
		{"POST /v1/exports", `{"target":"cars","format":"csv"}`, 400, "body.target"},
		{"POST /v1/exports", `{"target":"chats","format":"pdf"}`, 400, "body.format"},
		{"POST /v1/chats/query", `{"filter":{"field":"order_status","op":"eq","value":"nosuch"}}`, 400, "body.filter.value"},
		{"POST /v1/exports", `{"target":"chats","format":"csv","columns":["hue"]}`, 400, "body.columns[0]"},
		{"POST /v1/exports", `{"target":"orders","format":"csv","filter":{"field":"has_chat","op":"eq","value":true}}`, 400, "body.filter.field"},
		{"GET /v1/exports/none/file", "", 404, ""},
		{"POST /v1/orders/query", `{"filter":{"field":"has_chat","op":"eq","value":true}}`, 400, "body.filter.field"},
		{"POST /v1/orders/count", `{"filter":{"field":"total","op":"gt","value":1.5}}`, 400, "body.filter.value"},
		{"POST /v1/bulk", `{"action":"close","target":"chats","selection":{}}`, 400, "body.selection"},
		{"POST /v1/bulk", `{"action":"close","target":"chats","selection":{"filter":{"field":"x","op":"eq","value":1}}}`, 400, "body.selection.filter.field"},
		{"POST /v1/bulk", `{"action":"burn","target":"chats","selection":{"filter":{}}}`, 400, "body.action"},
		{"POST /v1/bulk", `{"action":"close","target":"cars","selection":{"filter":{}}}`, 400, "body.target"},
		{"POST /v1/bulk", `{"action":"close","target":"chats","status":"OPEN","selection":{"filter":{}}}`, 400, "body.status"},
		{"POST /v1/bulk", `{"action":"close","target":"chats","agent":"ann","selection":{"filter":{}}}`, 400, "body.agent"},
		{"POST /v1/bulk", `{"action":"set_status","target":"chats","status":"none","selection":{"filter":{}}}`, 404, ""},
		{"POST /v1/bulk", `{"action":"assign","target":"chats","agent":"nobody","selection":{"filter":{}}}`, 404, ""},
		{"POST /v1/bulk/preview", `{"target":"chats","selection":{"filter":{"field":"x","op":"eq","value":1}}}`, 400, "body.selection.filter.field"},
		{"GET /v1/bulk/none", "", 404, ""},
		{"GET /v1/bulk/none/items", "", 404, ""},
		{"GET /v1/bulk/none/items?outcome=lost", "", 400, "query.outcome"},
		{"POST /v1/bulk/none/cancel", ``, 404, ""},
		{"POST /v1/bulk/none/retry", ``, 404, ""},
		{"POST /v1/bulk/none/undo", ``, 404, ""},
		{"GET " + id + "/messages?before=x", "", 400, "query.before"},
		{"GET " + id + "/messages?after=x", "", 400, "query.after"},
		{"GET " + id + "/messages?cursor=x", "", 400, "query.cursor"},
		{"GET " + id + "/messages?cursor=a.x", "", 400, "query.after"},
		{"GET " + id + "/messages?notes=some", "", 400, "query.notes"},
		{"GET " + id + "/history?after=-1", "", 400, "query.after"},
		{"GET " + order + "/history?after=-1", "", 400, "query.after"},
		{"GET " + order + "/history?cursor=x", "", 400, "query.cursor"},
		{"GET " + id + "/answers?limit=0", "", 400, "query.limit"},
		{"GET " + id + "/answers?cursor=x", "", 400, "query.cursor"},
		{"GET " + id + "/transcript?format=pdf", "", 400, "query.format"},
		{"GET " + id + "/transcript?notes=some", "", 400, "query.notes"},
		{"GET " + id + "/transcript?events=1", "", 400, "query.events"},
		{"GET " + id + "/transcript?tz=Mars/Olympus", "", 400, "query.tz"},
		{"GET " + id + "/transcript?tz=Local", "", 400, "query.tz"},
		{"GET " + id + "/transcript?tz=../passwd", "", 400, "query.tz"},
		{"GET " + id + "/transcript?tz=" + strings.Repeat("x", 65), "", 400, "query.tz"},
		{"GET " + id + "/transcript?as_of=0", "", 400, "query.as_of"},
		{"GET " + id + "/transcript?as_of=x", "", 400, "query.as_of"},
		{"GET " + id + "/transcript?as_of=1", "", 400, "query.as_of"},
		{"GET " + id + "/transcript?as_of=99999999", "", 400, "query.as_of"},
		{"GET " + id + "/transcript?limit=1", "", 400, "query.limit"},
		{"GET /v1/chats/none/transcript", "", 404, ""},
		{"GET /v1/chats/none/transcript?as_of=1", "", 404, ""},
		{"GET /v1/chats/none/messages", "", 404, ""},
		{"GET /v1/chats/none/history", "", 404, ""},
		{"GET /v1/chats/none/visitor", "", 404, ""},
		{"GET /v1/chats/none/answers", "", 404, ""},
		{"GET /v1/contacts/none/answers", "", 404, ""},
		{"GET /v1/contacts/none/history", "", 404, ""},
		{"GET /v1/orders/none/history", "", 404, ""},
		{"GET /v1/orders?status=lost", "", 400, "query.status"},
		{"GET /v1/orders/none", "", 404, ""},
		{"GET /v1/agents?limit=1001", "", 400, "query.limit"},
		{"GET /v1/agents?cursor=x", "", 400, "query.cursor"},
		{"GET /v1/agents/none", "", 404, ""},
		{"GET /v1/teams/none", "", 404, ""},
		{"GET /v1/tags/none", "", 404, ""},
		{"GET /v1/statuses/none", "", 404, ""},
		{"GET /v1/channels/none", "", 404, ""},
		{"GET /v1/channels/none/deliveries", "", 404, ""},
		{"GET /v1/channels/" + ch + "/deliveries?state=lost", "", 400, "query.state"},
		{"GET /v1/channels/none/deliveries/" + delivery, "", 404, ""},
		{"GET /v1/channels/none/deliveries/" + delivery + "/body", "", 404, ""},
		{"GET /v1/changes?after=x", "", 400, "query.after"},
		{"GET /v1/changes?after=-1", "", 400, "query.after"},
		{"GET /v1/changes?after=99999999", "", 400, ""},
	} {
		method, path, _ := strings.Cut(tt.route, " ")
		got := l.do(agent.RoleAdmin, method, path, tt.body)
		var location string
		if got.header.Get("Content-Type") == "application/problem+json" {
			location, _ = l.object(got).at("errors.0.location").(string)
		}
		if got.status != tt.status || location != tt.location {
			t.Errorf("%s %.60s: %d at %q, want %d at %q: %s", tt.route, tt.body, got.status, location, tt.status, tt.location, got.body)
		}
	}
	if got := l.do(agent.RoleAdmin, "GET", "/v1/changes", "", "Last-Event-ID", "x"); got.status != 400 {
		t.Errorf("a malformed Last-Event-ID: %d %s", got.status, got.body)
	}
	if strings.Contains(l.log.String(), "level=ERROR") {
		t.Errorf("a caller's fault was logged as one of ours:\n%s", l.log)
	}
}

// Nothing of one workspace is there for another.
func TestWorkspacesAreApart(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	delivery := "/v1/channels/" + ch + "/deliveries/" + l.deliver(acme, ch, `{}`)
	order := "/v1/orders/" + l.must(201, agent.RoleAgent, "POST", "/v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":1,"unit_price":100}]}`)["id"].(string)
	note := chat + "/notes/" + l.must(201, agent.RoleAgent, "POST", chat+"/notes", `{"text":"mine"}`)["id"].(string)
	l.must(201, agent.RoleAdmin, "POST", "/v1/teams", `{"name":"Billing"}`)
	l.must(200, agent.RoleAdmin, "POST", chat+"/tags", `{"add":["vip"]}`)
	l.get("/v1/chats")
	l.get("/v1/channels")

	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	at := "min_position=" + l.head()
	for _, path := range []string{
		chat, chat + "/messages", chat + "/history", chat + "/visitor", chat + "/answers", order, order + "/history", "/v1/teams/billing", "/v1/tags/vip",
		"/v1/agents/" + l.agents[agent.RoleAgent], "/v1/channels/" + ch, "/v1/channels/" + ch + "/deliveries", delivery,
	} {
		l.must(404, stranger, "GET", path+"?"+at, "")
	}
	l.must(404, stranger, "GET", delivery+"/body", "")
	for _, list := range []string{"/v1/chats", "/v1/orders", "/v1/agents", "/v1/teams", "/v1/tags", "/v1/channels"} {
		if got := l.must(200, stranger, "GET", list+"?"+at, ""); len(got.items()) != 0 {
			t.Errorf("%s shows %v", list, got)
		}
	}
	for _, tt := range [][2]string{
		{chat + "/messages", `{"text":"a"}`},
		{chat + "/unassign", ``},
		{chat + "/close", ``},
		{chat + "/tags", `{"add":["x"]}`},
		{chat + "/notes", `{"text":"a"}`},
		{chat + "/read", ``},
		{chat + "/typing", ``},
		{chat + "/unread", ``},
		{chat + "/restore", ``},
		{order + "/confirm", ``},
		{order + "/payment", `{"payment":"paid"}`},
		{order + "/tags", `{"add":["x"]}`},
		{order + "/notes", `{"text":"a"}`},
		{order + "/unassign", ``},
		{"/v1/agents/" + l.agents[agent.RoleAgent] + "/deactivate", ``},
		{delivery + "/retranslate", ``},
	} {
		l.must(404, stranger, "POST", tt[0], tt[1])
		l.must(404, stranger, "POST", tt[0], tt[1], "If-Match", `"0"`)
	}
	l.must(404, stranger, "PATCH", note, `{"text":"theirs"}`)
	l.must(404, stranger, "DELETE", chat, ``)
	l.must(404, stranger, "DELETE", "/v1/channels/"+ch, ``)
	if got := l.get(chat); got["unread"] != 1.0 || !slices.Equal(got["tags"].([]any), []any{"vip"}) {
		t.Errorf("the stranger changed the chat: %v", got)
	}
}
