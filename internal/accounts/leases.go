package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/reactors"
)

var _ reactors.Leases = (*Accounts)(nil)

// sighting is a lease of somebody else, and since when it has been like that.
type sighting struct {
	epoch, beat int64
	since       time.Time
}

type leaseRow struct {
	Name     string `db:"name"`
	Holder   string `db:"holder"`
	Epoch    int64  `db:"epoch"`
	Beat     int64  `db:"beat"`
	Released int64  `db:"released"`
}

// Acquire implements reactors.Leases.
func (a *Accounts) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (epoch int64, err error) {
	err = a.db.Write(ctx, func(tx sqldb.Tx) error {
		if err := sqldb.Lock(ctx, tx, "lease "+name); err != nil {
			return err
		}
		row, err := sqldb.Get[leaseRow](ctx, tx, "SELECT * FROM leases WHERE name = $1", name)
		switch {
		case errors.Is(err, sqldb.ErrNoRows):
			epoch = 1
		case err != nil:
			return err
		case row.Released != 0 || a.dead(row, ttl):
			epoch = row.Epoch + 1
		default:
			return nil
		}
		_, err = tx.Exec(ctx, `INSERT INTO leases (name, holder, epoch, beat, released) VALUES ($1, $2, $3, 0, 0)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, beat = 0, released = 0`,
			name, holder, epoch)
		if err != nil {
			return err
		}
		// Fences a save of the last holder that is still on its way.
		_, err = tx.Exec(ctx, "UPDATE checkpoints SET epoch = $2 WHERE consumer = $1 AND epoch < $2", name, epoch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("acquire lease %s: %w", name, err)
	}
	return epoch, nil
}

// dead reports whether the lease has not moved for ttl while we watched.
func (a *Accounts) dead(row leaseRow, ttl time.Duration) bool {
	if ttl <= 0 {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.seen[row.Name]
	if s.since.IsZero() || s.epoch != row.Epoch || s.beat != row.Beat {
		a.seen[row.Name] = sighting{epoch: row.Epoch, beat: row.Beat, since: a.now()}
		return false
	}
	return a.now().Sub(s.since) >= ttl
}

// Renew implements reactors.Leases.
func (a *Accounts) Renew(ctx context.Context, name string, epoch int64) (bool, error) {
	var n int64
	err := a.db.Write(ctx, func(tx sqldb.Tx) (err error) {
		n, err = tx.Exec(ctx, "UPDATE leases SET beat = beat + 1 WHERE name = $1 AND epoch = $2 AND released = 0", name, epoch)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("renew lease %s: %w", name, err)
	}
	return n == 1, nil
}

// Release implements reactors.Leases.
func (a *Accounts) Release(ctx context.Context, name string, epoch int64) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE leases SET released = 1 WHERE name = $1 AND epoch = $2", name, epoch)
		return err
	})
	if err != nil {
		return fmt.Errorf("release lease %s: %w", name, err)
	}
	return nil
}

// Checkpoints implements reactors.Leases.
func (a *Accounts) Checkpoints(epoch int64) feed.Checkpoints { return checkpoints{a, epoch} }

// checkpoints are those that the holder of a lease may save.
type checkpoints struct {
	a     *Accounts
	epoch int64
}

// Load implements feed.Checkpoints.
func (c checkpoints) Load(ctx context.Context, consumer string) (at feed.Checkpoint, err error) {
	err = c.a.db.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, "SELECT store, position FROM checkpoints WHERE consumer = $1", []any{consumer}, func(r sqldb.Row) error {
			store, err := uuid.Parse(r.Text(0))
			at = feed.Checkpoint{Store: store, Position: eventstore.Position(r.Int64(1))}
			return err
		})
	})
	if err != nil {
		return feed.Checkpoint{}, fmt.Errorf("load checkpoint %s: %w", consumer, err)
	}
	return at, nil
}

// Save implements feed.Checkpoints.
func (c checkpoints) Save(ctx context.Context, consumer string, at feed.Checkpoint) error {
	var n int64
	err := c.a.db.Write(ctx, func(tx sqldb.Tx) (err error) {
		n, err = tx.Exec(ctx, `INSERT INTO checkpoints (consumer, store, position, epoch, saved_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (consumer) DO UPDATE SET
				store = excluded.store, position = excluded.position, epoch = excluded.epoch, saved_at = excluded.saved_at
			WHERE checkpoints.epoch <= excluded.epoch`,
			consumer, at.Store.String(), at.Position, c.epoch, micros(c.a.now()))
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("save checkpoint %s: %w", consumer, err)
	case n == 0:
		return fmt.Errorf("save checkpoint %s: %w", consumer, feed.ErrFenced)
	}
	return nil
}
