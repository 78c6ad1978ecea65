package bulk_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	domain "github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/bulk"
	"github.com/chatledger/chatledger/projections/projectionstest"
)

func at(ms int) time.Time { return time.UnixMilli(int64(1_000 + ms)).UTC() }

func fold(t *testing.T, facts ...any) bulk.Job {
	t.Helper()
	events := make([]projections.Event, len(facts))
	for i, f := range facts {
		events[i] = projectionstest.Event("bulk-1", f)
	}
	jobs := projectionstest.Rows[bulk.Job](projectionstest.Fold(t, bulk.New(), events...), "bulk_jobs")
	if len(jobs) != 1 {
		t.Fatalf("%d jobs", len(jobs))
	}
	return jobs[0]
}

func chunk(n, attempt int, outcome domain.Outcome, end time.Time) domain.Worked {
	w := domain.Worked{Chunk: n, Attempt: attempt, Counts: map[domain.Outcome]int{outcome: 2}, At: end}
	for i := range 2 {
		w.Items = append(w.Items, domain.Item{ID: fmt.Sprint(n, i), Outcome: outcome})
	}
	return w
}

// An item counts once, by its last outcome.
func TestOutcomes(t *testing.T) {
	facts := []any{
		domain.Requested{Workspace: "acme", Action: domain.Close, Target: "chats", By: "sue", At: at(0)},
		domain.Frozen{Items: 4, Chunks: 2, Position: 9, At: at(10)},
		chunk(0, 1, domain.Done, at(20)),
		chunk(1, 1, domain.Conflict, at(30)),
		domain.Completed{Attempt: 1, At: at(30)},
	}
	type numbers struct {
		Phase                           string
		Done, Conflict, Undone, Touched int64
		Todo, Did                       int64
	}
	of := func(j bulk.Job) numbers {
		return numbers{j.Phase, j.Done, j.Conflict, j.Undone, j.Touched, j.Todo, j.Did}
	}
	check := func(what string, want numbers) {
		t.Helper()
		if diff := cmp.Diff(want, of(fold(t, facts...))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("first", numbers{Phase: "finished", Done: 2, Conflict: 2, Todo: 4, Did: 4})
	facts = append(facts, domain.RetryRequested{Attempt: 2, Items: 2, By: "sue", At: at(40)})
	check("asked again", numbers{Phase: "running", Done: 2, Conflict: 2, Todo: 2})
	facts = append(facts, chunk(1, 2, domain.Done, at(50)), domain.Completed{Attempt: 2, At: at(50)})
	check("again", numbers{Phase: "finished", Done: 4, Todo: 2, Did: 2})
	facts = append(facts, domain.UndoRequested{Items: 4, By: "sue", At: at(60)},
		domain.Reversed{Chunk: 1, Items: []domain.Item{{ID: "1 0", Outcome: domain.Undone}, {ID: "1 1", Outcome: domain.Touched}}, At: at(70)})
	check("undo", numbers{Phase: "undoing", Done: 2, Undone: 1, Touched: 1, Todo: 4, Did: 2})
}

// The pace is that of the last chunks; a pause hardly counts.
func TestPace(t *testing.T) {
	facts := []any{domain.Requested{Workspace: "acme", At: at(0)}, domain.Frozen{Items: 1_000_000, Chunks: 2_000, At: at(0)}}
	now, pace := 0, func() time.Duration { return time.Duration(fold(t, facts...).Pace) }
	work := func(chunks, ms int) {
		for range chunks {
			now += ms
			w := domain.Worked{Chunk: len(facts), Attempt: 1, At: at(now)}
			for i := range domain.ChunkSize {
				w.Items = append(w.Items, domain.Item{ID: fmt.Sprint(len(facts), i), Outcome: domain.Done})
			}
			facts = append(facts, w)
		}
	}
	near := func(want time.Duration) {
		t.Helper()
		if got := pace(); got < want*8/10 || got > want*12/10 {
			t.Errorf("pace %s, want about %s", got, want)
		}
	}
	work(10, 100)
	near(200 * time.Microsecond)
	work(1, 20_000)
	near(240 * time.Microsecond)
	work(100, 50)
	near(100 * time.Microsecond)
}
