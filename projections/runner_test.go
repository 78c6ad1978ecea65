package projections_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
)

func TestRunnerFollowsTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		e.fill(t, 500)
		cfg := e.config()
		cfg.BatchSize, cfg.CacheRows = 37, 20
		_, stop := start(t, cfg)
		waitFor(t, e.db, "toy.v1", e.fill(t, 100))
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
		stop()
		last := e.fill(t, 50)
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
		if s := status(t, cfg); s.State != projections.StateRunning || s.Lag != 0 || s.Epoch != 2 || s.Owner == "" {
			t.Errorf("status %+v", s)
		}
	})
}

// However the log is cut into batches, whatever the caches hold and wherever a
// Runner is stopped: the tables are those of a fold of one event at a time, and
// so are those of a rebuild.
func TestTablesDoNotDependOnBatches(t *testing.T) {
	url := testenv.Postgres(t)
	dir := t.TempDir()
	engines := map[string]func(n int64) sqldb.DB{
		"sqlite": func(n int64) sqldb.DB {
			db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(dir, fmt.Sprintf("%d.db", n)), sqldb.Rebuildable)
			if err != nil {
				t.Fatal(err)
			}
			return db
		},
		"postgres": func(n int64) sqldb.DB {
			db, err := sqldb.OpenPostgres(t.Context(), url, fmt.Sprintf("views_%d", n), sqldb.Rebuildable, sqldb.Readers(2))
			if err != nil {
				t.Fatal(err)
			}
			return db
		},
	}
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			rapid.Check(t, func(rt *rapid.T) {
				if n.Add(1) > 15 { // each is a database with several runs
					return
				}
				e := &env{log: newLog(t), db: open(n.Load())}
				defer e.db.Close()
				for range rapid.IntRange(1, 3).Draw(rt, "runs") {
					cfg := e.config()
					cfg.BatchSize = rapid.IntRange(1, 9).Draw(rt, "batch")
					cfg.CacheRows = rapid.SampledFrom([]int{1, 4, 1000}).Draw(rt, "cache")
					_, stop := start(t, cfg)
					for range rapid.IntRange(1, 3).Draw(rt, "appends") {
						last := e.random(t, rt)
						if rapid.Bool().Draw(rt, "wait") {
							waitFor(t, e.db, "toy.v1", last)
						}
					}
					stop()
				}
				cfg := e.config()
				_, stop := start(t, cfg)
				defer stop()
				head, _ := e.log.Head(t.Context())
				waitFor(t, e.db, "toy.v1", head.Position)
				want := e.folded(t, nil)
				checkTables(t, want, readTables(t, e.db))
				verify(t, cfg)
				cfg.ChunkSize = rapid.IntRange(1, 9).Draw(rt, "chunk")
				cfg.BuildRows = rapid.SampledFrom([]int{1, 4, 1000}).Draw(rt, "build cache")
				if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); err != nil {
					t.Fatal(err)
				}
				checkTables(t, want, readTables(t, e.db))
				verify(t, cfg)
			})
		})
	}
}

func (e *env) random(t *testing.T, rt *rapid.T) (last eventstore.Position) {
	for range rapid.IntRange(1, 12).Draw(rt, "events") {
		stream := fmt.Sprintf("item-%d", rapid.IntRange(0, 6).Draw(rt, "item"))
		switch rapid.IntRange(0, 5).Draw(rt, "kind") {
		case 0:
			last = e.append(t, stream, gone{})
		case 1:
			last = e.append(t, "other-1", put{})
		default:
			last = e.append(t, stream, put{
				Owner: rapid.SampledFrom([]string{"a", "b", "é\x00"}).Draw(rt, "owner"),
				N:     rapid.Int64Range(-3, 3).Draw(rt, "n"),
				Tag:   rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "tag"),
			})
		}
	}
	return last
}

// faulty fails a share of the write transactions after they have done all their
// work.
type faulty struct {
	sqldb.DB
	n    atomic.Int64
	each int64
}

var errFault = errors.New("power cut")

func (f *faulty) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	return f.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if f.n.Add(1)%f.each == 0 {
			return errFault
		}
		return nil
	})
}

func TestFailedTransactionsAreDoneAgainOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		last := e.fill(t, 300)
		if err := projections.Prepare(t.Context(), e.config()); err != nil {
			t.Fatal(err)
		}
		cfg := e.config()
		cfg.BatchSize, cfg.Poll = 20, time.Millisecond
		cfg.DB = &faulty{DB: e.db, each: 5}
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", last)
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
	})
}

func TestAnotherRunnerTakesOver(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		var ahead atomic.Int64 // of the second process's clock
		first, second := e.config(), e.config()
		first.Lease, second.Lease = time.Hour, time.Hour
		second.DB = e.open(t)
		second.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		start(t, first)
		waitFor(t, e.db, "toy.v1", e.fill(t, 50))
		owner := status(t, first).Owner
		start(t, second)
		waitFor(t, e.db, "toy.v1", e.fill(t, 50))
		if s := status(t, first); s.Owner != owner || s.Epoch != 1 {
			t.Fatalf("the lease was taken from its owner: %+v", s)
		}
		ahead.Store(int64(2 * time.Hour)) // the first seems dead, but goes on
		eventually(t, "the second takes over", func() bool { return status(t, second).Epoch > 1 })
		if s := status(t, second); s.Owner == owner || s.Owner == "" {
			t.Errorf("status %+v", s)
		}
		waitFor(t, e.db, "toy.v1", e.fill(t, 50))
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, first)
	})
}

// Who is alone does not wait for the end of a dead process's lease. If that was
// not dead after all, the epoch keeps the two apart.
func TestAloneTakesALeaseAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		dead, alone := e.config(), e.config()
		dead.Lease, alone.Lease, alone.Alone = time.Hour, time.Hour, true
		alone.DB = e.open(t)
		start(t, dead)
		waitFor(t, e.db, "toy.v1", e.fill(t, 50))
		start(t, alone)
		eventually(t, "the second takes over", func() bool { return status(t, alone).Epoch == 2 })
		waitFor(t, e.db, "toy.v1", e.fill(t, 50))
		if s := status(t, alone); s.Epoch != 2 {
			t.Errorf("the lease went back and forth: %+v", s)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
	})
}

func TestStoppedRunnerGivesItsLeaseUp(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		cfg.Lease = time.Hour
		_, stop := start(t, cfg)
		waitFor(t, e.db, "toy.v1", e.fill(t, 5))
		stop()
		if s := status(t, cfg); s.Owner != "" || s.State != projections.StateWaiting {
			t.Errorf("status %+v", s)
		}
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", e.fill(t, 5))
	})
}

