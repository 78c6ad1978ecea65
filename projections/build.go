package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Roles of tables beside the live ones, in projection_builds.
const (
	roleNew   = "new"
	roleOld   = "old"
	roleCheck = "check"
)

// buildState is a row of the table projection_builds.
type buildState struct {
	Name       string              `db:"name"`
	Role       string              `db:"role"`
	Generation int64               `db:"generation"`
	Store      string              `db:"store"`
	Checkpoint eventstore.Position `db:"checkpoint"`
	Target     eventstore.Position `db:"target"`
	Epoch      int64               `db:"epoch"`
	Owner      string              `db:"owner"`
	LeaseUntil int64               `db:"lease_until"`
	Shape      string              `db:"shape"`
	UpdatedAt  int64               `db:"updated_at"`
}

// readBuild returns the row, or ok false if there is none.
func readBuild(ctx context.Context, tx sqldb.Tx, name, role string) (b buildState, ok bool, err error) {
	b, err = sqldb.Get[buildState](ctx, tx, "SELECT * FROM projection_builds WHERE name = $1 AND role = $2", name, role)
	if errors.Is(err, sqldb.ErrNoRows) {
		return b, false, nil
	}
	return b, err == nil, err
}

func writeBuild(ctx context.Context, tx sqldb.Tx, b buildState) error {
	if err := deleteBuild(ctx, tx, b.Name, b.Role); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO projection_builds
		(name, role, generation, store, checkpoint, target, epoch, owner, lease_until, shape, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, b.Name, b.Role, b.Generation, b.Store,
		int64(b.Checkpoint), int64(b.Target), b.Epoch, b.Owner, b.LeaseUntil, b.Shape, b.UpdatedAt)
	return err
}

func deleteBuild(ctx context.Context, tx sqldb.Tx, name, role string) error {
	_, err := tx.Exec(ctx, "DELETE FROM projection_builds WHERE name = $1 AND role = $2", name, role)
	return err
}

// Progress says how far a rebuild is.
type Progress struct {
	Name  string
	Phase string              // one of the phases below
	Done  eventstore.Position // every event up to here is in the new tables
	Total eventstore.Position // where the log ends now
	Rate  float64             // positions a second, since the rebuild was started or resumed
	ETA   time.Duration       // until Done is Total, at this rate; 0 if that is not known
	Diff  *Diff               // in the last call: how the new tables differ from those they replace; nil if that cannot be told
}

// Phases of a rebuild, in their order.
const (
	PhaseFold    = "fold"
	PhaseIndex   = "index"
	PhaseCompare = "compare"
	PhaseCatchUp = "catch up"
	PhaseSwitch  = "switch"
	PhaseDone    = "done"
)

// builder folds the log into tables beside the live ones.
type builder struct {
	cfg *Config
	gathering
	state    buildState
	leased   time.Time                    // when the lease was renewed
	skip     map[eventstore.Position]bool // events that are not applied
	progress func(Progress)
	diff     *Diff
	done     bool // it has become the live one
	began    time.Time
	from     eventstore.Position
}

