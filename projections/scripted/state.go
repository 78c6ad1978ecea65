package scripted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// state is a row of scripted_versions: how far a version is. Times are in microseconds
// since 1970 UTC.
type state struct {
	ID         int64   `db:"id,key"`
	Workspace  string  `db:"workspace"`
	View       string  `db:"view_name"`
	Version    int64   `db:"version"`
	Saved      int64   `db:"saved"`  // position of the event that made it
	Digest     string  `db:"digest"` // of its definition
	Store      string  `db:"store"`  // the log that it is of
	Checkpoint int64   `db:"checkpoint"`
	Epoch      int64   `db:"epoch"` // changes with whoever moves it
	Owner      string  `db:"owner"`
	LeaseUntil int64   `db:"lease_until"`
	Dropped    int64   `db:"dropped"` // 1: its rows are being deleted
	Built      int64   `db:"built"`   // 1: it has caught up with the log once
	Retries    int64   `db:"retries"` // that were asked for and heeded
	Rows       int64   `db:"row_count"`
	Bytes      int64   `db:"byte_count"`
	Rate       float64 `db:"rate"` // positions a second, lately
	Failure    Failure `db:"failure"`
	CreatedAt  int64   `db:"created_at"`
	UpdatedAt  int64   `db:"updated_at"`
}

const (
	versionsTable = "scripted_versions"
	rowsTable     = "scripted_rows"
)

// tableOf returns the table of rows of type R.
func tableOf[R any](name string) (sqldb.Table, error) {
	m, err := sqldb.MappingOf(reflect.TypeFor[R]())
	if err != nil {
		return sqldb.Table{}, err
	}
	t := sqldb.Table{Name: name}
	for _, f := range m.Fields {
		t.Columns = append(t.Columns, sqldb.Column{Name: f.Column, Kind: f.Kind, Key: f.Key})
	}
	return t, nil
}

// prepare makes the tables that are missing.
func prepare(ctx context.Context, db sqldb.DB) error {
	versions, err := tableOf[state](versionsTable)
	if err != nil {
		return err
	}
	rows, err := tableOf[row](rowsTable)
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(tx sqldb.Tx) error {
		if err := sqldb.Lock(ctx, tx, versionsTable); err != nil {
			return err
		}
		if err := sqldb.CreateTable(ctx, tx, versions); err != nil {
			return err
		}
		return sqldb.CreateTable(ctx, tx, rows)
	})
	if err != nil {
		return fmt.Errorf("make tables of custom views: %w", err)
	}
	return nil
}

var (
	errHeld = errors.New("scripted: another process has the version")
	errLost = errors.New("scripted: another process has taken the version, or it was dropped")
)

// digest tells one definition from another.
func digest(d customview.Definition) string {
	data, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and lists of them can be encoded
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// find returns the state of a version; found is false if nobody has begun with it.
func find(ctx context.Context, tx sqldb.Tx, workspace, view string, version int64) (s state, found bool, err error) {
	s, err = sqldb.Get[state](ctx, tx, "SELECT * FROM scripted_versions WHERE workspace = $1 AND view_name = $2 AND version = $3 AND dropped = 0", workspace, view, version)
	if errors.Is(err, sqldb.ErrNoRows) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("read state of version: %w", err)
	}
	return s, true, nil
}

// acquire makes the caller the one who moves a version, which is begun with if it is new.
// What is there of another log, or of another definition, is dropped first.
func (r *Runner) acquire(ctx context.Context, j *job, head eventstore.Head) (s state, err error) {
	live, store, now := j.live, head.Store.String(), r.now()
	err = r.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := sqldb.Lock(ctx, tx, versionsTable); err != nil {
			return err
		}
		old, found, err := find(ctx, tx, j.workspace, string(live.View), int64(live.Version))
		if err != nil {
			return err
		}
		if found && (old.Store != store || old.Checkpoint > int64(head.Position) || old.Digest != digest(live.Definition)) {
			if _, err := tx.Exec(ctx, "UPDATE scripted_versions SET dropped = 1, epoch = epoch + 1 WHERE id = $1", old.ID); err != nil {
				return err
			}
			found = false
		}
		if found {
			if !r.cfg.Alone && old.Owner != "" && old.Owner != r.owner && old.LeaseUntil > now {
				return errHeld
			}
			_, err := tx.Exec(ctx, "UPDATE scripted_versions SET epoch = epoch + 1, owner = $1, lease_until = $2 WHERE id = $3", r.owner, r.leaseEnd(), old.ID)
			s = old
			s.Epoch++
			return err
		}
		id, err := sqldb.Get[int64](ctx, tx, "SELECT coalesce(max(id), 0) + 1 FROM scripted_versions")
		if err != nil {
			return err
		}
		s = state{
			ID: id, Workspace: j.workspace, View: string(live.View), Version: int64(live.Version), Saved: int64(j.saved), Digest: digest(live.Definition),
			Store: store, Epoch: 1, Retries: int64(live.Retries), CreatedAt: now, UpdatedAt: now,
		}
		_, err = tx.Exec(ctx, `INSERT INTO scripted_versions (id, workspace, view_name, version, saved, digest, store, checkpoint, epoch, owner, lease_until,
			dropped, built, retries, row_count, byte_count, rate, failure, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 1, $8, $9, 0, 0, $10, 0, 0, 0, $11, $12, $12)`,
			s.ID, s.Workspace, s.View, s.Version, s.Saved, s.Digest, s.Store, r.owner, r.leaseEnd(), s.Retries, asText(Failure{}), now)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("take version: %w", err)
	}
	return s, nil
}

// advance writes s in place of what there is, in the transaction that writes its rows.
// It returns errLost unless the version is where the caller left it.
func (r *Runner) advance(ctx context.Context, tx sqldb.Tx, from int64, s state) error {
	n, err := tx.Exec(ctx, `UPDATE scripted_versions SET checkpoint = $1, lease_until = $2, built = $3, retries = $4, row_count = $5, byte_count = $6,
		rate = $7, failure = $8, updated_at = $9 WHERE id = $10 AND epoch = $11 AND checkpoint = $12 AND dropped = 0`,
		s.Checkpoint, r.leaseEnd(), s.Built, s.Retries, s.Rows, s.Bytes, s.Rate, asText(s.Failure), s.UpdatedAt, s.ID, s.Epoch, from)
	if err == nil && n == 0 {
		err = errLost
	}
	return err
}

// release gives up what this Runner has, so that nobody has to wait for the end of its
// leases. It works after ctx was cancelled, too.
func (r *Runner) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := r.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE scripted_versions SET owner = '', lease_until = 0 WHERE owner = $1", r.owner)
		return err
	})
	if err != nil {
		r.cfg.Logger.WarnContext(ctx, "custom views not given up", "err", err)
	}
}

func asText(f Failure) string {
	data, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return string(data)
}

func (r *Runner) now() int64      { return r.cfg.Now().UnixMicro() }
func (r *Runner) leaseEnd() int64 { return r.now() + r.cfg.Lease.Microseconds() }
