package viewscript

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/chatledger/chatledger/domain/customview"
)

// machine runs one script, each event in a world of its own: what a script leaves in a
// global, or does to a prototype, is gone with the event. So rows depend on events and
// rows alone, wherever batches are cut and however often the building is resumed.
type machine struct {
	program *goja.Program
	tables  []customview.Table
	limit   time.Duration // for an event, but for what it waits for rows
	now     func() time.Time
	zones   map[string]*time.Location
}

func newMachine(d customview.Definition, limit time.Duration, now func() time.Time) (*machine, error) {
	p, err := compile(d.Script)
	if err != nil {
		return nil, err
	}
	return &machine{p, d.Tables, limit, now, map[string]*time.Location{}}, nil
}

// world is one event's: its runtime, and what the script has done so far.
type world struct {
	*machine
	vm        *goja.Runtime
	parse     goja.Callable
	stringify goja.Callable
	get       func(table, key string) (json.RawMessage, error)
	rows      map[rowKey]json.RawMessage // put or deleted
	order     []rowKey
	gets      int
	logged    []string
	broken    error // get's: no fault of the script
}

type rowKey struct{ table, key string }

// run gives the script an event. It returns the rows that it put or deleted, what it
// logged, and why it failed, if it did: then there are no rows. An error is get's.
func (m *machine) run(e Event, get func(table, key string) (json.RawMessage, error)) (rows []Row, logged []string, failure *Failure, err error) {
	w := &world{machine: m, vm: goja.New(), rows: map[rowKey]json.RawMessage{}}
	left, since := m.limit, m.now()
	timer := time.AfterFunc(left, func() { w.vm.Interrupt(Slow) })
	defer timer.Stop()
	w.get = func(table, key string) (json.RawMessage, error) {
		timer.Stop()
		left -= m.now().Sub(since)
		data, err := get(table, key)
		since = m.now()
		timer.Reset(left)
		return data, err
	}
	failure = w.apply(e)
	switch {
	case w.broken != nil:
		return nil, nil, nil, w.broken
	case failure != nil:
		return nil, w.logged, failure, nil
	}
	for _, k := range w.order {
		rows = append(rows, Row{k.table, k.key, w.rows[k]})
	}
	return rows, w.logged, nil, nil
}

func (w *world) apply(e Event) (failure *Failure) {
	defer func() {
		// A fault of the interpreter, or an interruption while it tells what was thrown.
		if r := recover(); r != nil {
			failure = &Failure{Kind: Threw, Message: brief(fmt.Sprint(r))}
		}
	}()
	data, err := json.Marshal(e)
	if err != nil {
		return &Failure{Kind: Threw, Message: brief(err.Error())}
	}
	at, err := time.Parse(time.RFC3339Nano, e.At)
	if err != nil {
		return &Failure{Kind: Threw, Message: brief(err.Error())}
	}
	tables, err := w.furnish(at)
	if err != nil {
		return failureOf(err)
	}
	event, err := w.parse(goja.Undefined(), w.vm.ToValue(string(data)))
	if err != nil {
		return failureOf(err)
	}
	if _, err := w.vm.RunProgram(w.program); err != nil {
		return failureOf(err)
	}
	apply, ok := goja.AssertFunction(w.vm.Get("apply"))
	if !ok {
		return &Failure{Kind: Threw, Message: "apply is no function"}
	}
	if _, err := apply(goja.Undefined(), event, tables); err != nil {
		return failureOf(err)
	}
	return nil
}

// furnish makes the world pure, and returns the tables for the script. What it takes for
// the present is when the event was.
func (w *world) furnish(at time.Time) (*goja.Object, error) {
	w.vm.SetMaxCallStackSize(maxDepth)
	w.vm.SetTimeSource(func() time.Time { return at })
	w.vm.SetRandSource(func() float64 { panic(w.vm.NewTypeError("a view leaves nothing to chance: there is no Math.random")) })
	global := w.vm.GlobalObject()
	if err := w.boundStrings(); err != nil {
		return nil, err
	}
	jsonObject := global.Get("JSON").ToObject(w.vm)
	w.parse, _ = goja.AssertFunction(jsonObject.Get("parse"))
	w.stringify, _ = goja.AssertFunction(jsonObject.Get("stringify"))
	if w.parse == nil || w.stringify == nil {
		return nil, errors.New("viewscript: the interpreter has no JSON")
	}
	console := w.vm.NewObject()
	if err := errors.Join(
		global.Set("zoned", w.zoned),
		console.Set("log", w.log),
		global.Set("console", console),
	); err != nil {
		return nil, err
	}
	tables := w.vm.NewObject()
	for _, t := range w.tables {
		o := w.vm.NewObject()
		if err := errors.Join(
			o.Set("get", func(c goja.FunctionCall) goja.Value { return w.getRow(t, c) }),
			o.Set("put", func(c goja.FunctionCall) goja.Value { return w.putRow(t, c) }),
			o.Set("delete", func(c goja.FunctionCall) goja.Value { return w.deleteRow(t, c) }),
			tables.Set(t.Name, o),
		); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// boundStrings has the functions that make long strings at once throw instead, which
// names the line. Longer ways end at the memory that the process may have.
func (w *world) boundStrings() error {
	proto := w.vm.Get("String").ToObject(w.vm).Get("prototype").ToObject(w.vm)
	for _, name := range []string{"repeat", "padStart", "padEnd"} {
		original, ok := goja.AssertFunction(proto.Get(name))
		if !ok {
			return fmt.Errorf("viewscript: strings cannot %s", name)
		}
		err := proto.Set(name, func(c goja.FunctionCall) goja.Value {
			n := c.Argument(0).ToFloat()
			if name == "repeat" {
				n *= float64(len(c.This.String()))
			}
			if n > maxString {
				panic(w.vm.NewTypeError("a string of %.0f characters is too long", n))
			}
			v, err := original(c.This, c.Arguments...)
			if err != nil {
				panic(err)
			}
			return v
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) log(c goja.FunctionCall) goja.Value {
	if len(w.logged) < maxLogged {
		var line strings.Builder
		for i, a := range c.Arguments {
			if i > 0 {
				line.WriteByte(' ')
			}
			line.WriteString(w.shown(a))
			if line.Len() > maxMessage {
				break
			}
		}
		w.logged = append(w.logged, brief(line.String()))
	}
	return goja.Undefined()
}

// shown returns a value as console.log shows it.
func (w *world) shown(v goja.Value) string {
	if _, isObject := v.(*goja.Object); isObject {
		if s, err := w.stringify(goja.Undefined(), v); err == nil && !goja.IsUndefined(s) {
			return s.String()
		}
	}
	return v.String()
}

// failureOf makes a Failure of what the interpreter returned.
func failureOf(err error) *Failure {
	f := &Failure{Kind: Threw, Message: brief(err.Error())}
	var stack []goja.StackFrame
	if in, ok := errors.AsType[*goja.InterruptedError](err); ok {
		f.Kind, f.Message, stack = Slow, "it took too long", in.Stack()
	} else if over, ok := errors.AsType[*goja.StackOverflowError](err); ok {
		f.Message, stack = "calls within calls within calls: more than can be", over.Stack()
	} else if ex, ok := errors.AsType[*goja.Exception](err); ok {
		f.Message, stack = brief(ex.Value().String()), ex.Stack()
	}
	for i := range stack {
		if at := stack[i].Position(); at.Filename == fileName || stack[i].SrcName() == fileName {
			f.Line, f.Column = at.Line, at.Column
			break
		}
	}
	return f
}
