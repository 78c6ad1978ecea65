package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
)

var lifeTests = []test{
	{"a closed store refuses everything", closed},
	{"closing ends followers", closeEndsFollowers},
	{"closing beside appends loses none that was acknowledged", closeBesideAppends},
}

func closed(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(2)...)
	all, stream := s.ReadAll(t.ctx(), eventstore.AllQuery{}), s.ReadStream(t.ctx(), "chat-1", eventstore.StreamQuery{})
	closeStore(t, s)
	closeStore(t, s) // twice is no error
	if _, err := s.Append(t.ctx(), "chat-1", eventstore.Any, events(1)...); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("Append: %v; want ErrClosed", err)
	}
	if _, err := s.Head(t.ctx()); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("Head: %v; want ErrClosed", err)
	}
	t.fails(all, eventstore.ErrClosed)
	t.fails(stream, eventstore.ErrClosed)
	t.fails(s.ReadAll(t.ctx(), eventstore.AllQuery{Follow: true}), eventstore.ErrClosed)
}

func closeEndsFollowers(t *suite, s eventstore.Store) {
	const followers = 5
	var ready, done sync.WaitGroup
	ready.Add(followers)
	for range followers {
		done.Go(func() {
			caughtUp := sync.OnceFunc(ready.Done)
			defer caughtUp()
			t.fails(func(yield func(eventstore.Recorded, error) bool) {
				for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{Follow: true}) {
					caughtUp()
					if !yield(r, err) {
						return
					}
				}
			}, eventstore.ErrClosed)
		})
	}
	ready.Wait()
	closeStore(t, s)
	done.Wait()
}

func closeBesideAppends(t *suite, s eventstore.Store) {
	var wg sync.WaitGroup
	started := make(chan struct{}, 64)
	for range 8 {
		wg.Go(func() {
			for {
				_, err := s.Append(t.Context(), "chat-1", eventstore.Any, event("a"))
				select {
				case started <- struct{}{}:
				default:
				}
				if errors.Is(err, eventstore.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("Append: %v; want nil or ErrClosed", err)
					return
				}
			}
		})
	}
	for range cap(started) / 2 {
		<-started
	}
	closeStore(t, s)
	wg.Wait()
}

// RunDurable runs the promises of a store that outlives the process. create
// makes an empty place for one log and returns a function that opens a handle
// on it; handles are closed with t.Cleanup, and may be closed twice.
func RunDurable(t *testing.T, create func(t testing.TB) (open func() eventstore.Store), also ...Promise) {
	for _, tt := range durableTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &suite{T: t}
			for _, p := range also {
				s.dense = s.dense || p == Dense
			}
			tt.run(s, create(t))
		})
	}
}

var durableTests = []struct {
	name string
	run  func(t *suite, open func() eventstore.Store)
}{
	{"everything is there after reopening", reopen},
	{"the store's id is kept", reopenID},
	{"a repeat after reopening returns the original result", reopenRepeat},
	{"acknowledged appends survive a close beside them", reopenAcknowledged},
	{"two handles see each other's appends", twoHandles},
	{"a follower on one handle sees appends of the other", twoHandlesFollow},
	{"two handles share revisions and positions", twoHandlesRace},
}

func reopen(t *suite, open func() eventstore.Store) {
	s := open()
	want := t.mixed(s, 5)
	t.append(s, "webhook-1", eventstore.NoStream, event("x"))
	want = append(want, t.stream(s, "webhook-1")...)
	closeStore(t, s)
	s = open()
	t.equal(t.all(s), want)
	t.conflict(s, "webhook-1", eventstore.NoStream, 0, events(1)...)
	res := t.append(s, "webhook-1", 0, event("y"))
	if last := want[len(want)-1].Position; res.Revision != 1 || res.Position <= last {
		t.Errorf("Append = %+v; the last position was %d", res, last)
	}
	t.ordered(t.all(s))
}

func reopenID(t *suite, open func() eventstore.Store) {
	s := open()
	t.append(s, "chat-1", eventstore.NoStream, events(3)...)
	want := t.head(s)
	closeStore(t, s)
	if got := t.head(open()); got != want {
		t.Errorf("Head = %+v; want %+v", got, want)
	}
	if got := t.head(open()); got != want {
		t.Errorf("Head of another handle = %+v; want %+v", got, want)
	}
}

func reopenRepeat(t *suite, open func() eventstore.Store) {
	s, es := open(), events(3)
	want := t.append(s, "chat-1", eventstore.NoStream, es...)
	t.append(s, "chat-1", 2, events(1)...)
	closeStore(t, s)
	s = open()
	want.Existing = true
	if got := t.append(s, "chat-1", eventstore.NoStream, es...); got != want {
		t.Errorf("repeat = %+v; want %+v", got, want)
	}
	t.conflict(s, "chat-1", eventstore.Any, 3, es[0], event("new"))
}

