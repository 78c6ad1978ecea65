package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/inbox"
)

const (
	growthWriters = 64
	growthReads   = 1_000 // streams, and lists, in a round
	growthPage    = 50
	growthLook    = 20 * time.Millisecond
	growthMost    = 1.3 // times slower at the largest size than at the one before
)

// grown is a log of a size and the views of it.
type grown struct {
	events int
	dir    string
	log    *sqlite.Store
	copied *sqlite.Store // of the log; appended to
	views  sqldb.DB

	logSize, viewsSize int64  // bytes, with the files beside
	built              folded // the views
	appends            series // events/s
	stream             series // p50, µs
	p50, p99           series // of the list, ms
}

// folded is what a rebuild took.
type folded struct {
	seconds   float64
	own, peak float64 // MB at most: its own memory, and with the pages of files that it had mapped
}

// growth measures logs of several sizes, and the views of them, in turns.
func (b *bench) growth(ctx context.Context) (_ *report, err error) {
	var all []*grown
	defer func() {
		for _, g := range all {
			err = errors.Join(err, g.close())
		}
	}()
	for _, n := range b.sizes {
		g := &grown{events: n / streamLength * streamLength, dir: filepath.Join(b.kept(), fmt.Sprintf("growth-%d", n))}
		all = append(all, g)
		if err := g.prepare(ctx, b); err != nil {
			return nil, fmt.Errorf("%d events: %w", n, err)
		}
	}
	for round := range b.rounds {
		for i := range all {
			g := all[(i+round)%len(all)]
			if err := g.measure(ctx, b, round); err != nil {
				return nil, fmt.Errorf("%d events: %w", g.events, err)
			}
			fmt.Fprintf(b.log, "round %d  %9d events  %9.0f appends/s  stream %.0f µs  list %.3f / %.3f ms\n",
				round+1, g.events, last(g.appends), last(g.stream), last(g.p50), last(g.p99))
		}
	}
	return b.growthReport(all), nil
}

// prepare fills the log, unless an earlier run has, rebuilds the views and
// copies the log.
func (g *grown) prepare(ctx context.Context, b *bench) (err error) {
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	log := filepath.Join(g.dir, "events.db")
	if g.log, err = sqlite.Open(ctx, log); err != nil {
		return err
	}
	head, err := g.log.Head(ctx)
	if err != nil {
		return err
	}
	switch int(head.Position) {
	case g.events:
	case 0:
		began := now()
		if err := fill(ctx, g.log, g.events); err != nil {
			return err
		}
		fmt.Fprintf(b.log, "filled a log with %d events in %s\n", g.events, now().Sub(began).Round(time.Second))
	default:
		return fmt.Errorf("%s has %d events, not %d: remove it", g.dir, head.Position, g.events)
	}
	if err := g.log.Close(); err != nil { // which leaves all in one file
		return err
	}
	if g.built, err = b.foldApart(ctx, g.dir); err != nil {
		return err
	}
	fmt.Fprintf(b.log, "rebuilt the views of %d events in %.1f s: %.0f/s, %.0f MB of its own, %.0f MB at most\n",
		g.events, g.built.seconds, float64(g.events)/g.built.seconds, g.built.own, g.built.peak)
	if g.logSize, err = sizeOf(log); err != nil {
		return err
	}
	if g.viewsSize, err = sizeOf(filepath.Join(g.dir, "views.db")); err != nil {
		return err
	}
	copied := filepath.Join(b.dir, fmt.Sprintf("copied-%d.db", g.events))
	if err := copyFile(log, copied); err != nil {
		return err
	}
	if g.log, err = sqlite.Open(ctx, log); err != nil {
		return err
	}
	if g.copied, err = sqlite.Open(ctx, copied); err != nil {
		return err
	}
	g.views, err = sqldb.OpenSQLite(ctx, filepath.Join(g.dir, "views.db"), sqldb.Rebuildable)
	return err
}

func (g *grown) close() (err error) {
	for _, s := range []*sqlite.Store{g.log, g.copied} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if g.views != nil {
		err = errors.Join(err, g.views.Close())
	}
	return err
}

