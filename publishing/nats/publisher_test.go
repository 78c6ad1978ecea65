package nats_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/publishing"
	"github.com/chatledger/chatledger/publishing/nats"
	"github.com/chatledger/chatledger/publishing/nats/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newLog returns a log with n events of chats, and the events.
func newLog(t *testing.T, n int) (eventstore.Store, []eventstore.Recorded) {
	t.Helper()
	s := memory.New(time.Now)
	t.Cleanup(func() { s.Close() })
	meta, err := eventstore.Metadata{Workspace: "acme"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := eventstore.Event{ID: uuid.New(), Type: "chat.happened.v1", Data: fmt.Appendf(nil, `{"n":%d}`, i), Meta: meta}
		if _, err := s.Append(t.Context(), fmt.Sprint("chat-", i%3), eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
	var all []eventstore.Recorded
	for e, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return s, all
}

// open returns a publisher of events of a log, as a process of its own would have it.
func open(t *testing.T, srv *natstest.Server, log eventstore.Store, options string) *nats.Publisher {
	t.Helper()
	p, err := nats.Open(nats.Config{
		Address: "nats://" + srv.Host() + "/shop" + options, InLog: publishing.InLog(log), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func publish(ctx context.Context, p *nats.Publisher, r eventstore.Recorded) error {
	e := publishing.New("urn:test", r)
	m, err := e.Message(ctx)
	if err != nil {
		return err
	}
	return p.Publish(e.Topic(), m)
}

func publishAll(t *testing.T, p *nats.Publisher, events ...eventstore.Recorded) {
	t.Helper()
	for _, e := range events {
		if err := publish(t.Context(), p, e); err != nil {
			t.Fatal(err)
		}
	}
}

// holds checks that the stream holds events, in this order.
func holds(t *testing.T, srv *natstest.Server, want ...eventstore.Recorded) {
	t.Helper()
	var got, wanted []uuid.UUID
	for _, m := range natstest.Read(t, srv.Connect(), "shop") {
		got = append(got, m.Event.ID)
	}
	for _, e := range want {
		wanted = append(wanted, e.ID)
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("the stream holds %d events %v\nwant %d %v", len(got), got, len(wanted), wanted)
	}
}

func TestAMessageInTheStream(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 2)
	publishAll(t, open(t, srv, log, ""), events...)
	all := natstest.Read(t, srv.Connect(), "shop")
	if len(all) != 2 {
		t.Fatalf("%d messages", len(all))
	}
	m, e := all[1], events[1]
	if m.Subject != "shop.acme.chat.happened.v1" || m.Header.Get("Nats-Msg-Id") != e.ID.String() || m.Header.Get("Content-Type") != "application/cloudevents+json" {
		t.Errorf("subject %s, header %v", m.Subject, m.Header)
	}
	if m.Event.Subject != e.Stream || m.Event.Position != e.Position || string(m.Event.Data) != string(e.Data) {
		t.Errorf("got %+v", m.Event)
	}
}

func TestTheStreamIsMadeAsAsked(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 1)
	publishAll(t, open(t, srv, log, "?stream=events&max-age=48h&max-bytes=1000000&duplicates=5m"), events...)
	info, err := srv.Connect().StreamInfo("events")
	if err != nil {
		t.Fatal(err)
	}
	c := info.Config
	if c.MaxAge != 48*time.Hour || c.MaxBytes != 1_000_000 || c.Duplicates != 5*time.Minute || c.Replicas != 1 || !slices.Equal(c.Subjects, []string{"shop.>"}) {
		t.Errorf("got %+v", c)
	}
}

// A repeat is recognised long after the server has forgotten the ids of messages, by
// a process that has published nothing yet.
func TestARepeatIsRecognisedAtAnyAge(t *testing.T) {
	srv := natstest.Start(t, nil)
	js := srv.Connect()
	if _, err := js.AddStream(&natsgo.StreamConfig{Name: "shop", Subjects: []string{"shop.>"}, Duplicates: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	log, events := newLog(t, 6)
	publishAll(t, open(t, srv, log, ""), events[:5]...)
	srv.Stop()
	srv.Restart()
	forgotten(t, js, events[4].ID)
	publishAll(t, open(t, srv, log, ""), events[2:]...)
	holds(t, srv, events...)
}

// forgotten waits until the server takes a message id anew, and removes what it took.
func forgotten(t *testing.T, js natsgo.JetStreamContext, id uuid.UUID) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		ack, err := js.Publish("shop.probe", nil, natsgo.MsgId(id.String()))
		if err == nil && !ack.Duplicate {
			if err := js.DeleteMsg("shop", ack.Sequence); err != nil {
				t.Fatal(err)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("the server does not forget")
		}
	}
}

// Two processes think that it is theirs to publish. What one has done the other does not
// do again, whichever of them is late.
func TestTwoAtATime(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 9)
	one, two := open(t, srv, log, ""), open(t, srv, log, "")
	publishAll(t, one, events[:4]...)
	publishAll(t, two, events[1:7]...)
	publishAll(t, one, events[4:8]...)
	publishAll(t, two, events[7:]...)
	holds(t, srv, events...)
}

// While the server is away each try fails, soon, and nothing of it turns up later.
func TestAnOutage(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 20)
	p := open(t, srv, log, "")
	publishAll(t, p, events[:10]...)
	srv.Stop()
	for range 3 {
		if err := publish(t.Context(), p, events[10]); err == nil {
			t.Fatal("published to a server that is not there")
		}
	}
	srv.Restart()
	for _, e := range events[10:] {
		for end := time.Now().Add(30 * time.Second); ; {
			err := publish(t.Context(), p, e)
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	holds(t, srv, events...)
}

// The server need not be there at the start.
func TestTheServerComesLater(t *testing.T) {
	srv := natstest.Start(t, nil)
	srv.Stop()
	log, events := newLog(t, 1)
	p := open(t, srv, log, "")
	if err := publish(t.Context(), p, events[0]); err == nil {
		t.Fatal("published to a server that is not there")
	}
	srv.Restart()
	for end := time.Now().Add(30 * time.Second); publish(t.Context(), p, events[0]) != nil; {
		if time.Now().After(end) {
			t.Fatal("it does not connect")
		}
	}
	holds(t, srv, events...)
}

// A log that was restored from a backup has other events at the positions of those that
// were published: they are published, too.
func TestARestoredLog(t *testing.T) {
	srv := natstest.Start(t, nil)
	before, published := newLog(t, 5)
	publishAll(t, open(t, srv, before, ""), published...)
	restored, events := newLog(t, 3)
	publishAll(t, open(t, srv, restored, ""), events...)
	holds(t, srv, append(published, events...)...)
}

// A stream that was purged, or whose messages have grown too old, goes on.
func TestAPurgedStream(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 4)
	p := open(t, srv, log, "")
	publishAll(t, p, events[:3]...)
	if err := srv.Connect().PurgeStream("shop"); err != nil {
		t.Fatal(err)
	}
	publishAll(t, open(t, srv, log, ""), events[3])
	publishAll(t, p, events[3])
	holds(t, srv, events[3])
}

// What was removed from the end of the stream is published again if it is asked for, though
// the server still knows its ids: by one process, and by the next.
func TestPublishAgainWhatWasRemoved(t *testing.T) {
	for name, remove := range map[string]func(natsgo.JetStreamContext) error{
		"purged": func(js natsgo.JetStreamContext) error { return js.PurgeStream("shop") },
		"deleted": func(js natsgo.JetStreamContext) error {
			return errors.Join(js.DeleteMsg("shop", 1), js.DeleteMsg("shop", 2), js.DeleteMsg("shop", 3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := natstest.Start(t, nil)
			log, events := newLog(t, 5)
			publishAll(t, open(t, srv, log, ""), events[:3]...)
			if err := remove(srv.Connect()); err != nil {
				t.Fatal(err)
			}
			publishAll(t, open(t, srv, log, ""), events[:2]...)
			publishAll(t, open(t, srv, log, ""), events...)
			holds(t, srv, events...)
		})
	}
}

// A stream that was deleted is made again.
func TestADeletedStream(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 4)
	p := open(t, srv, log, "")
	publishAll(t, p, events[:3]...)
	if err := srv.Connect().DeleteStream("shop"); err != nil {
		t.Fatal(err)
	}
	if err := publish(t.Context(), p, events[3]); err == nil {
		t.Error("there was a stream")
	}
	publishAll(t, p, events[3])
	holds(t, srv, events[3])
}

func TestMessagesOfOthers(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 4)
	p := open(t, srv, log, "")
	publishAll(t, p, events[:2]...)
	js := srv.Connect()
	for range 3 {
		if _, err := js.Publish("shop.by.hand", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	publishAll(t, p, events[1:3]...)
	publishAll(t, open(t, srv, log, ""), events...)
	info, err := js.StreamInfo("shop")
	if err != nil || info.State.Msgs != 7 {
		t.Errorf("%d messages, %v", info.State.Msgs, err)
	}
	for range 100 {
		if _, err := js.Publish("shop.by.hand", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := publish(t.Context(), open(t, srv, log, ""), events[3]); err == nil || !strings.Contains(err.Error(), "needs one of its own") {
		t.Errorf("got %v", err)
	}
}

func TestAStreamOfOthers(t *testing.T) {
	srv := natstest.Start(t, nil)
	log, events := newLog(t, 1)
	if _, err := srv.Connect().AddStream(&natsgo.StreamConfig{Name: "shop", Subjects: []string{"shop.orders.>"}}); err != nil {
		t.Fatal(err)
	}
	if err := publish(t.Context(), open(t, srv, log, ""), events[0]); err == nil || !strings.Contains(err.Error(), "not shop.>") {
		t.Errorf("got %v", err)
	}
}
