package gateway

import (
	"context"
	"errors"
	"sync"
	"time"
)

// readers are the reads and subscriptions under way: how many there may be, and a
// way to end those whose token is no longer good.
type readers struct {
	mu     sync.Mutex
	free   int
	open   map[*reader]struct{}
	closed bool
}

type reader struct {
	secret string
	end    context.CancelCauseFunc
}

// Why a read is ended from outside.
var (
	errTooMany  = errors.New("gateway: too many reads at the same time")
	errStopping = errors.New("gateway: the server shuts down")
	errRevoked  = errors.New("gateway: the token is no longer valid")
)

func newReaders(most int) *readers {
	return &readers{free: most, open: map[*reader]struct{}{}}
}

// begin returns the context of a read for the bearer of a secret, and what ends it.
func (rs *readers) begin(ctx context.Context, secret string) (context.Context, func(), error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	switch {
	case rs.closed:
		return nil, nil, errStopping
	case rs.free == 0:
		return nil, nil, errTooMany
	}
	ctx, end := context.WithCancelCause(ctx)
	r := &reader{secret, end}
	rs.free--
	rs.open[r] = struct{}{}
	return ctx, func() {
		end(nil)
		rs.mu.Lock()
		defer rs.mu.Unlock()
		rs.free++
		delete(rs.open, r)
	}, nil
}

// end ends all reads, and refuses new ones.
func (rs *readers) end() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.closed = true
	for r := range rs.open {
		r.end(errStopping)
	}
}

// recheck looks at the secrets of all reads now and then, until ctx ends, and ends
// those that may no longer read. A check that fails for another reason ends none.
func (rs *readers) recheck(ctx context.Context, every time.Duration, check func(context.Context, string) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		rs.mu.Lock()
		bearers := map[string][]*reader{}
		for r := range rs.open {
			bearers[r.secret] = append(bearers[r.secret], r)
		}
		rs.mu.Unlock()
		for secret, theirs := range bearers {
			soon, cancel := context.WithTimeout(ctx, every)
			err := check(soon, secret)
			cancel()
			if !errors.Is(err, ErrUnauthenticated) && !errors.Is(err, ErrForbidden) {
				continue
			}
			for _, r := range theirs {
				r.end(errRevoked)
			}
		}
	}
}
