package readapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	bulkview "github.com/chatledger/chatledger/projections/bulk"
)

// Progress is how far the present attempt is, or the undo.
type Progress struct {
	Items   int64    `json:"items" doc:"It has to do."`
	Done    int64    `json:"done" doc:"Of these, whatever became of them."`
	PerSec  float64  `json:"per_second" doc:"Since it began."`
	ETASecs *float64 `json:"eta_seconds" doc:"Until its end at the pace of late, 1 at least; null if it has ended, or not begun, or the guess has run out: it takes longer than it did of late."`
}

// maxAhead is how long a job is taken to have gone on since the last that is known of it:
// longer than a chunk takes, and little if the job stands still.
const maxAhead = 5 * time.Second

func newProgress(j *bulkview.Job, now time.Time) Progress {
	p := Progress{Items: j.Todo, Done: j.Did}
	if took := j.LastAt - j.StartedAt; took > 0 && j.Did > 0 {
		p.PerSec = float64(j.Did) / float64(took) * float64(time.Second/time.Microsecond)
	}
	if j.EndedAt == 0 && j.Pace > 0 {
		since := min(max(0, now.Sub(moment(j.LastAt))), maxAhead)
		if left := time.Duration(j.Todo-j.Did)*time.Duration(j.Pace) - since; left > 0 || since < maxAhead {
			eta := max(time.Second, left).Seconds()
			p.ETASecs = &eta
		}
	}
	return p
}

// maxBeyond is how many events of a job are read beyond what is known.
const maxBeyond = 200

// liveJob returns a job as far as its stream goes: the view is seconds behind while the
// job keeps all views busy, which is as long as a guess of the time to go may be out.
func (a *API) liveJob(ctx context.Context, j bulkview.Job) (bulkview.Job, error) {
	if j.EndedAt != 0 {
		a.live.forget(j.ID)
		return j, nil
	}
	j = a.live.latest(j)
	events := codec.New(bulk.Events)
	q := eventstore.StreamQuery{From: eventstore.Revision(j.Revision) + 1, Limit: maxBeyond}
	for r, err := range a.Store.ReadStream(ctx, "bulk-"+j.ID, q) {
		if err != nil {
			return j, fmt.Errorf("read job: %w", err)
		}
		fact, err := events.Decode(r)
		if _, unknown := errors.AsType[codec.UnknownTypeError](err); unknown {
			continue // of a newer server: the view leaves it out as well
		}
		if err != nil {
			return j, err
		}
		j.Fold(fact, r.Revision)
	}
	a.live.keep(j)
	return j, nil
}

// liveJobs remembers jobs that go on, so that who watches one has each of its events,
// which name 500 items, read once.
type liveJobs struct {
	mu   sync.Mutex
	jobs map[string]bulkview.Job
}

const maxLiveJobs = 200

// latest returns j, or what is remembered of it if that is further.
func (l *liveJobs) latest(j bulkview.Job) bulkview.Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.jobs[j.ID]; known.Revision > j.Revision {
		return known
	}
	return j
}

func (l *liveJobs) keep(j bulkview.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jobs == nil || len(l.jobs) >= maxLiveJobs {
		l.jobs = map[string]bulkview.Job{} // they are soon read again
	}
	if l.jobs[j.ID].Revision < j.Revision {
		l.jobs[j.ID] = j
	}
}

func (l *liveJobs) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.jobs, id)
}
