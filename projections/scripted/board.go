package scripted

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
)

// job is a version that is to be kept up to date, and what this process knows of it.
type job struct {
	workspace string
	saved     eventstore.Position // of the event that made it
	next      customview.Live     // as the log has it; under the lock of the board

	// Of the worker that has it, else under the lock of the board:
	busy   bool
	live   customview.Live     // as it was when the worker took it
	due    time.Time           // not before then
	at     eventstore.Position // up to here it was read
	begun  bool                // state is known
	state  state
	rows   *rowCache
	single int // so many events one at a time: among them is one that is too much
	speed  speed
}

type jobKey struct {
	workspace string
	view      customview.Name
	version   customview.Version
}

// board is what there is to do. It is safe for concurrent use.
type board struct {
	mu    sync.Mutex
	jobs  map[jobKey]*job
	order []*job // the next to be looked at is first
	head  eventstore.Position
	known eventstore.Position // up to here the log was read for versions; 0 until its end was reached once
	store string
	wake  chan struct{}
}

func newBoard() *board { return &board{jobs: map[jobKey]*job{}, wake: make(chan struct{}, 1)} }

// nudge has an idle worker look again.
func (b *board) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// set says which versions there are as of a position of a log.
func (b *board) set(at eventstore.Position, list map[jobKey]*job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, old := range b.jobs {
		if list[k] == nil {
			delete(b.jobs, k)
			continue
		}
		if old.next.Retries != list[k].next.Retries {
			old.due = time.Time{}
		}
		old.next = list[k].next
	}
	for k, fresh := range list {
		if b.jobs[k] == nil {
			b.jobs[k] = fresh
			b.order = append(b.order, fresh)
		}
	}
	b.known = at
	b.nudge()
}

// take returns a job that is due, nil if there is none. It goes to the end of the order.
func (b *board) take(now time.Time) *job {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.order[:0]
	var chosen *job
	for _, j := range b.order {
		if b.jobs[j.key()] != j {
			continue // it was dropped
		}
		if chosen == nil && !j.busy && !now.Before(j.due) && (!j.begun || j.stirs(b.head)) {
			chosen = j
			continue
		}
		kept = append(kept, j)
	}
	if chosen != nil {
		chosen.busy, chosen.live = true, chosen.next
		kept = append(kept, chosen)
	}
	b.order = kept
	return chosen
}

// stirs reports whether there is something to do.
func (j *job) stirs(head eventstore.Position) bool {
	if j.state.Failure.Position != 0 {
		return int64(j.next.Retries) > j.state.Retries
	}
	return head > j.at || j.state.Built == 0
}

// put gives a job back, to be looked at again not before due.
func (b *board) put(j *job, due time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j.busy, j.due = false, due
}

func (j *job) key() jobKey { return jobKey{j.workspace, j.next.View, j.next.Version} }

// follow reads from the log which versions there are, until ctx ends.
func (r *Runner) follow(ctx context.Context) {
	for pause := r.cfg.Poll; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		err := r.followOnce(ctx)
		if ctx.Err() != nil || errors.Is(err, eventstore.ErrClosed) {
			return
		}
		r.cfg.Logger.ErrorContext(ctx, "custom views not followed", "err", err)
		wait(ctx, pause)
	}
}

func (r *Runner) followOnce(ctx context.Context) error {
	spaces, saved := map[string]customview.State{}, map[jobKey]eventstore.Position{}
	changed := true
	for rec, err := range r.cfg.Store.ReadAll(ctx, eventstore.AllQuery{Categories: []string{"customviews"}, Follow: true}) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if rec.IsMark() {
			if changed {
				r.board.set(rec.Position, jobsOf(spaces, saved))
			}
			r.board.reached(rec.Position)
			changed = false
			continue
		}
		fact, err := r.cfg.Decode(rec)
		if err != nil {
			return fmt.Errorf("decode %s: %w", rec.Type, err)
		}
		e, ok := fact.(customview.Event)
		if !ok {
			continue
		}
		_, workspace, _ := strings.Cut(rec.Stream, "-")
		spaces[workspace], changed = customview.Evolve(spaces[workspace], e), true
		if s, ok := e.(customview.Saved); ok {
			saved[jobKey{workspace, s.View, s.Version}] = rec.Position
		}
	}
	return errors.New("scripted: the reading of the log ended")
}

func jobsOf(spaces map[string]customview.State, saved map[jobKey]eventstore.Position) map[jobKey]*job {
	list := map[jobKey]*job{}
	for workspace, s := range spaces {
		for _, l := range s.Live() {
			k := jobKey{workspace, l.View, l.Version}
			list[k] = &job{workspace: workspace, next: l, saved: saved[k], rows: newRowCache()}
		}
	}
	return list
}

// reached says that the log was read for versions up to a position.
func (b *board) reached(at eventstore.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = max(b.known, at)
}

// watch looks where the log ends, and removes what was dropped, until ctx ends.
func (r *Runner) watch(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		head, err := r.cfg.Store.Head(ctx)
		if err == nil {
			r.board.mu.Lock()
			r.board.head, r.board.store = head.Position, head.Store.String()
			r.board.mu.Unlock()
			r.board.nudge()
		}
		if n%10 == 9 {
			if err := r.sweep(ctx); err != nil && ctx.Err() == nil {
				r.cfg.Logger.ErrorContext(ctx, "rows of dropped custom views not deleted", "err", err)
			}
		}
		wait(ctx, r.cfg.Poll/2)
	}
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
