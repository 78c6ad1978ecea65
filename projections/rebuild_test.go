package projections_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

func TestRebuildWhileEventsAreAppended(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		e.fill(t, 300)
		cfg := e.config()
		cfg.ChunkSize, cfg.BuildRows = 25, 10
		start(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		writers.Go(func() {
			for ctx.Err() == nil { // as fast as the live view follows
				_ = projections.WaitFor(ctx, e.db, []string{"toy.v1"}, e.fill(t, 5))
			}
		})
		// Reads go on, and never see the view go back.
		writers.Go(func() {
			var seen eventstore.Position
			for ctx.Err() == nil {
				err := e.db.Read(t.Context(), func(tx sqldb.Tx) error {
					at, err := projections.Checkpoints(t.Context(), tx, "toy.v1")
					if err != nil {
						return err
					}
					if at < seen {
						t.Errorf("the view went back from %d to %d", seen, at)
					}
					seen = at
					_, err = sqldb.Select[itemRow](t.Context(), tx, "SELECT * FROM toy_items WHERE owner = $1", "o1")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		for range 2 {
			var last projections.Progress
			eventually(t, "a runner has the lease", func() bool { return status(t, cfg).State == projections.StateRunning })
			err := projections.Rebuild(deadline(t), cfg, "toy.v1", func(p projections.Progress) {
				if p.Done > p.Total {
					t.Errorf("progress %+v", p)
				}
				last = p
			})
			if err != nil {
				t.Fatal(err)
			}
			if last.Phase != projections.PhaseDone || last.Done < 300 || last.Diff == nil || last.Diff.Different > 0 || last.Diff.Rows == 0 {
				t.Errorf("progress ended with %+v, difference %+v", last, last.Diff)
			}
		}
		cancel()
		writers.Wait()
		waitFor(t, e.db, "toy.v1", e.fill(t, 1))
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
		if s := status(t, cfg); s.Generation != 3 || s.Rebuild != nil || s.Old == nil {
			t.Errorf("status %+v", s)
		}
	})
}

func TestKilledRebuildIsResumed(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		last := e.fill(t, 300)
		cfg := e.config()
		cfg.ChunkSize = 20
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		stopAt := eventstore.Position(0)
		ctx, cancel := context.WithCancelCause(t.Context())
		killed := errors.New("killed")
		err := projections.Rebuild(ctx, cfg, "toy.v1", func(p projections.Progress) {
			if stopAt == 0 && p.Done >= last/2 {
				stopAt = p.Done
				cancel(killed)
			}
		})
		if !errors.Is(err, killed) && !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if s := status(t, cfg); s.Rebuild == nil || s.Rebuild.Running || s.Rebuild.Done < stopAt || s.Rebuild.Done == last || s.Generation != 1 {
			t.Errorf("status %+v, rebuild %+v", s, s.Rebuild)
		}
		first := projections.Progress{}
		err = projections.Rebuild(deadline(t), cfg, "toy.v1", func(p projections.Progress) {
			if first.Name == "" {
				first = p
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if first.Done < stopAt {
			t.Errorf("began at %d, was stopped at %d", first.Done, stopAt)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
	})
}

func TestRebuildFailsFast(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		e.fill(t, 30)
		at := e.append(t, "item-1", boom{})
		last := e.fill(t, 30)
		cfg := e.config()
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		before := readTables(t, e.db)
		var poison *projections.PoisonError
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); !errors.As(err, &poison) || poison.Position != at {
			t.Errorf("rebuild: %v", err)
		}
		checkTables(t, before, readTables(t, e.db))
		e.mended.Store(true)
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		if s := status(t, cfg); s.Parked != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestRollback(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		_, stop := start(t, cfg)
		old := e.fill(t, 60)
		waitFor(t, e.db, "toy.v1", old)
		if err := projections.Rollback(t.Context(), cfg, "toy.v1"); !errors.Is(err, projections.ErrNothingOld) {
			t.Errorf("nothing to go back to: %v", err)
		}
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		newer := e.fill(t, 40)
		waitFor(t, e.db, "toy.v1", newer)
		stop()
		if err := projections.Rollback(t.Context(), cfg, "toy.v1"); err != nil {
			t.Fatal(err)
		}
		if s := status(t, cfg); s.Checkpoint != old || s.Generation != 1 || s.Old == nil || *s.Old != newer {
			t.Errorf("status %+v", s)
		}
		checkTables(t, e.folded(t, func(r eventstore.Recorded) bool { return r.Position > old }), readTables(t, e.db))
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", e.fill(t, 10))
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
		// And forwards again, under a Runner, and then a rebuild on top.
		for range 2 {
			if err := projections.Rollback(t.Context(), cfg, "toy.v1"); err != nil {
				t.Fatal(err)
			}
			waitFor(t, e.db, "toy.v1", e.fill(t, 10))
			checkTables(t, e.folded(t, nil), readTables(t, e.db))
		}
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		waitFor(t, e.db, "toy.v1", e.fill(t, 10))
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
	})
}

func TestVerifyFindsDifferences(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		e.append(t, "item-1", put{Owner: "a", N: 1})
		e.append(t, "item-2", put{Owner: "a", N: 2})
		last := e.append(t, "item-3", put{Owner: "b", N: 3})
		cfg := e.config()
		_, stop := start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		stop()
		for _, sql := range []string{
			"UPDATE toy_items SET n = 7 WHERE id = '1'",
			"DELETE FROM toy_items WHERE id = '2'",
			"INSERT INTO toy_items SELECT '9', owner, n, half, is_even, tags, touched FROM toy_items WHERE id = '3'",
		} {
			if err := e.db.Write(t.Context(), func(tx sqldb.Tx) error { _, err := tx.Exec(t.Context(), sql); return err }); err != nil {
				t.Fatal(err)
			}
		}
		diff, err := projections.Verify(t.Context(), cfg, "toy.v1")
		if err != nil {
			t.Fatal(err)
		}
		if diff.Different != 3 || len(diff.First) != 3 || diff.Rows != 7 || diff.Checkpoint != last {
			t.Fatalf("found %+v", diff)
		}
		for i, want := range []string{"1", "2", "9"} {
			if d := diff.First[i]; d.Key[0] != want || d.Table != "toy_items" {
				t.Errorf("difference %d is %+v", i, d)
			}
		}
		if d := diff.First[0]; d.Live["n"] != "7" || d.Fresh["n"] != "1" || len(d.Live) != 1 {
			t.Errorf("difference of values: %+v", d)
		}
		if d := diff.First[1]; d.Live != nil || d.Fresh == nil {
			t.Errorf("missing row: %+v", d)
		}
		// A rebuild finds and mends the same.
		var mended projections.Progress
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", func(p projections.Progress) { mended = p }); err != nil {
			t.Fatal(err)
		}
		if mended.Diff == nil || mended.Diff.Different != 3 {
			t.Errorf("the rebuild found %+v", mended.Diff)
		}
		verify(t, cfg)
	})
}

func TestVerifyWhileEventsAreAppended(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		e.fill(t, 200)
		cfg := e.config()
		cfg.ChunkSize = 30
		start(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var writer sync.WaitGroup
		writer.Go(func() {
			for ctx.Err() == nil { // as fast as the live view follows
				_ = projections.WaitFor(ctx, e.db, []string{"toy.v1"}, e.fill(t, 5))
			}
		})
		for range 3 {
			verify(t, cfg)
		}
		cancel()
		writer.Wait()
		if s := status(t, cfg); s.Rebuild != nil || s.Old != nil {
			t.Errorf("status %+v", s)
		}
	})
}

func TestStatusShowsLag(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		if err := projections.Prepare(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		e.append(t, "other-1", put{})
		e.append(t, "item-1", put{})
		e.append(t, "item-1", put{})
		now := time.Now().Add(time.Hour)
		cfg.Now = func() time.Time { return now }
		if s := status(t, cfg); s.State != projections.StateWaiting || s.Lag != 3 || s.Head != 3 || s.LagTime < 59*time.Minute || s.LagTime > 61*time.Minute {
			t.Errorf("status %+v", s)
		}
	})
}
