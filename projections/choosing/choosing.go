// Package choosing reads what is chosen of the views for a job: in one snapshot, once
// the views have come to the position at which it was asked for.
//
// It reads and decides nothing.
package choosing

import (
	"context"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// From is where to choose.
type From struct {
	DB     sqldb.DB // of the views
	Waiter *projections.Waiter
}

// patience is how long the views may take to show what is to be chosen from, and to
// be read.
const patience = time.Minute

// Snapshot waits until some views have come to a position, then reads them as they
// are, in one transaction. It returns the position that they have by then.
func (f From) Snapshot(ctx context.Context, at eventstore.Position, views []projections.Projection, read func(ctx context.Context, tx sqldb.Tx) error) (shown eventstore.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	names := make([]string, len(views))
	for i, v := range views {
		names[i] = v.Name()
	}
	if err := f.Waiter.Wait(ctx, at, names...); err != nil {
		return 0, fmt.Errorf("wait for the views: %w", err)
	}
	err = f.DB.Read(ctx, func(tx sqldb.Tx) error {
		if shown, err = projections.Checkpoints(ctx, tx, names...); err != nil {
			return err
		}
		return read(ctx, tx)
	})
	return shown, err
}
