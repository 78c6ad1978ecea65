package gateway

import (
	"context"
	"iter"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// streamsService is what reads and writes streams.
type streamsService struct {
	streams.UnimplementedStreamsServer
	*Server
}

// Read implements streams.StreamsServer: every form of reading and subscribing.
func (s *streamsService) Read(req *streams.ReadReq, out streams.Streams_ReadServer) error {
	ctx := out.Context()
	who, err := s.who(ctx)
	if err != nil {
		return s.tell(ctx, out.SetTrailer, err)
	}
	q, err := parseRequest(req)
	if err != nil {
		return s.tell(ctx, out.SetTrailer, err)
	}
	ctx, end, err := s.open.begin(ctx, who.secret)
	if err != nil {
		return s.tell(out.Context(), out.SetTrailer, err)
	}
	defer end()
	r := reading{s.Server, who, q, out}
	if virtual, ok := parseVirtual(q.stream); ok {
		err = r.virtual(ctx, virtual)
	} else if q.stream != "" {
		err = r.stream(ctx)
	} else {
		err = r.all(ctx, virtualStream{}, q.filter)
	}
	return s.tell(ctx, out.SetTrailer, err)
}

// reading is one call of Read.
type reading struct {
	*Server
	who caller
	q   request
	out streams.Streams_ReadServer
}

func (r reading) send(e outgoing) error { return r.out.SendMsg(encodeEvent(e, r.q.asString)) }

// virtualStream is a stream that is not in the log, but a choice of it: the events
// of a category, those of a type, or the first of each stream. Its entries are links,
// whose revision is the position of what they lead to: it grows, with holes, and is
// all that a client needs to go on.
type virtualStream struct {
	name           string
	category, typ  string
	onlyFirst      bool // of each stream
	withoutSystems bool
}

func parseVirtual(name string) (virtualStream, bool) {
	if category, ok := strings.CutPrefix(name, "$ce-"); ok && category != "" {
		return virtualStream{name: name, category: category}, true
	}
	if typ, ok := strings.CutPrefix(name, "$et-"); ok && typ != "" {
		return virtualStream{name: name, typ: typ}, true
	}
	return virtualStream{name: name, onlyFirst: true, withoutSystems: true}, name == "$streams"
}

func (v virtualStream) narrow(q *eventstore.AllQuery) {
	if v.category != "" {
		q.Categories = []string{v.category}
	}
	if v.typ != "" {
		q.Types = []string{v.typ}
	}
}

func (v virtualStream) wants(e *eventstore.Recorded) bool {
	return (!v.onlyFirst || e.Revision == 0) && (!v.withoutSystems || !strings.HasPrefix(e.Stream, "$"))
}

// out returns an event as the reader of the virtual stream gets it.
func (v virtualStream) out(e eventstore.Recorded, resolve bool) outgoing {
	if v.name == "" {
		return outgoing{Recorded: e}
	}
	l := &link{v.name, uint64(e.Position)}
	if resolve {
		return outgoing{e, l}
	}
	bare := l.recorded(&e)
	return outgoing{Recorded: eventstore.Recorded{
		Event:  eventstore.Event{ID: bare.id, Type: bare.typ, Data: bare.data},
		Stream: v.name, Revision: eventstore.Revision(l.revision), Position: e.Position, Time: e.Time,
	}}
}

// virtual reads a virtual stream. One that has nothing in it is not there.
func (r reading) virtual(ctx context.Context, v virtualStream) error {
	if !r.q.subscribe {
		there := false
		q := eventstore.AllQuery{}
		v.narrow(&q)
		for e, err := range r.cfg.Store.ReadAll(ctx, q) {
			if err != nil {
				return err
			}
			if !e.IsMark() && v.wants(&e) && r.who.sees(&e) {
				there = true
				break
			}
		}
		if !there {
			return r.out.Send(notFound(v.name))
		}
	}
	return r.all(ctx, v, nil)
}

// all reads the log, or what a virtual stream or a filter wants of it.
func (r reading) all(ctx context.Context, v virtualStream, f *filter) error {
	wants := func(e *eventstore.Recorded) bool { return v.wants(e) && f.match(e) && r.who.sees(e) }
	q := eventstore.AllQuery{Backwards: r.q.backwards, Follow: r.q.subscribe}
	v.narrow(&q)
	f.narrow(&q)
	at := position(r.q.from.at)
	if r.q.subscribe {
		switch {
		case r.q.from.end:
			head, err := r.cfg.Store.Head(ctx)
			if err != nil {
				return err
			}
			q.After = head.Position
		case !r.q.from.start:
			q.After = at // a subscription goes on behind where the client says it is
		}
		return r.subscription(ctx, q, v, f, wants)
	}
	// A read begins with the event at the position; backwards, $all begins before
	// it, as KurrentDB's does, and a stream with it.
	left := r.q.count
	pass := func(q eventstore.AllQuery, wants func(*eventstore.Recorded) bool) error {
		for e, err := range r.cfg.Store.ReadAll(ctx, q) {
			if err != nil {
				return err
			}
			if left == 0 {
				break
			}
			if e.IsMark() || !wants(&e) {
				continue
			}
			if err := r.send(v.out(e, r.q.resolve)); err != nil {
				return err
			}
			left--
		}
		return nil
	}
	switch {
	case r.q.backwards && r.q.from.start, !r.q.backwards && r.q.from.end:
		return nil
	case r.q.backwards && !r.q.from.end:
		if at == 0 {
			return nil
		}
		if v.name != "" {
			there := func(e *eventstore.Recorded) bool { return e.Position == at && q.Match(e.Stream, e.Type) && wants(e) }
			if err := pass(eventstore.AllQuery{From: at, Limit: 1}, there); err != nil {
				return err
			}
		}
		q.After = at
	case !r.q.backwards && !r.q.from.start:
		q.From = at
	}
	return pass(q, wants)
}

// behindAfter is how many events a subscription that had caught up may get without
// catching up again before it says that it fell behind.
const behindAfter = 4_096

// subscription follows the log. The store is read as fast as the client takes the
// events, and no faster: nothing is kept here.
func (r reading) subscription(ctx context.Context, q eventstore.AllQuery, v virtualStream, f *filter, wants func(*eventstore.Recorded) bool) error {
	if err := r.out.Send(confirmation(uuid.New())); err != nil {
		return err
	}
	live, looked, behind := false, 0, 0
	var end eventstore.Position // of the log when it was last looked at; 0 before that
	told := q.After             // the position of the last event or checkpoint that was sent
	for e, err := range r.cfg.Store.ReadAll(ctx, q) {
		if err != nil {
			return err
		}
		if e.IsMark() {
			// Where the store has left out what cannot match, its marks tell how far
			// it has looked: about as many events as positions.
			if q.Filtered() {
				looked = int(e.Position - told)
			}
			if f != nil && e.Position > told && looked >= f.interval {
				if err := r.out.Send(checkpoint(e.Position)); err != nil {
					return err
				}
				told, looked = e.Position, 0
			}
			if behind = 0; live {
				continue
			}
			// The marks of a filtered read come in between as well. While others write, the
			// end is always a little further: it counts where it was at the mark before.
			if q.Filtered() && (end == 0 || e.Position < end) {
				head, err := r.cfg.Store.Head(ctx)
				if err != nil {
					return err
				}
				if end = head.Position; e.Position < end {
					continue
				}
			}
			if err := r.out.Send(caughtUp()); err != nil {
				return err
			}
			live, end = true, 0
			continue
		}
		if behind++; live && behind > behindAfter {
			if err := r.out.Send(fellBehind()); err != nil {
				return err
			}
			live = false
		}
		looked++
		if wants(&e) {
			if err := r.send(v.out(e, r.q.resolve)); err != nil {
				return err
			}
			told = e.Position
		}
		if f != nil && looked >= f.interval {
			if err := r.out.Send(checkpoint(e.Position)); err != nil {
				return err
			}
			told, looked = e.Position, 0
		}
	}
	return nil
}

// stream reads a stream, or subscribes to it.
func (r reading) stream(ctx context.Context) error {
	shape, err := r.shape(ctx, r.q.stream)
	if err != nil {
		return err
	}
	if r.q.subscribe {
		return r.streamSubscription(ctx, shape)
	}
	if shape.last == eventstore.NoStream {
		return r.out.Send(notFound(r.q.stream))
	}
	events, err := r.streamEvents(ctx, shape)
	if err != nil {
		return err
	}
	left := r.q.count
	for e, err := range events {
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
		if !shape.shows(&e) || !r.who.sees(&e) {
			continue
		}
		if err := r.send(outgoing{Recorded: e}); err != nil {
			return err
		}
		left--
	}
	if r.q.positions {
		return r.out.Send(lastPosition(shape.last))
	}
	return nil
}

// streamEvents returns the events of the stream from where the request begins.
func (r reading) streamEvents(ctx context.Context, sh shape) (iter.Seq2[eventstore.Recorded, error], error) {
	read := func(q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
		if r.q.count < 1<<30 && sh.since.IsZero() { // else who knows how many there are that are not shown
			q.Limit = int(r.q.count)
		}
		return r.cfg.Store.ReadStream(ctx, r.q.stream, q)
	}
	none := func(func(eventstore.Recorded, error) bool) {}
	at := eventstore.Revision(min(r.q.from.at, math.MaxInt64)) // 0 at the start
	switch {
	case r.q.count == 0:
		return none, nil
	case !r.q.backwards && r.q.from.end:
		return none, nil
	case !r.q.backwards:
		return read(eventstore.StreamQuery{From: max(at, sh.first)}), nil
	case r.q.from.end || at >= sh.last:
		return read(eventstore.StreamQuery{Backwards: true}), nil
	}
	// Backwards from the middle: by the id of the event there.
	for e, err := range r.cfg.Store.ReadStream(ctx, r.q.stream, eventstore.StreamQuery{From: at, Limit: 1}) {
		if err != nil {
			return nil, err
		}
		return read(eventstore.StreamQuery{Event: e.ID, Backwards: true}), nil
	}
	return none, nil
}

// streamSubscription reads what is in the stream, then follows its category from
// where the log ended before.
func (r reading) streamSubscription(ctx context.Context, sh shape) error {
	head, err := r.cfg.Store.Head(ctx)
	if err != nil {
		return err
	}
	if err := r.out.Send(confirmation(uuid.New())); err != nil {
		return err
	}
	seen := eventstore.NoStream // the last revision that was sent, or is not wanted
	switch {
	case r.q.from.end:
		seen = sh.last
	case !r.q.from.start:
		seen = eventstore.Revision(min(r.q.from.at, math.MaxInt64-1))
	}
	pass := func(e eventstore.Recorded) error {
		if e.Stream != r.q.stream || e.Revision <= seen {
			return nil
		}
		seen = e.Revision
		if !sh.shows(&e) || !r.who.sees(&e) {
			return nil
		}
		return r.send(outgoing{Recorded: e})
	}
	for e, err := range r.cfg.Store.ReadStream(ctx, r.q.stream, eventstore.StreamQuery{From: seen + 1}) {
		if err == nil {
			err = pass(e)
		}
		if err != nil {
			return err
		}
	}
	if err := r.out.Send(caughtUp()); err != nil {
		return err
	}
	sh = shape{} // what comes is shown, though all that was there be deleted
	q := eventstore.AllQuery{After: head.Position, Categories: []string{eventstore.Category(r.q.stream)}, Follow: true}
	for e, err := range r.cfg.Store.ReadAll(ctx, q) {
		if err == nil && !e.IsMark() {
			if err = pass(e); err == nil && e.Stream == r.q.stream && e.Type == streamDeletedType {
				err = streamDeleted(e.Stream)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
