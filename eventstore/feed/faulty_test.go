package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/eventstore/memory"
)

// forgetful saves a checkpoint now and then and says that it did not, or the
// other way round: it fails.
type forgetful struct {
	checkpoints

	mu  sync.Mutex
	rnd *rand.Rand
}

func (c *forgetful) Save(ctx context.Context, consumer string, at feed.Checkpoint) error {
	c.mu.Lock()
	before, after := c.rnd.IntN(4) == 0, c.rnd.IntN(4) == 0
	c.mu.Unlock()
	if before {
		return errors.New("the checkpoint was not saved")
	}
	if err := c.checkpoints.Save(ctx, consumer, at); err != nil || !after {
		return err
	}
	return errors.New("the checkpoint may have been saved")
}

// A store whose reads fail and tear, a consumer that refuses and crashes: it
// still gets every event, those of a stream in order, and the checkpoint gets to
// the end.
func TestOnAFaultyStore(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { onAFaultyStore(t, seed) })
		})
	}
}

func onAFaultyStore(t *testing.T, seed uint64) {
	const n = 300
	within := memory.New(time.Now)
	defer within.Close()
	store := faulty.New(within, faulty.Options{
		Seed: seed, FailRead: 0.3, TearRead: 0.7, TearWithin: 20, Delay: 0.1, MaxDelay: time.Second, Sleep: sleep,
	})
	var appending sync.WaitGroup
	appending.Go(func() {
		for i := range n {
			appendTo(t, within, fmt.Sprint([]string{"chat", "order"}[i%2], "-", i%5), 1)
			_ = sleep(t.Context(), 100*time.Millisecond)
		}
	})
	c := &forgetful{rnd: rand.New(rand.NewPCG(seed, 1))}
	rnd := rand.New(rand.NewPCG(seed, 2))
	done := map[uuid.UUID]bool{} // acknowledged
	next := map[string]eventstore.Revision{}
	end := eventstore.Position(0)
	for ctx, runs := t.Context(), 0; c.position() < n; runs++ {
		if runs > 1000 {
			t.Fatalf("the checkpoint is at %d after %d runs", c.position(), runs)
		}
		f := newFeed(t, store, c, func(c *feed.Config) { c.Categories, c.Drain = []string{"chat", "order"}, time.Millisecond })
		ch, err := f.Subscribe(ctx, "test")
		if err != nil {
			if !errors.Is(err, faulty.ErrInjected) {
				t.Fatal(err)
			}
			continue
		}
		crash := time.After(time.Duration(rnd.IntN(20_000)) * time.Millisecond)
		for alive := true; alive; {
			select {
			case m := <-ch:
				r, err := feed.Recorded(m)
				if err != nil {
					t.Fatal(err)
				}
				if r.Revision > next[r.Stream] {
					t.Fatalf("%s@%d was delivered before revision %d was acknowledged", r.Stream, r.Revision, next[r.Stream])
				}
				end = max(end, r.Position)
				answer(rnd, m, func() {
					done[r.ID] = true
					next[r.Stream] = max(next[r.Stream], r.Revision+1)
				})
			case <-crash:
				alive = false
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	appending.Wait()
	if len(done) != n || end != n {
		t.Errorf("%d events were acknowledged, the last at %d; want %d", len(done), end, n)
	}
	if got := store.Counts(); got.FailedReads == 0 || got.TornReads == 0 || got.Delays == 0 {
		t.Errorf("too little went wrong: %+v", got)
	}
}

// answer acknowledges m, refuses it, or lets it wait for ever.
func answer(rnd *rand.Rand, m *message.Message, acknowledged func()) {
	switch rnd.IntN(12) {
	case 0:
		m.Nack()
	case 1: // the consumer has hung
	default:
		acknowledged()
		m.Ack()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
