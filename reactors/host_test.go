package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/reactors"
)

// diary notes what was handled.
type diary struct {
	mu   sync.Mutex
	list []string
}

func (d *diary) note(e eventstore.Recorded) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, fmt.Sprintf("%s@%d", e.Stream, e.Revision))
}

func (d *diary) of(stream string) (list []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.list {
		if strings.HasPrefix(s, stream+"@") {
			list = append(list, s)
		}
	}
	return list
}

func (d *diary) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.list)
}

var fast = reactors.Retry{Tries: 3, Min: time.Millisecond, Max: 2 * time.Millisecond}

func TestFailuresAreRetriedThenParkedWithWhatIsBehindThem(t *testing.T) {
	store, a := memory.New(time.Now), newAccounts(t)
	var d diary
	var mu sync.Mutex
	broken, tries := true, 0
	r := reactors.Reactor{Name: "r.v1", Categories: []string{"x"}, Retry: fast, Handle: func(_ context.Context, e eventstore.Recorded) error {
		mu.Lock()
		defer mu.Unlock()
		if string(e.Data) == `"poison"` {
			if tries++; broken {
				if tries%2 == 0 {
					panic("a bug")
				}
				return errors.New("it is poison")
			}
		}
		d.note(e)
		return nil
	}}
	appendEvent(t, store, "x-bad", `1`)
	appendEvent(t, store, "x-bad", `"poison"`)
	appendEvent(t, store, "x-bad", `2`)
	appendEvent(t, store, "y-other", `3`)
	appendEvent(t, store, "x-good", `4`)
	appendEvent(t, store, "x-bad", `5`)
	h, _ := host(t, reactors.Config{Store: store, Reactors: []reactors.Reactor{r}, Leases: a, Parking: a})
	stats := func() reactors.Stats { return h.Stats()[0] }
	until(t, "all was seen", func() bool { return stats().Position == 6 })
	if diff := cmp.Diff([]string{"x-bad@0"}, d.of("x-bad")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x-good@0"}, d.of("x-good")); diff != "" {
		t.Errorf("another key was held up:\n%s", diff)
	}
	list, err := a.ListParked(t.Context(), reactors.ParkedQuery{Reactor: "r.v1", Limit: 10})
	if err != nil || len(list) != 3 {
		t.Fatalf("%d parked: %v", len(list), err)
	}
	if !strings.Contains(list[0].Error, "poison") || !strings.Contains(list[1].Error, "behind") || !strings.Contains(list[2].Error, "behind") {
		t.Errorf("%+v", list)
	}
	if s := stats(); s.Parked != 3 || s.Failed != 1 || s.Retried != 2 || s.Handled != 2 || !s.Running {
		t.Errorf("%+v", s)
	}

	// A second try that fails as well changes nothing.
	if _, err := a.RetryParked(t.Context(), "r.v1"); err != nil {
		t.Fatal(err)
	}
	until(t, "the second try failed", func() bool {
		list, err := a.ListParked(t.Context(), reactors.ParkedQuery{Reactor: "r.v1", Limit: 1})
		return err == nil && len(list) == 1 && list[0].Attempts == 2
	})
	appendEvent(t, store, "x-bad", `6`)
	until(t, "the newest is parked too", func() bool { return stats().Parked == 4 })

	// The cause is gone: everything is handled, in order.
	mu.Lock()
	broken = false
	mu.Unlock()
	if _, err := a.RetryParked(t.Context(), "r.v1"); err != nil {
		t.Fatal(err)
	}
	until(t, "nothing is parked", func() bool { return stats().Parked == 0 })
	appendEvent(t, store, "x-bad", `7`)
	until(t, "the next is handled", func() bool { return len(d.of("x-bad")) == 6 })
	if diff := cmp.Diff([]string{"x-bad@0", "x-bad@1", "x-bad@2", "x-bad@3", "x-bad@4", "x-bad@5"}, d.of("x-bad")); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestAPermanentErrorIsNotRetried(t *testing.T) {
	store, a := memory.New(time.Now), newAccounts(t)
	r := reactors.Reactor{Name: "r.v1", Unordered: true, Handle: func(_ context.Context, e eventstore.Recorded) error {
		if e.Revision == 0 {
			return fmt.Errorf("handle: %w", reactors.Permanent(errors.New("no use")))
		}
		return nil
	}}
	appendEvent(t, store, "x-1", `1`)
	appendEvent(t, store, "x-1", `2`)
	h, _ := host(t, reactors.Config{Store: store, Reactors: []reactors.Reactor{r}, Leases: a, Parking: a})
	until(t, "both were seen", func() bool { return h.Stats()[0].Position == 2 })
	if s := h.Stats()[0]; s.Retried != 0 || s.Parked != 1 || s.Handled != 1 { // Unordered: the second did not wait
		t.Errorf("%+v", s)
	}
}

func TestWhatIsGivenUpIsNotParked(t *testing.T) {
	store, a := memory.New(time.Now), newAccounts(t)
	given := make(chan error, 1)
	r := reactors.Reactor{
		Name: "r.v1", Retry: fast,
		Handle: func(context.Context, eventstore.Recorded) error {
			return reactors.Later(errors.New("busy"), 3*time.Millisecond)
		},
		GiveUp: func(_ context.Context, _ eventstore.Recorded, last error) error { given <- last; return nil },
	}
	appendEvent(t, store, "x-1", `1`)
	h, _ := host(t, reactors.Config{Store: store, Reactors: []reactors.Reactor{r}, Leases: a, Parking: a})
	if err := <-given; err.Error() != "busy" {
		t.Errorf("given up with %v", err)
	}
	until(t, "it was seen", func() bool { return h.Stats()[0].Position == 1 })
	if s := h.Stats()[0]; s.Retried != 2 || s.Failed != 1 || s.Parked != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAfterARestartItGoesOnWhereItWas(t *testing.T) {
	store, a := memory.New(time.Now), newAccounts(t)
	var d diary
	r := reactors.Reactor{Name: "r.v1", Handle: func(_ context.Context, e eventstore.Recorded) error { d.note(e); return nil }}
	cfg := reactors.Config{Store: store, Reactors: []reactors.Reactor{r}, Leases: a, Parking: a}
	appendEvent(t, store, "x-1", `1`)
	_, stop := host(t, cfg)
	until(t, "the first is handled", func() bool { return d.len() == 1 })
	stop()
	appendEvent(t, store, "x-1", `2`)
	_, stop = host(t, cfg)
	until(t, "the second is handled", func() bool { return d.len() == 2 })
	stop()

	// A new version begins where its predecessor stopped.
	appendEvent(t, store, "x-1", `3`)
	r.Name, r.Predecessor = "r.v2", "r.v1"
	cfg.Reactors = []reactors.Reactor{r}
	host(t, cfg)
	until(t, "the third is handled", func() bool { return d.len() == 3 })
	if diff := cmp.Diff([]string{"x-1@0", "x-1@1", "x-1@2"}, d.of("x-1")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneProcessRunsAReactorAndAnotherTakesOver(t *testing.T) {
	store, a := memory.New(time.Now), newAccounts(t)
	var mu sync.Mutex
	by := map[string]int{}
	cfg := func(holder string) reactors.Config {
		return reactors.Config{
			Store: store, Leases: a, Parking: a, Holder: holder, LeaseTTL: 200 * time.Millisecond,
			Reactors: []reactors.Reactor{{Name: "r.v1", Handle: func(context.Context, eventstore.Recorded) error {
				mu.Lock()
				defer mu.Unlock()
				by[holder]++
				return nil
			}}},
		}
	}
	handled := func() (sum int, holders []string) {
		mu.Lock()
		defer mu.Unlock()
		for h, n := range by {
			sum += n
			holders = append(holders, h)
		}
		slices.Sort(holders)
		return sum, holders
	}
	one, stopOne := host(t, cfg("one"))
	until(t, "one runs", func() bool { return one.Stats()[0].Running })
	two, stopTwo := host(t, cfg("two"))
	for i := range 20 {
		appendEvent(t, store, fmt.Sprintf("x-%d", i), `1`)
	}
	until(t, "all is handled", func() bool { n, _ := handled(); return n == 20 })
	if _, holders := handled(); !slices.Equal(holders, []string{"one"}) || two.Stats()[0].Running {
		t.Errorf("handled by %v", holders)
	}
	stopOne()
	appendEvent(t, store, "x-1", `2`)
	until(t, "two took over", func() bool { n, _ := handled(); return n == 21 && two.Stats()[0].Running })

	// One that died without a word: its lease is not renewed any more.
	stopTwo()
	if epoch, err := a.Acquire(t.Context(), "r.v1", "ghost", time.Minute); err != nil || epoch == 0 {
		t.Fatalf("%d, %v", epoch, err)
	}
	host(t, cfg("three"))
	appendEvent(t, store, "x-1", `3`)
	until(t, "three took over", func() bool { n, _ := handled(); return n == 22 })
}

// A process that was taken over stops, though it has not noticed anything else.
func TestWhoLosesTheLeaseStops(t *testing.T) {
	store, a := memory.New(time.Now), newAccounts(t)
	r := reactors.Reactor{Name: "r.v1", Handle: func(context.Context, eventstore.Recorded) error { return nil }}
	h, _ := host(t, reactors.Config{Store: store, Reactors: []reactors.Reactor{r}, Leases: a, Parking: a, LeaseTTL: 100 * time.Millisecond})
	until(t, "it runs", func() bool { return h.Stats()[0].Running })
	if epoch, err := a.Acquire(t.Context(), "r.v1", "other", 0); err != nil || epoch != 2 {
		t.Fatalf("%d, %v", epoch, err)
	}
	until(t, "it stopped", func() bool { return !h.Stats()[0].Running })
	until(t, "it took the dead lease back", func() bool { return h.Stats()[0].Running })
}

func TestConfigsThatAreRefused(t *testing.T) {
	handle := func(context.Context, eventstore.Recorded) error { return nil }
	for name, list := range map[string][]reactors.Reactor{
		"no name":    {{Handle: handle}},
		"no handler": {{Name: "a"}},
		"twice":      {{Name: "a", Handle: handle}, {Name: "a", Handle: handle}},
	} {
		a := newAccounts(t)
		if _, err := reactors.New(reactors.Config{Store: memory.New(time.Now), Leases: a, Parking: a, Now: time.Now, Holder: "x", Logger: slog.New(slog.DiscardHandler), Reactors: list}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
