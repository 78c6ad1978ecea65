package scripted_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/internal/viewscript"
	"github.com/chatledger/chatledger/projections/scripted"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == viewscript.Command {
		if err := viewscript.Serve(os.Stdin, os.Stdout, time.Now); err != nil {
			os.Exit(1)
		}
		return
	}
	if folder := os.Getenv(victim); folder != "" {
		if err := buildUntilKilled(folder); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const patience = 30 * time.Second

// bench is a log, a database, and Runners on them.
type bench struct {
	t     *testing.T
	store eventstore.Store
	db    sqldb.DB
	pool  *viewscript.Pool
	codec codec.Codec[customview.Event]
}

func onBoth(t *testing.T, test func(t *testing.T, b *bench)) {
	for name, open := range map[string]func(t *testing.T) (sqldb.DB, error){
		"sqlite": func(t *testing.T) (sqldb.DB, error) {
			return sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "custom.db"), sqldb.Rebuildable)
		},
		"postgres": func(t *testing.T) (sqldb.DB, error) {
			return sqldb.OpenPostgres(t.Context(), testenv.Postgres(t), "custom")
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			store := memory.New(time.Now)
			pool := viewscript.NewPool(viewscript.Config{Limit: 200 * time.Millisecond, Silence: time.Second})
			t.Cleanup(func() {
				pool.Close()
				if err := errors.Join(db.Close(), store.Close()); err != nil {
					t.Error(err)
				}
			})
			test(t, &bench{t, store, db, pool, codec.New(customview.Events)})
		})
	}
}

