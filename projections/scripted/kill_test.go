package scripted_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/viewscript"
	"github.com/chatledger/chatledger/projections/scripted"
)

// victim is the variable that makes the test's program build views in a folder until it
// is killed.
const victim = "CHATLEDGER_TEST_SCRIPTED_VICTIM"

// buildUntilKilled is the whole of a victim.
func buildUntilKilled(folder string) error {
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(folder, "events.db"), sqlite.Clock(time.Now))
	if err != nil {
		return err
	}
	db, err := sqldb.OpenSQLite(ctx, filepath.Join(folder, "custom.db"), sqldb.Rebuildable)
	if err != nil {
		return err
	}
	events := codec.New(customview.Events)
	r, err := scripted.New(ctx, scripted.Config{
		Store: store, DB: db, Scripts: viewscript.NewPool(viewscript.Config{}), Now: time.Now, Alone: true, Poll: 10 * time.Millisecond, Batch: 10,
		Decode: func(r eventstore.Recorded) (any, error) { return events.Decode(r) },
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// However often its process is killed in the middle of it, a version that is built has
// each event in its rows once.
func TestKilledWhileBuilding(t *testing.T) {
	folder := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(folder, "events.db"), sqlite.Clock(time.Now))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, store: store, pool: viewscript.NewPool(viewscript.Config{}), codec: codec.New(customview.Events)}
	t.Cleanup(b.pool.Close)
	b.define("acme", saved("sales", 1, cities(counting)))
	meta, err := eventstore.Metadata{Workspace: "acme"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const orders = 3_000
	batch := make([]eventstore.Event, 0, 1_000)
	for i := range orders {
		batch = append(batch, eventstore.Event{ID: uuid.New(), Type: "order.placed.v1", Data: fmt.Appendf(nil, `{"city":"City %d"}`, i%3), Meta: meta})
		if len(batch) == cap(batch) {
			if _, err := store.Append(t.Context(), "order-"+uuid.NewString(), eventstore.Any, batch...); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	at := b.define("acme", customview.Retried{View: "sales", Version: 1, By: "ann"})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(folder, "custom.db"), sqldb.Rebuildable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b.db = db
	seen := eventstore.Position(0)
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victim+"="+folder)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); ; {
			s, err := statusOf(t.Context(), db)
			if err == nil && s.Position > seen {
				seen = s.Position
				break
			}
			if time.Now().After(end) {
				t.Fatalf("nothing was built: %+v, %v", s, err)
			}
			<-time.After(time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // says that it was killed
	}
	if seen >= at {
		t.Fatal("it was all built before it was killed")
	}
	if b.store, err = sqlite.Open(t.Context(), filepath.Join(folder, "events.db"), sqlite.Clock(time.Now)); err != nil {
		t.Fatal(err)
	}
	stop := b.run(func(c *scripted.Config) { c.Alone, c.Batch = true, 500 })
	s := b.status("sales", 1, reached(at))
	b.want(s, fmt.Sprintf(`{"city":"City 0","orders":%d}`, orders/3), fmt.Sprintf(`{"city":"City 1","orders":%d}`, orders/3), fmt.Sprintf(`{"city":"City 2","orders":%d}`, orders/3))
	stop()
	if err := b.store.(*sqlite.Store).Close(); err != nil {
		t.Error(err)
	}
}

func statusOf(ctx context.Context, db sqldb.DB) (s scripted.Status, err error) {
	err = db.Read(ctx, func(tx sqldb.Tx) (err error) {
		s, err = scripted.StatusOf(ctx, tx, "acme", "sales", 1)
		return err
	})
	return s, err
}
