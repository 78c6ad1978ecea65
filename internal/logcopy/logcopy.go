// Package logcopy copies a log into another one: the same events, in the same order,
// at the same revisions, byte for byte.
//
// How far a copy has come is read from the target itself, never from a note beside
// it: what the target holds has to be how the source begins. So a copy may be killed
// at any moment and run again, and one that did not begin as a copy is refused.
//
// It must not know what the events mean.
package logcopy

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/eventstore"
)

// Bounds of what is read and added at a time. A single event may be larger.
const (
	batchEvents = 4_000
	batchBytes  = 8 << 20
	batchesRead = 2 // ahead of those that are being added
)

// maxRounds is how often the end of the source is looked at again: somebody who
// writes faster than this can copy would never let it end.
const maxRounds = 10

// Phase is what a copy is doing.
type Phase string

// The phases of a copy, in their order. Verify has the first alone.
const (
	Comparing Phase = "comparing" // what both logs hold
	Copying   Phase = "copying"
	Verifying Phase = "verifying" // what was copied, read back
)

// Progress is how far a phase has come.
type Progress struct {
	Phase  Phase
	Events int // since it began
	// The phase goes from one position of the source to another.
	From, At, To eventstore.Position
}

// Result is what came of a copy.
type Result struct {
	Found   int  // events that were in the target before
	Copied  int  // events that were added
	Dated   int  // of both: to which the target gave a time of its own
	Growing bool // the source has more by now: somebody writes to it
}

// DifferentError reports a target that is no copy of the source.
type DifferentError struct {
	Source, Target *eventstore.Recorded // at the same place; nil where the log has ended
	Field          string               // in which they differ, if both are there
}

func (e *DifferentError) Error() string {
	switch {
	case e.Target == nil:
		return "the target ends before " + describe(e.Source) + " of the source"
	case e.Source == nil:
		return "the target has " + describe(e.Target) + " behind all that the source has"
	}
	return fmt.Sprintf("the target holds something else: it has %s where the source has %s: %s differs", describe(e.Target), describe(e.Source), e.Field)
}

func describe(r *eventstore.Recorded) string {
	return fmt.Sprintf("%s, revision %d of %s (event %s, position %d)", r.Type, r.Revision, r.Stream, r.ID, r.Position)
}

// Copier copies from one log to another. It is used once.
type Copier struct {
	From, To eventstore.Store
	Report   func(Progress) // called now and then, by one goroutine at a time; may be nil

	at, in eventstore.Position // up to where both are known to be the same, in the source and in the target
	res    Result
}

// Copy brings the target to where the source ends. What is in the target already is
// compared first, and what was added is read back and compared.
func (c *Copier) Copy(ctx context.Context) (Result, error) {
	head, err := c.head(ctx)
	if err != nil {
		return c.res, err
	}
	if c.res.Found, err = c.compare(ctx, Comparing, head); err != nil {
		return c.res, err
	}
	for range maxRounds {
		if c.res.Growing = c.at < head; !c.res.Growing {
			return c.res, nil
		}
		if err := c.add(ctx, head); err != nil {
			return c.res, err
		}
		if _, err := c.compare(ctx, Verifying, head); err != nil {
			return c.res, err
		}
		if c.at < head {
			return c.res, fmt.Errorf("the target has lost what was added to it behind position %d of the source", c.at)
		}
		if head, err = c.head(ctx); err != nil {
			return c.res, err
		}
	}
	c.res.Growing = c.at < head
	return c.res, nil
}

// Verify compares both logs, and adds nothing. One that is not a whole copy is a
// *DifferentError.
func (c *Copier) Verify(ctx context.Context) (Result, error) {
	head, err := c.head(ctx)
	if err != nil {
		return c.res, err
	}
	if c.res.Found, err = c.compare(ctx, Comparing, head); err != nil {
		return c.res, err
	}
	for r, err := range c.From.ReadAll(ctx, eventstore.AllQuery{After: c.at, Limit: 1}) {
		if err != nil {
			return c.res, fmt.Errorf("read source: %w", err)
		}
		return c.res, &DifferentError{Source: &r}
	}
	return c.res, nil
}

