package sqldb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgDB is a pool of connections whose search path is one schema.
type pgDB struct {
	pool   *pgxpool.Pool
	closed atomic.Bool
}

// OpenPostgres connects to the database at url and works in schema, which is
// made if it is missing. Several processes may do so at once.
func OpenPostgres(ctx context.Context, url, schema string, opts ...Option) (DB, error) {
	if !identifier.MatchString(schema) {
		return nil, fmt.Errorf("open database: schema %q: want lower-case letters, digits and underscores", schema)
	}
	o := settings(opts)
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	params := cfg.ConnConfig.RuntimeParams
	params["search_path"] = schema
	params["lock_timeout"] = "15s"
	// A process that was suspended, or whose machine is gone, keeps the rows that
	// it has locked no longer than others wait for them.
	params["idle_in_transaction_session_timeout"] = "10s"
	params["synchronous_commit"] = "on"
	if !o.durable {
		params["synchronous_commit"] = "off"
	}
	if params["application_name"] == "" {
		params["application_name"] = "chatledger"
	}
	cfg.MaxConns = max(cfg.MaxConns, int32(o.readers)+4)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &pgDB{pool: pool}
	// CREATE SCHEMA IF NOT EXISTS fails if two sessions run it at once.
	err = db.Write(ctx, func(tx Tx) error {
		for _, sql := range []string{
			"SELECT pg_advisory_xact_lock(hashtextextended('chatledger create schema', 0))",
			"CREATE SCHEMA IF NOT EXISTS " + schema,
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// identifier matches the names that need no quotes on either engine.
var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (*pgDB) Engine() Engine { return Postgres }

func (db *pgDB) Read(ctx context.Context, fn func(Tx) error) error {
	return db.transact(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

func (db *pgDB) Write(ctx context.Context, fn func(Tx) error) error {
	return db.transact(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, fn)
}

func (db *pgDB) Close() error {
	if !db.closed.Swap(true) {
		db.pool.Close()
	}
	return nil
}

func (db *pgDB) transact(ctx context.Context, o pgx.TxOptions, fn func(Tx) error) error {
	if db.closed.Load() {
		return ErrClosed
	}
	err := pgx.BeginTxFunc(ctx, db.pool, o, func(tx pgx.Tx) error { return fn(pgTx{tx}) })
	if errors.Is(err, pgx.ErrTxClosed) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

type pgTx struct{ tx pgx.Tx }

func (pgTx) engine() Engine { return Postgres }

func (tx pgTx) Query(ctx context.Context, sql string, args []any, scan func(Row) error) error {
	if err := tx.query(ctx, sql, args, scan); err != nil {
		return fmt.Errorf("query %s: %w", brief(sql), err)
	}
	return nil
}

func (tx pgTx) query(ctx context.Context, sql string, args []any, scan func(Row) error) error {
	rows, err := tx.tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	r := &pgRow{types: tx.tx.Conn().TypeMap()}
	for rows.Next() {
		if r.fields == nil {
			r.fields = rows.FieldDescriptions()
		}
		r.values = rows.RawValues()
		if err := scan(Row{pg: r}); err != nil {
			return err
		}
		if r.err != nil {
			return r.err
		}
	}
	return rows.Err()
}

func (tx pgTx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := tx.tx.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("exec %s: %w", brief(sql), err)
	}
	return tag.RowsAffected(), nil
}
