package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// closing closes the store within, too, as the suite wants it.
type closing struct {
	*faulty.Store

	within *memory.Store
}

func (c closing) Close() error { return c.within.Close() }

func TestHarmlessByDefault(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Store {
		s := memory.New(time.Now)
		t.Cleanup(func() { s.Close() })
		return closing{faulty.New(s, faulty.Options{}), s}
	}, eventstoretest.Dense)
}

func bad(seed uint64) faulty.Options {
	return faulty.Options{Seed: seed, LoseRequest: 0.2, LoseAnswer: 0.2, FailRead: 0.2, TearRead: 0.5, TearWithin: 4, Delay: 0.3, Sleep: sleep}
}

// sleep is for synctest, where it takes no time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// day appends and reads, and returns what became of each call.
func day(t *testing.T, seed uint64) (outcomes []string, took time.Duration, counts faulty.Counts) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		within := memory.New(time.Now)
		defer within.Close()
		s := faulty.New(within, bad(seed))
		for i := range 200 {
			e := eventstore.Event{ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)), Type: "a"}
			_, err := s.Append(t.Context(), "chat-1", eventstore.Any, e)
			outcomes = append(outcomes, fmt.Sprint(err))
			n := 0
			for r, err := range s.ReadStream(t.Context(), "chat-1", eventstore.StreamQuery{}) {
				if err != nil {
					outcomes = append(outcomes, fmt.Sprint(n, r, err))
					if !errors.Is(err, faulty.ErrInjected) || r.Position != 0 {
						t.Errorf("read: %+v, %v", r, err)
					}
					continue
				}
				if n++; int(r.Revision) != n-1 {
					t.Fatalf("revision %d as number %d", r.Revision, n)
				}
			}
			outcomes = append(outcomes, fmt.Sprint(n))
		}
		took, counts = time.Since(began), s.Counts()
		before := counts
		s.Calm(true)
		for range 100 {
			if _, err := s.Head(t.Context()); err != nil {
				t.Errorf("calm: %v", err)
			}
		}
		if s.Counts() != before {
			t.Errorf("calm: %+v, before %+v", s.Counts(), before)
		}
	})
	return outcomes, took, counts
}

func TestTheSeedDecides(t *testing.T) {
	first, took, counts := day(t, 1)
	again, tookAgain, _ := day(t, 1)
	other, _, _ := day(t, 2)
	if !slices.Equal(first, again) || took != tookAgain {
		t.Error("the same seed led to something else")
	}
	if slices.Equal(first, other) {
		t.Error("another seed led to the same")
	}
	if counts.LostRequests == 0 || counts.LostAnswers == 0 || counts.FailedReads == 0 || counts.TornReads == 0 || counts.Delays == 0 || took == 0 {
		t.Errorf("%+v in %s", counts, took)
	}
}

// An append that failed either took effect or did not, as it was counted; its
// repeat is told the truth.
func TestLostAnswers(t *testing.T) {
	within := memory.New(time.Now)
	defer within.Close()
	s := faulty.New(within, faulty.Options{Seed: 3, LoseRequest: 0.3, LoseAnswer: 0.3})
	for i := range 100 {
		e := eventstore.Event{ID: uuid.New(), Type: "a"}
		before := s.Counts()
		_, err := s.Append(t.Context(), "chat-1", eventstore.Revision(i-1), e)
		after := s.Counts()
		lost := after.LostAnswers > before.LostAnswers
		if failed := lost || after.LostRequests > before.LostRequests; failed != errors.Is(err, faulty.ErrInjected) {
			t.Fatalf("append %d: %v, though %+v became %+v", i, err, before, after)
		}
		res, err := within.Append(t.Context(), "chat-1", eventstore.Revision(i-1), e)
		if err != nil || res.Revision != eventstore.Revision(i) || res.Existing != (after.LostRequests == before.LostRequests) {
			t.Fatalf("append %d again: %+v, %v", i, res, err)
		}
	}
}
