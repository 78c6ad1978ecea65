package feed

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

const (
	readRetryMin = 100 * time.Millisecond
	readRetryMax = 5 * time.Second
	saveTimeout  = 5 * time.Second
)

// subscription is one run of a Feed. One goroutine (run) decides; others read
// the log, wait for an Ack, or save the checkpoint, and tell it.
type subscription struct {
	f     *Feed
	cfg   *Config
	log   *slog.Logger
	store uuid.UUID
	out   chan *message.Message
	ended chan struct{}
	err   error // why it ended; to be read after ended is closed

	w        *window
	saved    eventstore.Position
	inFlight int
	answers  chan answer
	quit     chan struct{} // closed when nothing is delivered any more
	abandon  chan struct{} // closed when answers are waited for no longer
}

// answer is what became of a delivery.
type answer struct {
	e     *entry
	acked bool
}

func newSubscription(f *Feed, from Checkpoint) *subscription {
	return &subscription{
		f: f, cfg: &f.cfg, store: from.Store,
		log:     f.cfg.Logger.With(slog.String("consumer", f.cfg.Consumer)),
		out:     make(chan *message.Message),
		ended:   make(chan struct{}),
		w:       newWindow(from.Position),
		saved:   from.Position,
		answers: make(chan answer),
		quit:    make(chan struct{}),
		abandon: make(chan struct{}),
	}
}

func (s *subscription) run(ctx context.Context) {
	defer close(s.ended)
	work, cancel := context.WithCancel(ctx) // of the messages
	defer cancel()
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()

	read := make(chan eventstore.Recorded)
	readEnd := make(chan error, 1)
	go func(from eventstore.Position) { readEnd <- s.read(reading, from, read) }(s.w.mark)
	saves := make(chan error, 1)
	saving := false
	tick := time.NewTicker(s.cfg.SaveEvery)
	defer tick.Stop()

	var next *delivery
	reader := true
	for s.err == nil {
		s.publish()
		in, out := read, s.out
		if s.w.open >= s.cfg.Window || len(s.w.order) >= s.cfg.Ahead {
			in = nil
		}
		if next == nil {
			next = newDelivery(work, s.w.next())
		}
		var msg *message.Message
		if next == nil {
			out = nil
		} else {
			msg = next.msg
		}
		select {
		case r := <-in:
			s.w.add(r, s.cfg.Keys)
		case out <- msg:
			s.inFlight++
			go s.watch(next)
			next = nil
		case a := <-s.answers:
			s.settle(a)
		case <-tick.C:
			if !saving && s.w.mark > s.saved {
				saving = true
				go func(at eventstore.Position) { saves <- s.save(ctx, at) }(s.w.mark)
				s.saved = s.w.mark
			}
		case err := <-saves:
			saving = false
			s.saveResult(err)
		case err := <-readEnd:
			reader = false
			s.err = err
		case <-s.f.stop:
			s.err = ErrClosed
		case <-ctx.Done():
			s.err = context.Cause(ctx)
		}
	}

	if next != nil {
		next.release()
	}
	stopReading()
	close(s.quit)
	close(s.out)
	s.drain(ctx, cancel)
	if reader {
		end := <-readEnd
		s.log.LogAttrs(ctx, slog.LevelDebug, "reading the log ended", slog.Any("reason", end))
	}
	if saving {
		s.saveResult(<-saves)
	}
	if s.w.mark > s.saved && !errors.Is(s.err, ErrFenced) {
		s.saved = s.w.mark
		s.saveResult(s.save(ctx, s.w.mark))
	}
	s.publish()
}

// drain waits for the answers of what was delivered, then gives up on the rest.
func (s *subscription) drain(ctx context.Context, cancel context.CancelFunc) {
	limit := time.NewTimer(s.cfg.Drain)
	defer limit.Stop()
	expired := limit.C
	for s.inFlight > 0 {
		select {
		case a := <-s.answers:
			s.settle(a)
		case <-expired:
			expired = nil
			s.log.LogAttrs(ctx, slog.LevelWarn, "messages were not acknowledged in time", slog.Int("messages", s.inFlight))
			cancel()
			close(s.abandon)
		}
	}
}

// settle takes what became of a delivery.
func (s *subscription) settle(a answer) {
	s.inFlight--
	if a.acked {
		s.w.finish(a.e)
	} else {
		s.w.again(a.e)
	}
}

// delivery is one message on its way to the subscriber.
type delivery struct {
	e       *entry
	n       int // the how-manieth of e, counted from 1
	msg     *message.Message
	release context.CancelFunc // ends the message's context
}

// newDelivery returns nil for no entry.
func newDelivery(ctx context.Context, e *entry) *delivery {
	if e == nil {
		return nil
	}
	e.deliveries++
	ctx, cancel := context.WithCancel(ctx)
	return &delivery{e: e, n: e.deliveries, msg: newMessage(ctx, e.Recorded, e.deliveries), release: cancel}
}

// watch waits for the answer to a delivery. After a Nack it waits on, so that
// the entry keeps its keys and comes again after a pause.
func (s *subscription) watch(d *delivery) {
	acked := false
	select {
	case <-d.msg.Acked():
		acked = true
	case <-d.msg.Nacked():
	case <-s.abandon:
	}
	d.release()
	if !acked {
		pause := time.NewTimer(backoff(s.cfg.RedeliverMin, s.cfg.RedeliverMax, d.n))
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-s.quit:
		}
	}
	s.answers <- answer{e: d.e, acked: acked} // run takes every answer before it ends
}

// read hands on what the log has behind the checkpoint, through failures.
func (s *subscription) read(ctx context.Context, at eventstore.Position, to chan<- eventstore.Recorded) error {
	failures := 0
	for {
		q := eventstore.AllQuery{After: at, Categories: s.cfg.Categories, Types: s.cfg.Types, Follow: true}
		var failed error
		for r, err := range s.cfg.Store.ReadAll(ctx, q) {
			if err != nil {
				failed = err
				break
			}
			select {
			case to <- r:
				at, failures = r.Position, 0
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(failed, eventstore.ErrClosed):
			return failed
		}
		failures++
		s.log.LogAttrs(ctx, slog.LevelWarn, "reading the log failed", slog.Int64("after", int64(at)), slog.Any("error", failed))
		if !wait(ctx, backoff(readRetryMin, readRetryMax, failures)) {
			return context.Cause(ctx)
		}
	}
}

// save does not end with ctx: what was done is worth remembering.
func (s *subscription) save(ctx context.Context, at eventstore.Position) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return s.cfg.Checkpoints.Save(ctx, s.cfg.Consumer, Checkpoint{Store: s.store, Position: at})
}

func (s *subscription) saveResult(err error) {
	switch {
	case err == nil:
	case errors.Is(err, ErrFenced):
		s.err = err
	default:
		s.saved = -1 // unknown: the next save is due whatever the mark
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "saving the checkpoint failed", slog.Any("error", err))
	}
}

func (s *subscription) publish() {
	s.f.status.Store(&Status{Checkpoint: s.w.mark, InFlight: s.inFlight, Waiting: s.w.open - s.inFlight})
}

// backoff returns least × 2^(n-1), at most most.
func backoff(least, most time.Duration, n int) time.Duration {
	return min(most, least<<min(max(n-1, 0), 20))
}

// wait returns false if ctx was done first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
