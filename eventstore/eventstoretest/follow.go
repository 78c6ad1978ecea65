package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

var followTests = []test{
	{"a follower of an empty log gets a mark at once", followEmpty},
	{"a follower gets what is there, a mark, and what comes later", followMore},
	{"a follower starts after a position", followAfter},
	{"a follower begins at an event or right behind it", followFrom},
	{"a filtered follower's marks pass what does not match", followFiltered},
	{"a follower ends with its context's error", followCancelled},
	{"a follower may append in its loop", followReentrant},
	{"a follower goes forwards only", followBackwards},
	{"a follower may have a limit", followLimit},
	{"many followers wake", followMany},
	{"readers see every event once and in order beside many writers", tail},
}

// follower steps through a sequence that does not end by itself.
type follower struct {
	t    *suite
	next func() (eventstore.Recorded, error, bool)
}

func (t *suite) follow(ctx context.Context, s eventstore.Store, q eventstore.AllQuery) *follower {
	q.Follow = true
	next, stop := iter.Pull2(s.ReadAll(ctx, q))
	t.Cleanup(stop)
	return &follower{t, next}
}

func (f *follower) pull() eventstore.Recorded {
	f.t.Helper()
	r, err, ok := f.next()
	if err != nil || !ok {
		f.t.Fatalf("the follower ended: %v", err)
	}
	return r
}

// event returns the next event; marks before it are passed over.
func (f *follower) event() eventstore.Recorded {
	f.t.Helper()
	for {
		if r := f.pull(); !r.IsMark() {
			return r
		}
	}
}

// mark pulls marks until one is at p or behind it. An event is a failure.
func (f *follower) mark(p eventstore.Position) {
	f.t.Helper()
	for {
		r := f.pull()
		if !r.IsMark() {
			f.t.Fatalf("event %s; want a mark at %d", brief([]eventstore.Recorded{r}), p)
		}
		if r.Position >= p {
			return
		}
	}
}

func followEmpty(t *suite, s eventstore.Store) {
	if r := t.follow(t.ctx(), s, eventstore.AllQuery{}).pull(); !r.IsMark() || r.Position != 0 {
		t.Errorf("first pair is %+v; want a mark at 0", r)
	}
	if r := t.follow(t.ctx(), s, eventstore.AllQuery{Categories: []string{"chat"}}).pull(); !r.IsMark() || r.Position != 0 {
		t.Errorf("first pair of a filtered follower is %+v; want a mark at 0", r)
	}
}

func followMore(t *suite, s eventstore.Store) {
	es := events(5)
	t.append(s, "chat-1", eventstore.NoStream, es[:2]...)
	f := t.follow(t.ctx(), s, eventstore.AllQuery{})
	t.same([]eventstore.Recorded{f.pull(), f.pull()}, es[:2]...)
	f.mark(t.head(s).Position)
	for i := 2; i < 5; i++ {
		done := make(chan eventstore.Result, 1)
		go func() {
			res, err := s.Append(t.Context(), "chat-1", eventstore.Revision(i-1), es[i])
			if err != nil {
				t.Errorf("Append: %v", err)
			}
			done <- res
		}()
		r := f.event() // waits for the append
		res := <-done
		t.same([]eventstore.Recorded{r}, es[i])
		if r.Position != res.Position || r.Revision != res.Revision {
			t.Errorf("followed %d@%d; appended %+v", r.Position, r.Revision, res)
		}
		f.mark(res.Position)
	}
}

func followAfter(t *suite, s eventstore.Store) {
	es := events(4)
	t.append(s, "chat-1", eventstore.NoStream, es[:3]...)
	all := t.all(s)
	f := t.follow(t.ctx(), s, eventstore.AllQuery{After: all[1].Position})
	t.same([]eventstore.Recorded{f.pull()}, es[2])
	f.mark(all[2].Position)

	f = t.follow(t.ctx(), s, eventstore.AllQuery{After: all[2].Position})
	f.mark(all[2].Position)
	t.append(s, "chat-1", 2, es[3])
	t.same([]eventstore.Recorded{f.event()}, es[3])
}

func followFrom(t *suite, s eventstore.Store) {
	es := events(4)
	t.append(s, "chat-1", eventstore.NoStream, es[:3]...)
	all := t.all(s)
	for _, only := range [][]string{nil, {"chat"}} {
		f := t.follow(t.ctx(), s, eventstore.AllQuery{From: all[1].Position, Categories: only})
		t.same([]eventstore.Recorded{f.event(), f.event()}, es[1:3]...)
		f = t.follow(t.ctx(), s, eventstore.AllQuery{From: all[1].Position + 1, Categories: only})
		t.same([]eventstore.Recorded{f.event()}, es[2])
	}
	f := t.follow(t.ctx(), s, eventstore.AllQuery{From: all[2].Position + 1})
	f.mark(all[2].Position)
	t.append(s, "chat-1", 2, es[3])
	t.same([]eventstore.Recorded{f.event()}, es[3])
}

func followFiltered(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, event("a"), event("b"))
	f := t.follow(t.ctx(), s, eventstore.AllQuery{Categories: []string{"order"}, Types: []string{"a"}})
	f.mark(t.head(s).Position)
	for i := range 3 {
		res := t.append(s, "chat-1", eventstore.Any, event("a"))
		f.mark(res.Position)
		res = t.append(s, "order-1", eventstore.Any, event("b"))
		f.mark(res.Position)
		want := event("a")
		res = t.append(s, "order-1", eventstore.Any, want)
		t.same([]eventstore.Recorded{f.event()}, want)
		f.mark(res.Position)
		if i == 1 {
			t.append(s, "chat-2", eventstore.NoStream, events(900)...)
			f.mark(t.head(s).Position)
		}
	}
}

