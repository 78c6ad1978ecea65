package viewscript

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/chatledger/chatledger/domain/customview"
)

// maxSafe is the largest integer that a script can tell from its neighbours.
const maxSafe = 1<<53 - 1

func (w *world) failf(format string, args ...any) {
	panic(w.vm.NewTypeError(append([]any{format}, args...)...))
}

// key returns the key that a script names.
func (w *world) key(t customview.Table, v goja.Value) rowKey {
	switch plain(v).(type) {
	case string, int64, float64:
	default:
		w.failf("%s: a key is text or a number", t.Name)
	}
	s := v.String()
	if s == "" || len(s) > MaxKey || strings.ContainsRune(s, 0) {
		w.failf("%s: a key has 1 to %d bytes, none of them NUL", t.Name, MaxKey)
	}
	return rowKey{t.Name, s}
}

func (w *world) getRow(t customview.Table, c goja.FunctionCall) goja.Value {
	k := w.key(t, c.Argument(0))
	data, known := w.rows[k]
	if !known {
		if w.gets++; w.gets > MaxGets {
			w.failf("%s: more than %d rows are asked for", t.Name, MaxGets)
		}
		var err error
		if data, err = w.get(t.Name, k.key); err != nil {
			w.broken = err
			w.vm.Interrupt("broken")
			return goja.Undefined()
		}
	}
	if data == nil {
		return goja.Undefined()
	}
	row, err := w.parse(goja.Undefined(), w.vm.ToValue(string(data)))
	if err != nil {
		panic(err)
	}
	return row
}

func (w *world) deleteRow(t customview.Table, c goja.FunctionCall) goja.Value {
	w.touch(w.key(t, c.Argument(0)), nil)
	return goja.Undefined()
}

func (w *world) putRow(t customview.Table, c goja.FunctionCall) goja.Value {
	k := w.key(t, c.Argument(0))
	row, ok := c.Argument(1).(*goja.Object)
	if !ok {
		w.failf("%s: put takes a key and a row", t.Name)
	}
	for _, name := range row.Keys() {
		if name != t.Key && !hasColumn(t, name) {
			w.failf("%s has no column %s", t.Name, brief(name))
		}
	}
	if v := row.Get(t.Key); v != nil && !goja.IsUndefined(v) && v.String() != k.key {
		w.failf("%s: the row says that its key is another", t.Name)
	}
	b := []byte{'{'}
	for i, col := range t.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, col.Name), ':')
		b = w.value(b, t, col, row.Get(col.Name))
		if len(b) > MaxRow {
			w.failf("%s: a row has more than %d bytes", t.Name, MaxRow)
		}
	}
	w.touch(k, append(b, '}'))
	return goja.Undefined()
}

func (w *world) touch(k rowKey, data json.RawMessage) {
	if _, known := w.rows[k]; !known {
		if len(w.order) >= MaxTouched {
			w.failf("more than %d rows are changed", MaxTouched)
		}
		w.order = append(w.order, k)
	}
	w.rows[k] = data
}

func hasColumn(t customview.Table, name string) bool {
	for _, c := range t.Columns {
		if c.Name == name {
			return true
		}
	}
	return false
}

// value appends the JSON of what a script put into a column.
func (w *world) value(b []byte, t customview.Table, col customview.Column, v goja.Value) []byte {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return append(b, "null"...)
	}
	want := func(what string) {
		w.failf("%s.%s: want %s, got %s", t.Name, col.Name, what, brief(w.shown(v)))
	}
	switch col.Type {
	case customview.Text:
		s, ok := plain(v).(string)
		if !ok {
			want("text")
		}
		if len(s) > MaxRow {
			w.failf("%s: a row has more than %d bytes", t.Name, MaxRow)
		}
		return appendJSON(b, s)
	case customview.Integer:
		n, ok := numberOf(v)
		if !ok || n != math.Trunc(n) || math.Abs(n) > maxSafe {
			want("a whole number")
		}
		return strconv.AppendInt(b, int64(n), 10)
	case customview.Number:
		n, ok := numberOf(v)
		if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
			want("a number")
		}
		return appendJSON(b, n)
	case customview.Boolean:
		yes, ok := plain(v).(bool)
		if !ok {
			want("true or false")
		}
		return strconv.AppendBool(b, yes)
	case customview.Time:
		s, _ := plain(v).(string)
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
			want("a time as 2026-01-31T12:00:00Z")
		}
		return appendJSON(b, at.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
	case customview.JSON:
		s, err := w.stringify(goja.Undefined(), v)
		if err != nil {
			panic(err)
		}
		if goja.IsUndefined(s) { // a function, say
			return append(b, "null"...)
		}
		return append(b, s.String()...)
	}
	w.failf("%s.%s: there is no type %s", t.Name, col.Name, col.Type)
	return b
}

// plain returns what v is in Go, nil for an object: to export that would run what is
// in it.
func plain(v goja.Value) any {
	if _, isObject := v.(*goja.Object); isObject {
		return nil
	}
	return v.Export()
}

func appendJSON(b []byte, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // text and finite numbers can all be encoded
	}
	return append(b, data...)
}

func numberOf(v goja.Value) (float64, bool) {
	switch n := plain(v).(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// zoned returns what a clock on the wall shows in a time zone, when it is at: zoned(event.at,
// "Europe/Berlin").
func (w *world) zoned(c goja.FunctionCall) goja.Value {
	at, err := time.Parse(time.RFC3339Nano, c.Argument(0).String())
	if err != nil {
		w.failf("zoned: %s is no time", brief(c.Argument(0).String()))
	}
	name := "UTC"
	if z := c.Argument(1); !goja.IsUndefined(z) {
		name = z.String()
	}
	zone := w.zones[name]
	if zone == nil {
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			w.failf("zoned: there is no time zone %s", brief(name))
		}
		w.zones[name] = zone
	}
	at = at.In(zone)
	weekday := int(at.Weekday())
	if weekday == 0 {
		weekday = 7 // ISO 8601
	}
	out := w.vm.NewObject()
	for _, f := range []struct {
		name  string
		value any
	}{
		{"date", at.Format(time.DateOnly)},
		{"time", at.Format(time.TimeOnly)},
		{"year", at.Year()},
		{"month", int(at.Month())},
		{"day", at.Day()},
		{"hour", at.Hour()},
		{"minute", at.Minute()},
		{"weekday", weekday},
	} {
		if err := out.Set(f.name, f.value); err != nil {
			panic(err)
		}
	}
	return out
}
