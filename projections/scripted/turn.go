package scripted

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/viewscript"
)

const (
	maxScanned = 20_000  // events that are looked at for a batch
	maxBatch   = 4 << 20 // bytes of the events of a batch, but for its first
)

func nameOf(s string) customview.Name      { return customview.Name(s) }
func versionOf(n int64) customview.Version { return customview.Version(n) }

// work takes one job after another, until ctx ends.
func (r *Runner) work(ctx context.Context) {
	timer := time.NewTicker(r.cfg.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		j := r.board.take(r.cfg.Now())
		if j == nil {
			select {
			case <-r.board.wake:
			case <-timer.C:
			case <-ctx.Done():
			}
			continue
		}
		r.board.nudge() // there may be more
		r.board.put(j, r.cfg.Now().Add(r.turn(ctx, j)))
	}
}

// turn moves a version on, for a while. It returns how long to leave it alone then.
func (r *Runner) turn(ctx context.Context, j *job) time.Duration {
	again, err := r.move(ctx, j)
	switch {
	case err == nil && again:
		return 0
	case err == nil:
		return r.cfg.Poll
	case ctx.Err() != nil:
		return 0
	}
	j.begun = false
	switch {
	case errors.Is(err, errHeld):
		return time.Second
	case errors.Is(err, errLost):
		return r.cfg.Poll
	}
	r.cfg.Logger.ErrorContext(ctx, "custom view not moved", "workspace", j.workspace, "view", string(j.live.View), "version", int64(j.live.Version), "err", err)
	return time.Second
}

// move applies batches until there is nothing more, or others have waited long enough.
func (r *Runner) move(ctx context.Context, j *job) (again bool, err error) {
	head, err := r.cfg.Store.Head(ctx)
	if err != nil {
		return false, fmt.Errorf("read head of the log: %w", err)
	}
	if j.begun && (j.state.Store != head.Store.String() || j.state.Checkpoint > int64(head.Position)) {
		j.begun = false // it is of another log
	}
	if !j.begun {
		if j.state, err = r.acquire(ctx, j, head); err != nil {
			return false, err
		}
		j.begun, j.at = true, eventstore.Position(j.state.Checkpoint)
		j.rows, j.single, j.speed = newRowCache(), 0, speed{}
	}
	if j.state.Failure.Position != 0 {
		if int64(j.live.Retries) <= j.state.Retries {
			return false, nil
		}
		if err := r.forgive(ctx, j); err != nil {
			return false, err
		}
	}
	end := r.cfg.Now().Add(r.cfg.Turn)
	for r.cfg.Now().Before(end) {
		b, err := r.read(ctx, j)
		if err != nil {
			return false, err
		}
		if err := r.apply(ctx, j, b); err != nil {
			return false, err
		}
		if b.last || j.state.Failure.Position != 0 {
			return false, nil
		}
	}
	return true, nil
}

// forgive has a version that failed go on.
func (r *Runner) forgive(ctx context.Context, j *job) error {
	s := j.state
	s.Failure, s.Retries, s.UpdatedAt = Failure{}, int64(j.live.Retries), r.now()
	err := r.cfg.DB.Write(ctx, func(tx sqldb.Tx) error { return r.advance(ctx, tx, s.Checkpoint, s) })
	if err != nil {
		return fmt.Errorf("go on with version: %w", err)
	}
	j.state = s
	return nil
}

// batch is a part of the log.
type batch struct {
	events []viewscript.Event
	end    eventstore.Position // everything up to here was looked at
	last   bool                // it is the end of the log
}

// read returns what comes behind a job's position, as far as a script may see it.
func (r *Runner) read(ctx context.Context, j *job) (batch, error) {
	most := r.cfg.Batch
	if j.single > 0 {
		most = 1
	}
	return readBatch(ctx, r.cfg.Store, j.workspace, j.live.Definition.Types, j.at, most)
}

func readBatch(ctx context.Context, store eventstore.Store, workspace string, types []string, after eventstore.Position, most int) (b batch, err error) {
	b.end = after
	q := eventstore.AllQuery{After: after, Types: types}
	if len(types) == 0 {
		q.Categories = customview.Categories
	}
	scanned, size := 0, 0
	for rec, err := range store.ReadAll(ctx, q) {
		if err != nil {
			return b, fmt.Errorf("read the log: %w", err)
		}
		if rec.IsMark() {
			b.end = rec.Position
			continue
		}
		meta, err := eventstore.DecodeMetadata(rec)
		if err != nil {
			meta.Workspace = "" // nobody's
		}
		if meta.Workspace == workspace && customview.MaySee(rec.Type) && slices.Contains(customview.Categories, rec.Category()) {
			if size += len(rec.Data); len(b.events) > 0 && size > maxBatch {
				return b, nil
			}
			b.events = append(b.events, newEvent(rec, meta))
		}
		b.end = rec.Position
		if scanned++; len(b.events) >= most || scanned >= maxScanned {
			return b, nil
		}
	}
	b.last = true
	return b, nil
}

