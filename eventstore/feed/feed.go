// Package feed delivers the log to Watermill: a message.Subscriber over an
// eventstore.Store, with a checkpoint.
//
// Delivery is at least once and in the order of the log. Messages that share a
// key wait for each other's Ack; others go in parallel. The package does not
// know what an event means, and it never writes to the log.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// Checkpoint is how far a consumer got in which log: everything at or before
// Position was acknowledged, or did not match.
//
// When a log is found to be an older backup of itself, Store becomes uuid.Max
// and Position where the backup ends: until somebody says from where the
// consumer goes on, it is refused.
type Checkpoint struct {
	Store    uuid.UUID // zero: there is no checkpoint yet; uuid.Max: see below
	Position eventstore.Position
}

// Checkpoints keeps the checkpoints of consumers by name.
type Checkpoints interface {
	// Load returns the zero Checkpoint for a consumer that has none.
	Load(ctx context.Context, consumer string) (Checkpoint, error)

	// Save replaces the checkpoint. ErrFenced says that another process took the
	// consumer over: the feed ends.
	Save(ctx context.Context, consumer string, c Checkpoint) error
}

// Errors, to be tested with errors.Is.
var (
	ErrOtherLog = errors.New("feed: the checkpoint belongs to another log")
	ErrFenced   = errors.New("feed: another process took the consumer over")
	ErrClosed   = errors.New("feed: closed")
	ErrBusy     = errors.New("feed: already subscribed")
)

// Config says what a Feed delivers and how. Store, Checkpoints, Consumer and
// Logger are required.
type Config struct {
	Store       eventstore.Store
	Checkpoints Checkpoints
	Consumer    string // names the checkpoint; also the topic
	Logger      *slog.Logger

	Categories []string // if not empty: only streams of these categories
	Types      []string // if not empty: only events of these types

	// Start is where a consumer without a checkpoint begins: behind it.
	Start eventstore.Position

	// Keys returns the keys of an event: events that share one are delivered one
	// after the other. Nil means the stream.
	Keys func(eventstore.Recorded) []string

	// Window is how many events are held at most that were read and not yet
	// acknowledged, those that wait for a key among them. Default 256.
	Window int

	// Ahead is how far, in events, the feed goes on behind one that is not
	// acknowledged; it remembers their positions. Default 16 × Window.
	Ahead int

	SaveEvery    time.Duration // between two saves of the checkpoint; default 1 s
	RedeliverMin time.Duration // before the first redelivery after a Nack, doubled each time; default 100 ms
	RedeliverMax time.Duration // default 10 s
	Drain        time.Duration // how long Close waits for the Acks of what was delivered; default 10 s
}

func (c *Config) setDefaults() {
	defaultTo(&c.Window, 256)
	defaultTo(&c.Ahead, 16*c.Window)
	defaultTo(&c.SaveEvery, time.Second)
	defaultTo(&c.RedeliverMin, 100*time.Millisecond)
	defaultTo(&c.RedeliverMax, 10*time.Second)
	defaultTo(&c.Drain, 10*time.Second)
	if c.Keys == nil {
		c.Keys = func(r eventstore.Recorded) []string { return []string{r.Stream} }
	}
}

func defaultTo[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Validate says what is missing.
func (c Config) Validate() error {
	switch {
	case c.Store == nil:
		return errors.New("feed: no store")
	case c.Checkpoints == nil:
		return errors.New("feed: no checkpoints")
	case c.Consumer == "":
		return errors.New("feed: no consumer")
	case c.Logger == nil:
		return errors.New("feed: no logger")
	}
	return nil
}

// Status is where a feed stands.
type Status struct {
	Checkpoint eventstore.Position // everything at or before it is done
	InFlight   int                 // delivered and not yet acknowledged
	Waiting    int                 // read, and waiting for a key
}

// Feed is a message.Subscriber for one consumer. It is safe for concurrent use.
type Feed struct {
	cfg  Config
	stop chan struct{}

	mu     sync.Mutex
	closed bool
	sub    *subscription // the one that runs, or ran last

	status atomic.Pointer[Status]
}

var _ message.Subscriber = (*Feed)(nil)

// New returns a Feed. Nothing runs until Subscribe.
func New(cfg Config) (*Feed, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	f := &Feed{cfg: cfg, stop: make(chan struct{})}
	f.status.Store(&Status{})
	return f, nil
}

// Subscribe begins to deliver behind the checkpoint. The topic must be the
// consumer's name, and one subscription runs at a time.
//
// The channel is closed when ctx is done, after Close, when the store is closed,
// or when another process took the consumer over; Err says which. When ctx is
// done so are the contexts of the messages. What is not acknowledged by then is
// delivered again by the next Subscribe.
func (f *Feed) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic != f.cfg.Consumer {
		return nil, fmt.Errorf("feed: topic %q, want the consumer's name %q", topic, f.cfg.Consumer)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	if f.sub != nil {
		select {
		case <-f.sub.ended:
		default:
			return nil, ErrBusy
		}
	}
	from, err := f.load(ctx)
	if err != nil {
		return nil, err
	}
	f.sub = newSubscription(f, from)
	go f.sub.run(ctx)
	return f.sub.out, nil
}

// load returns the checkpoint to begin at, with the store's id filled in.
func (f *Feed) load(ctx context.Context) (Checkpoint, error) {
	c, err := f.cfg.Checkpoints.Load(ctx, f.cfg.Consumer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("feed: load checkpoint of %s: %w", f.cfg.Consumer, err)
	}
	head, err := f.cfg.Store.Head(ctx)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("feed: read head of the log: %w", err)
	}
	switch {
	case c.Store == uuid.Nil:
		return Checkpoint{Store: head.Store, Position: f.cfg.Start}, nil
	case c.Store == uuid.Max:
		return Checkpoint{}, fmt.Errorf("%w: %s was beyond %d when a backup was restored that ends there", ErrOtherLog, f.cfg.Consumer, c.Position)
	case c.Store != head.Store:
		return Checkpoint{}, fmt.Errorf("%w: %s is at %d of %s, the log is %s", ErrOtherLog, f.cfg.Consumer, c.Position, c.Store, head.Store)
	case c.Position > head.Position:
		err := fmt.Errorf("%w: %s is at %d, the log ends at %d", ErrOtherLog, f.cfg.Consumer, c.Position, head.Position)
		// It grows past the checkpoint again, with other events: these must not be
		// taken for done.
		return Checkpoint{}, errors.Join(err, f.cfg.Checkpoints.Save(ctx, f.cfg.Consumer, Checkpoint{Store: uuid.Max, Position: head.Position}))
	}
	return c, nil
}

// Close stops delivering, closes the channel, waits for the Acks of what was
// delivered (at most Config.Drain) and saves the checkpoint.
func (f *Feed) Close() error {
	f.mu.Lock()
	sub := f.sub
	if !f.closed {
		f.closed = true
		close(f.stop)
	}
	f.mu.Unlock()
	if sub != nil {
		<-sub.ended
	}
	return nil
}

// Status returns where the feed stands.
func (f *Feed) Status() Status { return *f.status.Load() }

// Wait returns when the last subscription has ended, its checkpoint saved, and
// says why it did.
func (f *Feed) Wait() error {
	f.mu.Lock()
	sub := f.sub
	f.mu.Unlock()
	if sub == nil {
		return nil
	}
	<-sub.ended
	return sub.err
}
