package eventstoretest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
)

// Outages has the trial's Disturb keep everybody from appending now and then, from
// begin to end. In each of these times appends come to a standstill and whoever
// opens the log reads all of it; afterwards appends succeed again.
func (tr *Trial) Outages(t testing.TB, begin, end func() error) {
	var survived atomic.Int32
	tr.Enough = func() bool { return survived.Load() > 0 }
	tr.Disturb = func(ctx context.Context) {
		s, err := tr.Open(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		defer shut(s)
		o := outage{s, tr.Open, begin, end}
		for rest(ctx, 100*time.Millisecond); ctx.Err() == nil; rest(ctx, 100*time.Millisecond) {
			err := o.run(ctx)
			switch {
			case ctx.Err() != nil: // the writers have ended in the midst of it
			case err != nil:
				t.Errorf("outage %d: %v", survived.Load()+1, err)
				return
			default:
				survived.Add(1)
			}
		}
		t.Logf("%d outages were survived", survived.Load())
		if survived.Load() == 0 {
			t.Error("no outage was survived")
		}
	}
}

type outage struct {
	eventstore.Store

	open       func(context.Context) (eventstore.Store, error)
	begin, end func() error
}

// run is one outage. It is over when run returns.
func (o outage) run(ctx context.Context) error {
	if err := o.begin(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	head, err := o.standstill(ctx)
	if err == nil {
		err = o.readable(ctx, head)
	}
	if e := o.end(); e != nil {
		return fmt.Errorf("end: %w", e)
	}
	if err != nil {
		return err
	}
	_, err = o.await(ctx, "appends to succeed again", func(now eventstore.Position) bool { return now > head })
	return err
}

// standstill waits until the log does not grow any more.
func (o outage) standstill(ctx context.Context) (eventstore.Position, error) {
	var last eventstore.Position
	same := 0
	return o.await(ctx, "appends to come to a standstill", func(now eventstore.Position) bool {
		same++
		if now != last {
			last, same = now, 0
		}
		return same == 10
	})
}

// await asks for the head until it is as wanted, and returns it.
func (o outage) await(ctx context.Context, what string, wanted func(eventstore.Position) bool) (eventstore.Position, error) {
	for deadline := time.Now().Add(catchUpFor); ; rest(ctx, 10*time.Millisecond) {
		head, err := o.Head(ctx)
		switch {
		case err != nil:
			return 0, err
		case wanted(head.Position):
			return head.Position, nil
		case time.Now().After(deadline):
			return 0, fmt.Errorf("waited %s for %s, at %d", catchUpFor, what, head.Position)
		}
	}
}

// readable reads the whole log as a process does that has just begun.
func (o outage) readable(ctx context.Context, head eventstore.Position) error {
	s, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer shut(s)
	var last eventstore.Position
	for r, err := range s.ReadAll(ctx, eventstore.AllQuery{}) {
		if err != nil {
			return fmt.Errorf("read behind %d: %w", last, err)
		}
		last = r.Position
	}
	if last < head {
		return fmt.Errorf("read up to %d, want %d", last, head)
	}
	return nil
}
