package transcript

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/chatledger/chatledger/eventstore"
)

// Streams is what a transcript is made from: the streams of the log, or what
// somebody has kept of them.
type Streams interface {
	// ReadStream is that of an eventstore.Store.
	ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error]
}

// Sources returns the streams that every transcript of a chat at a position is made
// from, that of the chat first: its own, and those of what is named in it.
func Sources(ctx context.Context, from Streams, chatID string, asOf eventstore.Position) ([]string, error) {
	seen := &noted{Streams: from}
	if _, err := New(ctx, seen, chatID, Options{Notes: true, Events: true, Zone: time.UTC, AsOf: asOf}); err != nil {
		return nil, err
	}
	return seen.names, nil
}

// noted notes which streams are read.
type noted struct {
	Streams

	names []string
}

func (n *noted) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	if !slices.Contains(n.names, stream) {
		n.names = append(n.names, stream)
	}
	return n.Streams.ReadStream(ctx, stream, q)
}
