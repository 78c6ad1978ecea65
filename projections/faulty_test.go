package projections_test

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	faultystore "github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// A log whose reads fail and tear: the tables are those of a fold of one event
// at a time, live and in a rebuild.
func TestOnAFaultyStore(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		store := faultystore.New(e.log, faultystore.Options{Seed: 1, FailRead: 0.3, TearRead: 0.7, TearWithin: 60})
		cfg.Store, cfg.BatchSize, cfg.CacheRows = store, 17, 20
		e.fill(t, 300)
		_, stop := start(t, cfg)
		for range 5 {
			waitFor(t, e.db, "toy.v1", e.fill(t, 40))
		}
		stop()
		if c := store.Counts(); c.FailedReads == 0 || c.TornReads == 0 {
			t.Errorf("too little went wrong: %+v", c)
		}
		want := e.folded(t, nil)
		checkTables(t, want, readTables(t, e.db))

		for tries := 0; ; tries++ {
			err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil)
			if err == nil {
				break
			}
			if tries > 100 || !errors.Is(err, faultystore.ErrInjected) {
				t.Fatal(err)
			}
		}
		checkTables(t, want, readTables(t, e.db))
		store.Calm(true)
		verify(t, cfg)
	})
}

// A rebuild whose reading fails has folded nothing, and leaves no checkpoint behind
// that its tables have not come to: the next one would resume there.
func TestARebuildThatReadsNothingHasFoldedNothing(t *testing.T) {
	e := newEnv(t, func(t *testing.T) sqldb.DB { return openSQLite(t, filepath.Join(t.TempDir(), "views.db")) })
	cfg := e.config()
	e.fill(t, 50)
	store := &unreadable{Store: e.log}
	cfg.Store = store
	// With threads enough for all that a rebuild does at once, what is in the wrong order
	// shows within a few tries.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for range 5_000 {
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); !errors.Is(err, errUnreadable) {
			t.Fatalf("a rebuild whose reading fails: %v", err)
		}
	}
	cfg.Store = e.log
	if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil {
		t.Fatal(err)
	}
	checkTables(t, e.folded(t, nil), readTables(t, e.db))
}

var errUnreadable = errors.New("the log cannot be read")

// unreadable is a log that says where it ends, and no more.
type unreadable struct{ eventstore.Store }

func (unreadable) ReadAll(context.Context, eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) { yield(eventstore.Recorded{}, errUnreadable) }
}
