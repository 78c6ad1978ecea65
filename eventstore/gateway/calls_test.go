package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore/memory"
)

// call is one as gRPC hands it to a service.
type call[Req, Resp any] struct {
	grpc.ServerStream
	ctx  context.Context //nolint:containedctx // that of the call
	recv func() (*Req, error)
	sent []*Resp
}

func (c *call[Req, Resp]) Context() context.Context { return c.ctx }
func (c *call[Req, Resp]) SetTrailer(metadata.MD)   {}
func (c *call[Req, Resp]) Recv() (*Req, error)      { return c.recv() }

func (c *call[Req, Resp]) SendMsg(any) error { return nil }

func (c *call[Req, Resp]) Send(r *Resp) error {
	c.sent = append(c.sent, r)
	return nil
}

func (c *call[Req, Resp]) SendAndClose(r *Resp) error { return c.Send(r) }

// in returns the messages one after the other.
func in[Req any](messages ...*Req) func() (*Req, error) {
	return func() (*Req, error) {
		if len(messages) == 0 {
			return nil, io.EOF
		}
		m := messages[0]
		messages = messages[1:]
		return m, nil
	}
}

func service(t *testing.T, rights func() (Rights, error)) *streamsService {
	t.Helper()
	log := memory.New(time.Now)
	t.Cleanup(func() { log.Close() })
	return &streamsService{Server: New(Config{
		Store: log, Appends: true, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(context.Context, string) (Rights, error) { return rights() },
	})}
}

func mayWrite() (Rights, error) { return Rights{Append: true}, nil }

func authorized(t *testing.T) context.Context {
	t.Helper()
	return metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer secret"))
}

