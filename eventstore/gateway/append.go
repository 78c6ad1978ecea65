package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// maxAppend is how many bytes one append may have.
const maxAppend = 16 << 20

// expectation is what a writer expects of a stream.
type expectation struct {
	revision eventstore.Revision // or NoStream or Any
	exists   bool                // the stream must exist, at whatever revision
}

// number returns the expectation as the protocol's trailers have it.
func (e expectation) number() int64 {
	switch {
	case e.exists:
		return -4
	default:
		return int64(e.revision)
	}
}

// proposed is an event as both ways to append have it.
type proposed interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

func eventOf(p proposed) (eventstore.Event, error) {
	e := eventstore.Event{Data: p.GetData(), Meta: p.GetCustomMetadata()}
	var err error
	switch id := p.GetId().GetValue().(type) {
	case *shared.UUID_Structured_:
		e.ID = idOf(id.Structured)
	case *shared.UUID_String_:
		if e.ID, err = uuid.Parse(id.String_); err != nil {
			return e, invalid("The event's id is no UUID: %v", err)
		}
	}
	var ok bool
	if e.Type, ok = p.GetMetadata()["type"]; !ok {
		return e, missingProperty("type")
	}
	if _, ok = p.GetMetadata()["content-type"]; !ok {
		return e, missingProperty("content-type")
	}
	return e, nil
}

// mayAppend authenticates a call that writes.
func (s *Server) mayAppend(ctx context.Context) error {
	who, err := s.who(ctx)
	if err == nil && !who.Append {
		err = accessDenied()
	}
	return err
}

// Append implements streams.StreamsServer.
func (s *streamsService) Append(in streams.Streams_AppendServer) error {
	ctx, cancel := context.WithTimeout(in.Context(), callTime)
	defer cancel()
	type answer struct {
		resp *streams.AppendResp
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // it ends when the call does
		resp, err := s.appendAll(ctx, in)
		answers <- answer{resp, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return s.tell(ctx, in.SetTrailer, a.err)
		}
		return in.SendAndClose(a.resp)
	case <-ctx.Done(): // the client has not sent all
		return s.tell(ctx, in.SetTrailer, ctx.Err())
	}
}

func (s *streamsService) appendAll(ctx context.Context, in streams.Streams_AppendServer) (*streams.AppendResp, error) {
	// What the client sends is taken before it is refused: one that is still sending
	// would see no more than that the call is over.
	refused := s.mayAppend(ctx)
	first, err := in.Recv()
	if err != nil {
		return nil, err
	}
	o := first.GetOptions()
	if o == nil {
		return nil, invalid("The first message has no options.")
	}
	want := expectation{revision: eventstore.Any}
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		want.revision = eventstore.Revision(position(e.Revision))
	case *streams.AppendReq_Options_NoStream:
		want.revision = eventstore.NoStream
	case *streams.AppendReq_Options_StreamExists:
		want.exists = true
	}
	var events []eventstore.Event
	size := 0
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := eventOf(m.GetProposedMessage())
		refused = cmp.Or(refused, err)
		if size += len(e.Data) + len(e.Meta); size > maxAppend || len(events) == eventstore.MaxEvents {
			return nil, cmp.Or(refused, error(tooLarge(maxAppend)))
		}
		if refused == nil {
			events = append(events, e)
		}
	}
	if refused != nil {
		return nil, refused
	}
	stream := string(o.GetStreamIdentifier().GetStreamName())
	res, err := s.append(ctx, stream, want, events)
	if ce, ok := errors.AsType[*eventstore.ConflictError](err); ok {
		return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: conflictOf(want, ce.Got)}}, nil
	}
	if err != nil {
		return nil, err
	}
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(res.Revision)},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: uint64(res.Position), PreparePosition: uint64(res.Position),
		}},
	}
	if res.Revision == eventstore.NoStream { // nothing was appended to a stream that is not there
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
		success.PositionOption = &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}, nil
}

// conflictOf says it in both the old and the new fields, as servers do.
func conflictOf(want expectation, got eventstore.Revision) *streams.AppendResp_WrongExpectedVersion {
	w := &streams.AppendResp_WrongExpectedVersion{}
	if got == eventstore.NoStream {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(got)}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(got)}
	}
	switch {
	case want.exists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: &shared.Empty{}}
	case want.revision == eventstore.Any:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: &shared.Empty{}}
	case want.revision == eventstore.NoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(want.revision)}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(want.revision)}
	}
	return w
}

