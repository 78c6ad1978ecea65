package viewscript_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/internal/viewscript"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == viewscript.Command {
		if err := viewscript.Serve(os.Stdin, os.Stdout, time.Now); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func definition(script string) customview.Definition {
	return customview.Definition{Script: script, Tables: []customview.Table{
		{Name: "seen", Key: "what", Columns: []customview.Column{
			{Name: "n", Type: customview.Integer},
			{Name: "ratio", Type: customview.Number},
			{Name: "text", Type: customview.Text},
			{Name: "yes", Type: customview.Boolean},
			{Name: "at", Type: customview.Time},
			{Name: "json", Type: customview.JSON},
		}},
		{Name: "other", Key: "id", Columns: []customview.Column{{Name: "n", Type: customview.Integer}}},
	}}
}

func events(data ...string) (list []viewscript.Event) {
	for i, d := range data {
		list = append(list, viewscript.Event{
			ID: fmt.Sprint("e", i), Position: int64(i + 1), Type: "toy.happened.v1", Stream: "toy-1", Subject: "1", At: "2026-03-01T23:30:00.5Z", Data: json.RawMessage(d),
		})
	}
	return list
}

// nothing is the rows of an empty view.
func nothing(context.Context, string, string) (json.RawMessage, error) { return nil, nil }

func newPool(t testing.TB, c viewscript.Config) *viewscript.Pool {
	p := viewscript.NewPool(c)
	t.Cleanup(p.Close)
	return p
}

// rowsOf returns rows as "table/key {…}".
func rowsOf(rep viewscript.Report) (list []string) {
	for _, r := range rep.Rows {
		list = append(list, fmt.Sprintf("%s/%s %s", r.Table, r.Key, r.Data))
	}
	return list
}

