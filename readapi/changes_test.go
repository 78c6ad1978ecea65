package readapi_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/readapi"
)

// listen serves the ledger as the product does.
func (l *ledger) listen() *httptest.Server {
	l.t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = l.web.Server()
	s.Start()
	l.t.Cleanup(s.Close)
	return s
}

// sse is one event of a stream, or a comment.
type sse struct {
	id      int64 // 0: none
	event   string
	data    object
	comment string
}

// listener reads a stream.
type listener struct {
	t      testing.TB
	lines  *bufio.Scanner
	status int
	close  func()
}

func (l *ledger) subscribe(url, secret string, header ...string) *listener {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	out := &listener{t: l.t, lines: bufio.NewScanner(res.Body), status: res.StatusCode}
	out.close = sync.OnceFunc(func() {
		cancel()
		res.Body.Close()
	})
	l.t.Cleanup(out.close)
	return out
}

// next returns what comes next; ok is false at the end of the stream.
func (l *listener) next() (e sse, ok bool) {
	l.t.Helper()
	begun := false
	for l.lines.Scan() {
		line := l.lines.Text()
		if line == "" {
			if begun {
				return e, true
			}
			continue
		}
		begun = true
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "":
			e.comment = value
		case "id":
			id, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				l.t.Fatal(err)
			}
			e.id = id
		case "event":
			e.event = value
		case "data":
			e.data = (&ledger{t: l.t}).object(answer{body: value})
		}
	}
	return e, false
}

// event returns the next event, over comments and heartbeats.
func (l *listener) event() sse {
	l.t.Helper()
	for {
		e, ok := l.next()
		if !ok {
			l.t.Fatalf("the stream ended: %v", l.lines.Err())
		}
		if e.event != "" {
			return e
		}
	}
}