// append appends to a stream as the protocol has it: one that was deleted goes on
// where it was, and one that is not there has no events to expect.
func (s *Server) append(ctx context.Context, stream string, want expectation, events []eventstore.Event) (eventstore.Result, error) {
	sh, err := s.present(ctx, stream)
	if err != nil {
		return eventstore.Result{}, err
	}
	deleted := sh.last == eventstore.NoStream && sh.end != eventstore.NoStream
	if want.exists && sh.last == eventstore.NoStream {
		return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Want: want.revision, Got: eventstore.NoStream}
	}
	if len(events) == 0 {
		if want.revision >= eventstore.NoStream && want.revision != sh.last {
			return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Want: want.revision, Got: sh.last}
		}
		return eventstore.Result{Revision: sh.last}, nil
	}
	if deleted && want.revision == eventstore.NoStream {
		want.revision = sh.end
	}
	res, err := s.cfg.Store.Append(ctx, stream, want.revision, events...)
	if err == nil && deleted && !res.Existing {
		err = s.truncate(ctx, stream, int64(sh.end)+1)
	}
	return res, err
}

// present returns the shape of a stream that may be written to.
func (s *Server) present(ctx context.Context, stream string) (shape, error) {
	last, err := s.lastEvent(ctx, stream)
	if err != nil || last == nil {
		return shape{last: eventstore.NoStream, end: eventstore.NoStream}, err
	}
	return s.limits(ctx, *last)
}

// truncate sets what is shown of a stream, and leaves the rest of its metadata.
func (s *Server) truncate(ctx context.Context, stream string, before int64) error {
	for {
		last, err := s.lastEvent(ctx, metastreamPrefix+stream)
		if err != nil {
			return err
		}
		all, want := map[string]any{}, eventstore.NoStream
		if last != nil {
			want = last.Revision
			if err := json.Unmarshal(last.Data, &all); err != nil {
				return invalid("The metadata of stream '%s' is not understood: %v", stream, err)
			}
			if all == nil { // it was null
				all = map[string]any{}
			}
		}
		all["$tb"] = before
		data, err := json.Marshal(all)
		if err != nil {
			return err
		}
		_, err = s.cfg.Store.Append(ctx, metastreamPrefix+stream, want, eventstore.Event{ID: uuid.New(), Type: metadataType, Data: data})
		if !errors.Is(err, eventstore.ErrConflict) {
			return err
		}
	}
}

// Delete implements streams.StreamsServer. What is in the stream is no longer shown;
// who appends to it goes on behind.
func (s *streamsService) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	want := expectation{revision: eventstore.Any}
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		want.revision = eventstore.Revision(position(e.Revision))
	case *streams.DeleteReq_Options_NoStream:
		want.revision = eventstore.NoStream
	case *streams.DeleteReq_Options_StreamExists:
		want.exists = true
	}
	at, err := s.remove(ctx, string(o.GetStreamIdentifier().GetStreamName()), want, false)
	if err != nil {
		return nil, s.tell(ctx, trailerOf(ctx), err)
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: uint64(at), PreparePosition: uint64(at),
	}}}, nil
}

// Tombstone implements streams.StreamsServer: the stream is gone, and cannot be
// written to again.
func (s *streamsService) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	want := expectation{revision: eventstore.Any}
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		want.revision = eventstore.Revision(position(e.Revision))
	case *streams.TombstoneReq_Options_NoStream:
		want.revision = eventstore.NoStream
	case *streams.TombstoneReq_Options_StreamExists:
		want.exists = true
	}
	at, err := s.remove(ctx, string(o.GetStreamIdentifier().GetStreamName()), want, true)
	if err != nil {
		return nil, s.tell(ctx, trailerOf(ctx), err)
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: uint64(at), PreparePosition: uint64(at),
	}}}, nil
}

// remove deletes a stream, for ever or not, and returns where that is in the log.
func (s *Server) remove(ctx context.Context, stream string, want expectation, forever bool) (eventstore.Position, error) {
	if err := s.mayAppend(ctx); err != nil {
		return 0, err
	}
	if stream == "" || strings.HasPrefix(stream, metastreamPrefix) {
		return 0, invalid("'%s' is no stream that can be deleted", stream)
	}
	sh, err := s.present(ctx, stream)
	if err != nil {
		return 0, err
	}
	if want.exists && sh.last == eventstore.NoStream || want.revision >= eventstore.NoStream && want.revision != sh.last {
		return 0, wrongVersion("Delete", stream, want, sh.last)
	}
	if forever {
		res, err := s.cfg.Store.Append(ctx, stream, sh.end, eventstore.Event{ID: uuid.New(), Type: streamDeletedType})
		if ce, ok := errors.AsType[*eventstore.ConflictError](err); ok {
			return 0, wrongVersion("Tombstone", stream, want, ce.Got)
		}
		return res.Position, err
	}
	if err := s.truncate(ctx, stream, deletedBefore); err != nil {
		return 0, err
	}
	last, err := s.lastEvent(ctx, metastreamPrefix+stream)
	if last == nil {
		return 0, cmp.Or(err, errors.New("gateway: the metadata that was just written is not there"))
	}
	return last.Position, nil
}
