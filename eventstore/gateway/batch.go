package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/chatledger/chatledger/eventstore"
)

// Bounds of one call of BatchAppend: what its client has begun and not yet finished,
// and what is being written.
const (
	maxBegun   = 100
	maxWriting = 64
)

// batch is an append that arrives in parts.
type batch struct {
	id     *shared.UUID
	stream string
	want   expectation
	until  time.Time // the client waits no longer
	events []eventstore.Event
	size   int
	err    error // why it will be refused
}

// BatchAppend implements streams.StreamsServer: many appends on one call, each with
// an answer of its own.
func (s *streamsService) BatchAppend(in streams.Streams_BatchAppendServer) error {
	ctx := in.Context()
	var (
		writing sync.WaitGroup
		sending sync.Mutex
		slots   = make(chan struct{}, maxWriting)
		begun   = map[uuid.UUID]*batch{}
	)
	defer writing.Wait()
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.tell(ctx, in.SetTrailer, err)
		}
		id := idOfUUID(m.GetCorrelationId())
		b := begun[id]
		if b == nil {
			if len(begun) == maxBegun {
				return s.tell(ctx, in.SetTrailer, invalid("More than %d appends are begun and not finished.", maxBegun))
			}
			b = newBatch(m, s.cfg.Now())
			b.err = s.mayAppend(ctx) // each time: the token may be revoked meanwhile
			begun[id] = b
		}
		b.add(m)
		if !m.GetIsFinal() {
			continue
		}
		delete(begun, id)
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return s.tell(ctx, in.SetTrailer, ctx.Err())
		}
		writing.Go(func() {
			defer func() { <-slots }()
			resp := s.write(ctx, b)
			sending.Lock()
			defer sending.Unlock()
			_ = in.Send(resp) // the client has gone: its next message, which is none, tells
		})
	}
}

func newBatch(m *streams.BatchAppendReq, now time.Time) *batch {
	b := &batch{id: m.GetCorrelationId(), want: expectation{revision: eventstore.Any}, until: now.Add(callTime)}
	o := m.GetOptions()
	b.stream = string(o.GetStreamIdentifier().GetStreamName())
	switch e := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		b.want.revision = eventstore.Revision(position(e.StreamPosition))
	case *streams.BatchAppendReq_Options_NoStream:
		b.want.revision = eventstore.NoStream
	case *streams.BatchAppendReq_Options_StreamExists:
		b.want.exists = true
	}
	switch d := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		b.until = earlier(b.until, d.Deadline_21_10_0.AsTime())
	case *streams.BatchAppendReq_Options_Deadline:
		if wait := d.Deadline.AsDuration(); wait > 0 && wait < callTime {
			b.until = now.Add(wait)
		}
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (b *batch) add(m *streams.BatchAppendReq) {
	for _, p := range m.GetProposedMessages() {
		if b.err != nil {
			return
		}
		e, err := eventOf(p)
		if b.err = err; err != nil {
			return
		}
		if b.size += len(e.Data) + len(e.Meta); b.size > maxAppend || len(b.events) == eventstore.MaxEvents {
			b.err, b.events = tooLarge(maxAppend), nil
			return
		}
		b.events = append(b.events, e)
	}
}

// write appends what has arrived, and returns the answer.
func (s *Server) write(ctx context.Context, b *batch) *streams.BatchAppendResp {
	resp := &streams.BatchAppendResp{CorrelationId: b.id, StreamIdentifier: identifier(b.stream)}
	switch {
	case b.want.exists:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_StreamExists{StreamExists: &emptypb.Empty{}}
	case b.want.revision == eventstore.Any:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_Any{Any: &emptypb.Empty{}}
	case b.want.revision == eventstore.NoStream:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_NoStream{NoStream: &emptypb.Empty{}}
	default:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_StreamPosition{StreamPosition: uint64(b.want.revision)}
	}
	var res eventstore.Result
	err := b.err
	if err == nil {
		soon, cancel := context.WithDeadline(ctx, b.until)
		defer cancel()
		res, err = s.append(soon, b.stream, b.want, b.events)
	}
	if err != nil {
		resp.Result = &streams.BatchAppendResp_Error{Error: s.statusOf(ctx, b, err)}
		return resp
	}
	success := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(res.Revision)},
		PositionOption: &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: uint64(res.Position), PreparePosition: uint64(res.Position),
		}},
	}
	if res.Revision == eventstore.NoStream {
		success.CurrentRevisionOption = &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}}
		success.PositionOption = &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}}
	}
	resp.Result = &streams.BatchAppendResp_Success_{Success: success}
	return resp
}

// statusOf returns an error as the status in an answer, with the details by which
// newer clients know what happened.
func (s *Server) statusOf(ctx context.Context, b *batch, err error) *status.Status {
	if ce, ok := errors.AsType[*eventstore.ConflictError](err); ok {
		return detailed(codes.AlreadyExists, "WrongExpectedVersion", wrongVersionDetail(b.want, ce.Got))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return detailed(codes.DeadlineExceeded, "Timeout", &shared.Timeout{})
	}
	err = s.translate(ctx, err)
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return detailed(codes.Internal, err.Error(), &shared.Unknown{})
	}
	switch f.trailers["exception"] {
	case "access-denied":
		return detailed(codes.PermissionDenied, "AccessDenied", &shared.AccessDenied{})
	case "not-authenticated":
		return detailed(codes.Unauthenticated, f.message, &shared.AccessDenied{})
	case "stream-deleted":
		return detailed(codes.FailedPrecondition, "StreamDeleted", &shared.StreamDeleted{StreamIdentifier: identifier(b.stream)})
	case "maximum-append-size-exceeded":
		return detailed(codes.InvalidArgument, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: maxAppend})
	}
	return detailed(f.code, f.message, &shared.BadRequest{Message: f.message})
}

func wrongVersionDetail(want expectation, got eventstore.Revision) *shared.WrongExpectedVersion {
	w := &shared.WrongExpectedVersion{}
	if got == eventstore.NoStream {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
	} else {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(got)}
	}
	switch {
	case want.exists:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	case want.revision == eventstore.Any:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case want.revision == eventstore.NoStream:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	default:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(want.revision)}
	}
	return w
}

func detailed(c codes.Code, message string, detail proto.Message) *status.Status {
	st := &status.Status{Code: int32(c), Message: message}
	if packed, err := anypb.New(detail); err == nil { // which a message of ours always can be
		st.Details = append(st.Details, packed)
	}
	return st
}

func idOfUUID(id *shared.UUID) uuid.UUID {
	if text := id.GetString_(); text != "" {
		return uuid.NewSHA1(uuid.Nil, []byte(text)) // it only has to tell one from another
	}
	return idOf(id.GetStructured())
}

func idOf(s *shared.UUID_Structured) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(s.GetMostSignificantBits()))
	binary.BigEndian.PutUint64(id[8:], uint64(s.GetLeastSignificantBits()))
	return id
}
