package projections_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/projections"
)

// sparse makes a log of another whose positions have holes.
func sparse(s eventstore.Store) eventstore.Store {
	return eventstoretest.Sparse(s, func(bool) error { return errors.New("there is no event at this position") })
}

// Where positions have holes, the lag is counted if it is small, and else an estimate
// that says so.
func TestLagOfASparseLog(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		cfg.Store = sparse(cfg.Store)
		if err := projections.Prepare(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		const few, many = 150, 1000
		for i := range many {
			if i == few {
				if s := status(t, cfg); s.Lag != few || s.Estimated || s.Behind() != "150" {
					t.Errorf("after %d events: lag %d, estimated %v", few, s.Lag, s.Estimated)
				}
			}
			e.append(t, "item-1", put{})
		}
		if s := status(t, cfg); s.Lag != many || !s.Estimated || s.Behind() != "about 1000" {
			t.Errorf("after %d events: lag %d, estimated %v", many, s.Lag, s.Estimated)
		}
	})
}

// How far a view is behind is told in events where positions have holes, too: one that
// lacks few keeps its indexes while it catches up.
func TestFewEventsOfASparseLogAreFew(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		last := e.fill(t, 1000)
		cfg := e.config()
		cfg.Store, cfg.FillFrom = sparse(cfg.Store), 5000
		if err := projections.Prepare(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		all := secondary(t, e.db)
		begun, goOn := make(chan struct{}), make(chan struct{})
		begin, letGo := sync.OnceFunc(func() { close(begun) }), sync.OnceFunc(func() { close(goOn) })
		cfg.Decode = func(r eventstore.Recorded) (any, error) {
			begin()
			<-goOn
			return e.decode(r)
		}
		start(t, cfg)
		t.Cleanup(letGo) // before the runner is waited for
		<-begun
		if n := secondary(t, e.db); n != all || all == 0 {
			t.Errorf("%d of %d indexes while the view catches up", n, all)
		}
		letGo()
		waitFor(t, e.db, "toy.v1", last*eventstoretest.Apart)
	})
}
