package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Parked is an event that a projection could not apply, or that waits behind
// such an event of its stream.
type Parked struct {
	Projection string              `db:"projection"`
	Stream     string              `db:"stream"`
	Position   eventstore.Position `db:"position"`
	Revision   eventstore.Revision `db:"revision"`
	Type       string              `db:"type"`
	Error      string              `db:"error"` // empty if it only waits
	Attempts   int64               `db:"attempts"`
	At         int64               `db:"at"` // microseconds since 1970 UTC; when it was tried last
}

const (
	parkedColumns = "projection, stream, position, revision, type, error, attempts, at"
	ofLive        = "generation = (SELECT generation FROM projections WHERE name = projection)"
	maxErrorText  = 500 // bytes
)

// PoisonError reports an event that a projection cannot apply.
type PoisonError struct {
	Projection string
	Stream     string
	Position   eventstore.Position
	Err        error
}

func (e *PoisonError) Error() string {
	return fmt.Sprintf("projections: %s cannot apply the event at %d (%s): %v", e.Projection, e.Position, e.Stream, e.Err)
}

// Unwrap returns what the fold failed with.
func (e *PoisonError) Unwrap() error { return e.Err }

func errorText(err error) string {
	s := storable(err.Error())
	if len(s) > maxErrorText {
		s = storable(s[:maxErrorText])
	}
	if s == "" {
		s = "error"
	}
	return s
}

