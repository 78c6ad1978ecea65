package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
)

// The events of the toy. Their names are those of the types.
type (
	put struct {
		Owner string
		N     int64
		Tag   string
	}
	gone     struct{}
	bad      struct{} // cannot be decoded
	boom     struct{} // Apply panics
	foldBoom struct{} // a fold panics
	hookBoom struct{} // a hook panics
)

type itemRow struct {
	ID      string   `db:"id,key"`
	Owner   string   `db:"owner"`
	N       int64    `db:"n"`
	Half    float64  `db:"half"`
	Even    bool     `db:"is_even"`
	Tags    []string `db:"tags"`
	Touched int64    `db:"touched"`
}

type ownerKey struct {
	Owner string
	Even  bool
}

type ownerRow struct {
	Items int64  `db:"items"`
	Owner string `db:"owner,key"`
	Even  bool   `db:"is_even,key"`
	Sum   int64  `db:"total"`
}

// toy counts the items of each owner, by deltas between old and new rows.
type toy struct {
	name   string
	mended *atomic.Bool // nothing panics any more
	items  *projections.Rows[string, itemRow]
	owners *projections.Rows[ownerKey, ownerRow]
}

func newToy(name string, mended *atomic.Bool) projections.Projection {
	p := &toy{name: name, mended: mended}
	p.items = projections.NewRows(name+"_items", func(r *itemRow) string { return r.ID },
		projections.Index{Name: "by_owner", Columns: "owner, n DESC, id"}, projections.Index{Name: "by_n", Columns: "n"})
	p.owners = projections.NewRows(name+"_owners", func(r *ownerRow) ownerKey { return ownerKey{r.Owner, r.Even} },
		projections.Index{Name: "by_sum", Columns: "total"})
	p.items.OnChange(func(before, after *itemRow) {
		if after != nil && after.Owner == "hookBoom" {
			if !mended.Load() {
				panic("hook")
			}
		}
		p.count(before, -1)
		p.count(after, +1)
	})
	return p
}

func (p *toy) count(r *itemRow, by int64) {
	if r == nil {
		return
	}
	p.owners.Change(ownerKey{r.Owner, r.Even}, func(o *ownerRow) *ownerRow {
		if o == nil {
			o = &ownerRow{Owner: r.Owner, Even: r.Even}
		}
		o.Items, o.Sum = o.Items+by, o.Sum+by*r.N
		if o.Items == 0 {
			return nil
		}
		return o
	})
}

func (p *toy) Name() string                { return p.name + ".v1" }
func (*toy) Categories() []string          { return []string{"item"} }
func (p *toy) Tables() []projections.Table { return []projections.Table{p.items, p.owners} }

func (p *toy) Apply(e projections.Event) {
	id := e.Subject()
	change := func(owner string, f put) {
		p.items.Upsert(id, func(r *itemRow) {
			r.ID, r.Owner, r.N, r.Half, r.Even = id, owner, f.N, float64(f.N)/2, f.N%2 == 0
			r.Tags = append(append([]string{}, r.Tags...), f.Tag)
			if len(r.Tags) > 3 {
				r.Tags = r.Tags[1:]
			}
			r.Touched++
		})
	}
	switch f := e.Fact.(type) {
	case put:
		change(f.Owner, f)
	case gone:
		p.items.Delete(id)
	case boom:
		change("half done", put{})
		if !p.mended.Load() {
			panic("apply")
		}
	case foldBoom:
		change("foldBoom", put{})
		p.items.Update(id, func(*itemRow) {
			if !p.mended.Load() {
				panic("fold")
			}
		})
	case hookBoom:
		change("hookBoom", put{})
	}
}

// env is a log and a database.
type env struct {
	log    eventstore.Store
	db     sqldb.DB
	open   func(t *testing.T) sqldb.DB // the same database, as another process sees it
	mended atomic.Bool
}

func onBoth(t *testing.T, test func(t *testing.T, e *env)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "views.db")
		test(t, newEnv(t, func(t *testing.T) sqldb.DB { return openSQLite(t, path) }))
	})
	t.Run("postgres", func(t *testing.T) {
		url := testenv.Postgres(t)
		test(t, newEnv(t, func(t *testing.T) sqldb.DB { return openPostgres(t, url, "views") }))
	})
}

func openSQLite(t *testing.T, path string) sqldb.DB {
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Rebuildable)
	return closing(t, db, err)
}

func openPostgres(t *testing.T, url, schema string) sqldb.DB {
	db, err := sqldb.OpenPostgres(t.Context(), url, schema, sqldb.Rebuildable)
	return closing(t, db, err)
}

