package projections

import (
	"context"
	"errors"
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
	dbs []sqldb.DB

	mu      sync.Mutex
	at      map[string]eventstore.Position
	reports map[string]int // by the Runner of this process, counted
	waiting map[*waiting]struct{}
	polling bool // one of those who wait looks for all
}

// waiting is a call of Wait.
type waiting struct {
	position eventstore.Position
	names    []string
	reached  chan struct{} // closed when it has come to an end
}

// NewWaiter returns a Waiter for the projections in some databases. Give it to the
// Runner, too.
func NewWaiter(dbs ...sqldb.DB) *Waiter {
	return &Waiter{dbs: dbs, at: map[string]eventstore.Position{}, reports: map[string]int{}, waiting: map[*waiting]struct{}{}}
}

// WaitFor is NewWaiter(db).Wait, for a process that waits once.
func WaitFor(ctx context.Context, db sqldb.DB, names []string, position eventstore.Position) error {
	return NewWaiter(db).Wait(ctx, position, names...)
}

// Wait returns nil when all the named projections are at or behind position, or
// the reason why ctx ended. A rollback may move one back again: whoever must be
// sure reads Checkpoints in the transaction of the query.
func (w *Waiter) Wait(ctx context.Context, position eventstore.Position, names ...string) error {
	me := &waiting{position, names, make(chan struct{})}
	w.mu.Lock()
	if w.reached(me) {
		w.mu.Unlock()
		return nil
	}
	w.waiting[me] = struct{}{}
	due := !w.told(names)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting, me)
	}()
	tick := time.NewTicker(pollCheckpoints)
	defer tick.Stop()
	for {
		if due && w.mayPoll() {
			if err := w.poll(ctx); err != nil {
				return fmt.Errorf("wait for position %d: %w", position, err)
			}
		}
		select {
		case <-me.reached:
			return nil
		case <-tick.C:
			due = true
		case <-ctx.Done():
			return fmt.Errorf("wait for position %d: %w", position, context.Cause(ctx))
		}
	}
}

// told reports whether the Runner of this process has reported on all of names:
// then it is likely to do so again before a look at the database would help.
func (w *Waiter) told(names []string) bool {
	for _, n := range names {
		if w.reports[n] == 0 {
			return false
		}
	}
	return true
}

func (w *Waiter) reached(by *waiting) bool {
	for _, n := range by.names {
		if w.at[n] < by.position {
			return false
		}
	}
	return true
}

// mayPoll reports whether the caller is to look for all.
func (w *Waiter) mayPoll() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	may := !w.polling
	w.polling = true
	return may
}

// poll reads all checkpoints. What the Runner has reported meanwhile is newer.
func (w *Waiter) poll(ctx context.Context) error {
	w.mu.Lock()
	before := maps.Clone(w.reports)
	w.mu.Unlock()
	found := map[string]eventstore.Position{}
	var err error
	for _, db := range w.dbs {
		err = errors.Join(err, db.Read(ctx, func(tx sqldb.Tx) error {
			return tx.Query(ctx, "SELECT name, checkpoint FROM projections", nil, func(r sqldb.Row) error {
				found[r.Text(0)] = eventstore.Position(r.Int64(1))
				return nil
			})
		}))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polling = false
	if err != nil {
		return err
	}
	for name, at := range found {
		if w.reports[name] == before[name] {
			w.at[name] = at
		}
	}
	w.wake()
	return nil
}

// advance says where projections are now.
func (w *Waiter) advance(to eventstore.Position, names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.at[name] = to
		w.reports[name]++
	}
	w.wake()
}

// wake ends the waiting of those who have reached what they wait for.
func (w *Waiter) wake() {
	for by := range w.waiting {
		if w.reached(by) {
			close(by.reached)
			delete(w.waiting, by)
		}
	}
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
