package reactors

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
)

// RunBulkName names the reactor.
const RunBulkName = "run_bulk.v1"

// RunBulk works the jobs of package bulk: it freezes the selection, then does one
// chunk for each event that says that the one before is done. So a job goes on
// after a crash where it was, a cancellation takes effect between two chunks, and
// jobs go on side by side.
type RunBulk struct {
	Bulk commands.Bulk
	// Select chooses the items of a request as a view has them once it has come to a
	// position, or more of them than bulk.MaxItems.
	Select func(ctx context.Context, req bulk.Requested, at eventstore.Position) (bulk.Selection, error)
	Now    func() time.Time

	Parallel int // items under way at once, of one job; default 32
}

const (
	bulkParallel = 32
	itemPause    = 10 * time.Millisecond // before a second try of an item, then twice that, and so on
	maxItemPause = 100 * time.Millisecond
)

// Reactor returns it, ready for a Host.
func (r RunBulk) Reactor() Reactor {
	if r.Parallel == 0 {
		r.Parallel = bulkParallel
	}
	return Reactor{
		Name:       RunBulkName,
		Categories: []string{"bulk"},
		Types: []string{
			bulk.Requested{}.EventType(), bulk.Frozen{}.EventType(), bulk.Worked{}.EventType(), bulk.CancelRequested{}.EventType(),
			bulk.RetryRequested{}.EventType(), bulk.UndoRequested{}.EventType(), bulk.Reversed{}.EventType(),
		},
		Handle: r.handle,
	}
}

// job is what a step of a job depends on.
type job struct {
	id      bulk.ID
	state   bulk.State // without the maps
	chunk   int        // the next
	todo    bool       // there is one
	request bulk.Requested
	origin  commands.Origin // of what this reactor records
}

func (r RunBulk) handle(ctx context.Context, e eventstore.Recorded) error {
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	j := job{id: bulk.ID(strings.TrimPrefix(e.Stream, "bulk-"))}
	err = r.Bulk.Look(ctx, j.id, func(s bulk.State) error {
		j.chunk, j.todo = s.Next()
		s.Todo, s.Failed, s.Done = nil, nil, nil // they change once the state is let go of
		j.state, j.request = s, s.Request
		j.request.By = s.By
		return nil
	})
	if err != nil {
		return refused(err)
	}
	j.origin = commands.Origin{
		Workspace: meta.Workspace, Actor: RunBulkName, ActorKind: commands.ActorSystem,
		Correlation: meta.Correlation, Causation: e.ID.String(), Traceparent: meta.Traceparent,
	}
	switch {
	case j.state.Phase == bulk.Selecting:
		return refused(r.freeze(ctx, j, e.Position))
	case j.state.Phase == bulk.Cancelling:
		return refused(r.settle(ctx, j))
	case (j.state.Phase == bulk.Running || j.state.Phase == bulk.Undoing) && j.todo:
		return refused(r.work(ctx, j))
	}
	return nil
}

func (r RunBulk) freeze(ctx context.Context, j job, at eventstore.Position) error {
	req, err := r.Bulk.Chosen(ctx, j.id)
	if err != nil {
		return err
	}
	s, err := r.Select(ctx, req, at)
	// Some filters can only be refused now, such as one on an attribute that there is not.
	refused, ok := errors.AsType[*fault.Error](err)
	if err != nil && !ok {
		return err
	}
	_, err = r.Bulk.Freeze(ctx, j.origin, j.id, bulk.Freeze{Selection: s, Refused: refused, At: r.now()})
	return err
}

func (r RunBulk) now() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

// work does one chunk and records it.
func (r RunBulk) work(ctx context.Context, j job) error {
	s := j.state
	selected, became, err := r.Bulk.Chunk(ctx, j.id, j.chunk, s.Attempt)
	if err != nil {
		return err
	}
	o := j.origin
	o.Actor, o.ActorKind = j.request.By, commands.ActorAgent // who asked for it
	if o.Actor == KeepTimeName {
		o.ActorKind = commands.ActorSystem
	}
	var steps []func(context.Context) (bulk.Item, error)
	for i, id := range selected.IDs {
		before, tried := became[id]
		switch {
		case s.Phase == bulk.Undoing:
			if before.Outcome == bulk.Done {
				steps = append(steps, func(ctx context.Context) (bulk.Item, error) {
					return r.Bulk.Reverse(ctx, o, j.id, s.Attempt, j.request, before)
				})
			}
		case tried && (!before.Outcome.Failed() || s.Attempt == 1):
		case !tried && selected.Revisions[i] < 0:
			steps = append(steps, func(context.Context) (bulk.Item, error) {
				return bulk.Item{ID: id, Outcome: bulk.Missing}, nil
			})
		default:
			o := o
			if s.Attempt == 1 {
				revision := eventstore.Revision(selected.Revisions[i])
				o.IfMatch = &revision
			}
			steps = append(steps, func(ctx context.Context) (bulk.Item, error) {
				return r.Bulk.Do(ctx, o, j.id, s.Attempt, j.request, id)
			})
		}
	}
	items, err := r.each(ctx, steps)
	if err != nil {
		return err
	}
	_, err = r.Bulk.Record(ctx, j.origin, j.id, bulk.Record{Phase: s.Phase, Attempt: s.Attempt, Chunk: j.chunk, Items: items, At: r.now()})
	return err
}

// settle records what was done of the chunk that was under way when the job was
// cancelled, and by a process that died, perhaps; then it ends the job.
func (r RunBulk) settle(ctx context.Context, j job) error {
	if j.todo {
		selected, became, err := r.Bulk.Chunk(ctx, j.id, j.chunk, j.state.Attempt)
		if err != nil {
			return err
		}
		var steps []func(context.Context) (bulk.Item, error)
		for _, id := range selected.IDs {
			if before, tried := became[id]; tried && !before.Outcome.Failed() {
				continue
			}
			steps = append(steps, func(ctx context.Context) (bulk.Item, error) {
				return r.Bulk.Did(ctx, j.id, j.state.Attempt, j.request.Target, id)
			})
		}
		items, err := r.each(ctx, steps)
		if err != nil {
			return err
		}
		done := items[:0]
		for _, i := range items {
			if i.Outcome == bulk.Done {
				done = append(done, i)
			}
		}
		if len(done) > 0 {
			record := bulk.Record{Phase: bulk.Running, Attempt: j.state.Attempt, Chunk: j.chunk, Items: done, At: r.now()}
			if _, err := r.Bulk.Record(ctx, j.origin, j.id, record); err != nil {
				return err
			}
		}
	}
	_, err := r.Bulk.Stop(ctx, j.origin, j.id, bulk.Stop{At: r.now()})
	return err
}

// each runs steps side by side and returns what they gave, in their order.
func (r RunBulk) each(ctx context.Context, steps []func(context.Context) (bulk.Item, error)) ([]bulk.Item, error) {
	items := make([]bulk.Item, len(steps))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.Parallel)
	for i, step := range steps {
		g.Go(func() (err error) {
			// One failure need not make all of the chunk be looked at again.
			for pause := itemPause; ; pause *= 2 {
				if items[i], err = step(ctx); err == nil || pause > maxItemPause {
					return err
				}
				select {
				case <-time.After(pause):
				case <-ctx.Done():
					return err
				}
			}
		})
	}
	return items, g.Wait()
}
