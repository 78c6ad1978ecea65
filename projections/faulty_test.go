package projections_test

import (
	"errors"
	"testing"

	faultystore "github.com/chatledger/chatledger/eventstore/faulty"
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
