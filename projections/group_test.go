package projections_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// counting counts the write transactions.
type counting struct {
	sqldb.DB
	n atomic.Int64
}

func (c *counting) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	c.n.Add(1)
	return c.DB.Write(ctx, fn)
}

func names(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("toy%d.v1", i))
	}
	return list
}

func (e *env) several(n int) projections.Config {
	cfg := e.config()
	cfg.Lease = time.Hour // nobody renews it
	cfg.Projections = nil
	for i := range n {
		cfg.Projections = append(cfg.Projections, func() projections.Projection { return newToy(fmt.Sprintf("toy%d", i), &e.mended) })
	}
	return cfg
}

func TestProjectionsNearTheEndShareATransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		db := &counting{DB: e.db}
		cfg := e.several(5)
		cfg.DB, cfg.Waiter = db, projections.NewWaiter(db)
		e.fill(t, 3)
		start(t, cfg)
		all := names(5)
		if err := projections.WaitFor(deadline(t), e.db, all, e.fill(t, 3)); err != nil {
			t.Fatal(err)
		}
		before := db.n.Load()
		const events = 40
		for i := range events {
			stream := "item-1"
			if i%4 == 0 {
				stream = "other-1" // moves the checkpoints alone
			}
			if err := cfg.Waiter.Wait(deadline(t), e.append(t, stream, put{Owner: "a", N: int64(i)}), all...); err != nil {
				t.Fatal(err)
			}
		}
		if n := db.n.Load() - before; n > events {
			t.Errorf("%d events took %d transactions for %d projections", events, n, len(all))
		}
		for i := range all {
			checkTables(t, e.folded(t, nil), readTablesOf(t, e.db, fmt.Sprintf("toy%d", i)))
		}
	})
}

// What the database refuses of one projection, and one whose lease was taken,
// keep none of the others from the same events.
func TestOneOfSeveralFails(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.several(4)
		cfg.Poll = time.Millisecond
		start(t, cfg)
		all := names(4)
		if err := projections.WaitFor(deadline(t), e.db, all, e.fill(t, 3)); err != nil {
			t.Fatal(err)
		}
		e.exec(t, "ALTER TABLE toy1_items RENAME TO toy1_away")
		e.exec(t, "UPDATE projections SET epoch = epoch + 1, owner = 'somebody', lease_until = 9000000000000000 WHERE name = 'toy2.v1'")
		last := e.fill(t, 20)
		if err := projections.WaitFor(deadline(t), e.db, []string{all[0], all[3]}, last); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		for _, name := range []string{all[1], all[2]} {
			if err := projections.WaitFor(ctx, e.db, []string{name}, last); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s has moved: %v", name, err)
			}
		}
		e.exec(t, "ALTER TABLE toy1_away RENAME TO toy1_items")
		e.exec(t, "UPDATE projections SET owner = '', lease_until = 0 WHERE name = 'toy2.v1'")
		if err := projections.WaitFor(deadline(t), e.db, all, e.fill(t, 20)); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			checkTables(t, e.folded(t, nil), readTablesOf(t, e.db, fmt.Sprintf("toy%d", i)))
		}
	})
}
