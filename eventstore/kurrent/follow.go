package kurrent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore"
)

// How often the server is to tell how far it has looked: seldom while a follower
// catches up, after each event once it has.
const (
	farCheckpoints  = 1_000
	liveCheckpoints = 1
)

// follow reads by subscribing, which is how the server tells how far it has looked
// when it leaves events out. It returns nil when it is done or yield has had enough.
//
// A lost connection is made again, and the follower goes on behind what it has seen.
func (s *Store) follow(ctx context.Context, q eventstore.AllQuery, yield func(eventstore.Recorded) bool) error {
	within, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := ctx.Err(); err != nil {
		return err
	}
	f := &follower{store: s, q: q, at: max(q.After, 0), marked: -1, yield: yield}
	if q.From > 0 {
		if done, err := f.first(within); done || err != nil {
			return s.because(ctx, err)
		}
	}
	lost := time.Time{}
	for attempt := 0; ; attempt++ {
		from := f.at
		err := f.run(within)
		if errors.Is(err, errAgain) {
			continue
		}
		if err == nil || !isLost(err) || within.Err() != nil {
			return s.because(ctx, err)
		}
		if f.at > from || lost.IsZero() {
			lost, attempt = time.Now(), 0 //nolint:forbidigo // how long to go on trying
		}
		if time.Since(lost) > retryTime { //nolint:forbidigo // as above
			return s.because(ctx, fmt.Errorf("follow the log: %w", err))
		}
		pause(within, attempt)
		if err := s.sameStore(within); err != nil {
			return s.because(ctx, err)
		}
	}
}

// errAgain asks for another subscription, from where the last one got to.
var errAgain = errors.New("kurrent: subscribe again")

// follower is a read that goes on.
type follower struct {
	store  *Store
	q      eventstore.AllQuery
	yield  func(eventstore.Recorded) bool
	at     eventstore.Position // how far it has got
	marked eventstore.Position
	seen   int
	live   bool // it had caught up
}

// first hands on the event that the query begins with, if there is one and it is
// wanted: a subscription begins behind a position. It reports whether that was all.
func (f *follower) first(ctx context.Context) (done bool, err error) {
	from := f.q.From
	f.at, f.q.From = from-1, 0
	err = f.store.readAll(ctx, eventstore.AllQuery{From: from, Limit: 1}, func(r eventstore.Recorded) bool {
		if r.Position == from {
			f.at = from
			if f.q.Match(r.Stream, r.Type) {
				done = !f.yield(r)
				f.seen++
			}
		}
		return false
	})
	return done || f.seen > 0 && f.seen == f.q.Limit, err
}

// mark says how far the read has got, if that is news. It reports whether to go on.
func (f *follower) mark() bool {
	if f.at <= f.marked {
		return true
	}
	f.marked = f.at
	return f.yield(eventstore.Recorded{Position: f.at})
}

// run subscribes once. It returns nil when the read is done.
func (f *follower) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// What the log holds now is looked at when the server says that the subscription
	// has caught up: its answer does not tell how far that is.
	head, err := f.store.head(ctx)
	if err != nil {
		return err
	}
	if !f.q.Follow && f.at >= head {
		f.mark()
		return nil
	}
	every := uint32(farCheckpoints)
	if f.live {
		every = liveCheckpoints
	}
	messages, err := f.store.subscribe(ctx, subscribeAll(f.at, filterOf(f.q), every))
	if err != nil {
		return err
	}
	for {
		var m message
		select {
		case m = <-messages:
		default:
			// Nothing more is there: what has come is all there is, for now.
			if f.live && !f.mark() {
				return nil
			}
			select {
			case m = <-messages:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		switch c := m.resp.GetContent().(type) {
		case nil:
			return m.err
		case *streams.ReadResp_Event:
			done, err := f.event(c.Event)
			if done || err != nil {
				return err
			}
		case *streams.ReadResp_Checkpoint_:
			f.at = max(f.at, eventstore.Position(c.Checkpoint.GetCommitPosition()))
			if !f.mark() {
				return nil
			}
		case *streams.ReadResp_CaughtUp_:
			f.at = max(f.at, head)
			if !f.mark() || !f.q.Follow {
				return nil
			}
			if !f.live { // once more, to be told of each event that is left out
				f.live = true
				return errAgain
			}
		}
		if !f.q.Follow && f.at >= head {
			f.mark()
			return nil
		}
	}
}

// event hands an event on, if it is wanted, and reports whether that was the last.
func (f *follower) event(e *streams.ReadResp_ReadEvent) (done bool, err error) {
	r, err := recordedOf(e)
	if err != nil {
		return true, err
	}
	if r.Position <= f.at {
		return false, nil // seen before the connection was made again
	}
	f.at = r.Position
	if !ours(&r) || !f.q.Match(r.Stream, r.Type) {
		return false, nil
	}
	if !f.yield(r) {
		return true, nil
	}
	if f.seen++; f.seen == f.q.Limit {
		if f.q.Filtered() {
			f.mark()
		}
		return true, nil
	}
	return false, nil
}

// message is what a subscription brings, or the error that it ended with.
type message struct {
	resp *streams.ReadResp
	err  error
}

// ahead is how many messages of a subscription are held until they are wanted. When
// they are not, the server waits.
const ahead = 256

// subscribe begins a subscription, whose messages come until ctx ends; the last has
// an error and no content.
func (s *Store) subscribe(ctx context.Context, req *streams.ReadReq) (<-chan message, error) {
	conn, err := s.subs.get(ctx)
	if err != nil {
		return nil, err
	}
	calling, cancel := context.WithCancel(ctx)
	patience := time.AfterFunc(answerTime, cancel)
	call, err := streams.NewStreamsClient(conn).Read(calling, req)
	if err != nil {
		if !patience.Stop() {
			err = status.Error(codes.Unavailable, "no answer")
		}
		cancel()
		return nil, explain(nil, err)
	}
	resp, err := call.Recv()
	if !patience.Stop() {
		err = status.Error(codes.Unavailable, "no answer")
	}
	if err != nil {
		cancel()
		s.subs.failed(conn, call.Trailer(), err)
		return nil, explain(call.Trailer(), err)
	}
	if resp.GetConfirmation() == nil {
		cancel()
		return nil, fmt.Errorf("kurrent: the subscription was not confirmed")
	}
	out := make(chan message, ahead)
	s.busy.Go(func() {
		defer cancel()
		for {
			resp, err := call.Recv()
			m := message{resp, nil}
			if err != nil {
				s.subs.failed(conn, call.Trailer(), err)
				m = message{nil, explain(call.Trailer(), err)}
			}
			select {
			case out <- m:
			case <-calling.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return out, nil
}
