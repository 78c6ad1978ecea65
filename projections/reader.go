package projections

import (
	"context"
	"runtime"
	"sync"

	"github.com/chatledger/chatledger/eventstore"
)

const (
	batchBytes    = 32 << 20 // of events' data in a batch
	readAhead     = 2        // batches
	perEventUse   = 512      // bytes that an event needs besides its data
	segmentEvents = 256      // decoded in one go
	segmentBytes  = 1 << 20
	segmentsAhead = 16
)

// segment is a part of the log on its way from the store to a batch. Segments
// are decoded side by side and used in their order.
type segment struct {
	events []eventstore.Recorded
	bytes  int
	end    eventstore.Position
	flush  bool  // nothing more is to be had at the moment
	err    error // that ended the reading

	items   []*item
	decoded chan struct{} // closed when items are there
}

func newSegment(end eventstore.Position) *segment {
	return &segment{end: end, decoded: make(chan struct{})}
}

// read yields the log behind after to out, decoded and cut into batches of at
// most size events, until it ends, ctx does, or q says so; then it closes out.
// It is run beside the fold, which it stays a little ahead of. The last batch
// has the error that ended the reading.
func read(ctx context.Context, cfg *Config, q eventstore.AllQuery, upTo eventstore.Position, size int, out chan<- batch) {
	defer close(out)
	var workers sync.WaitGroup
	defer workers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	undecoded := make(chan *segment, segmentsAhead)
	inOrder := make(chan *segment, segmentsAhead)
	workers.Go(func() {
		defer close(inOrder)
		defer close(undecoded)
		scan(cfg.Store.ReadAll(ctx, q), q.After, upTo, func(s *segment) bool {
			select {
			case undecoded <- s:
			case <-ctx.Done():
				return false
			}
			select {
			case inOrder <- s:
			case <-ctx.Done():
				return false
			}
			return true
		})
	})
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := range undecoded {
				s.decode(cfg)
			}
		})
	}

	b := batch{end: q.After}
	bytes := 0
	for s := range inOrder {
		select {
		case <-s.decoded:
		case <-ctx.Done():
			return
		}
		moved := s.end > b.end
		if b.items == nil && !s.flush {
			b.items = make([]*item, 0, size+segmentEvents)
		}
		b.items = append(b.items, s.items...)
		b.end, b.err = s.end, s.err
		bytes += s.bytes
		full := len(b.items) >= size || bytes >= batchBytes
		if !full && b.err == nil && (!s.flush || !moved && len(b.items) == 0) {
			continue
		}
		for _, part := range b.cut(size) {
			select {
			case out <- part:
			case <-ctx.Done():
				return
			}
		}
		b, bytes = batch{end: b.end}, 0
	}
	if len(b.items) > 0 || b.end > q.After {
		select {
		case out <- b:
		case <-ctx.Done():
		}
	}
}

// scan cuts what is read into segments and hands them to emit, until it ends,
// emit returns false or upTo is reached, if that is not 0.
func scan(events func(func(eventstore.Recorded, error) bool), after, upTo eventstore.Position, emit func(*segment) bool) {
	s := newSegment(after)
	send := func() bool {
		sent := s
		s = newSegment(sent.end)
		return emit(sent)
	}
	for r, err := range events {
		if err != nil {
			s.err = err
			send()
			return
		}
		if upTo > 0 && r.Position > upTo {
			s.end = upTo
			break
		}
		s.end = max(s.end, r.Position)
		if r.IsMark() {
			if s.flush = true; !send() {
				return
			}
			continue
		}
		if s.events == nil {
			s.events = make([]eventstore.Recorded, 0, segmentEvents)
		}
		s.events = append(s.events, r)
		s.bytes += len(r.Data) + len(r.Meta) + perEventUse
		if len(s.events) == segmentEvents || s.bytes >= segmentBytes {
			if !send() {
				return
			}
		}
	}
	send()
}

func (s *segment) decode(cfg *Config) {
	defer close(s.decoded)
	s.items = make([]*item, 0, len(s.events))
	room := make([]item, len(s.events))
	for i, r := range s.events {
		if it := decodeOnce(cfg, r, &room[i]); it != nil {
			s.items = append(s.items, it)
		}
	}
	s.events = nil
}

// cut returns b in parts of at most size events.
func (b batch) cut(size int) (parts []batch) {
	for len(b.items) > size {
		first := b.items[:size:size]
		parts = append(parts, batch{items: first, end: first[size-1].Position})
		b.items = b.items[size:]
	}
	return append(parts, b)
}
