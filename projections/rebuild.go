package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Rebuild folds the log from event zero into fresh tables, beside the live ones
// and while they are used, and then puts them in their place in one step. The
// live tables become the old ones, which Rollback brings back. progress, which
// may be nil, is called after each chunk, and at last with the Diff between the
// two: that something differs does not stop a rebuild, which may be there to
// mend it.
//
// A rebuild that was cancelled or killed is resumed by the next one. An event
// that cannot be applied ends it with a *PoisonError, and the live tables stay.
func Rebuild(ctx context.Context, cfg Config, name string, progress func(Progress)) error {
	return RebuildAll(ctx, cfg, []string{name}, progress)
}

// RebuildAll is Rebuild for several projections. Those of one database read the log
// together: each event is fetched and decoded once. Each is switched over by itself. The
// first that fails ends the others, too. progress is called by one of them at a
// time.
func RebuildAll(ctx context.Context, cfg Config, names []string, progress func(Progress)) error {
	if err := Prepare(ctx, cfg); err != nil {
		return err
	}
	cfg, err := cfg.prepared()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := cfg.find(name); err != nil {
			return err
		}
	}
	for _, home := range cfg.homes() {
		here := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return cfg.DBOf(name) != home.DB })
		if err := rebuildAll(ctx, home, here, progress); err != nil {
			return err
		}
	}
	return nil
}

// rebuildAll is RebuildAll for those of one database.
func rebuildAll(ctx context.Context, cfg Config, names []string, progress func(Progress)) (err error) {
	var told sync.Mutex
	var builders []*builder
	defer func() {
		for _, b := range builders {
			if !b.done {
				err = errors.Join(err, b.release(ctx))
			}
		}
	}()
	for _, name := range names {
		p, err := cfg.find(name)
		if err != nil {
			return err
		}
		b, err := newBuilder(ctx, &cfg, p, roleNew, suffixNew, true)
		if err != nil {
			return fmt.Errorf("rebuild: %w", err)
		}
		builders = append(builders, b)
		if progress != nil {
			b.progress = func(p Progress) {
				told.Lock()
				defer told.Unlock()
				progress(p)
			}
		}
	}
	if err := foldToHead(ctx, &cfg, builders, PhaseFold); err != nil {
		return err
	}
	finish, ctx := errgroup.WithContext(ctx)
	// To compare takes a transaction inside of another: if all connections were held by
	// outer ones, none would ever get its inner one.
	finish.SetLimit(finishing)
	for _, b := range builders {
		finish.Go(func() error {
			if err := b.finish(ctx); err != nil {
				return fmt.Errorf("rebuild %s: %w", b.state.Name, err)
			}
			return nil
		})
	}
	return finish.Wait()
}

// finishing is how many views are compared at once, by far fewer than a database has
// connections.
const finishing = 3

// finish makes the indexes, compares, catches up and switches over.
func (b *builder) finish(ctx context.Context) (err error) {
	alone := []*builder{b}
	b.tell(PhaseIndex, b.state.Checkpoint)
	if err := b.index(ctx); err != nil {
		return err
	}
	b.tell(PhaseCompare, b.state.Checkpoint)
	if b.diff, err = b.compare(ctx); err != nil {
		return err
	}
	if err := foldToHead(ctx, b.cfg, alone, PhaseCatchUp); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := b.goLive(ctx)
		if err == nil {
			break
		}
		if try == maxSwitchTries || !errors.Is(err, errLost) {
			return err
		}
	}
	b.done = true
	b.tell(PhaseDone, b.state.Checkpoint)
	return nil
}

