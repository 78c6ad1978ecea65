package views_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/views"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

// Whatever the log holds and however it is folded — cut anywhere into appends
// and batches, with caches of any size, by Runners that are stopped, started,
// compete and whose transactions fail, with rebuilds between that are broken off,
// resumed and rolled back — each view comes to the rows of one fold of
// everything, one event at a time.
//
// Each check is a database with all views; -rapid.checks says how many there
// are on each engine.
func TestViewsDoNotDependOnHowTheyAreFolded(t *testing.T) {
	url := testenv.Postgres(t)
	dir := t.TempDir()
	var n atomic.Int64
	engines := map[string]func() (db sqldb.DB, drop func(), err error){
		"sqlite": func() (sqldb.DB, func(), error) {
			db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(dir, fmt.Sprintf("%d.db", n.Add(1))), sqldb.Rebuildable)
			return db, func() {}, err
		},
		"postgres": func() (sqldb.DB, func(), error) {
			schema := fmt.Sprintf("views_%d", n.Add(1))
			db, err := sqldb.OpenPostgres(t.Context(), url, schema, sqldb.Rebuildable)
			return db, func() {
				err := db.Write(t.Context(), func(tx sqldb.Tx) error {
					_, err := tx.Exec(t.Context(), "DROP SCHEMA "+schema+" CASCADE")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}, err
		},
	}
	few(t, 4)
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				db, drop, err := open()
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				}()
				defer drop()
				c := newCourse(rt, db)
				defer c.close()
				c.run()
			})
		})
	}
}

// few sets how many checks rapid makes, unless the command line says so.
func few(t *testing.T, checks int) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if given {
		return
	}
	checksFlag := flag.Lookup("rapid.checks")
	before := checksFlag.Value.String()
	if err := checksFlag.Value.Set(fmt.Sprint(checks)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := checksFlag.Value.Set(before); err != nil {
			t.Error(err)
		}
	})
}

// course is one way of folding a log.
type course struct {
	*rapid.T
	log     *memory.Store
	db      sqldb.DB
	names   []string
	coming  []viewstest.Recording
	last    eventstore.Position
	runners []func() // stop them
}

func newCourse(rt *rapid.T, db sqldb.DB) *course {
	c := &course{T: rt, log: memory.New(time.Now), db: db, coming: viewstest.World(rt)}
	for _, view := range views.All() {
		c.names = append(c.names, view().Name())
	}
	return c
}

func (c *course) close() {
	c.stopAll()
	_ = c.log.Close()
}

func (c *course) config() projections.Config {
	decoder := viewstest.Codec()
	return projections.Config{
		Store: c.log, DB: c.db, Projections: views.All(), Now: time.Now, Poll: 2 * time.Millisecond,
		Decode: func(r eventstore.Recorded) (any, error) { return decoder.Decode(r) },
	}
}

// drawn returns a Config with sizes at which something has to give.
func (c *course) drawn() projections.Config {
	cfg := c.config()
	cfg.BatchSize = rapid.SampledFrom([]int{1, 2, 7, 30, 2000}).Draw(c.T, "batch")
	cfg.ChunkSize = rapid.SampledFrom([]int{1, 5, 40, 5000}).Draw(c.T, "chunk")
	cfg.CacheRows = rapid.SampledFrom([]int{1, 3, 20_000}).Draw(c.T, "cache")
	cfg.BuildRows = rapid.SampledFrom([]int{1, 3, 100_000}).Draw(c.T, "build cache")
	return cfg
}

