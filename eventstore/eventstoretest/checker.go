package eventstoretest

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// How long the writers of a Trial write: a look in passing, unless somebody asks
// for more, as in
//
//	go test ./eventstore/sqlite -run NoSkip -checker.for 5m
var (
	checkerFor  = flag.Duration("checker.for", 2*time.Second, "how long the no-skip checker writes")
	checkerSeed = flag.Uint64("checker.seed", 0, "what the no-skip checker draws its delays and kills from; 0 is any")
)

// Trial says how the no-skip checker treats a log. Writers append to it, each in
// a process of its own that is killed and replaced again and again, while
// readers follow it and restart from their checkpoints.
type Trial struct {
	Open   func(ctx context.Context) (eventstore.Store, error) // as one more process sees the log
	Writer func(ctx context.Context, seed uint64) (Writer, error)
	Dense  bool          // positions have no holes
	For    time.Duration // default: the flag -checker.for

	// Disturb, if set, does harm that the log must survive, until ctx ends, which
	// is when the writers have ended.
	Disturb func(ctx context.Context)

	// Enough, if set, says whether enough harm was done. On a slow machine the
	// writers go on for longer until it was.
	Enough func() bool
}

// Writer is one that runs: a process, or what stands for one.
type Writer interface {
	io.Reader    // what it was told, line by line; ends with the writer
	Stop() error // it may finish what it is doing
	Kill() error // it may not
	Wait() error // after the end of what it says
}

// Report is what a Trial found. Without Faults every reader has seen every
// acknowledged event that it wants exactly once, and all in one order.
type Report struct {
	Faults []Fault

	Seed                                               uint64
	Acked, Events, Conflicts, Unknown, Kills, Restarts int
	Errors                                             map[string]int // what the appends of unknown outcome said, and how often
}

// Said reports whether an append failed with an error that contains text.
func (r Report) Said(text string) bool {
	for e := range r.Errors {
		if strings.Contains(e, text) {
			return true
		}
	}
	return false
}

// Fault is a broken promise.
type Fault struct {
	Kind FaultKind
	Text string
}

// FaultKind says which promise was broken.
type FaultKind string

// Kinds of fault.
const (
	Lost      FaultKind = "lost"      // acknowledged, and not in the log
	Skipped   FaultKind = "skipped"   // in the log, and not seen by a reader that has passed it
	Twice     FaultKind = "twice"     // in the log, or seen by a reader, more than once
	Disorder  FaultKind = "disorder"  // seen at another place than where the log has it
	Hole      FaultKind = "hole"      // a position or revision that nothing has
	Stuck     FaultKind = "stuck"     // a reader did not get to the end
	Unstarted FaultKind = "not tried" // too little happened for the Trial to mean anything
)

func (f Fault) String() string { return string(f.Kind) + ": " + f.Text }

// Has reports whether there is a fault of this kind.
func (r Report) Has(kind FaultKind) bool {
	for _, f := range r.Faults {
		if f.Kind == kind {
			return true
		}
	}
	return false
}

// NoSkip runs the trial and fails the test for each fault.
func NoSkip(t *testing.T, trial Trial) Report {
	t.Helper()
	report := trial.Run(t)
	for _, f := range report.Faults {
		t.Error(f)
	}
	return report
}

// The shape of a trial.
const (
	writers    = 3
	catchUpFor = 30 * time.Second // what readers have, after the last append, to get to the end
	enoughIn   = 30 * time.Second // what writers have more, on a slow machine, for enough to happen
	enoughAcks = 50
)

