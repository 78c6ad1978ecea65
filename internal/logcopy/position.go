package logcopy

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/eventstore"
)

// Position returns where an event is in the target that is in the source at a
// position, or the last one before it. The target has to be a copy of the source.
func Position(ctx context.Context, from, to eventstore.Store, at eventstore.Position) (eventstore.Position, error) {
	// Positions may have holes, so that the event is found from its successor.
	var next eventstore.Position // 0, the end of the log, if it is the last
	for r, err := range from.ReadAll(ctx, eventstore.AllQuery{After: at, Limit: 1}) {
		if err != nil {
			return 0, fmt.Errorf("read source: %w", err)
		}
		next = r.Position
	}
	for s, err := range from.ReadAll(ctx, eventstore.AllQuery{After: next, Backwards: true, Limit: 1}) {
		if err != nil {
			return 0, fmt.Errorf("read source: %w", err)
		}
		for t, err := range to.ReadStream(ctx, s.Stream, eventstore.StreamQuery{From: s.Revision, Limit: 1}) {
			if err != nil {
				return 0, fmt.Errorf("read target: %w", err)
			}
			if t.ID != s.ID {
				return 0, &DifferentError{Source: &s, Target: &t, Field: "id"}
			}
			return t.Position, nil
		}
		return 0, &DifferentError{Source: &s}
	}
	return 0, nil // before the first event
}
