package feed_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checkpoints is the table of checkpoints, in memory.
type checkpoints struct {
	mu     sync.Mutex
	at     map[string]feed.Checkpoint
	saves  int
	refuse error
}

func (c *checkpoints) Load(_ context.Context, consumer string) (feed.Checkpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at[consumer], nil
}

func (c *checkpoints) Save(_ context.Context, consumer string, at feed.Checkpoint) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return c.refuse
	}
	if c.at == nil {
		c.at = map[string]feed.Checkpoint{}
	}
	c.at[consumer] = at
	c.saves++
	return nil
}

func (c *checkpoints) position() eventstore.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at["test"].Position
}

func appendTo(t *testing.T, s eventstore.Store, stream string, n int) {
	t.Helper()
	for range n {
		meta, err := eventstore.Metadata{Workspace: "acme", Correlation: "c1"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		e := eventstore.Event{ID: uuid.New(), Type: "test.happened.v1", Data: []byte(`{"n":1}`), Meta: meta}
		if _, err := s.Append(t.Context(), stream, eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
}

func newFeed(t *testing.T, s eventstore.Store, c feed.Checkpoints, change func(*feed.Config)) *feed.Feed {
	t.Helper()
	cfg := feed.Config{Store: s, Checkpoints: c, Consumer: "test", Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	f, err := feed.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func subscribe(t *testing.T, f *feed.Feed) <-chan *message.Message {
	t.Helper()
	ch, err := f.Subscribe(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func position(t *testing.T, m *message.Message) eventstore.Position {
	t.Helper()
	r, err := feed.Recorded(m)
	if err != nil {
		t.Fatal(err)
	}
	return r.Position
}

func TestAMessageCarriesTheEvent(t *testing.T) {
	s := memory.New(time.Now)
	appendTo(t, s, "chat-1", 1)
	f := newFeed(t, s, &checkpoints{}, nil)
	m := <-subscribe(t, f)
	got, err := feed.Recorded(m)
	if err != nil {
		t.Fatal(err)
	}
	for want, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != want.ID || got.Type != want.Type || string(got.Data) != string(want.Data) || string(got.Meta) != string(want.Meta) ||
			got.Stream != want.Stream || got.Revision != want.Revision || got.Position != want.Position || !got.Time.Equal(want.Time) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := m.Metadata[feed.MetaCorrelation]; got != "c1" {
		t.Errorf("correlation %q", got)
	}
	m.Ack()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesOfAKeyWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		appendTo(t, s, "chat-1", 2) // 1, 2
		appendTo(t, s, "chat-2", 1) // 3
		f := newFeed(t, s, &checkpoints{}, nil)
		ch := subscribe(t, f)
		first, other := <-ch, <-ch
		if a, b := position(t, first), position(t, other); a != 1 || b != 3 {
			t.Fatalf("delivered %d and %d, want 1 and 3", a, b)
		}
		synctest.Wait()
		select {
		case m := <-ch:
			t.Fatalf("%d was delivered before 1 was acknowledged", position(t, m))
		default:
		}
		first.Ack()
		if m := <-ch; position(t, m) != 2 {
			t.Fatalf("delivered %d, want 2", position(t, m))
		} else {
			m.Ack()
		}
		other.Ack()
		_ = f.Close()
	})
}

func TestAnEventWithSeveralKeysWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		for _, stream := range []string{"x-a", "x-b", "x-ab", "x-a"} {
			appendTo(t, s, stream, 1)
		}
		f := newFeed(t, s, &checkpoints{}, func(c *feed.Config) {
			c.Keys = func(r eventstore.Recorded) []string {
				if r.Stream == "x-ab" {
					return []string{"x-a", "x-b", "x-a"}
				}
				return []string{r.Stream}
			}
		})
		ch := subscribe(t, f)
		a, b := <-ch, <-ch
		a.Ack()
		synctest.Wait()
		select {
		case m := <-ch:
			t.Fatalf("%d was delivered too early", position(t, m))
		default:
		}
		b.Ack()
		both := <-ch
		both.Ack()
		last := <-ch
		last.Ack()
		if p, q := position(t, both), position(t, last); p != 3 || q != 4 {
			t.Errorf("delivered %d and %d, want 3 and 4", p, q)
		}
		_ = f.Close()
	})
}

func TestANackedMessageComesAgainAndKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		appendTo(t, s, "chat-1", 2)
		f := newFeed(t, s, &checkpoints{}, func(c *feed.Config) {
			c.RedeliverMin, c.RedeliverMax = time.Second, 4*time.Second
		})
		ch := subscribe(t, f)
		var pauses []time.Duration
		last := time.Now()
		for range 5 {
			m := <-ch
			pauses = append(pauses, time.Since(last))
			last = time.Now()
			if position(t, m) != 1 {
				t.Fatalf("delivered %d, want 1", position(t, m))
			}
			m.Nack()
		}
		want := []time.Duration{0, 1 * time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second}
		if !slices.Equal(pauses, want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
		(<-ch).Ack()
		if m := <-ch; position(t, m) != 2 {
			t.Errorf("delivered %d, want 2", position(t, m))
		} else {
			m.Ack()
		}
		_ = f.Close()
	})
}

func TestTheCheckpointNeverPassesWhatIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		for i := range 4 {
			appendTo(t, s, fmt.Sprintf("chat-%d", i), 1)
		}
		c := &checkpoints{}
		f := newFeed(t, s, c, nil)
		ch := subscribe(t, f)
		m1, m2, m3, m4 := <-ch, <-ch, <-ch, <-ch
		m2.Ack()
		m4.Ack()
		time.Sleep(2 * time.Second)
		if got := c.position(); got != 0 {
			t.Errorf("checkpoint %d while 1 is not acknowledged", got)
		}
		m1.Ack()
		time.Sleep(2 * time.Second)
		if got := c.position(); got != 2 {
			t.Errorf("checkpoint %d, want 2", got)
		}
		m3.Nack()
		_ = f.Close()
		if got := c.position(); got != 2 {
			t.Errorf("checkpoint %d after Close, want 2", got)
		}

		// The next run begins behind it: 3 again, 4 again.
		f = newFeed(t, s, c, nil)
		ch = subscribe(t, f)
		for want := range 2 {
			m := <-ch
			if got := position(t, m); got != eventstore.Position(want+3) {
				t.Errorf("delivered %d, want %d", got, want+3)
			}
			m.Ack()
		}
		_ = f.Close()
		if got := c.position(); got != 4 {
			t.Errorf("checkpoint %d, want 4", got)
		}
	})
}

func TestMarksMoveTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		appendTo(t, s, "order-1", 5)
		c := &checkpoints{}
		f := newFeed(t, s, c, func(c *feed.Config) { c.Categories = []string{"chat"} })
		ch := subscribe(t, f)
		time.Sleep(2 * time.Second)
		if got := c.position(); got != 5 {
			t.Errorf("checkpoint %d, want 5", got)
		}
		appendTo(t, s, "chat-1", 1)
		m := <-ch
		appendTo(t, s, "order-1", 3)
		time.Sleep(2 * time.Second)
		if got := c.position(); got != 5 {
			t.Errorf("checkpoint %d passed an event that is not acknowledged", got)
		}
		m.Ack()
		_ = f.Close()
		if got := c.position(); got != 9 {
			t.Errorf("checkpoint %d, want 9", got)
		}
	})
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		appendTo(t, s, "chat-stuck", 1)
		for i := range 100 {
			appendTo(t, s, fmt.Sprintf("chat-%d", i), 1)
		}
		f := newFeed(t, s, &checkpoints{}, func(c *feed.Config) { c.Window, c.Ahead = 4, 20 })
		ch := subscribe(t, f)
		stuck := <-ch
		n := 1
		for done := false; !done; {
			synctest.Wait()
			select {
			case m := <-ch:
				m.Ack()
				n++
			default:
				done = true
			}
		}
		if n != 20 {
			t.Errorf("read %d events behind one that is stuck, want 20", n)
		}
		stuck.Ack()
		for range 101 - n {
			(<-ch).Ack()
		}
		// None acknowledged: no more than the window is given out.
		for i := range 10 {
			appendTo(t, s, fmt.Sprintf("more-%d", i), 1)
		}
		held := []*message.Message{<-ch, <-ch, <-ch, <-ch}
		synctest.Wait()
		select {
		case <-ch:
			t.Error("more than the window was delivered")
		default:
		}
		if st := f.Status(); st.InFlight != 4 {
			t.Errorf("status %+v, want 4 in flight", st)
		}
		for _, m := range held {
			m.Nack()
		}
		_ = f.Close()
	})
}

func TestAnotherLogIsRefused(t *testing.T) {
	c := &checkpoints{at: map[string]feed.Checkpoint{"test": {Store: uuid.New(), Position: 0}}}
	f := newFeed(t, memory.New(time.Now), c, nil)
	if _, err := f.Subscribe(t.Context(), "test"); !errors.Is(err, feed.ErrOtherLog) {
		t.Errorf("another store: got %v", err)
	}
	s := memory.New(time.Now)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.at["test"] = feed.Checkpoint{Store: head.Store, Position: 7}
	if _, err := newFeed(t, s, c, nil).Subscribe(t.Context(), "test"); !errors.Is(err, feed.ErrOtherLog) {
		t.Errorf("a log that lost its end: got %v", err)
	}
	if want := (feed.Checkpoint{Store: uuid.Max, Position: 0}); c.at["test"] != want {
		t.Errorf("noted %+v, want %+v", c.at["test"], want)
	}
	appendTo(t, s, "test-1", 9)
	if _, err := newFeed(t, s, c, nil).Subscribe(t.Context(), "test"); !errors.Is(err, feed.ErrOtherLog) {
		t.Errorf("a log that lost its end and grew again: got %v", err)
	}
}

