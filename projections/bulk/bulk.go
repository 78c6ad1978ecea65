// Package bulk shows bulk operations: how far each job is, and what became of
// every item.
//
// It folds and reads; it decides nothing.
package bulk

import (
	"time"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the jobs up to date.
type Projection struct {
	jobs  *projections.Rows[string, Job]
	items *projections.Rows[ItemKey, Item]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	p := &Projection{
		jobs: projections.NewRows("bulk_jobs", func(j *Job) string { return j.ID },
			projections.Index{Name: "by_requested", Columns: "workspace, requested_at, job_id"},
		),
		items: projections.NewRows("bulk_items", func(i *Item) ItemKey { return i.ItemKey },
			projections.Index{Name: "by_outcome", Columns: "job_id, outcome, item_id"},
		),
	}
	p.items.OnChange(p.count)
	return p
}

// Name returns the name under which the jobs are published: before, the pace was that of
// fewer chunks.
func (*Projection) Name() string { return "bulk.v2" }

// Prompt says that people watch a job while it makes the other views busy.
func (*Projection) Prompt() {}

// Categories returns the one category of streams that jobs are made of.
func (*Projection) Categories() []string { return []string{"bulk"} }

// Tables returns the jobs and their items.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.items, p.jobs} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	id := e.Subject()
	p.jobs.Upsert(id, func(j *Job) {
		j.ID = id
		j.Fold(e.Fact, e.Revision)
	})
	switch f := e.Fact.(type) {
	case bulk.Worked:
		p.became(id, f.Items, f.At.UnixMicro())
	case bulk.Reversed:
		p.became(id, f.Items, f.At.UnixMicro())
	}
}

// Fold moves j past the event of its stream at a revision. What became of the items is
// counted by the projection.
func (j *Job) Fold(fact any, at eventstore.Revision) {
	j.Revision = int64(at)
	switch f := fact.(type) {
	case bulk.Requested:
		j.Workspace, j.Action, j.Target = f.Workspace, string(f.Action), f.Target
		j.Named, j.Filter, j.Except = int64(len(f.IDs)), string(f.Filter), int64(len(f.Except))
		j.Status, j.Agent, j.Tags, j.Reason, j.By = f.Status, f.Agent, f.Tags, f.Reason, f.By
		j.Phase, j.RequestedAt = string(bulk.Selecting), f.At.UnixMicro()
	case bulk.Frozen:
		j.Items, j.Position, j.Attempt = int64(f.Items), f.Position, 1
		j.begin(bulk.Running, j.Items, f.At.UnixMicro())
	case bulk.SelectionRefused:
		j.Code, j.Refusal = f.Code, f.Reason
		j.end(bulk.Rejected, f.At.UnixMicro())
	case bulk.Worked:
		j.progress(len(f.Items), f.At.UnixMicro())
	case bulk.Reversed:
		j.progress(len(f.Items), f.At.UnixMicro())
	case bulk.Completed:
		j.end(bulk.Finished, f.At.UnixMicro())
	case bulk.CancelRequested:
		j.Phase, j.CancelledBy = string(bulk.Cancelling), f.By
	case bulk.Stopped:
		j.end(bulk.Cancelled, f.At.UnixMicro())
	case bulk.RetryRequested:
		j.Attempt = int64(f.Attempt)
		j.begin(bulk.Running, int64(f.Items), f.At.UnixMicro())
	case bulk.UndoRequested:
		j.UndoneBy = f.By
		j.begin(bulk.Undoing, int64(f.Items), f.At.UnixMicro())
	case bulk.UndoCompleted:
		j.end(bulk.Reverted, f.At.UnixMicro())
	}
}

func (j *Job) begin(phase bulk.Phase, todo, at int64) {
	j.Phase, j.Todo, j.Did, j.StartedAt, j.LastAt, j.EndedAt = string(phase), todo, 0, at, at, 0
	j.Pace = 0
}

// progress notes a chunk. The pace follows the last 40, some 20,000 items: the last few
// jump about with whatever else the machine does. A pause, such as that of a restart,
// counts little.
func (j *Job) progress(items int, at int64) {
	const weight, atMost = 40, 4
	if took := at - j.LastAt; took > 0 && items > 0 {
		pace := took * int64(time.Microsecond) / int64(items)
		if j.Pace == 0 {
			j.Pace = pace
		}
		j.Pace += (min(pace, atMost*j.Pace) - j.Pace) / min(weight, 1+j.Did/bulk.ChunkSize)
	}
	j.Did += int64(items)
	j.LastAt = max(j.LastAt, at)
}

func (j *Job) end(phase bulk.Phase, at int64) { j.Phase, j.EndedAt = string(phase), at }

// became records the outcomes of a chunk.
func (p *Projection) became(job string, items []bulk.Item, at int64) {
	for _, i := range items {
		p.items.Put(Item{ItemKey{job, i.ID}, string(i.Outcome), i.Code, i.Revision, at})
	}
}

// count keeps the numbers of a job's items.
func (p *Projection) count(before, after *Item) {
	var job, was, is string
	if before != nil {
		job, was = before.Job, before.Outcome
	}
	if after != nil {
		job, is = after.Job, after.Outcome
	}
	if was == is {
		return
	}
	p.jobs.Upsert(job, func(j *Job) {
		j.ID = job
		if n := j.counter(was); n != nil {
			*n--
		}
		if n := j.counter(is); n != nil {
			*n++
		}
	})
}

func (j *Job) counter(outcome string) *int64 {
	switch bulk.Outcome(outcome) {
	case bulk.Done:
		return &j.Done
	case bulk.NoChange:
		return &j.NoChange
	case bulk.Conflict:
		return &j.Conflict
	case bulk.Forbidden:
		return &j.Forbidden
	case bulk.Missing:
		return &j.Missing
	case bulk.Undone:
		return &j.Undone
	case bulk.Touched:
		return &j.Touched
	case bulk.Skipped:
	}
	return nil
}
