package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// The runtime's own tables. Times are microseconds since 1970 UTC, 0 for never.
const metaTables = `
CREATE TABLE IF NOT EXISTS projections (
	name          TEXT   NOT NULL PRIMARY KEY,
	store         TEXT   NOT NULL, -- id of the log that the checkpoint is of; '' before the first event
	checkpoint    BIGINT NOT NULL, -- every event up to here is in the tables, or parked
	epoch         BIGINT NOT NULL, -- grows with each owner; whoever writes proves it in the same transaction
	owner         TEXT   NOT NULL,
	lease_until   BIGINT NOT NULL,
	generation    BIGINT NOT NULL, -- which build of the tables is live
	shape         TEXT   NOT NULL, -- fingerprint of the tables' definition
	rate          DOUBLE PRECISION NOT NULL, -- events a second
	error         TEXT   NOT NULL, -- why it does not move; '' if it does
	error_at      BIGINT NOT NULL,
	updated_at    BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS projection_builds (
	name          TEXT   NOT NULL,
	role          TEXT   NOT NULL, -- new: being built; old: what a rollback brings back; check: scratch of Verify
	generation    BIGINT NOT NULL,
	store         TEXT   NOT NULL,
	checkpoint    BIGINT NOT NULL,
	target        BIGINT NOT NULL,
	epoch         BIGINT NOT NULL,
	owner         TEXT   NOT NULL,
	lease_until   BIGINT NOT NULL,
	shape         TEXT   NOT NULL,
	updated_at    BIGINT NOT NULL,
	PRIMARY KEY (name, role)
);
CREATE TABLE IF NOT EXISTS parked (
	projection    TEXT   NOT NULL,
	generation    BIGINT NOT NULL,
	stream        TEXT   NOT NULL,
	position      BIGINT NOT NULL,
	revision      BIGINT NOT NULL,
	type          TEXT   NOT NULL,
	error         TEXT   NOT NULL, -- '' for an event that only waits behind another
	attempts      BIGINT NOT NULL,
	at            BIGINT NOT NULL,
	PRIMARY KEY (projection, generation, stream, position)
);
`

// Suffixes of the tables that are not live.
const (
	suffixNew   = "__new"
	suffixOld   = "__old"
	suffixCheck = "__check"
	suffixSwap  = "__swap"
)

// Prepare makes the tables of all projections, and the runtime's own, where
// they are missing, so that queries find them before the first event is folded.
// It may be called by several processes at once.
func Prepare(ctx context.Context, cfg Config) error {
	cfg, err := cfg.prepared()
	if err != nil {
		return err
	}
	for _, home := range cfg.homes() {
		if err := home.prepare(ctx); err != nil {
			return fmt.Errorf("prepare projections: %w", err)
		}
	}
	return nil
}

// prepare makes what is missing in one database.
func (c *Config) prepare(ctx context.Context) error {
	return c.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := sqldb.Lock(ctx, tx, "projections"); err != nil {
			return err
		}
		if err := sqldb.Script(ctx, tx, metaTables+skippedTable); err != nil {
			return err
		}
		for _, create := range c.Projections {
			p := create()
			if err := prepare(ctx, tx, c, p); err != nil {
				return fmt.Errorf("%s: %w", p.Name(), err)
			}
		}
		return nil
	})
}

// prepare makes the row and the tables of one projection if it is new here.
func prepare(ctx context.Context, tx sqldb.Tx, cfg *Config, p Projection) error {
	n, err := tx.Exec(ctx, `INSERT INTO projections
		(name, store, checkpoint, epoch, owner, lease_until, generation, shape, rate, error, error_at, updated_at)
		VALUES ($1, '', 0, 0, '', 0, 1, $2, 0, '', 0, $3) ON CONFLICT (name) DO NOTHING`, p.Name(), shapeOf(p), cfg.now())
	if err != nil || n == 0 {
		return err
	}
	if err := createTables(ctx, tx, p, ""); err != nil {
		return err
	}
	for _, sql := range indexes(cfg.DB.Engine(), p, "", 1) {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// createTables makes the tables of p anew, empty and without secondary indexes.
func createTables(ctx context.Context, tx sqldb.Tx, p Projection, suffix string) error {
	if err := dropTables(ctx, tx, p, suffix); err != nil {
		return err
	}
	for _, t := range p.Tables() {
		if err := sqldb.CreateTable(ctx, tx, t.stored(t.Name()+suffix)); err != nil {
			return err
		}
		if t.wordsVersion() != "" {
			if err := sqldb.CreateWords(ctx, tx, wordsTable(t.Name(), suffix)); err != nil {
				return err
			}
		}
	}
	return nil
}

func dropTables(ctx context.Context, tx sqldb.Tx, p Projection, suffix string) error {
	for _, t := range p.Tables() {
		for _, name := range tableNames(t, suffix) {
			if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexes returns the statements that make the secondary indexes of p. Their
// names carry the generation, since they stay when tables are renamed.
func indexes(e sqldb.Engine, p Projection, suffix string, generation int64) (list []string) {
	for _, t := range p.Tables() {
		if t.wordsVersion() != "" {
			if sql := sqldb.WordsIndex(e, indexName(t, indexOfWords, generation), wordsTable(t.Name(), suffix)); sql != "" {
				list = append(list, sql)
			}
		}
		for _, ix := range t.Indexes() {
			list = append(list, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s%s (%s)",
				indexName(t, ix.Name, generation), t.Name(), suffix, ix.Columns))
		}
	}
	return list
}

// indexOfWords names the index of words on an engine that has it beside a table.
const indexOfWords = "words"

func indexName(t Table, index string, generation int64) string {
	return fmt.Sprintf("%s_%s_g%d", t.Name(), index, generation)
}

// indexNames returns the names of the secondary indexes of p.
func indexNames(e sqldb.Engine, p Projection, generation int64) (list []string) {
	for _, t := range p.Tables() {
		if t.wordsVersion() != "" && sqldb.WordsIndex(e, "x", "x") != "" {
			list = append(list, indexName(t, indexOfWords, generation))
		}
		for _, ix := range t.Indexes() {
			list = append(list, indexName(t, ix.Name, generation))
		}
	}
	return list
}

// renameTables renames the tables of p that exist; those that had the new names
// are dropped.
func renameTables(ctx context.Context, tx sqldb.Tx, p Projection, from, to string) error {
	if err := dropTables(ctx, tx, p, to); err != nil {
		return err
	}
	for _, t := range p.Tables() {
		names := tableNames(t, to)
		for i, name := range tableNames(t, from) {
			exists, err := sqldb.TableExists(ctx, tx, name)
			if err != nil {
				return err
			}
			if !exists {
				continue
			}
			if _, err := tx.Exec(ctx, "ALTER TABLE "+name+" RENAME TO "+names[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// shapeOf returns a fingerprint of what the tables of p look like: if it is not
// that of the tables in the database, they must be rebuilt.
func shapeOf(p Projection) string {
	h := sha256.New()
	for _, t := range p.Tables() {
		fmt.Fprintln(h, t.stored(t.Name()), t.Indexes())
		if v := t.wordsVersion(); v != "" {
			fmt.Fprintln(h, "words", v)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
