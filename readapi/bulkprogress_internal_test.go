package readapi

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	bulkview "github.com/chatledger/chatledger/projections/bulk"
)

// The time that a job still takes is counted from now, not from what the view shows
// last; but only so far, since a job that stands still is not done by that.
func TestETA(t *testing.T) {
	last := time.Unix(1_790_000_000, 0)
	job := bulkview.Job{Phase: "running", Todo: 20_000, Did: 10_000, Pace: int64(time.Millisecond), StartedAt: last.Add(-10 * time.Second).UnixMicro(), LastAt: last.UnixMicro()}
	for ago, want := range map[time.Duration]float64{0: 10, 3 * time.Second: 7, time.Hour: 5, -time.Minute: 10} {
		if got := newProgress(&job, last.Add(ago)).ETASecs; got == nil || *got != want {
			t.Errorf("%s after the last that is shown: %v, want %v", ago, got, want)
		}
	}
	job.Did = 19_000
	if got := newProgress(&job, last.Add(2*time.Second)).ETASecs; got == nil || *got != 1 {
		t.Errorf("nearly done: %v", got)
	}
	if got := newProgress(&job, last.Add(maxAhead)).ETASecs; got != nil {
		t.Errorf("longer than the pace says: %v", *got)
	}
	job.EndedAt = last.UnixMicro()
	if got := newProgress(&job, last).ETASecs; got != nil {
		t.Errorf("over: %v", *got)
	}
}

// The progress is that of the log, however far the view is behind.
func TestProgressBeyondTheView(t *testing.T) {
	log := memory.New(time.Now)
	defer log.Close()
	at, events := time.Unix(1_790_000_000, 0).UTC(), codec.New(bulk.Events)
	job := bulkview.Job{ID: "j", Revision: -1}
	add := func(e bulk.Event, shown bool) {
		t.Helper()
		at = at.Add(time.Second)
		encoded, err := events.Encode(uuid.New(), e, eventstore.Metadata{Workspace: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := log.Append(t.Context(), "bulk-j", eventstore.Any, encoded)
		if err != nil {
			t.Fatal(err)
		}
		if shown {
			job.Fold(e, r.Revision)
		}
	}
	items := make([]bulk.Item, bulk.ChunkSize)
	add(bulk.Requested{Workspace: "acme", At: at}, true)
	add(bulk.Frozen{Items: 3 * bulk.ChunkSize, Chunks: 3, At: at}, true)
	add(bulk.Worked{Chunk: 0, Attempt: 1, Items: items, At: at}, true)
	add(bulk.Worked{Chunk: 1, Attempt: 1, Items: items, At: at}, false)
	api := &API{Config: Config{Store: log}}
	live := func(done int64) {
		t.Helper()
		j, err := api.liveJob(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if p := newProgress(&j, at); p.Done != done || (p.ETASecs == nil) != (done == 3*bulk.ChunkSize) {
			t.Errorf("progress %+v; want %d done", p, done)
		}
	}
	live(2 * bulk.ChunkSize)
	newer := eventstore.Event{ID: uuid.New(), Type: "bulk.unheard.of.v1", Data: []byte(`{}`)} // of a server that is upgraded already
	if _, err := log.Append(t.Context(), "bulk-j", eventstore.Any, newer); err != nil {
		t.Fatal(err)
	}
	live(2 * bulk.ChunkSize)
	add(bulk.Worked{Chunk: 2, Attempt: 1, Items: items, At: at}, false)
	add(bulk.Completed{Attempt: 1, At: at}, false)
	live(3 * bulk.ChunkSize)
	live(3 * bulk.ChunkSize)
	if job.Did != bulk.ChunkSize {
		t.Errorf("what the view shows has moved: %+v", job)
	}
}
