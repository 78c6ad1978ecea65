package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// Followers at the end of the log are served from memory, unless another process
// came in between: they see every event once all the same, in order, and as it is
// in the file.
func TestFollowersOfSeveralProcesses(t *testing.T) {
	path := file(t)
	stores := []*sqlite.Store{
		open(t, path, sqlite.PollInterval(time.Millisecond)), open(t, path, sqlite.PollInterval(time.Millisecond)),
	}
	const events = 600
	queries := []eventstore.AllQuery{
		{Follow: true},
		{Follow: true, Categories: []string{"chat"}},
		{Follow: true, Types: []string{"even.v1"}, Limit: events / 2},
	}
	type seen struct {
		events []eventstore.Recorded
		err    error
	}
	var followers []chan seen
	for _, s := range stores {
		for _, q := range queries {
			done := make(chan seen, 1)
			followers = append(followers, done)
			go func() {
				var all seen
				for r, err := range s.ReadAll(t.Context(), q) {
					if all.err = err; err != nil {
						break
					}
					if !r.IsMark() {
						all.events = append(all.events, r)
						clear(r.Data[:1]) // it belongs to the caller
					}
					if r.Position == events {
						break
					}
				}
				done <- all
			}()
		}
	}
	for i := range events {
		e := event(10 + i%50)
		e.Type = []string{"even.v1", "odd.v1"}[i%2]
		// Now one process appends several in a row, now they take turns.
		s := stores[i/(1+i/100)%2]
		mustAppend(t, s, fmt.Sprintf("%s-%d", []string{"chat", "order"}[i/3%2], i%5), e)
	}
	var log []eventstore.Recorded
	for r, err := range open(t, path).ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, r)
	}
	for i, f := range followers {
		got := <-f
		if got.err != nil {
			t.Fatal(got.err)
		}
		q, n := queries[i%len(queries)], 0
		for _, want := range log {
			if !q.Match(want.Stream, want.Type) {
				continue
			}
			if n == len(got.events) {
				t.Fatalf("follower %d saw %d events, not that at %d", i, n, want.Position)
			}
			r := got.events[n]
			n++
			if r.Position != want.Position || r.ID != want.ID || r.Stream != want.Stream || r.Revision != want.Revision ||
				r.Type != want.Type || !r.Time.Equal(want.Time) || string(r.Data[1:]) != string(want.Data[1:]) || string(r.Meta) != string(want.Meta) {
				t.Fatalf("follower %d saw %+v, want %+v", i, r, want)
			}
		}
		if n != len(got.events) {
			t.Fatalf("follower %d saw %d events, want %d", i, len(got.events), n)
		}
	}
}

// Large events are not kept in memory, and more than fit are read from the file.
func TestFollowersThatLagBehind(t *testing.T) {
	s := open(t, file(t))
	next := eventstore.Position(1)
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if !r.IsMark() {
			if r.Position != next {
				t.Fatalf("saw %d, want %d", r.Position, next)
			}
			next++
			continue
		}
		switch {
		case next == 1:
			mustAppend(t, s, "chat-1", event(3<<20), event(3<<20), event(10))
		case next < 100:
			mustAppend(t, s, "chat-2", event(5<<20))
			mustAppend(t, s, "chat-2", event(10))
			for range 9 {
				mustAppend(t, s, "chat-3", many(500)...)
			}
		default:
			if want := eventstore.Position(3 + 2 + 9*500 + 1); next != want {
				t.Fatalf("saw everything before %d, want %d", next, want)
			}
			return
		}
	}
}

func many(n int) (list []eventstore.Event) {
	for range n {
		list = append(list, event(20))
	}
	return list
}
