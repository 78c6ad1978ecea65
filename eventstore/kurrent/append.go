package kurrent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore"
)

// Append implements eventstore.Store.
//
// The server does not compare ids with all of the stream, so that is done here, with
// the last LookBack events of it: they are read when the stream is first written to,
// and kept for a while. What others have added meanwhile makes the server refuse the
// append, and is looked at then.
func (s *Store) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	if err := eventstore.Validate(stream, want, events); err != nil {
		return eventstore.Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Result{}, err
	}
	within, end, err := s.begin(ctx)
	if err != nil {
		return eventstore.Result{}, err
	}
	defer end()
	within, cancel := context.WithTimeout(within, s.wait)
	defer cancel()
	res, err := s.append(within, stream, want, events)
	if err != nil && !errors.Is(err, eventstore.ErrConflict) && !errors.Is(err, eventstore.ErrInvalid) {
		err = s.because(ctx, fmt.Errorf("append to %s: %w", stream, err))
	}
	return res, err
}

func (s *Store) append(ctx context.Context, stream string, want eventstore.Revision, events []eventstore.Event) (eventstore.Result, error) {
	seen, unlock, err := s.known.lock(ctx, stream)
	if err != nil {
		return eventstore.Result{}, err
	}
	defer unlock()
	fresh := false               // whether seen is what the server has, or had just now
	least := eventstore.NoStream // where the server says that the stream is
	for {
		if !fresh && (!seen.read || want != seen.last) {
			if err := s.refresh(ctx, stream, seen); err != nil {
				return eventstore.Result{}, err
			}
			fresh = true
			seen.last = max(seen.last, least) // what the stream's metadata hides cannot be read
		}
		there, last := seen.find(events)
		switch {
		case there == len(events):
			return s.original(ctx, stream, last)
		case there > 0 || want != eventstore.Any && want != seen.last && fresh:
			return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Want: want, Got: seen.last}
		}
		res, err := s.send(ctx, stream, seen.last, events)
		if err == nil {
			seen.add(res.Revision, events)
			return res, nil
		}
		ce, conflict := errors.AsType[*eventstore.ConflictError](err)
		if !conflict {
			seen.forget() // it may have happened
			return eventstore.Result{}, err
		}
		fresh, least = false, ce.Got
		seen.read = false // though what was read of it stays true
	}
}

// original returns where events are that were appended before.
func (s *Store) original(ctx context.Context, stream string, last eventstore.Revision) (eventstore.Result, error) {
	page, err := s.page(ctx, readStream(stream, false, last, 1))
	if err != nil {
		return eventstore.Result{}, err
	}
	if len(page.events) == 0 || page.events[0].Revision != last {
		return eventstore.Result{}, fmt.Errorf("revision %d is not there any more", last)
	}
	return eventstore.Result{Revision: last, Position: page.events[0].Position, Existing: true}, nil
}

// refresh reads what was added to a stream since it was last looked at. A stream that
// is new to us is read from its end.
func (s *Store) refresh(ctx context.Context, stream string, seen *stream) error {
	if seen.last < 0 {
		page, err := s.page(ctx, backwardsFrom(stream, nil, LookBack))
		for read := 0; err == nil && len(page.events) > 0; {
			for _, e := range page.events {
				seen.note(e.ID, e.Revision)
			}
			read += len(page.events)
			oldest := page.events[len(page.events)-1].Revision
			if read >= LookBack || oldest == 0 {
				break
			}
			next := oldest - 1
			page, err = s.page(ctx, backwardsFrom(stream, &next, LookBack-read))
		}
		seen.read = err == nil
		return err
	}
	for {
		page, err := s.page(ctx, readStream(stream, false, seen.last+1, pageEvents))
		if err != nil {
			return err
		}
		if len(page.events) == 0 {
			if page.missing { // deleted: it begins anew, at a revision that only the server knows
				seen.forget()
			}
			seen.read = true
			return nil
		}
		for _, e := range page.events {
			seen.note(e.ID, e.Revision)
		}
	}
}

