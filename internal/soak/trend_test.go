package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run makes the samples of a run of ten minutes; change says what is wrong with
// it, by the share of the run that has passed.
func run(change func(s *sample, passed float64)) (samples []sample) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 120 {
		s := sample{
			at: time.Duration(i) * 5 * time.Second, position: int64(100 * i), requests: int64(300 * i),
			anonymous: (150 + 20*rnd.Float64()) * mib, live: (60 + 2*rnd.Float64()) * mib,
			goroutines: float64(90 + rnd.IntN(20)), files: float64(60 + rnd.IntN(20)), threads: 12,
			ahead: float64(rnd.IntN(8)) * mib, lag: float64(rnd.IntN(20)),
		}
		if i%17 == 0 { // a garbage collection, a checkpoint
			s.anonymous += 40 * mib
			s.lag += 500
		}
		if change != nil {
			change(&s, float64(i)/120)
		}
		samples = append(samples, s)
	}
	return samples
}

func TestWhatIsFlatPasses(t *testing.T) {
	for name, change := range map[string]func(s *sample, passed float64){
		"noise":               nil,
		"a warm-up":           func(s *sample, passed float64) { s.anonymous += min(passed, 0.4) * 500 * mib },
		"something that sank": func(s *sample, passed float64) { s.files += 50 * (1 - passed) },
	} {
		if err := report(io.Discard, run(change), sample{}, sample{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatGrowsIsFound(t *testing.T) {
	for name, change := range map[string]func(s *sample, passed float64){
		"memory of its own": func(s *sample, passed float64) { s.anonymous += passed * 30 * mib },
		"live heap":         func(s *sample, passed float64) { s.live += passed * 12 * mib },
		"goroutines":        func(s *sample, passed float64) { s.goroutines += passed * 30 },
		"file descriptors":  func(s *sample, passed float64) { s.files += passed * 30 },
		"threads":           func(s *sample, passed float64) { s.threads += passed * 12 },
		"write-ahead files": func(s *sample, passed float64) { s.ahead += passed * 100 * mib },
		"events that views": func(s *sample, passed float64) { s.lag += passed * 1000 },
	} {
		err := report(io.Discard, run(change), sample{}, sample{})
		if !errors.Is(err, errTrend) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), ",") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFewSamplesSayNothing(t *testing.T) {
	if err := report(io.Discard, run(nil)[:10], sample{}, sample{}); err == nil {
		t.Error("taken")
	}
}

func TestMetricsAreRead(t *testing.T) {
	m, err := readMetrics(strings.NewReader(`# HELP go_goroutines Number of goroutines.
# TYPE go_goroutines gauge
go_goroutines 37
chatledger_view_lag_events{view="inbox.v3"} 3
chatledger_view_lag_events{view="history.v1"} 1.5e+01
go_memstats_next_gc_bytes 1.6e+07
`))
	if err != nil {
		t.Fatal(err)
	}
	if m["go_goroutines"].max != 37 || m["chatledger_view_lag_events"].max != 15 || m["chatledger_view_lag_events"].sum != 18 || m["go_memstats_next_gc_bytes"].sum != 16_000_000 {
		t.Errorf("%+v", m)
	}
	if _, err := readMetrics(strings.NewReader("go_goroutines many\n")); err == nil {
		t.Error("taken")
	}
}
