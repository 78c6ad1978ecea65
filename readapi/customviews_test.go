package readapi_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
)

const cityScript = `function apply(event, tables) {
	const city = event.data.visitor?.city ?? "unknown"
	const row = tables.cities.get(city) ?? {orders: 0}
	row.orders++
	tables.cities.put(city, row)
}`

func cityView(script string) string {
	return fmt.Sprintf(`{"description":"Orders","types":["order.placed.v1"],"script":%q,
		"tables":[{"name":"cities","key":"city","columns":[{"name":"orders","type":"integer"}]}]}`, script)
}

// An analyst saves a view, gives it another version, chooses which is read, goes back,
// and retires it.
func TestCustomViewsAreDefinedOverHTTP(t *testing.T) {
	l := newLedger(t)
	analyst := agent.RoleAnalyst
	first := l.must(201, analyst, "POST", "/v1/custom-views/cities/versions", cityView(cityScript))
	if first["id"] != "cities" || first["version"] != 1.0 {
		t.Errorf("saved %v", first)
	}
	if got := l.must(409, analyst, "POST", "/v1/custom-views/cities/versions", cityView(cityScript)); got["code"] != "customview.unchanged" {
		t.Errorf("saved again: %v", got)
	}
	second := l.must(201, analyst, "POST", "/v1/custom-views/cities/versions", cityView(cityScript+"// better"))
	l.must(200, analyst, "POST", "/v1/custom-views/cities/publish", `{"version":2}`)
	back := l.must(200, analyst, "POST", "/v1/custom-views/cities/publish", `{"version":1}`)
	if second["version"] != 2.0 || back["id"] != "cities" || back["revision"] != 3.0 {
		t.Errorf("second %v, back %v", second, back)
	}
	at := fmt.Sprintf("?min_position=%v", back["position"])
	view := l.must(200, analyst, "GET", "/v1/custom-views/cities"+at, "")
	if view["published"] != 1.0 || view.at("versions.1.version") != 2.0 || view["description"] != "Orders" {
		t.Errorf("view %v", view)
	}
	if version := l.must(200, analyst, "GET", "/v1/custom-views/cities/versions/2", ""); version["script"] != cityScript+"// better" || version.at("tables.0.columns.0.type") != "integer" {
		t.Errorf("version %v", version)
	}
	if got := l.must(409, analyst, "DELETE", "/v1/custom-views/cities/versions/1", ""); got["code"] != "customview.is_published" {
		t.Errorf("dropped what is published: %v", got)
	}
	l.must(202, analyst, "POST", "/v1/custom-views/cities/versions/2/retry", "")
	l.must(200, analyst, "DELETE", "/v1/custom-views/cities/versions/2", "")
	if list := l.must(200, analyst, "GET", "/v1/custom-views", "").items(); len(list) != 1 {
		t.Errorf("list %v", list)
	}
	gone := l.must(200, analyst, "DELETE", "/v1/custom-views/cities", "")
	l.must(404, analyst, "GET", fmt.Sprintf("/v1/custom-views/cities?min_position=%v", gone["position"]), "")

	for name, tt := range map[string]struct{ body, code, field string }{
		"half a script": {cityView("function apply("), "customview.bad_script", "script"},
		"no apply":      {cityView("const add = 1"), "customview.no_apply", "script"},
		"bad column":    {`{"script":"function apply(){}","tables":[{"name":"t","key":"k","columns":[{"name":"K","type":"text"}]}]}`, "customview.bad_table_name", "tables[0].columns[0].name"},
		"no such event": {`{"types":["order.placed.v1","order.lost.v1"],"script":"function apply(){}","tables":[{"name":"t","key":"k","columns":[{"name":"c","type":"text"}]}]}`, "customview.no_such_event", "types[1]"},
		"hidden event":  {`{"types":["webhook.received.v1"],"script":"function apply(){}","tables":[{"name":"t","key":"k","columns":[{"name":"c","type":"text"}]}]}`, "customview.no_such_event", "types[0]"},
	} {
		got := l.must(400, analyst, "POST", "/v1/custom-views/bad/versions", tt.body)
		if got["code"] != tt.code || got.at("errors.0.location") != "body."+tt.field {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := l.must(400, analyst, "POST", "/v1/custom-views/Cities/versions", cityView("function apply(){}")); got["code"] != "customview.bad_name" || got.at("errors.0.location") != "path.view" {
		t.Errorf("a bad name: %v", got)
	}
}

// An analyst tries a script, saves it, watches it being built, and reads rows that
// reflect what was written; a better version is compared with the first.
func TestRowsOfCustomViewsOverHTTP(t *testing.T) {
	l := newLedger(t)
	analyst := agent.RoleAnalyst
	const script = `function apply(event, tables) {
	const row = tables.days.get(event.at.slice(0, 4)) ?? {messages: 0}
	row.messages++
	tables.days.put(event.at.slice(0, 4), row)
	tables.chats.put(event.subject, {last: event.data.content.text, at: event.at})
}`
	view := func(script string) string {
		return fmt.Sprintf(`{"types":["chat.message_received.v1"],"script":%q,"tables":[
			{"name":"days","key":"year","columns":[{"name":"messages","type":"integer"}]},
			{"name":"chats","key":"chat","columns":[{"name":"last","type":"text"},{"name":"at","type":"time"}]}]}`, script)
	}
	l.settle("rivals")
	ours := l.receive(acme, "15551", "hello")
	l.receive("rivals", "15552", "not for you")
	tried := l.must(200, analyst, "POST", "/v1/custom-views/dry-run", view(script))
	if tried["events"] != 1.0 || tried["end"] != true || tried["failure"] != nil || tried.at("tables.1.show.0.last") != "hello" || tried.at("tables.0.rows") != 1.0 {
		t.Errorf("tried %v", tried)
	}
	if got := l.must(200, analyst, "POST", "/v1/custom-views/dry-run", view("function apply(event) {\n\tconsole.log(event.type)\n\tlost()\n}")); got.at("failure.line") != 3.0 ||
		got.at("failure.type") != "chat.message_received.v1" || got.at("logged.0") != "chat.message_received.v1" || got["events"] != 0.0 {
		t.Errorf("tried what fails: %v", got)
	}
	l.must(400, analyst, "POST", "/v1/custom-views/dry-run", view("function fold() {}"))

	first := l.must(201, analyst, "POST", "/v1/custom-views/talk/versions", view(script))
	if got := l.must(404, analyst, "GET", fmt.Sprintf("/v1/custom-views/talk/tables/chats/rows?min_position=%v", first["position"]), ""); got["code"] != "customview.not_published" {
		t.Errorf("not published: %v", got)
	}
	l.must(201, analyst, "POST", "/v1/custom-views/talk/versions", view(script+"\nnull.x"))
	l.must(201, analyst, "POST", "/v1/custom-views/talk/versions", view(strings.Replace(script, "row.messages++", "row.messages += 2", 1)))
	at := l.must(200, analyst, "POST", "/v1/custom-views/talk/publish", `{"version":1}`)["position"]
	rows := l.must(200, analyst, "GET", fmt.Sprintf("/v1/custom-views/talk/tables/chats/rows?min_position=%v", at), "")
	if len(rows.items()) != 1 || rows.at("items.0.chat") != ours || rows.at("items.0.last") != "hello" {
		t.Errorf("rows %v", rows)
	}
	l.receive(acme, "15551", "again")
	head, err := l.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	row := l.must(200, analyst, "GET", fmt.Sprintf("/v1/custom-views/talk/tables/chats/rows/%s?min_position=%d", ours, head.Position), "")
	if row["last"] != "again" {
		t.Errorf("row %v", row)
	}
	difference := l.must(200, analyst, "GET", fmt.Sprintf("/v1/custom-views/talk/tables/days/difference?from=1&to=3&min_position=%d", head.Position), "")
	if len(difference.items()) != 1 || difference.at("items.0.from.messages") != 2.0 || difference.at("items.0.to.messages") != 4.0 || difference.at("items.0.columns.0") != "messages" {
		t.Errorf("difference %v", difference)
	}
	for path, code := range map[string]string{
		"/v1/custom-views/none/tables/chats/rows":                          "customview.not_found",
		"/v1/custom-views/talk/tables/none/rows":                           "customview.no_table",
		"/v1/custom-views/talk/tables/chats/rows?version=7":                "customview.no_version",
		"/v1/custom-views/talk/tables/chats/rows/none":                     "customview.no_row",
		"/v1/custom-views/talk/tables/none/difference?from=1&to=3":         "customview.no_table",
		"/v1/custom-views/talk/tables/chats/difference?from=1&to=9":        "customview.no_version",
		"/v1/custom-views/talk/tables/chats/rows?version=7&min_position=1": "customview.no_version",
	} {
		if got := l.must(404, analyst, "GET", path, ""); got["code"] != code {
			t.Errorf("%s: %v", path, got)
		}
	}
	got := l.must(200, analyst, "GET", "/v1/custom-views/talk", "")
	if got.at("versions.0.state") != "running" || got.at("versions.0.rows") != 2.0 || got.at("versions.1.state") != "stopped" || got.at("versions.1.failure.kind") != "error" {
		t.Errorf("progress %v", got)
	}
}

// While a script spins, in ways that can be interrupted and in ways that cannot, the inbox
// shows what is written, and other custom views go on.
func TestTheInboxNeverWaitsForScripts(t *testing.T) {
	l := newLedger(t)
	analyst := agent.RoleAnalyst
	view := func(body string) string {
		return fmt.Sprintf(`{"types":["chat.message_received.v1"],"script":"function apply(e, t) { %s }","tables":[{"name":"n","key":"k","columns":[{"name":"n","type":"integer"}]}]}`, body)
	}
	l.receive(acme, "15550", "before")
	l.must(201, analyst, "POST", "/v1/custom-views/spins/versions", view("while (true);"))
	l.must(201, analyst, "POST", "/v1/custom-views/hangs/versions", view("[].indexOf.call({length: 2**53 - 1}, 1)"))
	l.must(201, analyst, "POST", "/v1/custom-views/eats/versions", view("const a = []; while (true) a.push('x'.repeat(1e6) + a.length)"))
	l.must(201, analyst, "POST", "/v1/custom-views/works/versions", view("t.n.put('n', {n: (t.n.get('n')?.n ?? 0) + 1})"))
	for i := range 10 {
		l.receive(acme, fmt.Sprint("1555", i), fmt.Sprint("hello ", i))
		l.get("/v1/chats") // waits for what was written
	}
	head, err := l.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // at most ten seconds each
		a := l.do(analyst, "GET", fmt.Sprintf("/v1/custom-views/works/tables/n/rows/n?version=1&wait=10&min_position=%d", head.Position), "")
		if a.status == 200 {
			if n := l.object(a)["n"]; n != 11.0 {
				t.Errorf("counted %v", n)
			}
			break
		}
	}
	for end := time.Now().Add(patience); ; {
		stopped := map[string]any{}
		for _, v := range l.must(200, analyst, "GET", "/v1/custom-views", "").items() {
			stopped[v["name"].(string)] = v.at("versions.0.failure.kind")
		}
		if stopped["spins"] == "time" && stopped["hangs"] == "killed" && (stopped["eats"] == "killed" || stopped["eats"] == "time") && stopped["works"] == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("stopped: %v", stopped)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// The example of docs/custom-views.md does what it says.
func TestTheExampleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/custom-views.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		_, rest, _ := strings.Cut(string(page), "```"+language+"\n")
		text, _, _ := strings.Cut(rest, "\n```")
		return text
	}
	var definition struct{ Script string }
	if err := json.Unmarshal([]byte(block("json")), &definition); err != nil {
		t.Fatal(err)
	}
	if definition.Script != block("js") {
		t.Errorf("the script is shown as\n%s\nand is\n%s", block("js"), definition.Script)
	}
	l := newLedger(t)
	analyst := agent.RoleAnalyst
	l.must(201, analyst, "POST", "/v1/custom-views/sales-by-currency/versions", block("json"))
	chat := l.receive(acme, "15551", "hello")
	for _, currency := range []string{"EUR", "USD", "EUR"} {
		l.must(201, agent.RoleAgent, "POST", "/v1/orders", fmt.Sprintf(`{"chat":%q,"currency":%q,"lines":[{"product":"tea","quantity":2,"unit_price":150}]}`, chat, currency))
	}
	rows := l.must(200, analyst, "GET", "/v1/custom-views/sales-by-currency/tables/sales/rows?version=1&min_position="+l.head(), "")
	if rows.at("items.0.currency") != "EUR" || rows.at("items.0.orders") != 2.0 || rows.at("items.0.total") != 600.0 || rows.at("items.1.orders") != 1.0 || rows.at("items.1.last") == nil {
		t.Errorf("rows %v", rows)
	}
}

// A table is taken away in each format, as of one position; who took it is in the log.
func TestCustomViewsAreExported(t *testing.T) {
	l := newLedger(t)
	analyst := agent.RoleAnalyst
	const script = `function apply(e, t) { t.chats.put(e.subject, {said: e.data.content.text, n: -e.revision}) }`
	l.must(201, analyst, "POST", "/v1/custom-views/talk/versions", fmt.Sprintf(`{"types":["chat.message_received.v1"],"script":%q,"tables":[
		{"name":"chats","key":"chat","columns":[{"name":"said","type":"text"},{"name":"n","type":"integer"}]}]}`, script))
	chat := l.receive(acme, "15551", "=1+1")
	ask := func(body string) string {
		t.Helper()
		return l.must(201, analyst, "POST", "/v1/custom-views/talk/exports", body)["file"].(string)
	}
	for format, want := range map[string]string{
		"csv":     "chat,said,n\r\n" + chat + ",'=1+1,-1\r\n",
		"ndjson":  fmt.Sprintf(`{"chat":%q,"said":"=1+1","n":-1}`+"\n", chat),
		"parquet": "PAR1",
	} {
		file := ask(fmt.Sprintf(`{"version":1,"table":"chats","format":%q}`, format))
		a := l.do(analyst, "GET", file+"?min_position="+l.head(), "")
		name := fmt.Sprintf(`attachment; filename="talk-chats-v1-at-%s.%s"`, a.header.Get("Position"), format)
		if a.status != 200 || !strings.HasPrefix(a.body, want) || format != "parquet" && a.body != want || a.header.Get("Content-Disposition") != name || a.header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
			t.Errorf("%s: %d %v %q", format, a.status, a.header, a.body)
		}
		if format == "parquet" && !strings.Contains(a.body, "chatledger.position") {
			t.Error("the file does not say of which position it is")
		}
	}
	if events := l.events(); events[len(events)-1] != "export.view_requested.v1" {
		t.Errorf("events %v", events)
	}
	for body, code := range map[string]string{
		`{"table":"chats","format":"csv"}`:             "customview.not_published",
		`{"version":1,"table":"none","format":"csv"}`:  "customview.no_table",
		`{"version":2,"table":"chats","format":"csv"}`: "customview.no_version",
	} {
		if got := l.must(404, analyst, "POST", "/v1/custom-views/talk/exports", body); got["code"] != code {
			t.Errorf("%s: %v", body, got)
		}
	}
	file := ask(`{"version":1,"table":"chats","format":"csv"}`)
	l.must(404, analyst, "GET", strings.Replace(file, "talk", "other", 1), "")
	l.must(404, analyst, "GET", strings.Replace(file, "/file", "x/file", 1), "")
	l.must(404, analyst, "GET", "/v1/exports"+strings.TrimPrefix(file, "/v1/custom-views/talk/exports"), "")
	l.must(200, analyst, "DELETE", "/v1/custom-views/talk", "")
	l.must(404, analyst, "GET", file+"?min_position="+l.head(), "")
}