func TestPoisonParksItsStreamOnly(t *testing.T) {
	for _, poison := range []any{bad{}, boom{}, foldBoom{}, hookBoom{}} {
		t.Run(fmt.Sprintf("%T", poison)[len("projections_test."):], func(t *testing.T) {
			onBoth(t, func(t *testing.T, e *env) {
				e.append(t, "item-1", put{Owner: "a", N: 1})
				at := e.append(t, "item-1", poison)
				cfg := e.config()
				if poison == (hookBoom{}) {
					cfg.BatchSize = 1 // a hook sees the last state of the batch only
				}
				e.append(t, "item-2", put{Owner: "a", N: 2})
				e.append(t, "item-1", put{Owner: "b", N: 3})
				start(t, cfg)
				waitFor(t, e.db, "toy.v1", e.append(t, "item-2", put{Owner: "c", N: 4}))
				waitFor(t, e.db, "toy.v1", e.append(t, "item-1", put{Owner: "d", N: 5}))
				checkTables(t, e.folded(t, func(r eventstore.Recorded) bool { return r.Stream == "item-1" && r.Revision > 0 }),
					readTables(t, e.db))
				verify(t, cfg)

				s := status(t, cfg)
				if s.Parked != 3 || s.Failed != 1 || s.Lag != 0 {
					t.Errorf("status %+v", s)
				}
				parked, err := projections.ListParked(t.Context(), e.db, "toy.v1", 10)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, p := range parked {
					got = append(got, fmt.Sprintf("%s %d %d failed=%t", p.Stream, p.Position, p.Attempts, p.Error != ""))
				}
				want := []string{
					fmt.Sprintf("item-1 %d 1 failed=true", at),
					fmt.Sprintf("item-1 %d 0 failed=false", at+2),
					fmt.Sprintf("item-1 %d 0 failed=false", at+4),
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("parked (-want +got):\n%s", diff)
				}

				var still *projections.PoisonError
				if n, err := projections.Retry(t.Context(), cfg, "toy.v1", "item-1"); n != 0 || !errors.As(err, &still) || still.Position != at {
					t.Errorf("retry: %d, %v", n, err)
				}
				e.mended.Store(true)
				if n, err := projections.Retry(t.Context(), cfg, "toy.v1", "item-1"); n != 3 || err != nil {
					t.Errorf("retry after mending: %d, %v", n, err)
				}
				waitFor(t, e.db, "toy.v1", e.append(t, "item-1", put{Owner: "e", N: 6}))
				checkTables(t, e.folded(t, nil), readTables(t, e.db))
				verify(t, cfg)
				if s := status(t, cfg); s.Parked != 0 || s.Failed != 0 {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

func TestWhatTheDatabaseRejectsIsPoison(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		if err := projections.Prepare(t.Context(), e.config()); err != nil {
			t.Fatal(err)
		}
		e.exec(t, "CREATE UNIQUE INDEX no_two ON toy_items (n)")
		e.append(t, "item-1", put{Owner: "a", N: 1})
		at := e.append(t, "item-2", put{Owner: "a", N: 1})
		cfg := e.config()
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", e.append(t, "item-3", put{Owner: "a", N: 3}))
		e.append(t, "item-2", put{Owner: "a", N: 2})
		waitFor(t, e.db, "toy.v1", e.append(t, "item-4", put{Owner: "a", N: 4}))
		checkTables(t, e.folded(t, func(r eventstore.Recorded) bool { return r.Stream == "item-2" }), readTables(t, e.db))
		if s := status(t, cfg); s.Parked != 2 || s.Failed != 1 {
			t.Errorf("status %+v", s)
		}
		var still *projections.PoisonError
		cfg.BatchSize = 1
		if n, err := projections.Retry(t.Context(), cfg, "toy.v1", "item-2"); n != 0 || !errors.As(err, &still) || still.Position != at {
			t.Errorf("retry: %d, %v", n, err)
		}
		e.exec(t, "DROP INDEX no_two")
		if n, err := projections.Retry(t.Context(), cfg, "toy.v1", "item-2"); n != 2 || err != nil {
			t.Errorf("retry after mending: %d, %v", n, err)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
	})
}

func TestSeveralProcessesPrepareAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		var all sync.WaitGroup
		for range 4 {
			cfg := e.config()
			cfg.DB = e.open(t)
			all.Go(func() {
				if err := projections.Prepare(t.Context(), cfg); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		start(t, e.config())
		waitFor(t, e.db, "toy.v1", e.fill(t, 5))
	})
}

func TestOtherLogIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		_, stop := start(t, cfg)
		waitFor(t, e.db, "toy.v1", e.fill(t, 20))
		before := readTables(t, e.db)
		stop()
		e.log = newLog(t)
		last := e.fill(t, 40)
		cfg = e.config()
		start(t, cfg)
		eventually(t, "the runner says why it stops", func() bool {
			s := status(t, cfg)
			return s.State == projections.StateOtherLog && s.Error != ""
		})
		checkTables(t, before, readTables(t, e.db))
		if _, err := projections.Verify(t.Context(), cfg, "toy.v1"); !errors.Is(err, projections.ErrOtherLog) {
			t.Errorf("verify: %v", err)
		}
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		waitFor(t, e.db, "toy.v1", last)
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		eventually(t, "the runner goes on", func() bool { return status(t, cfg).State == projections.StateRunning })
	})
}

// restoredLog is a log of its own with the id of another, as an older backup has.
type restoredLog struct {
	eventstore.Store
	id uuid.UUID
}

func (r restoredLog) Head(ctx context.Context) (eventstore.Head, error) {
	h, err := r.Store.Head(ctx)
	h.Store = r.id
	return h, err
}

// A log that lost its end is refused, also when it has grown past the
// checkpoint again.
func TestARestoredLogIsRefusedUntilTheRebuild(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		_, stop := start(t, e.config())
		waitFor(t, e.db, "toy.v1", e.fill(t, 20))
		stop()
		head, err := e.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := readTables(t, e.db)

		e.log = restoredLog{newLog(t), head.Store}
		e.fill(t, 5)
		cfg := e.config()
		_, stop = start(t, cfg)
		refused := func() bool {
			s := status(t, cfg)
			return s.State == projections.StateOtherLog && strings.Contains(s.Error, "before it was restored")
		}
		eventually(t, "the runner notices", refused)
		stop()
		last := e.fill(t, 40)
		if !refused() {
			t.Errorf("the log has grown past the checkpoint: %+v", status(t, cfg))
		}
		start(t, cfg)
		checkTables(t, before, readTables(t, e.db))
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		waitFor(t, e.db, "toy.v1", last)
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		eventually(t, "the runner goes on", func() bool { return status(t, cfg).State == projections.StateRunning })
	})
}

func TestOtherShapeIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		_, stop := start(t, cfg)
		last := e.fill(t, 20)
		waitFor(t, e.db, "toy.v1", last)
		stop()
		cfg.Projections = []func() projections.Projection{func() projections.Projection { return newOtherToy() }}
		start(t, cfg)
		eventually(t, "the shape is noticed", func() bool {
			s := status(t, cfg)
			return s.State == projections.StateOtherShape && s.Error != ""
		})
		if err := projections.Rebuild(t.Context(), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		waitFor(t, e.db, "toy.v1", last)
		eventually(t, "the runner goes on", func() bool { return status(t, cfg).State == projections.StateRunning })
	})
}

