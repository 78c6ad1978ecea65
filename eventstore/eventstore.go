// Package eventstore defines the log that every other package is built on.
//
// It holds the contract only: drivers live in subpackages, import this package
// and one database library, and nothing else of ours. A driver is done when
// eventstoretest.Run passes; each sentence of Store's comments is a subtest.
package eventstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Revision is an event's place in its stream, counted from 0. A stream that
// does not exist has revision NoStream, so the revision that a reader ends up
// with is always the right one to pass to Append.
type Revision int64

// Expectations that are not a plain revision.
const (
	NoStream Revision = -1 // the stream must not exist yet
	Any      Revision = -2 // do not check
)

// Position is an event's place in the whole log. Positions only grow; the zero
// Position is before the first event. In the SQL drivers they are dense (1, 2,
// 3 …), but nothing outside the drivers may assume so.
type Position int64

// Limits that Validate holds every Append to.
const (
	MaxEvents     = 1_000   // events in one Append
	MaxEventSize  = 6 << 20 // bytes of Data and Meta of one event: a 3 MB webhook, escaped
	MaxStreamName = 250     // bytes
	MaxTypeName   = 120     // bytes
)

// Event is a fact to be recorded. The caller must not change Data or Meta
// after handing it over.
type Event struct {
	ID   uuid.UUID // the same ID is stored once in a stream
	Type string    // such as "chat.assigned.v1"
	Data []byte    // JSON
	Meta []byte    // JSON: a Metadata
}

// Difference names the field in which two events differ: id, type, data or metadata.
// It is empty if they are the same.
func (e Event) Difference(other Event) string {
	switch {
	case e.ID != other.ID:
		return "id"
	case e.Type != other.Type:
		return "type"
	case !bytes.Equal(e.Data, other.Data):
		return "data"
	case !bytes.Equal(e.Meta, other.Meta):
		return "metadata"
	}
	return ""
}

// Recorded is a fact as the log keeps it. Data and Meta belong to the caller.
//
// A Recorded without a Type is a mark, not an event: it says that the read has
// got to Position, and that nothing at or before it is still to come. Only
// filtered and following reads of the whole log yield marks.
type Recorded struct {
	Event
	Stream   string
	Revision Revision
	Position Position
	Time     time.Time // UTC, microseconds; when the store accepted it
}

// IsMark reports whether r is a mark and no event.
func (r Recorded) IsMark() bool { return r.Type == "" }

// Category returns the part of a stream's name before its first dash: "chat"
// for "chat-0190…".
func Category(stream string) string {
	category, _, _ := strings.Cut(stream, "-")
	return category
}

// Category returns the category of the event's stream.
func (r Recorded) Category() string { return Category(r.Stream) }

// Result says where an Append ended.
type Result struct {
	Revision Revision // of the last event appended
	Position Position // of the last event appended
	Existing bool     // nothing was added: the events were already in the stream
}

// StreamQuery says which part of a stream to read. The zero value reads all of
// it, forwards.
type StreamQuery struct {
	From      Revision  // forwards: the first revision to yield
	Backwards bool      // from the end (From is ignored) to the beginning
	Limit     int       // events to yield at most; 0 means no limit
	Event     uuid.UUID // if not zero: begin at the event with this ID (From is ignored); yield nothing if it is not in the stream
}

// AllQuery says which part of the log to read. The zero value reads all of it,
// forwards, and stops at its end.
type AllQuery struct {
	After      Position // forwards: yield what is behind it. Backwards: yield what is before it; 0 means from the end
	From       Position // forwards: begin with the event at this position, or behind the one right before it (After is ignored); 0 means no such thing
	Backwards  bool
	Limit      int      // events to yield at most (marks do not count); 0 means no limit
	Categories []string // if not empty: only streams of these categories
	Types      []string // if not empty: only events of these types
	Follow     bool     // do not stop at the end: wait for more. Forwards only
}

// Dense returns the query for a log whose positions have no holes: what begins with
// a position comes after the one before it.
func (q AllQuery) Dense() AllQuery {
	if q.From > 0 && !q.Backwards {
		q.After = q.From - 1
	}
	q.From = 0
	return q
}

// Filtered reports whether the query leaves events out.
func (q AllQuery) Filtered() bool { return len(q.Categories) > 0 || len(q.Types) > 0 }

// Match reports whether the query wants an event of this type in this stream.
func (q AllQuery) Match(stream, typ string) bool {
	return (len(q.Categories) == 0 || slices.Contains(q.Categories, Category(stream))) &&
		(len(q.Types) == 0 || slices.Contains(q.Types, typ))
}

// Head is the end of the log.
type Head struct {
	Store    uuid.UUID // names this log: a restored or swapped store has another
	Position Position  // of the last event; 0 if there is none
	Sparse   bool      // positions have holes: a distance is no number of events
}