// ListParked returns parked events of a projection, those that failed before
// those that wait, at most limit.
func ListParked(ctx context.Context, db sqldb.DB, projection string, limit int) (list []Parked, err error) {
	err = db.Read(ctx, func(tx sqldb.Tx) error {
		list, err = sqldb.Select[Parked](ctx, tx, "SELECT "+parkedColumns+" FROM parked WHERE projection = $1 AND "+ofLive+
			" ORDER BY error = '', position LIMIT $2", projection, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list parked events: %w", err)
	}
	return list, nil
}

// ParkedStream is a stream that waits behind an event which a projection could
// not apply.
type ParkedStream struct {
	Projection string              `db:"projection"`
	Stream     string              `db:"stream"`
	Events     int64               `db:"events"`
	Position   eventstore.Position `db:"position"` // of the first of them, as is what follows
	Revision   eventstore.Revision `db:"revision"`
	Type       string              `db:"type"`
	Error      string              `db:"error"` // empty if it was not tried since the one before it was skipped
	Attempts   int64               `db:"attempts"`
	TriedAt    int64               `db:"at"` // microseconds since 1970 UTC
	Since      time.Time           // when the log took it: since then the view is stale there; zero if the log does not have it
	Workspace  string              // that it is about; empty if that cannot be told
}

// ParkedQuery says which parked streams to list.
type ParkedQuery struct {
	Projection string
	Workspace  string              // "" for all
	After      eventstore.Position // of the last stream of the page before
	Limit      int
}

// lookedAt is how many streams a page looks at for those of its workspace.
const lookedAt = 1_000

// ListParkedStreams returns a page of the streams of which events are parked, in
// the order of the first of them, and where the next page begins, or 0. A page
// for a workspace may have fewer streams than asked for, and not be the last.
func ListParkedStreams(ctx context.Context, cfg Config, q ParkedQuery) (page []ParkedStream, next eventstore.Position, err error) {
	for looked := 0; looked < lookedAt; {
		var list []ParkedStream
		err := cfg.DBOf(q.Projection).Read(ctx, func(tx sqldb.Tx) (err error) {
			list, err = sqldb.Select[ParkedStream](ctx, tx, `SELECT p.projection, p.stream, f.events, p.position, p.revision, p.type, p.error, p.attempts, p.at
				FROM (SELECT stream, count(*) AS events, min(position) AS first FROM parked WHERE projection = $1 AND `+ofLive+`
					GROUP BY stream HAVING min(position) > $2 ORDER BY first LIMIT $3) AS f
				JOIN parked AS p ON p.stream = f.stream AND p.position = f.first
				JOIN projections AS v ON v.name = p.projection AND v.generation = p.generation
				WHERE p.projection = $1 ORDER BY p.position`, q.Projection, int64(q.After), q.Limit)
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("list parked streams: %w", err)
		}
		for _, s := range list {
			q.After = s.Position
			looked++
			if err := s.look(ctx, cfg.Store); err != nil {
				return nil, 0, fmt.Errorf("look at what is parked at %d: %w", s.Position, err)
			}
			if q.Workspace != "" && s.Workspace != q.Workspace {
				continue
			}
			if page = append(page, s); len(page) == q.Limit {
				return page, q.After, nil
			}
		}
		if len(list) < q.Limit {
			return page, 0, nil
		}
	}
	return page, q.After, nil
}

// FindParked returns the parked stream that has an event at a position, or that
// is called stream if the position is 0. It returns ErrNotParked if there is none.
func FindParked(ctx context.Context, cfg Config, projection, stream string, position eventstore.Position) (s ParkedStream, err error) {
	err = cfg.DBOf(projection).Read(ctx, func(tx sqldb.Tx) error {
		if position != 0 {
			stream, err = sqldb.Get[string](ctx, tx, "SELECT stream FROM parked WHERE projection = $1 AND "+ofLive+" AND position = $2",
				projection, int64(position))
			if err != nil {
				return err
			}
		}
		s, err = sqldb.Get[ParkedStream](ctx, tx, `SELECT p.projection, p.stream, f.events, p.position, p.revision, p.type, p.error, p.attempts, p.at
			FROM (SELECT stream, count(*) AS events, min(position) AS first FROM parked WHERE projection = $1 AND `+ofLive+` AND stream = $2
				GROUP BY stream) AS f
			JOIN parked AS p ON p.stream = f.stream AND p.position = f.first
			JOIN projections AS v ON v.name = p.projection AND v.generation = p.generation
			WHERE p.projection = $1`, projection, stream)
		return err
	})
	if errors.Is(err, sqldb.ErrNoRows) {
		return s, ErrNotParked
	}
	if err == nil {
		err = s.look(ctx, cfg.Store)
	}
	if err != nil {
		return s, fmt.Errorf("look for what is parked: %w", err)
	}
	return s, nil
}

// look reads in the log what the table of parked events does not say.
func (s *ParkedStream) look(ctx context.Context, store eventstore.Store) error {
	for r, err := range store.ReadStream(ctx, s.Stream, eventstore.StreamQuery{From: s.Revision, Limit: 1}) {
		if err != nil {
			return err
		}
		if r.Position != s.Position {
			return nil // of another log
		}
		s.Since = r.Time
		if meta, err := eventstore.DecodeMetadata(r); err == nil {
			s.Workspace = meta.Workspace
		}
	}
	return nil
}

// countParked returns how many events of a projection are parked.
func countParked(ctx context.Context, tx sqldb.Tx, name string, generation int64) (int64, error) {
	return sqldb.Get[int64](ctx, tx, "SELECT count(*) FROM parked WHERE projection = $1 AND generation = $2", name, generation)
}

// parkedStreams returns those streams of the items that have parked events.
func parkedStreams(ctx context.Context, tx sqldb.Tx, name string, generation int64, items []*item) (map[string]bool, error) {
	streams, seen := []string(nil), map[string]bool{}
	for _, it := range items {
		if !seen[it.Stream] {
			seen[it.Stream] = true
			streams = append(streams, it.Stream)
		}
	}
	waiting := map[string]bool{}
	args := []any{name, generation}
	sql := "SELECT DISTINCT stream FROM parked WHERE projection = $1 AND generation = $2 AND stream IN " + sqldb.In(&args, streams)
	err := tx.Query(ctx, sql, args, func(r sqldb.Row) error {
		waiting[r.Text(0)] = true
		return nil
	})
	return waiting, err
}

// parkedItem is an event to be parked, with the error it failed with, or to wait.
type parkedItem struct {
	item
	reason string
}

func park(ctx context.Context, tx sqldb.Tx, cfg *Config, name string, generation int64, it parkedItem) error {
	attempts := 0
	if it.reason != "" {
		attempts = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO parked (projection, generation, stream, position, revision, type, error, attempts, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		name, generation, it.Stream, int64(it.Position), int64(it.Revision), it.Type, it.reason, attempts, cfg.now())
	return err
}

// Retry applies the parked events of a stream, in order, and returns how many.
// An event that fails again stays parked, and all behind it: that is a
// *PoisonError. It works whether or not a Runner runs.
func Retry(ctx context.Context, cfg Config, projection, stream string) (applied int, err error) {
	cfg, err = cfg.home(projection)
	if err != nil {
		return 0, err
	}
	p, err := cfg.find(projection)
	if err != nil {
		return 0, err
	}
	g := newTarget(p, "", cfg.CacheRows)
	for size := cfg.BatchSize; ; {
		n, more, err := retryBatch(ctx, &cfg, g, stream, size)
		applied += n
		poison := (*PoisonError)(nil)
		switch {
		case errors.Is(err, errLost):
			continue // the runner was quicker
		case isPoison(err) && !errors.As(err, &poison):
			if size == 1 {
				return applied, keep(ctx, &cfg, g, stream, err)
			}
			size = 1 // a fold, a hook or the database failed: find out at which event
		case err != nil:
			return applied, fmt.Errorf("retry %s of %s: %w", stream, projection, err)
		case !more:
			return applied, nil
		}
	}
}

// retryBatch applies the first parked events of a stream. It moves the epoch on,
// so that a Runner which has older rows in its caches drops them.
func retryBatch(ctx context.Context, cfg *Config, g *target, stream string, size int) (applied int, more bool, err error) {
	var s state
	var list []Parked
	var skip map[eventstore.Position]bool
	err = cfg.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		if s, err = readState(ctx, tx, g.p.Name()); err != nil {
			return err
		}
		if skip, err = skips(ctx, tx, s.Name); err != nil {
			return err
		}
		list, err = sqldb.Select[Parked](ctx, tx, "SELECT "+parkedColumns+
			" FROM parked WHERE projection = $1 AND generation = $2 AND stream = $3 ORDER BY position LIMIT $4",
			s.Name, s.Generation, stream, size)
		return err
	})
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	if s.Shape != shapeOf(g.p) {
		return 0, false, ErrOtherShape
	}
	items, err := reread(ctx, cfg, stream, list)
	if err != nil {
		return 0, false, err
	}
	var poison *PoisonError
	err = cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		applied, poison = 0, nil
		err := one(tx.Exec(ctx, "UPDATE projections SET epoch = epoch + 1 WHERE name = $1 AND epoch = $2", s.Name, s.Epoch))
		if err != nil {
			return err
		}
		g.begin(false, cfg.CacheRows)
		for _, it := range items {
			if skip[it.Position] { // the tables were rolled back to before it was skipped
				applied++
				continue
			}
			if err := g.recordItem(it); err != nil {
				poison = &PoisonError{s.Name, stream, it.Position, err}
				break
			}
			applied++
		}
		if err := g.fold(ctx, within(tx)); err != nil {
			return err
		}
		if err := store(ctx, tx, g.writes()); err != nil {
			return err
		}
		if poison != nil {
			if err := noteFailure(ctx, tx, cfg, s, poison); err != nil {
				return err
			}
		}
		if applied == 0 {
			return nil
		}
		_, err = tx.Exec(ctx, "DELETE FROM parked WHERE projection = $1 AND generation = $2 AND stream = $3 AND position <= $4",
			s.Name, s.Generation, stream, int64(items[applied-1].Position))
		return err
	})
	switch {
	case err != nil:
		return 0, false, err
	case poison != nil:
		return applied, false, poison
	}
	return applied, true, nil
}

