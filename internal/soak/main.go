// Command soak runs the real server under a steady load and watches whether it
// needs more and more: memory, goroutines, file descriptors, threads, the files
// in front of its databases.
//
//	make soak               # 10 minutes, the databases in files
//	make soak SOAK=1h
//	make soak-postgres      # the same on PostgreSQL
//
// The load is that of a busy shop: webhooks come in, agents claim, answer, tag
// and close, the provider reports, others page through the inbox, and clients of
// the stream of changes come and go. Before that, customers write as fast as the
// server takes it and all of it is read once, until its caches are full: what
// grows up to a bound must have reached it before what grows without one can be
// seen.
//
// It is a client: it looks at the server from outside, by HTTP and by what the
// system says about the process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what can be chosen.
type options struct {
	duration  time.Duration
	customers int
	pause     time.Duration
	readers   int
	streams   int
	postgres  string
}

func main() {
	var o options
	flag.DurationVar(&o.duration, "for", 10*time.Minute, "how long the steady load lasts; the second half of it is judged")
	flag.IntVar(&o.customers, "customers", 20_000, "customers who write before that, as fast as the server takes it")
	flag.DurationVar(&o.pause, "pause", 20*time.Millisecond, "between two things that happen in the shop")
	flag.IntVar(&o.readers, "readers", 4, "clients that page through the inbox")
	flag.IntVar(&o.streams, "streams", 24, "clients of the stream of changes at once; each stays for some seconds")
	flag.StringVar(&o.postgres, "postgres", "", "address of a PostgreSQL to keep the data in, or `env`: that of CHATLEDGER_TEST_POSTGRES (default: files)")
	flag.Parse()
	if o.postgres == "env" {
		o.postgres = os.Getenv("CHATLEDGER_TEST_POSTGRES")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := soak(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// errTrend says that something grew; the table says what.
var errTrend = errors.New("something grows")

func soak(ctx context.Context, o options, out io.Writer) (err error) {
	s, err := startServer(ctx, o)
	if s != nil {
		defer func() { err = errors.Join(err, s.remove()) }()
	}
	if err != nil {
		return err
	}
	l := newLoad(s, o)
	defer l.close()

	idle, err := s.sample(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d customers write, and each chat is read, to fill the caches …\n", o.customers)
	began := time.Now()
	if err := l.traffic.Customers(ctx, o.customers); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	full, err := s.settle(ctx)
	if err != nil {
		return err
	}
	if err := l.readAll(ctx); err != nil {
		return fmt.Errorf("read all: %w", err)
	}
	fmt.Fprintf(out, "%d events after %s. Now a steady load for %s.\n\n", full.position, time.Since(began).Round(time.Second), o.duration)

	samples, err := watch(ctx, s, l, o, out)
	if err != nil {
		return err
	}
	at, err := s.leaveNothing(ctx, l, idle)
	if err != nil {
		return errors.Join(err, l.failures())
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	return errors.Join(report(out, samples, idle, at), l.failures())
}

// watch runs the load and samples the server meanwhile.
func watch(ctx context.Context, s *server, l *load, o options, out io.Writer) (samples []sample, err error) {
	working, stop := context.WithTimeout(ctx, o.duration)
	defer stop()
	ended := make(chan struct{})
	go func() { defer close(ended); l.run(working) }()

	every := max(o.duration/120, 250*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	began := time.Now()
	fmt.Fprintln(out, header)
	for working.Err() == nil {
		select {
		case <-tick.C:
		case <-working.Done():
		case err := <-s.ended:
			return nil, fmt.Errorf("the server ended: %w", err)
		}
		if working.Err() != nil {
			break
		}
		now, err := s.sample(ctx)
		if err != nil {
			return nil, err
		}
		now.at, now.requests, now.streams = time.Since(began), l.requests.Load(), l.connected.Load()
		samples = append(samples, now)
		if len(samples)%10 == 1 {
			fmt.Fprintln(out, now)
		}
	}
	<-ended
	return samples, ctx.Err()
}
