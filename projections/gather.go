package projections

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// gathering folds many batches before it writes their rows, and folds the next
// ones while it does. Over long distances most rows change again soon, and are
// then written once for all of that. Nobody else may write the tables meanwhile,
// which the transaction has to prove.
type gathering struct {
	*target
	db sqldb.DB

	written eventstore.Position // everything up to here is in the tables, or on its way
	folded  eventstore.Position // and up to here in memory
	waiting int                 // events that wait to be written
	landing func() error        // waits for what is on its way, and notes that it is there; nil if nothing is
}

// beginAt says that the tables have everything up to at.
func (g *gathering) beginAt(at eventstore.Position) { g.written, g.folded, g.waiting = at, at, 0 }

// isDue reports whether as many events, or rows, wait as may.
func (g *gathering) isDue(events, rows int) bool { return g.waiting >= events || g.held() >= rows }

// reading waits for what is on its way into the tables.
func (g *gathering) reading(ctx context.Context) reading {
	return func(do func(sqldb.Tx) error) error {
		if err := g.land(); err != nil {
			return err
		}
		return g.db.Read(ctx, do)
	}
}

// gather folds what was recorded of the log up to a position.
func (g *gathering) gather(ctx context.Context, upTo eventstore.Position, events int) error {
	if err := g.target.gather(ctx, g.reading(ctx)); err != nil {
		g.abort()
		return fmt.Errorf("fold events up to %d: %w", upTo, err)
	}
	g.folded = upTo
	g.waiting += events
	return nil
}

// flush begins to write what has been folded. In the same transaction, move moves
// the checkpoint; land calls moved when that has been committed.
func (g *gathering) flush(ctx context.Context, move func(tx sqldb.Tx, from, to eventstore.Position) error, moved func(to eventstore.Position)) error {
	if err := g.fold(ctx, g.reading(ctx)); err != nil {
		g.abort()
		return fmt.Errorf("fold events up to %d: %w", g.folded, err)
	}
	if err := g.land(); err != nil {
		return err
	}
	from, to := g.written, g.folded
	if from == to {
		return nil
	}
	list := g.writes()
	g.commit()
	g.written, g.waiting = to, 0
	landed := make(chan error, 1)
	g.landing = func() error {
		if err := <-landed; err != nil {
			g.abort()
			return fmt.Errorf("write rows up to %d: %w", to, err)
		}
		moved(to)
		return nil
	}
	go func() {
		landed <- sqldb.WriteAlone(ctx, g.db, func(tx sqldb.Tx) error {
			if err := move(tx, from, to); err != nil {
				return err
			}
			return store(ctx, tx, list)
		})
	}()
	return nil
}

// land waits until what flush writes is there. Whoever flushes does so before it
// leaves.
func (g *gathering) land() error {
	if g.landing == nil {
		return nil
	}
	landing := g.landing
	g.landing = nil
	return landing()
}
