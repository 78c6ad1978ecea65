package reactors

import (
	"context"
	"errors"
	"time"

	"github.com/chatledger/chatledger/eventstore"
)

// recordTimeout bounds what is still written down about a call after the host
// was told to stop.
const recordTimeout = 5 * time.Second

// once is a request to a provider that an event leads to, and that is not made twice.
// A record is made, durably, before each try; if it is found later without an outcome,
// because the process died or the answer never came, the request is not made again.
type once struct {
	attempts Attempts
	reactor  string
	at       eventstore.Position // of the event

	// done reports whether the log has it that nothing is to be done any more.
	done func(ctx context.Context) (bool, error)
	// ask makes the request.
	ask func(ctx context.Context) answer
	// accepted and unknown record in the log what became of the request: that the
	// provider took it, and that nobody can tell.
	accepted func(ctx context.Context, providerID string) error
	unknown  func(ctx context.Context) error
}

// answer is what became of a request: the provider took it, or it can be made again,
// or else it was refused.
type answer struct {
	taken      bool
	providerID string                      // if it was taken
	again      error                       // when to make it again, and why
	refused    func(context.Context) error // records that, and why
}

// do makes the request, unless it was made before, and records what became of it.
func (o once) do(ctx context.Context) error {
	before, err := o.attempts.BeginAttempt(ctx, o.reactor, o.at)
	if err != nil {
		return err
	}
	switch before.State {
	case AttemptBegun:
		return o.unknown(ctx)
	case AttemptAccepted:
		return o.accepted(ctx, before.ProviderID)
	case AttemptNone, AttemptRefused:
	}
	// Another process may have handled the event, and forgotten its attempt, since the
	// log was first looked at: this one was suspended and lost its lease. Now that an
	// attempt is recorded, whatever was done before it is in the log.
	done, err := o.done(ctx)
	switch {
	case done:
		return errors.Join(err, o.forget(ctx))
	case err != nil:
		ctx, cancel := outlast(ctx)
		defer cancel()
		return errors.Join(err, o.end(ctx, Attempt{State: AttemptRefused})) // nothing was asked for
	}
	a := o.ask(ctx)

	// From here on something has happened outside: it is written down even if ctx is
	// done.
	ctx, cancel := outlast(ctx)
	defer cancel()
	switch {
	case a.taken:
		noted := o.end(ctx, Attempt{State: AttemptAccepted, ProviderID: a.providerID})
		if err := o.accepted(ctx, a.providerID); err != nil {
			return errors.Join(err, noted)
		}
		return nil
	case a.again != nil:
		if err := o.end(ctx, Attempt{State: AttemptRefused}); err != nil {
			return err
		}
		return a.again
	}
	return a.refused(ctx)
}

func (o once) end(ctx context.Context, a Attempt) error {
	return o.attempts.EndAttempt(ctx, o.reactor, o.at, a)
}

// forget drops the record of an attempt whose outcome is in the log.
func (o once) forget(ctx context.Context) error {
	return o.attempts.ForgetAttempt(ctx, o.reactor, o.at)
}

// outlast returns a context that goes on a little after ctx is done.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
}
