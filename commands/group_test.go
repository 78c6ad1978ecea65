package commands_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// makeGroup makes a group by a filter, or of named contacts.
func (w world) makeGroup(o commands.Origin, id group.ID, named ...string) commands.Result {
	w.Helper()
	c := group.Create{Group: id, Name: "Group " + string(id), Kind: group.Static, Named: len(named) > 0, By: "sue"}
	if !c.Named {
		c.Filter = []byte(`{}`)
	}
	return w.ok(w.Groups.Create(w.Context(), o, c, named))
}

// choose makes the choice that was asked for last.
func (w world) choose(id group.ID) {
	w.Helper()
	s, err := w.Groups.Look(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	w.ok(w.Groups.Choose(w.Context(), system(), id, members.Choose{Choice: s.Choice, IDs: []string{"c1"}}))
}

func (w world) rename(o commands.Origin, id group.ID, name string) (commands.Result, error) {
	return w.Groups.Change(w.Context(), o, id, group.Rename{Group: id, Name: name}.Decide)
}

func (w world) refresh(o commands.Origin, id group.ID, named ...string) (commands.Result, error) {
	return w.Groups.Refresh(w.Context(), o, id, members.Request{IDs: named, By: "sue"})
}

func matching(r commands.Result) commands.Origin {
	o := by("sue")
	o.IfMatch = &r.Revision
	return o
}

// The revision that one change of a group answers with is good for the next, whatever
// that changes: the members that are chosen as was asked for and other groups do not
// matter.
func TestRevisionOfAGroup(t *testing.T) {
	w := newWorld(t)
	w.makeGroup(by("sue"), "other")
	r := w.makeGroup(by("sue"), "g")
	if r.ID != "g" || r.Revision != 0 || !r.Changed {
		t.Errorf("made: %+v", r)
	}
	w.ok(w.refresh(system(), "g")) // as is done for each that is made
	w.choose("g")
	steps := []func(commands.Origin) (commands.Result, error){
		func(o commands.Origin) (commands.Result, error) { return w.rename(o, "g", "one") },
		func(o commands.Origin) (commands.Result, error) { return w.refresh(o, "g") },
		func(o commands.Origin) (commands.Result, error) {
			w.choose("g")
			return w.Groups.Change(t.Context(), o, "g", group.SetFilter{Group: "g", Filter: []byte(`{"field":"city","op":"eq","value":"Rome"}`), By: "sue"}.Decide)
		},
		func(o commands.Origin) (commands.Result, error) { return w.refresh(o, "g") },
		func(o commands.Origin) (commands.Result, error) {
			w.choose("g")
			return w.refresh(o, "g")
		},
		func(o commands.Origin) (commands.Result, error) { return w.rename(o, "g", "two") },
	}
	first := r
	for i, step := range steps {
		w.ok(w.rename(by("ann"), "other", fmt.Sprint("others ", i)))
		r = w.ok(step(matching(r)))
		if r.ID != "g" || r.Revision != eventstore.Revision(i+1) || !r.Changed {
			t.Errorf("step %d: %+v", i, r)
		}
	}
	if again := w.ok(w.rename(matching(r), "g", "two")); again.ID != "g" || again.Revision != r.Revision || again.Changed {
		t.Errorf("the name that it has: %+v", again)
	}

	for name, do := range map[string]func() (commands.Result, error){
		"rename":  func() (commands.Result, error) { return w.rename(matching(first), "g", "three") },
		"refresh": func() (commands.Result, error) { return w.refresh(matching(first), "g") },
		"delete": func() (commands.Result, error) {
			return w.Groups.Delete(t.Context(), matching(first), group.Delete{Group: "g", By: "sue"})
		},
	} {
		_, err := do()
		stale, ok := errors.AsType[*commands.Stale](err)
		if !ok || stale.Got != r.Revision || stale.Want != 0 || len(stale.Since) != len(steps) {
			t.Fatalf("%s: %v, %+v", name, err, stale)
		}
		want := []string{"group.renamed.v1", "members.requested.v1", "group.filter_set.v1", "members.requested.v1", "members.requested.v1", "group.renamed.v1"}
		for i, e := range stale.Since {
			if e.Type != want[i] || e.Revision != eventstore.Revision(i+1) {
				t.Errorf("%s: since %d: %s at %d, want %s", name, i, e.Type, e.Revision, want[i])
			}
		}
	}
	ahead := r
	ahead.Revision += 7
	if stale, ok := errors.AsType[*commands.Stale](second(w.rename(matching(ahead), "g", "x"))); !ok || len(stale.Since) != 0 {
		t.Errorf("a revision to come: %+v", stale)
	}

	gone := w.ok(w.Groups.Delete(t.Context(), matching(r), group.Delete{Group: "g", By: "sue"}))
	if gone.Revision != r.Revision+1 {
		t.Errorf("deleted: %+v", gone)
	}
	if _, err := w.rename(matching(r), "g", "x"); !errors.Is(err, group.ErrNotFound) {
		t.Errorf("renamed after its end: %v", err)
	}
	if _, err := w.refresh(matching(r), "none"); !errors.Is(err, group.ErrNotFound) {
		t.Errorf("refresh of none: %v", err)
	}
}

func second(_ commands.Result, err error) error { return err }

// Members that are named with the group are no change of it; those named later are.
func TestRevisionOfNamedMembers(t *testing.T) {
	w := newWorld(t)
	r := w.makeGroup(keyed("sue", "make", "{}"), "g", "c1", "c2")
	w.choose("g")
	put := w.ok(w.refresh(matching(r), "g", "c2"))
	if r.Revision != 0 || put.Revision != 1 {
		t.Errorf("made at %d, named anew at %d", r.Revision, put.Revision)
	}
	if stale, ok := errors.AsType[*commands.Stale](second(w.refresh(matching(r), "g", "c3"))); !ok || stale.Got != 1 {
		t.Errorf("by an old revision: %+v", stale)
	}
	w.choose("g")
	w.ok(w.rename(matching(put), "g", "named"))
}

// A repeat gets the first revision, however often the group was changed since, also if
// there was nothing to do.
func TestRepeatedChangesOfAGroup(t *testing.T) {
	w := newWorld(t)
	w.makeGroup(keyed("sue", "make", "{}"), "g")
	w.ok(w.refresh(system(), "g"))
	w.choose("g")
	w.ok(w.refresh(by("sue"), "g"))
	nothing := w.ok(w.rename(keyed("sue", "nothing", "{}"), "g", "Group g"))
	renamed := w.ok(w.rename(keyed("sue", "rename", "{}"), "g", "one"))
	w.choose("g")
	asked := w.ok(w.refresh(keyed("sue", "refresh", "{}"), "g"))
	w.choose("g")
	w.ok(w.rename(by("sue"), "g", "two"))
	w.ok(w.refresh(by("sue"), "g"))

	again := []commands.Result{
		w.makeGroup(keyed("sue", "make", "{}"), "g"),
		w.ok(w.rename(keyed("sue", "nothing", "{}"), "g", "Group g")),
		w.ok(w.rename(keyed("sue", "rename", "{}"), "g", "one")),
		w.ok(w.refresh(keyed("sue", "refresh", "{}"), "g")),
	}
	for i, want := range []eventstore.Revision{0, 1, 2, 3} {
		if again[i].Revision != want {
			t.Errorf("repeat %d: revision %d, want %d", i, again[i].Revision, want)
		}
	}
	if nothing != again[1] || renamed != again[2] || asked != again[3] {
		t.Errorf("first %+v %+v %+v, again %+v", nothing, renamed, asked, again[1:])
	}
}

// Those who change the name and those who change the members do not wait for each
// other for ever, and of those who have seen the same revision one is first.
func TestAGroupIsChangedByMany(t *testing.T) {
	w := newWorld(t)
	r := w.makeGroup(by("sue"), "g")
	w.ok(w.refresh(system(), "g"))
	w.choose("g")
	var wait sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		wait.Go(func() {
			o := matching(r)
			if i%2 == 0 {
				_, errs[i] = w.rename(o, "g", fmt.Sprint("name ", i))
			} else {
				o.Command = ids.Command("test", fmt.Sprint(i))
				_, errs[i] = w.refresh(o, "g")
			}
		})
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("they wait for each other")
	}
	passed := [2]int{}
	for i, err := range errs {
		_, stale := errors.AsType[*commands.Stale](err)
		switch {
		case err == nil:
			passed[i%2]++
		case !stale && !errors.Is(err, members.ErrPending):
			t.Error(err)
		}
	}
	if passed[0] > 1 || passed[1] > 1 || passed[0]+passed[1] == 0 {
		t.Errorf("%d renamed it and %d refreshed it, by the same revision", passed[0], passed[1])
	}
}