// Run runs the trial and returns what it found. It fails the test only if it
// cannot do its work.
func (tr Trial) Run(t testing.TB) Report {
	t.Helper()
	seed := cmp.Or(*checkerSeed, rand.Uint64())
	length := cmp.Or(tr.For, *checkerFor)
	ctx, cancel := context.WithTimeout(t.Context(), length+enoughIn+2*catchUpFor)
	defer cancel()
	first, err := tr.Open(ctx) // makes the log, before many try to
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := shut(first); err != nil {
			t.Error(err)
		}
	}()

	var head atomic.Int64 // where readers may stop; 0 while there are writers
	readers := newReaders(seed)
	var reading sync.WaitGroup
	for _, r := range readers {
		reading.Go(func() { r.run(ctx, tr.Open, &head) })
	}
	disturbing, calm := context.WithCancel(ctx)
	var harm sync.WaitGroup
	if tr.Disturb != nil {
		harm.Go(func() { tr.Disturb(disturbing) })
	}
	h := tr.write(ctx, t, seed, length)
	calm()
	harm.Wait()
	end, err := patiently(ctx, func() (eventstore.Head, error) { return first.Head(ctx) })
	if err != nil {
		cancel()
		reading.Wait()
		t.Fatal(err)
	}
	head.Store(max(1, int64(end.Position)))
	stuck := time.AfterFunc(catchUpFor, cancel)
	reading.Wait()
	stuck.Stop()

	h.dense, h.readers, h.end = tr.Dense, readers, end.Position
	h.log, err = patiently(t.Context(), func() (all []eventstore.Recorded, err error) {
		for r, err := range first.ReadAll(t.Context(), eventstore.AllQuery{}) {
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	report := h.judge()
	report.Seed = seed
	t.Logf("seed %d: %d appends acknowledged (%d events in the log), %d conflicts, %d of unknown outcome, %d writers killed, %d restarts of %d readers",
		seed, report.Acked, report.Events, report.Conflicts, report.Unknown, report.Kills, report.Restarts, len(readers))
	return report
}

// patiently tries again for some seconds: connections are cut, servers recover.
func patiently[T any](ctx context.Context, try func() (T, error)) (v T, err error) {
	for range 200 {
		if v, err = try(); err == nil {
			return v, nil
		}
		if rest(ctx, 20*time.Millisecond); ctx.Err() != nil {
			break
		}
	}
	return v, err
}

// rest waits for d, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// write has the writers write for so long, kills one now and then, and returns
// what they were told.
func (tr Trial) write(ctx context.Context, t testing.TB, seed uint64, length time.Duration) *history {
	rnd := rand.New(rand.NewPCG(seed, 1))
	h := &history{}
	var listening sync.WaitGroup
	begin := func() Writer {
		w, err := tr.Writer(ctx, rnd.Uint64())
		if err != nil {
			t.Errorf("start a writer: %v", err)
			return nil
		}
		listening.Go(func() {
			h.listen(w)
			if err := w.Wait(); err != nil {
				t.Errorf("writer: %v", err)
			}
		})
		return w
	}
	var running []Writer
	for range writers {
		if w := begin(); w != nil {
			running = append(running, w)
		}
	}
	latest := time.Now().Add(length + enoughIn)
	for over := time.After(length); len(running) > 0; {
		select {
		case <-over:
			if !tr.enough(h) && time.Now().Before(latest) {
				over = time.After(100 * time.Millisecond)
				continue
			}
			for i, w := range running { // the last ones, too, in either way
				end := w.Stop
				if i == 0 {
					end = w.Kill
				}
				if err := end(); err != nil {
					t.Errorf("end a writer: %v", err)
				}
			}
			running = nil
		case <-time.After(time.Duration(50+rnd.IntN(400)) * time.Millisecond):
			i := rnd.IntN(len(running))
			if err := running[i].Kill(); err != nil {
				t.Errorf("kill a writer: %v", err)
			}
			h.mu.Lock()
			h.kills++
			h.mu.Unlock()
			if w := begin(); w != nil {
				running[i] = w
			}
		case <-ctx.Done():
			t.Error(ctx.Err())
			running = nil
		}
	}
	listening.Wait()
	return h
}

// enough reports whether the trial means anything yet.
func (tr Trial) enough(h *history) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acks) >= enoughAcks && h.kills > 0 && h.conflicts > 0 && h.unknown > 0 && (tr.Enough == nil || tr.Enough())
}

