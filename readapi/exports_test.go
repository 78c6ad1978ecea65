package readapi_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	domain "github.com/chatledger/chatledger/domain/contact"
	domaingroup "github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
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

// A file has all that there is to know of a row, each in the way of its format.
func TestExportsOfEverything(t *testing.T) {
	l := newLedger(t)
	for _, body := range []string{`{"name":"Size","kind":"number"}`, `{"name":"Member","kind":"bool"}`, `{"name":"Groups","kind":"text"}`} {
		l.must(201, aSenior, "POST", "/v1/attributes", body)
	}
	l.connect(acme)
	chat := l.receive(acme, "15551230001", "hello")
	contact := l.must(201, anAgent, "POST", "/v1/contacts",
		`{"name":"Ana","emails":["a@x.example","b@x.example"],"phones":["+15551230001","+15551230002"],"attributes":{"size":"-4.5","member":"yes"}}`)["id"].(string)
	l.must(200, anAgent, "POST", "/v1/contacts/"+contact+"/tags", `{"add":["Very Important"]}`)
	l.must(201, anAgent, "POST", "/v1/contacts/"+contact+"/notes", `{"text":"=likes tea"}`)
	l.must(200, anAgent, "POST", "/v1/chats/"+chat+"/claim", "")
	l.must(200, anAgent, "POST", "/v1/chats/"+chat+"/tags", `{"add":["Late"]}`)
	group := l.must(201, aSenior, "POST", "/v1/groups", `{"name":"Tea drinkers","ids":["`+contact+`"]}`)["id"].(string)
	if _, err := l.commands.Groups.Choose(t.Context(), l.origin(acme), domaingroup.ID(group), members.Choose{Choice: 1, IDs: []string{contact}, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	link := domain.LinkChat{Link: domain.Link{Chat: chat, Channel: "c", Customer: "15551230001"}, At: time.Now()}
	if _, err := l.commands.Contacts.LinkChat(t.Context(), l.origin(acme), link); err != nil {
		t.Fatal(err)
	}
	order := l.must(201, anAgent, "POST", "/v1/orders",
		`{"chat":"`+chat+`","currency":"EUR","comment":"=soon","lines":[{"product":"tea","name":"Green tea","quantity":2,"unit_price":350},{"product":"pot","quantity":1,"unit_price":1200}]}`)["id"].(string)
	l.must(201, anAgent, "POST", "/v1/orders/"+order+"/notes", `{"text":"gift"}`)

	take := func(target, format, columns string) string {
		t.Helper()
		file := l.must(201, aSenior, "POST", "/v1/exports", `{"target":"`+target+`","format":"`+format+`"`+columns+`}`)["file"].(string)
		a := l.do(aSenior, "GET", file+"?min_position="+l.head(), "")
		if a.status != 200 {
			t.Fatalf("%s: %d %s", target, a.status, a.body)
		}
		return a.body
	}
	me := l.agents[anAgent]
	for _, c := range []struct{ target, columns, csv, ndjson string }{
		{
			"contacts", `,"columns":["emails","phones","tag_names","groups","group_names","status_name","attributes.size","attributes.member","attributes.groups"]`,
			"a@x.example; b@x.example,'+15551230001; +15551230002,Very Important," + group + ",Tea drinkers,OPEN,-4.5,true,",
			`{"emails":["a@x.example","b@x.example"],"phones":["+15551230001","+15551230002"],"tag_names":["Very Important"],"groups":["` + group +
				`"],"group_names":["Tea drinkers"],"status_name":"OPEN","attributes.size":-4.5,"attributes.member":true,"attributes.groups":null}`,
		},
		{
			"chats", `,"columns":["channel_name","status_name","assignee_name","team_name","tag_names","groups","group_names","attributes.size"]`,
			"Shop,OPEN,The agent,,Late," + group + ",Tea drinkers,-4.5",
			`{"channel_name":"Shop","status_name":"OPEN","assignee_name":"The agent","team_name":"","tag_names":["Late"],"groups":["` + group + `"],"group_names":["Tea drinkers"],"attributes.size":-4.5}`,
		},
		{
			"orders", `,"columns":["comment","products","lines","tag_names"]`,
			"'=soon,tea; pot,2 x tea (Green tea) at 350 = 700; 1 x pot at 1200 = 1200,",
			`{"comment":"=soon","products":["tea","pot"],"lines":[{"product":"tea","name":"Green tea","quantity":2,"unit_price":350,"total":700},{"product":"pot","quantity":1,"unit_price":1200,"total":1200}],"tag_names":[]}`,
		},
	} {
		if _, got, _ := strings.Cut(take(c.target, "csv", c.columns), "\r\n"); got != c.csv+"\r\n" {
			t.Errorf("%s: got  %s\nwant %s", c.target, got, c.csv)
		}
		if got := take(c.target, "ndjson", c.columns); got != c.ndjson+"\n" {
			t.Errorf("%s: got  %s\nwant %s", c.target, got, c.ndjson)
		}
	}
	for target, text := range map[string]string{"contacts": "=likes tea", "orders": "gift"} {
		if got := take(target, "ndjson", `,"columns":["notes"]`); !strings.Contains(got, `{"notes":[{"text":"`+text+`","by":"`+me+`","at":"2`) {
			t.Errorf("notes of %s: %s", target, got)
		}
		if got := take(target, "csv", `,"columns":["notes"]`); !strings.Contains(got, " "+me+": "+text+"\r\n") {
			t.Errorf("notes of %s: %s", target, got)
		}
		if got := take(target, "csv", ""); strings.Contains(got, text) {
			t.Errorf("notes of %s, which nobody asked for: %s", target, got)
		}
	}
	// What no columns are named for can be imported again, and says nothing new.
	everything := take("contacts", "csv", "")
	if header, _, _ := strings.Cut(everything, "\r\n"); !strings.HasSuffix(header, "attributes.groups,attributes.member,attributes.size") {
		t.Errorf("header %s", header)
	}
	if rows, sum := l.importCSV(everything); sum["unchanged"] != 1.0 || rows[2]["contact"] != contact {
		t.Errorf("imported again: %v %v", rows, sum)
	}
	if _, sum := l.importCSV("name,phone,groups\nAna,+15551230001,blue\n"); sum["updated"] != 1.0 {
		t.Errorf("a column that is an attribute's: %v", sum)
	}
	for columns, place := range map[string]string{`["id","attributes.shoe"]`: "body.columns[1]", `["id","id"]`: "body.columns[1]", `["lines"]`: "body.columns[0]"} {
		if a := l.must(400, aSenior, "POST", "/v1/exports", `{"target":"contacts","format":"csv","columns":`+columns+`}`); a["code"] != "export.unknown_column" || a.at("errors.0.location") != place {
			t.Errorf("%s: %v", columns, a)
		}
	}
}
