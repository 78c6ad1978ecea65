package readapi_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/readapi"
)

func TestExports(t *testing.T) {
	now := time.Now()
	l := newLedger(t, func(c *readapi.Config, _ *web.Config) { c.Now = func() time.Time { return now } })
	first := l.receive(acme, "15551", "=cmd|' /C calc'!A0")
	second := l.receive(acme, "15552", "hello, \"you\"")
	l.must(200, agent.RoleAgent, "POST", "/v1/chats/"+first+"/tags", `{"add":["vip","late"]}`)
	l.get("/v1/chats")
	ask := func(body string) string {
		t.Helper()
		return l.must(201, agent.RoleSupervisor, "POST", "/v1/exports", body)["file"].(string)
	}
	file := ask(`{"target":"chats","format":"csv","columns":["last_message","id","tags","created_at"]}`)
	got := l.do(agent.RoleSupervisor, "GET", file, "")
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || got.status != 200 || len(rows) != 3 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") ||
		!strings.Contains(got.header.Get("Content-Disposition"), "attachment; filename=\"chats-") {
		t.Fatalf("%d %v %q %v", got.status, got.header, got.body, err)
	}
	if rows[0][0] != "last_message" || rows[1][1] != second || rows[1][0] != "hello, \"you\"" || rows[2][0] != "'=cmd|' /C calc'!A0" || rows[2][2] != "late vip" {
		t.Errorf("%q", rows)
	}
	if _, err := time.Parse(time.RFC3339Nano, rows[1][3]); err != nil {
		t.Error(err)
	}

	file = ask(`{"target":"chats","format":"ndjson","filter":{"field":"tag","op":"eq","value":"vip"}}`)
	got = l.do(agent.RoleAnalyst, "GET", file, "")
	var line map[string]any
	if err := json.Unmarshal([]byte(got.body), &line); err != nil || line["id"] != first || line["unread"] != 1.0 || line["waiting_since"] == nil {
		t.Errorf("%s: %v", got.body, err)
	}

	l.must(201, agent.RoleAgent, "POST", "/v1/orders", `{"currency":"EUR","lines":[{"product":"tea","quantity":2,"unit_price":100}]}`)
	l.get("/v1/orders")
	got = l.do(agent.RoleAdmin, "GET", ask(`{"target":"orders","format":"csv","columns":["total","currency","status"]}`), "")
	if got.body != "total,currency,status\r\n200,EUR,placed\r\n" {
		t.Errorf("orders: %q", got.body)
	}

	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	if got := l.do(stranger, "GET", file, ""); got.status != 404 {
		t.Errorf("a stranger: %d", got.status)
	}
	now = now.Add(2 * time.Hour)
	if got := l.do(agent.RoleSupervisor, "GET", file, ""); got.status != 410 || l.object(got)["code"] != "export.expired" {
		t.Errorf("after two hours: %d %s", got.status, got.body)
	}
}