func closing(t *testing.T, db sqldb.DB, err error) sqldb.DB {
	t.Helper()
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

func newEnv(t *testing.T, open func(t *testing.T) sqldb.DB) *env {
	return &env{log: newLog(t), db: open(t), open: open}
}

func newLog(t *testing.T) *memory.Store {
	log := memory.New(time.Now)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// decode decodes the toy's events.
func (e *env) decode(r eventstore.Recorded) (any, error) {
	switch r.Type {
	case "put":
		var f put
		err := json.Unmarshal(r.Data, &f)
		return f, err
	case "gone":
		return gone{}, nil
	case "boom":
		return boom{}, nil
	case "foldBoom":
		return foldBoom{}, nil
	case "hookBoom":
		return hookBoom{}, nil
	case "bad":
		if !e.mended.Load() {
			return nil, errors.New("cannot be decoded")
		}
		return put{Owner: "bad", N: 1}, nil
	}
	return nil, fmt.Errorf("decode: %w", codec.UnknownTypeError{Type: r.Type})
}

// exec runs a statement on the views.
func (e *env) exec(t *testing.T, sql string) {
	t.Helper()
	err := e.db.Write(t.Context(), func(tx sqldb.Tx) error { _, err := tx.Exec(t.Context(), sql); return err })
	if err != nil {
		t.Fatal(err)
	}
}

func (e *env) config() projections.Config {
	return projections.Config{
		Store: e.log, DB: e.db, Decode: e.decode, Now: time.Now, Poll: 5 * time.Millisecond, Lease: time.Second,
		Projections: []func() projections.Projection{func() projections.Projection { return newToy("toy", &e.mended) }},
	}
}

// append adds an event to a stream and returns its position.
func (e *env) append(t *testing.T, stream string, fact any) eventstore.Position {
	t.Helper()
	data, err := json.Marshal(fact)
	if err != nil {
		t.Fatal(err)
	}
	typ := fmt.Sprintf("%T", fact)[len("projections_test."):]
	res, err := e.log.Append(t.Context(), stream, eventstore.Any, eventstore.Event{ID: uuid.New(), Type: typ, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return res.Position
}

// fill appends n events about a few items, of which two are touched often.
func (e *env) fill(t *testing.T, n int) (last eventstore.Position) {
	t.Helper()
	for i := range n {
		stream := fmt.Sprintf("item-%d", i%(7+i/3))
		switch {
		case i%11 == 10:
			last = e.append(t, stream, gone{})
		case i%13 == 12:
			last = e.append(t, fmt.Sprintf("other-%d", i), put{})
		default:
			last = e.append(t, stream, put{Owner: fmt.Sprintf("o%d", i%5), N: int64(i), Tag: fmt.Sprint("t", i)})
		}
	}
	return last
}

// start runs a Runner until stop is called, or the test ends.
func start(t *testing.T, cfg projections.Config) (r *projections.Runner, stop func()) {
	t.Helper()
	r, err := projections.NewRunner(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return r, stop
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func waitFor(t *testing.T, db sqldb.DB, name string, position eventstore.Position) {
	t.Helper()
	if err := projections.WaitFor(deadline(t), db, []string{name}, position); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx := deadline(t); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}

type tables struct {
	Items  []itemRow
	Owners []ownerRow
}

func readTables(t *testing.T, db sqldb.DB) tables {
	t.Helper()
	return readTablesOf(t, db, "toy")
}

func readTablesOf(t *testing.T, db sqldb.DB, name string) (out tables) {
	t.Helper()
	err := db.Read(t.Context(), func(tx sqldb.Tx) (err error) {
		if out.Items, err = sqldb.Select[itemRow](t.Context(), tx, "SELECT * FROM "+name+"_items ORDER BY id"); err != nil {
			return err
		}
		out.Owners, err = sqldb.Select[ownerRow](t.Context(), tx, "SELECT * FROM "+name+"_owners ORDER BY owner, is_even")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// folded returns what the tables should be: the log folded one event at a time.
// skip leaves events out.
func (e *env) folded(t *testing.T, skip func(eventstore.Recorded) bool) (out tables) {
	t.Helper()
	m := projections.NewMemory(newToy("toy", &e.mended))
	for r, err := range e.log.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		fact, err := e.decode(r)
		if err != nil || skip != nil && skip(r) {
			continue
		}
		if err := m.Apply(projections.Event{Recorded: r, Fact: fact}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range m.Tables()["toy_items"] {
		out.Items = append(out.Items, r.(itemRow))
	}
	for _, r := range m.Tables()["toy_owners"] {
		out.Owners = append(out.Owners, r.(ownerRow))
	}
	return out
}

func checkTables(t *testing.T, want, got tables) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func verify(t *testing.T, cfg projections.Config) {
	t.Helper()
	diff, err := projections.Verify(deadline(t), cfg, "toy.v1")
	if err != nil {
		t.Fatal(err)
	}
	if diff.Different != 0 {
		t.Errorf("live differs from a fresh fold: %+v", diff)
	}
}

func status(t *testing.T, cfg projections.Config) projections.Status {
	t.Helper()
	list, err := projections.ReadStatus(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}
