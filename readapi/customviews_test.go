package readapi_test

import (
	"fmt"
	"testing"

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
	if view["published"] != 1.0 || fmt.Sprint(view["versions"]) != "[1 2]" || view["description"] != "Orders" {
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
}
