package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// appender adds events to a stream that is at revision want, all or none.
type appender interface {
	append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) error
	close() error
}

// meter measures events a second, appended batch at a time.
type meter func(ctx context.Context, writers, batch int, warm, span time.Duration) (float64, error)

// contestant is one way of keeping events.
type contestant struct {
	name    string
	ours    bool
	batches bool // it has a way to append many events at once
	open    func(ctx context.Context, b *bench) (meter, func() error, error)

	rates   map[int]series
	missing error // why it could not be measured
}

const (
	streamLength = 20  // appends to a stream
	batchSize    = 100 // events in an append of the section "batches"
)

func with(open func(ctx context.Context, b *bench) (appender, error)) func(context.Context, *bench) (meter, func() error, error) {
	return func(ctx context.Context, b *bench) (meter, func() error, error) {
		a, err := open(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		measure := func(ctx context.Context, writers, batch int, warm, span time.Duration) (float64, error) {
			return drive(ctx, a, writers, batch, warm, span)
		}
		return measure, a.close, nil
	}
}

// Names that targets refer to.
const (
	nameFloor     = "raw file, preallocated, group commit, fdatasync"
	nameSQLite    = "chatledger, SQLite"
	namePostgres  = "chatledger, PostgreSQL"
	nameHallgren  = "hallgren/eventsourcing, SQLite"
	nameStatement = "one INSERT per append, PostgreSQL"
	nameMessageDB = "Message DB write_message, PostgreSQL"
	nameEmmett    = "Emmett, PostgreSQL (Node)"
	nameDCB       = "dcb-es/event-store-postgres, PostgreSQL (Node)"
)

// contestants returns those whose names match only; those for Node if node.
func contestants(only *regexp.Regexp, node bool) []*contestant {
	all := []*contestant{
		{name: nameFloor, batches: true, open: with(openFloor)},
		{name: nameSQLite, ours: true, batches: true, open: with(openSQLite)},
		{name: nameHallgren, batches: true, open: with(openHallgrenSQLite)},
		{name: namePostgres, ours: true, batches: true, open: with(openPostgres)},
		{name: nameStatement, open: with(openStatement)},
		{name: nameMessageDB, open: with(openMessageDB)},
		{name: "hallgren/eventsourcing, PostgreSQL", batches: true, open: with(openHallgrenPostgres)},
		{name: "modernice/goes, PostgreSQL", batches: true, open: with(openGoes)},
	}
	if node {
		all = append(all, &contestant{name: nameEmmett, open: emmett().open}, &contestant{name: nameDCB, open: dcb().open})
	}
	all = slices.DeleteFunc(all, func(c *contestant) bool { return !only.MatchString(c.name) })
	for _, c := range all {
		c.rates = map[int]series{}
	}
	return all
}

// appends measures durable appends of one event.
func (b *bench) appends(ctx context.Context) (*report, error) {
	all := contestants(b.only, b.node)
	for round := range b.rounds {
		if err := b.appendRound(ctx, all, round, 1); err != nil {
			return nil, err
		}
	}
	data, meta := sample()
	r := &report{
		title: "Durable appends",
		intro: fmt.Sprintf("Events a second: each writer appends one event (%d bytes of data and metadata) at a time, with the expected revision, "+
			"to streams of its own of %d events, and waits until it is on disk. Median of %d rounds (minimum–maximum), "+
			"%s each after %s of warming up, new stores in each round, in turns.", len(data)+len(meta), streamLength, b.rounds, b.span, b.warm),
		plot: &plot{file: "benchmarks-appends.svg", title: "Durable appends of one event, by number of writers", x: "writers", y: "events/s"},
		notes: []string{
			"SQLite peers run in WAL mode with synchronous=FULL, on the same modernc.org/sqlite; PostgreSQL has fsync and synchronous_commit on; " +
				fmt.Sprintf("each peer has up to %d connections, Emmett as many as it takes by itself.", b.conns),
			"One INSERT per append has the columns of chatledger's table and the unique index on (stream, revision) only; it would accept an expected revision that is too high.",
			"All streams are of one category, as chats are. Message DB takes a lock per category.",
			"dcb-es/event-store-postgres has no streams: an event has a tag for its stream, and its append the condition that no event of the type with that tag follows the last one.",
		},
	}
	b.appendTable(r, all)
	r.targets = b.appendTargets(all)
	return r, nil
}

// appendTable adds the table, the lines of the plot, and what is missing, to r.
func (b *bench) appendTable(r *report, all []*contestant) {
	t := table{head: []string{"events/s"}}
	for _, w := range b.writers {
		t.head = append(t.head, writersText(w))
	}
	for _, c := range all {
		row := []string{c.name}
		if c.ours {
			row[0] = "**" + c.name + "**"
		}
		l := line{name: c.name}
		for _, w := range b.writers {
			row = append(row, c.rates[w].String())
			if s := c.rates[w]; len(s) > 0 {
				l.points = append(l.points, point{float64(w), s.median(), slices.Min(s), slices.Max(s)})
			}
		}
		t.rows = append(t.rows, row)
		r.plot.lines = append(r.plot.lines, l)
		if c.missing != nil {
			r.notes = append(r.notes, fmt.Sprintf("Not measured: %s: %s", c.name, strings.ReplaceAll(c.missing.Error(), "\n", " ")))
		}
	}
	r.tables = []table{t}
}

// batches measures durable appends of many events at once.
func (b *bench) batches(ctx context.Context) (*report, error) {
	all := slices.DeleteFunc(contestants(b.only, false), func(c *contestant) bool { return !c.batches })
	for round := range b.rounds {
		if err := b.appendRound(ctx, all, round, batchSize); err != nil {
			return nil, err
		}
	}
	r := &report{
		title: fmt.Sprintf("Durable appends of %d events at once", batchSize),
		intro: fmt.Sprintf("Events a second, as above, but each append is of %d events. Those that have a call for it. "+
			"Median of %d rounds (minimum–maximum).", batchSize, b.rounds),
		plot: &plot{
			file: "benchmarks-batches.svg", title: fmt.Sprintf("Durable appends of %d events, by number of writers", batchSize),
			x: "writers", y: "events/s",
		},
	}
	b.appendTable(r, all)
	return r, nil
}

func writersText(n int) string {
	if n == 1 {
		return "1 writer"
	}
	return fmt.Sprintf("%d writers", n)
}

func (b *bench) appendTargets(all []*contestant) []target {
	rate := func(name string, writers int) float64 {
		for _, c := range all {
			if c.name == name {
				return c.rates[writers].median()
			}
		}
		return 0
	}
	var ts []target
	ratio := func(ours, of, ofText string, writers int, want float64) {
		if !slices.Contains(b.writers, writers) {
			return
		}
		t := target{what: fmt.Sprintf("%s, %s, to %s", ours, writersText(writers), ofText), want: want, unit: "×"}
		if d := rate(of, writers); d > 0 && rate(ours, writers) > 0 {
			t.got = rate(ours, writers) / d
		} else {
			t.none = true
		}
		ts = append(ts, t)
	}
	ratio(nameSQLite, nameFloor, "the raw file", 1, 0.6)
	ratio(nameSQLite, nameFloor, "the raw file", 64, 0.4)
	ratio(nameSQLite, nameFloor, "the raw file", 256, 0.35)
	ratio(nameSQLite, nameHallgren, "hallgren/eventsourcing", 64, 25)
	ratio(namePostgres, nameStatement, "one INSERT per append", 1, 0.9)
	ratio(namePostgres, nameStatement, "one INSERT per append", 64, 3)
	ratio(namePostgres, nameMessageDB, "Message DB", 64, 15)
	ratio(namePostgres, nameEmmett, "Emmett", 64, 10)
	for _, w := range []int{8, 64, 256} {
		best := ""
		for _, c := range all {
			if !c.ours && strings.Contains(c.name, "PostgreSQL") && (best == "" || rate(c.name, w) > rate(best, w)) {
				best = c.name
			}
		}
		ratio(namePostgres, best, "the best peer ("+best+")", w, 1)
	}
	return ts
}

// appendRound opens every contestant's store anew and measures each with each
// number of writers. The order changes from round to round.
func (b *bench) appendRound(ctx context.Context, all []*contestant, round, batch int) (err error) {
	type runner struct {
		*contestant
		measure meter
	}
	var running []runner
	var closers []func() error
	defer func() {
		for _, c := range closers {
			err = errors.Join(err, c())
		}
		b.servers.close()
	}()
	for _, c := range all {
		if c.missing != nil {
			continue
		}
		measure, closer, err := c.open(ctx, b)
		if err != nil {
			c.missing = err
			fmt.Fprintf(b.log, "bench: %s: %v\n", c.name, err)
			continue
		}
		running, closers = append(running, runner{c, measure}), append(closers, closer)
	}
	for i, writers := range b.writers {
		for j := range running {
			c := running[(j+round+i)%len(running)]
			if c.missing != nil {
				continue
			}
			syscall.Sync() // nobody pays for what the one before has left to write
			rate, err := c.measure(ctx, writers, batch, b.warm, b.span)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				c.missing = fmt.Errorf("with %d writers: %w", writers, err)
				fmt.Fprintf(b.log, "bench: %s: %v\n", c.name, c.missing)
				continue
			}
			c.rates[writers] = append(c.rates[writers], rate)
			fmt.Fprintf(b.log, "round %d  %3d writers  %9.0f events/s  %s\n", round+1, writers, rate, c.name)
		}
	}
	return nil
}

