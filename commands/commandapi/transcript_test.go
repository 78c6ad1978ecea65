package commandapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/commands/commandapi"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the write side over HTTP, on some log. A token is "workspace role".
type server struct {
	t        testing.TB
	store    eventstore.Store
	commands *commands.Commands
	api      *web.API
}

func newServer(t testing.TB, store eventstore.Store) *server {
	t.Helper()
	s := &server{t: t, store: store, commands: commands.New(store, commands.Options{Now: time.Now})}
	s.api = web.New(web.Config{
		Now: time.Now, Limits: web.Limits{Rate: 1e6, Burst: 1e6},
		Authenticate: func(_ context.Context, secret string) (web.Principal, error) {
			workspace, role, ok := strings.Cut(secret, ".")
			if !ok {
				return web.Principal{}, web.ErrToken
			}
			return web.Principal{Workspace: workspace, Role: agent.Role(role), Agent: ids.Agent(workspace, role), TokenID: role}, nil
		},
	}, commandapi.Endpoints(s.commands, store, nil, nil, time.Now)...)
	if _, err := s.commands.Workspaces.Create(t.Context(), s.origin(), workspace.Create{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	for _, role := range []agent.Role{agent.RoleAgent, agent.RoleAuditor} {
		id := agent.ID(ids.Agent("acme", string(role)))
		if _, err := s.commands.Agents.Invite(t.Context(), s.origin(), id, agent.Invite{Name: "The " + string(role), Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *server) origin() commands.Origin {
	return commands.Origin{Workspace: "acme", Actor: "4915", ActorKind: commands.ActorCustomer}
}

// receive has a customer write, and returns the path of the chat.
func (s *server) receive(text string) string {
	s.t.Helper()
	id := ids.Chat("acme", "shop", "4915")
	_, err := s.commands.Chats.Receive(s.t.Context(), s.origin(), chat.ID(id), chat.ReceiveMessage{
		Workspace: "acme", Channel: "shop", Customer: "4915", Message: chat.MessageID(ids.Message(id, text)), ProviderID: text,
		ProfileName: "Ana", Content: chat.Content{Kind: "text", Text: text}, At: time.Now().UTC(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return "/v1/chats/" + id
}

func (s *server) do(token, method, path, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	return w
}

func (s *server) must(status int, token, method, path, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	w := s.do(token, method, path, body, header...)
	if w.Code != status {
		s.t.Fatalf("%s %s as %s = %d %s, want %d", method, path, token, w.Code, w.Body, status)
	}
	return w
}

// downloads returns the data of each download that the log has.
func (s *server) downloads() (all []string) {
	s.t.Helper()
	q := eventstore.AllQuery{Types: []string{"chat.transcript_downloaded.v1"}}
	for r, err := range s.store.ReadAll(s.t.Context(), q) {
		if err != nil {
			s.t.Fatal(err)
		}
		if !r.IsMark() {
			all = append(all, string(r.Data))
		}
	}
	return all
}

const (
	ann     = "acme.agent"
	auditor = "acme.auditor"
	sue     = "acme.supervisor"
)

func onEachLog(t *testing.T, test func(*testing.T, eventstore.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, memory.New(time.Now)) })
	t.Run("sqlite", func(t *testing.T) {
		store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		test(t, store)
	})
	t.Run("postgres", func(t *testing.T) {
		store, err := postgres.Open(t.Context(), testenv.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		test(t, store)
	})
}

// A download is an event, once for each Idempotency-Key, and its bytes stay what
// they were.
func TestTranscript(t *testing.T) {
	onEachLog(t, func(t *testing.T, store eventstore.Store) {
		s := newServer(t, store)
		path := s.receive("hello")
		s.must(201, ann, "POST", path+"/notes", `{"text":"a note"}`)
		head, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprint(head.Position)

		for format, media := range map[string]string{"json": "application/json", "csv": "text/csv", "txt": "text/plain", "html": "text/html"} {
			w := s.must(200, ann, "GET", path+"/transcript?format="+format+"&as_of="+at, "")
			h := w.Header()
			if !strings.HasPrefix(h.Get("Content-Type"), media) || h.Get("Position") != at || h.Get("ETag") == "" ||
				h.Get("Content-Disposition") != `attachment; filename="chat-`+strings.TrimPrefix(path, "/v1/chats/")+"-"+at+"."+format+`"` {
				t.Errorf("%s: %v", format, h)
			}
			if !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
				t.Errorf("%s: policy %s", format, h.Get("Content-Security-Policy"))
			}
			if body := w.Body.String(); !strings.Contains(body, "hello") || !strings.Contains(body, "a note") || !strings.Contains(body, "The agent") {
				t.Errorf("%s: %s", format, body)
			}
		}
		if n := len(s.downloads()); n != 4 {
			t.Fatalf("%d downloads, want 4", n)
		}

		// What was taken, and the end of the log where no position is given.
		key := []string{"Idempotency-Key", "k1"}
		const options = "/transcript?format=txt&notes=false&events=false&tz=Europe/Berlin"
		first := s.must(200, ann, "GET", path+options, "", key...)
		if strings.Contains(first.Body.String(), "a note") {
			t.Errorf("without notes: %s", first.Body)
		}
		want := fmt.Sprintf(`{"format":"txt","notes":false,"events":false,"zone":"Europe/Berlin","as_of":%s,"by":%q}`, first.Header().Get("Position"), ids.Agent("acme", "agent"))
		if all := s.downloads(); len(all) != 5 || all[4] != want {
			t.Errorf("downloads %v, want the last to be %s", all, want)
		}

		// The repeat, at once and later, is no other download.
		before := s.must(200, ann, "GET", path+"/transcript?as_of="+at, "").Body.String()
		for i := range 250 {
			s.receive(fmt.Sprintf("later %d", i))
			s.must(200, ann, "POST", path+"/tags", fmt.Sprintf(`{"add":["tag %d"],"remove":["tag %d"]}`, i%50, (i+1)%50))
			s.must(202, ann, "POST", path+"/messages", `{"text":"answer"}`)
			s.must(201, ann, "POST", path+"/notes", `{"text":"another note"}`)
		}
		n := len(s.downloads())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				again := s.do(ann, "GET", path+options, "", key...)
				if again.Code != 200 || again.Body.String() != first.Body.String() || again.Header().Get("Position") != first.Header().Get("Position") || again.Header().Get("ETag") != first.Header().Get("ETag") {
					t.Errorf("the repeat: %d %v", again.Code, again.Header())
				}
			})
		}
		wg.Wait()
		// The parameters in another order ask for the same, others do not.
		s.must(200, ann, "GET", path+"/transcript?tz=Europe/Berlin&events=false&notes=false&format=txt", "", key...)
		if w := s.must(422, ann, "GET", path+"/transcript?format=csv", "", key...); !strings.Contains(w.Body.String(), "request.key_reused") {
			t.Errorf("another request with the key: %s", w.Body)
		}
		if got := len(s.downloads()); got != n {
			t.Errorf("%d downloads by repeats", got-n)
		}
		if after := s.must(200, ann, "GET", path+"/transcript?as_of="+at, "").Body.String(); after != before {
			t.Errorf("not the same after 1,000 events:\n%s\n%s", before, after)
		}
	})
}

func TestWhoMayTakeATranscript(t *testing.T) {
	s := newServer(t, memory.New(time.Now))
	path := s.receive("hello")
	s.must(404, "other.admin", "GET", path+"/transcript", "")
	s.must(404, "other.admin", "GET", path+"/transcript?as_of=1", "")
	s.must(405, ann, "HEAD", path+"/transcript", "")
	s.must(200, sue, "DELETE", path, "")
	s.must(404, ann, "GET", path+"/transcript", "")
	if n := len(s.downloads()); n != 0 {
		t.Errorf("%d downloads by those who got nothing", n)
	}
	if w := s.must(200, auditor, "GET", path+"/transcript", ""); !strings.Contains(w.Body.String(), `"deleted":true`) {
		t.Errorf("of a deleted chat: %s", w.Body)
	}
	s.must(404, ann, "GET", path+"/transcript", "", "Idempotency-Key", "k")
	s.must(200, sue, "POST", path+"/restore", "")
	s.must(404, ann, "GET", path+"/transcript", "", "Idempotency-Key", "k") // what it was answered first
	s.must(200, ann, "GET", path+"/transcript", "")
}

// stalling is a client that takes the head of an answer and nothing else.
type stalling struct {
	http.ResponseWriter
	begun, done chan struct{}
}

func (s stalling) Write(b []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.done
	return s.ResponseWriter.Write(b)
}

// A token has a few downloads at once, and others are not kept waiting by them.
func TestTooManyTranscripts(t *testing.T) {
	s := newServer(t, memory.New(time.Now))
	path := s.receive("hello")
	begun, done := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+"/transcript", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+ann)
			s.api.ServeHTTP(stalling{httptest.NewRecorder(), begun, done}, r)
		})
		<-begun
	}
	if w := s.must(429, ann, "GET", path+"/transcript", ""); !strings.Contains(w.Body.String(), "transcript.too_many") || len(s.downloads()) != 4 {
		t.Errorf("%s, %d downloads", w.Body, len(s.downloads()))
	}
	s.must(200, auditor, "GET", path+"/transcript", "")
	close(done)
	wg.Wait()
	for range 5 { // refusals give their place back
		s.must(404, ann, "GET", "/v1/chats/none/transcript", "")
	}
	s.must(200, ann, "GET", path+"/transcript", "")
}

