package projections_test

import (
	"context"
	"iter"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
)

// sparse is a log whose positions have holes: each is the hundredfold.
type sparse struct{ eventstore.Store }

func (s sparse) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	q.After /= 100
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.Store.ReadAll(ctx, q) {
			r.Position *= 100
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s sparse) Head(ctx context.Context) (eventstore.Head, error) {
	h, err := s.Store.Head(ctx)
	h.Position, h.Sparse = h.Position*100, true
	return h, err
}

// Where positions have holes, the lag is counted if it is small, and else an estimate
// that says so.
func TestLagOfASparseLog(t *testing.T) {
	onBoth(t, func(t *testing.T, e *env) {
		cfg := e.config()
		cfg.Store = sparse{cfg.Store}
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
