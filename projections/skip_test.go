package projections_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
)

func skip(t *testing.T, cfg projections.Config, at eventstore.Position) (projections.Skipped, int, error) {
	t.Helper()
	return projections.Skip{Projection: "toy.v1", Position: at, By: "op", Reason: "never mind"}.Do(deadline(t), cfg)
}

// What is skipped is left out by everybody alike: live, in a rebuild, in a
// comparison, after a rollback. What waited behind it is applied, in order.
func TestSkip(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		start(t, cfg)
		first := e.append(t, "item-1", put{Owner: "a", N: 1})
		waitFor(t, e.db, "toy.v1", first)
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil { // there are old tables, of before
			t.Fatal(err)
		}
		poison := e.append(t, "item-1", boom{})
		behind := e.append(t, "item-1", put{Owner: "b", N: 2})
		second := e.append(t, "item-1", foldBoom{})
		e.append(t, "item-1", put{Owner: "c", N: 3})
		other := e.append(t, "item-2", boom{})
		waitFor(t, e.db, "toy.v1", e.fill(t, 30))

		for at, want := range map[eventstore.Position]error{first: projections.ErrNotParked, behind: projections.ErrNotFirst, 999: projections.ErrNotParked} {
			if _, _, err := skip(t, cfg, at); !errors.Is(err, want) {
				t.Errorf("skip %d: %v, want %v", at, err, want)
			}
		}
		if _, _, err := (projections.Skip{Projection: "none.v1", Position: poison}).Do(t.Context(), cfg); !errors.Is(err, projections.ErrUnknown) {
			t.Errorf("skip in no view: %v", err)
		}

		var next *projections.PoisonError
		done, applied, err := skip(t, cfg, poison)
		if applied != 1 || !errors.As(err, &next) || next.Position != second || done.Stream != "item-1" || done.By != "op" || done.Error == "" {
			t.Fatalf("skip: %+v, %d applied, %v", done, applied, err)
		}
		if again, _, err := skip(t, cfg, poison); !errors.As(err, &next) || again != done {
			t.Errorf("skip again: %+v, %v", again, err)
		}
		if _, applied, err = skip(t, cfg, second); applied != 1+e.of(t, "item-1", second+2) || err != nil {
			t.Fatalf("skip the second: %d applied, %v", applied, err)
		}
		left := func(r eventstore.Recorded) bool {
			return r.Position == poison || r.Position == second || r.Stream == "item-2"
		}
		waitFor(t, e.db, "toy.v1", e.append(t, "item-1", put{Owner: "d", N: 4}))
		checkTables(t, e.folded(t, left), readTables(t, e.db))
		verify(t, cfg)
		if s := status(t, cfg); s.Skipped != 2 || s.Streams != 1 || s.Failed != 1 {
			t.Errorf("status %+v", s)
		}

		// Older tables that have not come so far leave it out, too.
		if err := projections.Rollback(t.Context(), cfg, "toy.v1"); err != nil {
			t.Fatal(err)
		}
		waitFor(t, e.db, "toy.v1", e.append(t, "item-1", put{Owner: "e", N: 5}))
		checkTables(t, e.folded(t, left), readTables(t, e.db))
		verify(t, cfg)

		// A rebuild is not held up by what was skipped, only by what was not.
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); !errors.As(err, &next) || next.Position != other {
			t.Errorf("rebuild: %v", err)
		}
		if _, _, err := skip(t, cfg, other); err != nil {
			t.Fatal(err)
		}
		left = func(r eventstore.Recorded) bool {
			return r.Position == poison || r.Position == second || r.Position == other
		}
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		checkTables(t, e.folded(t, left), readTables(t, e.db))
		verify(t, cfg)

		// Taken back, it is seen to be missing, and the next rebuild has it.
		e.mended.Store(true)
		for _, at := range []eventstore.Position{poison, second, other} {
			if _, err := projections.Unskip(t.Context(), cfg, "toy.v1", at, "boss"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := projections.Unskip(t.Context(), cfg, "toy.v1", poison, "boss"); !errors.Is(err, projections.ErrNotSkipped) {
			t.Errorf("taken back twice: %v", err)
		}
		diff, err := projections.Verify(deadline(t), cfg, "toy.v1")
		if err != nil || diff.Different == 0 {
			t.Errorf("taken back, and verify finds %+v, %v", diff, err)
		}
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)

		list, err := projections.ListSkipped(t.Context(), e.db, "toy.v1", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range list {
			got = append(got, fmt.Sprint(s.Position, s.Stream, s.By, s.Reason, s.UndoneBy, s.At > 0, s.UndoneAt > 0))
		}
		var want []string
		for _, s := range []struct {
			at     eventstore.Position
			stream string
		}{{poison, "item-1"}, {second, "item-1"}, {other, "item-2"}} {
			want = append(want, fmt.Sprint(s.at, s.stream, "op", "never mind", "boss", true, true))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record of skips (-want +got):\n%s", diff)
		}
	})
}

