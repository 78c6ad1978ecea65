package kafka_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/publishing"
	"github.com/chatledger/chatledger/publishing/kafka"
)

func TestMain(m *testing.M) {
	// It ticks for the counters of sarama, as long as the process lives.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

func event(t *testing.T) publishing.Event {
	t.Helper()
	meta, err := eventstore.Metadata{Workspace: "acme"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return publishing.New("urn:test", eventstore.Recorded{
		Event:  eventstore.Event{ID: uuid.New(), Type: "chat.opened.v1", Data: []byte(`{"n":1}`), Meta: meta},
		Stream: "chat-7", Revision: 3, Position: 5, Time: time.Now(),
	})
}

func TestAMessageInTheTopic(t *testing.T) {
	e := event(t)
	m, err := e.Message(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := kafka.Marshaler{}.Marshal("shop", m)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := got.Key.Encode()
	value, _ := got.Value.Encode()
	if got.Topic != "shop" || string(key) != "chat-7" || string(value) != string(m.Payload) {
		t.Errorf("topic %s, key %s, value %s", got.Topic, key, value)
	}
	if len(got.Headers) != 1 || string(got.Headers[0].Key) != "content-type" || string(got.Headers[0].Value) != "application/cloudevents+json" {
		t.Errorf("headers %v", got.Headers)
	}
}

// What a broker answers decides: it comes late, refuses, takes.
func TestPublish(t *testing.T) {
	b := sarama.NewMockBroker(t, 1)
	address := b.Addr()
	metadata := sarama.NewMockMetadataResponse(t).SetController(b.BrokerID()).SetBroker(address, b.BrokerID()).SetLeader("shop", 0, b.BrokerID()).SetLeader("shop", 1, b.BrokerID())
	answers := func(produce *sarama.MockProduceResponse) map[string]sarama.MockResponse {
		return map[string]sarama.MockResponse{
			"ApiVersionsRequest": sarama.NewMockApiVersionsResponse(t), "MetadataRequest": metadata,
			"InitProducerIDRequest": sarama.NewMockInitProducerIDResponse(t), "ProduceRequest": produce,
		}
	}
	p, err := kafka.Open("kafka://"+address+"/shop", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	defer b.Close()
	e := event(t)
	publish := func() error {
		m, err := e.Message(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p.Publish(e.Topic(), m)
	}
	b.SetHandlerByMap(answers(sarama.NewMockProduceResponse(t).SetVersion(7).SetError("shop", 0, sarama.ErrNotEnoughReplicas).SetError("shop", 1, sarama.ErrNotEnoughReplicas)))
	if err := publish(); err == nil || !strings.Contains(err.Error(), "replicas") {
		t.Errorf("got %v", err)
	}
	b.SetHandlerByMap(answers(sarama.NewMockProduceResponse(t).SetVersion(7)))
	if err := publish(); err != nil {
		t.Error(err)
	}
	produced := 0
	for _, r := range b.History() {
		if req, ok := r.Request.(*sarama.ProduceRequest); ok {
			produced++
			if req.RequiredAcks != sarama.WaitForAll {
				t.Errorf("asked for %v", req.RequiredAcks)
			}
		}
	}
	if produced < 2 {
		t.Errorf("%d requests", produced)
	}
}

func TestNoBroker(t *testing.T) {
	p, err := kafka.Open("kafka://127.0.0.1:1/shop", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	m, err := event(t).Message(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Publish("x", m); err == nil {
		t.Error("published to nobody")
	}
}

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"kafka://a":                                  "",
		"kafka://a:1,b,[::1]/x.y?tls=true":           "",
		"kafka://u:secret@a/x?tls=true":              "",
		"kafka://u:secret@a/x/y":                     "topic is letters",
		"kafka://u:secret@a/..":                      "topic is letters",
		"kafka://u:secret@a/x?tls=maybe":             "tls is true",
		"kafka://u:secret@a/x?ca=f":                  "ca needs tls",
		"kafka://u:secret@a/x?tls=true&ca=/nowhere/": "read ca",
		"kafka://u:secret@a/x?partitions=3":          `no option "partitions"`,
		"kafka://secret@a/x":                         "needs a password",
	} {
		p, err := kafka.Open(address, slog.New(slog.DiscardHandler))
		if err == nil {
			p.Close()
		}
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", address, err, want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: %v tells the password", address, err)
		}
	}
}

// Events of many streams wait for the broker at the same time. When their process stops,
// none of them asks for it once more.
func TestPublishWhenItsTimeIsOver(t *testing.T) {
	p, err := kafka.Open("kafka://127.0.0.1:1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := event(t).Message(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Publish("", m); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want that it was cancelled", err)
	}
}
