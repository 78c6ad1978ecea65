package commands

import (
	"context"
	"errors"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/request"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// A keyed request that appends events needs no record of its answer: the events
// are found again by their ids. One that was refused, or had nothing to do,
// leaves no events: its answer is kept in a stream of its own, written before
// the caller gets it, so that the repeat gets the same even if the world has
// changed since. A Stale is not kept: the repeat may carry another revision.

// firstAnswer returns the kept answer of the request o, if there is one.
func (a *aggregate[S, E]) firstAnswer(ctx context.Context, o Origin) (res Result, asked bool, err error) {
	if !o.Keyed || a.requests == nil {
		return Result{}, false, nil
	}
	err = a.requests.with(ctx, o.Command.String(), func(s request.State) error {
		if asked = s.Exists; asked {
			res, err = answer(s.First, o)
			return err
		}
		return nil
	})
	return res, asked, err
}

// keepAnswer records that o was answered with res or refusal, and returns the
// answer that was recorded first.
func (a *aggregate[S, E]) keepAnswer(ctx context.Context, o Origin, name string, res Result, refusal error) (Result, error) {
	if a.requests == nil || errors.Is(refusal, ErrKeyReused) || errors.Is(refusal, ErrBusy) {
		return res, refusal
	}
	record := request.Answered{
		Workspace: o.Workspace, Fingerprint: o.Fingerprint,
		Subject: res.ID, Revision: int64(res.Revision), Position: int64(res.Position),
	}
	if f, ok := errors.AsType[*fault.Error](refusal); ok {
		record.Kind, record.Code, record.Msg, record.Field = uint8(f.Kind), f.Code, f.Msg, f.Field
	}
	own := o.part(ids.Command("answer", o.Command.String()))
	if _, err := a.requests.run(ctx, own, name, o.Command.String(), func(_ context.Context, s request.State) ([]request.Event, error) {
		return request.Answer{Answered: record}.Decide(s)
	}); err != nil {
		return Result{}, err
	}
	first, _, err := a.firstAnswer(ctx, o)
	return first, err
}

// answer is what the repeat of a request is told.
func answer(first request.Answered, o Origin) (Result, error) {
	if o.Fingerprint != first.Fingerprint {
		return Result{}, ErrKeyReused
	}
	res := Result{ID: first.Subject, Revision: eventstore.Revision(first.Revision), Position: eventstore.Position(first.Position)}
	if first.Code == "" {
		return res, nil
	}
	return res, &fault.Error{Kind: fault.Kind(first.Kind), Code: first.Code, Msg: first.Msg, Field: first.Field}
}