// reader is a consumer that keeps what it has seen together with its
// checkpoint, as one with a transaction does.
type reader struct {
	name   string
	q      eventstore.AllQuery
	rnd    *rand.Rand
	saved  eventstore.Position
	seen   []sighting                        // up to saved
	glance map[eventstore.Position]uuid.UUID // all it has ever seen, that too which it forgot in a restart
	faults []Fault
	runs   int
	err    error // that ended the last run
}

type sighting struct {
	id       uuid.UUID
	position eventstore.Position
}

func newReaders(seed uint64) (all []*reader) {
	for i, r := range []reader{
		{name: "whole", q: eventstore.AllQuery{Follow: true}},
		{name: "whole, in pages", q: eventstore.AllQuery{Limit: 500}},
		{name: "of a category", q: eventstore.AllQuery{Follow: true, Categories: []string{"chat"}}},
		{name: "of two categories, in pages", q: eventstore.AllQuery{Limit: 500, Categories: []string{"order", "chats"}}},
		{name: "of a type", q: eventstore.AllQuery{Follow: true, Types: []string{"a"}}},
		{name: "of a category and two types", q: eventstore.AllQuery{Follow: true, Categories: []string{"order"}, Types: []string{"b", "c"}}},
	} {
		r.rnd = rand.New(rand.NewPCG(seed, uint64(100+i)))
		r.glance = map[eventstore.Position]uuid.UUID{}
		all = append(all, &r)
	}
	return all
}

// run reads until it has got to head, which is known in the end. Every so often
// it stops, forgets what it has not saved, and begins anew at its checkpoint;
// now and then with a new connection to the log, as a new process has.
func (r *reader) run(ctx context.Context, open func(context.Context) (eventstore.Store, error), head *atomic.Int64) {
	var s eventstore.Store
	for ctx.Err() == nil {
		if h := eventstore.Position(head.Load()); h > 0 && r.saved >= h {
			break
		}
		if s == nil {
			if s, r.err = open(ctx); r.err != nil {
				s = nil
				rest(ctx, 20*time.Millisecond)
				continue
			}
		}
		r.runs++
		r.read(ctx, s, head.Load() > 0)
		rest(ctx, time.Duration(r.rnd.IntN(10))*time.Millisecond)
		if r.rnd.IntN(20) == 0 {
			r.close(s)
			s = nil
		}
	}
	if s != nil {
		r.close(s)
	}
}

func (r *reader) close(s eventstore.Store) {
	if err := shut(s); err != nil {
		r.faults = append(r.faults, Fault{Stuck, fmt.Sprintf("reader %s: close: %v", r.name, err)})
	}
}

// read is one run. The last ones save all they see, so that they end.
func (r *reader) read(ctx context.Context, s eventstore.Store, last bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2+r.rnd.IntN(150))*time.Millisecond)
	defer cancel()
	q := r.q
	q.After = r.saved
	if q.Limit > 0 {
		q.Limit = 1 + r.rnd.IntN(q.Limit)
	}
	var unsaved []sighting
	at := r.saved
	for e, err := range s.ReadAll(ctx, q) {
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				r.err = err
			}
			break
		}
		at = e.Position
		if !e.IsMark() {
			unsaved = append(unsaved, sighting{e.ID, e.Position})
			if id, seen := r.glance[at]; seen && id != e.ID {
				r.faults = append(r.faults, Fault{Disorder, fmt.Sprintf("reader %s saw %s and then %s at %d", r.name, id, e.ID, at)})
			}
			r.glance[at] = e.ID
		}
		if last || r.rnd.IntN(8) == 0 {
			r.seen, r.saved = append(r.seen, unsaved...), at
			unsaved = unsaved[:0]
		}
	}
	if last || r.rnd.IntN(2) == 0 {
		r.seen, r.saved = append(r.seen, unsaved...), at
	}
}

// shut closes s, whichever kind of Close it has.
func shut(s eventstore.Store) error {
	switch c := s.(type) {
	case interface{ Close() error }:
		return c.Close()
	case interface{ Close() }:
		c.Close()
	}
	return nil
}
