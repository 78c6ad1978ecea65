package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// series is what one thing measured in each round.
type series []float64

func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(s))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// String is "median (min–max)".
func (s series) String() string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", figure(s.median()), figure(slices.Min(s)), figure(slices.Max(s)))
}

// figure writes 48312 as 48,300: three digits are more than a run repeats.
func figure(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	n := int64(v)
	for unit := int64(1); unit <= n; unit *= 10 {
		if n/unit < 1000 {
			n = (n + unit/2) / unit * unit
			break
		}
	}
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// target is a figure that the project has set itself.
type target struct {
	what   string
	got    float64
	want   float64
	unit   string // "×" or such as "events/s"
	atMost bool
	none   bool // not measured
}

func (t target) row() []string {
	bound, met := "≥ ", t.got >= t.want
	if t.atMost {
		bound, met = "≤ ", t.got <= t.want
	}
	verdict, got := "**not met**", figure(t.got)+" "+t.unit
	switch {
	case t.none:
		verdict, got = "not measured", "–"
	case met:
		verdict = "met"
	}
	return []string{t.what, bound + figure(t.want) + " " + t.unit, got, verdict}
}

// report is the outcome of a section.
type report struct {
	title   string
	intro   string
	tables  []table
	targets []target
	notes   []string
	plot    *plot
	command string
	began   time.Time
	took    time.Duration
}

type table struct {
	head []string
	rows [][]string
}

func (t table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n")
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", r.title, r.intro)
	for _, t := range r.tables {
		t.markdown(&b)
	}
	if r.plot != nil {
		fmt.Fprintf(&b, "![%s](%s)\n\n", r.plot.title, r.plot.file)
	}
	if len(r.targets) > 0 {
		t := table{head: []string{"Target", "wanted", "measured", ""}}
		for _, target := range r.targets {
			t.rows = append(t.rows, target.row())
		}
		t.markdown(&b)
	}
	for _, note := range r.notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	if len(r.notes) > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Measured on %s in %s with `cd bench && %s`, on %s.\n",
		r.began.UTC().Format("2006-01-02 15:04 UTC"), r.took.Round(time.Second), strings.TrimSpace(r.command), machine())
	return b.String()
}

// machine says what the figures were measured on.
func machine() string {
	cpu := "unknown CPU"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	load := ""
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(b)); len(fields) > 2 {
			load = fmt.Sprintf(", load average at the end %s / %s / %s (1, 5, 15 minutes)", fields[0], fields[1], fields[2])
		}
	}
	return fmt.Sprintf("%s/%s, %d CPUs (%s), %s%s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpu, runtime.Version(), load)
}

// save replaces the section in benchmarks.md, between its two marks, and writes
// the plot beside it.
func (r *report) save(docs, section, text string) error {
	name := filepath.Join(docs, "benchmarks.md")
	old, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read benchmarks: %w", err)
	}
	begin, end := "<!-- begin "+section+" -->\n", "<!-- end "+section+" -->"
	before, rest, ok := strings.Cut(string(old), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no %q … %q", name, strings.TrimSpace(begin), end)
	}
	if err := os.WriteFile(name, []byte(before+begin+"\n"+text+"\n"+end+after), 0o644); err != nil {
		return fmt.Errorf("write benchmarks: %w", err)
	}
	if r.plot == nil {
		return nil
	}
	if err := os.WriteFile(filepath.Join(docs, r.plot.file), r.plot.svg(), 0o644); err != nil {
		return fmt.Errorf("write plot: %w", err)
	}
	return nil
}