func (g *grown) measure(ctx context.Context, b *bench, round int) error {
	random := rand.New(rand.NewPCG(uint64(round), 4))
	// What is read before the clock starts is what a server has come across.
	timed := func(read func() error) (took []time.Duration, err error) {
		for n := range 2 * growthReads {
			began := now()
			if err := read(); err != nil {
				return nil, err
			}
			if n >= growthReads {
				took = append(took, now().Sub(began))
			}
		}
		slices.Sort(took)
		return took, nil
	}
	streams, err := timed(func() error {
		n := 0
		for _, err := range g.log.ReadStream(ctx, chatName(random.IntN(g.events/streamLength)), eventstore.StreamQuery{}) {
			if err != nil {
				return err
			}
			n++
		}
		if n != streamLength {
			return fmt.Errorf("read %d events of a stream", n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.stream = append(g.stream, float64(streams[len(streams)/2].Nanoseconds())/1e3)
	lists, err := timed(func() error {
		agent := fmt.Sprintf("agent-%d", random.IntN(storyAgents))
		return g.views.Read(ctx, func(tx sqldb.Tx) error {
			page, err := inbox.List(ctx, tx, inbox.Query{Workspace: storySpace, Status: "CLOSED", Assignee: &agent, Limit: growthPage})
			if err == nil && len(page.Chats) != growthPage {
				err = fmt.Errorf("a list of %d chats", len(page.Chats))
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	g.p50 = append(g.p50, float64(lists[len(lists)/2].Nanoseconds())/1e6)
	g.p99 = append(g.p99, float64(lists[len(lists)*99/100].Nanoseconds())/1e6)
	rate, err := drive(ctx, storeAppender{g.copied, nil}, growthWriters, 1, b.warm, b.span)
	if err != nil {
		return err
	}
	g.appends = append(g.appends, rate)
	return nil
}

func (b *bench) growthReport(all []*grown) *report {
	t := table{head: []string{"Events in the log"}}
	rows := []struct {
		name string
		text func(g *grown) string
	}{
		{fmt.Sprintf("appends of one event, %d writers, events/s", growthWriters), func(g *grown) string { return g.appends.String() }},
		{fmt.Sprintf("a stream of %d events, p50, µs", streamLength), func(g *grown) string { return g.stream.String() }},
		{fmt.Sprintf("%d chats by status and assignee, p50, ms", growthPage), func(g *grown) string { return g.p50.String() }},
		{"the same, p99, ms", func(g *grown) string { return g.p99.String() }},
		{"rebuild of inbox and conversation, events/s", func(g *grown) string { return figure(float64(g.events) / g.built.seconds) }},
		{"memory of the rebuilding process, its own, at most, MB", func(g *grown) string { return figure(g.built.own) }},
		{"the same with the pages of the log and the views that it has mapped, MB", func(g *grown) string { return figure(g.built.peak) }},
		{"log on disk, MB", func(g *grown) string { return figure(float64(g.logSize) / 1e6) }},
		{"views on disk, MB", func(g *grown) string { return figure(float64(g.viewsSize) / 1e6) }},
	}
	for _, row := range rows {
		cells := []string{row.name}
		for _, g := range all {
			cells = append(cells, row.text(g))
		}
		t.rows = append(t.rows, cells)
	}
	for _, g := range all {
		t.head = append(t.head, figure(float64(g.events)))
	}
	r := &report{
		title: "How it grows",
		intro: fmt.Sprintf("SQLite: logs of chats of %d events, and their views, in files. The rebuild is done once, by a process of its own, "+
			"and its memory is looked at every %s; the rest is the median of %d rounds (minimum–maximum), the sizes in turns. Appends go to a copy of the log, "+
			"for %s each after %s of warming up. %s streams, and lists of an agent's closed chats by the query alone, are read at random after as many to warm up.",
			streamLength, growthLook, b.rounds, b.span, b.warm, figure(growthReads)),
		tables: []table{t},
		notes: []string{"A rebuild holds, whatever the length of the log: for each table the last 100,000 rows it wrote, and 6.4 MB that tell which it wrote before; " +
			"about 50,000 rows of each view that wait to be written, and as many on their way into the tables; a few batches of at most 10,000 events or 32 MB on their way from the log; and SQLite's caches, of 64 MB for the views and 64 MB for the log at most. " +
			"The indexes are sorted in files.",
			"SQLite maps 2 GB of a file. Pages beyond it, which only views of several million events have, are read into the cache of each connection, of 32 MB, " +
				"which has room for what the lists of fifty agents look at."},
	}
	if len(all) < 2 {
		return r
	}
	small, large := all[len(all)-2], all[len(all)-1]
	slower := func(what string, ratio float64) {
		r.targets = append(r.targets, target{
			what: fmt.Sprintf("%s, %s events to %s, slower", what, figure(float64(large.events)), figure(float64(small.events))),
			got:  ratio, want: growthMost, unit: "×", atMost: true,
		})
	}
	slower("append", small.appends.median()/large.appends.median())
	slower("list, p50", large.p50.median()/small.p50.median())
	slower("list, p99", large.p99.median()/small.p99.median())
	return r
}

// foldApart has a process of its own make the views of the log in a folder.
func (b *bench) foldApart(ctx context.Context, dir string) (f folded, err error) {
	self, err := os.Executable()
	if err != nil {
		return f, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "fold-growth", dir)
	cmd.Stderr = b.log
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("rebuild in a process: %w", err)
	}
	if _, err := fmt.Sscan(string(out), &f.seconds, &f.own, &f.peak); err != nil {
		return f, fmt.Errorf("rebuild in a process: %q: %w", out, err)
	}
	return f, nil
}

// foldGrowth is that process. It prints the fields of folded.
func foldGrowth(ctx context.Context, args []string) (err error) {
	views := filepath.Join(args[0], "views.db")
	for _, beside := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(views + beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove older views: %w", err)
		}
	}
	log, err := sqlite.Open(ctx, filepath.Join(args[0], "events.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	db, err := sqldb.OpenSQLite(ctx, views, sqldb.Rebuildable)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	watching, stop := context.WithCancel(ctx)
	most := make(chan usage, 1)
	go func() { most <- mostMemory(watching) }()
	began := now()
	cfg := (&engine{log: log}).config(db, inbox.New, conversation.New, directory.New)
	err = projections.RebuildAll(ctx, cfg, []string{"inbox.v3", "conversation.v3"}, nil)
	took := now().Sub(began)
	stop()
	used := <-most
	if err == nil {
		_, err = fmt.Fprintln(os.Stdout, took.Seconds(), used.own, used.peak)
	}
	return err
}

// mostMemory looks at what this process holds until ctx ends.
func mostMemory(ctx context.Context) (most usage) {
	for {
		u, err := memory(os.Getpid())
		if err != nil {
			return usage{own: math.NaN(), peak: math.NaN()}
		}
		most.own, most.peak = max(most.own, u.own), max(most.peak, u.peak)
		if pause(ctx, growthLook) != nil {
			return most
		}
	}
}

// sizeOf returns the bytes of a database with the files beside it.
func sizeOf(db string) (size int64, err error) {
	names, err := filepath.Glob(db + "*")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
