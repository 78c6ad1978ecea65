// Package natstest runs NATS servers with JetStream for the tests of what speaks to one.
package natstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/chatledger/chatledger/publishing"
)

// Server is a server that can be stopped and started again, in its place and with what it
// has stored.
type Server struct {
	t    testing.TB
	opts server.Options
	srv  *server.Server // nil while it does not run
}

// Start runs a server until the test ends. change, if not nil, may set it up otherwise.
func Start(t testing.TB, change func(*server.Options)) *Server {
	t.Helper()
	s := &Server{t: t, opts: server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}}
	if change != nil {
		change(&s.opts)
	}
	s.Restart()
	t.Cleanup(s.Stop)
	return s
}

// Restart starts a server that was stopped.
func (s *Server) Restart() {
	s.t.Helper()
	opts := s.opts // it is written to
	srv, err := server.NewServer(&opts)
	if err != nil {
		s.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		s.t.Fatal("the NATS server is not ready")
	}
	s.srv, s.opts.Port = srv, opts.Port
}

// Stop stops the server, if it runs.
func (s *Server) Stop() {
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
		s.srv = nil
	}
}

// Host returns HOST:PORT.
func (s *Server) Host() string { return fmt.Sprintf("127.0.0.1:%d", s.opts.Port) }

// Connect returns a connection that ends with the test.
func (s *Server) Connect(options ...nats.Option) nats.JetStreamContext {
	s.t.Helper()
	conn, err := nats.Connect("nats://"+s.Host(), append(options, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	js, err := conn.JetStream()
	if err != nil {
		s.t.Fatal(err)
	}
	return js
}

// Message is one of a stream.
type Message struct {
	Subject string
	Header  nats.Header
	Event   publishing.Event
}

// Read returns all messages of a stream, in its order.
func Read(t testing.TB, js nats.JetStreamContext, stream string) (all []Message) {
	t.Helper()
	info, err := js.StreamInfo(stream)
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs == 0 {
		return nil
	}
	sub, err := js.SubscribeSync("", nats.BindStream(stream), nats.OrderedConsumer())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for range info.State.Msgs {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		e, err := publishing.Decode(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Message{m.Subject, m.Header, e})
	}
	return all
}
