package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// ServeCmd is `serve`.
type ServeCmd struct {
	StoreFlags
	Serving
	Caches `group:"memory"`
}

// Serving says what of a server runs in this process.
type Serving struct {
	Listen  string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on (default: ${default}); port 0 takes a free one."`
	Roles   []role `default:"api,projections,reactors" enum:"api,projections,reactors" placeholder:"ROLE,…" help:"What this process does, of api, projections and reactors (default: all). A log and views on PostgreSQL can be shared by many processes; one without api answers to /healthz, /readyz and /metrics only."`
	Publish string `placeholder:"WHERE" help:"Have the reactors publish events as CloudEvents: nats://HOST:PORT/PREFIX for NATS JetStream, kafka://HOST:PORT/TOPIC for Kafka. See docs/publishing.md."`
	Gateway `group:"gateway" prefix:"esdb-"`
}

// role is a part of the work of a server.
type role string

const (
	roleAPI         role = "api"         // webhooks and the API
	roleProjections role = "projections" // moves the views
	roleReactors    role = "reactors"    // side effects
)

func (s Serving) has(r role) bool { return slices.Contains(s.Roles, r) }

// everything is a server in one process.
func everything(listen string) Serving {
	return Serving{Listen: listen, Roles: []role{roleAPI, roleProjections, roleReactors}}
}

// Caches say how much is kept in memory. 0 stands for the default.
type Caches struct {
	CacheEvents int `default:"500000" placeholder:"N" help:"Events whose outcome is kept for commands, about half a kB each (default: ${default})."`
	CacheRows   int `default:"20000" placeholder:"N" help:"Rows of each table of the views that are kept while they are folded, about half a kB each (default: ${default})."`
}

// Run implements the command.
func (c ServeCmd) Run(ctx context.Context, t *terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	s, err := startServer(ctx, c.StoreFlags, c.Caches, c.Serving, t)
	if err != nil {
		return err
	}
	if c.has(roleAPI) {
		fmt.Fprintf(t.stderr, "chatledger listens on %s (pid %d); the API is described at %s/docs\n", s.url, os.Getpid(), s.url)
	} else {
		fmt.Fprintf(t.stderr, "chatledger runs %v (pid %d); how it is: %s/readyz\n", c.Roles, os.Getpid(), s.url)
	}
	return s.wait(ctx)
}

// catchUpTime is how long a start waits for the views at most.
const catchUpTime = 2 * time.Second

// How long a shutdown takes at most. Reactors end beside the requests under way,
// so that a message that is just being sent gets its answer; the views end last.
const (
	shutdownTime = 9500 * time.Millisecond // in all
	requestTime  = 5 * time.Second         // for requests under way
	reactorTime  = 7 * time.Second         // for side effects under way
)

// server is a running one. The caller must call wait.
type server struct {
	url    string
	t      *terminal
	parts  *parts
	views  io.Closer
	lock   *serverLock // nil where a database keeps servers apart
	http   *http.Server
	failed chan error         // of serving
	ending context.CancelFunc // of what ends first
	stop   context.CancelFunc // of all that works in the background
	group  *errgroup.Group
}

// startServer opens everything and listens. ctx bounds the start only.
func startServer(ctx context.Context, f StoreFlags, c Caches, what Serving, t *terminal) (_ *server, err error) {
	s := &server{t: t, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.halt())
		}
	}()
	if f.usesFiles() {
		if s.lock, err = lockServer(f.Data); err != nil {
			return nil, err
		}
	}
	if s.parts, err = openParts(ctx, f, t, true); err != nil {
		return nil, err
	}
	s.parts.keep(c)
	app, err := s.parts.assemble(ctx, f, what, t)
	s.views = app.views
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", what.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.url, s.http = "http://"+listener.Addr().String(), app.http
	if s.lock != nil {
		if err := s.lock.announce(s.url); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
	}

	if what.Gateway.Listen != "" {
		serve, err := s.parts.listenGateway(ctx, f, what.Gateway, t)
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		app.background = append(app.background, service{name: "gateway", first: true, run: serve})
	}

	// Not ctx: what works in the background outlives the requests under way.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.group, run = errgroup.WithContext(run)
	first, ending := context.WithCancel(run)
	s.ending = ending
	for _, b := range app.background {
		ctx := run
		if b.first {
			ctx = first
		}
		s.group.Go(func() error {
			if err := b.run(ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			return nil
		})
	}
	// Who asks at once sees what was there before. Those who connect meanwhile
	// wait in the listener's queue; a view that is far behind is not waited for.
	soon, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	if err := app.caughtUp(soon); err != nil {
		t.logger.Info("the views are still catching up", "reason", err)
	}
	go func() { s.failed <- s.http.Serve(listener) }()
	go func() { // a part that fails ends the server
		<-run.Done()
		if err := context.Cause(run); err != nil && !errors.Is(err, context.Canceled) {
			_ = s.http.Close()
		}
	}()
	return s, nil
}

// wait returns when ctx is done and all has come to an orderly end, or when
// something has failed.
func (s *server) wait(ctx context.Context) error {
	var failed error
	select {
	case <-ctx.Done():
		s.t.logger.Info("shutting down")
	case failed = <-s.failed:
		if errors.Is(failed, http.ErrServerClosed) {
			failed = nil
		}
	}
	deadline := time.NewTimer(shutdownTime)
	defer deadline.Stop()
	s.ending()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
	defer cancel()
	if err := s.http.Shutdown(drain); err != nil {
		s.t.logger.Warn("requests were cut off", "error", err)
		_ = s.http.Close()
	}
	return errors.Join(failed, s.close(deadline.C))
}

// halt ends a server at once, for want of something it needs.
func (s *server) halt() error {
	if s.http != nil {
		_ = s.http.Close()
	}
	deadline := time.NewTimer(shutdownTime)
	defer deadline.Stop()
	return s.close(deadline.C)
}

// close ends what was started.
func (s *server) close(deadline <-chan time.Time) (err error) {
	if s.stop != nil {
		s.ending()
		s.stop()
		done := make(chan error, 1)
		go func() { done <- s.group.Wait() }()
		select {
		case err = <-done:
		case <-deadline:
			// What is still at work loses its databases when the process ends,
			// which is soon, and is as safe as a crash.
			return fmt.Errorf("shut down: something is still at work after %s", shutdownTime)
		}
	}
	if s.views != nil {
		err = errors.Join(err, s.views.Close())
	}
	if s.parts != nil {
		err = errors.Join(err, s.parts.close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	return err
}