func newEvent(rec eventstore.Recorded, meta eventstore.Metadata) viewscript.Event {
	at := rec.Time
	if !meta.OccurredAt.IsZero() {
		at = meta.OccurredAt
	}
	_, subject, _ := strings.Cut(rec.Stream, "-")
	return viewscript.Event{
		ID: rec.ID.String(), Position: int64(rec.Position), Type: rec.Type, Stream: rec.Stream, Subject: subject, Revision: int64(rec.Revision),
		At: at.UTC().Format(time.RFC3339Nano), Actor: meta.Actor, ActorKind: meta.ActorKind, Channel: meta.Channel, Data: rec.Data,
	}
}

// apply gives a batch to the script, and writes the rows and how far it got in one
// transaction.
func (r *Runner) apply(ctx context.Context, j *job, b batch) error {
	var rep viewscript.Report
	if len(b.events) > 0 {
		var err error
		rep, err = r.cfg.Scripts.Run(ctx, j.live.Definition, b.events, func(ctx context.Context, table, key string) (json.RawMessage, error) {
			return r.get(ctx, j, table, key)
		})
		if err != nil {
			return fmt.Errorf("run script: %w", err)
		}
	}
	s := j.state
	from := s.Checkpoint
	s.Checkpoint = int64(b.end)
	if rep.Failure != nil {
		bad := b.events[rep.Applied]
		s.Failure = failureAt(bad, rep.Failure.Kind, rep.Failure.Message, r.now())
		s.Failure.Line, s.Failure.Column = rep.Failure.Line, rep.Failure.Column
		s.Checkpoint = from
		if rep.Applied > 0 {
			s.Checkpoint = b.events[rep.Applied-1].Position
		}
	} else if b.last {
		s.Built = 1
	}
	before, err := r.before(ctx, j, rep.Rows)
	if err != nil {
		return err
	}
	for i, row := range rep.Rows {
		s.Rows += one(row.Data) - one(before[i])
		s.Bytes += sizeOf(row.Key, row.Data) - sizeOf(row.Key, before[i])
	}
	if s.Rows > r.cfg.MaxRows || s.Bytes > r.cfg.MaxBytes {
		if len(b.events) > 1 {
			j.single = len(b.events) // find out which event it is
			return nil
		}
		s = j.state
		s.Failure = failureAt(b.events[0], overflow, fmt.Sprintf("a version has at most %d rows, and %d MB of them", r.cfg.MaxRows, r.cfg.MaxBytes>>20), r.now())
		rep.Rows = nil
	}
	s.Rate, s.UpdatedAt = j.speed.add(r.cfg.Now(), s.Checkpoint-from), r.now()
	if s.Checkpoint == from && s.Failure == j.state.Failure && s.Built == j.state.Built {
		return nil
	}
	err = r.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := r.advance(ctx, tx, from, s); err != nil {
			return err
		}
		return store(ctx, tx, s.ID, rep.Rows)
	})
	if err != nil {
		j.rows = newRowCache()
		return fmt.Errorf("write rows: %w", err)
	}
	for _, row := range rep.Rows {
		j.rows.put(row.Table, row.Key, row.Data)
	}
	j.state, j.at = s, eventstore.Position(s.Checkpoint)
	j.single = max(0, j.single-len(b.events))
	if s.Failure.Position != 0 {
		r.cfg.Logger.WarnContext(ctx, "custom view stopped", "workspace", j.workspace, "view", s.View, "version", s.Version, "position", s.Failure.Position, "kind", s.Failure.Kind)
	}
	return nil
}

func failureAt(e viewscript.Event, kind, message string, now int64) Failure {
	return Failure{Position: e.Position, Event: e.ID, Type: e.Type, Kind: kind, Message: message, At: now}
}

func one(data json.RawMessage) int64 {
	if data == nil {
		return 0
	}
	return 1
}

func sizeOf(key string, data json.RawMessage) int64 {
	if data == nil {
		return 0
	}
	return int64(len(key) + len(data))
}

// speed is how many positions a second a version has passed of late.
type speed struct {
	value float64
	since time.Time
	n     int64
}

func (v *speed) add(now time.Time, n int64) float64 {
	if v.since.IsZero() {
		v.since = now
	}
	v.n += n
	if d := now.Sub(v.since); d >= time.Second {
		v.value, v.since, v.n = float64(v.n)/d.Seconds(), now, 0
	} else if v.value == 0 && d > 0 {
		return float64(v.n) / d.Seconds()
	}
	return v.value
}
