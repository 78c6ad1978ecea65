package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chatledger/chatledger/eventstore"
)

// leaseName is the lease of whoever extends the tree.
const leaseName = "audit.v1"

// Run extends the tree with what is appended to the log, and signs it now and then,
// until ctx ends. Of several processes one does; the others wait. What fails is
// logged and tried again.
func (t *Tree) Run(ctx context.Context) error {
	ttl := t.cfg.LeaseTTL
	if t.cfg.Alone {
		ttl = 0
	}
	said := ""
	for ctx.Err() == nil {
		epoch, err := t.cfg.Leases.Acquire(ctx, leaseName, t.cfg.Holder, ttl)
		if err == nil && epoch > 0 {
			err = t.lead(ctx, epoch)
		}
		if err != nil && ctx.Err() == nil && err.Error() != said { // once, not again and again
			said = err.Error()
			t.cfg.Logger.LogAttrs(ctx, slog.LevelError, "the tree of proofs is not extended", slog.Any("error", err))
		}
		pause(ctx, t.cfg.LeaseTTL/4)
	}
	return nil
}

// acquireSoon returns the lease, for which it waits until a holder that has died
// must have been given up.
func (t *Tree) acquireSoon(ctx context.Context) (epoch int64, err error) {
	ttl := t.cfg.LeaseTTL
	if t.cfg.Alone {
		ttl = 0
	}
	for end := t.cfg.Now().Add(2 * t.cfg.LeaseTTL); t.cfg.Now().Before(end); {
		if epoch, err = t.cfg.Leases.Acquire(ctx, leaseName, t.cfg.Holder, ttl); err != nil || epoch > 0 {
			return epoch, err
		}
		if !pause(ctx, t.cfg.LeaseTTL/8) {
			return 0, context.Cause(ctx)
		}
	}
	return 0, ErrRuns
}

// pause returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lead extends the tree while this process has the lease. The lease saves work;
// what keeps the tree whole is that save proves where it was.
func (t *Tree) lead(ctx context.Context, epoch int64) error {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.LeaseTTL)
		defer cancel()
		if err := t.cfg.Leases.Release(ctx, leaseName, epoch); err != nil {
			t.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "the lease of the tree is not released", slog.Any("error", err))
		}
	}()
	held, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	var wg sync.WaitGroup
	for _, work := range []func(context.Context) error{
		t.extend,
		t.signNowAndThen,
		func(ctx context.Context) error { return t.renew(ctx, epoch) },
	} {
		wg.Go(func() { lost(work(held)) }) // the first that ends, ends them all
	}
	wg.Wait()
	return context.Cause(held)
}

// renew keeps the lease, until it is lost or might be.
func (t *Tree) renew(ctx context.Context, epoch int64) error {
	failed := 0
	for pause(ctx, t.cfg.LeaseTTL/5) {
		attempt, cancel := context.WithTimeout(ctx, t.cfg.LeaseTTL/5)
		held, err := t.cfg.Leases.Renew(attempt, leaseName, epoch)
		cancel()
		switch {
		case err == nil && !held:
			return errors.New("another process has the lease")
		case err == nil:
			failed = 0
		case failed == 1:
			return fmt.Errorf("renew lease: %w", err)
		default:
			failed++
		}
	}
	return context.Cause(ctx)
}

// extend follows the log from where the tree ends.
func (t *Tree) extend(ctx context.Context) error {
	s, err := t.state(ctx)
	if err != nil {
		return err
	}
	head, err := t.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of log: %w", err)
	}
	if err := t.check(ctx, s, head); err != nil {
		return err
	}
	e, err := t.loadEdge(ctx, s)
	if err != nil {
		return err
	}
	var buffer []byte
	last := s.Position
	for r, err := range t.cfg.Store.ReadAll(ctx, eventstore.AllQuery{After: s.Position, Follow: true}) {
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if !r.IsMark() {
			h, b := leafHash(buffer, r)
			e.add(h, r.Position)
			last, buffer = r.Position, b
			if e.size-s.Size < int64(t.cfg.Batch) {
				continue
			}
		}
		if e.size == s.Size {
			continue
		}
		if s, err = t.save(ctx, s, e, last); err != nil {
			return err
		}
		// At the end of the log: let some events gather, rather than have a
		// transaction for each.
		if r.IsMark() && !pause(ctx, t.cfg.Pace) {
			return context.Cause(ctx)
		}
	}
	return errors.New("the log has ended") // which a following read does not
}

// signNowAndThen signs the tree, at intervals, if it has grown.
func (t *Tree) signNowAndThen(ctx context.Context) error {
	for {
		s, err := t.state(ctx)
		if err != nil {
			return err
		}
		if s.Size > 0 {
			_, err := t.CheckpointAt(ctx, s.Size)
			if errors.Is(err, ErrNoCheckpoint) {
				_, err = t.sign(ctx, s)
			}
			if err != nil {
				return err
			}
		}
		if !pause(ctx, t.cfg.Every) {
			return context.Cause(ctx)
		}
	}
}

// Wait returns when the tree has the events up to a position, or ctx ends.
func (t *Tree) Wait(ctx context.Context, at eventstore.Position) error {
	const between = 50 * time.Millisecond
	for {
		s, err := t.state(ctx)
		if err != nil || s.Position >= at {
			return err
		}
		if !pause(ctx, between) {
			return context.Cause(ctx)
		}
	}
}
