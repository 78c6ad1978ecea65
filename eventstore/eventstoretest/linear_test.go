package eventstoretest

import (
	"context"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
)

// lax checks the expected revision before it appends, but not at the same time.
type lax struct {
	eventstore.Store
}

func (l *lax) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	last := eventstore.NoStream
	for r, err := range l.ReadStream(ctx, stream, eventstore.StreamQuery{Backwards: true, Limit: 1}) {
		if err != nil {
			return eventstore.Result{}, err
		}
		last = r.Revision
	}
	if want != eventstore.Any && want != last {
		return l.Store.Append(ctx, stream, want, events...) // a conflict, or a repeat
	}
	rest(ctx, 100*time.Microsecond)
	return l.Store.Append(ctx, stream, eventstore.Any, events...)
}

// The check finds a store that lets two writers have the same expectation.
func TestLinearizableFindsALaxStore(t *testing.T) {
	s := memory.New(time.Now)
	defer s.Close()
	for round := range 50 {
		h := record(t, &lax{Store: s}, "chat-"+string(rune('A'+round)))
		if !porcupine.CheckOperations(streamModel(), h) {
			return
		}
	}
	t.Error("no history was found to be wrong")
}