// noteFailure keeps why a parked event failed again.
func noteFailure(ctx context.Context, tx sqldb.Tx, cfg *Config, s state, poison *PoisonError) error {
	_, err := tx.Exec(ctx, `UPDATE parked SET error = $1, attempts = attempts + 1, at = $2
		WHERE projection = $3 AND generation = $4 AND stream = $5 AND position = $6`,
		errorText(poison.Err), cfg.now(), s.Name, s.Generation, poison.Stream, int64(poison.Position))
	return err
}

// keep leaves the first event of a stream parked, since applying it alone
// failed, and returns a *PoisonError.
func keep(ctx context.Context, cfg *Config, g *target, stream string, reason error) error {
	poison := &PoisonError{Projection: g.p.Name(), Stream: stream, Err: reason}
	err := cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		s, err := readState(ctx, tx, g.p.Name())
		if err != nil {
			return err
		}
		poison.Position, err = sqldb.Get[eventstore.Position](ctx, tx,
			"SELECT min(position) FROM parked WHERE projection = $1 AND generation = $2 AND stream = $3", s.Name, s.Generation, stream)
		if err != nil {
			return err
		}
		return noteFailure(ctx, tx, cfg, s, poison)
	})
	if err != nil {
		return fmt.Errorf("note why %s failed: %w", stream, err)
	}
	return poison
}

// reread returns the parked events from the log. Those of a type that is no
// longer known have no Fact, so there is nothing to apply.
func reread(ctx context.Context, cfg *Config, stream string, list []Parked) ([]*item, error) {
	items := make([]*item, 0, len(list))
	for r, err := range cfg.Store.ReadStream(ctx, stream, eventstore.StreamQuery{From: list[0].Revision}) {
		if err != nil {
			return nil, err
		}
		if r.Position != list[len(items)].Position {
			continue
		}
		it := &item{}
		if !decode(cfg, r, it) {
			it.err = nil
		}
		items = append(items, it)
		if len(items) == len(list) {
			return items, nil
		}
	}
	return nil, fmt.Errorf("%w: the parked event at %d is not in it", ErrOtherLog, list[len(items)].Position)
}