// compare says how the new tables differ from the live ones, which move on
// meanwhile, or nil where that cannot be told: the live ones are of another log,
// or of another shape, or have not come as far and nobody moves them.
func (b *builder) compare(ctx context.Context) (*Diff, error) {
	var live state
	err := b.cfg.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		live, err = readState(ctx, tx, b.state.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if live.Checkpoint == 0 && live.Owner == "" {
		return nil, nil //nolint:nilnil // there is nothing to compare with
	}
	if live.Checkpoint < b.state.Checkpoint {
		if live.Store != b.state.Store {
			return nil, nil //nolint:nilnil // as it says above
		}
		// What has just been folded may be ahead of a runner that is busy, or
		// about to take the lease.
		patience := b.cfg.Lease
		if live.Owner == "" || live.LeaseUntil < b.cfg.now() {
			patience = min(patience, 5*b.cfg.Poll)
		}
		waiting, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err := b.cfg.Waiter.Wait(waiting, b.state.Checkpoint, b.state.Name)
		if err != nil && ctx.Err() == nil && waiting.Err() != nil {
			return nil, nil //nolint:nilnil // as it says above
		}
		if err != nil {
			return nil, err
		}
	}
	var diff Diff
	err = b.verify(ctx, &diff)
	switch {
	case errors.Is(err, ErrOtherLog), errors.Is(err, ErrOtherShape), errors.Is(err, errWentBack):
		return nil, nil //nolint:nilnil // as it says above
	case err != nil:
		return nil, fmt.Errorf("compare with the live tables: %w", err)
	}
	return &diff, nil
}

const maxPasses = 20 // over a log that grows meanwhile

// foldToHead folds until all have come to the log's end, or nearly: each pass is
// over what was appended during the one before.
func foldToHead(ctx context.Context, cfg *Config, builders []*builder, phase string) error {
	for range maxPasses {
		head, err := cfg.Store.Head(ctx)
		if err != nil {
			return fmt.Errorf("read head of the log: %w", err)
		}
		if !slices.ContainsFunc(builders, func(b *builder) bool { return b.state.Checkpoint < head.Position }) {
			break
		}
		if err := foldTo(ctx, cfg, builders, head.Position, phase); err != nil {
			return err
		}
	}
	return nil
}

// goLive takes the lease of the live tables, so that they stand still, brings
// the new ones to where those are, or further, and switches.
func (b *builder) goLive(ctx context.Context) error {
	var live state
	err := b.cfg.DB.Write(ctx, func(tx sqldb.Tx) (err error) {
		err = one(tx.Exec(ctx, "UPDATE projections SET epoch = epoch + 1, owner = $1, lease_until = $2 WHERE name = $3",
			b.state.Owner, b.cfg.leaseEnd(), b.state.Name))
		if err != nil {
			return err
		}
		live, err = readState(ctx, tx, b.state.Name)
		return err
	})
	if err != nil {
		return fmt.Errorf("take lease: %w", err)
	}
	b.tell(PhaseSwitch, b.state.Checkpoint)
	err = b.level(ctx, live)
	for try := 1; err == nil; try++ {
		if err = b.swap(ctx, live, try); err == nil || try == maxSwitchTries || errors.Is(err, errLost) || ctx.Err() != nil {
			break
		}
		pause(ctx, b.cfg.Poll) // somebody reads the tables for long
		err = nil
	}
	if err != nil {
		return errors.Join(err, release(ctx, b.cfg, live.Name, live.Epoch))
	}
	return nil
}

const maxSwitchTries = 20

// level folds up to the live checkpoint, unless that is of another log.
func (b *builder) level(ctx context.Context, live state) error {
	head, err := b.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of the log: %w", err)
	}
	if other := live.follows(head); other == nil {
		return foldTo(ctx, b.cfg, []*builder{b}, live.Checkpoint, PhaseSwitch)
	}
	return nil
}

