package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onBoth runs a test on both engines. open may be called more than once: it is
// the same database each time, as another process sees it.
func onBoth(t *testing.T, test func(t *testing.T, open func() sqldb.DB)) {
	closing := func(t *testing.T, db sqldb.DB, err error) sqldb.DB {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		test(t, func() sqldb.DB {
			db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Rebuildable)
			return closing(t, db, err)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url := testenv.Postgres(t)
		test(t, func() sqldb.DB {
			db, err := sqldb.OpenPostgres(t.Context(), url, "test_views", sqldb.Rebuildable)
			return closing(t, db, err)
		})
	})
}

func write(t *testing.T, db sqldb.DB, fn func(tx sqldb.Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, db sqldb.DB, fn func(tx sqldb.Tx) error) {
	t.Helper()
	if err := db.Read(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db sqldb.DB, sql string, args ...any) (n int64) {
	t.Helper()
	write(t, db, func(tx sqldb.Tx) (err error) {
		n, err = tx.Exec(t.Context(), sql, args...)
		return err
	})
	return n
}

type status string

type thing struct {
	ID   string            `db:"id,key"`
	N    int64             `db:"n"`
	On   bool              `db:"on_it"`
	F    float64           `db:"f"`
	Raw  []byte            `db:"raw"`
	Tags []string          `db:"tags"`
	Map  map[string]int    `db:"map"`
	S    status            `db:"status"`
	Skip func()            // no tag
	More struct{ A int64 } `db:"more"`
}

var things = sqldb.Table{Name: "things", Columns: []sqldb.Column{
	{Name: "id", Kind: sqldb.Text, Key: true},
	{Name: "n", Kind: sqldb.Int},
	{Name: "on_it", Kind: sqldb.Bool},
	{Name: "f", Kind: sqldb.Float},
	{Name: "raw", Kind: sqldb.Bytes},
	{Name: "tags", Kind: sqldb.JSON},
	{Name: "map", Kind: sqldb.JSON},
	{Name: "status", Kind: sqldb.Text},
	{Name: "more", Kind: sqldb.JSON},
}}

func create(t *testing.T, db sqldb.DB, tables ...sqldb.Table) {
	t.Helper()
	write(t, db, func(tx sqldb.Tx) error {
		for _, table := range tables {
			if err := sqldb.CreateTable(t.Context(), tx, table); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestSelectMapsColumnsToFields(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		create(t, db, things)
		exec(t, db, "INSERT INTO things (id, n, on_it, f, raw, tags, map, status, more) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
			"a'$1", -1<<40, true, 0.5, []byte{0, 1, 255}, `["x","é"]`, `{"a":1}`, status("OPEN"), `{"A":7}`)
		want := thing{
			ID: "a'$1", N: -1 << 40, On: true, F: 0.5, Raw: []byte{0, 1, 255},
			Tags: []string{"x", "é"}, Map: map[string]int{"a": 1}, S: "OPEN",
		}
		want.More.A = 7
		read(t, db, func(tx sqldb.Tx) error {
			got, err := sqldb.Select[thing](t.Context(), tx, "SELECT * FROM things WHERE on_it = $2 AND id = $1 AND $1 <> '$2'", "a'$1", true)
			if err != nil {
				return err
			}
			if diff := cmp.Diff([]thing{want}, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			ids, err := sqldb.Select[string](t.Context(), tx, "SELECT id FROM things")
			if err != nil || len(ids) != 1 || ids[0] != "a'$1" {
				t.Errorf("ids %q, %v", ids, err)
			}
			n, err := sqldb.Get[int64](t.Context(), tx, "SELECT sum(n) FROM things")
			if err != nil || n != -1<<40 {
				t.Errorf("sum %d, %v", n, err)
			}
			n, err = sqldb.Get[int64](t.Context(), tx, "SELECT sum(n) FROM things WHERE id = 'none'")
			if err != nil || n != 0 {
				t.Errorf("the sum of nothing %d, %v", n, err)
			}
			if _, err = sqldb.Get[thing](t.Context(), tx, "SELECT id FROM things WHERE id = 'none'"); !errors.Is(err, sqldb.ErrNoRows) {
				t.Errorf("no row: %v", err)
			}
			return nil
		})
		err := db.Read(t.Context(), func(tx sqldb.Tx) error {
			_, err := sqldb.Select[thing](t.Context(), tx, "SELECT id AS other FROM things")
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "other") {
			t.Errorf("a column without a field: %v", err)
		}
	})
}

func TestEmbeddedStructsAndIn(t *testing.T) {
	type base struct {
		ID string `db:"id"`
	}
	type joined struct {
		base
		N int64 `db:"n"`
	}
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		exec(t, db, "CREATE TABLE t (id TEXT PRIMARY KEY, n BIGINT NOT NULL)")
		for i, id := range []string{"a", "b", "c", "d"} {
			exec(t, db, "INSERT INTO t VALUES ($1, $2)", id, i)
		}
		for _, tt := range []struct{ ids, want []string }{
			{nil, nil}, {[]string{"b"}, []string{"b"}}, {[]string{"d", "a", "x"}, []string{"a", "d"}},
		} {
			read(t, db, func(tx sqldb.Tx) error {
				args := []any{10}
				got, err := sqldb.Select[joined](t.Context(), tx,
					"SELECT id, n FROM t WHERE n < $1 AND id IN "+sqldb.In(&args, tt.ids)+" ORDER BY id", args...)
				var ids []string
				for _, g := range got {
					ids = append(ids, g.ID)
				}
				if diff := cmp.Diff(tt.want, ids); diff != "" {
					t.Errorf("in %q (-want +got):\n%s", tt.ids, diff)
				}
				return err
			})
		}
	})
}

func TestWriteIsAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		exec(t, db, "CREATE TABLE t (id BIGINT PRIMARY KEY)")
		boom := errors.New("boom")
		insert := func(tx sqldb.Tx) {
			if _, err := tx.Exec(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
				t.Error(err)
			}
		}
		if err := db.Write(t.Context(), func(tx sqldb.Tx) error { insert(tx); return boom }); !errors.Is(err, boom) {
			t.Errorf("error of the function: %v", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = db.Write(t.Context(), func(tx sqldb.Tx) error { insert(tx); panic("boom") })
		}()
		ctx, cancel := context.WithCancel(t.Context())
		if err := db.Write(ctx, func(tx sqldb.Tx) error { insert(tx); cancel(); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if err := db.Write(t.Context(), func(tx sqldb.Tx) error {
			insert(tx)
			_, err := tx.Exec(t.Context(), "INSERT INTO t VALUES (1)")
			return err
		}); err == nil {
			t.Error("a duplicate key was accepted")
		}
		if n := exec(t, db, "DELETE FROM t"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestReadRefusesWritesAndIsASnapshot(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db, other := open(), open()
		exec(t, db, "CREATE TABLE t (id BIGINT PRIMARY KEY)")
		err := db.Read(t.Context(), func(tx sqldb.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO t VALUES (9)")
			return err
		})
		if err == nil {
			t.Error("a read transaction wrote")
		}
		read(t, db, func(tx sqldb.Tx) error {
			count := func() int64 {
				n, err := sqldb.Get[int64](t.Context(), tx, "SELECT count(*) FROM t")
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			before := count()
			exec(t, other, "INSERT INTO t VALUES (1)")
			if after := count(); before != 0 || after != 0 {
				t.Errorf("counted %d, then %d", before, after)
			}
			return nil
		})
	})
}

func TestScanMustNotUseTheTransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		err := open().Read(t.Context(), func(tx sqldb.Tx) error {
			return tx.Query(t.Context(), "SELECT 1", nil, func(sqldb.Row) error {
				return tx.Query(t.Context(), "SELECT 1", nil, func(sqldb.Row) error { return nil })
			})
		})
		if err == nil {
			t.Error("a nested query was accepted")
		}
	})
}

func TestConcurrentWritersOfTwoProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db, other := open(), open()
		exec(t, db, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
		exec(t, db, "INSERT INTO t VALUES (1, 0)")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 25 {
					w := []sqldb.DB{db, other}[i%2]
					err := w.Write(t.Context(), func(tx sqldb.Tx) error {
						if err := sqldb.Lock(t.Context(), tx, "count"); err != nil {
							return err
						}
						n, err := sqldb.Get[int64](t.Context(), tx, "SELECT n FROM t WHERE id = 1")
						if err != nil {
							return err
						}
						_, err = tx.Exec(t.Context(), "UPDATE t SET n = $1 WHERE id = 1", n+1)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		read(t, db, func(tx sqldb.Tx) error {
			n, err := sqldb.Get[int64](t.Context(), tx, "SELECT n FROM t WHERE id = 1")
			if n != 200 {
				t.Errorf("counted to %d, want 200", n)
			}
			return err
		})
	})
}

func TestSchemaIsMadeBySeveralAtOnce(t *testing.T) {
	url := testenv.Postgres(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := sqldb.OpenPostgres(t.Context(), url, "all_at_once")
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Who waits for a lock outlasts a holder that is gone without a word.
func TestLocksOfTheSuspendedAreLetGo(t *testing.T) {
	db, err := sqldb.OpenPostgres(t.Context(), testenv.Postgres(t), "test_views")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	read(t, db, func(tx sqldb.Tx) error {
		letGo, err := sqldb.Get[bool](t.Context(), tx, `SELECT current_setting('idle_in_transaction_session_timeout')::interval > '0'
			AND current_setting('idle_in_transaction_session_timeout')::interval < current_setting('lock_timeout')::interval`)
		if err == nil && !letGo {
			t.Error("the server keeps the locks of a transaction that does nothing")
		}
		return err
	})
}

func TestCancelledQueryEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Read(ctx, func(tx sqldb.Tx) error {
			return tx.Query(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", nil,
				func(row sqldb.Row) error {
					if row.Int64(0) == 1000 {
						cancel()
					}
					return nil
				})
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		read(t, db, func(tx sqldb.Tx) error { _, err := sqldb.Get[int64](t.Context(), tx, "SELECT 1"); return err })
	})
}

func TestRejected(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		exec(t, db, "CREATE TABLE t (id BIGINT PRIMARY KEY CHECK (id > 0))")
		exec(t, db, "INSERT INTO t VALUES (1)")
		try := func(sql string) error {
			return db.Write(t.Context(), func(tx sqldb.Tx) error { _, err := tx.Exec(t.Context(), sql); return err })
		}
		for _, sql := range []string{"INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (-1)"} {
			if err := try(sql); !sqldb.Rejected(err) {
				t.Errorf("%s: %v", sql, err)
			}
		}
		for _, err := range []error{nil, try("INSERT INTO none VALUES (1)"), context.Canceled, sqldb.ErrClosed} {
			if sqldb.Rejected(err) {
				t.Errorf("%v counts as a rejected row", err)
			}
		}
	})
}

func TestClosed(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		if err := errors.Join(db.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		nothing := func(sqldb.Tx) error { return nil }
		if err := db.Read(t.Context(), nothing); !errors.Is(err, sqldb.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if err := db.Write(t.Context(), nothing); !errors.Is(err, sqldb.ErrClosed) {
			t.Errorf("write: %v", err)
		}
	})
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "private.db")
	db, err := sqldb.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBulk(t *testing.T) {
	pair := sqldb.Table{Name: "pairs", Columns: []sqldb.Column{
		{Name: "a", Kind: sqldb.Text, Key: true}, {Name: "v", Kind: sqldb.Text}, {Name: "b", Kind: sqldb.Int, Key: true},
	}}
	rows := func(from, to int, v string) sqldb.Vectors {
		out := sqldb.NewVectors(pair.Columns, 0)
		for i := from; i < to; i++ {
			out[0].Texts = append(out[0].Texts, fmt.Sprintf("k%d", i%7))
			out[1].Texts = append(out[1].Texts, v)
			out[2].Ints = append(out[2].Ints, int64(i))
		}
		return out
	}
	keys := func(from, to int) sqldb.Vectors {
		r := rows(from, to, "")
		return sqldb.Vectors{r[0], r[2]}
	}
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		create(t, db, pair)
		create(t, db, pair)
		ctx := t.Context()
		write(t, db, func(tx sqldb.Tx) error {
			return errors.Join(
				sqldb.Insert(ctx, tx, pair, rows(0, 1003, "new")), // COPY on PostgreSQL
				sqldb.Insert(ctx, tx, pair, rows(1003, 1100, "new")),
				sqldb.Upsert(ctx, tx, pair, rows(1000, 1343, "again")),
				sqldb.Delete(ctx, tx, pair, keys(0, 411)),
				sqldb.Delete(ctx, tx, pair, keys(5000, 5001)),
				sqldb.Upsert(ctx, tx, pair, rows(0, 0, "")),
			)
		})
		read(t, db, func(tx sqldb.Tx) error {
			got := map[int64]string{}
			err := sqldb.Load(ctx, tx, pair, keys(400, 2000), func(r sqldb.Row) error {
				if want := fmt.Sprintf("k%d", r.Int64(2)%7); r.Text(0) != want {
					t.Errorf("row %d has key %q", r.Int64(2), r.Text(0))
				}
				got[r.Int64(2)] = r.Text(1)
				return nil
			})
			for i := int64(400); i < 2000; i++ {
				want := map[bool]string{i >= 411 && i < 1000: "new", i >= 1000 && i < 1343: "again"}[true]
				if got[i] != want {
					t.Errorf("row %d is %q, want %q", i, got[i], want)
				}
			}
			return err
		})
	})
}

func TestUpdateSetsWhatHasChanged(t *testing.T) {
	table := sqldb.Table{Name: "parts", Columns: []sqldb.Column{
		{Name: "v", Kind: sqldb.Text}, {Name: "k", Kind: sqldb.Text, Key: true}, {Name: "n", Kind: sqldb.Int}, {Name: "l", Kind: sqldb.Int, Key: true},
	}}
	rows := sqldb.Vectors{
		{Kind: sqldb.Text, Texts: []string{"a", "b", "c"}},
		{Kind: sqldb.Text, Texts: []string{"x", "x", "y"}},
		{Kind: sqldb.Int, Ints: []int64{1, 2, 3}},
		{Kind: sqldb.Int, Ints: []int64{1, 2, 1}},
	}
	changed := sqldb.Vectors{
		{Kind: sqldb.Text, Texts: []string{"a", "B", "C"}}, rows[1], {Kind: sqldb.Int, Ints: []int64{10, 2, 30}}, rows[3],
	}
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		create(t, db, table)
		ctx := t.Context()
		write(t, db, func(tx sqldb.Tx) error {
			return errors.Join(
				sqldb.Insert(ctx, tx, table, rows),
				sqldb.Update(ctx, tx, table, changed, []uint64{1 << 2, 1 << 0, 1<<0 | 1<<2}),
				sqldb.Update(ctx, tx, table, sqldb.NewVectors(table.Columns, 0), nil),
			)
		})
		read(t, db, func(tx sqldb.Tx) error {
			type row struct {
				V string `db:"v"`
				N int64  `db:"n"`
			}
			got, err := sqldb.Select[row](ctx, tx, "SELECT v, n FROM parts ORDER BY k, l")
			if want := []row{{"a", 10}, {"B", 2}, {"C", 30}}; !slices.Equal(got, want) {
				t.Errorf("rows %v, want %v", got, want)
			}
			return err
		})
	})
}

// Transactions follow each other without a pause, and still the WAL begins anew
// once in a while.
func TestTheWALStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "views.db")
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Rebuildable)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	table := sqldb.Table{Name: "texts", Columns: []sqldb.Column{{Name: "k", Kind: sqldb.Int, Key: true}, {Name: "v", Kind: sqldb.Text}}}
	create(t, db, table)
	// There is always somebody who reads.
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				err := db.Read(t.Context(), func(tx sqldb.Tx) error {
					_, err := sqldb.Get[int64](t.Context(), tx, "SELECT count(*) FROM (SELECT 1 FROM texts LIMIT 300)")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	defer readers.Wait()
	defer stop()
	const writes = 8_000 // each of a page of 8 KB, or two
	for i := range writes {
		write(t, db, func(tx sqldb.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO texts (k, v) VALUES ($1, $2)", i, strings.Repeat("x", 1_000))
			return err
		})
	}
	wal, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if mb := wal.Size() >> 20; mb > 40 {
		t.Errorf("the WAL has %d MB after %d small transactions", mb, writes)
	}
}
