package kurrent

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// How what is asked and answered looks on the wire; streams.proto has the meaning of
// each field.

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func proposedOf(e *eventstore.Event) *streams.AppendReq_ProposedMessage {
	return &streams.AppendReq_ProposedMessage{
		Id: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits:  int64(binary.BigEndian.Uint64(e.ID[:8])),
			LeastSignificantBits: int64(binary.BigEndian.Uint64(e.ID[8:])),
		}}},
		Metadata: map[string]string{"type": e.Type, "content-type": "application/json"},
		Data:     e.Data, CustomMetadata: e.Meta,
	}
}

// asked fills in what all reads have in common.
func asked(o *streams.ReadReq_Options, backwards bool, count int) *streams.ReadReq {
	if backwards {
		o.ReadDirection = streams.ReadReq_Options_Backwards
	}
	o.UuidOption = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}}
	if count > 0 {
		o.CountOption = &streams.ReadReq_Options_Count{Count: uint64(count)}
	} else {
		o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	}
	if o.FilterOption == nil {
		o.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
	}
	return &streams.ReadReq{Options: o}
}

// readStream asks for events of a stream, forwards from a revision.
func readStream(stream string, backwards bool, from eventstore.Revision, count int) *streams.ReadReq {
	return asked(&streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: identifier(stream),
		RevisionOption:   &streams.ReadReq_Options_StreamOptions_Revision{Revision: uint64(max(from, 0))},
	}}}, backwards, min(count, pageEvents))
}

// backwardsFrom asks for events of a stream, backwards from a revision, or from its
// end if there is none.
func backwardsFrom(stream string, from *eventstore.Revision, count int) *streams.ReadReq {
	if from != nil {
		return readStream(stream, true, *from, count)
	}
	return asked(&streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: identifier(stream), RevisionOption: &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}},
	}}}, true, min(count, pageEvents))
}

// allOptions says where in the log to begin; 0 is its beginning, or its end backwards.
func allOptions(backwards bool, at eventstore.Position) *streams.ReadReq_Options_All {
	all := &streams.ReadReq_Options_AllOptions{}
	switch {
	case at > 0:
		all.AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{
			CommitPosition: uint64(at), PreparePosition: uint64(at),
		}}
	case backwards:
		all.AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
	default:
		all.AllOption = &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}
	}
	return &streams.ReadReq_Options_All{All: all}
}

// readAll asks for events of the log.
func readAll(backwards bool, at eventstore.Position, count int, f *streams.ReadReq_Options_FilterOptions) *streams.ReadReq {
	return asked(&streams.ReadReq_Options{
		StreamOption: allOptions(backwards, at), FilterOption: &streams.ReadReq_Options_Filter{Filter: f},
	}, backwards, count)
}

// subscribeAll asks for what is in the log behind a position and for what is to come,
// and for a checkpoint each time so many events were looked at.
func subscribeAll(after eventstore.Position, f *streams.ReadReq_Options_FilterOptions, every uint32) *streams.ReadReq {
	f.Window = &streams.ReadReq_Options_FilterOptions_Max{Max: every}
	return readAll(false, after, 0, f)
}

// ownEvents wants all but what the server writes for itself.
func ownEvents() *streams.ReadReq_Options_FilterOptions {
	return byType(`^[^$]`)
}

// filterOf wants what a query wants, as far as one filter can say it: the rest is
// left out here.
func filterOf(q eventstore.AllQuery) *streams.ReadReq_Options_FilterOptions {
	switch {
	case len(q.Types) > 0 && len(q.Categories) == 0:
		return byType(`^(?:` + anyOf(q.Types) + `)$`)
	case len(q.Categories) > 0:
		return withWindow(&streams.ReadReq_Options_FilterOptions{Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Regex: `^(?:` + anyOf(q.Categories) + `)(?:-|$)`},
		}})
	}
	return ownEvents()
}

func byType(regex string) *streams.ReadReq_Options_FilterOptions {
	return withWindow(&streams.ReadReq_Options_FilterOptions{Filter: &streams.ReadReq_Options_FilterOptions_EventType{
		EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: regex},
	}})
}

func withWindow(f *streams.ReadReq_Options_FilterOptions) *streams.ReadReq_Options_FilterOptions {
	f.Window = &streams.ReadReq_Options_FilterOptions_Max{Max: pageEvents}
	f.CheckpointIntervalMultiplier = 1
	return f
}

// anyOf returns names as alternatives of a regular expression. What it escapes means
// the same to the server, whose expressions are .NET's.
func anyOf(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	return strings.Join(quoted, "|")
}

// recordedOf returns an event that was read. Its id is the caller's own to keep.
func recordedOf(e *streams.ReadResp_ReadEvent) (r eventstore.Recorded, err error) {
	w := e.GetEvent()
	if w == nil {
		return r, fmt.Errorf("kurrent: an answer without an event")
	}
	if commit := w.GetCommitPosition(); commit > math.MaxInt64 {
		return r, fmt.Errorf("kurrent: the server does not tell the positions of events in a stream: it is older than EventStoreDB 22.10")
	}
	ticks, err := strconv.ParseInt(w.GetMetadata()["created"], 10, 64)
	if err != nil {
		return r, fmt.Errorf("kurrent: event %d of %s has no time: %w", w.GetStreamRevision(), w.GetStreamIdentifier().GetStreamName(), err)
	}
	id := w.GetId()
	r = eventstore.Recorded{
		Event:    eventstore.Event{Type: w.GetMetadata()["type"], Data: w.GetData(), Meta: w.GetCustomMetadata()},
		Stream:   string(w.GetStreamIdentifier().GetStreamName()),
		Revision: eventstore.Revision(w.GetStreamRevision()),
		Position: eventstore.Position(w.GetCommitPosition()),
		Time:     time.UnixMicro(ticks / 10).UTC(),
	}
	if text := id.GetString_(); text != "" {
		r.ID, err = uuid.Parse(text)
		return r, err
	}
	binary.BigEndian.PutUint64(r.ID[:8], uint64(id.GetStructured().GetMostSignificantBits()))
	binary.BigEndian.PutUint64(r.ID[8:], uint64(id.GetStructured().GetLeastSignificantBits()))
	return r, nil
}
