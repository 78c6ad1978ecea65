package eventstoretest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

var allTests = []test{
	{"an empty log has no events and head 0", emptyLog},
	{"the log is read after a position, backwards, up to a limit", allQueries},
	{"the log is filtered by category and type", filters},
	{"a filtered read's marks reach the end", marksReachEnd},
	{"a filtered read of a long log yields marks in order", longFilter},
	{"a read without filter that does not follow yields no marks", noMarks},
	{"the log can be appended to and read while it is read", allReentrant},
	{"reads can be nested deeply", nested},
	{"the log's sequence can be ranged twice and left early", allTwice},
	{"head is not before what was acknowledged", headMoves},
	{"every store has an id of its own", storeID},
}

// mixed fills a log: streams of the categories chat, order and chats, events
// of the types a, b and c.
func (t *suite) mixed(s eventstore.Store, rounds int) []eventstore.Recorded {
	t.Helper()
	for i := range rounds {
		t.append(s, fmt.Sprintf("chat-%d", i%5), eventstore.Any, event("a"), event("b"))
		t.append(s, fmt.Sprintf("order-%d", i%3), eventstore.Any, event("a"))
		t.append(s, "chats-1", eventstore.Any, event("c"))
		t.append(s, "chat", eventstore.Any, event("c"))
	}
	return t.all(s)
}

func emptyLog(t *suite, s eventstore.Store) {
	const far = 1 << 40 // behind what the driver may keep for itself
	for _, q := range []eventstore.AllQuery{{}, {After: far}, {Backwards: true}, {Backwards: true, After: far}, {Limit: 1}} {
		if got := t.read(s.ReadAll(t.ctx(), q)); len(got) != 0 {
			t.Errorf("%+v: %s", q, brief(got))
		}
	}
	if h := t.head(s); h.Position != 0 {
		t.Errorf("Head = %+v; want position 0", h)
	}
	got := t.read(s.ReadAll(t.ctx(), eventstore.AllQuery{Types: []string{"a"}}))
	if len(got) != 1 || !got[0].IsMark() || got[0].Position != 0 {
		t.Errorf("filtered: %s; want a mark at 0", brief(got))
	}
}

func allQueries(t *suite, s eventstore.Store) {
	all := t.mixed(s, 4)
	n := len(all)
	pos := func(i int) eventstore.Position { return all[i].Position }
	for _, tt := range []struct {
		name string
		q    eventstore.AllQuery
		want []eventstore.Recorded
	}{
		{"all", eventstore.AllQuery{}, all},
		{"after", eventstore.AllQuery{After: pos(4)}, all[5:]},
		{"after the last", eventstore.AllQuery{After: pos(n - 1)}, nil},
		{"after the end", eventstore.AllQuery{After: pos(n-1) + 1000}, nil},
		{"from", eventstore.AllQuery{From: pos(4)}, all[4:]},
		{"from right behind one", eventstore.AllQuery{From: pos(4) + 1}, all[5:]},
		{"from the first", eventstore.AllQuery{From: pos(0)}, all},
		{"from the last, whatever comes after", eventstore.AllQuery{From: pos(n - 1), After: pos(2)}, all[n-1:]},
		{"from, with a limit", eventstore.AllQuery{From: pos(4), Limit: 2}, all[4:6]},
		{"backwards ignores from", eventstore.AllQuery{Backwards: true, From: pos(4), Limit: 2}, reversed(all[n-2:])},
		{"limit", eventstore.AllQuery{Limit: 7}, all[:7]},
		{"after and limit", eventstore.AllQuery{After: pos(2), Limit: 2}, all[3:5]},
		{"limit above", eventstore.AllQuery{Limit: n + 1}, all},
		{"backwards", eventstore.AllQuery{Backwards: true}, reversed(all)},
		{"the last three", eventstore.AllQuery{Backwards: true, Limit: 3}, reversed(all[n-3:])},
		{"backwards before a position", eventstore.AllQuery{Backwards: true, After: pos(4)}, reversed(all[:4])},
		{"backwards before the first", eventstore.AllQuery{Backwards: true, After: pos(0)}, nil},
		{"backwards before the end", eventstore.AllQuery{Backwards: true, After: pos(n-1) + 1000}, reversed(all)},
		{"backwards with a filter", eventstore.AllQuery{Backwards: true, Types: []string{"b"}}, reversed(only(all, eventstore.AllQuery{Types: []string{"b"}}))},
	} {
		t.Run(tt.name, func(sub *testing.T) {
			t := &suite{T: sub}
			t.equal(t.read(s.ReadAll(t.ctx(), tt.q)), tt.want)
		})
	}
}

