package eventstoretest

import (
	"context"
	"iter"

	"github.com/chatledger/chatledger/eventstore"
)

// Apart is how far apart the positions of a Sparse store are.
const Apart = 100

// Sparse makes a store of another one whose positions have holes. To a read from where no
// event is it answers with the error that inexact returns, which is told whether the read
// follows.
func Sparse(s eventstore.Store, inexact func(follow bool) error) eventstore.Store {
	return sparse{s, inexact}
}

type sparse struct {
	eventstore.Store
	inexact func(follow bool) error
}

func (s sparse) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	r, err := s.Store.Append(ctx, stream, want, events...)
	r.Position *= Apart
	return r, err
}

func (s sparse) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return apart(s.Store.ReadStream(ctx, stream, q))
}

func (s sparse) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		h, err := s.Head(ctx)
		if p := max(q.After, q.From); err == nil && p%Apart != 0 && p < h.Position+Apart {
			err = s.inexact(q.Follow)
		}
		if err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		q.After /= Apart
		q.From /= Apart
		apart(s.Store.ReadAll(ctx, q))(yield)
	}
}

func (s sparse) Head(ctx context.Context) (eventstore.Head, error) {
	h, err := s.Store.Head(ctx)
	h.Position, h.Sparse = h.Position*Apart, true
	return h, err
}

func apart(all iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range all {
			r.Position *= Apart
			if !yield(r, err) {
				return
			}
		}
	}
}
