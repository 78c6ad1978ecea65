package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/internal/testenv"
)

// TestStaleEnds: what a store remembers of a stream is wrong as soon as another
// process adds to it; its answers are right all the same.
func TestStaleEnds(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	a, b := open(t, url), open(t, url)
	first := events(1)
	add(t, a, "chat-1", first...)
	add(t, b, "chat-1", events(2)...)

	var conflict *eventstore.ConflictError
	if res, err := a.Append(t.Context(), "chat-1", 0, events(1)...); !errors.As(err, &conflict) || conflict.Got != 2 {
		t.Errorf("Append at an end that has moved = %+v, %v; want a conflict at 2", res, err)
	}
	add(t, b, "chat-1", events(1)...)
	if res := add(t, a, "chat-1", events(1)...); res.Revision != 4 || res.Position != 5 {
		t.Errorf("Append at any = %+v; want revision 4 at 5", res)
	}
	// b believes that the stream ends at 3.
	if res := add(t, b, "chat-1", first...); !res.Existing || res.Revision != 0 || res.Position != 1 {
		t.Errorf("the repeat = %+v; want the original at 1", res)
	}
	// a does not know of chat-2 and takes it for new.
	second := events(1)
	want := add(t, b, "chat-2", second...)
	want.Existing = true
	if res, err := a.Append(t.Context(), "chat-2", eventstore.NoStream, second...); err != nil || res != want {
		t.Errorf("the repeat in a new stream = %+v, %v; want %+v", res, err, want)
	}
	add(t, b, "chat-3", events(1)...)
	if res, err := a.Append(t.Context(), "chat-3", eventstore.NoStream, events(1)...); !errors.As(err, &conflict) || conflict.Got != 0 {
		t.Errorf("Append to a stream that is not new = %+v, %v; want a conflict at 0", res, err)
	}
	if n := len(readAll(t, a, eventstore.AllQuery{})); n != 7 {
		t.Errorf("%d events; want 7", n)
	}
}

// TestStaleNeighbours: one that is refused by an index does not fail those in the
// same transaction.
func TestStaleNeighbours(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	a, b := open(t, url), open(t, url)
	const streams, rounds = 12, 8
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			stream := fmt.Sprintf("chat-%d", i)
			for n := range rounds {
				own := eventstore.Revision(n - 1)
				if i%4 == 0 { // b adds to this one behind a's back
					own = eventstore.Revision(2*n - 1)
					add(t, b, stream, events(1)...)
					if _, err := a.Append(t.Context(), stream, own, events(1)...); !errors.Is(err, eventstore.ErrConflict) {
						t.Errorf("Append to %s at %d: %v; want a conflict", stream, own, err)
					}
					own++
				}
				if res, err := a.Append(t.Context(), stream, own, events(1)...); err != nil || res.Revision != own+1 {
					t.Errorf("Append to %s at %d = %+v, %v", stream, own, res, err)
				}
			}
		})
	}
	wg.Wait()
	for i, r := range readAll(t, a, eventstore.AllQuery{}) {
		if r.Position != eventstore.Position(i+1) {
			t.Fatalf("event %d is at %d", i+1, r.Position)
		}
	}
}

// TestLogReplaced: a log that was restored while a store was connected to the old
// one is not taken for it.
func TestLogReplaced(t *testing.T) {
	t.Parallel()
	for name, together := range map[string]int{"one at a time": 1, "many at once": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testenv.Postgres(t)
			s := open(t, url)
			for i := range 20 {
				add(t, s, fmt.Sprintf("chat-%d", i), events(1)...)
			}
			admin := connect(t, url)
			execute(t, admin, "DELETE FROM chatledger_log.events")
			other := open(t, url, postgres.WithPoolSize(1))
			for range 25 { // so that all positions are taken again
				add(t, other, "order-1", events(1)...)
			}
			var wg sync.WaitGroup
			for i := range together {
				wg.Go(func() {
					stream := fmt.Sprintf("chat-%d", i)
					var conflict *eventstore.ConflictError
					if res, err := s.Append(t.Context(), stream, 0, events(1)...); !errors.As(err, &conflict) || conflict.Got != eventstore.NoStream {
						t.Errorf("Append to %s, which is gone = %+v, %v; want a conflict", stream, res, err)
					}
				})
			}
			wg.Wait()
			if res := add(t, s, "chat-0", events(1)...); res.Position != 26 || res.Revision != 0 {
				t.Errorf("Append = %+v; want the first event of its stream at 26", res)
			}
			if res := add(t, s, "order-1", events(1)...); res.Position != 27 || res.Revision != 25 {
				t.Errorf("Append = %+v; want revision 25 at 27", res)
			}
		})
	}
}