// run starts a Runner; stop waits for its end.
func (b *bench) run(change ...func(*scripted.Config)) (stop func()) {
	b.t.Helper()
	cfg := scripted.Config{
		Store: b.store, DB: b.db, Scripts: b.pool, Now: time.Now, Poll: 10 * time.Millisecond, Batch: 7,
		Decode: func(r eventstore.Recorded) (any, error) { return b.codec.Decode(r) },
	}
	for _, c := range change {
		c(&cfg)
	}
	r, err := scripted.New(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(stop)
	return stop
}

func (b *bench) define(workspace string, facts ...customview.Event) (at eventstore.Position) {
	b.t.Helper()
	for _, f := range facts {
		e, err := b.codec.Encode(uuid.New(), f, eventstore.Metadata{Workspace: workspace})
		if err != nil {
			b.t.Fatal(err)
		}
		res, err := b.store.Append(b.t.Context(), "customviews-"+workspace, eventstore.Any, e)
		if err != nil {
			b.t.Fatal(err)
		}
		at = res.Position
	}
	return at
}

// order appends orders of cities.
func (b *bench) order(workspace string, cities ...string) (at eventstore.Position) {
	b.t.Helper()
	meta, err := eventstore.Metadata{Workspace: workspace, Actor: "bot", OccurredAt: time.Unix(1_700_000_000, 0).UTC()}.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, city := range cities {
		res, err := b.store.Append(b.t.Context(), "order-"+uuid.NewString(), eventstore.Any,
			eventstore.Event{ID: uuid.New(), Type: "order.placed.v1", Data: fmt.Appendf(nil, `{"city":%q}`, city), Meta: meta})
		if err != nil {
			b.t.Fatal(err)
		}
		at = res.Position
	}
	return at
}

func cities(script string) customview.Definition {
	return customview.Definition{Types: []string{"order.placed.v1"}, Script: script, Tables: []customview.Table{table}}
}

var table = customview.Table{Name: "cities", Key: "city", Columns: []customview.Column{{Name: "orders", Type: customview.Integer}}}

const counting = `function apply(e, t) { const r = t.cities.get(e.data.city) ?? {orders: 0}; r.orders++; t.cities.put(e.data.city, r) }`

func saved(view customview.Name, version customview.Version, d customview.Definition) customview.Saved {
	return customview.Saved{Workspace: "acme", View: view, Version: version, Definition: d, By: "ann"}
}

// status waits until ok says so.
func (b *bench) status(view string, version int64, ok func(scripted.Status) bool) (s scripted.Status) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; {
		err := b.db.Read(b.t.Context(), func(tx sqldb.Tx) (err error) {
			s, err = scripted.StatusOf(b.t.Context(), tx, "acme", view, version)
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			b.t.Fatalf("status of %s %d: %+v", view, version, s)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func reached(at eventstore.Position) func(scripted.Status) bool {
	return func(s scripted.Status) bool { return s.Position >= at && s.State == scripted.StateRunning }
}

func (b *bench) rows(s scripted.Status) (list []string) {
	b.t.Helper()
	err := b.db.Read(b.t.Context(), func(tx sqldb.Tx) error {
		return scripted.All(b.t.Context(), tx, s, table, func(key string, data json.RawMessage) error {
			list = append(list, string(table.Row(key, data)))
			return nil
		})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

func (b *bench) count(table string) (n int64) {
	b.t.Helper()
	err := b.db.Read(b.t.Context(), func(tx sqldb.Tx) (err error) {
		n, err = sqldb.Get[int64](b.t.Context(), tx, "SELECT count(*) FROM "+table)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) want(s scripted.Status, rows ...string) {
	b.t.Helper()
	if diff := cmp.Diff(rows, b.rows(s)); diff != "" {
		b.t.Errorf("rows (-want +got):\n%s", diff)
	}
	if s.Rows != int64(len(rows)) {
		b.t.Errorf("%d rows are counted", s.Rows)
	}
}

// A version is built from what is there, follows what comes, and sees its own workspace
// only; a second one is built beside it without a restart.
func TestBuildAndFollow(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.order("acme", strings.Split(strings.Repeat("Bonn Kiel Bonn ", 10), " ")[:30]...)
		b.order("rivals", "Bonn", "Rome")
		b.run()
		b.define("acme", saved("sales", 1, cities(counting)))
		at := b.order("acme", "Kiel", "Ulm")
		b.want(b.status("sales", 1, reached(at)), `{"city":"Bonn","orders":20}`, `{"city":"Kiel","orders":11}`, `{"city":"Ulm","orders":1}`)

		b.define("acme", saved("sales", 2, cities(strings.Replace(counting, "++", " += 2", 1))))
		at = b.order("acme", "Ulm")
		b.want(b.status("sales", 2, reached(at)), `{"city":"Bonn","orders":40}`, `{"city":"Kiel","orders":22}`, `{"city":"Ulm","orders":4}`)
		one := b.status("sales", 1, reached(at))
		b.want(one, `{"city":"Bonn","orders":20}`, `{"city":"Kiel","orders":11}`, `{"city":"Ulm","orders":2}`)
		if s := b.status("sales", 3, func(scripted.Status) bool { return true }); s.Position != 0 || s.State != scripted.StateBuilding {
			t.Errorf("what is not: %+v", s)
		}
	})
}

// A script that cannot take an event stops there, with the rows of what came before; it
// goes on when it is told to, and others go on all the while. What was dropped is deleted.
func TestStopRetryDrop(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		picky := `function apply(e, t) { if (e.data.city == "Rome") { ` + "\n" + `throw "no Rome" }; t.cities.put(e.data.city, {orders: 1}) }`
		b.order("acme", "Bonn", "Kiel")
		bad := b.order("acme", "Rome")
		at := b.order("acme", "Ulm")
		b.define("acme", saved("sales", 1, cities(picky)), saved("sales", 2, cities(counting)), saved("sales", 3, cities(`function apply() { [].indexOf.call({length: 2**53 - 1}, 1) }`)))
		stop := b.run()
		stopped := func(s scripted.Status) bool { return s.State == scripted.StateStopped }
		s := b.status("sales", 1, stopped)
		f := s.Failure
		if f.Position != int64(bad) || f.Kind != "error" || f.Message != "no Rome" || f.Line != 2 || f.Event == "" || f.Type != "order.placed.v1" || f.At == 0 {
			t.Errorf("failure %+v", f)
		}
		if s.Position >= bad {
			t.Errorf("position %d", s.Position)
		}
		b.want(s, `{"city":"Bonn","orders":1}`, `{"city":"Kiel","orders":1}`)
		b.status("sales", 2, reached(at))
		if s := b.status("sales", 3, stopped); s.Failure.Kind != "killed" || s.Rows != 0 {
			t.Errorf("a loop inside: %+v", s)
		}

		again := b.define("acme", customview.Retried{View: "sales", Version: 1, By: "ann"})
		b.status("sales", 2, reached(again))
		b.status("sales", 1, func(s scripted.Status) bool { return s.Failure.At > f.At })
		stop()
		b.run() // what was heeded is not heeded again
		at = b.define("acme", customview.Dropped{View: "sales", Version: 1, By: "ann"}, customview.Retired{View: "other", By: "ann"})
		b.status("sales", 2, reached(at))
		for end := time.Now().Add(patience); ; {
			rows, versions := b.count("scripted_rows"), b.count("scripted_versions")
			if rows == 4 && versions == 2 { // those of the second version
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d rows of %d versions are left", rows, versions)
			}
			<-time.After(5 * time.Millisecond)
		}
	})
}

// Whoever stops in between and goes on has the rows of one who never stopped.
func TestResume(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.define("acme", saved("sales", 1, cities(counting)))
		var at eventstore.Position
		for i := range 8 {
			stop := b.run(func(c *scripted.Config) { c.Alone, c.Batch = true, 1+i })
			at = b.order("acme", "Bonn", "Kiel", fmt.Sprint("City ", i%3), "Bonn")
			if i%2 == 0 {
				b.status("sales", 1, func(s scripted.Status) bool { return s.Position > at-3 })
			}
			stop()
		}
		at = b.define("acme", saved("sales", 2, cities(counting)))
		b.run(func(c *scripted.Config) { c.Batch = 500 })
		resumed, whole := b.status("sales", 1, reached(at)), b.status("sales", 2, reached(at))
		if diff := cmp.Diff(b.rows(whole), b.rows(resumed)); diff != "" || resumed.Rows != whole.Rows || resumed.Bytes != whole.Bytes {
			t.Errorf("resumed (-whole +resumed):\n%s", diff)
		}
		b.want(whole, `{"city":"Bonn","orders":16}`, `{"city":"City 0","orders":3}`, `{"city":"City 1","orders":3}`, `{"city":"City 2","orders":2}`, `{"city":"Kiel","orders":8}`)
	})
}

// Of several Runners each version has one at a time, and nothing is counted twice.
func TestSeveralRunners(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.define("acme", saved("sales", 1, cities(counting)), saved("more", 1, cities(counting)))
		lease := func(c *scripted.Config) { c.Lease = 50 * time.Millisecond }
		stop := b.run(lease)
		b.run(lease)
		b.run(lease)
		var at eventstore.Position
		for range 20 {
			at = b.order("acme", "Bonn", "Kiel", "Bonn")
		}
		stop()
		at = max(at, b.order("acme", "Ulm"))
		for _, view := range []string{"sales", "more"} {
			b.want(b.status(view, 1, reached(at)), `{"city":"Bonn","orders":40}`, `{"city":"Kiel","orders":20}`, `{"city":"Ulm","orders":1}`)
		}
	})
}

// A version that becomes too large stops at the event that makes it so.
func TestTooManyRows(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.order("acme", "a", "b", "a", "c")
		bad := b.order("acme", "d")
		b.order("acme", "e")
		b.define("acme", saved("sales", 1, cities(counting)))
		b.run(func(c *scripted.Config) { c.MaxRows, c.Batch = 3, 500 })
		s := b.status("sales", 1, func(s scripted.Status) bool { return s.State == scripted.StateStopped })
		if s.Failure.Position != int64(bad) || s.Failure.Kind != "limit" {
			t.Errorf("failure %+v", s.Failure)
		}
		b.want(s, `{"city":"a","orders":2}`, `{"city":"b","orders":1}`, `{"city":"c","orders":1}`)
	})
}

