package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/publishing"
	"github.com/chatledger/chatledger/publishing/nats"
	"github.com/chatledger/chatledger/publishing/nats/natstest"
	"github.com/chatledger/chatledger/reactors"
)

var hasty = reactors.Retry{Min: time.Millisecond, Max: 20 * time.Millisecond}

// writeEvents appends events to a few streams until stop is closed, and says how many.
func writeEvents(t *testing.T, store eventstore.Store, stop <-chan struct{}) (written *atomic.Int64, wait func()) {
	t.Helper()
	meta, err := eventstore.Metadata{Workspace: "acme", Correlation: "c"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	written = &atomic.Int64{}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				stream, typ := fmt.Sprintf("chat-%d", (w+i)%7), "chat.note_added.v1"
				switch i % 5 {
				case 3:
					stream, typ = fmt.Sprintf("order-%d", w), "order.placed.v1"
				case 4:
					stream, typ = "webhook-"+uuid.NewString(), "webhook.received.v1"
				}
				e := eventstore.Event{ID: uuid.New(), Type: typ, Data: fmt.Appendf(nil, `{"n":%d}`, i), Meta: meta}
				if _, err := store.Append(context.WithoutCancel(t.Context()), stream, eventstore.Any, e); err != nil {
					t.Error(err)
					return
				}
				written.Add(1)
			}
		})
	}
	return written, wg.Wait
}

// published lists what is to be in the stream: all but webhooks, in the order of the log.
func published(t *testing.T, store eventstore.Store) (list []string) {
	t.Helper()
	for e, err := range store.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Category() != "webhook" {
			list = append(list, fmt.Sprintf("%d %s@%d %s", e.Position, e.Stream, e.Revision, e.ID))
		}
	}
	return list
}

// The broker goes away under load, more than once, and so does the process that
// publishes: afterwards the stream holds each event once, in the order of the log, and
// nothing was parked.
func TestPublishThroughOutages(t *testing.T) {
	srv := natstest.Start(t, nil)
	store, a := memory.New(time.Now), newAccounts(t)
	defer store.Close()
	begin := func() (*reactors.Host, func()) {
		to, err := nats.Open(nats.Config{Address: "nats://" + srv.Host() + "/shop", InLog: publishing.InLog(store), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { to.Close() })
		return host(t, reactors.Config{
			Store: store, Leases: forgetting{a}, Parking: a, Alone: true,
			Reactors: []reactors.Reactor{reactors.Publish{Store: store, To: to, InOrder: true, Retry: hasty}.Reactor()},
		})
	}
	h, stop := begin()
	end := make(chan struct{})
	written, wait := writeEvents(t, store, end)
	more := func(n int64) {
		from := written.Load()
		until(t, "more is written", func() bool { return written.Load() >= from+n })
	}
	some := func() bool { return h.Stats()[0].Handled > 50 }
	until(t, "events are published", some)
	srv.Stop()
	more(300) // more than are held at a time
	until(t, "it was tried again", func() bool { return h.Stats()[0].Retried > 3 })
	srv.Restart()
	more(100)
	stop()
	h, stop = begin() // from the last checkpoint, which was not the last
	until(t, "events are published again", some)
	srv.Stop()
	more(100)
	srv.Restart()
	more(50)
	close(end)
	wait()
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "all is published", func() bool { return h.Stats()[0].Position == head.Position })
	stop()
	var got []string
	for _, m := range natstest.Read(t, srv.Connect(), "shop") {
		got = append(got, fmt.Sprintf("%d %s@%d %s", m.Event.Position, m.Event.Subject, m.Event.Revision, m.Event.ID))
	}
	if want := published(t, store); !slices.Equal(got, want) {
		t.Errorf("the stream holds %d events, want %d, or another order", len(got), len(want))
	}
	if n, err := a.CountParked(t.Context(), reactors.PublishName); err != nil || n.Events != 0 {
		t.Errorf("%d are parked, %v", n.Events, err)
	}
}

// forgetting loads a checkpoint that is some events old, as after a crash.
type forgetting struct{ *accounts.Accounts }

func (f forgetting) Checkpoints(epoch int64) feed.Checkpoints {
	return older{f.Accounts.Checkpoints(epoch)}
}

type older struct{ feed.Checkpoints }

func (o older) Load(ctx context.Context, consumer string) (feed.Checkpoint, error) {
	c, err := o.Checkpoints.Load(ctx, consumer)
	c.Position = max(0, c.Position-100)
	return c, err
}

// broker takes what it is handed, unless it fails.
type broker struct {
	mu    sync.Mutex
	fails int
	got   []string
	topic map[string]bool
}

func (b *broker) Publish(topic string, messages ...*message.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails > 0 {
		b.fails--
		return errors.New("not now")
	}
	for _, m := range messages {
		e, err := publishing.Decode(m.Payload)
		if err != nil {
			return err
		}
		b.got = append(b.got, fmt.Sprintf("%s@%d", publishing.Stream(m), e.Revision))
		b.topic[topic] = true
	}
	return nil
}

func (b *broker) Close() error { return nil }

// However often an event fails it is not parked, and no later one of its stream passes
// it.
func TestPublishNeverParks(t *testing.T) {
	store, a := memory.New(time.Now), newAccounts(t)
	defer store.Close()
	meta, err := eventstore.Metadata{Workspace: "a b"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		e := eventstore.Event{ID: uuid.New(), Type: "chat.note_added.v1", Data: []byte(`{}`), Meta: meta}
		if _, err := store.Append(t.Context(), fmt.Sprint("chat-", i%2), eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
	b := &broker{fails: 40, topic: map[string]bool{}}
	h, stop := host(t, reactors.Config{
		Store: store, Leases: a, Parking: a,
		Reactors: []reactors.Reactor{reactors.Publish{Store: store, To: b, Retry: reactors.Retry{Min: time.Microsecond, Max: time.Millisecond}}.Reactor()},
	})
	until(t, "all is published", func() bool { return h.Stats()[0].Position == 20 })
	stop()
	for stream := range 2 {
		var want, got []string
		for i := range 10 {
			want = append(want, fmt.Sprintf("chat-%d@%d", stream, i))
		}
		for _, s := range b.got {
			if strings.HasPrefix(s, fmt.Sprintf("chat-%d@", stream)) {
				got = append(got, s)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	}
	if s := h.Stats()[0]; s.Parked != 0 || s.Failed != 0 || s.Retried != 40 {
		t.Errorf("got %+v", s)
	}
	if len(b.topic) != 1 || !b.topic["a%20b.chat.note_added.v1"] {
		t.Errorf("topics %v", b.topic)
	}
}

func TestPublishedTypes(t *testing.T) {
	types := reactors.PublishedTypes()
	for _, typ := range []string{"chat.opened.v1", "chat.message_received.v1", "order.placed.v1", "contact.added.v1", "channel.connected.v1"} {
		if !slices.Contains(types, typ) {
			t.Errorf("%s is not published", typ)
		}
	}
	for _, typ := range types {
		if strings.HasPrefix(typ, "webhook.") || strings.HasPrefix(typ, "request.") {
			t.Errorf("%s is published", typ)
		}
	}
}
