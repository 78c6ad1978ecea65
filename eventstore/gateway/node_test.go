package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
	"github.com/chatledger/chatledger/internal/testenv"
)

// told is a line that testdata/node/client.mjs prints.
type told struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Stream   string          `json:"stream"`
	Revision string          `json:"revision"`
	Position string          `json:"position"`
	Data     json.RawMessage `json:"data"`
	CaughtUp bool            `json:"caughtUp"`
	Lost     string          `json:"lost"`
	Error    string          `json:"error"`
	Code     codes.Code      `json:"code"`    // of gRPC
	Message  string          `json:"message"` // of the error
}

// node runs the client and hands on what it tells.
func node(t *testing.T, dir, connection string, hear func(told), order ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{"--no-deprecation", "client.mjs", connection}, order...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var l told
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		hear(l)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("node %s: %v", order, err)
	}
}

// A client that we have not written, in another language: it reads, subscribes with a
// filter, loses its connection and goes on, and is refused what it may not do.
func TestNodeClient(t *testing.T) {
	dir, log := testenv.Node(t, "testdata/node"), newLog(t)
	fill(t, log, 60)
	server := gatewaytest.Start(t, log, false)
	as := func(secret string) string {
		return strings.NewReplacer("esdb://", "kurrentdb://", "127.0.0.1", "localhost").Replace(server.Connection(secret, ""))
	}

	t.Run("read", func(t *testing.T) {
		var got []told
		node(t, dir, as(gatewaytest.Analyst), func(l told) { got = append(got, l) }, "read", "chat-acme0")
		n := 0
		for r, err := range log.ReadStream(t.Context(), "chat-acme0", eventstore.StreamQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n >= len(got) || got[n].ID != r.ID.String() || got[n].Type != r.Type || got[n].Revision != strconv.Itoa(int(r.Revision)) || string(got[n].Data) != string(r.Data) {
				t.Fatalf("event %d: %+v, want %+v", n, got, r)
			}
			n++
		}
		if n == 0 || len(got) != n {
			t.Errorf("%d events; want %d", len(got), n)
		}
	})

	t.Run("refused", func(t *testing.T) {
		for _, tt := range []struct{ secret, order, stream, want string }{
			{"no-such-secret", "read", "chat-acme0", "AccessDeniedError"},
			{gatewaytest.Agent, "read", "chat-acme0", "AccessDeniedError"},
			{gatewaytest.Analyst, "read", "chat-other", "StreamNotFoundError"},
			{gatewaytest.Analyst, "append", "chat-acme0", "AccessDeniedError"},
		} {
			got := ""
			node(t, dir, as(tt.secret), func(l told) { got += l.Error }, tt.order, tt.stream)
			if got != tt.want {
				t.Errorf("%s %s with %s: %q; want %s", tt.order, tt.stream, tt.secret, got, tt.want)
			}
		}
	})

	t.Run("persistent subscriptions", func(t *testing.T) {
		asked := 0
		node(t, dir, as(gatewaytest.Analyst), func(l told) {
			if asked++; l.Code != codes.Unimplemented {
				t.Errorf("call %d: code %d, %+v; want %d", asked, l.Code, l, codes.Unimplemented)
			}
		}, "manage", "chat-acme0")
		if asked != 9 {
			t.Errorf("%d calls; want 9", asked)
		}
	})

	// The server goes away and comes back while the client follows, more than once.
	t.Run("follow", func(t *testing.T) {
		const rounds, each = 4, 25
		var want []string
		for r, err := range log.ReadAll(t.Context(), eventstore.AllQuery{Categories: []string{"chat"}}) {
			if err != nil {
				t.Fatal(err)
			}
			if !r.IsMark() && r.Stream != "chat-other" {
				want = append(want, r.ID.String())
			}
		}
		there := len(want)
		for range rounds * each {
			want = append(want, "")
		}
		more := make(chan struct{}, rounds)
		var writing sync.WaitGroup
		writing.Go(func() {
			for round := range rounds {
				<-more
				for i := range each {
					if i == each/2 {
						server.Restart()
					}
					e := event("test.kind0.v1", "acme")
					want[there+round*each+i] = e.ID.String()
					add(t, log, "chat-acme0", e)
					add(t, log, "order-acme1", event("test.kind0.v1", "acme"))
				}
			}
		})
		var got []string
		lost, caughtUp := 0, false
		node(t, dir, as(gatewaytest.Analyst), func(l told) {
			switch {
			case l.ID != "":
				got = append(got, l.ID)
			case l.CaughtUp:
				caughtUp = true
			case l.Lost != "":
				lost++
			}
			if caughtUp && len(got) >= there && (len(got)-there)%each == 0 && l.Lost == "" {
				select {
				case more <- struct{}{}: // it has all there is: the next round
				default:
				}
			}
		}, "follow", "chat-", strconv.Itoa(len(want)))
		writing.Wait()
		if lost == 0 {
			t.Error("the client has never lost its connection")
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("the client saw %d events; want %d, each once and in order", len(got), len(want))
		}
	})
}
