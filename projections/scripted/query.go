package scripted

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// States of a version.
const (
	StateBuilding = "building" // it has not caught up with the log yet
	StateRunning  = "running"  // it has, and follows it
	StateStopped  = "stopped"  // at an event that the script could not take
)

// Status says how far a version is.
type Status struct {
	State    string
	Position eventstore.Position // every event up to here is in the rows
	Rows     int64
	Bytes    int64   // of the rows
	Rate     float64 // positions a second, lately
	Failure  Failure // why it stopped; the zero Failure if it did not
	Updated  time.Time

	id int64
}

// rateHolds is how long a rate says something about the present.
const rateHolds = 10 * time.Second

// ETA returns how long it takes to get to the end of the log; ok is false if that
// cannot be told.
func (s Status) ETA(head eventstore.Position, now time.Time) (eta time.Duration, ok bool) {
	switch lag := head - s.Position; {
	case s.State == StateStopped:
		return 0, false
	case lag <= 0:
		return 0, true
	case s.Rate <= 0 || now.Sub(s.Updated) > rateHolds:
		return 0, false
	default:
		return time.Duration(float64(lag) / s.Rate * float64(time.Second)), true
	}
}

// StatusOf returns how far a version is. One that nobody has begun with is at 0.
func StatusOf(ctx context.Context, tx sqldb.Tx, workspace, view string, version int64) (Status, error) {
	s, found, err := find(ctx, tx, workspace, view, version)
	if err != nil || !found {
		return Status{State: StateBuilding}, err
	}
	return s.status(), nil
}

// VersionKey names a version in its workspace.
type VersionKey struct {
	View    string
	Version int64
}

// StatusOfAll returns how far the versions of a workspace are that were begun with.
func StatusOfAll(ctx context.Context, tx sqldb.Tx, workspace string) (map[VersionKey]Status, error) {
	rows, err := sqldb.Select[state](ctx, tx, "SELECT * FROM scripted_versions WHERE workspace = $1 AND dropped = 0", workspace)
	if err != nil {
		return nil, fmt.Errorf("read state of versions: %w", err)
	}
	all := make(map[VersionKey]Status, len(rows))
	for _, s := range rows {
		all[VersionKey{s.View, s.Version}] = s.status()
	}
	return all, nil
}

func (s state) status() Status {
	out := Status{
		State: StateBuilding, Position: eventstore.Position(s.Checkpoint), Rows: s.Rows, Bytes: s.Bytes, Rate: s.Rate, Failure: s.Failure,
		Updated: time.UnixMicro(s.UpdatedAt).UTC(), id: s.ID,
	}
	switch {
	case s.Failure.Position != 0:
		out.State = StateStopped
	case s.Built != 0:
		out.State = StateRunning
	}
	return out
}

// pollStatus is how often Wait looks.
const pollStatus = 20 * time.Millisecond

// Wait returns nil when a version has reached a position, or the reason why ctx ended.
func Wait(ctx context.Context, db sqldb.DB, workspace, view string, version int64, position eventstore.Position) error {
	for {
		var s Status
		err := db.Read(ctx, func(tx sqldb.Tx) (err error) {
			s, err = StatusOf(ctx, tx, workspace, view, version)
			return err
		})
		if err != nil || s.Position >= position {
			return err
		}
		wait(ctx, pollStatus)
		if ctx.Err() != nil {
			return fmt.Errorf("wait for position %d: %w", position, context.Cause(ctx))
		}
	}
}

// Query says which rows of a version to read.
type Query struct {
	Status Status // of the version, from the same transaction
	Table  customview.Table
	Cursor string // of the page before; "" for the first
	Limit  int    // 1 to 200; 0 means 50
}

// Page is a part of the rows, by key: each an object with the key and the columns in
// their order.
type Page struct {
	Rows []json.RawMessage
	Next string // cursor of the next page; "" if this is the last
}

const list = "scripted"

type entry struct {
	Key  string `db:"row_key"`
	Data string `db:"data"`
}

// entries returns the rows of a table whose keys follow after.
func entries(ctx context.Context, tx sqldb.Tx, id int64, table, after string, limit int) ([]entry, error) {
	rows, err := sqldb.Select[entry](ctx, tx, "SELECT row_key, data FROM scripted_rows WHERE id = $1 AND tbl = $2 AND row_key > $3 ORDER BY row_key LIMIT $4", id, table, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	return rows, nil
}

// Rows returns rows of a version.
func Rows(ctx context.Context, tx sqldb.Tx, q Query) (p Page, err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return p, err
	}
	after := ""
	if q.Cursor != "" {
		if err := cursor.Decode(list, q.Cursor, &after); err != nil {
			return p, err
		}
	}
	rows, err := entries(ctx, tx, q.Status.id, q.Table.Name, after, limit+1)
	cut := cursor.Cut(list, rows, limit, func(e *entry) any { return e.Key })
	for _, e := range cut.Items {
		p.Rows = append(p.Rows, q.Table.Row(e.Key, json.RawMessage(e.Data)))
	}
	p.Next = cut.Next
	return p, err
}

// Row returns a row of a version.
func Row(ctx context.Context, tx sqldb.Tx, s Status, t customview.Table, key string) (json.RawMessage, error) {
	data, err := getRow(ctx, tx, s.id, t.Name, key)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, customview.ErrRow
	}
	return t.Row(key, data), nil
}

// All calls do for each row of a table, by key.
func All(ctx context.Context, tx sqldb.Tx, s Status, t customview.Table, do func(key string, data json.RawMessage) error) error {
	return tx.Query(ctx, "SELECT row_key, data FROM scripted_rows WHERE id = $1 AND tbl = $2 ORDER BY row_key", []any{s.id, t.Name}, func(r sqldb.Row) error {
		return do(r.Text(0), json.RawMessage(r.Text(1)))
	})
}
