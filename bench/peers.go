package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/hallgren/eventsourcing/core"
	hallgren "github.com/hallgren/eventsourcing/eventstore/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	goespostgres "github.com/modernice/goes/backend/postgres"
	"github.com/modernice/goes/codec"
	"github.com/modernice/goes/event"
	_ "modernc.org/sqlite" // database/sql's "sqlite"

	"github.com/chatledger/chatledger/eventstore"
)

// pool returns connections to a new database on a server that is durable.
func (b *bench) pool(ctx context.Context, searchPath string) (*pgxpool.Pool, error) {
	url, err := b.servers.database()
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse database address: %w", err)
	}
	cfg.MaxConns = int32(b.conns)
	cfg.ConnConfig.RuntimeParams["client_min_messages"] = "warning"
	if searchPath != "" {
		cfg.ConnConfig.RuntimeParams["search_path"] = searchPath
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	var fsync, commit string
	err = pool.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('synchronous_commit')").Scan(&fsync, &commit)
	if err == nil && (fsync != "on" || commit != "on") {
		err = fmt.Errorf("fsync is %s and synchronous_commit is %s: figures would mean nothing", fsync, commit)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("look at PostgreSQL: %w", err)
	}
	return pool, nil
}

// errOneEvent is the answer of those that take one event at a time.
var errOneEvent = errors.New("takes one event at a time")

// statement appends with one INSERT.
type statement struct{ *pgxpool.Pool }

func openStatement(ctx context.Context, b *bench) (appender, error) {
	pool, err := b.pool(ctx, "")
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `CREATE TABLE events (
		position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		stream      text        NOT NULL COLLATE "C",
		revision    bigint      NOT NULL,
		id          uuid        NOT NULL,
		type        text        NOT NULL COLLATE "C",
		recorded_at timestamptz NOT NULL DEFAULT now(),
		data        bytea       NOT NULL,
		meta        bytea       NOT NULL,
		UNIQUE (stream, revision)
	)`)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("create table: %w", err)
	}
	return statement{pool}, nil
}

func (s statement) append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) error {
	if len(events) != 1 {
		return errOneEvent
	}
	e := events[0]
	_, err := s.Exec(ctx, "INSERT INTO events (stream, revision, id, type, data, meta) VALUES ($1, $2, $3, $4, $5, $6)",
		stream, int64(want)+1, e.ID, e.Type, e.Data, e.Meta)
	return err
}

func (s statement) close() error { s.Close(); return nil }

// messageDB appends with Message DB's function.
type messageDB struct{ *pgxpool.Pool }

// messageDBVersion of npm's @eventide/message-db.
const messageDBVersion = "1.3.1"

func openMessageDB(ctx context.Context, b *bench) (appender, error) {
	files, err := b.npmPack(ctx, "@eventide/message-db@"+messageDBVersion)
	if err != nil {
		return nil, err
	}
	pool, err := b.pool(ctx, "message_store,public")
	if err != nil {
		return nil, err
	}
	// In the order of its install.sh; its functions name each other freely.
	script := "SET check_function_bodies = off;\n"
	for _, part := range []string{"schema/", "types/", "tables/", "functions/", "indexes/"} {
		for _, name := range sortedKeys(files) {
			if strings.HasPrefix(name, "package/database/"+part) && strings.HasSuffix(name, ".sql") {
				script += files[name] + ";\n"
			}
		}
	}
	if _, err := pool.Exec(ctx, script, pgx.QueryExecModeSimpleProtocol); err != nil {
		pool.Close()
		return nil, fmt.Errorf("install Message DB: %w", err)
	}
	return messageDB{pool}, nil
}

func (m messageDB) append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) error {
	if len(events) != 1 {
		return errOneEvent
	}
	e := events[0]
	_, err := m.Exec(ctx, "SELECT write_message($1, $2, $3, $4, $5, $6)",
		e.ID.String(), stream, e.Type, string(e.Data), string(e.Meta), int64(want))
	return err
}

func (m messageDB) close() error { m.Close(); return nil }

// hallgrenStore appends with github.com/hallgren/eventsourcing's SQL store.
type hallgrenStore struct {
	core.EventStore
	db *sql.DB
}

func openHallgrenSQLite(_ context.Context, b *bench) (appender, error) {
	name := filepath.Join(b.dir, "hallgren-"+uuid.NewString()+".db")
	db, err := sql.Open("sqlite", "file:"+name+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(4)
	s, err := hallgren.NewSQLiteSingelWriter(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return hallgrenStore{s, db}, nil
}

func openHallgrenPostgres(_ context.Context, b *bench) (appender, error) {
	url, err := b.servers.database()
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse database address: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(b.conns)
	db.SetMaxIdleConns(b.conns)
	s, err := hallgren.NewPostgres(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return hallgrenStore{s, db}, nil
}

func (h hallgrenStore) append(_ context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) error {
	theirs := make([]core.Event, len(events))
	for i, e := range events {
		theirs[i] = core.Event{
			AggregateID: stream, AggregateType: "chat", Version: core.Version(int(want) + 2 + i), // counted from 1
			Timestamp: now(), Reason: e.Type, Data: e.Data, Metadata: e.Meta,
		}
	}
	return h.Save(theirs)
}

func (h hallgrenStore) close() error { return h.db.Close() }

// goesStore appends with github.com/modernice/goes, which has no place for
// metadata: it is part of the data.
type goesStore struct {
	*goespostgres.EventStore
	pool *pgxpool.Pool
}

func openGoes(ctx context.Context, b *bench) (appender, error) {
	pool, err := b.pool(ctx, "")
	if err != nil {
		return nil, err
	}
	reg := codec.New()
	codec.Register[goesData](reg, "chat.message_received.v1")
	s := goespostgres.NewEventStore(reg, goespostgres.Pool(pool))
	if err := s.Connect(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return goesStore{s, pool}, nil
}

type goesData struct{ Data, Meta json.RawMessage }

func (d goesData) Marshal() ([]byte, error) {
	return fmt.Appendf(nil, `{"data":%s,"meta":%s}`, d.Data, d.Meta), nil
}

func (g goesStore) append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) error {
	id, err := uuid.Parse(strings.TrimPrefix(stream, "chat-"))
	if err != nil {
		return fmt.Errorf("aggregate of %s: %w", stream, err)
	}
	theirs := make([]event.Event, len(events))
	for i, e := range events {
		data := goesData{e.Data, e.Meta}
		theirs[i] = event.New(e.Type, data, event.ID(e.ID), event.Time(now()), event.Aggregate(id, "chat", int(want)+2+i)).Any()
	}
	return g.Insert(ctx, theirs...)
}

func (g goesStore) close() error { g.pool.Close(); return nil }
