// Package reactors hosts whatever answers an event with a side effect or a
// command: one file for each reactor, all on one Watermill router that is fed
// by the log.
//
// The log is the outbox: an effect's key is the reactor and the event's
// position. A reactor never reads a view, never runs in a rebuild, and skips
// nothing: what it cannot handle is parked, counted and can be tried again.
package reactors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
)

// Config is what New needs. Store, Leases, Parking, Logger, Now and Holder have
// no default.
type Config struct {
	Store    eventstore.Store
	Reactors []Reactor
	Leases   Leases
	Parking  Parking
	Logger   *slog.Logger
	Now      func() time.Time
	Holder   string // names this process in the leases

	// Alone says that no other process can be running reactors on this log: then
	// the lease of one that died is not waited for.
	Alone bool

	LeaseTTL time.Duration // how long a dead process keeps its reactors; default 5 s
	Drain    time.Duration // how long Run waits at its end for what is under way; default 8 s
	Poll     time.Duration // how often parked events are looked at for another try; default 1 s
}

func (c *Config) setDefaults() {
	if c.LeaseTTL <= 0 {
		c.LeaseTTL = 5 * time.Second
	}
	if c.Drain <= 0 {
		c.Drain = 8 * time.Second
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
}

// Validate says what is missing.
func (c Config) Validate() error {
	switch {
	case c.Store == nil || c.Leases == nil || c.Parking == nil || c.Logger == nil || c.Now == nil:
		return errors.New("reactors: the store, leases, parking, logger and clock are required")
	case c.Holder == "":
		return errors.New("reactors: the holder needs a name")
	}
	for i, r := range c.Reactors {
		if err := r.validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(c.Reactors[:i], func(o Reactor) bool { return o.Name == r.Name }) {
			return fmt.Errorf("reactors: two are called %s", r.Name)
		}
	}
	return nil
}

// Stats is a reactor in numbers, counted since the process began but for Parked.
type Stats struct {
	Reactor  string
	Running  bool                // in this process
	Position eventstore.Position // everything at or before it is done; 0 if not running
	InFlight int
	Handled  int64 // events
	Retried  int64 // tries after a failure
	Failed   int64 // events that were parked or given up
	Parked   int64 // events that are parked now, as far as this process knows
}

type counters struct{ handled, retried, failed, parked atomic.Int64 }

// Host runs reactors. It is made for one Run.
type Host struct {
	cfg   Config
	parts []*leased
	locks keyLocks
	stop  chan struct{} // closed when Run is to end
}

// New returns a Host. Nothing runs until Run.
func New(cfg Config) (*Host, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, stop: make(chan struct{})}
	for _, r := range cfg.Reactors {
		r.Retry.setDefaults()
		h.parts = append(h.parts, newLeased(h, r, &counters{}))
	}
	return h, nil
}

// Stats returns the numbers of every reactor.
func (h *Host) Stats() []Stats {
	list := make([]Stats, len(h.parts))
	for i, l := range h.parts {
		s := Stats{
			Reactor: l.reactor.Name, Running: l.leading.Load(),
			Handled: l.stats.handled.Load(), Retried: l.stats.retried.Load(),
			Failed: l.stats.failed.Load(), Parked: l.stats.parked.Load(),
		}
		if f := l.feed.Load(); f != nil && s.Running {
			st := f.Status()
			s.Position, s.InFlight = st.Checkpoint, st.InFlight
		}
		list[i] = s
	}
	return list
}

// Run runs the reactors until ctx is done; then it lets what is under way
// finish, for Config.Drain at most, and returns nil. It may be called once.
func (h *Host) Run(ctx context.Context) error {
	if len(h.parts) == 0 {
		<-ctx.Done()
		return nil
	}
	logger := watermill.NewSlogLoggerWithLevelMapping(h.cfg.Logger, map[slog.Level]slog.Level{
		slog.LevelInfo:  slog.LevelDebug, // the router's comings and goings
		slog.LevelError: slog.LevelDebug, // failed handlers: logged here, with what they are about
	})
	// Handlers stop with their feeds: Drain, and a little for their last words.
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: h.cfg.Drain + 2*time.Second}, logger)
	if err != nil {
		return fmt.Errorf("make router: %w", err)
	}
	for _, l := range h.parts {
		poison, err := middleware.PoisonQueueWithFilter(parkedQueue{h, l}, l.reactor.Name, worthParking)
		if err != nil {
			return fmt.Errorf("make poison queue of %s: %w", l.reactor.Name, err)
		}
		handler := router.AddConsumerHandler(l.reactor.Name, l.reactor.Name, l, func(m *message.Message) error {
			e, err := feed.Recorded(m)
			if err != nil {
				return Permanent(err)
			}
			return l.reactor.Handle(m.Context(), e)
		})
		handler.AddMiddleware(poison, h.inTurn(l), h.retry(l), middleware.Recoverer)
	}
	end := context.AfterFunc(ctx, func() {
		close(h.stop)
		if err := router.Close(); err != nil {
			h.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "reactors did not end in time", slog.Any("error", err))
		}
	})
	defer end()
	if err := router.Run(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("run reactors: %w", err)
	}
	return nil
}

// worthParking tells failures of the event from the end of the host, and from
// those that say nothing about the event.
func worthParking(err error) bool {
	return !errors.Is(err, context.Canceled) && !errors.Is(err, errStopped) && !errors.Is(err, errNotItsTurn)
}

// retry tries again with growing pauses. Watermill's own middleware knows
// neither a provider's Retry-After nor an early end of the pause when the host
// stops.
func (h *Host) retry(l *leased) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			ctx := m.Context()
			for try := 1; ; try++ {
				_, err := next(m)
				if err == nil {
					l.stats.handled.Add(1)
					return nil, nil
				}
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				if errors.Is(err, errStopped) {
					return nil, err
				}
				log := l.log.With(slog.String("position", m.Metadata[feed.MetaPosition]), slog.String("type", m.Metadata[feed.MetaType]),
					slog.String("correlation", m.Metadata[feed.MetaCorrelation]), slog.Int("try", try))
				if p := (*permanentError)(nil); errors.As(err, &p) || try >= l.reactor.Retry.Tries {
					return nil, h.giveUp(ctx, l, m, err, log)
				}
				pause := l.reactor.Retry.pause(try, err)
				log.LogAttrs(ctx, slog.LevelWarn, "handling an event failed", slog.Duration("pause", pause), slog.Any("error", err))
				l.stats.retried.Add(1)
				if err := h.pause(ctx, pause); err != nil {
					return nil, err
				}
			}
		}
	}
}

func (h *Host) giveUp(ctx context.Context, l *leased, m *message.Message, last error, log *slog.Logger) error {
	l.stats.failed.Add(1)
	if l.reactor.GiveUp != nil {
		e, err := feed.Recorded(m)
		if err == nil {
			if err = l.reactor.GiveUp(ctx, e, last); err == nil {
				log.LogAttrs(ctx, slog.LevelWarn, "gave an event up", slog.Any("error", last))
				return nil
			}
		}
		last = errors.Join(last, err)
	}
	log.LogAttrs(ctx, slog.LevelError, "parked an event", slog.Any("error", last))
	return last
}

// pause returns an error if the host stops first.
func (h *Host) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-h.stop:
		return errStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
