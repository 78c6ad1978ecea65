package reactors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
)

// errBehind parks an event because an earlier one of its key is parked.
var errBehind = errors.New("waits behind an earlier event of its key")

// errNotItsTurn says that it could not be found out whether an event may be
// handled: it comes again. Parking it would blame the event.
var errNotItsTurn = errors.New("reactors: cannot tell what is parked")

const parkedPage = 100

// holds are the keys that a parked event blocks.
func (r Reactor) holds(e eventstore.Recorded) []string {
	if r.Unordered {
		return nil
	}
	return r.keys(e)
}

// count sets the number of parked events.
func (h *Host) count(ctx context.Context, r Reactor, c *counters) error {
	n, err := h.cfg.Parking.CountParked(ctx, r.Name)
	if err != nil {
		return err
	}
	c.parked.Store(int64(n.Events))
	return nil
}

// inTurn keeps an event behind those of its keys that are parked, and away from
// a second try of one of them.
func (h *Host) inTurn(l *leased) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			e, err := feed.Recorded(m)
			if err != nil {
				return nil, err
			}
			keys := l.reactor.holds(e)
			defer h.locks.lock(l.reactor.Name, keys)()
			if len(keys) > 0 && l.stats.parked.Load() > 0 {
				// The event itself may be there: parked, and delivered again since
				// the checkpoint was not saved. Then it stays there.
				found, err := h.cfg.Parking.ListParked(m.Context(), ParkedQuery{Reactor: l.reactor.Name, Keys: keys, Limit: 1})
				if err != nil {
					l.log.LogAttrs(m.Context(), slog.LevelWarn, "looking for parked events failed", slog.Any("error", err))
					return nil, fmt.Errorf("%w: %w", errNotItsTurn, err)
				}
				switch {
				case len(found) == 0 || found[0].Position > e.Position:
				case found[0].Position == e.Position:
					return nil, nil
				default:
					return nil, errBehind
				}
			}
			return next(m)
		}
	}
}

// parkedQueue is the poison queue of one reactor: the table of parked events.
type parkedQueue struct {
	host *Host
	l    *leased
}

// Publish implements message.Publisher.
func (q parkedQueue) Publish(_ string, messages ...*message.Message) error {
	for _, m := range messages {
		e, err := feed.Recorded(m)
		if err != nil {
			return err
		}
		if err := q.host.park(m.Context(), q.l, e, m.Metadata[middleware.ReasonForPoisonedKey]); err != nil {
			return err
		}
	}
	return nil
}

// Close implements message.Publisher.
func (parkedQueue) Close() error { return nil }

func (h *Host) park(ctx context.Context, l *leased, e eventstore.Recorded, reason string) error {
	// The count goes first: whoever is next must look. It stays if parking fails,
	// which may have taken effect all the same; retryParked counts again.
	l.stats.parked.Add(1)
	err := h.cfg.Parking.Park(ctx, Parked{
		Reactor: l.reactor.Name, Position: e.Position, Stream: e.Stream, Event: e.ID, Type: e.Type,
		Keys: l.reactor.holds(e), Error: reason, At: h.cfg.Now(),
	})
	if err != nil {
		return err
	}
	return h.count(ctx, l.reactor, l.stats)
}

// retryParked gives parked events another try when somebody asks for it, until
// ctx is done.
func (h *Host) retryParked(ctx context.Context, l *leased) {
	for h.pause(ctx, h.cfg.Poll) == nil {
		n, err := h.cfg.Parking.CountParked(ctx, l.reactor.Name)
		if err == nil {
			l.stats.parked.Store(int64(n.Events))
			if n.Retry > 0 {
				err = h.retryAll(ctx, l)
			}
		}
		if err != nil && ctx.Err() == nil {
			l.log.LogAttrs(ctx, slog.LevelWarn, "trying parked events again failed", slog.Any("error", err))
		}
	}
}

// retryAll handles, in order, the parked events for which it was asked, and
// those that only wait behind them. After a failure the later ones of the same
// keys wait on.
func (h *Host) retryAll(ctx context.Context, l *leased) error {
	blocked := map[string]bool{}
	for after := eventstore.Position(0); ; {
		list, err := h.cfg.Parking.ListParked(ctx, ParkedQuery{Reactor: l.reactor.Name, After: after, Limit: parkedPage})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			after = p.Position
			wanted := p.Retry || p.Error == errBehind.Error()
			wanted = wanted && !slices.ContainsFunc(p.Keys, func(k string) bool { return blocked[k] })
			done := false
			if wanted {
				if done, err = h.retryOne(ctx, l, p); err != nil {
					return err
				}
			}
			if !done {
				for _, k := range p.Keys {
					blocked[k] = true
				}
			}
		}
	}
}

// retryOne reports whether the event was handled.
func (h *Host) retryOne(ctx context.Context, l *leased, p Parked) (bool, error) {
	defer h.locks.lock(l.reactor.Name, p.Keys)()
	reason := fmt.Errorf("the log has no event %s in %s", p.Event, p.Stream)
	for e, err := range h.cfg.Store.ReadStream(ctx, p.Stream, eventstore.StreamQuery{Event: p.Event, Limit: 1}) {
		if err != nil {
			return false, fmt.Errorf("read %s: %w", p.Stream, err)
		}
		reason = handleSafely(ctx, l.reactor, e)
	}
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case reason == nil:
		l.stats.handled.Add(1)
		if err := h.cfg.Parking.Unpark(ctx, l.reactor.Name, p.Position); err != nil {
			return false, err
		}
		return true, h.count(ctx, l.reactor, l.stats)
	}
	p.Error = reason.Error()
	return false, h.cfg.Parking.Park(ctx, p)
}

// handleSafely turns a panic into an error.
func handleSafely(ctx context.Context, r Reactor, e eventstore.Recorded) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reactors: %s panicked: %v", r.Name, p)
		}
	}()
	return r.Handle(ctx, e)
}

// keyLocks lets one goroutine at a time work on a key. The zero value is ready.
type keyLocks struct {
	mu   sync.Mutex
	held map[string]*keyLock
}

type keyLock struct {
	sync.Mutex
	users int
}

// lock waits for all keys and returns what lets go of them.
func (l *keyLocks) lock(scope string, keys []string) (unlock func()) {
	keys = slices.Clone(keys)
	slices.Sort(keys) // the same order for all: nobody waits in a circle
	keys = slices.Compact(keys)
	var taken []*keyLock
	for _, k := range keys {
		k = scope + " " + k
		l.mu.Lock()
		if l.held == nil {
			l.held = map[string]*keyLock{}
		}
		lock := l.held[k]
		if lock == nil {
			lock = &keyLock{}
			l.held[k] = lock
		}
		lock.users++
		l.mu.Unlock()
		lock.Lock()
		taken = append(taken, lock)
	}
	return func() {
		for i, k := range keys {
			k = scope + " " + k
			taken[i].Unlock()
			l.mu.Lock()
			if taken[i].users--; taken[i].users == 0 {
				delete(l.held, k)
			}
			l.mu.Unlock()
		}
	}
}
