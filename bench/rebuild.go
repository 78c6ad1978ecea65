package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"github.com/jackc/pgx/v5"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/history"
	"github.com/chatledger/chatledger/projections/inbox"
)

// Of the projector that views are compared with.
const (
	plainEvents = 20_000 // it reads at most: it is slow
	plainBatch  = 1_000  // events in a transaction
)

// engine is a log and where its views go.
type engine struct {
	name   string
	log    eventstore.Store
	views  func(ctx context.Context) (sqldb.DB, error) // a new place for views
	closer func() error

	rates map[string]series // by what was measured
}

// What is measured of each engine.
const (
	rebuildBoth  = "rebuild of inbox and conversation"
	cpuBoth      = "CPU of this process for that, µs per event"
	rebuildThree = "rebuild of inbox, conversation and history"
	catchUp      = "live catch-up of inbox and conversation"
	plainFold    = "one statement per event (a smaller inbox and conversation)"
)

// rebuild measures folding the log into views.
func (b *bench) rebuild(ctx context.Context) (_ *report, err error) {
	total := b.rebuilt / streamLength * streamLength
	var engines []*engine
	defer func() {
		for _, e := range engines {
			err = errors.Join(err, e.closer())
		}
	}()
	r := &report{
		title: "Folding the log into views",
		intro: fmt.Sprintf("Events a second, from the log to committed rows in tables with their indexes: %s events of chats of %d, "+
			"four of five of them messages; log and views on the same engine, SQLite in files, PostgreSQL with fsync. "+
			"A rebuild fills tables beside the live ones and switches over; its time is that of the whole command. "+
			"Live catch-up is a server that starts with empty views. Median of %d rounds (minimum–maximum), in turns.",
			figure(float64(total)), streamLength, b.rounds),
	}
	for _, name := range b.engines {
		open := map[string]func(context.Context) (*engine, error){engineSQLite: b.sqliteEngine, enginePostgres: b.postgresEngine}[name]
		if open == nil {
			return nil, fmt.Errorf("-engines: %q is neither %s nor %s", name, engineSQLite, enginePostgres)
		}
		e, err := open(ctx)
		if err != nil {
			r.notes = append(r.notes, "Not measured: "+err.Error())
			continue
		}
		engines = append(engines, e)
		if err := fill(ctx, e.log, total); err != nil {
			return nil, err
		}
	}
	var plain series
	for round := range b.rounds {
		for i := range engines {
			e := engines[(i+round)%len(engines)]
			if err := b.foldRound(ctx, e, total); err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			if e.name == enginePostgres {
				rate, err := b.foldPlainly(ctx, e.log, min(total, plainEvents))
				if err != nil {
					return nil, fmt.Errorf("one statement per event: %w", err)
				}
				plain = append(plain, rate)
				fmt.Fprintf(b.log, "round %d  %9.0f events/s  %s\n", round+1, rate, plainFold)
			}
			for _, what := range []string{rebuildBoth, catchUp} {
				fmt.Fprintf(b.log, "round %d  %9.0f events/s  %s, %s\n", round+1, e.rates[what][round], what, e.name)
			}
		}
	}
	t := table{head: []string{"events/s"}}
	for _, what := range []string{rebuildBoth, cpuBoth, rebuildThree, catchUp} {
		t.rows = append(t.rows, []string{what})
	}
	t.rows = append(t.rows, []string{plainFold})
	for _, e := range engines {
		t.head = append(t.head, e.name)
		for i, row := range t.rows {
			s := e.rates[row[0]]
			if row[0] == plainFold && e.name == enginePostgres {
				s = plain
			}
			t.rows[i] = append(row, s.String())
		}
	}
	r.tables = []table{t}
	wants := map[string][2]float64{engineSQLite: {200_000, 100_000}, enginePostgres: {140_000, 80_000}}
	for _, e := range engines {
		r.targets = append(r.targets,
			target{what: e.name + ", " + rebuildBoth, got: e.rates[rebuildBoth].median(), want: wants[e.name][0], unit: "events/s"},
			target{what: e.name + ", " + catchUp, got: e.rates[catchUp].median(), want: wants[e.name][1], unit: "events/s"})
		if e.name == enginePostgres {
			r.targets = append(r.targets, target{
				what: e.name + ", rebuild to one statement per event", got: e.rates[rebuildBoth].median() / plain.median(), want: 50, unit: "×",
			})
		}
	}
	r.notes = append(r.notes, fmt.Sprintf("The projector with one statement per event reads the same log with the same driver and codec, and sends "+
		"the change of the chat and the row of the message together as one statement, %s events in a transaction; it is given the first %s events.",
		figure(plainBatch), figure(float64(min(total, plainEvents)))))
	return r, nil
}

