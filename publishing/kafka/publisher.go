// Package kafka publishes events to a topic of Kafka, in order within their streams.
//
// It decides nothing about events: what is published, and when it is tried again, is up
// to its caller.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	wmkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/chatledger/chatledger/publishing"
)

// IsAddress reports whether an address is one of Kafka.
func IsAddress(s string) bool { return strings.HasPrefix(s, "kafka://") }

const (
	defaultTopic = "chatledger"
	defaultPort  = "9092"
)

// timeout is how long a broker is waited for: one request of several, so that a try
// ends while a process that stops is still waited for.
const timeout = 2 * time.Second

// Publisher is a message.Publisher. Messages are made by publishing.Event.Message;
// those of a stream are to be handed over one after the other.
//
// The key of a message is its stream, so that a stream is in one partition, in its
// order. The producer is idempotent: what it repeats of itself is there once. What is
// handed over again after a crash is there twice, with the same id.
type Publisher struct {
	brokers []string
	topic   string
	config  *sarama.Config
	log     *slog.Logger

	mu  sync.Mutex
	out *wmkafka.Publisher // nil until a broker has answered
}

var _ message.Publisher = (*Publisher)(nil)

// Open returns a Publisher for an address:
//
//	kafka://USER:PASSWORD@HOST:PORT,HOST:PORT/TOPIC?tls=true&ca=FILE
//
// See docs/publishing.md for the options. The brokers need not be there yet: Publish
// fails until one is.
func Open(address string, logger *slog.Logger) (*Publisher, error) {
	a, err := publishing.Parse(address)
	if err != nil {
		return nil, err
	}
	if err := a.Known("tls", "ca"); err != nil {
		return nil, err
	}
	p := &Publisher{topic: defaultTopic, config: producerConfig(), log: logger}
	if a.Name != "" {
		p.topic = a.Name
	}
	if !isTopic(p.topic) {
		return nil, errors.New("the topic is letters, digits, dots, - and _")
	}
	for _, host := range a.Hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), defaultPort)
		}
		p.brokers = append(p.brokers, host)
	}
	if err := secure(p.config, a); err != nil {
		return nil, err
	}
	return p, p.config.Validate()
}

// producerConfig asks for the promises that a message was written to all replicas that
// are in step, once, and not behind a later one.
func producerConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = "chatledger"
	c.Version = sarama.V2_1_0_0
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Producer.Partitioner = sarama.NewHashPartitioner
	c.Producer.Timeout = timeout
	c.Producer.Retry.Max = 1 // the caller tries again, and knows when to stop
	c.Producer.Retry.Backoff = 100 * time.Millisecond
	c.Metadata.Retry.Max = 1
	c.Metadata.Timeout = timeout
	c.Net.MaxOpenRequests = 1 // as Idempotent wants it
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = timeout, timeout+time.Second, timeout
	return c
}

// secure sets who we are and whom we trust.
func secure(c *sarama.Config, a publishing.Address) error {
	switch a.Option("tls") {
	case "true":
		c.Net.TLS.Enable = true
		c.Net.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS12}
	case "", "false":
	default:
		return errors.New("tls is true or false")
	}
	if file := a.Option("ca"); file != "" {
		if !c.Net.TLS.Enable {
			return errors.New("ca needs tls=true")
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read ca: %w", err)
		}
		c.Net.TLS.Config.RootCAs = x509.NewCertPool()
		if !c.Net.TLS.Config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("there is no certificate in %s", file)
		}
	}
	if a.User == "" {
		return nil
	}
	if !a.HasPassword() || a.Password == "" {
		return errors.New("a user needs a password")
	}
	c.Net.SASL.Enable, c.Net.SASL.Mechanism = true, sarama.SASLTypePlaintext
	c.Net.SASL.User, c.Net.SASL.Password = a.User, a.Password
	return nil
}

// isTopic reports whether Kafka takes s as the name of a topic.
func isTopic(s string) bool {
	return len(s) <= 249 && s != "." && s != ".." && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	})
}

// Publish returns when the messages are in the topic of the address, whatever topic is:
// that is in the type and the workspace of the event.
func (p *Publisher) Publish(_ string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	out, err := p.producer(messages[0].Context())
	if err != nil {
		return err
	}
	if err := out.Publish(p.topic, messages...); err != nil {
		return fmt.Errorf("publish to topic %s: %w", p.topic, err)
	}
	return nil
}

// producer connects, unless it has. Who has waited for others to try in vain, one after
// the other, does not try when his context has ended.
func (p *Publisher) producer(ctx context.Context) (*wmkafka.Publisher, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out != nil {
		return p.out, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out, err := wmkafka.NewPublisher(wmkafka.PublisherConfig{
		Brokers: p.brokers, Marshaler: Marshaler{}, OverwriteSaramaConfig: p.config,
	}, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	p.log.Info("connected to Kafka", "topic", p.topic)
	p.out = out
	return out, nil
}

// Close closes the connections.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		return nil
	}
	return p.out.Close()
}

// Marshaler writes a message as Kafka carries it.
type Marshaler struct{}

// Marshal implements wmkafka.Marshaler.
func (Marshaler) Marshal(topic string, m *message.Message) (*sarama.ProducerMessage, error) {
	return &sarama.ProducerMessage{
		Topic: topic, Key: sarama.StringEncoder(publishing.Stream(m)), Value: sarama.ByteEncoder(m.Payload),
		Headers: []sarama.RecordHeader{{Key: []byte("content-type"), Value: []byte(publishing.ContentType)}},
	}, nil
}
