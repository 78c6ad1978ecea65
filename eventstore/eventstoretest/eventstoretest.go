// Package eventstoretest checks that a driver keeps the promises of
// eventstore.Store. Every driver's test is a call to Run and, if it outlives the
// process, one to RunDurable. It knows no driver and must not import one.
package eventstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// Promise is one that a driver keeps beyond the contract.
type Promise string

// Dense says that positions are 1, 2, 3 … without holes.
const Dense Promise = "dense positions"

// Opener returns a new, empty store whose clock is the real one, and closes it
// with t.Cleanup. The store has a method Close, with or without an error, that
// may be called twice.
type Opener func(t testing.TB) eventstore.Store

// deadline bounds each subtest, so that a promise broken by waiting forever is
// an error and not a hanging run.
const deadline = time.Minute

// Run runs the suite: one subtest for each promise, each on a store of its own.
func Run(t *testing.T, open Opener, also ...Promise) {
	for _, tests := range [][]test{appendTests, streamTests, allTests, followTests, lifeTests} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				tt.run(&suite{T: t, open: open, dense: slices.Contains(also, Dense)}, open(t))
			})
		}
	}
}

type test struct {
	name string
	run  func(*suite, eventstore.Store)
}

// suite is a testing.T with the store's vocabulary.
type suite struct {
	*testing.T
	open  Opener
	dense bool
}

func (t *suite) ctx() context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// event returns a new event whose bytes a driver must keep exactly as they are.
func event(typ string) eventstore.Event {
	id := uuid.New()
	return eventstore.Event{
		ID:   id,
		Type: typ,
		Data: fmt.Appendf(nil, `{ "z":1,  "a":"olá 👋 \" \\ %s", "z":2 }`, id),
		Meta: fmt.Appendf(nil, `{"workspace":"acme","command_id":"%s"}`, id),
	}
}

func events(n int) []eventstore.Event {
	es := make([]eventstore.Event, n)
	for i := range es {
		es[i] = event("test.happened.v1")
	}
	return es
}

// append adds events and fails the test if it cannot.
func (t *suite) append(s eventstore.Store, stream string, want eventstore.Revision, events ...eventstore.Event) eventstore.Result {
	t.Helper()
	res, err := s.Append(t.ctx(), stream, want, events...)
	if err != nil {
		t.Fatalf("Append to %s at %d: %v", stream, want, err)
	}
	return res
}

// conflict appends events, which must be refused with got as the actual revision.
func (t *suite) conflict(s eventstore.Store, stream string, want, got eventstore.Revision, events ...eventstore.Event) {
	t.Helper()
	res, err := s.Append(t.ctx(), stream, want, events...)
	var ce *eventstore.ConflictError
	if !errors.Is(err, eventstore.ErrConflict) || !errors.As(err, &ce) {
		t.Fatalf("Append to %s at %d = %+v, %v; want a *ConflictError", stream, want, res, err)
	}
	if *ce != (eventstore.ConflictError{Stream: stream, Want: want, Got: got}) {
		t.Fatalf("Append to %s at %d: conflict %+v; want Got %d", stream, want, *ce, got)
	}
}

// read returns what seq yields and fails the test if that ends with an error.
func (t *suite) read(seq iter.Seq2[eventstore.Recorded, error]) []eventstore.Recorded {
	t.Helper()
	var all []eventstore.Recorded
	for r, err := range seq {
		if err != nil {
			t.Fatalf("after %d events: %v", len(all), err)
		}
		all = append(all, r)
	}
	return all
}

func (t *suite) stream(s eventstore.Store, name string) []eventstore.Recorded {
	t.Helper()
	return t.read(s.ReadStream(t.ctx(), name, eventstore.StreamQuery{}))
}

func (t *suite) all(s eventstore.Store) []eventstore.Recorded {
	t.Helper()
	return t.read(s.ReadAll(t.ctx(), eventstore.AllQuery{}))
}

