package reactors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/eventstore"
)

// Reactor is one "when this happens, then do that".
type Reactor struct {
	// Name is literal and never changes: it names the checkpoint, the lease and
	// what is parked. It carries the version.
	Name string
	// Predecessor names the reactor that this one replaces: without a checkpoint
	// of its own it begins where that one stopped.
	Predecessor string

	Categories, Types []string // what it wants; see eventstore.AllQuery

	// Keys are what events wait for each other on: those that share one are
	// handled one after the other, in the order of the log. Nil means the stream.
	Keys func(eventstore.Recorded) []string
	// Unordered says that Keys are a courtesy: a parked event does not hold back
	// the later ones of its keys, since the outcome does not depend on the order.
	Unordered bool

	Window int // events under way at most; default 256
	Retry  Retry

	// Handle does the work. It is called at least once for each event, so what it
	// does must be harmless when done again. An error is retried, but for a
	// Permanent one, which is parked at once.
	Handle func(ctx context.Context, e eventstore.Recorded) error

	// Beside, if set, does what no event but a time leads to. It runs in the process
	// that runs the reactor, until ctx is done. If it returns an error before, it is
	// begun anew after a pause, which grows.
	Beside func(ctx context.Context) error

	// GiveUp, if set, is called when the tries are used up, instead of parking.
	// If it fails as well the event is parked.
	GiveUp func(ctx context.Context, e eventstore.Recorded, last error) error
}

// Retry says how often and how soon a failed Handle is tried again.
type Retry struct {
	Tries int           // in all; default 8
	Min   time.Duration // before the second try, doubled each time; default 200 ms
	Max   time.Duration // default 30 s
}

func (r *Retry) setDefaults() {
	if r.Tries <= 0 {
		r.Tries = 8
	}
	if r.Min <= 0 {
		r.Min = 200 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = 30 * time.Second
	}
}

// pause returns how long to wait after try n, counted from 1.
func (r Retry) pause(n int, err error) time.Duration {
	d := min(r.Max, r.Min<<min(n-1, 20))
	if later, ok := errors.AsType[*laterError](err); ok {
		// A provider that says when is obeyed, within reason.
		d = max(d, min(later.after, maxLater))
	}
	return d
}

const maxLater = 5 * time.Minute

func (r Reactor) validate() error {
	switch {
	case r.Name == "":
		return errors.New("reactors: a reactor has no name")
	case r.Handle == nil:
		return fmt.Errorf("reactors: %s has no Handle", r.Name)
	}
	return nil
}

func (r Reactor) keys(e eventstore.Recorded) []string {
	if r.Keys == nil {
		return []string{e.Stream}
	}
	return r.Keys(e)
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks an error that will not go away: it is not retried.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// refused marks what a command refused as Permanent: a log that cannot be reached, or
// others who keep changing the same, pass.
func refused(err error) error {
	if commands.IsRefusal(err) {
		return Permanent(err)
	}
	return err
}

type laterError struct {
	err   error
	after time.Duration
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// Later marks an error that is not to be retried before d has passed.
func Later(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &laterError{err, d}
}
