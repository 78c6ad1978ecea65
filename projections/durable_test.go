package projections_test

import (
	"path/filepath"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	logpostgres "github.com/chatledger/chatledger/eventstore/postgres"
	logsqlite "github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
)

// The durable logs have their own ways to follow, to filter and to mark how far
// they have come. The views are in the same kind of database as the log.
func TestDurableLogs(t *testing.T) {
	type log interface {
		eventstore.Store
		Close() error
	}
	test := func(t *testing.T, db sqldb.DB, open func() (log, error)) {
		var e *env
		reopen := func() (stop func()) {
			store, err := open()
			if err != nil {
				t.Fatal(err)
			}
			e = &env{log: store, db: db}
			_, stopRunner := start(t, e.config())
			return func() {
				stopRunner()
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		stop := reopen()
		e.fill(t, 120)
		for range 20 {
			e.append(t, "other-1", put{})
		}
		waitFor(t, db, "toy.v1", e.append(t, "other-1", put{}))
		checkTables(t, e.folded(t, nil), readTables(t, db))
		stop()

		stop = reopen()
		defer func() { stop() }()
		cfg := e.config()
		last := e.fill(t, 40)
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil {
			t.Fatal(err)
		}
		waitFor(t, db, "toy.v1", last)
		verify(t, cfg)
		waitFor(t, db, "toy.v1", e.fill(t, 10))
		checkTables(t, e.folded(t, nil), readTables(t, db))
		if s := status(t, cfg); s.Lag != 0 || s.Checkpoint != s.Head || s.Generation != 2 {
			t.Errorf("status %+v", s)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		test(t, openSQLite(t, filepath.Join(dir, "views.db")), func() (log, error) {
			return logsqlite.Open(t.Context(), filepath.Join(dir, "events.db"))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url := testenv.Postgres(t)
		test(t, openPostgres(t, url, "chatledger_views"), func() (log, error) {
			return logpostgres.Open(t.Context(), url)
		})
	})
}
