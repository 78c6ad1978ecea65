package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// States of a projection.
const (
	StateRunning    = "running"     // a process moves it
	StateWaiting    = "waiting"     // no process moves it
	StateFailing    = "failing"     // the last attempt failed; it is tried again
	StateOtherLog   = "other log"   // ErrOtherLog
	StateOtherShape = "other shape" // ErrOtherShape
)

// Status says how a projection is. Every process can tell it, whichever moves
// the projection.
type Status struct {
	Name       string
	State      string
	Checkpoint eventstore.Position
	Head       eventstore.Position
	Lag        int64         // positions between the two: events, where positions are dense
	LagTime    time.Duration // age of the oldest event behind the checkpoint
	Unapplied  time.Duration // age of the oldest event that is not in the tables: behind the checkpoint, or parked
	Rate       float64       // events a second, lately
	Parked     int64         // events that failed, or wait behind one that did
	Failed     int64         // events that failed
	Streams    int64         // that events are parked of
	Skipped    int64         // events that somebody has decided to leave out
	ProgressAt time.Time     // when the checkpoint moved last
	Owner      string        // empty if no process moves it
	Epoch      int64
	Generation int64
	Error      string // why it does not move; empty if it does
	ErrorAt    time.Time
	Rebuild    *RebuildStatus       // nil if there is none
	Old        *eventstore.Position // where Rollback would go back to; nil if it cannot
}

// RebuildStatus says how a rebuild is that runs, or can be resumed.
type RebuildStatus struct {
	Done, Total eventstore.Position
	Running     bool
}

// ReadStatus returns the status of each projection of cfg.
func ReadStatus(ctx context.Context, cfg Config) ([]Status, error) {
	cfg, err := cfg.prepared()
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, create := range cfg.Projections {
		p := create()
		home, err := cfg.home(p.Name())
		if err != nil {
			return nil, err
		}
		s, err := readStatus(ctx, &home, p)
		if err != nil {
			return nil, fmt.Errorf("status of %s: %w", p.Name(), err)
		}
		list = append(list, s)
	}
	return list, nil
}

// Status returns the status of each projection of the Runner.
func (r *Runner) Status(ctx context.Context) ([]Status, error) { return ReadStatus(ctx, r.cfg) }

func readStatus(ctx context.Context, cfg *Config, p Projection) (Status, error) {
	var s state
	var oldest eventstore.Position // that is parked
	out := Status{Name: p.Name()}
	err := cfg.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		if s, err = readState(ctx, tx, p.Name()); err != nil {
			return err
		}
		if out.Parked, err = countParked(ctx, tx, s.Name, s.Generation); err != nil {
			return err
		}
		if err := out.countStuck(ctx, tx, s, &oldest); err != nil {
			return err
		}
		b, found, err := readBuild(ctx, tx, s.Name, roleNew)
		if err != nil {
			return err
		}
		if found {
			out.Rebuild = &RebuildStatus{b.Checkpoint, b.Target, b.Owner != "" && b.LeaseUntil > cfg.now()}
		}
		old, found, err := readBuild(ctx, tx, s.Name, roleOld)
		if found {
			out.Old = &old.Checkpoint
		}
		return err
	})
	if err != nil {
		return out, err
	}
	head, err := cfg.Store.Head(ctx)
	if err != nil {
		return out, fmt.Errorf("read head of the log: %w", err)
	}
	out.Checkpoint, out.Head, out.Epoch, out.Generation = s.Checkpoint, head.Position, s.Epoch, s.Generation
	out.Lag = max(0, int64(head.Position-s.Checkpoint))
	out.Error = s.Error
	if s.Error != "" {
		out.ErrorAt = time.UnixMicro(s.ErrorAt).UTC()
	}
	out.ProgressAt = time.UnixMicro(s.UpdatedAt).UTC()
	if s.Owner != "" && s.LeaseUntil > cfg.now() {
		out.Owner = s.Owner
	}
	other := s.follows(head)
	switch {
	case errors.Is(other, ErrOtherLog):
		// Nothing of this log is in the tables, as far as anybody knows.
		out.State, out.Error, out.Lag, oldest = StateOtherLog, errorText(other), int64(head.Position), 0
		s.Checkpoint, s.Rate = 0, 0
	case s.Shape != shapeOf(p):
		out.State, out.Error = StateOtherShape, errorText(ErrOtherShape)
	case s.Error != "":
		out.State = StateFailing
	case out.Owner != "":
		out.State = StateRunning
	default:
		out.State = StateWaiting
	}
	if out.Lag > 0 {
		if out.LagTime, err = oldestWaiting(ctx, cfg, p, s.Checkpoint); err != nil {
			return out, err
		}
	}
	out.Unapplied = out.LagTime
	if oldest > 0 {
		parked, err := ageOf(ctx, cfg, eventstore.AllQuery{After: oldest - 1, Limit: 1})
		if err != nil {
			return out, err
		}
		out.Unapplied = max(out.Unapplied, parked)
	}
	if cfg.now()-s.UpdatedAt < rateHolds.Microseconds() {
		out.Rate = s.Rate
	}
	return out, nil
}

// rateHolds is how long a rate says something about the present.
const rateHolds = 10 * time.Second

// countStuck counts what is parked and what is skipped, and finds the first event
// that is parked.
func (out *Status) countStuck(ctx context.Context, tx sqldb.Tx, s state, oldest *eventstore.Position) error {
	type row struct {
		Failed  int64               `db:"failed"`
		Streams int64               `db:"streams"`
		Oldest  eventstore.Position `db:"oldest"`
	}
	r, err := sqldb.Get[row](ctx, tx, `SELECT count(CASE WHEN error <> '' THEN 1 END) AS failed, count(DISTINCT stream) AS streams,
		coalesce(min(position), 0) AS oldest FROM parked WHERE projection = $1 AND generation = $2`, s.Name, s.Generation)
	if err != nil {
		return err
	}
	out.Failed, out.Streams, *oldest = r.Failed, r.Streams, r.Oldest
	// Tables that an older version of the program has made know of no skips.
	if exists, err := sqldb.TableExists(ctx, tx, "skipped"); err != nil || !exists {
		return err
	}
	out.Skipped, err = sqldb.Get[int64](ctx, tx, "SELECT count(*) FROM skipped WHERE projection = $1 AND undone_at = 0", s.Name)
	return err
}

// oldestWaiting returns the age of the first event behind a checkpoint that the
// projection reads.
func oldestWaiting(ctx context.Context, cfg *Config, p Projection, after eventstore.Position) (time.Duration, error) {
	return ageOf(ctx, cfg, eventstore.AllQuery{After: after, Limit: 1, Categories: p.Categories()})
}

func ageOf(ctx context.Context, cfg *Config, q eventstore.AllQuery) (time.Duration, error) {
	for r, err := range cfg.Store.ReadAll(ctx, q) {
		if err != nil {
			return 0, fmt.Errorf("read the log: %w", err)
		}
		if !r.IsMark() {
			return max(0, cfg.Now().Sub(r.Time)), nil
		}
	}
	return 0, nil
}
