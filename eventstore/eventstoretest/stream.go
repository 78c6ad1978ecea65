package eventstoretest

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

var streamTests = []test{
	{"a stream that does not exist is empty", emptyStream},
	{"a stream is read from a revision, backwards, from an event, up to a limit", streamQueries},
	{"a long stream is read whole both ways", longStream},
	{"what was read belongs to the caller", readBelongsToCaller},
	{"a stream's sequence can be ranged twice and left early", streamTwice},
	{"a stream can be appended to while it is read", streamReentrant},
	{"a stream's read ends with its context's error", streamCancelled},
}

func emptyStream(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(1)...)
	for _, q := range []eventstore.StreamQuery{{}, {From: 3}, {Backwards: true}, {Limit: 1}, {Event: uuid.New()}} {
		if got := t.read(s.ReadStream(t.ctx(), "chat-2", q)); len(got) != 0 {
			t.Errorf("%+v: %s", q, brief(got))
		}
	}
}

func streamQueries(t *suite, s eventstore.Store) {
	es := events(10)
	t.append(s, "chat-1", eventstore.NoStream, es[:4]...)
	t.append(s, "chat-2", eventstore.NoStream, es...) // the same ids, elsewhere
	t.append(s, "chat-1", 3, es[4:]...)
	other := event("a")
	t.append(s, "chat-2", 9, other)
	for _, tt := range []struct {
		name        string
		q           eventstore.StreamQuery
		first, last int // indices of es, both included; 1, 0 is nothing
	}{
		{"all", eventstore.StreamQuery{}, 0, 9},
		{"from the middle", eventstore.StreamQuery{From: 4}, 4, 9},
		{"from the last", eventstore.StreamQuery{From: 9}, 9, 9},
		{"from behind the end", eventstore.StreamQuery{From: 10}, 1, 0},
		{"from far behind the end", eventstore.StreamQuery{From: 1 << 40}, 1, 0},
		{"from no stream", eventstore.StreamQuery{From: eventstore.NoStream}, 0, 9},
		{"limit", eventstore.StreamQuery{Limit: 3}, 0, 2},
		{"limit above", eventstore.StreamQuery{Limit: 30}, 0, 9},
		{"from and limit", eventstore.StreamQuery{From: 2, Limit: 3}, 2, 4},
		{"backwards", eventstore.StreamQuery{Backwards: true}, 9, 0},
		{"backwards ignores from", eventstore.StreamQuery{Backwards: true, From: 3}, 9, 0},
		{"the last two", eventstore.StreamQuery{Backwards: true, Limit: 2}, 9, 8},
		{"from an event", eventstore.StreamQuery{Event: es[6].ID}, 6, 9},
		{"from an event ignores from", eventstore.StreamQuery{Event: es[6].ID, From: 8}, 6, 9},
		{"from an event with a limit", eventstore.StreamQuery{Event: es[6].ID, Limit: 1}, 6, 6},
		{"from an event backwards", eventstore.StreamQuery{Event: es[2].ID, Backwards: true}, 2, 0},
		{"from an unknown event", eventstore.StreamQuery{Event: uuid.New()}, 1, 0},
		{"from an unknown event backwards", eventstore.StreamQuery{Event: uuid.New(), Backwards: true}, 1, 0},
		{"from another stream's event", eventstore.StreamQuery{Event: other.ID}, 1, 0},
	} {
		t.Run(tt.name, func(sub *testing.T) {
			t := &suite{T: sub}
			var want []eventstore.Event
			switch {
			case tt.q.Backwards:
				for i := tt.first; i >= tt.last && tt.first != 1; i-- {
					want = append(want, es[i])
				}
			default:
				for i := tt.first; i <= tt.last; i++ {
					want = append(want, es[i])
				}
			}
			got := t.read(s.ReadStream(t.ctx(), "chat-1", tt.q))
			t.same(got, want...)
			for _, r := range got {
				if r.Stream != "chat-1" || es[r.Revision].ID != r.ID {
					t.Errorf("event %s is %s@%d", r.ID, r.Stream, r.Revision)
				}
			}
		})
	}
}

func longStream(t *suite, s eventstore.Store) {
	var es []eventstore.Event
	for range 5 {
		page := events(700)
		t.append(s, "chat-1", eventstore.Revision(len(es)-1), page...)
		t.append(s, "chat-2", eventstore.Any, events(3)...)
		es = append(es, page...)
	}
	got := t.stream(s, "chat-1")
	t.same(got, es...)
	t.equal(reversed(t.read(s.ReadStream(t.ctx(), "chat-1", eventstore.StreamQuery{Backwards: true}))), got)
	t.equal(t.read(s.ReadStream(t.ctx(), "chat-1", eventstore.StreamQuery{From: 10, Limit: 2000})), got[10:2010])
	all := t.all(s)
	t.ordered(all)
	t.equal(reversed(t.read(s.ReadAll(t.ctx(), eventstore.AllQuery{Backwards: true}))), all)
	t.equal(t.read(s.ReadAll(t.ctx(), eventstore.AllQuery{Limit: 2000})), all[:2000])
}

func readBelongsToCaller(t *suite, s eventstore.Store) {
	es := events(3)
	t.append(s, "chat-1", eventstore.NoStream, es...)
	want := t.stream(s, "chat-1")
	for range 2 {
		for _, r := range append(t.stream(s, "chat-1"), t.all(s)...) {
			clear(r.Data)
			clear(r.Meta)
			_ = append(r.Data, "tail"...)
			_ = append(r.Meta, "tail"...)
		}
	}
	t.equal(t.stream(s, "chat-1"), want)
	t.equal(t.all(s), want)
}

func streamTwice(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(3)...)
	seq := s.ReadStream(t.ctx(), "chat-1", eventstore.StreamQuery{})
	for _, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if n := len(t.read(seq)); n != 3 {
		t.Errorf("the second range saw %d events; want 3", n)
	}
	t.append(s, "chat-1", 2, events(2)...)
	if n := len(t.read(seq)); n != 5 {
		t.Errorf("the third range saw %d events; want 5: it reads anew", n)
	}
}

func streamReentrant(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(5)...)
	seen := 0
	for r, err := range s.ReadStream(t.ctx(), "chat-1", eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Revision != eventstore.Revision(seen) {
			t.Fatalf("revision %d; want %d", r.Revision, seen)
		}
		if seen++; seen <= 5 {
			t.append(s, "chat-1", eventstore.Revision(3+seen), event("more"))
			if got := t.stream(s, "chat-1"); len(got) != 5+seen {
				t.Fatalf("%d events inside the loop; want %d", len(got), 5+seen)
			}
		}
	}
	if seen < 5 {
		t.Errorf("saw %d events; want 5 at least", seen)
	}
}

func streamCancelled(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(3)...)
	ctx, cancel := context.WithCancel(t.ctx())
	cancel()
	t.fails(s.ReadStream(ctx, "chat-1", eventstore.StreamQuery{}), context.Canceled)
	t.fails(s.ReadStream(ctx, "chat-1", eventstore.StreamQuery{Backwards: true}), context.Canceled)
	t.fails(s.ReadAll(ctx, eventstore.AllQuery{}), context.Canceled)
	t.fails(s.ReadAll(ctx, eventstore.AllQuery{Follow: true}), context.Canceled)
	if _, err := s.Head(ctx); err == nil {
		t.Error("Head with a cancelled context: no error")
	}
}
