// Command bench measures chatledger's log and views beside the floor that the
// disk sets and beside other event stores, and writes docs/benchmarks.md:
//
//	go run . -sections appends -rounds 5 -write
//
// What is compared is measured in the same run, in turns, because the speed of a
// disk changes from minute to minute: ratios are the result, not the figures. It
// must not change anything but its own files under docs, and it leaves no server
// and no file behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	sections    []string
	engines     []string
	rounds      int
	writers     []int
	warm        time.Duration
	span        time.Duration
	latencySpan time.Duration
	chats       int
	messages    int
	sizes       []int
	data        string
	conns       int
	scanned     int
	rebuilt     int
	history     bool
	only        *regexp.Regexp
	node        bool
	write       bool
	docs        string
	profile     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	do := run
	args := os.Args[1:]
	switch { // children of sections
	case len(args) == 3 && args[0] == "serve-list":
		do, args = serveList, args[1:]
	case len(args) == 2 && args[0] == "fold-growth":
		do, args = foldGrowth, args[1:]
	}
	err := do(ctx, args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "chatledger-bench-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	servers := &servers{}
	defer func() {
		servers.close()
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return fmt.Errorf("create profile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("start profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	b := &bench{options: o, dir: dir, servers: servers, log: os.Stderr}
	for _, section := range o.sections {
		began := now()
		r, err := b.sections()[section](ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", section, err)
		}
		r.command = "go run . " + strings.Join(args, " ")
		r.began, r.took = began, now().Sub(began)
		text := r.markdown()
		fmt.Fprintln(os.Stdout, text)
		if o.write {
			if err := r.save(o.docs, section, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	sections := flags.String("sections", strings.Join(known(), ","), "what to measure")
	writers := flags.String("writers", "1,8,64,256", "numbers of concurrent writers")
	flags.IntVar(&o.rounds, "rounds", 3, "rounds; each measures everything once")
	flags.DurationVar(&o.warm, "warm", 300*time.Millisecond, "appends before the clock starts")
	flags.DurationVar(&o.span, "span", 1500*time.Millisecond, "how long each measurement of appends lasts")
	flags.IntVar(&o.conns, "conns", 32, "connections to PostgreSQL that each peer may use")
	flags.IntVar(&o.scanned, "scan", 200_000, "events to scan")
	flags.IntVar(&o.rebuilt, "rebuild", 1_000_000, "events to rebuild views from")
	engines := flags.String("engines", "SQLite,PostgreSQL", "engines that rebuild, latency, list and search are measured on")
	flags.BoolVar(&o.history, "history", true, "rebuild the history too")
	flags.DurationVar(&o.latencySpan, "latency", 3*time.Second, "how long each measurement of latencies lasts")
	flags.IntVar(&o.chats, "chats", 1_000_000, "chats in the inbox that list asks")
	flags.IntVar(&o.messages, "messages", 2_000_000, "messages that search looks through")
	sizes := flags.String("growth", "100000,1000000", "events in the logs that growth compares, in ascending order")
	flags.StringVar(&o.data, "data", "", "keep the logs and views that are filled in this folder, for the next run")
	only := flags.String("only", "", "a regular expression for the names of the stores that appends and batches measure")
	flags.BoolVar(&o.node, "node", true, "measure the stores for Node too (needs Node and the npm registry)")
	flags.BoolVar(&o.write, "write", false, "update docs/benchmarks.md and its plot")
	flags.StringVar(&o.docs, "docs", filepath.Join("..", "docs"), "folder of benchmarks.md")
	flags.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of the run to this file")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.writers, err = numbers(*writers, 1); err != nil {
		return o, fmt.Errorf("-writers: %w", err)
	}
	if o.sizes, err = numbers(*sizes, 50_000); err != nil { // for a page of each agent's chats
		return o, fmt.Errorf("-growth: %w", err)
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	o.sections = strings.Split(*sections, ",")
	for _, s := range o.sections {
		if !slices.Contains(known(), s) {
			return o, fmt.Errorf("-sections %q: want some of %s", *sections, strings.Join(known(), ","))
		}
	}
	o.engines = strings.Split(*engines, ",")
	for _, e := range o.engines {
		if e != engineSQLite && e != enginePostgres {
			return o, fmt.Errorf("-engines %q: want some of %s,%s", *engines, engineSQLite, enginePostgres)
		}
	}
	if o.rounds < 1 || o.scanned < 1_000 || o.rebuilt < 1_000 || o.chats < 1_000 || o.messages < 1_000 || o.conns < 1 {
		return o, errors.New("-rounds and -conns must be at least 1, -scan, -rebuild, -chats and -messages at least 1000")
	}
	return o, nil
}

// numbers parses such as 1,8,64, none of them less than least.
func numbers(text string, least int) (ns []int, err error) {
	for _, s := range strings.Split(text, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < least {
			return nil, fmt.Errorf("%q: want numbers of at least %d, with commas between", text, least)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// known lists the sections in the order of the page.
func known() []string {
	return []string{"appends", "batches", "scan", "rebuild", "latency", "list", "search", "growth", "gateway"}
}

// bench is one run.
type bench struct {
	options
	dir     string // on disk; for databases
	servers *servers
	log     *os.File
}

func (b *bench) sections() map[string]func(context.Context) (*report, error) {
	return map[string]func(context.Context) (*report, error){
		"appends": b.appends,
		"batches": b.batches,
		"scan":    b.scan,
		"rebuild": b.rebuild,
		"latency": b.latency,
		"list":    b.list,
		"search":  b.search,
		"growth":  b.growth,
		"gateway": b.gateway,
	}
}

// cpuSeconds is the time that this process has kept CPUs busy.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func now() time.Time { return time.Now() } //nolint:forbidigo // a measurement is about the real clock