// Whatever a message lacks, it is answered.
func TestMessagesWithFieldsMissing(t *testing.T) {
	s, ctx := service(t, mayWrite), authorized(t)
	ids := &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{}}
	count := &streams.ReadReq_Options_Count{Count: 1 << 63}
	byType := func(f *streams.ReadReq_Options_FilterOptions_EventType) *streams.ReadReq_Options {
		return &streams.ReadReq_Options{
			UuidOption: ids, CountOption: count, StreamOption: &streams.ReadReq_Options_All{},
			FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{Filter: f}},
		}
	}
	for i, o := range []*streams.ReadReq_Options{
		nil,
		{},
		{UuidOption: &streams.ReadReq_Options_UUIDOption{}},
		{UuidOption: ids, CountOption: count},
		{UuidOption: ids, CountOption: count, StreamOption: &streams.ReadReq_Options_Stream{}},
		{UuidOption: ids, CountOption: count, StreamOption: &streams.ReadReq_Options_All{}, FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{}}},
		byType(&streams.ReadReq_Options_FilterOptions_EventType{}),
		byType(&streams.ReadReq_Options_FilterOptions_EventType{EventType: &streams.ReadReq_Options_FilterOptions_Expression{}}),
	} {
		err := s.Read(&streams.ReadReq{Options: o}, &call[streams.ReadReq, streams.ReadResp]{ctx: ctx})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("read %d: %v", i, err)
		}
	}
	for i, o := range []*streams.ReadReq_Options{
		{UuidOption: ids, CountOption: count, StreamOption: &streams.ReadReq_Options_All{}},
		{UuidOption: ids, CountOption: count, StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{}}}},
	} {
		if err := s.Read(&streams.ReadReq{Options: o}, &call[streams.ReadReq, streams.ReadResp]{ctx: ctx}); err != nil {
			t.Errorf("read %d of all: %v", i, err)
		}
	}
	options := &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{}}}
	for i, messages := range [][]*streams.AppendReq{
		{{}},
		{{Content: &streams.AppendReq_Options_{}}},
		{options, {}},
		{options, {Content: &streams.AppendReq_ProposedMessage_{}}},
		{options, {Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{Id: &shared.UUID{}}}}},
	} {
		err := s.Append(&call[streams.AppendReq, streams.AppendResp]{ctx: ctx, recv: in(messages...)})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("append %d: %v", i, err)
		}
	}
	batches := []*streams.BatchAppendReq{
		{IsFinal: true},
		{IsFinal: true, CorrelationId: &shared.UUID{}, Options: &streams.BatchAppendReq_Options{DeadlineOption: &streams.BatchAppendReq_Options_Deadline_21_10_0{}}},
		{IsFinal: true, Options: &streams.BatchAppendReq_Options{DeadlineOption: &streams.BatchAppendReq_Options_Deadline{}}, ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{{}}},
	}
	c := &call[streams.BatchAppendReq, streams.BatchAppendResp]{ctx: ctx, recv: in(batches...)}
	if err := s.BatchAppend(c); err != nil || len(c.sent) != len(batches) {
		t.Errorf("%d batches have %d answers, %v", len(batches), len(c.sent), err)
	}
	if _, err := s.Delete(ctx, &streams.DeleteReq{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.Tombstone(ctx, &streams.TombstoneReq{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("tombstone: %v", err)
	}
}

// Who says that he appends, and sends nothing, does not stay for ever.
func TestAnAppendThatIsNotSentEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service(t, func() (Rights, error) { return Rights{}, ErrUnauthenticated })
		ctx, cancel := context.WithCancel(authorized(t))
		defer cancel() // as gRPC does when a call is over
		err := s.Append(&call[streams.AppendReq, streams.AppendResp]{ctx: ctx, recv: func() (*streams.AppendReq, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%v; want that the time ran out", err)
		}
	})
}

// A token that is revoked appends nothing more, though the call goes on.
func TestRevokedWhileAppendingBatches(t *testing.T) {
	revoked := false
	s := service(t, func() (Rights, error) {
		if revoked {
			return Rights{}, ErrUnauthenticated
		}
		return mayWrite()
	})
	n := 0
	c := &call[streams.BatchAppendReq, streams.BatchAppendResp]{ctx: authorized(t), recv: func() (*streams.BatchAppendReq, error) {
		if n++; n > 2 {
			return nil, io.EOF
		}
		revoked = n == 2
		return &streams.BatchAppendReq{
			IsFinal: true, CorrelationId: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{LeastSignificantBits: int64(n)}}},
			Options: &streams.BatchAppendReq_Options{StreamIdentifier: identifier(fmt.Sprintf("chat-%d", n))},
		}, nil
	}}
	if err := s.BatchAppend(c); err != nil {
		t.Fatal(err)
	}
	refused := map[int64]codes.Code{}
	for _, r := range c.sent {
		refused[r.GetCorrelationId().GetStructured().GetLeastSignificantBits()] = codes.Code(r.GetError().GetCode())
	}
	if len(refused) != 2 || refused[1] != codes.OK || refused[2] != codes.Unauthenticated {
		t.Errorf("answers %v; want the second to be refused", refused)
	}
}

// What the server of a log in KurrentDB says to us is not said to our callers.
func TestTroubleWithTheLog(t *testing.T) {
	s := service(t, mayWrite)
	for from, want := range map[codes.Code]codes.Code{
		codes.Unauthenticated: codes.Internal, codes.PermissionDenied: codes.Internal, codes.Unavailable: codes.Unavailable,
		codes.InvalidArgument: codes.InvalidArgument, codes.ResourceExhausted: codes.ResourceExhausted,
	} {
		err := s.translate(t.Context(), fmt.Errorf("read the log: %w", status.Error(from, "at 10.0.0.1")))
		if status.Code(err) != want {
			t.Errorf("%v becomes %v; want %v", from, err, want)
		}
	}
	if err := s.translate(t.Context(), fmt.Errorf("read the log: %w", status.Error(codes.Unavailable, "at 10.0.0.1"))); !errors.As(err, new(*failure)) || err.Error() != "Server Is Not Ready" {
		t.Errorf("%v; want that the server is not ready", err)
	}
}

// A gateway that listens on all addresses tells each client the one by which he came.
func TestGossipAddress(t *testing.T) {
	var a addr
	a.set(&net.TCPAddr{IP: net.IPv6unspecified, Port: 2113})
	ctx := peer.NewContext(t.Context(), &peer.Peer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 2113}})
	if host, port := a.get(ctx); host != "10.0.0.7" || port != 2113 {
		t.Errorf("got %s:%d", host, port)
	}
	a.set(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2114})
	if host, port := a.get(ctx); host != "127.0.0.1" || port != 2114 {
		t.Errorf("got %s:%d", host, port)
	}
}