// swap makes the new tables live and the live ones old.
func (b *builder) swap(ctx context.Context, live state, try int) error {
	err := b.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := shortLocks(ctx, tx, try); err != nil {
			return err
		}
		err := one(tx.Exec(ctx, `UPDATE projections SET epoch = epoch + 1, generation = $1, store = $2, checkpoint = $3, shape = $4,
			owner = '', lease_until = 0, error = '', updated_at = $5 WHERE name = $6 AND epoch = $7`,
			b.state.Generation, b.state.Store, int64(b.state.Checkpoint), b.state.Shape, b.cfg.now(), live.Name, live.Epoch))
		if err != nil {
			return err
		}
		still, found, err := readBuild(ctx, tx, b.state.Name, b.state.Role)
		if err != nil {
			return err
		}
		if !found || still.Epoch != b.state.Epoch {
			return errLost
		}
		if err := renameTables(ctx, tx, b.p, "", suffixOld); err != nil {
			return err
		}
		if err := renameTables(ctx, tx, b.p, suffixNew, ""); err != nil {
			return err
		}
		if err := deleteBuild(ctx, tx, b.state.Name, roleNew); err != nil {
			return err
		}
		// What is parked belongs to a generation: that of the old tables is kept
		// with them, that of older ones goes.
		_, err = tx.Exec(ctx, "DELETE FROM parked WHERE projection = $1 AND generation <> $2", live.Name, live.Generation)
		if err != nil {
			return err
		}
		return writeBuild(ctx, tx, live.old(b.cfg))
	})
	if err != nil {
		return fmt.Errorf("switch tables: %w", err)
	}
	return nil
}

// old returns what is to be known of tables that are live no more.
func (s state) old(cfg *Config) buildState {
	return buildState{
		Name: s.Name, Role: roleOld, Generation: s.Generation, Store: s.Store,
		Checkpoint: s.Checkpoint, Target: s.Checkpoint, Shape: s.Shape, UpdatedAt: cfg.now(),
	}
}

// shortLocks keeps a transaction that waits for a table from making all who
// come after it wait, too. It gives up before PostgreSQL looks for deadlocks
// (after a second), so that it is never a reader who has to. What is still in the
// way at a later try may be an autovacuum, which is what that search ends.
func shortLocks(ctx context.Context, tx sqldb.Tx, try int) error {
	if sqldb.EngineOf(tx) != sqldb.Postgres {
		return nil
	}
	wait := "500ms"
	if try > patientTries {
		wait = "1500ms"
	}
	_, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+wait+"'")
	return err
}

const patientTries = 3

// ErrNothingOld reports that there are no tables to go back to.
var ErrNothingOld = errors.New("projections: no older tables to go back to")

// Rollback exchanges the live tables and those that the last Rebuild replaced.
// The checkpoint goes back with them: a Runner catches up from there. A second
// Rollback undoes the first.
func Rollback(ctx context.Context, cfg Config, name string) error {
	if err := Prepare(ctx, cfg); err != nil {
		return err
	}
	cfg, err := cfg.home(name)
	if err != nil {
		return err
	}
	p, err := cfg.find(name)
	if err != nil {
		return err
	}
	var back eventstore.Position
	err = cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := shortLocks(ctx, tx, 1); err != nil {
			return err
		}
		// The first statement locks the row, so that what is read is the last.
		if err := one(tx.Exec(ctx, "UPDATE projections SET epoch = epoch + 1, owner = '', lease_until = 0 WHERE name = $1", name)); err != nil {
			return err
		}
		live, err := readState(ctx, tx, name)
		if err != nil {
			return err
		}
		old, found, err := readBuild(ctx, tx, name, roleOld)
		if err != nil {
			return err
		}
		if !found {
			return ErrNothingOld
		}
		for _, step := range [][2]string{{"", suffixSwap}, {suffixOld, ""}, {suffixSwap, suffixOld}} {
			if err := renameTables(ctx, tx, p, step[0], step[1]); err != nil {
				return err
			}
		}
		back = old.Checkpoint
		_, err = tx.Exec(ctx, `UPDATE projections SET generation = $1, store = $2, checkpoint = $3, shape = $4, error = '', updated_at = $5
			WHERE name = $6`, old.Generation, old.Store, int64(old.Checkpoint), old.Shape, cfg.now(), name)
		if err != nil {
			return err
		}
		return writeBuild(ctx, tx, live.old(&cfg))
	})
	if err != nil {
		return fmt.Errorf("roll back %s: %w", name, err)
	}
	cfg.Waiter.advance(back, name)
	return nil
}
