package logcopy

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatledger/chatledger/eventstore"
)

// appendBytes is less than what a KurrentDB takes at a time unless it is told to take
// more, which is 1 MB. A single event may be larger.
const appendBytes = 512 << 10

// appender makes an eventstore.Importer of any log, but for two things: it dates events itself,
// and if it fails, the first of them may have been added.
//
// Appends go one after the other: if there were more at a time, and one of them
// failed, those behind it could be in the log without it. Events that follow each
// other in a stream go together.
type appender struct{ eventstore.Store }

// Import implements eventstore.Importer.
func (a appender) Import(ctx context.Context, after eventstore.Position, events []eventstore.Recorded) (eventstore.Position, error) {
	for len(events) > 0 {
		n, batch := 1, []eventstore.Event{events[0].Event}
		first, size := events[0], len(events[0].Data)+len(events[0].Meta)
		for n < len(events) && n < eventstore.MaxEvents {
			next := events[n]
			size += len(next.Data) + len(next.Meta)
			if next.Stream != first.Stream || next.Revision != first.Revision+eventstore.Revision(n) || size > appendBytes {
				break
			}
			batch = append(batch, next.Event)
			n++
		}
		res, err := a.Append(ctx, first.Stream, first.Revision-1, batch...)
		switch {
		case err != nil:
			return after, fmt.Errorf("%s: %w", describe(&first), err)
		case res.Existing:
			return after, fmt.Errorf("%s: %w", describe(&first), errors.Join(eventstore.ErrConflict, errAlreadyThere))
		}
		after, events = res.Position, events[n:]
	}
	return after, nil
}

var errAlreadyThere = errors.New("somebody else is writing it to the target")
