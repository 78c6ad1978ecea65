// Package gatewaytest runs gateways for the tests of what speaks to one, and has what these
// judge with: the official client, and a log with holes. It serves no log but a test's.
package gatewaytest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/gateway"
)

// Secrets of the callers that Start knows.
const (
	Writer  = "secret-of-the-writer"  // everything, of all workspaces
	Analyst = "secret-of-the-analyst" // reads what is of workspace acme
	Agent   = "secret-of-the-agent"   // may not read the log
)

// Server is a gateway that can be stopped and started again.
type Server struct {
	Address string // host and port
	CAFile  string // what a client has to trust

	t    testing.TB
	cfg  gateway.Config
	mu   sync.Mutex
	halt func() // nil while it does not run
}

// Connection returns the connection string for the bearer of a secret. settings are
// added to it, such as "defaultDeadline=1000".
func (s *Server) Connection(secret, settings string) string {
	c := fmt.Sprintf("esdb://%s@%s?tlsCAFile=%s", url.UserPassword("token", secret), s.Address, url.QueryEscape(s.CAFile))
	if settings != "" {
		c += "&" + settings
	}
	return c
}

// Start serves a log until the test ends, with appends allowed if they are to be.
func Start(t testing.TB, store eventstore.Store, appends bool) *Server {
	t.Helper()
	own, err := gateway.SelfSigned(time.Now(), "127.0.0.1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: "127.0.0.1:0", CAFile: filepath.Join(t.TempDir(), "ca.pem"), t: t}
	if err := os.WriteFile(s.CAFile, own.Authority, 0o600); err != nil {
		t.Fatal(err)
	}
	s.cfg = gateway.Config{
		Store: store, Authenticate: authenticate, Now: time.Now, Appends: appends,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if s.cfg.TLS, err = gateway.TLS(own.Cert, own.Key); err != nil {
		t.Fatal(err)
	}
	s.run()
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server, if it runs.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.halt != nil {
		s.halt()
		s.halt = nil
	}
}

// Restart ends the server and starts another, at the same address.
func (s *Server) Restart() {
	s.Stop()
	s.run()
}

func (s *Server) run() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Address)
	if err != nil {
		cancel()
		s.t.Errorf("listen: %v", err)
		return
	}
	s.Address = listener.Addr().String()
	server, ended := gateway.New(s.cfg), make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(ctx, listener); err != nil {
			s.t.Errorf("gateway: %v", err)
		}
	}()
	s.halt = func() { cancel(); <-ended }
}

func authenticate(_ context.Context, secret string) (gateway.Rights, error) {
	switch secret {
	case Writer:
		return gateway.Rights{Append: true}, nil
	case Analyst:
		return gateway.Rights{Workspace: "acme"}, nil
	case Agent:
		return gateway.Rights{}, gateway.ErrForbidden
	}
	return gateway.Rights{}, gateway.ErrUnauthenticated
}
