package kurrent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
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
	var out outage
	for {
		from := f.at
		f.since = time.Time{}
		err := f.run(within)
		if errors.Is(err, errAgain) {
			continue
		}
		if err == nil || !isLost(err) || within.Err() != nil {
			return s.because(ctx, err)
		}
		now := time.Now() //nolint:forbidigo // how long to go on trying
		if !out.goOn(now, f.at > from || !f.since.IsZero() && now.Sub(f.since) > longPause) {
			return s.because(ctx, fmt.Errorf("follow the log: %w", err))
		}
		f.live = false // there may be much to catch up with
		pause(within, out.tries)
		if err := s.sameStore(within); err != nil {
			return s.because(ctx, err)
		}
	}
}

// outage is the time in which a follower has no connection that holds.
type outage struct {
	since time.Time
	tries int
}

// goOn reports whether to try again, now that the connection is lost. held says whether
// it had been good until then: so a new outage begins.
func (o *outage) goOn(now time.Time, held bool) bool {
	o.tries++
	if held || o.since.IsZero() {
		*o = outage{since: now}
	}
	return now.Sub(o.since) <= retryTime
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
	live   bool      // it had caught up
	since  time.Time // when the present subscription began; zero if there is none
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
	// has caught up: its answer does not tell how far that is. The same node is asked:
	// others may be ahead of it.
	conn, err := f.store.subs.get(ctx)
	if err != nil {
		return err
	}
	last, err := f.store.subs.page(ctx, conn, readAll(true, 0, 1, ownEvents()))
	if err != nil {
		return err
	}
	head := last.end()
	if !f.q.Follow && f.at >= head {
		f.mark()
		return nil
	}
	every := uint32(farCheckpoints)
	if f.live {
		every = liveCheckpoints
	}
	messages, err := f.store.subscribe(ctx, conn, subscribeAll(f.at, filterOf(f.q), every))
	if err != nil {
		return err
	}
	f.since = time.Now() //nolint:forbidigo // how long it holds
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
		if m.err != nil {
			return m.err
		}
		switch c := m.resp.GetContent().(type) { // what a newer server may say besides is passed over
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
		case *streams.ReadResp_FellBehind_:
			if f.live { // a server looks at no more events at a time than it tells of
				f.live = false
				return errAgain
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
func (s *Store) subscribe(ctx context.Context, conn *grpc.ClientConn, req *streams.ReadReq) (<-chan message, error) {
	calling, cancel := context.WithCancel(ctx)
	patience := time.AfterFunc(answerTime, cancel)
	call, err := streams.NewStreamsClient(conn).Read(calling, req)
	if err != nil {
		if !patience.Stop() {
			err = status.Error(codes.Unavailable, "no answer")
		}
		cancel()
		s.subs.failed(conn, nil, err)
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