func TestRun(t *testing.T) {
	pool := newPool(t, viewscript.Config{})
	for _, tt := range []struct {
		name, script string
		data         []string
		rows         []string
	}{
		{
			"counts", `function apply(e, t) { const r = t.seen.get(e.data.k) ?? {n: 0}; r.n++; t.seen.put(e.data.k, r) }`,
			[]string{`{"k":"a"}`, `{"k":"b"}`, `{"k":"a"}`},
			[]string{
				`seen/a {"n":2,"ratio":null,"text":null,"yes":null,"at":null,"json":null}`,
				`seen/b {"n":1,"ratio":null,"text":null,"yes":null,"at":null,"json":null}`,
			},
		},
		{
			"all types", `const apply = (e, t) => t.seen.put(7, {what: 7, n: 2**53-1, ratio: 0.1, text: "<é\u2028>", yes: false, at: "2026-01-01T01:00:00+01:00", json: {b: [1, null], a: e.type}})`,
			[]string{`{}`},
			[]string{`seen/7 {"n":9007199254740991,"ratio":0.1,"text":"\u003cé\u2028\u003e","yes":false,"at":"2026-01-01T00:00:00Z","json":{"b":[1,null],"a":"toy.happened.v1"}}`},
		},
		{
			"reads what it put, and deletes", `function apply(e, t) { t.other.put("x", {n: 1}); t.other.put("y", t.other.get("x")); t.other.delete("x"); if (t.other.get("x") !== undefined) throw "there" }`,
			[]string{`{}`},
			[]string{`other/x `, `other/y {"n":1}`},
		},
		{
			"wall clocks", `function apply(e, t) { const w = zoned(e.at, "Europe/Berlin"); t.seen.put(w.date, {n: w.hour, text: w.time + " " + w.weekday, json: [w.year, w.month, w.day, w.minute, zoned(e.at).date]}) }`,
			[]string{`{}`},
			[]string{`seen/2026-03-02 {"n":0,"ratio":null,"text":"00:30:00 1","yes":null,"at":null,"json":[2026,3,2,30,"2026-03-01"]}`},
		},
		{
			"nothing stays", `let n = 0
			function apply(e, t) {
				n++; globalThis.m = (globalThis.m ?? 0) + 1
				if (({}).evil || [].map === 1) throw "polluted"
				Object.prototype.evil = 1; Array.prototype.map = 1; JSON.parse = JSON.stringify = () => "{}"
				t.other.put(String(e.position), {n: n * 10 + m})
			}`,
			[]string{`{}`, `{}`},
			[]string{`other/1 {"n":11}`, `other/2 {"n":11}`},
		},
		{
			"no clock but the event's", `function apply(e, t) { t.seen.put("k", {text: [new Date().toISOString(), Date.now() == Date.parse(e.at), new Date(e.at).getHours(), typeof require, typeof process, typeof setTimeout, typeof fetch].join()}) }`,
			[]string{`{}`},
			[]string{`seen/k {"n":null,"ratio":null,"text":"2026-03-01T23:30:00.500Z,true,23,undefined,undefined,undefined,undefined","yes":null,"at":null,"json":null}`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Given a script, when it is given events together or one by one, then the rows
			// are the same.
			rep, err := pool.Run(t.Context(), definition(tt.script), events(tt.data...), nothing)
			if err != nil || rep.Failure != nil || rep.Applied != len(tt.data) {
				t.Fatalf("%+v, failure %+v, %v", rep, rep.Failure, err)
			}
			if diff := cmp.Diff(tt.rows, rowsOf(rep)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			kept := map[string]json.RawMessage{}
			for i := range tt.data {
				rep, err := pool.Run(t.Context(), definition(tt.script), events(tt.data...)[i:i+1], func(_ context.Context, table, key string) (json.RawMessage, error) {
					return kept[table+"/"+key], nil
				})
				if err != nil || rep.Failure != nil {
					t.Fatalf("%+v, %v", rep, err)
				}
				for _, r := range rep.Rows {
					kept[r.Table+"/"+r.Key] = r.Data
				}
			}
			for _, row := range tt.rows {
				name, data, _ := strings.Cut(row, " ")
				if string(kept[name]) != data {
					t.Errorf("one by one: %s is %s, not %s", name, kept[name], data)
				}
			}
		})
	}
}

// What a script does wrong ends at the event, with its line, and what came before stays.
func TestFailures(t *testing.T) {
	pool := newPool(t, viewscript.Config{Limit: 100 * time.Millisecond, Silence: time.Second})
	for name, tt := range map[string]struct {
		script, kind, message string
		line                  int
	}{
		"leaves it to chance":     {"Math.random()", "error", "TypeError: a view leaves nothing to chance: there is no Math.random", 1},
		"throws":                  {"\nthrow new Error('no such thing')", "error", "Error: no such thing", 2},
		"a name that is not":      {"lost()", "error", "ReferenceError: lost is not defined", 1},
		"throws what throws":      {"throw {toString() { throw 1 }}", "error", "", 0},
		"no column":               {"t.seen.put('k', {m: 1})", "error", "TypeError: seen has no column m", 1},
		"half a number":           {"t.seen.put('k', {n: 1.5})", "error", "TypeError: seen.n: want a whole number, got 1.5", 1},
		"a big number":            {"t.seen.put('k', {n: 2**53})", "error", "TypeError: seen.n: want a whole number, got 9007199254740992", 1},
		"no number":               {"t.seen.put('k', {ratio: NaN})", "error", "TypeError: seen.ratio: want a number, got NaN", 1},
		"text for truth":          {"t.seen.put('k', {yes: 'yes'})", "error", "TypeError: seen.yes: want true or false, got yes", 1},
		"an object for text":      {"t.seen.put('k', {text: {a: 1}})", "error", `TypeError: seen.text: want text, got {"a":1}`, 1},
		"no time":                 {"t.seen.put('k', {at: 'now'})", "error", "TypeError: seen.at: want a time as 2026-01-31T12:00:00Z, got now", 1},
		"no row":                  {"t.seen.put('k')", "error", "TypeError: seen: put takes a key and a row", 1},
		"no key":                  {"t.seen.get()", "error", "TypeError: seen: a key is text or a number", 1},
		"an empty key":            {"t.seen.get('')", "error", "TypeError: seen: a key has 1 to 200 bytes, none of them NUL", 1},
		"another key":             {"t.seen.put('k', {what: 'l'})", "error", "TypeError: seen: the row says that its key is another", 1},
		"a large row":             {"t.seen.put('k', {json: 'x'.repeat(20000)})", "error", "TypeError: seen: a row has more than 16384 bytes", 1},
		"many rows":               {"for (let i = 0; ; i++) t.seen.put(i, {})", "error", "TypeError: more than 200 rows are changed", 1},
		"many questions":          {"for (let i = 0; ; i++) t.seen.get(i)", "error", "TypeError: seen: more than 1000 rows are asked for", 1},
		"no table":                {"t.none.get('k')", "error", "TypeError: Cannot read property 'get' of undefined or null", 1},
		"no zone":                 {"zoned(e.at, 'Local')", "error", "TypeError: zoned: there is no time zone Local", 1},
		"a getter that throws":    {"t.seen.put('k', {get n() { throw 'got' }})", "error", "got", 1},
		"a getter that spins":     {"t.seen.put('k', {get n() { while (true); }})", "time", "it took too long", 1},
		"an endless loop":         {"\n\nwhile (true) { e.n = 1 }", "time", "it took too long", 3},
		"an endless wait":         {"throw {toString() { while (true); }}", "", "", 0},
		"deep recursion":          {"(function f() { f() })()", "error", "calls within calls within calls: more than can be", 1},
		"a long string at once":   {"'x'.repeat(2**30)", "error", "TypeError: a string of 1073741824 characters is too long", 1},
		"padding":                 {"'x'.padEnd(2**30)", "error", "TypeError: a string of 1073741824 characters is too long", 1},
		"a loop inside":           {"Array.prototype.indexOf.call({length: 2**53 - 1}, 1)", "killed", "it took too long, at something that cannot be interrupted", 0},
		"memory at once":          {"new Uint8Array(2**30).fill(1)", "killed", "it took more than 512 MB of memory", 0},
		"a backtracking pattern":  {"/^(?=(a+)+$)(a+)+$/.test('a'.repeat(40) + 'b')", "", "", 0},
		"deep JSON":               {"JSON.parse('['.repeat(3e6))", "", "", 0},
		"a proxy that never ends": {"t.seen.put('k', new Proxy({}, {ownKeys() { while (true); }}))", "time", "it took too long", 1},
	} {
		t.Run(name, func(t *testing.T) {
			script := "function apply(e, t) { if (!e.data.bad) { t.other.put('fine', {n: e.position}); return };" + tt.script + "\n}"
			rep, err := pool.Run(t.Context(), definition(script), events(`{}`, `{}`, `{"bad":true}`, `{}`), nothing)
			if err != nil || rep.Failure == nil || rep.Applied != 2 {
				t.Fatalf("%+v, %v", rep, err)
			}
			f := rep.Failure
			if tt.kind != "" && f.Kind != tt.kind || tt.message != "" && f.Message != tt.message || tt.line != 0 && f.Line != tt.line {
				t.Errorf("failure %+v", f)
			}
			if diff := cmp.Diff([]string{`other/fine {"n":2}`}, rowsOf(rep)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for script, want := range map[string]error{
		"function apply() {}":                                   nil,
		"const apply = () => 1":                                 nil,
		"var a, apply = function() {}":                          nil,
		"function fold() {}":                                    customview.ErrNoApply,
		"function apply() {":                                    customview.ErrScript,
		"with ({}) {}; function apply() {}":                     customview.ErrScript, // strict
		"const a = 1, a = 2; var apply = a;":                    customview.ErrScript,
		"function apply() {}\n//# sourceMappingURL=/etc/passwd": nil,
	} {
		if err := viewscript.Check(definition(script)); !errors.Is(err, want) {
			t.Errorf("%s: %v", script, err)
		}
	}
	err := viewscript.Check(definition("\n\nfunction apply( {}"))
	if err == nil || !strings.Contains(err.Error(), "the script is not understood: line 3, column 19: ") {
		t.Errorf("no line: %v", err)
	}
}

func TestLogged(t *testing.T) {
	pool := newPool(t, viewscript.Config{})
	rep, err := pool.Run(t.Context(), definition(`function apply(e) { console.log("n", e.position, {a: [1]}, undefined); for (;e.position == 3;) console.log("x".repeat(1000)) }`), events(`{}`, `{}`), nothing)
	if diff := cmp.Diff([]string{`n 1 {"a":[1]} undefined`, `n 2 {"a":[1]} undefined`}, rep.Logged); diff != "" || err != nil {
		t.Errorf("%v, logged (-want +got):\n%s", err, diff)
	}
}

// What the host cannot give is no failure of the script.
func TestRowsThatCannotBeRead(t *testing.T) {
	pool := newPool(t, viewscript.Config{})
	broken := errors.New("the database is away")
	_, err := pool.Run(t.Context(), definition(`function apply(e, t) { try { t.seen.get("k") } catch { } }`), events(`{}`), func(context.Context, string, string) (json.RawMessage, error) {
		return nil, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// Who stops waiting gets the process back at once.
func TestCancel(t *testing.T) {
	pool := newPool(t, viewscript.Config{Processes: 1, Limit: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := pool.Run(ctx, definition(`function apply(e, t) { t.seen.get("k"); while (true); }`), events(`{}`), func(context.Context, string, string) (json.RawMessage, error) {
		cancel()
		return nil, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if rep, err := pool.Run(t.Context(), definition(`function apply() {}`), events(`{}`), nothing); err != nil || rep.Applied != 1 {
		t.Errorf("afterwards: %+v, %v", rep, err)
	}
}

func TestIdleProcessesEnd(t *testing.T) {
	pool := newPool(t, viewscript.Config{Idle: time.Millisecond})
	for range 20 {
		if rep, err := pool.Run(t.Context(), definition(`function apply() {}`), events(`{}`), nothing); err != nil || rep.Applied != 1 {
			t.Fatalf("%+v, %v", rep, err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	pool := newPool(b, viewscript.Config{})
	d := definition(`function apply(e, t) { const r = t.seen.get(e.data.k) ?? {n: 0}; r.n++; t.seen.put(e.data.k, r) }`)
	var data []string
	for i := range 500 {
		data = append(data, fmt.Sprintf(`{"k":"%d","text":"how much is it, and when will it be here?","lines":[1,2,3]}`, i%50))
	}
	batch := events(data...)
	b.ResetTimer()
	n := 0
	for b.Loop() {
		if _, err := pool.Run(b.Context(), d, batch, nothing); err != nil {
			b.Fatal(err)
		}
		n += len(batch)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
