package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/request"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// attempts bounds how often a command is decided anew because another process
// was quicker on its stream. Commands of one process wait for each other.
const attempts = 10

// An append whose outcome is unknown is tried again, since its repeat is
// harmless: retries times, after retryPause, twice that, and so on.
const (
	retries    = 2
	retryPause = 50 * time.Millisecond
)

// Refusals that are about the request and no aggregate.
var (
	ErrKeyReused   = fault.New(fault.Reused, "request.key_reused", "this idempotency key was used for another request")
	ErrBusy        = fault.New(fault.Conflict, "request.too_many_conflicts", "others keep changing this; try again")
	errNoWorkspace = errors.New("commands: the origin names no workspace")
)

// ErrUnavailable is matched by errors that say the log could not be read or
// written just now. Whether the command took effect is then unknown; its repeat
// is harmless.
var ErrUnavailable = errors.New("commands: the log is not available")

// aggregate is everything generic about the streams of one category: how a
// state follows from events, and how those events are stored.
type aggregate[S any, E codec.Event] struct {
	category string
	store    eventstore.Store
	codec    codec.Codec[E]
	evolve   func(S, E) S
	cache    *cache // nil: states are not worth keeping
	now      func() time.Time
	requests *aggregate[request.State, request.Event]
	notFound error                                              // what a stranger is told
	owner    func(S) string                                     // the workspace of a state, "" before there is one; nil: the id is the workspace
	more     func(context.Context, Origin, S, []E) ([]E, error) // what follows besides from what was decided; nil: nothing
}

func newAggregate[S any, E codec.Event](category string, store eventstore.Store, c *cache, requests *aggregate[request.State, request.Event], now func() time.Time, events []E, evolve func(S, E) S, notFound error, owner func(S) string) *aggregate[S, E] {
	return &aggregate[S, E]{category, store, codec.New(events), evolve, c, now, requests, notFound, owner, nil}
}

// adding returns an aggregate of the same streams whose commands, if they decide on
// events, append what more makes of these.
func (a *aggregate[S, E]) adding(more func(context.Context, Origin, S, []E) ([]E, error)) *aggregate[S, E] {
	with := *a
	with.more = more
	return &with
}

// folded is a state and how far its stream had been read. It is used by one
// goroutine at a time: whoever holds lock. The state's maps are changed in
// place, so it never leaves the lock.
type folded[S any] struct {
	lock  chan struct{} // holds one token while locked
	state S
	rev   eventstore.Revision
	pos   eventstore.Position
	asOf  int64 // a tick before the log was last read for it; 0 if it never was
}

// locked returns the folded state of a stream, with its lock held.
func (a *aggregate[S, E]) locked(ctx context.Context, stream string) (*folded[S], error) {
	fresh := func() any {
		return &folded[S]{lock: make(chan struct{}, 1), rev: eventstore.NoStream}
	}
	var f *folded[S]
	if a.cache == nil {
		f = fresh().(*folded[S])
	} else {
		f = a.cache.get(stream, fresh).(*folded[S])
	}
	select {
	case f.lock <- struct{}{}:
		return f, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *aggregate[S, E]) unlock(stream string, f *folded[S]) {
	if a.cache != nil {
		a.cache.weigh(stream, f, int(f.rev)+1)
	}
	<-f.lock
}

// catchUp folds what was appended to the stream since f was last used.
func (a *aggregate[S, E]) catchUp(ctx context.Context, stream string, f *folded[S]) error {
	asOf := a.tick()
	for r, err := range a.store.ReadStream(ctx, stream, eventstore.StreamQuery{From: f.rev + 1}) {
		if err != nil {
			return fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, err)
		}
		e, err := a.codec.Decode(r)
		if err != nil {
			return err
		}
		f.state, f.rev, f.pos = a.evolve(f.state, e), r.Revision, r.Position
	}
	f.asOf = asOf
	return nil
}

// tick returns a number that is larger than any before it.
func (a *aggregate[S, E]) tick() int64 {
	if a.cache == nil {
		return 0
	}
	return a.cache.ticks.Add(1)
}

