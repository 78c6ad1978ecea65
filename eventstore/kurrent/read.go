package kurrent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore"
)

// page is one answer to a read, held in memory: while its events are handed on, no
// call is open.
type page struct {
	events  []eventstore.Recorded
	missing bool // there is no such stream
	more    bool // it was cut short, for its size
}

// page reads once. If the connection is lost it tries again for a while.
func (s *Store) page(ctx context.Context, req *streams.ReadReq) (page, error) {
	until := time.Now().Add(retryTime) //nolint:forbidigo // how long to go on trying
	for attempt := 0; ; attempt++ {
		p, err := s.pageOnce(ctx, req)
		if !isLost(err) || ctx.Err() != nil || time.Now().After(until) { //nolint:forbidigo // as above
			return p, err
		}
		pause(ctx, attempt)
	}
}

// isLost reports whether the server could not be reached, or has lost the call; or that
// its connection was closed, being an old one. A caller whose context has ended gets the
// same error.
func isLost(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.Canceled
}

// isInexact reports whether the server was asked to read from a position that no event
// has. It goes on only from those; who has seen the event at p and wants to begin with
// the next may ask for p+1, which then means behind p.
func isInexact(err error) bool {
	return status.Code(err) == codes.InvalidArgument && strings.Contains(err.Error(), "invalid position")
}

func (s *Store) pageOnce(ctx context.Context, req *streams.ReadReq) (page, error) {
	conn, err := s.nodes.get(ctx)
	if err != nil {
		return page{}, err
	}
	return s.nodes.page(ctx, conn, req)
}

// page reads once, over a connection that get has returned.
func (n *nodes) page(ctx context.Context, conn *grpc.ClientConn, req *streams.ReadReq) (p page, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // leaves the rest of the answer, if there is any
	patience := time.AfterFunc(answerTime, cancel)
	defer patience.Stop()
	call, err := streams.NewStreamsClient(conn).Read(ctx, req)
	if err != nil {
		if !patience.Stop() {
			err = status.Error(codes.DeadlineExceeded, status.Convert(err).Message())
		}
		n.failed(conn, nil, err)
		return p, explain(nil, err)
	}
	size := 0
	for {
		resp, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			if !patience.Stop() {
				err = status.Error(codes.DeadlineExceeded, "no answer")
			}
			n.failed(conn, call.Trailer(), err)
			return p, explain(call.Trailer(), err)
		}
		patience.Reset(answerTime)
		switch c := resp.GetContent().(type) {
		case *streams.ReadResp_Event:
			r, err := recordedOf(c.Event)
			if err != nil {
				return p, err
			}
			p.events = append(p.events, r)
			if size += len(r.Data) + len(r.Meta); size > pageBytes {
				p.more = true
				return p, nil
			}
		case *streams.ReadResp_StreamNotFound_:
			p.missing = true
		}
	}
}

// ReadStream implements eventstore.Store. A stream that was deleted for ever yields
// ErrDeleted.
func (s *Store) ReadStream(ctx context.Context, name string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := s.readStream(ctx, name, q, func(r eventstore.Recorded) bool { return yield(r, nil) }); err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// readStream returns nil when it is done or yield has had enough.
func (s *Store) readStream(ctx context.Context, name string, q eventstore.StreamQuery, yield func(eventstore.Recorded) bool) error {
	var from *eventstore.Revision
	if !q.Backwards {
		at := max(q.From, 0)
		from = &at
	}
	if q.Event != uuid.Nil {
		at, err := s.find(ctx, name, q.Event)
		if err != nil || at == eventstore.NoStream {
			return err
		}
		from = &at
	}
	left := q.Limit
	for {
		count := pageEvents
		if q.Limit > 0 {
			count = min(count, left)
		}
		req := backwardsFrom(name, from, count)
		if !q.Backwards {
			req = readStream(name, false, *from, count)
		}
		p, err := s.pageWithin(ctx, req)
		if err != nil {
			return s.because(ctx, fmt.Errorf("read %s: %w", name, err))
		}
		for _, r := range p.events {
			if err := s.gone(ctx); err != nil {
				return err
			}
			if !yield(r) {
				return nil
			}
			left--
		}
		if q.Limit > 0 && left == 0 {
			return nil
		}
		if len(p.events) == 0 || len(p.events) < count && !p.more {
			return s.gone(ctx)
		}
		last := p.events[len(p.events)-1].Revision
		next := last + 1
		if q.Backwards {
			if last == 0 {
				return s.gone(ctx)
			}
			next = last - 1
		}
		from = &next
	}
}

// pageWithin is page, for as long as the store is open.
func (s *Store) pageWithin(ctx context.Context, req *streams.ReadReq) (page, error) {
	within, end, err := s.begin(ctx)
	if err != nil {
		return page{}, err
	}
	defer end()
	return s.page(within, req)
}

func (s *Store) gone(ctx context.Context) error {
	if s.life.Err() != nil {
		return eventstore.ErrClosed
	}
	return ctx.Err()
}

// find returns the revision of an event of a stream, by looking from its end.
func (s *Store) find(ctx context.Context, name string, id uuid.UUID) (eventstore.Revision, error) {
	at := eventstore.NoStream
	err := s.readStream(ctx, name, eventstore.StreamQuery{Backwards: true}, func(r eventstore.Recorded) bool {
		if r.ID == id {
			at = r.Revision
		}
		return at == eventstore.NoStream
	})
	return at, err
}

// ReadAll implements eventstore.Store.
func (s *Store) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		hand := func(r eventstore.Recorded) bool { return yield(r, nil) }
		var err error
		switch {
		case q.Backwards && q.Follow:
			err = errors.New("eventstore: a following read goes forwards only")
		case q.Follow, q.Filtered() && !q.Backwards:
			err = s.follow(ctx, q, hand)
		default:
			err = s.readAll(ctx, q, hand)
		}
		if err != nil {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// ours reports whether an event is one that was appended, and not the server's own.
func ours(r *eventstore.Recorded) bool { return !strings.HasPrefix(r.Type, "$") }

// readAll reads pages, of all events or backwards. It returns nil when it is done or
// yield has had enough.
func (s *Store) readAll(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	f := filterOf(q)
	if q.Backwards && q.After < 0 {
		return nil
	}
	at, left := max(q.After, 0), q.Limit
	if q.From > 0 && !q.Backwards {
		at, q.After = q.From, q.From-1
	}
	for {
		count := pageEvents
		if q.Limit > 0 && !q.Filtered() {
			count = min(count, left+1) // one more for the event that is there already
		}
		p, err := s.pageWithin(ctx, readAll(q.Backwards, at, count, f))
		if isInexact(err) && at == q.From && !q.Backwards {
			at--
			continue
		}
		if err != nil {
			return s.because(ctx, fmt.Errorf("read the log: %w", err))
		}
		before := at
		for _, r := range p.events {
			// Forwards the server begins with the event that is there.
			if !q.Backwards && r.Position <= q.After || q.Backwards && q.After > 0 && r.Position >= q.After {
				continue
			}
			at = r.Position
			if !ours(&r) || !q.Match(r.Stream, r.Type) {
				continue
			}
			if err := s.gone(ctx); err != nil {
				return err
			}
			if !yield(r) {
				return nil
			}
			if left--; left == 0 {
				return nil
			}
		}
		if at == before && len(p.events) < 2 || len(p.events) < count && !p.more {
			return s.gone(ctx)
		}
		q.After = at
	}
}