// otherToy has the name of the toy and another table.
type otherToy struct {
	items *projections.Rows[string, otherRow]
}

type otherRow struct {
	ID string `db:"id,key"`
	N  int64  `db:"n"`
}

func newOtherToy() projections.Projection {
	return otherToy{projections.NewRows("toy_items", func(r *otherRow) string { return r.ID })}
}

func (otherToy) Name() string                  { return "toy.v1" }
func (otherToy) Categories() []string          { return nil }
func (p otherToy) Tables() []projections.Table { return []projections.Table{p.items} }
func (p otherToy) Apply(e projections.Event)   { p.items.Put(otherRow{e.Subject(), int64(e.Position)}) }

func TestCheckpointPassesWhatIsNotRead(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		start(t, cfg)
		var last eventstore.Position
		for range 30 {
			last = e.append(t, "other-1", put{})
		}
		waitFor(t, e.db, "toy.v1", last)
		err := e.db.Read(t.Context(), func(tx sqldb.Tx) error {
			got, err := projections.Checkpoints(t.Context(), tx, "toy.v1")
			if got != last {
				t.Errorf("checkpoint %d, want %d", got, last)
			}
			if none, err := projections.Checkpoints(t.Context(), tx, "toy.v1", "none.v1"); none != 0 || err != nil {
				t.Errorf("checkpoint of a projection that does not exist: %d, %v", none, err)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestSlowProjectionHoldsNobodyUp(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		gate := make(chan struct{})
		cfg := e.config()
		cfg.Projections = append(cfg.Projections, func() projections.Projection { return stuck{newOtherToy(), gate} })
		start(t, cfg)
		waitFor(t, e.db, "toy.v1", e.fill(t, 50))
		close(gate)
		waitFor(t, e.db, "stuck.v1", e.fill(t, 1))
	})
}

// stuck does not get past its first event before its gate opens.
type stuck struct {
	projections.Projection
	gate chan struct{}
}

func (stuck) Name() string                { return "stuck.v1" }
func (stuck) Tables() []projections.Table { return nil }
func (s stuck) Apply(projections.Event)   { <-s.gate }

func TestWaiter(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		cfg.Waiter = projections.NewWaiter(e.db)
		start(t, cfg)
		if err := cfg.Waiter.Wait(deadline(t), e.fill(t, 30), "toy.v1"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := cfg.Waiter.Wait(ctx, 1e6, "toy.v1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a position that is not reached: %v", err)
		}
		if err := cfg.Waiter.Wait(t.Context(), 1e6); err != nil {
			t.Errorf("no projections: %v", err)
		}
		// Another process, with another connection, looks the checkpoint up.
		other := projections.NewWaiter(e.open(t))
		if err := other.Wait(deadline(t), e.fill(t, 30), "toy.v1"); err != nil {
			t.Fatal(err)
		}
	})
}
