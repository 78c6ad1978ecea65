package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/chatledger/chatledger/eventstore"
)

// Types of system events, of which only servers for tests have any.
const (
	metadataType      = "$metadata"
	streamDeletedType = "$streamDeleted"
	metastreamPrefix  = "$$"
)

// deletedBefore is the truncation that stands for a deleted stream.
const deletedBefore = math.MaxInt64

// shape says what of a stream is shown: all of it, unless its metadata says less.
type shape struct {
	first eventstore.Revision // that is shown
	last  eventstore.Revision // of the stream; NoStream if it does not exist, or is deleted
	end   eventstore.Revision // of the stream, deleted or not
	since time.Time           // older events are not shown
}

func (s shape) shows(e *eventstore.Recorded) bool {
	return e.Revision >= s.first && !e.Time.Before(s.since) && e.Type != streamDeletedType
}

// streamMetadata is what the metadata of a stream may limit.
type streamMetadata struct {
	TruncateBefore int64 `json:"$tb,omitempty"`
	MaxCount       int64 `json:"$maxCount,omitempty"`
	MaxAge         int64 `json:"$maxAge,omitempty"` // seconds
}

// shape looks at a stream's end, and at its metadata where there can be any. A
// stream of another workspace does not exist.
func (r reading) shape(ctx context.Context, stream string) (shape, error) {
	last, err := r.lastEvent(ctx, stream)
	if err != nil || last == nil || !r.who.sees(last) {
		return shape{last: eventstore.NoStream, end: eventstore.NoStream}, err
	}
	return r.limits(ctx, *last)
}

// limits returns the shape of the stream whose last event is given.
func (s *Server) limits(ctx context.Context, last eventstore.Recorded) (shape, error) {
	sh := shape{last: last.Revision, end: last.Revision}
	if !s.cfg.Appends {
		return sh, nil
	}
	if last.Type == streamDeletedType {
		return sh, streamDeleted(last.Stream)
	}
	if len(last.Stream) > 1 && last.Stream[:2] == metastreamPrefix {
		sh.first = last.Revision // of metadata the last counts
		return sh, nil
	}
	described, err := s.lastEvent(ctx, metastreamPrefix+last.Stream)
	if err != nil || described == nil {
		return sh, err
	}
	var m streamMetadata
	if err := json.Unmarshal(described.Data, &m); err != nil {
		return sh, invalid("The metadata of stream '%s' is not understood: %v", last.Stream, err)
	}
	sh.first = max(0, eventstore.Revision(m.TruncateBefore))
	if m.MaxCount > 0 {
		sh.first = max(sh.first, sh.last+1-eventstore.Revision(m.MaxCount))
	}
	if m.MaxAge > 0 {
		sh.since = s.cfg.Now().Add(-time.Duration(m.MaxAge) * time.Second)
	}
	if m.TruncateBefore == deletedBefore {
		sh.last = eventstore.NoStream
	}
	return sh, nil
}

// lastEvent returns the last event of a stream, or nil.
func (s *Server) lastEvent(ctx context.Context, stream string) (*eventstore.Recorded, error) {
	for e, err := range s.cfg.Store.ReadStream(ctx, stream, eventstore.StreamQuery{Backwards: true, Limit: 1}) {
		if err != nil {
			return nil, fmt.Errorf("read the end of %s: %w", stream, err)
		}
		return &e, nil
	}
	return nil, nil //nolint:nilnil // no event is no error
}