// with calls use with the present state of the stream with this id.
func (a *aggregate[S, E]) with(ctx context.Context, id string, use func(S) error) error {
	stream := a.category + "-" + id
	asked := a.tick()
	f, err := a.locked(ctx, stream)
	if err != nil {
		return err
	}
	defer a.unlock(stream, f)
	if f.asOf <= asked { // else another call has read the log since this one began
		if err := a.catchUp(ctx, stream, f); err != nil {
			return err
		}
	}
	return use(f.state)
}

// do runs one command: it folds the stream, lets decide choose, and appends the
// result. If another process was quicker it starts again from the new state.
func (a *aggregate[S, E]) do(ctx context.Context, o Origin, name, id string, decide decideFunc[S, E]) (Result, error) {
	return a.doAbout(ctx, o, name, id, &subject{id: id}, decide)
}

// subject is one of the many things that are in a stream.
type subject struct {
	id       string
	revision *eventstore.Revision // that it has; nil: that of the stream
}

// doAbout is do for a stream with many things. Decide leaves in about which one it is
// about: that is the ID of a Result, and its Revision, if nothing had to be done. If
// something was, its event says so.
func (a *aggregate[S, E]) doAbout(ctx context.Context, o Origin, name, id string, about *subject, decide decideFunc[S, E]) (Result, error) {
	if o.Workspace == "" {
		return Result{}, errNoWorkspace
	}
	first, asked, err := a.firstAnswer(ctx, o)
	if asked || err != nil {
		return first, err
	}
	res, err := a.run(ctx, o, name, id, decide)
	if err == nil && !res.Changed {
		res.ID = about.id
		if about.revision != nil {
			res.Revision = *about.revision
		}
	}
	if o.Keyed && !res.Changed && (err == nil || isFault(err)) {
		return a.keepAnswer(ctx, o, name, res, err)
	}
	return res, err
}

func (a *aggregate[S, E]) run(ctx context.Context, o Origin, name, id string, decide decideFunc[S, E]) (Result, error) {
	stream := a.category + "-" + id
	command := o.identified().Command
	f, err := a.locked(ctx, stream)
	if err != nil {
		return Result{}, err
	}
	defer a.unlock(stream, f)

	repeat := o.Command != uuid.Nil // the command may have run before
	failures := 0
	// What is remembered of a stream is mostly all of it: nobody else has appended
	// to it. So the log is read only if the append finds that somebody has, or if
	// there is nothing to append.
	known := f.asOf != 0 || a.cache == nil
	for range attempts {
		if !known {
			if err := a.catchUp(ctx, stream, f); err != nil {
				return Result{}, err
			}
		}
		events, err := a.choose(ctx, o, stream, f, decide)
		if known && (err != nil || len(events) == 0) {
			if err := a.catchUp(ctx, stream, f); err != nil {
				return Result{}, err
			}
			events, err = a.choose(ctx, o, stream, f, decide)
		}
		known = false
		if err != nil || len(events) == 0 {
			// What is refused now, or needs no doing, may be this very command's
			// own effect.
			if repeat {
				if res, found, oerr := a.original(ctx, o, command, stream, id); found || oerr != nil {
					return res, oerr
				}
			}
			return Result{ID: id, Revision: f.rev, Position: f.pos}, err
		}
		batch := make([]eventstore.Event, len(events))
		meta := a.metadata(o, name, command)
		for i, e := range events {
			if batch[i], err = a.codec.Encode(ids.Event(command, i), e, meta); err != nil {
				return Result{}, err
			}
		}
		res, err := a.store.Append(ctx, stream, f.rev, batch...)
		switch {
		case errors.Is(err, eventstore.ErrConflict):
			if repeat {
				if res, found, err := a.original(ctx, o, command, stream, id); found || err != nil {
					return res, err
				}
			}
			continue
		case err != nil && unknown(ctx, err) && failures < retries:
			// A connection was lost, perhaps after the commit. The events have
			// ids: appending them again finds them, or stores them once.
			failures++
			repeat = true
			if !pause(ctx, time.Duration(failures)*retryPause) {
				return Result{}, fmt.Errorf("%w: append to %s: %w", ErrUnavailable, stream, err)
			}
			continue
		case err != nil:
			return Result{}, fmt.Errorf("%w: append to %s: %w", ErrUnavailable, stream, err)
		case res.Existing:
			res, found, err := a.original(ctx, o, command, stream, id)
			if err == nil && !found {
				err = fmt.Errorf("append to %s: the store says that command %s is there, but does not find it", stream, command)
			}
			return res, err
		}
		for _, e := range events {
			f.state = a.evolve(f.state, e)
		}
		f.rev, f.pos = res.Revision, res.Position
		return Result{ID: id, Revision: res.Revision, Position: res.Position, Changed: true}, nil
	}
	return Result{}, ErrBusy
}