// send appends, and returns a *ConflictError if the stream is not at want.
func (s *Store) send(ctx context.Context, stream string, want eventstore.Revision, events []eventstore.Event) (eventstore.Result, error) {
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "requires-leader", "true"))
	defer cancel() // what was begun and not finished is not appended
	conn, call, err := s.callAppend(ctx)
	if err != nil {
		return eventstore.Result{}, explain(nil, err)
	}
	o := &streams.AppendReq_Options{StreamIdentifier: identifier(stream)}
	if want == eventstore.NoStream {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	} else {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(want)}
	}
	err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}})
	for i := 0; err == nil && i < len(events); i++ {
		err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: proposedOf(&events[i])}})
	}
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the answer says why
		return eventstore.Result{}, explain(nil, err)
	}
	resp, err := call.CloseAndRecv()
	if err != nil {
		s.nodes.failed(conn, call.Trailer(), err)
		return eventstore.Result{}, explain(call.Trailer(), err)
	}
	switch r := resp.GetResult().(type) {
	case *streams.AppendResp_Success_:
		p := r.Success.GetPosition()
		if p == nil {
			return eventstore.Result{}, errors.New("the server does not say where the events are")
		}
		return eventstore.Result{Revision: eventstore.Revision(r.Success.GetCurrentRevision()), Position: eventstore.Position(p.GetCommitPosition())}, nil
	case *streams.AppendResp_WrongExpectedVersion_:
		got := eventstore.NoStream
		if at, ok := r.WrongExpectedVersion.GetCurrentRevisionOption().(*streams.AppendResp_WrongExpectedVersion_CurrentRevision); ok {
			got = eventstore.Revision(at.CurrentRevision)
		}
		return eventstore.Result{}, &eventstore.ConflictError{Stream: stream, Want: want, Got: got}
	}
	return eventstore.Result{}, errors.New("the server's answer is not understood")
}

// callAppend begins a call, at another node of a cluster if one cannot be reached:
// nothing has been sent yet.
func (s *Store) callAppend(ctx context.Context) (*grpc.ClientConn, streams.Streams_AppendClient, error) {
	for attempt := 0; ; attempt++ {
		conn, err := s.nodes.get(ctx)
		if err == nil {
			var call streams.Streams_AppendClient
			if call, err = streams.NewStreamsClient(conn).Append(ctx); err == nil {
				return conn, call, nil
			}
			s.nodes.failed(conn, nil, err)
		}
		if !isLost(err) || ctx.Err() != nil {
			return nil, nil, err
		}
		pause(ctx, attempt)
	}
}

// explain returns an error of the server in words that say what to do.
func explain(trailer metadata.MD, err error) error {
	switch first(trailer, "exception") {
	case "stream-deleted":
		return ErrDeleted
	case "maximum-append-size-exceeded":
		return fmt.Errorf("%w: the server takes %s bytes in one append: raise its MaxAppendSize", eventstore.ErrInvalid, first(trailer, "maximum-append-size"))
	case "maximum-append-event-size-exceeded":
		return fmt.Errorf("%w: %s Raise the server's MaxAppendEventSize", eventstore.ErrInvalid, status.Convert(err).Message())
	case "access-denied":
		return fmt.Errorf("kurrent: the user of the connection string may not do that: %w", err)
	}
	switch status.Code(err) {
	case codes.Unknown: // to a filtered read it gives the name of its own result
		if strings.Contains(err.Error(), "FilteredReadAllResult: InvalidPosition") {
			err = status.Error(codes.InvalidArgument, "Trying to read from an invalid position.")
		}
		return fmt.Errorf("kurrent: %w", err)
	case codes.Unauthenticated:
		return fmt.Errorf("kurrent: the server does not accept the user and password of the connection string: %w", err)
	case codes.DeadlineExceeded:
		return fmt.Errorf("kurrent: no answer from the server in time: %w: %s", context.DeadlineExceeded, status.Convert(err).Message())
	default:
		return fmt.Errorf("kurrent: %w", err)
	}
}
