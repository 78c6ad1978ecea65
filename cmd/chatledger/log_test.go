package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatledger/chatledger/internal/logcopy"
)

func TestDescribeProgress(t *testing.T) {
	for _, tt := range []struct {
		at   logcopy.Progress
		took time.Duration
		bar  bool
		want string
	}{
		{logcopy.Progress{Phase: logcopy.Copying, Events: 250, From: 100, At: 350, To: 1100}, 10 * time.Second, false, "copying 25 %, 250 events, 25 a second, done in 30s"},
		{logcopy.Progress{Phase: logcopy.Copying, Events: 250, From: 100, At: 350, To: 1100}, 10 * time.Second, true, "copying [#######.......................] 25 %, 250 events, 25 a second, done in 30s"},
		{logcopy.Progress{Phase: logcopy.Comparing, To: 1000}, 0, true, "comparing [..............................] 0 %, 0 events, 0 a second"},
		{logcopy.Progress{Phase: logcopy.Verifying, Events: 1000, At: 1000, To: 1000}, time.Second, true, "verifying [##############################] 100 %, 1000 events, 1000 a second"},
		{logcopy.Progress{Phase: logcopy.Comparing}, time.Second, false, "comparing 100 %, 0 events, 0 a second"},
		{logcopy.Progress{Phase: logcopy.Comparing, Events: 9, At: 9, To: 8}, time.Second, false, "comparing 100 %, 9 events, 9 a second"}, // the source has grown
	} {
		if got := describeProgress(tt.at, tt.took, tt.bar); got != tt.want {
			t.Errorf("%+v after %s is\n%q, want\n%q", tt.at, tt.took, got, tt.want)
		}
	}
}

// On a terminal there is one line, which is cleared in the end.
func TestProgressOfACopy(t *testing.T) {
	var b strings.Builder
	p := progress{to: &b, terminal: true, told: now()}
	at := logcopy.Progress{Phase: logcopy.Copying, Events: 1, At: 1, To: 2}
	p.report(at) // begins the phase
	p.told = p.told.Add(-time.Second)
	p.report(at)
	p.report(at) // too soon to draw again
	p.end()
	if got := b.String(); strings.Count(got, "\r") != 2 || !strings.HasSuffix(got, "\r\x1b[K") || strings.Contains(got, "\n") {
		t.Errorf("drawn: %q", got)
	}
	var plain strings.Builder
	// In a file there is a line every ten seconds, however short the phases are.
	synctest.Test(t, func(t *testing.T) {
		q := progress{to: &plain, told: time.Now()}
		for second := range 25 {
			at.Phase = []logcopy.Phase{logcopy.Comparing, logcopy.Copying, logcopy.Verifying}[second/9]
			q.report(at)
			time.Sleep(time.Second)
		}
		q.end()
	})
	got := strings.Split(strings.TrimSuffix(plain.String(), "\n"), "\n")
	if len(got) != 2 || !strings.HasPrefix(got[0], "copying 50 %, 1 events, ") || !strings.HasPrefix(got[1], "verifying 50 %, 1 events, ") || strings.ContainsAny(plain.String(), "\r\x1b") {
		t.Errorf("printed: %q", got)
	}
}