// breaking fails to read chats after a number of reads.
type breaking struct {
	eventstore.Store
	left atomic.Int64
}

func (b *breaking) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	if strings.HasPrefix(stream, "chat-") && b.left.Add(-1) < 0 {
		return func(yield func(eventstore.Recorded, error) bool) {
			yield(eventstore.Recorded{}, errors.New("the disk is gone"))
		}
	}
	return b.Store.ReadStream(ctx, stream, q)
}

// Half a transcript does not look like a whole one.
func TestABrokenTranscript(t *testing.T) {
	store := &breaking{Store: memory.New(time.Now)}
	store.left.Store(1e6)
	s := newServer(t, store)
	var path string
	for i := range 1_000 {
		path = s.receive(fmt.Sprintf("message %d", i))
	}
	web := httptest.NewServer(s.api)
	defer web.Close()
	get := func() (string, int, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+path+"/transcript?as_of=999", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+ann)
		w, err := web.Client().Do(r)
		if err != nil {
			return "", 0, err
		}
		defer w.Body.Close()
		body, err := io.ReadAll(w.Body)
		return string(body), w.StatusCode, err
	}
	if body, status, err := get(); err != nil || status != 200 || !strings.HasSuffix(body, "}\n") {
		t.Fatalf("whole: %d, %d bytes, %v", status, len(body), err)
	}
	store.left.Store(6) // enough for what comes before the first byte, and for some of the chat
	if body, status, err := get(); err == nil || status != 200 {
		t.Errorf("broken off: %d, %d bytes, %v", status, len(body), err)
	}
	store.left.Store(0)
	if _, status, err := get(); err != nil || status != 503 && status != 500 {
		t.Errorf("not even begun: %d, %v", status, err)
	}
}
