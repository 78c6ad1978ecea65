// Package nats publishes events to a stream of NATS JetStream, each once and in the
// order of the log.
//
// It decides nothing about events: what is published, and when it is tried again, is up
// to its caller.
package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/publishing"
)

// How long the server is waited for. Both are spent, at most, when a process ends.
const (
	askTimeout = 2 * time.Second // for a question about the stream
	ackTimeout = 2 * time.Second // for an acknowledgement
)

// Config is what Open needs. All is required.
type Config struct {
	Address string // see parse
	// InLog reports whether an event that was published is in the log, where it was:
	// see publishing.InLog.
	InLog  func(context.Context, publishing.Event) (bool, error)
	Logger *slog.Logger
}

// Publisher is a message.Publisher. Messages are made by publishing.Event.Message, and
// are to be handed over in the order of the log.
//
// The stream holds the events of the log in its order, so that its last message says
// what is published. Each message names the sequence number that it expects the stream
// to be at (Nats-Expected-Last-Sequence): what comes late, from a process that was
// thought dead or out of a buffer, is refused by the server, however long ago it was
// sent. After any failure the end of the stream is read anew. The deduplication of the
// server (Nats-Msg-Id) makes the repeats of a short outage cheap.
type Publisher struct {
	cfg    Config
	target target
	conn   *nats.Conn
	js     nats.JetStreamContext
	out    *wmnats.Publisher

	mu        sync.Mutex
	known     bool                // what follows is known
	last      uint64              // sequence number of the stream's last message
	published eventstore.Position // everything at or before it is in the stream
	sent      eventstore.Position // the last that this Publisher knows to have been in the stream
	era       string              // behind the ids of messages, see last
}

var _ message.Publisher = (*Publisher)(nil)

// Open returns a Publisher for an address. The server need not be there yet: Publish
// fails until it is.
func Open(cfg Config) (*Publisher, error) {
	t, err := parse(cfg.Address)
	if err != nil {
		return nil, err
	}
	p := &Publisher{cfg: cfg, target: t}
	options := append([]nats.Option{
		nats.Name("chatledger"),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.IgnoreAuthErrorAbort(),
		nats.Timeout(askTimeout),
		// What waits in a buffer while the server is away would be sent when it is back, after
		// its caller has given it up.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { p.log(slog.LevelWarn, "the connection to NATS broke", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { p.log(slog.LevelInfo, "connected to NATS again", nil) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			p.log(slog.LevelWarn, "NATS reports an error", err)
		}),
	}, t.options...)
	if p.conn, err = nats.Connect(t.servers, options...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if p.js, err = p.conn.JetStream(nats.MaxWait(askTimeout)); err == nil {
		p.out, err = wmnats.NewPublisherWithNatsConn(p.conn, wmnats.PublisherPublishConfig{
			Marshaler: marshaler{p}, SubjectCalculator: wmnats.DefaultSubjectCalculator,
			JetStream: wmnats.JetStreamConfig{PublishOptions: []nats.PubOpt{nats.AckWait(ackTimeout), nats.RetryAttempts(0)}},
		}, watermill.NopLogger{})
	}
	if err != nil {
		p.conn.Close()
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return p, nil
}

// Close closes the connection.
func (p *Publisher) Close() error { return p.out.Close() }

// Publish returns when the messages are in the stream, each once. After an error some
// may be; the caller tries again with the one that failed.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		if err := p.publish(topic, m); err != nil {
			p.known = false
			return err
		}
	}
	return nil
}

func (p *Publisher) publish(topic string, m *message.Message) error {
	at, err := publishing.Position(m)
	if err != nil {
		return err
	}
	for again := false; ; again = true {
		if !p.known {
			if err := p.look(m.Context()); err != nil {
				return err
			}
		}
		if at <= p.published {
			return nil
		}
		err := p.out.Publish(p.target.prefix+"."+topic, m)
		if err == nil {
			// Also if the server has found a repeat: an earlier try has come to the same place.
			p.last++
			p.published = at
			p.sent = max(p.sent, at)
			return nil
		}
		p.known = false
		// The server has answered, most likely that the stream is not where it was expected.
		if _, answered := errors.AsType[*nats.APIError](err); again || !answered {
			return fmt.Errorf("publish to stream %s: %w", p.target.stream.Name, err)
		}
	}
}

