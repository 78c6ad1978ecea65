// Package accounts keeps what is neither an event nor a view: the tokens of the
// API, the secrets of channels, and the notes that reactors take so that they
// can resume.
//
// It must not know what an event means, and no secret may leave it but by the
// methods whose name says so: never in an error, a log line or a String.
package accounts

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/chatledger/chatledger/internal/sqldb"
)

//go:embed schema/*.sql
var schema embed.FS

// Accounts is the store. It is safe for concurrent use, and several processes
// may use one database.
type Accounts struct {
	db  sqldb.DB
	now func() time.Time

	mu   sync.Mutex
	seen map[string]sighting // leases of others, by name
}

// Open brings the tables up to date and returns the store. The database stays
// the caller's to close.
func Open(ctx context.Context, db sqldb.DB, now func() time.Time) (*Accounts, error) {
	if err := migrate(ctx, db, now); err != nil {
		return nil, fmt.Errorf("migrate accounts: %w", err)
	}
	return &Accounts{db: db, now: now, seen: map[string]sighting{}}, nil
}

// migrate runs the files of schema/ that did not run yet, in order, all in one
// transaction. A database of a newer program is refused.
func migrate(ctx context.Context, db sqldb.DB, now func() time.Time) error {
	files, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(files)
	return db.Write(ctx, func(tx sqldb.Tx) error {
		if err := sqldb.Lock(ctx, tx, "accounts schema"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)"); err != nil {
			return err
		}
		var done int64
		err := tx.Query(ctx, "SELECT COALESCE(MAX(version), 0) FROM migrations", nil, func(r sqldb.Row) error {
			done = r.Int64(0)
			return nil
		})
		if err != nil {
			return err
		}
		if done > int64(len(files)) {
			return fmt.Errorf("the database has version %d, this program knows %d", done, len(files))
		}
		for i := int(done); i < len(files); i++ {
			sql, err := schema.ReadFile(files[i])
			if err != nil {
				return err
			}
			if err := sqldb.Script(ctx, tx, string(sql)); err != nil {
				return fmt.Errorf("run %s: %w", files[i], err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO migrations (version, applied_at) VALUES ($1, $2)", i+1, micros(now())); err != nil {
				return err
			}
		}
		return nil
	})
}

// micros is how times are stored: microseconds UTC, 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