// newBuilder takes the build of a role, which another process may be busy with,
// or has left unfinished: that is resumed, if resume says so and it can be.
func newBuilder(ctx context.Context, cfg *Config, p Projection, role, suffix string, resume bool) (*builder, error) {
	b := &builder{cfg: cfg, gathering: gathering{target: newTarget(p, suffix, cfg.BuildRows), db: cfg.DB}, progress: func(Progress) {}}
	owner := cfg.Owner + "/" + uuid.NewString()[:8]
	for deadline := cfg.now() + 2*cfg.Lease.Microseconds(); ; pause(ctx, cfg.Poll) {
		err := b.take(ctx, role, owner, resume)
		switch {
		case err == nil:
			b.began, b.from = cfg.Now(), b.state.Checkpoint
			b.leased = b.began
			b.beginAt(b.state.Checkpoint)
			return b, nil
		case !errors.Is(err, errHeld) || cfg.now() > deadline:
			return nil, fmt.Errorf("start to build %s: %w", p.Name(), err)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
	}
}

func (b *builder) take(ctx context.Context, role, owner string, resume bool) error {
	head, err := b.cfg.Store.Head(ctx)
	if err != nil {
		return err
	}
	return b.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := sqldb.Lock(ctx, tx, "projections"); err != nil {
			return err
		}
		s, found, err := readBuild(ctx, tx, b.p.Name(), role)
		if err != nil {
			return err
		}
		if found && s.Owner != "" && s.LeaseUntil > b.cfg.now() {
			return errHeld
		}
		usable := found && resume && s.Shape == shapeOf(b.p) && s.Store == head.Store.String() && s.Checkpoint <= head.Position
		if !usable {
			generation, err := sqldb.Get[int64](ctx, tx, `SELECT 1 + max(generation) FROM (
				SELECT generation FROM projections WHERE name = $1
				UNION ALL SELECT generation FROM projection_builds WHERE name = $1) AS g`, b.p.Name())
			if err != nil {
				return err
			}
			s = buildState{Name: b.p.Name(), Role: role, Generation: generation, Store: head.Store.String(), Epoch: s.Epoch, Shape: shapeOf(b.p)}
			if err := createTables(ctx, tx, b.p, b.suffix); err != nil {
				return err
			}
		}
		// The row goes when a build ends. An epoch of an earlier one must not come
		// again: its owner may have been suspended and go on.
		s.Epoch = max(s.Epoch+1, b.cfg.now())
		s.Owner, s.LeaseUntil, s.Target, s.UpdatedAt = owner, b.cfg.leaseEnd(), head.Position, b.cfg.now()
		if b.skip, err = skips(ctx, tx, s.Name); err != nil {
			return err
		}
		b.state = s
		b.begin(s.Checkpoint == 0, b.cfg.BuildRows)
		return writeBuild(ctx, tx, s)
	})
}

// release lets another process resume at once.
func (b *builder) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return b.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE projection_builds SET owner = '', lease_until = 0 WHERE name = $1 AND role = $2 AND epoch = $3",
			b.state.Name, b.state.Role, b.state.Epoch)
		return err
	})
}

