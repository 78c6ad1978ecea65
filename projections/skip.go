package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Skipped is an event that somebody has decided to leave out of a projection.
//
// The decision is about the projection by its name, and lasts: the Runner,
// Rebuild and Verify leave the event out alike. Unskip takes it back; the event
// then comes in by the next Rebuild, in its place.
type Skipped struct {
	Projection string              `db:"projection"`
	Position   eventstore.Position `db:"position"`
	Stream     string              `db:"stream"`
	Revision   eventstore.Revision `db:"revision"`
	Type       string              `db:"type"`
	Error      string              `db:"error"` // that it was parked with
	By         string              `db:"skipped_by"`
	Reason     string              `db:"reason"`
	At         int64               `db:"skipped_at"` // microseconds since 1970 UTC, as is the next
	UndoneBy   string              `db:"undone_by"`
	UndoneAt   int64               `db:"undone_at"` // 0 while the decision holds
}

// A table of its own, not of a generation: what was decided outlives rebuilds,
// and what was taken back stays to be seen.
const skippedTable = `
CREATE TABLE IF NOT EXISTS skipped (
	projection    TEXT   NOT NULL,
	position      BIGINT NOT NULL,
	stream        TEXT   NOT NULL,
	revision      BIGINT NOT NULL,
	type          TEXT   NOT NULL,
	error         TEXT   NOT NULL,
	skipped_by    TEXT   NOT NULL,
	reason        TEXT   NOT NULL,
	skipped_at    BIGINT NOT NULL,
	undone_by     TEXT   NOT NULL,
	undone_at     BIGINT NOT NULL,
	PRIMARY KEY (projection, position)
);
`

// Refusals of Skip and Unskip.
var (
	ErrNotParked  = fault.New(fault.NotFound, "view.not_parked", "no such event is parked in the view")
	ErrNotFirst   = fault.New(fault.Conflict, "view.not_first", "another parked event of the stream comes first")
	ErrNotSkipped = fault.New(fault.NotFound, "view.not_skipped", "no such event was left out of the view")
)

// Skip says what to leave out, and on whose word.
type Skip struct {
	Projection string
	Position   eventstore.Position // of the first parked event of its stream
	By         string
	Reason     string
}

// Do leaves the event out of the projection for good, then applies those that
// waited behind it, and says how many. One that fails is a *PoisonError: the
// skip stands, and that event is the first now. To repeat a Skip does no harm.
// It works whether or not a Runner runs.
func (s Skip) Do(ctx context.Context, cfg Config) (done Skipped, applied int, err error) {
	if err := Prepare(ctx, cfg); err != nil {
		return done, 0, err
	}
	if cfg, err = cfg.home(s.Projection); err != nil {
		return done, 0, err
	}
	if _, err := cfg.find(s.Projection); err != nil {
		return done, 0, err
	}
	err = cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		done, err = s.record(ctx, tx, &cfg)
		return err
	})
	if err != nil {
		return done, 0, fmt.Errorf("skip %d of %s: %w", s.Position, s.Projection, err)
	}
	applied, err = Retry(ctx, cfg, s.Projection, done.Stream)
	return done, applied, err
}

