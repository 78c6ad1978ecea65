// Package sqldb is one small face over SQLite and PostgreSQL: short
// transactions, one SQL text for both, rows mapped to structs.
//
// It knows no table and no event. It is not a query builder: callers write
// SQL, with $1 placeholders, that both engines understand. What differs between
// the engines and cannot be hidden is told apart by Engine.
package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"zombiezen.com/go/sqlite"
)

// Engine names a database engine.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Errors, to be tested with errors.Is.
var (
	ErrNoRows = errors.New("sqldb: no rows")
	ErrClosed = errors.New("sqldb: database is closed")
	ErrBusy   = errors.New("sqldb: another process holds the write lock")
)

// DB is a database. It is safe for concurrent use.
type DB interface {
	// Engine says which engine it is.
	Engine() Engine

	// Read calls fn with a transaction that sees one consistent snapshot and
	// refuses writes.
	Read(ctx context.Context, fn func(Tx) error) error

	// Write calls fn with a transaction that is committed if fn returns nil, and
	// rolled back if it returns an error or panics. Nothing is retried. On SQLite
	// there is one writer at a time; another process's is waited for, at most
	// ten seconds, then it is ErrBusy.
	Write(ctx context.Context, fn func(Tx) error) error

	// Close waits for the transactions under way and closes the database. Later
	// calls of Read and Write return ErrClosed.
	Close() error
}

// Tx is a transaction, valid until the function that got it returns. It is not
// safe for concurrent use.
//
// Placeholders are $1, $2 …; one may occur more than once. Arguments are
// string, []byte, bool, float64, any integer type of at most 64 bits with a
// sign or 32 without, or a type made from one of these. Values read are never nil: NULL is the zero value.
type Tx interface {
	// Query calls scan for each row. The Row is valid during the call, and scan
	// must not use the Tx. An error of scan ends the query and is returned.
	Query(ctx context.Context, sql string, args []any, scan func(Row) error) error

	// Exec runs one statement and returns how many rows it inserted, updated or
	// deleted.
	Exec(ctx context.Context, sql string, args ...any) (affected int64, err error)

	bulk
}

// bulk is what the functions of bulk.go need; only this package has it.
type bulk interface {
	load(ctx context.Context, t Table, keys Vectors, scan func(Row) error) error
	insert(ctx context.Context, t Table, rows Vectors, upsert bool) error
	remove(ctx context.Context, t Table, keys Vectors) error
	engine() Engine
}

// Option changes how a database is opened.
type Option func(*options)

type options struct {
	durable bool
	readers int
	cache   int // MB
}

// Rebuildable gives up the last commits before a power cut (not their order,
// and not their atomicity) for speed: for data that can be made again.
func Rebuildable(o *options) { o.durable = false }

// Readers sets how many reads may run at once; the default is 8.
func Readers(n int) Option { return func(o *options) { o.readers = max(1, n) } }

// Cache sets how many megabytes of pages the connections of an SQLite database
// keep at most, all together; the default is 320. Memory for twice as much is
// taken in the end, since each page is put where two would fit.
func Cache(megabytes int) Option { return func(o *options) { o.cache = max(1, megabytes) } }

func settings(opts []Option) options {
	o := options{durable: true, readers: 8, cache: 320}
	for _, set := range opts {
		set(&o)
	}
	return o
}

// EngineOf says on which engine tx runs.
func EngineOf(tx Tx) Engine { return tx.engine() }

// Lock waits until no other transaction holds the lock called name, and holds it
// until tx ends. On SQLite every writer has the database to itself already.
func Lock(ctx context.Context, tx Tx, name string) error {
	if tx.engine() == SQLite {
		return nil
	}
	err := tx.Query(ctx, "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || $1, 0))::text",
		[]any{name}, func(Row) error { return nil })
	if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	return nil
}

// Script runs several statements without arguments, such as a migration. A
// statement ends with a semicolon at the end of a line.
func Script(ctx context.Context, tx Tx, sql string) error {
	for part := range strings.SplitSeq(sql, ";\n") {
		part = strings.TrimSpace(part)
		if part = strings.TrimSuffix(part, ";"); part == "" {
			continue
		}
		if _, err := tx.Exec(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// Rejected reports whether err says that the database refuses the values of a
// row, for ever: a constraint, a length, a range. Anything else may pass.
func Rejected(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && len(pg.Code) == 5 {
		switch pg.Code[:2] {
		case "22", "23", "54": // data exception, integrity constraint, program limit exceeded
			return true
		}
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultConstraint, sqlite.ResultTooBig, sqlite.ResultMismatch, sqlite.ResultRange:
		return true
	}
	return false
}

// In appends values to args and returns the list of their placeholders, in
// parentheses, for use behind IN. No values at all match nothing. Lists are
// padded, so that few statement texts arise.
func In[T any](args *[]any, values []T) string {
	if len(values) == 0 {
		return "(NULL)"
	}
	n := 1
	for n < len(values) {
		n *= 2
	}
	var b strings.Builder
	for i := range n {
		b.WriteByte(",("[b2i(i == 0)])
		*args = append(*args, values[min(i, len(values)-1)])
		fmt.Fprintf(&b, "$%d", len(*args))
	}
	b.WriteByte(')')
	return b.String()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
