package acceptance

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chatledger/chatledger/internal/testenv"
)

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "chatledger-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "chatledger")
	build := exec.Command("go", "build", "-o", binary, "github.com/chatledger/chatledger/cmd/chatledger")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build chatledger: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// onBoth runs test once with the databases in files and once on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newServer(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newServer(t, postgres(t)...))
	})
}

func postgres(t *testing.T) []string {
	t.Helper()
	url := testenv.Postgres(t)
	return []string{"--log", url, "--views", url}
}

// sibling returns another, empty installation on databases of the same kind.
func (s *server) sibling() *server {
	s.t.Helper()
	if len(s.where) > 2 {
		return newServer(s.t, postgres(s.t)...)
	}
	return newServer(s.t)
}

// server is one installation: its databases and, while it runs, its process.
type server struct {
	t     *testing.T
	where []string // flags that say where its data is
	serve []string // flags of serve alone
	addr  string
	cmd   *exec.Cmd
	log   *output
}

func newServer(t *testing.T, where ...string) *server {
	t.Helper()
	s := &server{t: t, where: append([]string{"--data", t.TempDir()}, where...)}
	t.Cleanup(func() { s.kill() })
	return s
}

// start runs the server and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	s.log = &output{}
	s.cmd = exec.Command(binary, slices.Concat([]string{"serve", "--listen", "127.0.0.1:0"}, s.where, s.serve)...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.until("the server says where it listens", func() bool {
		where, found := s.log.after("chatledger listens on http://")
		if !found { // a process without the API says where its health can be seen
			where, found = s.log.after("how it is: http://")
		}
		s.addr, _, _ = strings.Cut(where, " ")
		s.addr, _, _ = strings.Cut(s.addr, "/")
		return found
	})
	s.until("the server is ready", func() bool {
		resp, err := http.Get("http://" + s.addr + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// kill ends the server with -9.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// stop ends the server as an operator does.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(15*time.Second, func() { _ = s.cmd.Process.Kill() })
	if err := s.cmd.Wait(); err != nil || !timer.Stop() {
		s.t.Fatalf("shutdown: %v\n%s", err, s.log)
	}
	s.cmd = nil
}

// run runs a subcommand on the server's data and returns what it printed.
func (s *server) run(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("chatledger %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (s *server) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(args, s.where...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w\n%s%s", err, out.String(), errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func (s *server) token(role, name string) client {
	s.t.Helper()
	return client{s, s.run("token", "create", "--workspace", "acme", "--role", role, "--name", name)}
}

const (
	appSecret   = "app-secret-of-the-test"
	phoneNumber = "106540352242922"
)

func (s *server) channel(graph string) string {
	s.t.Helper()
	return s.run("channel", "add", "whatsapp", "--workspace", "acme", "--name", "Shop", "--phone-number-id", phoneNumber,
		"--verify-token", "verify-me", "--app-secret", appSecret, "--access-token", "access", "--graph-url", graph)
}

// deliver posts a signed webhook and returns the status.
func (s *server) deliver(channel string, body []byte) int {
	s.t.Helper()
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write(body)
	return s.deliverSigned(channel, body, "sha256="+hex.EncodeToString(mac.Sum(nil)))
}

func (s *server) deliverSigned(channel string, body []byte, signature string) int {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+s.addr+"/webhooks/whatsapp/"+channel, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", signature)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// until waits for a condition, with a deadline.
func (s *server) until(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s\n%s", what, s.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// client is a caller with a token.
type client struct {
	s     *server
	token string
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func (r response) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
}

// object returns the body as a JSON object.
func (r response) object(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	r.into(t, &m)
	return m
}

// do sends one request; headers are "Name: value".
func (c client) do(method, path, body string, headers ...string) (response, error) {
	req, err := http.NewRequest(method, "http://"+c.s.addr+path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, b}, err
}

// must sends one request that has to be answered with status.
func (c client) must(status int, method, path, body string, headers ...string) response {
	c.s.t.Helper()
	r, err := c.do(method, path, body, headers...)
	if err != nil {
		c.s.t.Fatalf("%s %s: %v\n%s", method, path, err, c.s.log)
	}
	if r.status != status {
		c.s.t.Fatalf("%s %s = %d %s, want %d\n%s", method, path, r.status, r.body, status, c.s.log)
	}
	return r
}

// all returns the items of every page of a list.
func (c client) all(path string) (items []map[string]any) {
	c.s.t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for cursor := ""; ; {
		var page struct {
			Items []map[string]any `json:"items"`
			Next  string           `json:"next_cursor"`
		}
		c.must(200, "GET", path+sep+"limit=100"+cursor, "").into(c.s.t, &page)
		items = append(items, page.Items...)
		if page.Next == "" {
			return items
		}
		cursor = "&cursor=" + page.Next
	}
}

// events returns what is in the log, as the events command prints it.
func (s *server) events() (all []map[string]any) {
	s.t.Helper()
	for line := range strings.Lines(s.run("events", "dump")) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Fatalf("%v in %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// output keeps what a process wrote first, which says how it is reached, and what it
// wrote last, however much came between them.
type output struct {
	mu          sync.Mutex
	first, last []byte
	left        int // bytes that are not kept
}

const firstKept, lastKept = 16 << 10, 64 << 10

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(p), firstKept-len(o.first))
	o.first, o.last = append(o.first, p[:n]...), append(o.last, p[n:]...)
	if surplus := len(o.last) - lastKept; surplus > 0 {
		o.last, o.left = slices.Delete(o.last, 0, surplus), o.left+surplus
	}
	return len(p), nil
}

func (o *output) String() string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left > 0 {
		return fmt.Sprintf("%s\n[%d bytes left out]\n%s", o.first, o.left, o.last)
	}
	return string(o.first) + string(o.last)
}

// after returns what follows a text in a whole line, up to the line's end.
func (o *output) after(text string) (rest string, found bool) {
	_, rest, _ = strings.Cut(o.String(), text)
	rest, _, found = strings.Cut(rest, "\n")
	return rest, found
}