// Errors of every driver. Test with errors.Is.
var (
	ErrConflict = errors.New("eventstore: revision conflict") // matches any *ConflictError
	ErrInvalid  = errors.New("eventstore: invalid append")    // what Validate refuses
	ErrClosed   = errors.New("eventstore: store is closed")
)

// ConflictError reports that a stream was not where the writer expected it, or
// that some but not all of the events were already in it.
type ConflictError struct {
	Stream    string
	Want, Got Revision // Got is the stream's actual revision
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("eventstore: %s is at revision %d, want %d", e.Stream, e.Got, e.Want)
}

// Is makes errors.Is(err, ErrConflict) hold.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Store is an append-only log of streams. It is safe for concurrent use.
//
// A sequence yields (zero, err) at most once, as its last pair. It may be
// ranged over more than once; each time reads anew. The body of a range loop
// may itself call the store, and may break out of the loop: drivers hold no
// lock, connection, rows or transaction while they yield.
type Store interface {
	// Append adds events to the end of stream, all or none, and returns where
	// the last one is. What it has returned without error is durable.
	//
	// If the stream is not at want it returns a *ConflictError and spends no
	// position. An event whose ID is already in the stream is not added again:
	// if all of them are, Append returns the original Result with Existing set,
	// whatever want is; if only some are, it returns a *ConflictError.
	//
	// Any other error, ctx's among them, leaves the outcome unknown: the caller
	// may append the same events again, and gets the original Result if they
	// had been stored.
	Append(ctx context.Context, stream string, want Revision, events ...Event) (Result, error)

	// ReadStream yields the events of stream. One that does not exist is empty.
	ReadStream(ctx context.Context, stream string, q StreamQuery) iter.Seq2[Recorded, error]

	// ReadAll yields the events of the log, in the order of their positions. It
	// never passes a position that may yet be filled: whoever has read up to
	// position p will never see another event appear at or before p.
	//
	// A filtered read (forwards) yields a mark now and then, and one at its end,
	// so that a checkpoint moves past what does not match. A following read
	// yields a mark each time it has caught up, at once if it has nothing to
	// yield, then waits; it ends only with an error: ctx's, ErrClosed, or a
	// failure after which the caller may resume from the last position.
	ReadAll(ctx context.Context, q AllQuery) iter.Seq2[Recorded, error]

	// Head returns the end of the log: no event that was acknowledged before the
	// call is behind it.
	Head(ctx context.Context) (Head, error)
}

// Importer is a Store that can take over events as another log has recorded them.
type Importer interface {
	Store

	// Import adds events behind after, which must be the end of the log: all or
	// none, in their order, with their revisions, ids and times. Their positions are
	// not looked at. It returns the position of the last one, when they are durable.
	//
	// If after is not the end of the log, a revision is not the next of its stream,
	// or an id is in its stream already, the error matches ErrConflict and nothing
	// was added. Any other error leaves the outcome unknown: Head tells.
	Import(ctx context.Context, after Position, events []Recorded) (Position, error)
}

// Validate is what every driver's Append checks first. Its errors match
// ErrInvalid and say what is wrong.
func Validate(stream string, want Revision, events []Event) error {
	switch {
	case stream == "" || len(stream) > MaxStreamName:
		return fmt.Errorf("%w: stream name of %d bytes, want 1 to %d", ErrInvalid, len(stream), MaxStreamName)
	case strings.ContainsFunc(stream, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }):
		return fmt.Errorf("%w: stream name %q has a space or a control character", ErrInvalid, stream)
	case want < Any:
		return fmt.Errorf("%w: %s: expected revision %d", ErrInvalid, stream, want)
	case len(events) == 0 || len(events) > MaxEvents:
		return fmt.Errorf("%w: %s: %d events, want 1 to %d", ErrInvalid, stream, len(events), MaxEvents)
	}
	var ids map[uuid.UUID]struct{} // of many; one event has no other to be confused with
	if len(events) > 1 {
		ids = make(map[uuid.UUID]struct{}, len(events))
	}
	for i := range events {
		e := &events[i]
		if ids != nil {
			ids[e.ID] = struct{}{}
		}
		switch {
		case e.ID == uuid.Nil || ids != nil && len(ids) <= i:
			return fmt.Errorf("%w: %s: event %d has no id of its own", ErrInvalid, stream, i)
		case e.Type == "" || len(e.Type) > MaxTypeName:
			return fmt.Errorf("%w: %s: event %d has a type of %d bytes, want 1 to %d", ErrInvalid, stream, i, len(e.Type), MaxTypeName)
		case len(e.Data)+len(e.Meta) > MaxEventSize:
			return fmt.Errorf("%w: %s: event %d has %d bytes, want at most %d", ErrInvalid, stream, i, len(e.Data)+len(e.Meta), MaxEventSize)
		}
	}
	return nil
}