// of counts the events of a stream from a position on.
func (e *env) of(t *testing.T, stream string, from eventstore.Position) (n int) {
	t.Helper()
	for r, err := range e.log.ReadStream(t.Context(), stream, eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Position >= from {
			n++
		}
	}
	return n
}

// A rebuild that has an event in its tables which is skipped meanwhile does not
// bring it in, nor one whose skip is taken back does it leave out.
func TestSkipDuringARebuild(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		cfg.ChunkSize = 5
		start(t, cfg)
		e.fill(t, 20)
		poison := e.append(t, "item-1", boom{})
		last := e.fill(t, 20)
		waitFor(t, e.db, "toy.v1", last)
		e.mended.Store(true) // the rebuild can apply it

		during := func(do func() error) error {
			done := false
			return projections.Rebuild(deadline(t), cfg, "toy.v1", func(p projections.Progress) {
				if p.Done >= poison && !done {
					done = true
					if err := do(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		err := during(func() error { _, _, err := skip(t, cfg, poison); return err })
		if err == nil {
			t.Error("the rebuild that has the event in it was switched in")
		}
		left := func(r eventstore.Recorded) bool { return r.Position == poison }
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		checkTables(t, e.folded(t, left), readTables(t, e.db))

		err = during(func() error { _, err := projections.Unskip(t.Context(), cfg, "toy.v1", poison, "boss"); return err })
		if err == nil {
			t.Error("the rebuild that leaves the event out was switched in")
		}
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
	})
}

// Streams are listed once, the longest stuck first, a page at a time; how long
// the view is stale shows although its checkpoint is at the end of the log.
func TestParkedStreams(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		start(t, cfg)
		var last eventstore.Position
		for i := range 7 {
			e.append(t, fmt.Sprintf("item-%d", i), boom{})
			last = e.append(t, fmt.Sprintf("item-%d", i), put{})
		}
		waitFor(t, e.db, "toy.v1", last)
		var got []string
		q := projections.ParkedQuery{Projection: "toy.v1", Limit: 3}
		for pages := 1; ; pages++ {
			page, next, err := projections.ListParkedStreams(t.Context(), cfg, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page {
				if s.Since.IsZero() || s.Error == "" || s.Type != "boom" {
					t.Errorf("%+v", s)
				}
				got = append(got, fmt.Sprint(s.Stream, " ", s.Events, " ", s.Position))
			}
			if q.After = next; next == 0 {
				if pages != 3 {
					t.Errorf("%d pages", pages)
				}
				break
			}
		}
		var want []string
		for i := range 7 {
			want = append(want, fmt.Sprintf("item-%d 2 %d", i, 2*i+1))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parked streams (-want +got):\n%s", diff)
		}
		late := cfg
		late.Now = func() time.Time { return time.Now().Add(time.Hour) }
		if s := status(t, late); s.Lag != 0 || s.LagTime != 0 || s.Streams != 7 || s.Unapplied < 59*time.Minute {
			t.Errorf("status %+v", s)
		}
	})
}
