package projections

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

const pollCheckpoints = 20 * time.Millisecond

// Waiter lets queries wait until projections have got to a position. A Runner
// of the same process wakes it at once; the checkpoints of another process are
// looked up while somebody waits. It is safe for concurrent use.
type Waiter struct {
	db sqldb.DB

	mu      sync.Mutex
	at      map[string]eventstore.Position
	version int           // of at
	changed chan struct{} // closed when at changes
	polling bool          // one of those who wait looks for all
}

// NewWaiter returns a Waiter for the projections in db. Give it to the Runner,
// too.
func NewWaiter(db sqldb.DB) *Waiter {
	return &Waiter{db: db, at: map[string]eventstore.Position{}, changed: make(chan struct{})}
}

// WaitFor is NewWaiter(db).Wait, for a process that waits once.
func WaitFor(ctx context.Context, db sqldb.DB, names []string, position eventstore.Position) error {
	return NewWaiter(db).Wait(ctx, position, names...)
}

// Wait returns nil when all the named projections are at or behind position, or
// the reason why ctx ended. A rollback may move one back again: whoever must be
// sure reads Checkpoints in the transaction of the query.
func (w *Waiter) Wait(ctx context.Context, position eventstore.Position, names ...string) error {
	tick := time.NewTicker(pollCheckpoints)
	defer tick.Stop()
	for due := true; ; {
		w.mu.Lock()
		reached, changed := w.reached(position, names), w.changed
		poll := due && !reached && !w.polling
		if poll {
			w.polling = true
		}
		w.mu.Unlock()
		switch {
		case reached:
			return nil
		case poll:
			due = false
			if err := w.poll(ctx); err != nil {
				return fmt.Errorf("wait for position %d: %w", position, err)
			}
			continue
		}
		select {
		case <-changed:
		case <-tick.C:
			due = true
		case <-ctx.Done():
			return fmt.Errorf("wait for position %d: %w", position, context.Cause(ctx))
		}
	}
}

func (w *Waiter) reached(position eventstore.Position, names []string) bool {
	for _, n := range names {
		if w.at[n] < position {
			return false
		}
	}
	return true
}

// poll reads all checkpoints. What the Runner has reported meanwhile is newer.
func (w *Waiter) poll(ctx context.Context) error {
	w.mu.Lock()
	before := w.version
	w.mu.Unlock()
	found := map[string]eventstore.Position{}
	err := w.db.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, "SELECT name, checkpoint FROM projections", nil, func(r sqldb.Row) error {
			found[r.Text(0)] = eventstore.Position(r.Int64(1))
			return nil
		})
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polling = false
	if err == nil && w.version == before && !maps.Equal(w.at, found) {
		w.at = found
		w.wake()
	}
	return err
}

// advance says where a projection is now.
func (w *Waiter) advance(name string, to eventstore.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at[name] != to {
		w.at[name] = to
		w.wake()
	}
}

func (w *Waiter) wake() {
	w.version++
	close(w.changed)
	w.changed = make(chan struct{})
}

// Checkpoints returns the position that all the named projections have reached,
// the least of theirs, as of the snapshot of tx. It is 0 if one is not known.
func Checkpoints(ctx context.Context, tx sqldb.Tx, names ...string) (eventstore.Position, error) {
	if len(names) == 0 {
		return 0, nil
	}
	type row struct {
		N   int64               `db:"n"`
		Min eventstore.Position `db:"min"`
	}
	var args []any
	got, err := sqldb.Get[row](ctx, tx,
		"SELECT count(*) AS n, min(checkpoint) AS min FROM projections WHERE name IN "+sqldb.In(&args, names), args...)
	if err != nil {
		return 0, fmt.Errorf("read checkpoints: %w", err)
	}
	if got.N < int64(len(names)) {
		return 0, nil
	}
	return got.Min, nil
}