func followCancelled(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(1)...)
	ctx, cancel := context.WithCancel(t.ctx())
	defer cancel()
	seen := 0
	t.fails(func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.ReadAll(ctx, eventstore.AllQuery{Follow: true}) {
			if err == nil && r.IsMark() {
				cancel() // caught up; now it would wait
			}
			seen++
			if !yield(r, err) {
				return
			}
		}
	}, context.Canceled)
	if seen != 3 {
		t.Errorf("%d pairs; want an event, a mark and an error", seen)
	}
}

func followReentrant(t *suite, s eventstore.Store) {
	const n = 50
	seen := 0
	for r, err := range s.ReadAll(t.ctx(), eventstore.AllQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if !r.IsMark() {
			if seen++; int(r.Revision)+1 != seen {
				t.Fatalf("revision %d is event %d", r.Revision, seen)
			}
		}
		if seen == n {
			break
		}
		if r.IsMark() && t.head(s).Position == r.Position {
			t.append(s, "chat-1", eventstore.Revision(seen-1), event("next"))
		}
	}
	if got := t.stream(s, "chat-1"); len(got) != n {
		t.Errorf("%d events; want %d", len(got), n)
	}
}

func followBackwards(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(1)...)
	t.fails(s.ReadAll(t.ctx(), eventstore.AllQuery{Follow: true, Backwards: true}), nil)
}

func followLimit(t *suite, s eventstore.Store) {
	es := events(4)
	t.append(s, "chat-1", eventstore.NoStream, es[:2]...)
	var got []eventstore.Recorded
	for r, err := range s.ReadAll(t.ctx(), eventstore.AllQuery{Follow: true, Limit: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		if !r.IsMark() {
			got = append(got, r)
		} else if len(got) == 2 {
			t.append(s, "chat-1", 1, es[2:]...)
		}
	}
	t.same(got, es[:3]...)
}

func followMany(t *suite, s eventstore.Store) {
	const followers = 20
	ctx := t.ctx()
	var ready, done sync.WaitGroup
	ready.Add(followers)
	e := event("a")
	for range followers {
		done.Go(func() {
			caughtUp := sync.OnceFunc(ready.Done)
			defer caughtUp()
			for r, err := range s.ReadAll(ctx, eventstore.AllQuery{Follow: true}) {
				if err != nil {
					t.Errorf("follower: %v", err)
					return
				}
				if r.ID == e.ID {
					return
				}
				caughtUp()
			}
		})
	}
	ready.Wait()
	t.append(s, "chat-1", eventstore.NoStream, e)
	done.Wait()
}

// tail is promise 1: nothing is skipped. Writers append, conflict and repeat
// while readers follow and poll; afterwards each reader must have seen exactly
// the log.
func tail(t *suite, s eventstore.Store) {
	const writers, each, perAppend = 12, 30, 2
	const total = writers * each * perAppend
	ctx := t.ctx()
	var readers, appenders sync.WaitGroup
	seen := make([][]eventstore.Recorded, 4)
	for i := range seen {
		readers.Go(func() {
			var got []eventstore.Recorded
			defer func() { seen[i] = got }()
			q := eventstore.AllQuery{Follow: i < 2}
			if i == 1 {
				q.Categories = []string{"chat"}
			}
			for len(got) < total && ctx.Err() == nil {
				for r, err := range s.ReadAll(ctx, q) {
					if err != nil {
						t.Errorf("reader %d: %v", i, err)
						return
					}
					if r.Position < q.After || r.Position == q.After && !r.IsMark() {
						t.Errorf("reader %d: position %d after %d", i, r.Position, q.After)
						return
					}
					q.After = r.Position
					if r.IsMark() {
						continue
					}
					if got = append(got, r); len(got) == total {
						return
					}
				}
			}
		})
	}
	for w := range writers {
		appenders.Go(func() {
			for i := range each {
				stream := fmt.Sprintf("chat-%d", (w+i)%7)
				es := events(perAppend)
				if _, err := s.Append(ctx, stream, 1<<30, es...); !errors.Is(err, eventstore.ErrConflict) {
					t.Errorf("Append: %v; want a conflict", err)
				}
				for want := eventstore.Any; ; {
					_, err := s.Append(ctx, stream, want, es...)
					if ce, ok := errors.AsType[*eventstore.ConflictError](err); ok {
						want = ce.Got
						continue
					}
					if err != nil {
						t.Errorf("Append: %v", err)
						return
					}
					break
				}
				if i%5 == 0 {
					if res, err := s.Append(ctx, stream, eventstore.NoStream, es...); err != nil || !res.Existing {
						t.Errorf("repeat = %+v, %v", res, err)
					}
				}
			}
		})
	}
	appenders.Wait()
	readers.Wait()
	want := t.all(s)
	t.ordered(want)
	if len(want) != total {
		t.Fatalf("%d events in the log; want %d", len(want), total)
	}
	ids := map[uuid.UUID]bool{}
	for _, r := range want {
		ids[r.ID] = true
	}
	if len(ids) != total {
		t.Errorf("%d different events; want %d", len(ids), total)
	}
	for i, got := range seen {
		if len(got) != total {
			t.Fatalf("reader %d saw %d events; want %d", i, len(got), total)
		}
		t.equal(got, want)
	}
}