func (c *course) run() {
	for len(c.coming) > 0 {
		switch rapid.IntRange(0, 9).Draw(c.T, "step") {
		case 0, 1, 2:
			c.append(rapid.IntRange(1, 30).Draw(c.T, "events"))
		case 3, 4:
			if len(c.runners) < 2 {
				c.start()
			}
		case 5:
			c.stop()
		case 6:
			if len(c.runners) == 1 {
				c.wait(c.names...)
			}
		case 7:
			c.rebuild(rapid.SliceOfNDistinct(rapid.SampledFrom(c.names), 1, 3, rapid.ID).Draw(c.T, "views"), rapid.IntRange(1, 12).Draw(c.T, "broken off after"))
		case 8:
			c.rollback(rapid.SampledFrom(c.names).Draw(c.T, "view"))
		case 9:
			c.verify(rapid.SampledFrom(c.names).Draw(c.T, "view"))
		}
	}
	c.stopAll()
	c.follow(c.drawn())
	c.wait(c.names...)
	want := c.folded()
	c.compare("incremental", want)
	for _, name := range c.names {
		c.verify(name)
	}
	c.rebuild(c.names, 0)
	c.wait(c.names...)
	c.compare("rebuilt", want)
	list, err := projections.ReadStatus(c.Context(), c.config())
	if err != nil {
		c.Fatal(err)
	}
	for _, s := range list {
		if s.Parked > 0 || s.Lag > 0 {
			c.Errorf("status %+v", s)
		}
	}
}

func (c *course) append(n int) {
	for _, r := range c.coming[:min(n, len(c.coming))] {
		res, err := c.log.Append(c.Context(), r.Stream, eventstore.Any, r.Event)
		if err != nil {
			c.Fatal(err)
		}
		c.last = max(c.last, res.Position)
	}
	c.coming = c.coming[min(n, len(c.coming)):]
}

// start runs a Runner: perhaps one whose lease ends before its batch does, or
// one of whose transactions each so-manyth fails.
func (c *course) start() {
	cfg := c.drawn()
	cfg.Lease = rapid.SampledFrom([]time.Duration{3 * time.Millisecond, time.Second}).Draw(c.T, "lease")
	if each := rapid.SampledFrom([]int64{0, 0, 3, 7}).Draw(c.T, "fails each"); each > 0 {
		if err := projections.Prepare(c.Context(), cfg); err != nil {
			c.Fatal(err)
		}
		cfg.DB = &failing{DB: c.db, each: each}
	}
	c.follow(cfg)
}

func (c *course) follow(cfg projections.Config) {
	if err := projections.Prepare(c.Context(), c.config()); err != nil {
		c.Fatal(err)
	}
	var r *projections.Runner
	for tries := 0; r == nil; tries++ {
		var err error
		if r, err = projections.NewRunner(c.Context(), cfg); err != nil && (tries > 3 || !errors.Is(err, errPowerCut)) {
			c.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = r.Run(ctx) })
	c.runners = append(c.runners, func() { cancel(); done.Wait() })
}

func (c *course) stop() {
	if len(c.runners) > 0 {
		c.runners[0]()
		c.runners = c.runners[1:]
	}
}

func (c *course) stopAll() {
	for len(c.runners) > 0 {
		c.stop()
	}
}

func (c *course) wait(names ...string) {
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	if err := projections.WaitFor(ctx, c.db, names, c.last); err != nil {
		list, _ := projections.ReadStatus(c.Context(), c.config())
		c.Fatalf("%v: %+v", err, list)
	}
}

// rebuild rebuilds views together and breaks off at the step-th report of progress; 0 lets it end.
func (c *course) rebuild(names []string, step int) {
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	told, differs := 0, ""
	err := projections.RebuildAll(ctx, c.drawn(), names, func(p projections.Progress) {
		if told++; told == step {
			cancel()
		}
		if p.Diff != nil && p.Diff.Different > 0 {
			differs = fmt.Sprintf("%s differs from its rebuild: %+v", p.Name, p.Diff)
		}
	})
	if err != nil && !errors.Is(err, context.Canceled) || differs != "" {
		c.Fatal(err, differs)
	}
}

func (c *course) rollback(name string) {
	if err := projections.Rollback(c.Context(), c.config(), name); err != nil && !errors.Is(err, projections.ErrNothingOld) {
		c.Fatal(err)
	}
}

func (c *course) verify(name string) {
	diff, err := projections.Verify(c.Context(), c.drawn(), name)
	if err != nil {
		c.Fatal(err)
	}
	if diff.Different > 0 {
		c.Fatalf("%s differs from a fold from zero: %+v", name, diff)
	}
}