// foldTo brings the tables of all builders to a position, which is not behind
// the log's end, unless they are there already. They share what is read and
// decoded, and fold side by side. It fails at an event that one of them cannot
// apply.
func foldTo(ctx context.Context, cfg *Config, builders []*builder, upTo eventstore.Position, phase string) error {
	builders = slices.DeleteFunc(slices.Clone(builders), func(b *builder) bool { return b.state.Checkpoint >= upTo })
	if len(builders) == 0 {
		return nil
	}
	q := eventstore.AllQuery{After: builders[0].state.Checkpoint}
	all := false
	for _, b := range builders {
		q.After = min(q.After, b.state.Checkpoint)
		all = all || len(b.p.Categories()) == 0
		q.Categories = append(q.Categories, b.p.Categories()...)
	}
	slices.Sort(q.Categories)
	if q.Categories = slices.Compact(q.Categories); all {
		q.Categories = nil
	}
	work, ctx := errgroup.WithContext(ctx)
	batches := make(chan batch, 1)
	work.Go(func() error {
		read(ctx, cfg, q, upTo, min(cfg.BatchSize, cfg.ChunkSize), batches)
		return nil
	})
	var parts []chan batch
	for _, b := range builders {
		part := make(chan batch, 1)
		parts = append(parts, part)
		work.Go(func() (err error) {
			defer func() { err = errors.Join(err, b.land()) }()
			if all, err := b.applyAll(ctx, part, phase, upTo); !all || err != nil {
				return err
			}
			b.folded = max(b.folded, upTo) // nothing of what it reads was left
			if err := errors.Join(b.flush(ctx), b.land()); err != nil {
				return err
			}
			b.tell(phase, upTo)
			return nil
		})
	}
	work.Go(func() error {
		for next := range batches {
			if next.err != nil {
				return fmt.Errorf("read the log: %w", next.err)
			}
			for _, part := range parts {
				select {
				case part <- next:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		// That a part ends says that all was handed out. So it must not end for any other
		// reason: its builder would note a position that it has not come to.
		for _, part := range parts {
			close(part)
		}
		return nil
	})
	return work.Wait()
}

// applyAll folds what comes, and returns true once it has ended. It returns false if
// somebody else failed, who says why.
func (b *builder) applyAll(ctx context.Context, part <-chan batch, phase string, upTo eventstore.Position) (bool, error) {
	for {
		select {
		case next, more := <-part:
			if !more {
				return true, nil
			}
			if err := b.apply(ctx, next); err != nil {
				return false, err
			}
			b.tell(phase, upTo)
		case <-ctx.Done():
			return false, nil
		}
	}
}

// waitingShare is what part of the rows that a table may keep in memory may wait, of
// all tables, to be written.
const waitingShare = 2

// apply folds what is in next. Nobody else writes these tables, as the epoch
// proves.
func (b *builder) apply(ctx context.Context, next batch) error {
	if next.end <= b.folded {
		return nil
	}
	categories, events := b.p.Categories(), 0
	for _, it := range next.items {
		if it.Position <= b.folded || b.skip[it.Position] {
			continue
		}
		if len(categories) > 0 && !slices.Contains(categories, it.Category()) {
			continue
		}
		if err := b.recordItem(it); err != nil {
			return &PoisonError{b.state.Name, it.Stream, it.Position, err}
		}
		events++
	}
	if err := b.gather(ctx, next.end, events); err != nil {
		return err
	}
	if b.isDue(b.cfg.ChunkSize, b.cfg.BuildRows/waitingShare) {
		return b.flush(ctx)
	}
	return b.renew(ctx)
}

// flush writes what has been folded, and the checkpoint with it; land tells when
// that is done.
func (b *builder) flush(ctx context.Context) error {
	began := b.cfg.Now()
	return b.gathering.flush(ctx, func(tx sqldb.Tx, from, to eventstore.Position) error {
		return one(tx.Exec(ctx, `UPDATE projection_builds SET checkpoint = $1, target = $2, lease_until = $3, updated_at = $4
			WHERE name = $5 AND role = $6 AND epoch = $7 AND checkpoint = $8`,
			int64(to), int64(max(b.state.Target, to)), b.cfg.leaseEnd(), b.cfg.now(),
			b.state.Name, b.state.Role, b.state.Epoch, int64(from)))
	}, func(to eventstore.Position) { b.state.Checkpoint, b.leased = to, began })
}

// renew keeps the lease while nothing is written.
func (b *builder) renew(ctx context.Context) error {
	if b.cfg.Now().Sub(b.leased) < b.cfg.Lease/3 {
		return nil
	}
	err := b.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		return one(tx.Exec(ctx, "UPDATE projection_builds SET lease_until = $1 WHERE name = $2 AND role = $3 AND epoch = $4",
			b.cfg.leaseEnd(), b.state.Name, b.state.Role, b.state.Epoch))
	})
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	b.leased = b.cfg.Now()
	return nil
}

func (b *builder) tell(phase string, total eventstore.Position) {
	p := Progress{Name: b.state.Name, Phase: phase, Done: b.state.Checkpoint, Total: max(total, b.state.Checkpoint), Diff: b.diff}
	if d := b.cfg.Now().Sub(b.began).Seconds(); d > 0 {
		p.Rate = float64(p.Done-b.from) / d
	}
	if p.Rate > 0 {
		p.ETA = time.Duration(float64(p.Total-p.Done) / p.Rate * float64(time.Second))
	}
	b.progress(p)
}

// index makes the secondary indexes, each in a transaction of its own. That may
// take longer than a lease; but the transaction has the build's row locked, so
// nobody takes it over meanwhile unless this process dies.
func (b *builder) index(ctx context.Context) error {
	for _, sql := range indexes(b.cfg.DB.Engine(), b.p, b.suffix, b.state.Generation) {
		err := sqldb.WriteAlone(ctx, b.cfg.DB, func(tx sqldb.Tx) error {
			err := one(tx.Exec(ctx, "UPDATE projection_builds SET lease_until = $1 WHERE name = $2 AND role = $3 AND epoch = $4",
				b.cfg.leaseEnd(), b.state.Name, b.state.Role, b.state.Epoch))
			if err != nil {
				return err
			}
			return makeIndex(ctx, tx, sql)
		})
		if err != nil {
			return fmt.Errorf("make index: %w", err)
		}
	}
	return nil
}
