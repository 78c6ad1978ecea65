package projections_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// secondary returns how many secondary indexes the toy's tables have.
func secondary(t *testing.T, db sqldb.DB) (n int) {
	t.Helper()
	err := db.Read(t.Context(), func(tx sqldb.Tx) error {
		list, err := sqldb.Indexes(t.Context(), tx)
		for _, name := range list {
			if strings.Contains(name, "_by_") {
				n++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A view that has everything before it is filled without its indexes, which are
// there when it has caught up, also if it was interrupted.
func TestFillWithoutIndexes(t *testing.T) {
	const all = 3
	onBoth(t, func(t *testing.T, e *env) {
		last := e.fill(t, 1000)
		cfg := e.config()
		cfg.BatchSize, cfg.ChunkSize, cfg.FillFrom = 20, 100, 100
		half := make(chan struct{})
		letGo := sync.OnceFunc(func() { close(half) })
		interrupted := cfg
		interrupted.Decode = func(r eventstore.Recorded) (any, error) {
			if r.Position >= last/2 {
				<-half
			}
			return e.decode(r)
		}
		_, stop := start(t, interrupted)
		t.Cleanup(letGo) // before the runner is waited for
		eventually(t, "a part is folded", func() bool { return status(t, cfg).Checkpoint > 0 })
		if n := secondary(t, e.db); n != 0 {
			t.Errorf("%d indexes while the view is filled", n)
		}
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		letGo()
		<-stopped
		_, stop = start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		eventually(t, "the indexes are made", func() bool { return secondary(t, e.db) == all })
		waitFor(t, e.db, "toy.v1", e.fill(t, 3))
		stop()
		// A view that lags later keeps its indexes.
		last = e.fill(t, 200)
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		if n := secondary(t, e.db); n != all {
			t.Errorf("%d indexes after it lagged, want %d", n, all)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
	})
}

// While many batches are written together, poison parks its stream only, whatever
// it fails in: it is looked for from the checkpoint, batch by batch.
func TestPoisonWhileAViewIsFilled(t *testing.T) {
	for _, poison := range []any{bad{}, boom{}, foldBoom{}} {
		t.Run(fmt.Sprintf("%T", poison)[len("projections_test."):], func(t *testing.T) {
			onBoth(t, func(t *testing.T, e *env) {
				const stream = "item-poison"
				e.fill(t, 200)
				e.append(t, stream, put{Owner: "a", N: 1})
				e.fill(t, 50)
				e.append(t, stream, poison)
				e.fill(t, 50)
				e.append(t, stream, put{Owner: "b", N: 3})
				last := e.fill(t, 200)
				cfg := e.config()
				cfg.BatchSize, cfg.ChunkSize, cfg.FillFrom = 20, 120, 100
				start(t, cfg)
				waitFor(t, e.db, "toy.v1", last)
				checkTables(t, e.folded(t, func(r eventstore.Recorded) bool { return r.Stream == stream && r.Revision > 0 }), readTables(t, e.db))
				verify(t, cfg)
				if s := status(t, cfg); s.Parked != 2 || s.Failed != 1 {
					t.Errorf("status %+v", s)
				}
				e.mended.Store(true)
				if n, err := projections.Retry(t.Context(), cfg, "toy.v1", stream); n != 2 || err != nil {
					t.Errorf("retry after mending: %d, %v", n, err)
				}
				checkTables(t, e.folded(t, nil), readTables(t, e.db))
				eventually(t, "the indexes are made", func() bool { return secondary(t, e.db) == 3 })
			})
		})
	}
}

// What the database rejects in a row is found in the same way.
func TestRejectedWhileAViewIsFilled(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		if err := projections.Prepare(t.Context(), e.config()); err != nil {
			t.Fatal(err)
		}
		e.exec(t, "CREATE UNIQUE INDEX no_two ON toy_items (n)")
		last := eventstore.Position(0)
		for i := range 400 {
			n := int64(i)
			if i == 50 {
				n = 7
			}
			last = e.append(t, fmt.Sprintf("item-%d", i), put{Owner: "a", N: n})
		}
		cfg := e.config()
		cfg.BatchSize, cfg.ChunkSize, cfg.FillFrom = 20, 120, 100
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		checkTables(t, e.folded(t, func(r eventstore.Recorded) bool { return r.Stream == "item-50" }), readTables(t, e.db))
		if s := status(t, cfg); s.Parked != 1 || s.Failed != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

// What a few projections read is decoded once, as long as they keep together.
func TestProjectionsShareWhatIsDecoded(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		var decoded atomic.Int64
		cfg := e.config()
		cfg.Decode = func(r eventstore.Recorded) (any, error) {
			decoded.Add(1)
			return e.decode(r)
		}
		cfg.Projections = append(cfg.Projections, func() projections.Projection { return newToy("twin", &e.mended) })
		start(t, cfg)
		for range 50 {
			last := e.append(t, "item-1", put{Owner: "o", N: 1})
			ctx := deadline(t)
			if err := projections.WaitFor(ctx, e.db, []string{"toy.v1", "twin.v1"}, last); err != nil {
				t.Fatal(err)
			}
		}
		// Two that look at the same moment may both decode an event.
		if n := decoded.Load(); n < 50 || n >= 100 {
			t.Errorf("50 events were decoded %d times for two projections", n)
		}
	})
}

func TestRebuildSeveral(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		last := e.fill(t, 300)
		var decoded atomic.Int64
		cfg := e.config()
		cfg.ChunkSize = 50
		cfg.Projections = append(cfg.Projections, func() projections.Projection { return newToy("twin", &e.mended) })
		counting := cfg
		counting.Decode = func(r eventstore.Recorded) (any, error) {
			decoded.Add(1)
			return e.decode(r)
		}
		// Where one has got further, the other catches up.
		ctx, cancel := context.WithCancel(t.Context())
		err := projections.Rebuild(ctx, cfg, "twin.v1", func(p projections.Progress) {
			if p.Done >= last/2 {
				cancel()
			}
		})
		if err == nil {
			t.Fatal("it was not interrupted")
		}
		phases := map[string]string{}
		err = projections.RebuildAll(deadline(t), counting, []string{"toy.v1", "twin.v1"}, func(p projections.Progress) { phases[p.Name] = p.Phase })
		if err != nil {
			t.Fatal(err)
		}
		if n := decoded.Load(); n > int64(last) {
			t.Errorf("%d events were decoded %d times for two projections", last, n)
		}
		if phases["toy.v1"] != projections.PhaseDone || phases["twin.v1"] != projections.PhaseDone {
			t.Errorf("phases %v", phases)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		for _, name := range []string{"toy.v1", "twin.v1"} {
			diff, err := projections.Verify(deadline(t), cfg, name)
			if err != nil || diff.Different != 0 || diff.Checkpoint != last {
				t.Errorf("%s: %+v, %v", name, diff, err)
			}
		}
		if err := projections.RebuildAll(t.Context(), cfg, []string{"toy.v1", "nothing.v1"}, nil); err == nil {
			t.Error("an unknown projection was rebuilt")
		}
	})
}