// drive has writers append until the time is over, and returns the rate of the
// part after warm.
func drive(ctx context.Context, a appender, writers, batch int, warm, span time.Duration) (float64, error) {
	var count atomic.Int64
	var stopped atomic.Bool
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	data, meta := sample()
	for range writers {
		wg.Go(func() {
			ids := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
			stream := ""
			for i := 0; !stopped.Load(); i++ {
				if i%streamLength == 0 {
					stream = "chat-" + newID(ids).String()
				}
				events := make([]eventstore.Event, batch)
				for j := range events {
					events[j] = eventstore.Event{ID: newID(ids), Type: "chat.message_received.v1", Data: data, Meta: meta}
				}
				if err := a.append(ctx, stream, eventstore.Revision(i%streamLength*batch-1), events...); err != nil {
					failed <- err
					return
				}
				count.Add(int64(batch))
			}
		})
	}
	timer := time.NewTimer(warm)
	defer timer.Stop()
	wait := func() error {
		select {
		case <-timer.C:
			return nil
		case err := <-failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := wait()
	began, first := now(), count.Load()
	if err == nil {
		timer.Reset(span)
		err = wait()
	}
	done, took := count.Load()-first, now().Sub(began)
	stopped.Store(true)
	wg.Wait()
	return float64(done) / took.Seconds(), err
}

// newID is a random UUID that costs next to nothing.
func newID(r *rand.Rand) (id uuid.UUID) {
	for i := range 2 {
		v := r.Uint64()
		for j := range 8 {
			id[i*8+j] = byte(v >> (8 * j))
		}
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// sample is the data and metadata of a chat message.
func sample() (data, meta []byte) {
	data = fmt.Appendf(nil, `{"message":"0e9b1d5c-4a7e-4b0e-9b65-2f6a1c0d7e11","from":"+5511999990000","text":"%s"}`, strings.Repeat("text ", 24))
	meta = []byte(`{"workspace":"acme","actor":"+5511999990000","actor_kind":"customer","channel":"5d0e0b52-6a0c-4a56-8f0e-6b1f3f1c2d3e","command":"chat.receive","command_id":"7c1b8a9e-2f43-4c55-9d1a-0b9f8e7d6c5b"}`)
	return data, meta
}

type storeAppender struct {
	eventstore.Store
	closer func() error
}

func (s storeAppender) append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) error {
	_, err := s.Append(ctx, stream, want, events...)
	return err
}

func (s storeAppender) close() error { return s.closer() }

func openSQLite(ctx context.Context, b *bench) (appender, error) {
	s, err := sqlite.Open(ctx, filepath.Join(b.dir, "events-"+uuid.NewString()+".db"))
	if err != nil {
		return nil, err
	}
	return storeAppender{s, s.Close}, nil
}

func openPostgres(ctx context.Context, b *bench) (appender, error) {
	url, err := b.servers.database()
	if err != nil {
		return nil, err
	}
	s, err := postgres.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return storeAppender{s, s.Close}, nil
}
