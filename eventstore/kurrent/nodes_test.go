package kurrent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
	"github.com/chatledger/chatledger/eventstore/memory"
)

func newLog(t *testing.T) *memory.Store {
	log := memory.New(time.Now)
	t.Cleanup(func() { log.Close() })
	return log
}

func openStore(t *testing.T, connection string) *Store {
	t.Helper()
	s, err := Open(t.Context(), connection)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func add(t *testing.T, s eventstore.Store, stream string, n int) {
	t.Helper()
	for range n {
		e := eventstore.Event{ID: uuid.New(), Type: "test.happened.v1", Data: []byte(`{}`)}
		if _, err := s.Append(t.Context(), stream, eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
}

// behind is a node that has not got all of the log yet.
type behind struct {
	eventstore.Store
	at       eventstore.Position
	caughtUp chan struct{}
}

func (b *behind) Head(ctx context.Context) (eventstore.Head, error) {
	h, err := b.Store.Head(ctx)
	select {
	case <-b.caughtUp:
	default:
		h.Position = b.at
	}
	return h, err
}

func (b *behind) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		select {
		case <-b.caughtUp:
			b.Store.ReadAll(ctx, q)(yield)
			return
		default:
		}
		if q.Backwards {
			q.After = b.at + 1
			b.Store.ReadAll(ctx, q)(yield)
			return
		}
		now := q
		now.Follow = false
		for r, err := range b.Store.ReadAll(ctx, now) {
			if r.Position > b.at {
				break
			}
			if !yield(r, err) {
				return
			}
		}
		if !q.Follow || !yield(eventstore.Recorded{Position: max(b.at, q.After)}, nil) {
			return
		}
		select {
		case <-b.caughtUp:
		case <-ctx.Done():
		}
		q.After = max(b.at, q.After)
		b.Store.ReadAll(ctx, q)(yield)
	}
}

// Of a cluster, calls may go to the leader and subscriptions to a node that lags: what
// it lacks when it says that it has caught up comes later.
func TestASubscriptionAtANodeThatLags(t *testing.T) {
	log := newLog(t)
	leader := gatewaytest.Start(t, log, true)
	s := openStore(t, leader.Connection(gatewaytest.Writer, ""))
	add(t, s, "chat-1", 3)
	lags := &behind{Store: log, at: 2, caughtUp: make(chan struct{})} // the store's id, and one event
	follower, err := parseConnection(gatewaytest.Start(t, lags, true).Connection(gatewaytest.Writer, ""))
	if err != nil {
		t.Fatal(err)
	}
	s.subs = newNodes(follower)
	seen, marks := 0, 0
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if !r.IsMark() {
			if seen++; seen == 3 {
				return
			}
			continue
		}
		if marks++; marks == 1 {
			if r.Position > 2 {
				t.Fatalf("a mark at %d; the node has events up to 2", r.Position)
			}
			close(lags.caughtUp)
		}
	}
}

// pair runs two nodes of one log. authority is the file of what a client has to trust.
func pair(t *testing.T) (nodes []*gatewaytest.Server, authority string) {
	t.Helper()
	log := newLog(t)
	nodes = []*gatewaytest.Server{gatewaytest.Start(t, log, true), gatewaytest.Start(t, log, true)}
	var trusted []byte
	for _, n := range nodes {
		pem, err := os.ReadFile(n.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		trusted = append(trusted, pem...)
	}
	authority = filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(authority, trusted, 0o600); err != nil {
		t.Fatal(err)
	}
	return nodes, authority
}

func connectionTo(addresses, authority string) string {
	return fmt.Sprintf("esdb://token:%s@%s?tlsCAFile=%s", gatewaytest.Writer, addresses, url.QueryEscape(authority))
}

// When the node that is used goes away, whatever was under way or not, another is
// found.
func TestANodeOfAClusterGoesAway(t *testing.T) {
	nodes, authority := pair(t)
	s := openStore(t, connectionTo(nodes[0].Address+","+nodes[1].Address, authority))
	for _, n := range nodes { // one of them is the one that is used
		n.Stop()
		add(t, s, "chat-1", 1)
		n.Restart()
	}
	for _, n := range nodes {
		n.Stop()
		if _, err := s.Head(t.Context()); err != nil {
			t.Errorf("head: %v", err)
		}
		n.Restart()
	}
}

// Whoever was sent on to a leader comes back when that is gone.
func TestALeaderGoesAway(t *testing.T) {
	nodes, authority := pair(t)
	s := openStore(t, connectionTo(nodes[0].Address, authority))
	host, port, err := net.SplitHostPort(nodes[1].Address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := s.nodes.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.nodes.failed(conn, metadata.Pairs("exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port), status.Error(codes.NotFound, "Leader info available"))
	add(t, s, "chat-1", 1)
	nodes[1].Stop()
	add(t, s, "chat-1", 1)
}

// silent is a server that takes connections and says nothing. It tells of the first.
func silent(t *testing.T) (address string, connected <-chan struct{}) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			if all = append(all, c); len(all) == 1 {
				close(first)
			}
		}
		for _, c := range all {
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String(), first
}

// Nobody waits longer than his own time for somebody else to find a node.
func TestTimeRunsOutWhileAnotherLooksForANode(t *testing.T) {
	address, connected := silent(t)
	cfg, err := parseConnection("esdb+discover://" + address)
	if err != nil {
		t.Fatal(err)
	}
	n := newNodes(cfg)
	long, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = n.get(long)
	}()
	<-connected
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := n.get(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want that the time ran out", err)
	}
	select {
	case <-ended:
		t.Error("it waited for the other to give up")
	default:
	}
	stop()
	<-ended
}

// A follower goes on trying for a while, each time that it has lost its connection.
func TestOutage(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var o outage
	for _, tt := range []struct {
		after time.Duration
		held  bool
		want  bool
	}{
		{0, false, true},
		{retryTime, false, true},
		{time.Hour, true, true}, // a quiet hour, and nothing came in it
		{time.Hour + retryTime, false, true},
		{time.Hour + retryTime + 1, false, false},
	} {
		if got := o.goOn(start.Add(tt.after), tt.held); got != tt.want {
			t.Errorf("after %v: %t; want %t", tt.after, got, tt.want)
		}
	}
}

// What is said of a connection string shows nothing of the password, whatever is in it.
func TestPasswordsAreNotShown(t *testing.T) {
	for _, password := range []string{"SECRET/SECRET", "SECRET?SECRET", "SECRET#SECRET", "SECRET@SECRET", "SECRET:SECRET", "1/SECRET", "1?SECRET", "SECRET%SECRET", "%SE"} {
		connection := "esdb://token:" + password + "@127.0.0.1:1?tls=false"
		if shown := Redacted(connection); shown != "esdb://…@127.0.0.1:1" {
			t.Errorf("password %q is shown in %s", password, shown)
		}
		if _, err := parseConnection(connection); err == nil || strings.Contains(err.Error(), "SE") {
			t.Errorf("password %q: %v", password, err)
		}
	}
}