// only returns the events that q wants.
func only(all []eventstore.Recorded, q eventstore.AllQuery) []eventstore.Recorded {
	return slices.DeleteFunc(slices.Clone(all), func(r eventstore.Recorded) bool { return !q.Match(r.Stream, r.Type) })
}

var filterQueries = []struct {
	name string
	q    eventstore.AllQuery
}{
	{"a category", eventstore.AllQuery{Categories: []string{"chat"}}},
	{"two categories", eventstore.AllQuery{Categories: []string{"order", "chat"}}},
	{"a type", eventstore.AllQuery{Types: []string{"a"}}},
	{"two types", eventstore.AllQuery{Types: []string{"a", "c"}}},
	{"a category and a type", eventstore.AllQuery{Categories: []string{"chat"}, Types: []string{"a", "c"}}},
	{"a category that nothing has", eventstore.AllQuery{Categories: []string{"group"}}},
	{"a type that nothing has", eventstore.AllQuery{Types: []string{"z"}}},
	{"known and unknown", eventstore.AllQuery{Categories: []string{"group", "order"}, Types: []string{"z", "a"}}},
}

func filters(t *suite, s eventstore.Store) {
	all := t.mixed(s, 10)
	for _, tt := range filterQueries {
		t.Run(tt.name, func(sub *testing.T) {
			t := &suite{T: sub}
			want := only(all, tt.q)
			t.equal(t.events(s.ReadAll(t.ctx(), tt.q), 0), want)

			q := tt.q
			q.After = all[20].Position
			t.equal(t.events(s.ReadAll(t.ctx(), q), q.After), only(all[21:], q))

			q = tt.q
			q.Limit = 3 // marks do not count
			t.equal(t.events(s.ReadAll(t.ctx(), q), 0), want[:min(3, len(want))])

			q = tt.q
			q.Backwards = true
			t.equal(t.read(s.ReadAll(t.ctx(), q)), reversed(want))
			q.Limit, q.After = 2, all[30].Position
			want = reversed(only(all[:30], q))
			t.equal(t.read(s.ReadAll(t.ctx(), q)), want[:min(2, len(want))])
		})
	}
}

// events returns what seq yields without its marks, and checks that positions
// and marks only grow.
func (t *suite) events(seq func(func(eventstore.Recorded, error) bool), after eventstore.Position) (got []eventstore.Recorded) {
	t.Helper()
	for _, r := range t.read(seq) {
		if r.Position < after || r.Position == after && !r.IsMark() {
			t.Fatalf("position %d after position %d (mark: %v)", r.Position, after, r.IsMark())
		}
		after = r.Position
		if r.IsMark() {
			if r.ID != uuid.Nil || r.Stream != "" || len(r.Data) > 0 {
				t.Fatalf("the mark has more than a position: %+v", r)
			}
			continue
		}
		got = append(got, r)
	}
	return got
}

func marksReachEnd(t *suite, s eventstore.Store) {
	all := t.mixed(s, 6)
	head := t.head(s).Position
	if last := all[len(all)-1].Position; head < last {
		t.Fatalf("head is %d; the last event is at %d", head, last)
	}
	for _, tt := range filterQueries {
		t.Run(tt.name, func(sub *testing.T) {
			t := &suite{T: sub}
			for _, after := range []eventstore.Position{0, all[7].Position, head} {
				q := tt.q
				q.After = after
				got := t.read(s.ReadAll(t.ctx(), q))
				if len(got) == 0 || !got[len(got)-1].IsMark() || got[len(got)-1].Position != head {
					t.Errorf("after %d: %s; want a mark at %d at the end", after, brief(got), head)
				}
			}
			// A limit ends the read before the next match.
			want := only(all, tt.q)
			if len(want) < 3 {
				return
			}
			q := tt.q
			q.Limit = 2
			got := t.read(s.ReadAll(t.ctx(), q))
			last := got[len(got)-1]
			if !last.IsMark() || last.Position < want[1].Position || last.Position >= want[2].Position {
				t.Errorf("with limit 2: %s; want a mark at %d or later, but before %d", brief(got), want[1].Position, want[2].Position)
			}
		})
	}
}