// Names of the engines.
const (
	engineSQLite   = "SQLite"
	enginePostgres = "PostgreSQL"
)

func (b *bench) sqliteEngine(ctx context.Context) (*engine, error) {
	s, err := sqlite.Open(ctx, filepath.Join(b.dir, "rebuild.db"))
	if err != nil {
		return nil, err
	}
	n := 0
	views := func(ctx context.Context) (sqldb.DB, error) {
		n++
		return sqldb.OpenSQLite(ctx, filepath.Join(b.dir, fmt.Sprintf("views-%d.db", n)), sqldb.Rebuildable)
	}
	return &engine{engineSQLite, s, views, s.Close, map[string]series{}}, nil
}

func (b *bench) postgresEngine(ctx context.Context) (*engine, error) {
	url, err := b.servers.database()
	if err != nil {
		return nil, err
	}
	s, err := postgres.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	n := 0
	views := func(ctx context.Context) (sqldb.DB, error) {
		n++
		return sqldb.OpenPostgres(ctx, url, fmt.Sprintf("views_%d", n), sqldb.Rebuildable)
	}
	return &engine{enginePostgres, s, views, s.Close, map[string]series{}}, nil
}

func (e *engine) config(db sqldb.DB, views ...func() projections.Projection) projections.Config {
	c := commands.Codec()
	return projections.Config{
		Store: e.log, DB: db, Now: now, Alone: true, Waiter: projections.NewWaiter(db), Projections: views,
		Decode: func(r eventstore.Recorded) (any, error) { return c.Decode(r) },
	}
}

// rebuildGarbage is what `chatledger projections rebuild` sets, too.
const rebuildGarbage = 400

