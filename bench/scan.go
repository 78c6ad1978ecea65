package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// streamReads is how many streams are read in a round.
const streamReads = 2_000

// A table as one would make it without much thought, for comparison.
const (
	plainTable = `CREATE TABLE events (
		position    INTEGER PRIMARY KEY,
		type        TEXT NOT NULL,
		stream      TEXT NOT NULL,
		revision    INTEGER NOT NULL,
		recorded_at INTEGER NOT NULL,
		id          BLOB NOT NULL,
		meta        TEXT,
		data        TEXT,
		UNIQUE (stream, revision)
	) STRICT`
	plainInsert  = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT))"
	plainColumns = "SELECT position, type, stream, revision, recorded_at, id, meta, data FROM events "
)

// scan measures reading the log on SQLite.
func (b *bench) scan(ctx context.Context) (_ *report, err error) {
	total := b.scanned / streamLength * streamLength
	path := filepath.Join(b.dir, "scan.db")
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := fill(ctx, s, total); err != nil {
		return nil, err
	}
	plain := filepath.Join(b.dir, "plain.db")
	if err := copyPlain(ctx, s, plain); err != nil {
		return nil, fmt.Errorf("copy events to a plain table: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+plain+"?mode=ro&_pragma=cache_size(-8192)")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	size, err := meanSize(ctx, s)
	if err != nil {
		return nil, err
	}
	codec := commands.Codec()
	scans := []*struct {
		name  string
		run   func() (int, error)
		rates series
	}{
		{name: "**chatledger**, to envelopes", run: func() (n int, err error) {
			for _, err := range s.ReadAll(ctx, eventstore.AllQuery{}) {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		}},
		{name: "database/sql (modernc.org/sqlite) on a table of the same events, to envelopes", run: func() (int, error) {
			return queryEvents(ctx, db, plainColumns+"ORDER BY position")
		}},
		{name: "**chatledger**, to typed facts and metadata, in one goroutine", run: func() (n int, err error) {
			for r, err := range s.ReadAll(ctx, eventstore.AllQuery{}) {
				if err != nil {
					return n, err
				}
				if _, err := codec.Decode(r); err != nil {
					return n, err
				}
				if _, err := eventstore.DecodeMetadata(r); err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		}},
	}
	streams := []*struct {
		name     string
		run      func(stream string) (int, error)
		p50, p99 series
	}{
		{name: "**chatledger**", run: func(stream string) (n int, err error) {
			for _, err := range s.ReadStream(ctx, stream, eventstore.StreamQuery{}) {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		}},
		{name: "database/sql on that table", run: func(stream string) (int, error) {
			return queryEvents(ctx, db, plainColumns+"WHERE stream = ? ORDER BY revision", stream)
		}},
	}
	for round := range b.rounds + 1 {
		for i := range scans {
			scan := scans[(i+round)%len(scans)]
			began := now()
			n, err := scan.run()
			took := now().Sub(began)
			if err != nil || n != total {
				return nil, fmt.Errorf("%s read %d of %d events: %v", scan.name, n, total, err)
			}
			if round > 0 { // the first one warms up the caches
				scan.rates = append(scan.rates, float64(n)/took.Seconds())
				fmt.Fprintf(b.log, "round %d  %9.0f events/s  %s\n", round, float64(n)/took.Seconds(), scan.name)
			}
		}
		for i := range streams {
			read := streams[(i+round)%len(streams)]
			var took []time.Duration
			random := rand.New(rand.NewPCG(uint64(round), 1)) // the same streams for each
			for range streamReads {
				stream := chatName(random.IntN(total / streamLength))
				began := now()
				n, err := read.run(stream)
				took = append(took, now().Sub(began))
				if err != nil || n != streamLength {
					return nil, fmt.Errorf("%s read %d events of a stream: %v", read.name, n, err)
				}
			}
			if round > 0 {
				slices.Sort(took)
				read.p50 = append(read.p50, float64(took[len(took)/2].Nanoseconds())/1e3)
				read.p99 = append(read.p99, float64(took[len(took)*99/100].Nanoseconds())/1e3)
			}
		}
	}
	r := &report{
		title: "Reading the log",
		intro: fmt.Sprintf("SQLite, %s events of %d bytes on average in streams of %d that were written side by side, in the page cache; database/sql reads a file of its own with a row for each event. "+
			"Median of %d rounds (minimum–maximum), in turns.", figure(float64(total)), size, streamLength, b.rounds),
		targets: []target{
			{what: "scan to envelopes, to database/sql", got: scans[0].rates.median() / scans[1].rates.median(), want: 2.5, unit: "×"},
			{what: "the same, stretch", got: scans[0].rates.median() / scans[1].rates.median(), want: 4, unit: "×"},
			{what: "a stream of 20 events, p50", got: streams[0].p50.median(), want: 150, unit: "µs", atMost: true},
		},
	}
	whole := table{head: []string{"The whole log", "events/s"}}
	for _, scan := range scans {
		whole.rows = append(whole.rows, []string{scan.name, scan.rates.String()})
	}
	one := table{head: []string{fmt.Sprintf("A stream of %d events", streamLength), "p50, µs", "p99, µs"}}
	for _, read := range streams {
		one.rows = append(one.rows, []string{read.name, read.p50.String(), read.p99.String()})
	}
	r.tables = []table{whole, one}
	return r, nil
}

// meanSize returns the mean of the bytes of data and metadata.
func meanSize(ctx context.Context, s eventstore.Store) (int, error) {
	sum, n := 0, 0
	for r, err := range s.ReadAll(ctx, eventstore.AllQuery{Limit: 10_000}) {
		if err != nil {
			return 0, err
		}
		sum, n = sum+len(r.Data)+len(r.Meta), n+1
	}
	return sum / max(n, 1), nil
}

// copyPlain makes a file with the events of s, a row each.
func copyPlain(ctx context.Context, s eventstore.Store, path string) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, plainTable); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, plainInsert)
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	for r, err := range s.ReadAll(ctx, eventstore.AllQuery{}) {
		if err == nil {
			_, err = insert.ExecContext(ctx, r.Position, r.Type, r.Stream, r.Revision, r.Time.UnixMicro(), r.ID[:], r.Meta, r.Data)
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// queryEvents reads events into what the driver yields, with nothing but
// database/sql.
func queryEvents(ctx context.Context, db *sql.DB, query string, args ...any) (n int, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("query events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var recordedAt int64
	for rows.Next() {
		var r eventstore.Recorded
		var id []byte
		if err := rows.Scan(&r.Position, &r.Type, &r.Stream, &r.Revision, &recordedAt, &id, &r.Meta, &r.Data); err != nil {
			return n, fmt.Errorf("scan event: %w", err)
		}
		copy(r.ID[:], id)
		r.Time = time.UnixMicro(recordedAt).UTC()
		n++
	}
	return n, rows.Err()
}
