package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/gateway"
	"github.com/chatledger/chatledger/eventstore/kurrent"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// idleSubscribers is how many clients wait for what comes.
const idleSubscribers = 100

// gateway measures reading a log on SQLite through the gateway, server and client in
// one process.
func (b *bench) gateway(ctx context.Context) (_ *report, err error) {
	total := b.scanned / streamLength * streamLength
	s, err := sqlite.Open(ctx, filepath.Join(b.dir, "gateway.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := fill(ctx, s, total); err != nil {
		return nil, err
	}
	size, err := meanSize(ctx, s)
	if err != nil {
		return nil, err
	}
	connection, stop, err := b.serveGateway(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	client, err := officialClient(connection)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	driver, err := kurrent.Open(ctx, connection)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()

	reads := []*struct {
		name  string
		run   func() (int, error)
		rates series
	}{
		{name: "the log itself, to envelopes", run: func() (int, error) { return count(s.ReadAll(ctx, eventstore.AllQuery{})) }},
		{name: "**the gateway**, to the official Go client", run: func() (int, error) {
			read, err := client.ReadAll(ctx, esdb.ReadAllOptions{}, math.MaxUint64)
			if err != nil {
				return 0, err
			}
			defer read.Close()
			for n := 0; ; n++ {
				if _, err := read.Recv(); errors.Is(err, io.EOF) {
					return n - 1, nil // the store's id is an event, too
				} else if err != nil {
					return n, err
				}
			}
		}},
		{name: "the gateway, to our driver for KurrentDB", run: func() (int, error) { return count(driver.ReadAll(ctx, eventstore.AllQuery{})) }},
	}
	for round := range b.rounds + 1 {
		for i := range reads {
			read := reads[(i+round)%len(reads)]
			began := now()
			n, err := read.run()
			took := now().Sub(began)
			if err != nil || n < total || n > total+1 {
				return nil, fmt.Errorf("%s read %d of %d events: %v", read.name, n, total, err)
			}
			if round > 0 { // the first one warms up the caches
				read.rates = append(read.rates, float64(n)/took.Seconds())
				fmt.Fprintf(b.log, "round %d  %9.0f events/s  %s\n", round, float64(n)/took.Seconds(), read.name)
			}
		}
	}
	idle, err := idleMemory(ctx, connection)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b.log, "%d idle subscribers take %.1f MB\n", idleSubscribers, idle)
	whole := table{head: []string{"The whole log", "events/s"}}
	for _, read := range reads {
		whole.rows = append(whole.rows, []string{read.name, read.rates.String()})
	}
	return &report{
		title: "The log for clients of KurrentDB",
		intro: fmt.Sprintf("SQLite, %s events of %d bytes on average, served by the gateway over TLS on the loopback; server and client share one process and its CPUs. "+
			"Median of %d rounds (minimum–maximum), in turns.", figure(float64(total)), size, b.rounds),
		tables: []table{whole},
		targets: []target{
			{what: "events a second, to the Go client", got: reads[1].rates.median() / 1e3, want: 100, unit: "thousand"},
			{what: fmt.Sprintf("%d idle subscribers, each with a connection, server and clients together", idleSubscribers), got: idle, want: 100, unit: "MB", atMost: true},
		},
	}, nil
}

func count(events func(func(eventstore.Recorded, error) bool)) (n int, err error) {
	for _, err := range events {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// serveGateway serves a log and returns how clients connect.
func (b *bench) serveGateway(ctx context.Context, s eventstore.Store) (connection string, stop func() error, err error) {
	own, err := gateway.SelfSigned(now(), "127.0.0.1")
	if err != nil {
		return "", nil, err
	}
	ca := filepath.Join(b.dir, "ca.pem")
	if err := os.WriteFile(ca, own.Authority, 0o600); err != nil {
		return "", nil, err
	}
	settings, err := gateway.TLS(own.Cert, own.Key)
	if err != nil {
		return "", nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := gateway.New(gateway.Config{
		Store: s, TLS: settings, Now: now, Appends: true, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
		Authenticate: func(context.Context, string) (gateway.Rights, error) { return gateway.Rights{Append: true}, nil },
	})
	serving, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- server.Serve(serving, listener) }()
	return fmt.Sprintf("esdb://token:any@%s?tlsCAFile=%s", listener.Addr(), url.QueryEscape(ca)), func() error { cancel(); return <-done }, nil
}

func officialClient(connection string) (*esdb.Client, error) {
	cfg, err := esdb.ParseConnectionString(connection)
	if err != nil {
		return nil, err
	}
	cfg.Logger = esdb.NoopLogging()
	return esdb.NewClient(cfg)
}

// idleMemory returns how many MB subscribers take that wait, with all that belongs to
// them on both sides.
func idleMemory(ctx context.Context, connection string) (float64, error) {
	used := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse+m.StackInuse) / 1e6
	}
	before := used()
	for range idleSubscribers {
		client, err := officialClient(connection)
		if err != nil {
			return 0, err
		}
		defer client.Close()
		sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.End{}})
		if err != nil {
			return 0, err
		}
		defer sub.Close()
		if m := sub.Recv(); m.CaughtUp == nil {
			return 0, fmt.Errorf("a subscriber got %+v; want that it has caught up", m)
		}
	}
	select { // what the connecting needed is let go
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	return used() - before, nil
}
