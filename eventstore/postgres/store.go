// Package postgres is the event store on PostgreSQL 13 or later. README.md has
// its design.
//
// It imports the contract and its database library only, and must not know what
// the events mean.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/chatledger/chatledger/eventstore"
)

//go:embed schema/*.sql
var schemaFS embed.FS

// Bounds of every wait.
const (
	connectTimeout   = 10 * time.Second
	lockTimeout      = 15 * time.Second // for another process's append or migration
	statementTimeout = 30 * time.Second // in the server
	closeGrace       = 5 * time.Second  // for the commit that is under way
	operationTimeout = 45 * time.Second // here, if the server does not answer at all
	migrationTimeout = time.Hour        // for one that writes the log anew
)

// Store implements eventstore.Store.
type Store struct {
	id     uuid.UUID
	opts   options
	sql    statements
	pool   *pgxpool.Pool
	config *pgx.ConnConfig // of a connection outside the pool

	queue   chan *request
	stopped chan struct{} // closed when nobody takes from queue any more
	changed chan struct{} // to the notifier
	growth  growth

	life context.Context // ends with Close
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu        sync.Mutex
	listening bool // guarded by mu, as is wg.Go
}

var _ eventstore.Store = (*Store)(nil)

type options struct {
	schema string
	logger *slog.Logger
	poll   time.Duration
	pool   int
}

// Option changes a setting of Open.
type Option func(*options)

// WithSchema sets the PostgreSQL schema that holds the log: lower-case letters,
// digits and underscores; "chatledger_log" by default. It is made if missing.
func WithSchema(name string) Option { return func(o *options) { o.schema = name } }

// WithLogger sets where lost connections are reported. The default discards.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithPollInterval sets how long a follower may take to notice an append of
// another process whose notification was lost: 250 ms by default.
func WithPollInterval(d time.Duration) Option { return func(o *options) { o.poll = d } }

// WithPoolSize sets how many connections reads may use: 8 by default. The store
// has up to two more, for appending and for listening.
func WithPoolSize(n int) Option { return func(o *options) { o.pool = n } }

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,50}$`)

// Open connects to the database at url ("postgres://user@host/database"), brings
// its schema up to date and returns the store. Any number of processes may open
// one log. The caller must Close the store.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	o := options{schema: "chatledger_log", logger: slog.New(slog.DiscardHandler), poll: 250 * time.Millisecond, pool: 8}
	for _, opt := range opts {
		opt(&o)
	}
	if !schemaName.MatchString(o.schema) || o.poll <= 0 || o.pool <= 0 {
		return nil, fmt.Errorf("open event store: bad option: schema %q, poll interval %s, pool size %d", o.schema, o.poll, o.pool)
	}
	poolConfig, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse database address: %w", err)
	}
	configure(poolConfig.ConnConfig, o.schema)
	poolConfig.MaxConns, poolConfig.MinConns = int32(o.pool), 0

	if err := migrate(ctx, poolConfig.ConnConfig.Copy(), o.schema); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout+2*operationTimeout)
	defer cancel()
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("connect to database: %w", err)
	}
	id, err := storeID(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s := &Store{
		id:      id,
		opts:    o,
		sql:     readStatements(),
		pool:    pool,
		config:  poolConfig.ConnConfig.Copy(),
		queue:   make(chan *request, queueSize),
		stopped: make(chan struct{}),
		changed: make(chan struct{}, 1),
		growth:  growth{grown: make(chan struct{})},
	}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	w := &writer{store: s}
	s.wg.Go(w.run)
	s.wg.Go(func() { w.guard.watch(s.life.Done(), s.stopped) })
	s.wg.Go(s.notify)
	return s, nil
}

// configure sets what every connection has. The planner switches keep each
// statement on its index, also while statistics are missing or old.
func configure(c *pgx.ConnConfig, schema string) {
	c.ConnectTimeout = connectTimeout
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	maps.Copy(c.RuntimeParams, map[string]string{
		"search_path":                         pgx.Identifier{schema}.Sanitize(),
		"default_transaction_isolation":       "read committed",
		"synchronous_commit":                  "on",
		"statement_timeout":                   milliseconds(statementTimeout),
		"lock_timeout":                        milliseconds(lockTimeout),
		"idle_in_transaction_session_timeout": milliseconds(statementTimeout),
		"jit":                                 "off",
		"plan_cache_mode":                     "force_generic_plan",
		"enable_seqscan":                      "off",
		"enable_bitmapscan":                   "off",
		"enable_hashjoin":                     "off",
		"enable_mergejoin":                    "off",
	})
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "chatledger log"
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// migrate makes the schema or brings it up to date. One process at a time: the
// lock goes with the connection.
func migrate(ctx context.Context, config *pgx.ConnConfig, schema string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended('chatledger.migrate ' || $1, 0))", schema); err != nil {
		return fmt.Errorf("lock schema %s: %w", schema, err)
	}
	// IF NOT EXISTS would need the right to create schemas even if there is one.
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", schema).Scan(&exists); err != nil {
		return fmt.Errorf("look for schema %s: %w", schema, err)
	}
	if !exists {
		if _, err := conn.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize()); err != nil {
			return fmt.Errorf("create schema %s: %w", schema, err)
		}
	}
	migrations, err := fs.Sub(schemaFS, "schema")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema %s: %w", schema, err)
	}
	return nil
}

// namespace is the UUIDv5 namespace of stores' ids.
const namespace = "f2d0a1c6-6d0f-5d3b-9a57-5c8a1b7de311"

// storeID names the log at this place: see README.md.
func storeID(ctx context.Context, pool *pgxpool.Pool) (uuid.UUID, error) {
	var row, place string
	err := pool.QueryRow(ctx, `
		SELECT s.id::text, d.oid::text || '/' || 'events'::regclass::oid::text
		FROM store s, pg_database d WHERE d.datname = current_database()`).Scan(&row, &place)
	if err != nil {
		return uuid.Nil, fmt.Errorf("read store id: %w", err)
	}
	var system string
	err = pool.QueryRow(ctx, "SELECT system_identifier::text FROM pg_control_system()").Scan(&system)
	if refused, ok := errors.AsType[*pgconn.PgError](err); err != nil && (!ok || refused.Code != insufficientPrivilege) {
		return uuid.Nil, fmt.Errorf("read server id: %w", err)
	}
	return uuid.NewSHA1(uuid.MustParse(namespace), []byte(row+"/"+system+"/"+place)), nil
}

const insufficientPrivilege = "42501" // SQLSTATE, PostgreSQL manual, appendix A

// Close gives the commit that is under way a few seconds to finish, ends everything else with
// ErrClosed and closes the connections. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.wg.Wait()
	s.pool.Close()
	return nil
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Head, error) {
	op, cancel := s.operation(ctx)
	defer cancel()
	h := eventstore.Head{Store: s.id}
	if err := s.pool.QueryRow(op, headSQL).Scan(&h.Position); err != nil {
		return eventstore.Head{}, s.failed(ctx, "read head", err)
	}
	return h, nil
}

const headSQL = "SELECT coalesce(max(position), 0) FROM events"

// operation bounds one use of the database: it also ends with the store.
func (s *Store) operation(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// ended returns why a caller may not go on, if so.
func (s *Store) ended(ctx context.Context) error {
	if s.life.Err() != nil {
		return eventstore.ErrClosed
	}
	return ctx.Err()
}

// failed returns what the caller is told about err.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	if e := s.ended(ctx); e != nil {
		err = e
	}
	return fmt.Errorf("%s: %w", doing, err)
}