func (t *suite) head(s eventstore.Store) eventstore.Head {
	t.Helper()
	h, err := s.Head(t.ctx())
	if err != nil {
		t.Fatalf("Head: %v", err)
	}
	return h
}

// fails checks that seq yields one error, a zero Recorded with it, as its last
// pair, and that the error matches want.
func (t *suite) fails(seq iter.Seq2[eventstore.Recorded, error], want error) {
	t.Helper()
	var last error
	for r, err := range seq {
		if last != nil {
			t.Errorf("a pair after the error: %+v, %v", r, err)
			return
		}
		if err != nil && (r.ID != uuid.Nil || r.Stream != "" || r.Position != 0) {
			t.Errorf("error with %+v; want the zero Recorded", r)
		}
		last = err
	}
	if last == nil || want != nil && !errors.Is(last, want) {
		t.Errorf("the sequence ended with %v; want %v", last, want)
	}
}

// same checks that got are the events of want, in order.
func (t *suite) same(got []eventstore.Recorded, want ...eventstore.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d events; want %d\n%s", len(got), len(want), brief(got))
	}
	for i, r := range got {
		e := want[i]
		if r.ID != e.ID || r.Type != e.Type || !bytes.Equal(r.Data, e.Data) || !bytes.Equal(r.Meta, e.Meta) {
			t.Fatalf("event %d is %s %s with %d and %d bytes; want %s %s with %d and %d", i,
				r.Type, r.ID, len(r.Data), len(r.Meta), e.Type, e.ID, len(e.Data), len(e.Meta))
		}
	}
}

// equal checks that two reads saw the same.
func (t *suite) equal(got, want []eventstore.Recorded) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d events; want %d\n%s\n%s", len(got), len(want), brief(got), brief(want))
	}
	for i, g := range got {
		w := want[i]
		if g.ID != w.ID || g.Type != w.Type || g.Stream != w.Stream || g.Revision != w.Revision || g.Position != w.Position ||
			!g.Time.Equal(w.Time) || !bytes.Equal(g.Data, w.Data) || !bytes.Equal(g.Meta, w.Meta) {
			t.Fatalf("event %d is %s; want %s", i, brief([]eventstore.Recorded{g}), brief([]eventstore.Recorded{w}))
		}
	}
}

// ordered checks that positions grow and revisions are dense, and positions too
// if the driver promises it. got must be the whole log.
func (t *suite) ordered(got []eventstore.Recorded) {
	t.Helper()
	next := map[string]eventstore.Revision{}
	var last eventstore.Position
	for _, r := range got {
		if r.Position <= last || t.dense && r.Position != last+1 {
			t.Fatalf("%s@%d is at position %d after position %d", r.Stream, r.Revision, r.Position, last)
		}
		if r.Revision != next[r.Stream] {
			t.Fatalf("position %d is %s@%d; want revision %d", r.Position, r.Stream, r.Revision, next[r.Stream])
		}
		last = r.Position
		next[r.Stream]++
	}
}

func reversed(got []eventstore.Recorded) []eventstore.Recorded {
	got = slices.Clone(got)
	slices.Reverse(got)
	return got
}

func brief(got []eventstore.Recorded) string {
	var b bytes.Buffer
	for i, r := range got {
		if i == 20 {
			fmt.Fprintf(&b, "… and %d more", len(got)-i)
			break
		}
		fmt.Fprintf(&b, "[%d %s@%d %s %s] ", r.Position, r.Stream, r.Revision, r.Type, r.ID)
	}
	return b.String()
}

// closeStore closes s, whichever kind of Close it has.
func closeStore(t testing.TB, s eventstore.Store) {
	t.Helper()
	switch c := s.(type) {
	case interface{ Close() error }:
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	case interface{ Close() }:
		c.Close()
	default:
		t.Fatalf("%T has no Close", s)
	}
}