func (s Skip) record(ctx context.Context, tx sqldb.Tx, cfg *Config) (done Skipped, err error) {
	live, err := touch(ctx, tx, s.Projection, s.Position)
	if err != nil {
		return done, err
	}
	p, err := sqldb.Get[Parked](ctx, tx, "SELECT "+parkedColumns+" FROM parked WHERE projection = $1 AND generation = $2 AND position = $3",
		s.Projection, live.Generation, int64(s.Position))
	if errors.Is(err, sqldb.ErrNoRows) {
		done, err = sqldb.Get[Skipped](ctx, tx, "SELECT * FROM skipped WHERE projection = $1 AND position = $2 AND undone_at = 0",
			s.Projection, int64(s.Position))
		if errors.Is(err, sqldb.ErrNoRows) {
			err = ErrNotParked
		}
		return done, err
	}
	if err != nil {
		return done, err
	}
	first, err := sqldb.Get[eventstore.Position](ctx, tx,
		"SELECT min(position) FROM parked WHERE projection = $1 AND generation = $2 AND stream = $3", s.Projection, live.Generation, p.Stream)
	if err != nil {
		return done, err
	}
	if first != s.Position {
		return done, ErrNotFirst.With(fmt.Sprintf("the event at %d comes first", first))
	}
	done = Skipped{
		Projection: s.Projection, Position: p.Position, Stream: p.Stream, Revision: p.Revision, Type: p.Type, Error: p.Error,
		By: storable(s.By), Reason: storable(s.Reason), At: cfg.now(),
	}
	_, err = tx.Exec(ctx, `INSERT INTO skipped
		(projection, position, stream, revision, type, error, skipped_by, reason, skipped_at, undone_by, undone_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', 0)
		ON CONFLICT (projection, position) DO UPDATE SET error = excluded.error, skipped_by = excluded.skipped_by,
			reason = excluded.reason, skipped_at = excluded.skipped_at, undone_by = '', undone_at = 0`,
		done.Projection, int64(done.Position), done.Stream, int64(done.Revision), done.Type, done.Error, done.By, done.Reason, done.At)
	if err != nil {
		return done, err
	}
	_, err = tx.Exec(ctx, "DELETE FROM parked WHERE projection = $1 AND generation = $2 AND position = $3",
		s.Projection, live.Generation, int64(s.Position))
	return done, err
}

// Unskip takes a Skip back. The live tables stay without the event; Verify says
// so, and the next Rebuild brings it in.
func Unskip(ctx context.Context, cfg Config, projection string, position eventstore.Position, by string) (undone Skipped, err error) {
	if err := Prepare(ctx, cfg); err != nil {
		return undone, err
	}
	if cfg, err = cfg.home(projection); err != nil {
		return undone, err
	}
	err = cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		if _, err := touch(ctx, tx, projection, position); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, "UPDATE skipped SET undone_by = $1, undone_at = $2 WHERE projection = $3 AND position = $4 AND undone_at = 0",
			storable(by), cfg.now(), projection, int64(position))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotSkipped
		}
		undone, err = sqldb.Get[Skipped](ctx, tx, "SELECT * FROM skipped WHERE projection = $1 AND position = $2", projection, int64(position))
		return err
	})
	if err != nil {
		return undone, fmt.Errorf("take back the skip of %d of %s: %w", position, projection, err)
	}
	return undone, nil
}

// touch moves the epochs of a projection and of what is built of it, so that
// all who work on it read anew what to leave out. A build that is past the
// position cannot be resumed.
func touch(ctx context.Context, tx sqldb.Tx, name string, position eventstore.Position) (state, error) {
	n, err := tx.Exec(ctx, "UPDATE projections SET epoch = epoch + 1 WHERE name = $1", name)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	if err != nil {
		return state{}, err
	}
	_, err = tx.Exec(ctx, `UPDATE projection_builds SET epoch = epoch + 1, owner = '', lease_until = 0,
		store = CASE WHEN checkpoint >= $1 THEN '' ELSE store END WHERE name = $2 AND role <> $3`, int64(position), name, roleOld)
	if err != nil {
		return state{}, err
	}
	return readState(ctx, tx, name)
}

// ListSkipped returns the events that were ever left out of a projection behind
// a position, at most limit.
func ListSkipped(ctx context.Context, db sqldb.DB, projection string, after eventstore.Position, limit int) (list []Skipped, err error) {
	err = db.Read(ctx, func(tx sqldb.Tx) error {
		if exists, err := sqldb.TableExists(ctx, tx, "skipped"); err != nil || !exists {
			return err
		}
		list, err = sqldb.Select[Skipped](ctx, tx, "SELECT * FROM skipped WHERE projection = $1 AND position > $2 ORDER BY position LIMIT $3",
			projection, int64(after), limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list skipped events: %w", err)
	}
	return list, nil
}

// skips returns the positions that a projection leaves out.
func skips(ctx context.Context, tx sqldb.Tx, name string) (map[eventstore.Position]bool, error) {
	list, err := sqldb.Select[eventstore.Position](ctx, tx, "SELECT position FROM skipped WHERE projection = $1 AND undone_at = 0", name)
	if err != nil {
		return nil, fmt.Errorf("read what is skipped: %w", err)
	}
	out := map[eventstore.Position]bool{}
	for _, p := range list {
		out[p] = true
	}
	return out, nil
}
