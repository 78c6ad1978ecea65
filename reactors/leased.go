package reactors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore/feed"
)

// leased is the message.Subscriber of one reactor: a feed that runs while this
// process holds the reactor's lease, for as long as the router runs.
type leased struct {
	host    *Host
	reactor Reactor
	log     *slog.Logger
	stats   *counters

	stop    chan struct{} // closed by Close
	closing sync.Once
	ended   chan struct{} // closed when the subscription has ended
	feed    atomic.Pointer[feed.Feed]
	leading atomic.Bool
}

// errStopped ends work because the host stops.
var errStopped = errors.New("reactors: the host stops")

func newLeased(h *Host, r Reactor, stats *counters) *leased {
	return &leased{
		host: h, reactor: r, log: h.cfg.Logger.With(slog.String("reactor", r.Name)), stats: stats,
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Subscribe implements message.Subscriber. When ctx is done it stops as Close
// does: what was delivered is finished first, since a call to a provider that is
// cut off leaves nobody knowing what became of it.
func (l *leased) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		select {
		case <-ctx.Done():
			l.halt()
		case <-l.ended:
		}
	}()
	go func() {
		defer close(l.ended)
		defer close(out)
		l.run(context.WithoutCancel(ctx), out)
	}()
	return out, nil
}

// Close implements message.Subscriber.
func (l *leased) Close() error {
	l.halt()
	<-l.ended
	return nil
}

func (l *leased) halt() { l.closing.Do(func() { close(l.stop) }) }

func (l *leased) run(ctx context.Context, out chan<- *message.Message) {
	for failures := 0; ; {
		epoch, err := l.acquire(ctx)
		if epoch > 0 {
			err = l.lead(ctx, epoch, out)
		}
		switch {
		case errors.Is(err, errStopped):
			return
		case err != nil:
			failures++
			l.log.LogAttrs(ctx, slog.LevelWarn, "the reactor does not run here", slog.Any("error", err))
		default:
			failures = 0
		}
		if !l.wait(l.host.cfg.LeaseTTL/8 + backoff(l.host.cfg.LeaseTTL, failures)) {
			return
		}
	}
}

func (l *leased) acquire(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.host.cfg.LeaseTTL)
	defer cancel()
	ttl := l.host.cfg.LeaseTTL
	if l.host.cfg.Alone {
		ttl = 0
	}
	return l.host.cfg.Leases.Acquire(ctx, l.reactor.Name, l.host.cfg.Holder, ttl)
}

// lead runs the feed until the host stops or the lease is lost. Either way what
// was delivered is finished first.
func (l *leased) lead(ctx context.Context, epoch int64, out chan<- *message.Message) error {
	defer l.release(ctx, epoch)
	f, err := feed.New(feed.Config{
		Store:       l.host.cfg.Store,
		Checkpoints: inherited{l.host.cfg.Leases.Checkpoints(epoch), l.reactor.Predecessor},
		Consumer:    l.reactor.Name,
		Logger:      l.host.cfg.Logger,
		Categories:  l.reactor.Categories,
		Types:       l.reactor.Types,
		Keys:        l.reactor.keys,
		Window:      l.reactor.Window,
		Drain:       l.host.cfg.Drain,
	})
	if err != nil {
		return err
	}
	if err := l.host.count(ctx, l.reactor, l.stats); err != nil {
		return err
	}
	in, err := f.Subscribe(ctx, l.reactor.Name)
	if err != nil {
		return err
	}
	l.feed.Store(f)
	l.leading.Store(true)
	l.log.LogAttrs(ctx, slog.LevelInfo, "the reactor runs here", slog.Int64("epoch", epoch))

	held, lost := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { l.renew(held, epoch, lost) })
	wg.Go(func() { l.host.retryParked(held, l) })
	if l.reactor.Beside != nil {
		wg.Go(func() { l.beside(held) })
	}
	wg.Go(func() {
		for m := range in {
			out <- m // the router takes messages until out is closed
		}
		lost(f.Wait())
	})
	select {
	case <-l.stop:
		err = errStopped
	case <-held.Done():
		err = context.Cause(held)
	}
	l.leading.Store(false)
	_ = f.Close() // it has no error
	lost(err)
	wg.Wait()
	return err
}

// renew keeps the lease until ctx is done; it calls lost when it was taken over,
// or might have been.
func (l *leased) renew(ctx context.Context, epoch int64, lost context.CancelCauseFunc) {
	ttl := l.host.cfg.LeaseTTL
	tick := time.NewTicker(ttl / 5)
	defer tick.Stop()
	expiry := time.NewTimer(ttl * 3 / 4) // before anybody else can think us dead
	defer expiry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-expiry.C:
			lost(errors.New("reactors: the lease was not renewed in time"))
			return
		case <-tick.C:
		}
		attempt, cancel := context.WithTimeout(ctx, ttl/2)
		held, err := l.host.cfg.Leases.Renew(attempt, l.reactor.Name, epoch)
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			l.log.LogAttrs(ctx, slog.LevelWarn, "renewing the lease failed", slog.Any("error", err))
		case err == nil && !held:
			lost(feed.ErrFenced)
			return
		case err == nil:
			expiry.Reset(ttl * 3 / 4)
		}
	}
}

// beside runs what the reactor does beside its events, until ctx is done.
func (l *leased) beside(ctx context.Context) {
	for failures := 0; ; failures++ {
		began := l.host.cfg.Now()
		err := recovered(ctx, l.reactor.Beside)
		if ctx.Err() != nil {
			return
		}
		l.log.LogAttrs(ctx, slog.LevelWarn, "what runs beside the events failed", slog.Any("error", err))
		if l.host.cfg.Now().Sub(began) > l.reactor.Retry.Max {
			failures = 0
		}
		t := time.NewTimer(l.reactor.Retry.pause(failures+1, err))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// recovered makes an error of a panic.
func recovered(ctx context.Context, run func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return run(ctx)
}

func (l *leased) release(ctx context.Context, epoch int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.host.cfg.LeaseTTL)
	defer cancel()
	if err := l.host.cfg.Leases.Release(ctx, l.reactor.Name, epoch); err != nil {
		l.log.LogAttrs(ctx, slog.LevelWarn, "releasing the lease failed", slog.Any("error", err))
	}
}

// wait returns false if the host stops first.
func (l *leased) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.stop:
		return false
	}
}

// backoff returns 100 ms, doubled with each failure after the first, at most
// most.
func backoff(most time.Duration, failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(most, 100*time.Millisecond<<min(failures-1, 20))
}

// inherited begins, where a reactor has no checkpoint, at its predecessor's.
type inherited struct {
	feed.Checkpoints
	predecessor string
}

func (c inherited) Load(ctx context.Context, consumer string) (feed.Checkpoint, error) {
	at, err := c.Checkpoints.Load(ctx, consumer)
	if err != nil || at.Store != uuid.Nil || c.predecessor == "" {
		return at, err
	}
	return c.Checkpoints.Load(ctx, c.predecessor)
}