func TestChangesShowWhatTheCallerMaySee(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	l.settle("other")
	s := l.listen()
	stream := l.subscribe(s.URL+"/v1/changes", l.tokens[ann])
	if stream.status != 200 {
		t.Fatal(stream.status)
	}
	if first, _ := stream.next(); first.comment == "" {
		t.Errorf("it begins with %v", first)
	}
	l.connect("other")
	l.receive("other", "15559", "elsewhere")
	l.deliver(acme, ch, `{"secret":"of the customer"}`)
	chat := l.receive(acme, "15551", "hello")
	claimed := l.must(200, ann, "POST", "/v1/chats/"+chat+"/claim", "", "Idempotency-Key", "k")
	l.must(200, ann, "POST", "/v1/chats/"+chat+"/claim", "", "Idempotency-Key", "k2") // leaves a record that nobody is shown
	l.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)

	var got []string
	var e sse
	for range 4 {
		e = stream.event()
		got = append(got, fmt.Sprintf("%s %v", e.event, e.data.at("subject.kind")))
		if e.event == "chat.claimed.v1" {
			want := object{
				"position": claimed["position"], "revision": claimed["revision"], "type": e.event, "actor": l.agents[ann], "actor_kind": "agent",
				"subject": map[string]any{"kind": "chat", "id": chat}, "data": map[string]any{"by": l.agents[ann]}, "at": e.data["at"],
			}
			if diff := cmp.Diff(want, e.data); diff != "" {
				t.Error(diff)
			}
			if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(e.data["at"])); err != nil || float64(e.id) != claimed["position"] {
				t.Errorf("%v at %v: %v", e.id, e.data["at"], err)
			}
		}
	}
	want := []string{"chat.opened.v1 chat", "chat.message_received.v1 chat", "chat.claimed.v1 chat", "team.created.v1 teams"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whoever is disconnected and resumes gets every event once, in order, while
// others write.
func TestChangesAreResumed(t *testing.T) {
	l := newLedger(t, func(r *readapi.Config, _ *web.Config) { r.Stream.Buffer = 10_000 })
	l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	s := l.listen()
	const writers, each = 4, 100
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					if a := l.do(ann, "POST", chat+"/notes", fmt.Sprintf(`{"text":"%d-%d"}`, w, i)); a.status != 201 {
						t.Errorf("%d %s", a.status, a.body)
					}
				}
			})
		}
		wg.Wait()
	}()
	var got []int64
	last := int64(0)
	for notes, connection := 0, 0; notes < writers*each; connection++ {
		var stream *listener
		if connection%2 == 0 {
			stream = l.subscribe(s.URL+"/v1/changes?after=0", l.tokens[ann], "Last-Event-ID", fmt.Sprint(last)) // the header is newer
		} else {
			stream = l.subscribe(fmt.Sprintf("%s/v1/changes?after=%d", s.URL, last), l.tokens[ann])
		}
		for n := 0; n < 60 && notes < writers*each; n++ {
			e := stream.event()
			last = e.id
			got = append(got, e.id)
			if e.event == "chat.note_added.v1" {
				notes++
			}
		}
		stream.close()
	}
	<-done
	var want []int64
	for r, err := range l.store.ReadAll(t.Context(), eventstore.AllQuery{Categories: []string{"chat", "agent", "channel", "statuses", "teams", "tags", "order"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if !r.IsMark() {
			want = append(want, int64(r.Position))
		}
	}
	if !slices.Equal(got, want[:len(got)]) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// An idle stream says where it is, past what its caller does not see; and no
// timeout of the server ends it.
func TestHeartbeatMovesTheResumePointOn(t *testing.T) {
	l := newLedger(t, func(r *readapi.Config, _ *web.Config) { r.Stream.Heartbeat = 5 * time.Millisecond })
	ch := l.connect(acme)
	s := httptest.NewUnstartedServer(nil)
	s.Config = l.web.Server()
	const timeout = time.Second
	s.Config.ReadTimeout, s.Config.WriteTimeout = timeout, timeout
	s.Start()
	t.Cleanup(s.Close)
	stream := l.subscribe(s.URL+"/v1/changes", l.tokens[ann])
	l.deliver(acme, ch, `{"unseen":true}`)
	head, err := strconv.ParseInt(l.head(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for beats := 0; beats < 10 || time.Since(begun) < timeout+timeout/2; {
		e, ok := stream.next()
		if !ok {
			t.Fatalf("the stream ended after %d heartbeats: %v", beats, stream.lines.Err())
		}
		if e.event != "" {
			t.Fatalf("it shows %v", e)
		}
		if e.id >= head {
			beats++
		}
	}
}

// stuckWriter is a client that takes nothing until it is let.
type stuckWriter struct {
	*httptest.ResponseRecorder
	stuck   chan struct{} // closed when the first event is being written
	let     chan struct{}
	reached sync.Once
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	if strings.HasPrefix(string(b), "id:") {
		w.reached.Do(func() { close(w.stuck) })
		<-w.let
	}
	return w.ResponseRecorder.Write(b)
}

func TestSlowClientIsCutOff(t *testing.T) {
	const buffer = 64 // more than a client that is not stuck is ever behind here
	l := newLedger(t, func(r *readapi.Config, _ *web.Config) { r.Stream.Buffer = buffer })
	l.connect(acme)
	chat := "/v1/chats/" + l.receive(acme, "15551", "hello")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/changes", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+l.tokens[ann])
	w := &stuckWriter{ResponseRecorder: httptest.NewRecorder(), stuck: make(chan struct{}), let: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.web.ServeHTTP(w, r)
	}()
	n := 0
	note := func() {
		n++
		l.must(201, ann, "POST", chat+"/notes", fmt.Sprintf(`{"text":"note %d"}`, n))
	}
	until(t, "the client is stuck", func() bool {
		note()
		select {
		case <-w.stuck:
			return true
		default:
			return false
		}
	})
	for range 2 * buffer {
		note()
	}
	// The hub is past all of them once another stream shows the last.
	other := l.subscribe(l.listen().URL+"/v1/changes?after=0", l.tokens[sue])
	for other.event().data.at("data.text") != fmt.Sprintf("note %d", n) {
	}
	note()
	for other.event().data.at("data.text") != fmt.Sprintf("note %d", n) {
	}
	close(w.let)
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("the slow client still has its stream")
	}
	blocks := strings.Split(strings.TrimSpace(w.Body.String()), "\n\n")
	last, before := blocks[len(blocks)-1], blocks[len(blocks)-2]
	resume, _, _ := strings.Cut(strings.TrimPrefix(before, "id: "), "\n")
	want := fmt.Sprintf("id: %s\nevent: cutoff\ndata: {\"reason\":\"slow\",\"resume_after\":%s}", resume, resume)
	if last != want {
		t.Errorf("the last words are\n%s\nwant\n%s", last, want)
	}
	// Resumed there, nothing is missing.
	stream := l.subscribe(l.listen().URL+"/v1/changes", l.tokens[ann], "Last-Event-ID", resume)
	first := stream.event()
	next := fmt.Sprint(first.data.at("data.text"))
	if !strings.Contains(before, fmt.Sprintf(`note %d"`, mustNumber(t, next)-1)) {
		t.Errorf("after %s comes %s", before, next)
	}
}

func mustNumber(t *testing.T, note string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(note, "note "))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStreamEndsWithItsToken(t *testing.T) {
	l := newLedger(t, func(r *readapi.Config, _ *web.Config) { r.Stream.Recheck = 5 * time.Millisecond })
	s := l.listen()
	secret, id := l.token(acme, agent.RoleAnalyst, "")
	stream := l.subscribe(s.URL+"/v1/changes", secret)
	if err := l.accounts.RevokeToken(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if e := stream.event(); e.event != "cutoff" || e.data["reason"] != "token" {
		t.Errorf("%v", e)
	}
	if _, more := stream.next(); more {
		t.Error("the stream goes on")
	}
}

func TestStreamsOfATokenAreLimited(t *testing.T) {
	l := newLedger(t, func(r *readapi.Config, _ *web.Config) { r.Stream.PerToken = 2 })
	s := l.listen()
	first := l.subscribe(s.URL+"/v1/changes", l.tokens[ann])
	l.subscribe(s.URL+"/v1/changes", l.tokens[ann])
	if third := l.subscribe(s.URL+"/v1/changes", l.tokens[ann]); third.status != 429 {
		t.Errorf("the third: %d", third.status)
	}
	if other := l.subscribe(s.URL+"/v1/changes", l.tokens[sue]); other.status != 200 {
		t.Errorf("somebody else's: %d", other.status)
	}
	first.close()
	until(t, "there is room again", func() bool {
		again := l.subscribe(s.URL+"/v1/changes", l.tokens[ann])
		defer again.close()
		return again.status == 200
	})
}

func TestShutdownEndsStreams(t *testing.T) {
	l := newLedger(t)
	s := l.listen()
	s.Config.RegisterOnShutdown(l.read.CloseStreams)
	stream := l.subscribe(s.URL+"/v1/changes", l.tokens[ann])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Config.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if e := stream.event(); e.event != "cutoff" || e.data["reason"] != "shutdown" {
		t.Errorf("%v", e)
	}
}
