// Package domaintest checks decisions: given a past, when a command comes, then
// these events or this refusal. It is for tests only and uses nothing but the
// standard library, as the domain does.
package domaintest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/fault"
)

// Event is a fact of any aggregate.
type Event interface{ EventType() string }

// Command turns a state into new events, or refuses.
type Command[S, E any] interface {
	Decide(S) ([]E, error)
}

// Case is one decision. Without Then and Err, nothing is to happen.
type Case[S any, E Event] struct {
	Name  string
	Given []E
	When  Command[S, E]
	Then  []E
	Err   *fault.Error
	Anew  bool // each repeat is an event again: repeats are told by command id
}

// Run decides each case. Besides what the case says, it checks that Decide left
// the state alone, and that the command, repeated, changes nothing.
func Run[S any, E Event](t *testing.T, evolve func(S, E) S, cases []Case[S, E]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Helper()
			s := Fold(evolve, c.Given)
			got, err := c.When.Decide(s)
			if c.Err == nil && err != nil || c.Err != nil && !errors.Is(err, c.Err) {
				t.Fatalf("refusal = %v, want %v", err, c.Err)
			}
			if c.Err != nil {
				if e := new(fault.Error); !errors.As(err, &e) || e.Kind != c.Err.Kind || e.Field != c.Err.Field {
					t.Errorf("refusal = %#v, want the kind and field of %#v", e, c.Err)
				}
			}
			if !reflect.DeepEqual(c.Then, got) {
				t.Errorf("events = %s\nwant     %s", Print(got), Print(c.Then))
			}
			if again := Fold(evolve, c.Given); !reflect.DeepEqual(s, again) {
				t.Errorf("Decide changed the state to %+v, from %+v", s, again)
			}
			if c.Err == nil && !c.Anew {
				Repeat(t, evolve, s, got, c.When)
			}
		})
	}
}

// TB is the part of testing.TB that property tests have as well.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Do applies a command to s, and checks that a repeat adds no event. A refused
// command leaves s as it is.
func Do[S any, E Event](t TB, evolve func(S, E) S, s S, c Command[S, E]) S {
	t.Helper()
	events, err := c.Decide(s)
	if err != nil {
		if e := new(fault.Error); !errors.As(err, &e) || len(events) > 0 {
			t.Fatalf("%#v: events %s and error %v, want a fault and nothing else", c, Print(events), err)
		}
		return s
	}
	return Repeat(t, evolve, s, events, c)
}

// Repeat returns the state after events, which c made of s. It checks that c
// makes no more of that, be it that it changes nothing or that it is refused.
func Repeat[S any, E Event](t TB, evolve func(S, E) S, s S, events []E, c Command[S, E]) S {
	t.Helper()
	for _, e := range events {
		s = evolve(s, e)
	}
	if again, _ := c.Decide(s); len(again) > 0 {
		t.Fatalf("%#v, repeated, made %s", c, Print(again))
	}
	return s
}

// Fold returns the state that the events lead to.
func Fold[S any, E Event](evolve func(S, E) S, events []E) (s S) {
	for _, e := range events {
		s = evolve(s, e)
	}
	return s
}

// Print returns events as people can compare them.
func Print[E Event](events []E) string {
	var b strings.Builder
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			data = []byte(err.Error())
		}
		b.WriteString("\n\t" + e.EventType() + " " + string(data))
	}
	return b.String()
}

var published = regexp.MustCompile(`^[a-z]+\.[a-z]+(_[a-z]+)*\.v[1-9][0-9]*$`)

// Catalogue checks that events are all the events of the package in the present
// directory, each once and under a name of its own.
func Catalogue[E Event](t *testing.T, events []E) {
	t.Helper()
	listed := map[string]bool{}
	names := map[string]bool{}
	for _, e := range events {
		listed[reflect.TypeOf(e).Name()] = true
		name := e.EventType()
		if names[name] {
			t.Errorf("two events are named %s", name)
		}
		names[name] = true
		if !published.MatchString(name) {
			t.Errorf("%q is not a name such as chat.assigned.v1", name)
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "apply" {
			continue
		}
		name := fn.Recv.List[0].Type.(*ast.Ident).Name
		declared = append(declared, name)
		if !listed[name] {
			t.Errorf("Events lacks %s", name)
		}
	}
	for name := range listed {
		if !slices.Contains(declared, name) {
			t.Errorf("%s is in Events, but has no apply in events.go", name)
		}
	}
}
