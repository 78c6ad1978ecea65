// Package faulty wraps an event store in a bad day: appends fail before or after
// they took effect, reads end midway, everything takes its time. What it does
// follows from a seed. It is for tests of what uses a store, and promises nothing
// that eventstore.Store does not: whoever fails on it would fail in production.
//
// It never invents, alters or leaves out an event, and never answers wrongly.
package faulty

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatledger/chatledger/eventstore"
)

// ErrInjected matches every error that the wrapper has made up. To the caller it
// is one that leaves the outcome unknown.
var ErrInjected = errors.New("faulty: injected failure")

// Options say how bad the day is. Shares are between 0 and 1; the zero Options
// do no harm.
type Options struct {
	Seed uint64

	LoseRequest float64 // share of appends that fail and take no effect
	LoseAnswer  float64 // share of appends that take effect, of which the caller is told only that they failed
	FailRead    float64 // share of reads and heads that fail at once
	TearRead    float64 // share of reads that fail after some of what they have
	TearWithin  int     // what a torn read yields at most before it fails; default 10

	Delay    float64       // share of calls and of what reads yield that take their time
	MaxDelay time.Duration // default 10 ms

	// Sleep waits for d, or until ctx ends: then it returns ctx's error. Nil means
	// that there are no delays.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Counts say what was done to the callers.
type Counts struct {
	LostRequests, LostAnswers, FailedReads, TornReads, Delays int64
}

// Store is an eventstore.Store that fails now and then. It is safe for
// concurrent use; with one caller at a time, the same seed leads to the same
// failures.
type Store struct {
	store eventstore.Store
	o     Options
	calm  atomic.Bool

	mu     sync.Mutex
	rnd    *rand.Rand
	counts Counts
}

var _ eventstore.Store = (*Store)(nil)

// New wraps a store, which remains the caller's to close.
func New(store eventstore.Store, o Options) *Store {
	if o.TearWithin <= 0 {
		o.TearWithin = 10
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 10 * time.Millisecond
	}
	return &Store{store: store, o: o, rnd: rand.New(rand.NewPCG(o.Seed, 0))} //nolint:gosec // to be repeatable is the point
}

// Calm ends the bad day, or begins it again. A read that has begun goes on as it
// was to.
func (s *Store) Calm(calm bool) { s.calm.Store(calm) }

// Counts returns what was done so far.
func (s *Store) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// hit draws whether something of this share happens, and counts it if so.
func (s *Store) hit(share float64, count *int64) bool {
	if share <= 0 || s.calm.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rnd.Float64() >= share {
		return false
	}
	*count++
	return true
}

func (s *Store) below(n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rnd.Int64N(n)
}

func (s *Store) delay(ctx context.Context) error {
	if s.o.Sleep == nil || !s.hit(s.o.Delay, &s.counts.Delays) {
		return nil
	}
	return s.o.Sleep(ctx, time.Duration(s.below(int64(s.o.MaxDelay))+1))
}

// Append is the store's, unless the request or the answer is lost.
func (s *Store) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	if err := s.delay(ctx); err != nil {
		return eventstore.Result{}, err
	}
	if s.hit(s.o.LoseRequest, &s.counts.LostRequests) {
		return eventstore.Result{}, fmt.Errorf("append to %s: %w: the request was lost", stream, ErrInjected)
	}
	res, err := s.store.Append(ctx, stream, want, events...)
	if err != nil {
		return res, err
	}
	if s.hit(s.o.LoseAnswer, &s.counts.LostAnswers) {
		return eventstore.Result{}, fmt.Errorf("append to %s: %w: the answer was lost", stream, ErrInjected)
	}
	// Once stored, a cancelled delay may hide it as well.
	if err := s.delay(ctx); err != nil {
		return eventstore.Result{}, err
	}
	return res, nil
}

// ReadStream is the store's, unless it fails or is torn.
func (s *Store) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return s.tear(ctx, "read "+stream, s.store.ReadStream(ctx, stream, q))
}

// ReadAll is the store's, unless it fails or is torn.
func (s *Store) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return s.tear(ctx, "read the log", s.store.ReadAll(ctx, q))
}

// Head is the store's, unless it fails.
func (s *Store) Head(ctx context.Context) (eventstore.Head, error) {
	if err := s.delay(ctx); err != nil {
		return eventstore.Head{}, err
	}
	if s.hit(s.o.FailRead, &s.counts.FailedReads) {
		return eventstore.Head{}, fmt.Errorf("read the head: %w", ErrInjected)
	}
	return s.store.Head(ctx)
}

// tear yields what seq yields, up to where it is to fail. A read that has less
// than that is not torn.
func (s *Store) tear(ctx context.Context, doing string, seq iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if s.hit(s.o.FailRead, &s.counts.FailedReads) {
			yield(eventstore.Recorded{}, fmt.Errorf("%s: %w", doing, ErrInjected))
			return
		}
		left := int64(-1)
		if s.hit(s.o.TearRead, new(int64)) {
			left = s.below(int64(s.o.TearWithin)) + 1
		}
		for r, err := range seq {
			if err == nil {
				err = s.delay(ctx)
			}
			if err == nil && left == 0 {
				s.mu.Lock()
				s.counts.TornReads++
				s.mu.Unlock()
				err = fmt.Errorf("%s: %w: torn", doing, ErrInjected)
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			left--
			if !yield(r, nil) {
				return
			}
		}
	}
}
