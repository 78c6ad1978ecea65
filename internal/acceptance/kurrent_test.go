package acceptance

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
	"github.com/chatledger/chatledger/internal/testenv"
)

// logServer is an installation that serves its log, to be written to, by the protocol
// of KurrentDB, and does nothing else.
func logServer(t *testing.T) (s *server, connection string) {
	t.Helper()
	s = newServer(t)
	token := s.token("admin", "Log").token
	s.serve = []string{"--roles", "api", "--esdb-listen", "127.0.0.1:0", "--esdb-allow-appends"}
	s.start()
	connection = s.gatewayConnection(token)
	address := strings.TrimPrefix(connection[strings.LastIndex(connection, "@"):], "@")
	s.serve[3], _, _ = strings.Cut(address, "?") // where it will be again
	return s, connection
}

// gatewayConnection returns how a client connects that has a token.
func (s *server) gatewayConnection(token string) string {
	s.t.Helper()
	connection, found := s.log.after("clients of KurrentDB connect to ")
	if !found {
		s.t.Fatalf("the server does not say where clients of KurrentDB connect\n%s", s.log)
	}
	return strings.Replace(connection, ":TOKEN@", ":"+url.QueryEscape(token)+"@", 1)
}

// readByOthers reads a whole log with the official client, and returns the ids of its
// events.
func readByOthers(t *testing.T, connection string) (all []string) {
	t.Helper()
	read, err := gatewaytest.Client(t, connection).ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, math.MaxUint64)
	for _, e := range gatewaytest.Drain(t, read, err) {
		all = append(all, e.Event.EventID.String())
	}
	return all
}

func ids(events []map[string]any) (all []string) {
	for _, e := range events {
		all = append(all, e["id"].(string))
	}
	return all
}

// A server whose log is a KurrentDB: webhooks, notes, the inbox and a rebuild, while
// the log's server is killed and comes back, and then the server itself.
func TestLogInKurrentDB(t *testing.T) {
	t.Parallel()
	const writers, enough = 8, 80
	behind, connection := logServer(t)
	s := newServer(t, "--log", connection, "--views", testenv.Postgres(t))
	s.serve = []string{"--esdb-listen", "127.0.0.1:0"}
	channel, admin, auditor := s.channel("http://127.0.0.1:1"), s.token("admin", "Root"), s.token("auditor", "Aud")
	s.start()
	files, _ := fixtures(t)
	chat := "/v1/chats/" + s.ensureChat(admin, channel, files)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var next atomic.Int64
	write := func(n int64) (ok bool) {
		text := fmt.Sprintf("unique-%06d", n)
		if n%2 == 0 {
			r, err := admin.do("POST", chat+"/notes", fmt.Sprintf(`{"text":%q}`, text))
			ok = err == nil && r.status == 201
		} else {
			body := strings.NewReplacer("wamid.HBgLMTU1NTEyMzAwMD01A", "wamid."+text, "Hi, do you deliver on Sundays? 🙂", text).Replace(string(files["01-text.json"]))
			ok = s.deliver(channel, []byte(body)) == 200
		}
		if ok {
			mu.Lock()
			defer mu.Unlock()
			acknowledged[text] = true
		}
		return ok
	}
	load := func(during func()) {
		s.underLoad(writers, enough, &next, write, func(func()) { during() })
	}
	load(func() {
		behind.kill()
		behind.start()
	})
	load(func() { s.run("projections", "rebuild", "conversation.v3") })
	load(func() {
		s.kill()
		s.start()
		connection = s.gatewayConnection(auditor.token)
	})
	s.settle(admin, channel)
	var log, shown strings.Builder
	for _, e := range s.events() {
		fmt.Fprintln(&log, e)
	}
	for _, c := range admin.all("/v1/chats") {
		for _, m := range admin.all("/v1/chats/" + c["id"].(string) + "/messages") {
			fmt.Fprintln(&shown, m)
		}
	}
	logged, seen := log.String(), shown.String()
	for text := range acknowledged {
		if !strings.Contains(logged, text) {
			t.Errorf("%s was acknowledged and is not in the log", text)
		}
		if !strings.Contains(seen, text) {
			t.Errorf("%s was acknowledged and is not shown", text)
		}
	}
	t.Logf("%d writes acknowledged", len(acknowledged))
	if forwarded := readByOthers(t, connection); !slices.Equal(forwarded, ids(s.events())) {
		t.Errorf("clients of KurrentDB read %d events, or in another order", len(forwarded))
	}
	s.verifyAll()
	s.stop()
	behind.stop()
}
