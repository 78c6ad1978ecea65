package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A measure is something that must not grow under a steady load. Its bound is
// on the rise of the fitted line over the second half of the run: relative to the
// median, but at least what little bounds of the runtime do by themselves.
type measure struct {
	name  string
	unit  string
	of    func(sample) float64
	share float64 // of the median
	least float64 // in its unit
}

const mib = 1 << 20

// measures are judged; the size of the databases, which is what a log is for, is
// only shown.
func measures() []measure {
	return []measure{
		{"memory of its own", "MiB", func(s sample) float64 { return s.anonymous / mib }, 0.05, 8},
		{"live heap", "MiB", func(s sample) float64 { return s.live / mib }, 0.05, 4},
		{"goroutines", "", func(s sample) float64 { return s.goroutines }, 0, 8},
		{"file descriptors", "", func(s sample) float64 { return s.files }, 0, 8},
		{"threads", "", func(s sample) float64 { return s.threads }, 0, 4},
		{"write-ahead files", "MiB", func(s sample) float64 { return s.ahead / mib }, 0.25, 8},
		{"events that views lag behind", "", func(s sample) float64 { return s.lag }, 0, 100},
	}
}

// verdict is what became of one measure.
type verdict struct {
	measure

	median, rise, bound float64
}

func (v verdict) ok() bool { return v.rise <= v.bound }

// judge fits a line through the second half of the samples.
func (m measure) judge(samples []sample) verdict {
	half := samples[len(samples)/2:]
	var at []time.Duration
	var values []float64
	for _, s := range half {
		at = append(at, s.at)
		values = append(values, m.of(s))
	}
	v := verdict{measure: m, median: median(values)}
	if len(half) > 1 {
		v.rise = slope(at, values) * (at[len(at)-1] - at[0]).Seconds()
	}
	v.bound = max(m.share*v.median, m.least)
	return v
}

// slope returns the growth in a second of the line through the points: the
// median of the slopes of all pairs (Theil–Sen), so that some outliers, such as a
// sample in the middle of a garbage collection, do not tilt it.
func slope(at []time.Duration, values []float64) float64 {
	var slopes []float64
	for i := range values {
		for j := range i {
			if d := (at[i] - at[j]).Seconds(); d > 0 {
				slopes = append(slopes, (values[i]-values[j])/d)
			}
		}
	}
	return median(slopes)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// report prints the verdicts and says whether all is well.
func report(out io.Writer, samples []sample, idle, after sample) error {
	if len(samples) < 20 {
		return fmt.Errorf("%d samples are too few to see a trend", len(samples))
	}
	fmt.Fprintf(out, "\n| second half of the run | median | trend | bound | |\n|---|---|---|---|---|\n")
	var grown []string
	for _, m := range measures() {
		v := m.judge(samples)
		word := "flat"
		if !v.ok() {
			word = "**grows**"
			grown = append(grown, m.name)
		}
		unit := ""
		if m.unit != "" {
			unit = " " + m.unit
		}
		fmt.Fprintf(out, "| %s | %.1f%s | %+.2f%s | ≤ %.1f%s | %s |\n", m.name, v.median, unit, v.rise, unit, v.bound, unit, word)
	}
	first, last := samples[0], samples[len(samples)-1]
	seconds := (last.at - first.at).Seconds()
	fmt.Fprintf(out, "\n%.0f events/s and %.0f requests/s over %s. Idle before and after the load: %.0f and %.0f goroutines, %.0f and %.0f file descriptors.\n",
		float64(last.position-first.position)/seconds, float64(last.requests-first.requests)/seconds, (last.at - first.at).Round(time.Second),
		idle.goroutines, after.goroutines, idle.files, after.files)
	if len(grown) > 0 {
		return fmt.Errorf("%w: %s", errTrend, strings.Join(grown, ", "))
	}
	return nil
}
