package gatewaytest

import (
	"context"
	"iter"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore"
)

// spread is how far apart the positions of a Sparse store are.
const spread = 100

// Sparse makes a store of another one whose positions have holes, and which refuses to
// read from where no event is, in the words of KurrentDB (in its KurrentDB.Core,
// Enumerator.AllSubscriptionFiltered and ReadAllForwardsFiltered, and RpcExceptions):
// those of a subscription are others than those of a read.
func Sparse(s eventstore.Store) eventstore.Store { return sparse{s} }

type sparse struct{ eventstore.Store }

func (s sparse) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	r, err := s.Store.Append(ctx, stream, want, events...)
	r.Position *= spread
	return r, err
}

func (s sparse) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return apart(s.Store.ReadStream(ctx, stream, q))
}

func (s sparse) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := s.check(ctx, max(q.After, q.From), q.Follow); err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		q.After /= spread
		q.From /= spread
		apart(s.Store.ReadAll(ctx, q))(yield)
	}
}

func (s sparse) check(ctx context.Context, p eventstore.Position, follow bool) error {
	h, err := s.Head(ctx)
	if err != nil || p%spread == 0 || p > h.Position {
		return err
	}
	if !follow {
		return status.Error(codes.Unknown, "Unexpected FilteredReadAllResult: InvalidPosition")
	}
	return status.Error(codes.InvalidArgument, "Trying to read from an invalid position.")
}

func apart(all iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range all {
			r.Position *= spread
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s sparse) Head(ctx context.Context) (eventstore.Head, error) {
	h, err := s.Store.Head(ctx)
	h.Position, h.Sparse = h.Position*spread, true
	return h, err
}