// foldRound rebuilds two views, then three, and lets two catch up as a server
// would.
func (b *bench) foldRound(ctx context.Context, e *engine, total int) (err error) {
	db, err := e.views(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	cfg := e.config(db, inbox.New, conversation.New, history.New)
	record := func(what string, seconds float64) { e.rates[what] = append(e.rates[what], float64(total)/seconds) }
	rebuild := func(what string, names ...string) error {
		began := now()
		if err := projections.RebuildAll(ctx, cfg, names, nil); err != nil {
			return err
		}
		record(what, now().Sub(began).Seconds())
		return nil
	}
	defer debug.SetGCPercent(debug.SetGCPercent(rebuildGarbage))
	cpu := cpuSeconds()
	if err := rebuild(rebuildBoth, "inbox.v3", "conversation.v3"); err != nil {
		return err
	}
	e.rates[cpuBoth] = append(e.rates[cpuBoth], (cpuSeconds()-cpu)*1e6/float64(total))
	if b.history {
		if err := rebuild(rebuildThree, "inbox.v3", "conversation.v3", "history.v1"); err != nil {
			return err
		}
	}
	debug.SetGCPercent(100) // a server's
	took, err := e.catchUp(ctx)
	if err != nil {
		return err
	}
	record(catchUp, took)
	return nil
}

func (e *engine) catchUp(ctx context.Context) (seconds float64, err error) {
	db, err := e.views(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	head, err := e.log.Head(ctx)
	if err != nil {
		return 0, err
	}
	cfg := e.config(db, inbox.New, conversation.New)
	if err := projections.Prepare(ctx, cfg); err != nil {
		return 0, err
	}
	began := now()
	runner, err := projections.NewRunner(ctx, cfg)
	if err != nil {
		return 0, err
	}
	runCtx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runner.Run(runCtx) }()
	err = cfg.Waiter.Wait(ctx, head.Position, "inbox.v3", "conversation.v3")
	seconds = now().Sub(began).Seconds()
	cancel()
	return seconds, errors.Join(err, <-done)
}

const plainTables = `
	CREATE TABLE chats (
		id text PRIMARY KEY, workspace text NOT NULL, status text NOT NULL, assignee text NOT NULL, tags text[] NOT NULL,
		unread bigint NOT NULL, last_at timestamptz, last_by text NOT NULL, preview text NOT NULL, revision bigint NOT NULL
	);
	CREATE INDEX ON chats (workspace, status, assignee, last_at DESC);
	CREATE TABLE messages (
		chat text NOT NULL, id text NOT NULL, at timestamptz NOT NULL, sender text NOT NULL, body text NOT NULL,
		PRIMARY KEY (chat, id)
	);
	CREATE INDEX ON messages (chat, at DESC);
	CREATE TABLE checkpoint (position bigint NOT NULL);
	INSERT INTO checkpoint VALUES (0);`

const plainMessage = `WITH m AS (INSERT INTO messages VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING)
	UPDATE chats SET last_at = $3, last_by = $4, preview = left($5, 100), unread = CASE WHEN $6 THEN unread + 1 ELSE unread END, revision = $7
	WHERE id = $1`

// foldPlainly is the projector that one would write first: for each event one
// statement. It returns events a second.
func (b *bench) foldPlainly(ctx context.Context, log eventstore.Store, n int) (float64, error) {
	pool, err := b.pool(ctx, "")
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, plainTables); err != nil {
		return 0, fmt.Errorf("create tables: %w", err)
	}
	codec := commands.Codec()
	began := now()
	for after := eventstore.Position(0); int(after) < n; {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			for r, err := range log.ReadAll(ctx, eventstore.AllQuery{After: after, Limit: min(plainBatch, n-int(after))}) {
				if err != nil {
					return err
				}
				fact, err := codec.Decode(r)
				if err != nil {
					return err
				}
				if err := applyPlainly(ctx, tx, r, fact); err != nil {
					return err
				}
				after = r.Position
			}
			_, err := tx.Exec(ctx, "UPDATE checkpoint SET position = $1", int64(after))
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return float64(n) / now().Sub(began).Seconds(), nil
}

func applyPlainly(ctx context.Context, tx pgx.Tx, r eventstore.Recorded, fact any) (err error) {
	rev := int64(r.Revision)
	switch f := fact.(type) {
	case chat.Opened:
		_, err = tx.Exec(ctx, "INSERT INTO chats VALUES ($1, $2, $3, '', '{}', 0, $4, '', '', $5)", r.Stream, f.Workspace, f.Status, f.At, rev)
	case chat.MessageReceived:
		_, err = tx.Exec(ctx, plainMessage, r.Stream, string(f.Message), f.At, "customer", f.Content.Text, true, rev)
	case chat.MessageQueued:
		_, err = tx.Exec(ctx, plainMessage, r.Stream, string(f.Message), f.At, string(f.By), f.Text, false, rev)
	case chat.Claimed:
		_, err = tx.Exec(ctx, "UPDATE chats SET assignee = $2, revision = $3 WHERE id = $1", r.Stream, string(f.By), rev)
	case chat.TagsChanged:
		tags := make([]string, len(f.Added))
		for i, t := range f.Added {
			tags[i] = string(t)
		}
		_, err = tx.Exec(ctx, "UPDATE chats SET tags = tags || $2, revision = $3 WHERE id = $1", r.Stream, tags, rev)
	case chat.Closed:
		_, err = tx.Exec(ctx, "UPDATE chats SET status = $2, revision = $3 WHERE id = $1", r.Stream, f.Status, rev)
	default:
		return fmt.Errorf("no statement for %T", fact)
	}
	return err
}