func TestTheEnd(t *testing.T) {
	t.Run("of the context", func(t *testing.T) {
		f := newFeed(t, memory.New(time.Now), &checkpoints{}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ch, err := f.Subscribe(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Subscribe(ctx, "test"); !errors.Is(err, feed.ErrBusy) {
			t.Errorf("a second subscription: %v", err)
		}
		cancel()
		if m, open := <-ch; open {
			t.Errorf("got %v", m)
		}
		if err := f.Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
		ch = subscribe(t, f) // one after the other is fine
		_ = f.Close()
		if _, open := <-ch; open {
			t.Error("open after Close")
		}
		if _, err := f.Subscribe(t.Context(), "test"); !errors.Is(err, feed.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
	t.Run("of the store", func(t *testing.T) {
		s := memory.New(time.Now)
		f := newFeed(t, s, &checkpoints{}, nil)
		ch := subscribe(t, f)
		_ = s.Close()
		<-ch
		if err := f.Wait(); !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("Wait: %v", err)
		}
	})
	t.Run("when another process took over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := memory.New(time.Now)
			appendTo(t, s, "chat-1", 1)
			f := newFeed(t, s, &checkpoints{refuse: feed.ErrFenced}, nil)
			ch := subscribe(t, f)
			(<-ch).Ack()
			if _, open := <-ch; open {
				t.Error("it went on")
			}
			if err := f.Wait(); !errors.Is(err, feed.ErrFenced) {
				t.Errorf("Wait: %v", err)
			}
		})
	})
	t.Run("with a handler that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := memory.New(time.Now)
			appendTo(t, s, "chat-1", 1)
			c := &checkpoints{}
			f := newFeed(t, s, c, nil)
			m := <-subscribe(t, f)
			begin := time.Now()
			_ = f.Close()
			if got := time.Since(begin); got != 10*time.Second {
				t.Errorf("Close took %v", got)
			}
			if m.Context().Err() == nil {
				t.Error("the handler was not told")
			}
			if got := c.position(); got != 0 {
				t.Errorf("checkpoint %d", got)
			}
		})
	})
}

// failing is a store whose reads fail now and then.
type failing struct {
	eventstore.Store
	mu sync.Mutex
	n  int
}

func (f *failing) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range f.Store.ReadAll(ctx, q) {
			f.mu.Lock()
			f.n++
			fail := f.n%3 == 0
			f.mu.Unlock()
			if fail {
				yield(eventstore.Recorded{}, errors.New("connection reset"))
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestReadFailuresSkipAndRepeatNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		appendTo(t, s, "chat-1", 20)
		f := newFeed(t, &failing{Store: s}, &checkpoints{}, nil)
		ch := subscribe(t, f)
		for want := range 20 {
			m := <-ch
			if got := position(t, m); got != eventstore.Position(want+1) {
				t.Fatalf("delivered %d, want %d", got, want+1)
			}
			m.Ack()
		}
		_ = f.Close()
	})
}

// Crashes at any moment: nothing is skipped, the order of a key is kept.
func TestCrashAndResume(t *testing.T) {
	synctest.Test(t, crashAndResume)
}

func crashAndResume(t *testing.T) {
	s := memory.New(time.Now)
	const streams, each = 10, 50
	for i := range streams * each {
		appendTo(t, s, fmt.Sprintf("chat-%d", i%streams), 1)
	}
	c := &checkpoints{}
	seen := map[string]eventstore.Revision{}
	for i := range streams {
		seen[fmt.Sprintf("chat-%d", i)] = -1
	}
	total := 0
	for run := 0; total < streams*each; run++ {
		if run > 1000 {
			t.Fatal("no progress")
		}
		f := newFeed(t, s, c, func(c *feed.Config) { c.Drain = time.Millisecond })
		ctx, crash := context.WithCancel(t.Context())
		ch, err := f.Subscribe(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			synctest.Wait()
			var m *message.Message
			select {
			case m = <-ch:
			default: // every stream waits for an answer, or all is done
			}
			if m == nil {
				break
			}
			r, err := feed.Recorded(m)
			if err != nil {
				t.Fatal(err)
			}
			switch last := seen[r.Stream]; {
			case r.Revision > last+1:
				t.Fatalf("%s: %d came after %d", r.Stream, r.Revision, last)
			case r.Revision == last+1:
				seen[r.Stream] = r.Revision
				total++
			}
			if (n+run)%9 != 8 {
				m.Ack()
			}
		}
		crash()
		for range ch {
		}
		_ = f.Wait()
	}
}
