package projections_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// A projection with a database of its own is run, shown, skipped in, rebuilt and
// rolled back there, beside others that are not; and while somebody keeps its
// database busy, the others go on.
func TestApart(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		own := openSQLite(t, filepath.Join(t.TempDir(), "own.db"))
		cfg := e.config()
		cfg.Projections = append(cfg.Projections, func() projections.Projection { return newToy("own", &e.mended) })
		cfg.Apart = map[string]sqldb.DB{"own.v1": own}
		cfg.Waiter = projections.NewWaiter(e.db, own)
		start(t, cfg)
		wait := func(step int, names ...string) {
			t.Helper()
			if err := cfg.Waiter.Wait(deadline(t), e.fill(t, 1), names...); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		}
		e.fill(t, 60)
		poison := e.append(t, "item-1", boom{})
		e.append(t, "item-1", put{Owner: "c", N: 3})
		wait(1, "toy.v1", "own.v1")
		for db, table := range map[sqldb.DB]string{e.db: "own_items", own: "toy_items"} {
			err := db.Read(t.Context(), func(tx sqldb.Tx) error {
				if there, err := sqldb.TableExists(t.Context(), tx, table); err != nil || there {
					t.Errorf("table %s is in the other database: %v", table, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		parked, _, err := projections.ListParkedStreams(t.Context(), cfg, projections.ParkedQuery{Projection: "own.v1", Limit: 10})
		if err != nil || len(parked) != 1 || parked[0].Position != poison {
			t.Errorf("parked %+v, %v", parked, err)
		}
		if _, err := projections.FindParked(t.Context(), cfg, "own.v1", "item-1", 0); err != nil {
			t.Error(err)
		}
		e.mended.Store(true)
		if n, err := projections.Retry(deadline(t), cfg, "own.v1", "item-1"); err != nil || n < 2 {
			t.Errorf("retry: %d, %v", n, err)
		}
		if n, err := projections.Retry(deadline(t), cfg, "toy.v1", "item-1"); err != nil || n < 2 {
			t.Errorf("retry: %d, %v", n, err)
		}
		wait(2, "toy.v1", "own.v1")
		checkTables(t, readTables(t, e.db), readTablesOf(t, own, "own"))

		if err := projections.RebuildAll(deadline(t), cfg, []string{"own.v1", "toy.v1"}, nil); err != nil {
			t.Fatal(err)
		}
		list, err := projections.ReadStatus(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.Generation != 2 || s.Parked != 0 || s.Old == nil {
				t.Errorf("status %+v", s)
			}
		}
		if err := projections.Rollback(deadline(t), cfg, "own.v1"); err != nil {
			t.Fatal(err)
		}
		wait(3, "toy.v1", "own.v1")
		for _, name := range []string{"own.v1", "toy.v1"} {
			if diff, err := projections.Verify(deadline(t), cfg, name); err != nil || diff.Different > 0 {
				t.Errorf("%s: %+v, %v", name, diff, err)
			}
		}
		checkTables(t, readTables(t, e.db), readTablesOf(t, own, "own"))

		err = own.Write(t.Context(), func(sqldb.Tx) error {
			wait(4, "toy.v1")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wait(5, "own.v1")
		before, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := cfg.Waiter.Wait(before, 1<<40, "own.v1"); err == nil {
			t.Error("waited for what is not there")
		}
	})
}