// look finds out what is in the stream, and makes it if it is missing.
func (p *Publisher) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	name := p.target.stream.Name
	info, err := p.js.StreamInfo(name, nats.Context(ctx))
	missing := errors.Is(err, nats.ErrStreamNotFound)
	if missing {
		made := p.target.stream
		if info, err = p.js.AddStream(&made, nats.Context(ctx)); err == nil {
			p.log(slog.LevelInfo, "made the stream", nil)
		}
	}
	if err != nil {
		return fmt.Errorf("look at stream %s: %w", name, err)
	}
	if !takes(info.Config.Subjects, p.target.prefix) {
		return fmt.Errorf("stream %s takes %q, but not %s", name, info.Config.Subjects, p.target.covers())
	}
	l, err := p.lastEvent(ctx, info.State)
	if err != nil {
		return err
	}
	there := false
	if l.found {
		if there, err = p.cfg.InLog(ctx, l.event); err != nil {
			return err
		}
	}
	p.known, p.last, p.published, p.era = true, info.State.LastSeq, 0, l.era
	switch {
	case there:
		p.published = l.event.Position
	case l.found:
		p.log(slog.LevelWarn, "the last event of the stream is not in the log, which was restored or is another: the stream goes on with this one", nil)
	}
	if (there || missing) && p.published < p.sent {
		p.cfg.Logger.LogAttrs(ctx, slog.LevelError, "NATS has lost events that it had acknowledged: let the reactor publish them again",
			slog.Int64("behind", int64(p.published)), slog.Int64("up_to", int64(p.sent)))
		p.sent = p.published
	}
	return nil
}

// maxForeign is how many messages of others are passed by at the end of the stream.
const maxForeign = 100

// last is the last event in the stream that is one of ours.
type last struct {
	event publishing.Event
	found bool
	// The server knows the ids of messages that were removed, and would take those of the
	// same events for repeats. So they get an ending, which says where it was done.
	era string
}

func (p *Publisher) lastEvent(ctx context.Context, s nats.StreamState) (l last, err error) {
	removed := "/" + strconv.FormatUint(s.LastSeq, 10)
	if s.Msgs == 0 {
		if s.LastSeq > 0 {
			l.era = removed
		}
		return l, nil
	}
	for seq, tries := s.LastSeq, 0; seq >= max(s.FirstSeq, 1); seq, tries = seq-1, tries+1 {
		if tries == maxForeign {
			return l, fmt.Errorf("the last %d messages of stream %s are not of chatledger: it needs one of its own", maxForeign, p.target.stream.Name)
		}
		m, err := p.js.GetMsg(p.target.stream.Name, seq, nats.Context(ctx))
		if errors.Is(err, nats.ErrMsgNotFound) {
			l.era = removed
			continue
		}
		if err != nil {
			return l, fmt.Errorf("read message %d of stream %s: %w", seq, p.target.stream.Name, err)
		}
		if l.event, err = publishing.Decode(m.Data); err != nil {
			continue
		}
		l.found = true
		if _, era, ok := strings.Cut(m.Header.Get(nats.MsgIdHdr), "/"); ok && l.era == "" {
			l.era = "/" + era
		}
		return l, nil
	}
	return l, nil
}

func (p *Publisher) log(level slog.Level, msg string, err error) {
	attrs := []slog.Attr{slog.String("stream", p.target.stream.Name)}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	p.cfg.Logger.LogAttrs(context.Background(), level, msg, attrs...)
}

// marshaler writes a message as NATS carries it. It is called by Publish, which holds
// the lock.
type marshaler struct{ p *Publisher }

// Marshal implements wmnats.Marshaler.
func (w marshaler) Marshal(subject string, m *message.Message) (*nats.Msg, error) {
	out := nats.NewMsg(subject)
	out.Data = m.Payload
	out.Header.Set("Content-Type", publishing.ContentType)
	out.Header.Set(nats.MsgIdHdr, m.UUID+w.p.era)
	out.Header.Set(nats.ExpectedStreamHdr, w.p.target.stream.Name)
	out.Header.Set(nats.ExpectedLastSeqHdr, strconv.FormatUint(w.p.last, 10))
	return out, nil
}
