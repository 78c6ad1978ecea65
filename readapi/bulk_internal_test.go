package readapi

import (
	"testing"
	"time"

	bulkview "github.com/chatledger/chatledger/projections/bulk"
)

// The time that a job still takes is counted from now, not from what the view shows
// last; but only so far, since a job that stands still is not done by that.
func TestETA(t *testing.T) {
	last := time.Unix(1_790_000_000, 0)
	job := bulkview.Job{Phase: "running", Todo: 20_000, Did: 10_000, Pace: int64(time.Millisecond), StartedAt: last.Add(-10 * time.Second).UnixMicro(), LastAt: last.UnixMicro()}
	for ago, want := range map[time.Duration]float64{0: 10, 3 * time.Second: 7, time.Hour: 5, -time.Minute: 10} {
		if got := newJob(&job, last.Add(ago)).Progress.ETASecs; got == nil || *got != want {
			t.Errorf("%s after the last that is shown: %v, want %v", ago, got, want)
		}
	}
	// What items took altogether counts as well, but a long pause does not spoil it.
	for began, want := range map[time.Duration]float64{13 * time.Second: 11.5, 8 * time.Second: 9, time.Hour: 12, time.Second: 8} {
		job := job
		job.StartedAt = last.Add(-began).UnixMicro()
		if got := newJob(&job, last).Progress.ETASecs; got == nil || *got != want {
			t.Errorf("begun %s before: %v, want %v", began, got, want)
		}
	}
	job.Did = 19_000
	if got := newJob(&job, last.Add(2*time.Second)).Progress.ETASecs; got == nil || *got != 0 {
		t.Errorf("nearly done: %v", got)
	}
	job.EndedAt = last.UnixMicro()
	if got := newJob(&job, last).Progress.ETASecs; got != nil {
		t.Errorf("over: %v", *got)
	}
}
