package projections

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
	Lag        int64         // events between the two
	Estimated  bool          // Lag is an estimate, since positions have holes
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

// Behind returns the lag to be read by people.
func (out *Status) Behind() string {
	if out.Estimated {
		return fmt.Sprintf("about %d", out.Lag)
	}
	return strconv.FormatInt(out.Lag, 10)
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
	if out.Lag, out.Estimated, err = eventsBetween(ctx, cfg, s.Checkpoint, head); err != nil {
		return out, err
	}
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
		out.State, out.Error, out.Lag, out.Estimated, oldest = StateOtherLog, errorText(other), int64(head.Position), head.Sparse, 0
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
		parked, err := ageOf(ctx, cfg, eventstore.AllQuery{From: oldest, Limit: 1})
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

// sampled is how many events are looked at to guess how many there are.
const sampled = 200

// eventsBetween returns how many events are behind a checkpoint. Where positions have
// holes, and there are many, the first of them tell how far one is from the next.
func eventsBetween(ctx context.Context, cfg *Config, after eventstore.Position, head eventstore.Head) (n int64, estimated bool, err error) {
	distance := max(0, head.Position-after)
	if !head.Sparse || distance == 0 {
		return int64(distance), false, nil
	}
	last := after
	for r, err := range cfg.Store.ReadAll(ctx, eventstore.AllQuery{After: after, Limit: sampled}) {
		if err != nil {
			return 0, false, fmt.Errorf("read the log: %w", err)
		}
		if r.Position > head.Position {
			return n, false, nil
		}
		n, last = n+1, r.Position
	}
	if n < sampled || last >= head.Position {
		return n, false, nil
	}
	return int64(float64(n) * float64(distance) / float64(last-after)), true, nil
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