func reopenAcknowledged(t *suite, open func() eventstore.Store) {
	s := open()
	var mu sync.Mutex
	acked := map[eventstore.Position]eventstore.Event{}
	enough := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for {
				e := event("a")
				res, err := s.Append(t.Context(), fmt.Sprintf("chat-%d", w), eventstore.Any, e)
				if err != nil {
					if !errors.Is(err, eventstore.ErrClosed) {
						t.Errorf("Append: %v; want nil or ErrClosed", err)
					}
					return
				}
				mu.Lock()
				if acked[res.Position] = e; len(acked) == 100 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-t.ctx().Done():
		t.Error("100 appends took too long")
	}
	closeStore(t, s)
	wg.Wait()
	all := t.all(open())
	t.ordered(all)
	for _, r := range all {
		if e, ok := acked[r.Position]; ok && e.ID == r.ID {
			delete(acked, r.Position)
		}
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged events are gone", len(acked))
	}
}

func twoHandles(t *suite, open func() eventstore.Store) {
	a, b := open(), open()
	for i := range eventstore.Revision(20) {
		res := t.append(a, "chat-1", 2*i-1, event("a"))
		if h := t.head(b); h.Position < res.Position {
			t.Errorf("Head of b = %+v; a is at %+v", h, res)
		}
		t.conflict(b, "chat-1", 2*i-1, 2*i, event("b"))
		res = t.append(b, "chat-1", 2*i, event("b"))
		if h := t.head(a); h.Position < res.Position {
			t.Errorf("Head of a = %+v; b is at %+v", h, res)
		}
	}
	t.ordered(t.all(a))
	t.equal(t.all(b), t.all(a))
	t.equal(t.stream(b, "chat-1"), t.stream(a, "chat-1"))
	es := events(2)
	want := t.append(a, "chat-2", eventstore.NoStream, es...)
	want.Existing = true
	if got := t.append(b, "chat-2", eventstore.NoStream, es...); got != want {
		t.Errorf("repeat through the other handle = %+v; want %+v", got, want)
	}
}

func twoHandlesFollow(t *suite, open func() eventstore.Store) {
	a, b := open(), open()
	plain := t.follow(t.ctx(), a, eventstore.AllQuery{})
	orders := t.follow(t.ctx(), a, eventstore.AllQuery{Categories: []string{"order"}})
	plain.mark(0)
	orders.mark(0)
	for range 5 {
		e := event("a")
		res := t.append(b, "chat-1", eventstore.Any, e)
		t.same([]eventstore.Recorded{plain.event()}, e)
		orders.mark(res.Position)
	}
}

func twoHandlesRace(t *suite, open func() eventstore.Store) {
	handles := []eventstore.Store{open(), open()}
	const writers, each = 4, 25
	ctx, cancel := context.WithCancel(t.ctx())
	defer cancel()
	var wg, readers sync.WaitGroup
	seen := make([][]eventstore.Recorded, len(handles))
	for i, s := range handles {
		readers.Go(func() {
			for r, err := range s.ReadAll(ctx, eventstore.AllQuery{Follow: true}) {
				if err != nil {
					t.Errorf("follower %d: %v", i, err)
					return
				}
				if !r.IsMark() {
					seen[i] = append(seen[i], r)
				}
				if len(seen[i]) == len(handles)*writers*each {
					return
				}
			}
		})
		for w := range writers {
			wg.Go(func() {
				stream, rev := fmt.Sprintf("chat-%d", w%2), eventstore.NoStream
				for n := 0; n < each; {
					res, err := s.Append(ctx, stream, rev, event("a"))
					var ce *eventstore.ConflictError
					switch {
					case errors.As(err, &ce):
						if rev = ce.Got; ce.Got == ce.Want {
							t.Errorf("conflict at the revision that was expected: %v", err)
							return
						}
					case err != nil:
						t.Errorf("Append: %v", err)
						return
					default:
						rev = res.Revision
						n++
					}
				}
			})
		}
	}
	wg.Wait()
	if t.Failed() {
		cancel()
	}
	readers.Wait()
	want := t.all(handles[0])
	t.ordered(want)
	if len(want) != len(handles)*writers*each {
		t.Fatalf("%d events; want %d", len(want), len(handles)*writers*each)
	}
	for _, got := range seen {
		t.equal(got, want)
	}
}