// Another log under the same rows: they are made anew.
func TestOtherLog(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		at := max(b.define("acme", saved("sales", 1, cities(counting))), b.order("acme", "Bonn", "Kiel"))
		stop := b.run()
		b.status("sales", 1, reached(at))
		stop()
		old := b.store
		restored := memory.New(time.Now)
		defer func() { _ = restored.Close() }()
		b.store = restored
		at = max(b.define("acme", saved("sales", 1, cities(counting))), b.order("acme", "Ulm"))
		stop = b.run()
		b.status("sales", 1, reached(at))
		b.want(b.status("sales", 1, func(s scripted.Status) bool { return s.Position == at }), `{"city":"Ulm","orders":1}`)
		stop()
		b.store = old
	})
}

func TestQueries(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.order("acme", "a", "b", "c", "d", "e", "b")
		other := `function apply(e, t) { if (e.data.city == "c") return; const k = e.data.city == "d" ? "dd" : e.data.city; const r = t.cities.get(k) ?? {orders: 0}; r.orders += k == "b" ? 2 : 1; t.cities.put(k, r) }`
		at := b.define("acme", saved("sales", 1, cities(counting)), saved("sales", 2, cities(other)))
		b.run()
		one, two := b.status("sales", 1, reached(at)), b.status("sales", 2, reached(at))
		ctx := t.Context()
		err := b.db.Read(ctx, func(tx sqldb.Tx) error {
			for _, limit := range []int{0, 1, 2, 5} {
				var got []string
				for q := (scripted.Query{Status: one, Table: table, Limit: limit}); ; {
					p, err := scripted.Rows(ctx, tx, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range p.Rows {
						got = append(got, string(r))
					}
					if q.Cursor = p.Next; q.Cursor == "" {
						break
					}
				}
				if want := `{"city":"a","orders":1} {"city":"b","orders":2} {"city":"c","orders":1} {"city":"d","orders":1} {"city":"e","orders":1}`; strings.Join(got, " ") != want {
					t.Errorf("pages of %d: %s", limit, got)
				}
				var differences []string
				for after := ""; ; {
					d, err := scripted.Compare(ctx, tx, scripted.Side{Status: one, Table: table}, scripted.Side{Status: two, Table: table}, after, limit)
					if err != nil {
						t.Fatal(err)
					}
					for _, i := range d.Items {
						differences = append(differences, fmt.Sprintf("%s %s %s %s", i.Key, i.From, i.To, i.Columns))
					}
					if after = d.Next; after == "" {
						break
					}
				}
				want := []string{
					`b {"city":"b","orders":2} {"city":"b","orders":4} [orders]`, `c {"city":"c","orders":1}  []`,
					`d {"city":"d","orders":1}  []`, `dd  {"city":"dd","orders":1} []`,
				}
				if diff := cmp.Diff(want, differences); diff != "" {
					t.Errorf("differences in pages of %d (-want +got):\n%s", limit, diff)
				}
			}
			if row, err := scripted.Row(ctx, tx, one, table, "b"); err != nil || string(row) != `{"city":"b","orders":2}` {
				t.Errorf("row %s, %v", row, err)
			}
			if _, err := scripted.Row(ctx, tx, one, table, "z"); !errors.Is(err, customview.ErrRow) {
				t.Errorf("no row: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		late, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if err := scripted.Wait(late, b.db, "acme", "sales", 1, 1_000); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited: %v", err)
		}
		if err := scripted.Wait(ctx, b.db, "acme", "sales", 1, at); err != nil {
			t.Error(err)
		}
	})
}

// A trial shows rows, what was logged and what failed, and stores nothing.
func TestTry(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.order("acme", "Bonn", "Kiel", "Bonn")
		b.order("rivals", "Rome")
		bad := b.order("acme", "Rome")
		cfg := scripted.Config{Store: b.store, Scripts: b.pool, Now: time.Now, Batch: 2}
		script := strings.Replace(counting, "{ const", `{ console.log(e.data.city); if (e.data.city == "Rome") throw "no"; const`, 1)
		got, err := scripted.Try(t.Context(), cfg, scripted.Trial{Workspace: "acme", Definition: cities(script), Events: 100, Time: time.Minute})
		if err != nil || got.Events != 3 || got.Failure.Position != int64(bad) || got.End || strings.Join(got.Logged, " ") != "Bonn Kiel Bonn Rome" {
			t.Errorf("%+v, %v", got, err)
		}
		if len(got.Rows) != 2 || string(got.Rows[0].Data) != `{"orders":2}` {
			t.Errorf("rows %+v", got.Rows)
		}
		got, err = scripted.Try(t.Context(), cfg, scripted.Trial{Workspace: "acme", Definition: cities(script), Events: 2, Time: time.Minute})
		if err != nil || got.Events != 2 || got.End || got.Failure.Position != 0 || got.Position == 0 {
			t.Errorf("two events: %+v, %v", got, err)
		}
		got, err = scripted.Try(t.Context(), cfg, scripted.Trial{Workspace: "acme", Definition: cities(script), After: bad, Events: 2, Time: time.Minute})
		if err != nil || got.Events != 0 || !got.End {
			t.Errorf("at the end: %+v, %v", got, err)
		}
	})
}