func (c *Copier) head(ctx context.Context) (eventstore.Position, error) {
	head, err := c.From.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("read head of source: %w", err)
	}
	return head.Position, nil
}

// compare goes on through both logs until the target ends, and returns how many
// events they share there. to is where the source ends, as far as is known.
func (c *Copier) compare(ctx context.Context, phase Phase, to eventstore.Position) (n int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	source, wait := c.read(ctx, 0)
	defer func() {
		cancel()
		if failed := wait(); err == nil && !errors.Is(failed, context.Canceled) {
			err = failed
		}
	}()
	from := c.at
	var batch []eventstore.Recorded
	for t, err := range c.To.ReadAll(ctx, eventstore.AllQuery{After: c.in}) {
		if err != nil {
			return n, fmt.Errorf("read target: %w", err)
		}
		if len(batch) == 0 {
			c.report(Progress{phase, n, from, c.at, to})
			if batch = <-source; batch == nil { // it has ended, or failed
				if err := wait(); err != nil {
					return n, err
				}
				return n, &DifferentError{Target: &t}
			}
		}
		s := batch[0]
		batch = batch[1:]
		if field := differing(s, t); field != "" {
			return n, &DifferentError{Source: &s, Target: &t, Field: field}
		}
		if !s.Time.Equal(t.Time) {
			c.res.Dated++
		}
		n++
		c.at, c.in = s.Position, t.Position
	}
	c.report(Progress{phase, n, from, c.at, to})
	return n, nil
}

// differing names what is not the same in two events at the same place.
func differing(a, b eventstore.Recorded) string {
	switch {
	case a.Stream != b.Stream:
		return "stream"
	case a.Revision != b.Revision:
		return "revision"
	}
	return a.Difference(b.Event)
}

// add adds what the source has up to a position. It leaves the target to be compared.
func (c *Copier) add(ctx context.Context, to eventstore.Position) error {
	target, ok := c.To.(eventstore.Importer)
	if !ok {
		target = appender{c.To}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	source, wait := c.read(ctx, to)
	end, added := c.in, 0
	c.report(Progress{Copying, 0, c.at, c.at, to})
	var failed error
	for batch := range source {
		if end, failed = target.Import(ctx, end, batch); failed != nil {
			cancel()
			break
		}
		added += len(batch)
		c.report(Progress{Copying, added, c.at, batch[len(batch)-1].Position, to})
	}
	c.res.Copied += added
	if err := wait(); failed == nil {
		return err
	}
	return fmt.Errorf("add to target: %w", failed)
}

// read reads the source behind what is known to be the same, to a position (0: to its
// end), ahead of whoever takes the batches. wait returns how it ended, and has to be
// called; it ends early with ctx.
func (c *Copier) read(ctx context.Context, to eventstore.Position) (batches <-chan []eventstore.Recorded, wait func() error) {
	out := make(chan []eventstore.Recorded, batchesRead)
	var reading errgroup.Group
	after := c.at
	reading.Go(func() error {
		defer close(out)
		var batch []eventstore.Recorded
		size := 0
		send := func() bool {
			if len(batch) == 0 {
				return true
			}
			select {
			case out <- batch:
				batch, size = nil, 0
				return true
			case <-ctx.Done():
				return false
			}
		}
		for r, err := range c.From.ReadAll(ctx, eventstore.AllQuery{After: after}) {
			if err != nil {
				return fmt.Errorf("read source: %w", err)
			}
			if to > 0 && r.Position > to {
				break
			}
			if n := len(r.Data) + len(r.Meta); len(batch) == batchEvents || size+n > batchBytes {
				if !send() {
					return ctx.Err()
				}
			}
			batch = append(batch, r)
			size += len(r.Data) + len(r.Meta)
		}
		if !send() {
			return ctx.Err()
		}
		return nil
	})
	return out, reading.Wait
}

func (c *Copier) report(p Progress) {
	if c.Report != nil {
		c.Report(p)
	}
}