// unknown reports whether an append that failed may have been stored, or may
// succeed if it is tried again.
func unknown(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, eventstore.ErrInvalid) && !errors.Is(err, eventstore.ErrClosed)
}

// pause waits for d; it reports false if ctx ended first.
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

// choose lets decide choose, if the caller may and the caller's precondition
// holds.
func (a *aggregate[S, E]) choose(ctx context.Context, o Origin, stream string, f *folded[S], decide decideFunc[S, E]) ([]E, error) {
	if a.owner != nil {
		if w := a.owner(f.state); w != "" && w != o.Workspace {
			return nil, a.notFound
		}
	}
	if o.IfMatch != nil && *o.IfMatch != f.rev {
		if f.rev == eventstore.NoStream && a.notFound != nil {
			return nil, a.notFound
		}
		stale := &Stale{Subject: stream, Want: *o.IfMatch, Got: f.rev}
		for r, err := range a.store.ReadStream(ctx, stream, eventstore.StreamQuery{From: max(stale.Want+1, 0), Limit: staleLimit}) {
			if err != nil {
				return nil, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, err)
			}
			stale.Since = append(stale.Since, r)
		}
		return nil, stale
	}
	events, err := decide(ctx, f.state)
	if err != nil || len(events) == 0 || a.more == nil {
		return events, err
	}
	return a.more(ctx, o, f.state, events)
}

// original finds the result that the command had when it first ran.
func (a *aggregate[S, E]) original(ctx context.Context, o Origin, command uuid.UUID, stream, id string) (Result, bool, error) {
	res, n := Result{ID: id}, 0
	for r, err := range a.store.ReadStream(ctx, stream, eventstore.StreamQuery{Event: ids.Event(command, 0)}) {
		if err != nil {
			return Result{}, false, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, err)
		}
		if r.ID != ids.Event(command, n) {
			break
		}
		if n == 0 && o.Fingerprint != "" {
			meta, err := eventstore.DecodeMetadata(r)
			if err != nil {
				return Result{}, false, err
			}
			if meta.Request != o.Fingerprint {
				return Result{}, false, ErrKeyReused
			}
		}
		res.Revision, res.Position, res.Changed = r.Revision, r.Position, true
		n++
	}
	return res, n > 0, nil
}

func (a *aggregate[S, E]) metadata(o Origin, name string, command uuid.UUID) eventstore.Metadata {
	correlation := o.Correlation
	if correlation == "" {
		correlation = command.String()
	}
	causation := o.Causation
	if causation == "" {
		causation = command.String()
	}
	occurred := o.OccurredAt
	if occurred.IsZero() {
		occurred = a.now()
	}
	return eventstore.Metadata{
		Workspace: o.Workspace, Actor: o.Actor, ActorKind: string(o.ActorKind), Channel: o.Channel,
		Command: name, CommandID: command.String(), Request: o.Fingerprint,
		Correlation: correlation, Causation: causation,
		OccurredAt: occurred.UTC().Truncate(time.Microsecond), Traceparent: o.Traceparent,
	}
}

// clock is the default of Options.Now.
func clock() time.Time { return time.Now() } //nolint:forbidigo // the one place where the clock comes from

func isFault(err error) bool {
	var f *fault.Error
	return errors.As(err, &f)
}