func longFilter(t *suite, s eventstore.Store) {
	rare := eventstore.AllQuery{Types: []string{"rare"}}
	var want []eventstore.Event
	for i := range 4 {
		t.append(s, fmt.Sprintf("chat-%d", i), eventstore.NoStream, events(1000)...)
		e := event("rare")
		t.append(s, "order-1", eventstore.Any, e)
		want = append(want, e)
		t.append(s, "order-2", eventstore.Any, events(500)...)
	}
	t.same(t.events(s.ReadAll(t.ctx(), rare), 0), want...)
	rare.Categories = []string{"order"}
	t.same(t.events(s.ReadAll(t.ctx(), rare), 0), want...)
	rare.Categories = []string{"chat"}
	t.same(t.events(s.ReadAll(t.ctx(), rare), 0))
	rare = eventstore.AllQuery{Types: []string{"rare"}, Backwards: true}
	t.same(reversed(t.read(s.ReadAll(t.ctx(), rare))), want...)
	orders := eventstore.AllQuery{Categories: []string{"order"}, Limit: 1700}
	if got := t.events(s.ReadAll(t.ctx(), orders), 0); len(got) != 1700 {
		t.Errorf("%d events; want 1700", len(got))
	}
}

func noMarks(t *suite, s eventstore.Store) {
	all := t.mixed(s, 3)
	for _, q := range []eventstore.AllQuery{{}, {Limit: 2}, {Backwards: true}, {After: all[3].Position}, {Backwards: true, Types: []string{"a"}}} {
		for _, r := range t.read(s.ReadAll(t.ctx(), q)) {
			if r.IsMark() {
				t.Errorf("%+v yielded a mark", q)
			}
		}
	}
}

func allReentrant(t *suite, s eventstore.Store) {
	es := events(5)
	t.append(s, "chat-1", eventstore.NoStream, es...)
	seen := 0
	for r, err := range s.ReadAll(t.ctx(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen > 5 {
			continue
		}
		if r.ID != es[seen-1].ID {
			t.Fatalf("event %d is %s", seen-1, r.ID)
		}
		t.append(s, "chat-2", eventstore.Any, event("more"))
		if got := t.all(s); len(got) != 5+seen {
			t.Fatalf("%d events inside the loop; want %d", len(got), 5+seen)
		}
		t.head(s)
	}
	if seen < 5 {
		t.Errorf("saw %d events; want 5 at least", seen)
	}
}

func nested(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(2)...)
	const depth = 64 // more than any pool of connections
	ctx := t.ctx()
	var down func(n int)
	down = func(n int) {
		if n == depth {
			t.append(s, "chat-1", eventstore.Any, event("deep"))
			return
		}
		seq := s.ReadAll(ctx, eventstore.AllQuery{Follow: n%3 == 2})
		if n%3 == 1 {
			seq = s.ReadStream(ctx, "chat-1", eventstore.StreamQuery{})
		}
		for _, err := range seq {
			if err != nil {
				t.Fatalf("at depth %d: %v", n, err)
			}
			down(n + 1)
			break
		}
	}
	down(0)
	if n := len(t.stream(s, "chat-1")); n != 3 {
		t.Errorf("%d events; want 3", n)
	}
}

func allTwice(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(3)...)
	for _, q := range []eventstore.AllQuery{{}, {Categories: []string{"chat"}}} {
		seq := s.ReadAll(t.ctx(), q)
		for _, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		before := len(t.events(seq, 0))
		t.append(s, "chat-1", eventstore.Any, events(2)...)
		if after := len(t.events(seq, 0)); after != before+2 {
			t.Errorf("%d events, then %d; want 2 more: it reads anew", before, after)
		}
	}
}

func headMoves(t *suite, s eventstore.Store) {
	id := t.head(s).Store
	for range 10 {
		res := t.append(s, "chat-1", eventstore.Any, events(2)...)
		h := t.head(s)
		if h.Position < res.Position || t.dense && h.Position != res.Position || h.Store != id {
			t.Errorf("Head = %+v; want store %s, position %d", h, id, res.Position)
		}
	}
}

func storeID(t *suite, s eventstore.Store) {
	a, b := t.head(s).Store, t.head(t.open(t)).Store
	if a == uuid.Nil || b == uuid.Nil || a == b {
		t.Errorf("two stores have the ids %s and %s", a, b)
	}
}
