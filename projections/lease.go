package projections

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Reasons why a projection does not move. Test with errors.Is.
var (
	// ErrOtherLog reports that the checkpoint belongs to another log, or lies
	// behind the end of this one: the log was swapped, or restored from an older
	// backup. Only a rebuild mends it.
	ErrOtherLog = errors.New("projections: the checkpoint is of another log: rebuild the projection")

	// ErrOtherShape reports that the tables were made by a version of the program
	// that defines them otherwise. Only a rebuild mends it.
	ErrOtherShape = errors.New("projections: the tables have another shape than this program expects: rebuild the projection")

	errLost = errors.New("projections: another process has taken over") // the lease, that is: the epoch
	errHeld = errors.New("projections: another process has the lease")
)

// state is a row of the table projections.
type state struct {
	Name       string              `db:"name"`
	Store      string              `db:"store"`
	Checkpoint eventstore.Position `db:"checkpoint"`
	Epoch      int64               `db:"epoch"`
	Owner      string              `db:"owner"`
	LeaseUntil int64               `db:"lease_until"`
	Generation int64               `db:"generation"`
	Shape      string              `db:"shape"`
	Rate       float64             `db:"rate"`
	Error      string              `db:"error"`
	ErrorAt    int64               `db:"error_at"`
	UpdatedAt  int64               `db:"updated_at"`
}

func readState(ctx context.Context, tx sqldb.Tx, name string) (state, error) {
	s, err := sqldb.Get[state](ctx, tx, "SELECT * FROM projections WHERE name = $1", name)
	if errors.Is(err, sqldb.ErrNoRows) {
		return s, fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	return s, err
}

// follows reports whether the checkpoint of s is one of the log with that head,
// which was asked for after s was read.
func (s state) follows(head eventstore.Head) error {
	if s.Store == "" {
		return nil
	}
	if s.Store != head.Store.String() || s.Checkpoint > head.Position {
		return fmt.Errorf("%w: at %d of %s, the log is %s at %d", ErrOtherLog, s.Checkpoint, s.Store, head.Store, head.Position)
	}
	return nil
}

// acquire takes the lease of a projection for owner, or returns errHeld,
// ErrOtherLog or ErrOtherShape. force takes one that has not ended, too: who
// had it loses it, as its next write finds out. The epoch alone makes it exclusive: time only
// decides how soon another process may try.
func acquire(ctx context.Context, cfg *Config, p Projection, owner string, force bool) (state, error) {
	var s state
	err := cfg.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		s, err = readState(ctx, tx, p.Name())
		return err
	})
	if err != nil {
		return s, fmt.Errorf("read lease: %w", err)
	}
	if !force && s.Owner != "" && s.Owner != owner && s.LeaseUntil > cfg.now() {
		return s, errHeld
	}
	head, err := cfg.Store.Head(ctx)
	if err != nil {
		return s, fmt.Errorf("read head of the log: %w", err)
	}
	if err := s.follows(head); err != nil {
		return s, errors.Join(err, disown(ctx, cfg, s, head))
	}
	if s.Shape != shapeOf(p) {
		return s, ErrOtherShape
	}
	if s.Store == "" && head.Store != uuid.Nil {
		s.Store = head.Store.String()
	}
	if strings.HasPrefix(s.Error, ErrOtherLog.Error()) || strings.HasPrefix(s.Error, ErrOtherShape.Error()) {
		s.Error = "" // it was mended
	}
	err = cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE projections SET epoch = epoch + 1, owner = $1, lease_until = $2, store = $3, error = $4
			WHERE name = $5 AND epoch = $6`, owner, cfg.leaseEnd(), s.Store, s.Error, p.Name(), s.Epoch)
		if err != nil {
			return err
		}
		if n == 0 {
			return errHeld
		}
		s, err = readState(ctx, tx, p.Name())
		return err
	})
	if err != nil {
		return s, fmt.Errorf("take lease: %w", err)
	}
	return s, nil
}

// disown makes ErrOtherLog last. A log that was restored from an older backup
// keeps its id and grows past the checkpoint again, with other events.
func disown(ctx context.Context, cfg *Config, s state, head eventstore.Head) error {
	if s.Store != head.Store.String() {
		return nil
	}
	err := cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE projections SET store = $1 WHERE name = $2 AND epoch = $3 AND checkpoint = $4",
			s.Store+" before it was restored", s.Name, s.Epoch, int64(s.Checkpoint))
		return err
	})
	if err != nil {
		return fmt.Errorf("note that the log was restored: %w", err)
	}
	return nil
}

func (c *Config) leaseEnd() int64 { return c.now() + c.Lease.Microseconds() }

// renew moves the end of the lease. It returns errLost if the lease is gone.
// Whoever has come to renew it has recovered from what failed before.
func renew(ctx context.Context, cfg *Config, name string, epoch int64) error {
	return cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		return one(tx.Exec(ctx, "UPDATE projections SET lease_until = $1, error = '' WHERE name = $2 AND epoch = $3",
			cfg.leaseEnd(), name, epoch))
	})
}

// release gives the lease up, so that nobody has to wait for its end. It works
// after ctx was cancelled too.
func release(ctx context.Context, cfg *Config, name string, epoch int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE projections SET owner = '', lease_until = 0 WHERE name = $1 AND epoch = $2", name, epoch)
		return err
	})
}

// advance moves the checkpoint, in the transaction that writes the rows. It
// returns errLost unless the epoch and the checkpoint are what the caller
// believes. It also locks the row, so nobody else gets in between.
func advance(ctx context.Context, tx sqldb.Tx, cfg *Config, s state, to eventstore.Position, rate float64) error {
	return one(tx.Exec(ctx, `UPDATE projections SET checkpoint = $1, lease_until = $2, updated_at = $3, rate = $4, error = ''
		WHERE name = $5 AND epoch = $6 AND checkpoint = $7`,
		to, cfg.leaseEnd(), cfg.now(), rate, s.Name, s.Epoch, s.Checkpoint))
}

// one turns "no row matched" into errLost.
func one(affected int64, err error) error {
	if err == nil && affected == 0 {
		return errLost
	}
	return err
}
