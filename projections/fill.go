package projections

import (
	"context"
	"fmt"
	"slices"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// beginFill drops the secondary indexes of a projection that has everything
// before it, and goes on without them where that was interrupted: each event
// would change several of them at random places, while sorted they are made in a
// fraction of the time. A view that begins is of no use to anybody before it has
// caught up. Otherwise it makes those that are missing.
func (w *worker) beginFill(ctx context.Context) error {
	w.filled = 0
	head, err := w.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of the log: %w", err)
	}
	lacking, err := w.lacking(ctx, head)
	if err != nil {
		return err
	}
	far := lacking >= int64(w.cfg.FillFrom)
	if w.state.Checkpoint > 0 || far {
		missing, err := w.missingIndexes(ctx)
		if err != nil {
			return err
		}
		if far && (missing || w.state.Checkpoint == 0) {
			w.filled = head.Position
		} else if missing {
			w.filled = w.state.Checkpoint
		}
	}
	if w.filled == 0 || w.state.Checkpoint > 0 {
		return w.endFill(ctx)
	}
	err = w.alone(ctx, func(tx sqldb.Tx) error {
		for _, name := range indexNames(w.cfg.DB.Engine(), w.p, w.state.Generation) {
			if _, err := tx.Exec(ctx, "DROP INDEX IF EXISTS "+name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop indexes: %w", err)
	}
	return nil
}

// fill folds b, and writes when much has gathered.
func (w *worker) fill(ctx context.Context, b batch) error {
	if b.end <= w.folded {
		return nil
	}
	parked, err := w.recordAll(ctx, w.reading(ctx), b.items)
	if err != nil {
		w.abort()
		return err
	}
	if err := w.gather(ctx, b.end, len(b.items)); err != nil {
		return err
	}
	if len(parked) == 0 && !w.isDue(w.cfg.ChunkSize, gatheredCaches*w.cfg.CacheRows) {
		return nil
	}
	if err := w.flush(ctx, parked); err != nil {
		return err
	}
	if len(parked) > 0 { // others of the stream must find them
		return w.land()
	}
	return nil
}

const gatheredCaches = 2 // times the rows of a cache may wait to be written

// flush begins to write what has been folded; land tells when it is done.
func (w *worker) flush(ctx context.Context, parked []parkedItem) error {
	rate, s := w.rate.add(w.cfg.Now(), w.waiting), w.state
	return w.gathering.flush(ctx, func(tx sqldb.Tx, from, to eventstore.Position) error {
		s.Checkpoint = from
		if err := advance(ctx, tx, w.cfg, s, to, rate); err != nil {
			return err
		}
		return w.park(ctx, tx, parked)
	}, func(to eventstore.Position) {
		w.state.Rate, w.state.Checkpoint = rate, to
		w.parked += int64(len(parked))
		w.cfg.Waiter.advance(to, w.p.Name())
	})
}

// endGathering writes what has gathered.
func (w *worker) endGathering(ctx context.Context) error {
	if w.folded > w.written {
		if err := w.flush(ctx, nil); err != nil {
			return err
		}
	}
	return w.land()
}

// endFill makes the indexes when the projection has caught up with where the log
// was at its beginning.
func (w *worker) endFill(ctx context.Context) error {
	if w.filled == 0 || w.state.Checkpoint < w.filled {
		return nil
	}
	w.log.InfoContext(ctx, "projection has caught up: making its indexes", "checkpoint", int64(w.state.Checkpoint))
	for _, sql := range indexes(w.cfg.DB.Engine(), w.p, "", w.state.Generation) {
		if err := w.alone(ctx, func(tx sqldb.Tx) error { return makeIndex(ctx, tx, sql) }); err != nil {
			return fmt.Errorf("make index: %w", err)
		}
	}
	w.filled = 0
	return nil
}

// alone runs do in a transaction that proves the lease and keeps its row locked.
func (w *worker) alone(ctx context.Context, do func(sqldb.Tx) error) error {
	return sqldb.WriteAlone(ctx, w.cfg.DB, func(tx sqldb.Tx) error {
		err := one(tx.Exec(ctx, "UPDATE projections SET lease_until = $1 WHERE name = $2 AND epoch = $3",
			w.cfg.leaseEnd(), w.state.Name, w.state.Epoch))
		if err != nil {
			return err
		}
		return do(tx)
	})
}

// missingIndexes reports whether a secondary index is not there.
func (w *worker) missingIndexes(ctx context.Context) (missing bool, err error) {
	err = w.cfg.DB.Read(ctx, func(tx sqldb.Tx) error {
		have, err := sqldb.Indexes(ctx, tx)
		missing = slices.ContainsFunc(indexNames(w.cfg.DB.Engine(), w.p, w.state.Generation), func(name string) bool { return !slices.Contains(have, name) })
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for indexes: %w", err)
	}
	return missing, nil
}

// makeIndex runs a CREATE INDEX with room to sort.
func makeIndex(ctx context.Context, tx sqldb.Tx, sql string) error {
	if sqldb.EngineOf(tx) == sqldb.Postgres {
		if _, err := tx.Exec(ctx, "SET LOCAL maintenance_work_mem = '256MB'"); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, sql)
	return err
}