// failing fails a share of the write transactions after they have done all
// their work.
type failing struct {
	sqldb.DB
	n    atomic.Int64
	each int64
}

var errPowerCut = errors.New("power cut")

func (f *failing) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	return f.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if f.n.Add(1)%f.each == 0 {
			return errPowerCut
		}
		return nil
	})
}

// folded returns the rows of every table after one fold of everything, one
// event at a time, without a database.
func (c *course) folded() map[string][]any {
	cfg := c.config()
	all := map[string][]any{}
	for _, view := range views.All() {
		m := projections.NewMemory(view())
		for r, err := range c.log.ReadAll(c.Context(), eventstore.AllQuery{}) {
			if err != nil {
				c.Fatal(err)
			}
			if r.IsMark() {
				continue
			}
			e := projections.Event{Recorded: r}
			if e.Fact, err = cfg.Decode(r); err == nil {
				e.Meta, err = eventstore.DecodeMetadata(r)
			}
			if err == nil {
				err = m.Apply(e)
			}
			if err != nil {
				c.Fatal(err)
			}
		}
		maps.Copy(all, m.Tables())
	}
	return all
}

// compare fails unless each table has these rows and no others.
func (c *course) compare(what string, want map[string][]any) {
	for name, rows := range want {
		var columns []string
		var expected []string
		for _, row := range rows {
			cells := cellsOf(reflect.ValueOf(row))
			columns = columns[:0]
			texts := make([]string, len(cells))
			for i, cell := range cells {
				columns, texts[i] = append(columns, cell.column), cell.column+"="+cell.text()
			}
			expected = append(expected, strings.Join(texts, " "))
		}
		if len(rows) == 0 {
			columns = []string{"*"}
		}
		var got []string
		err := c.db.Read(c.Context(), func(tx sqldb.Tx) error {
			got = nil
			return tx.Query(c.Context(), "SELECT "+strings.Join(columns, ", ")+" FROM "+name, nil, func(r sqldb.Row) error {
				if len(rows) == 0 {
					got = append(got, "a row where none should be")
					return nil
				}
				cells := cellsOf(reflect.ValueOf(rows[0]))
				texts := make([]string, len(cells))
				for i, cell := range cells {
					texts[i] = cell.column + "=" + stored(r, i, cell.value.Kind())
				}
				got = append(got, strings.Join(texts, " "))
				return nil
			})
		})
		if err != nil {
			c.Fatal(err)
		}
		slices.Sort(expected)
		slices.Sort(got)
		if diff := cmp.Diff(expected, got); diff != "" {
			c.Fatalf("%s: table %s (-one fold of everything, +%s):\n%s", what, name, what, diff)
		}
	}
}

// cell is a column of a row in memory.
type cell struct {
	column string
	value  reflect.Value
}

// cellsOf follows what Rows says about tags, and nothing that it is made of.
func cellsOf(row reflect.Value) (cells []cell) {
	for i := range row.NumField() {
		f := row.Type().Field(i)
		tag := f.Tag.Get("db")
		switch {
		case tag != "":
			column, _, _ := strings.Cut(tag, ",")
			cells = append(cells, cell{column, row.Field(i)})
		case f.Anonymous:
			cells = append(cells, cellsOf(row.Field(i))...)
		}
	}
	return cells
}

func (c cell) text() string {
	switch v := c.value; v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	case reflect.Int64, reflect.Bool, reflect.Float64:
		return fmt.Sprint(v.Interface())
	default:
		b, err := json.Marshal(v.Interface())
		if err != nil {
			return err.Error()
		}
		return sorted(string(b))
	}
}

func stored(r sqldb.Row, i int, kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return fmt.Sprintf("%q", r.Text(i))
	case reflect.Int64:
		return fmt.Sprint(r.Int64(i))
	case reflect.Bool:
		return fmt.Sprint(r.Bool(i))
	case reflect.Float64:
		return fmt.Sprint(r.Float64(i))
	default:
		return sorted(r.Text(i))
	}
}

// sorted returns JSON laid out in the one way.
func sorted(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return text + ": " + err.Error()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
