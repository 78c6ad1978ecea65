package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The shell of docs/tour.md and of each page of docs/examples does what it says:
// every line succeeds against the demo, as a reader would run it. And together they
// leave out no operation of the API: each was asked for with success, and no answer
// had a status that docs/openapi.json does not name.
func TestExamples(t *testing.T) {
	tour := shellOf(t, "../../docs/tour.md")
	pages, err := filepath.Glob("../../docs/examples/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages of examples: %v %v", pages, err)
	}
	s, env := startDemo(t)
	seen := newRecorder(t, s.addr)

	runShell(t, "docs/tour.md", env, seen.url, tour...)
	for _, page := range pages {
		runShell(t, strings.TrimPrefix(page, "../../"), env, seen.url, append(tour[:1:1], shellOf(t, page)...)...)
	}
	seen.check(t)
	s.stop()
}

// startDemo starts the demo and returns it and the file of variables that the tour
// begins with.
func startDemo(t *testing.T) (*server, string) {
	t.Helper()
	s := &server{t: t, log: &output{}}
	data := t.TempDir()
	s.cmd = exec.Command(binary, "demo", "--listen", "127.0.0.1:0", "--data", data, "--chats", "25")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.until("the demo says where the tour begins", func() bool { return strings.Contains(s.log.String(), "tour.env") })
	env := filepath.Join(data, "tour.env")
	text, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = string(regexp.MustCompile(`URL=http://(\S+)`).FindSubmatch(text)[1])
	return s, env
}

// shellOf returns the blocks of shell of a page.
func shellOf(t *testing.T, page string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(block[1]))
	}
	return blocks
}

func runShell(t *testing.T, page, env, url string, blocks ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	script := "set -euo pipefail\ntrap 'echo \"this failed: $BASH_COMMAND\"' ERR\n" + strings.Join(blocks, "")
	script = strings.ReplaceAll(script, "source /path/to/tour.env", "source '"+env+"'; URL="+url)
	cmd := exec.CommandContext(ctx, "bash", "-E", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text := out.String()
		t.Fatalf("%s ends with %v; the last it printed:\n%s", page, err, text[max(0, len(text)-3000):])
	}
}

// recorder stands before the server and keeps which operations were asked for.
type recorder struct {
	url string

	mu    sync.Mutex
	asked map[answered]bool
}

// refused are the operations whose examples show a refusal: they want an event that a
// view cannot fold, or a bulk job that takes its time, and the demo has neither.
var refused = map[string]bool{
	"POST /v1/bulk/{job}/cancel":   true,
	"POST /v1/views/{view}/retry":  true,
	"POST /v1/views/{view}/skip":   true,
	"POST /v1/views/{view}/unskip": true,
}

type answered struct {
	method, path string
	status       int
}

func newRecorder(t *testing.T, addr string) *recorder {
	r := &recorder{asked: map[answered]bool{}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(resp *http.Response) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked[answered{resp.Request.Method, resp.Request.URL.Path, resp.StatusCode}] = true
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	r.url = front.URL
	return r
}

func (r *recorder) check(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Paths map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var missing []string
	for path, operations := range api.Paths {
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "[^/]+") + "$")
		for method, operation := range operations {
			shown := false
			for a := range r.asked {
				if a.method != strings.ToUpper(method) || !pattern.MatchString(a.path) {
					continue
				}
				if a.path != path && api.Paths[a.path] != nil {
					continue // of a more special path
				}
				shown = shown || a.status < 300 || refused[a.method+" "+path]
				if _, told := operation.Responses[strconv.Itoa(a.status)]; !told && operation.Responses["default"] == nil {
					t.Errorf("%s %s answered %d, which docs/openapi.json does not name", a.method, path, a.status)
				}
			}
			if !shown {
				missing = append(missing, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("no example of %d operations; each wants one on a page of docs/examples:\n%s", len(missing), strings.Join(missing, "\n"))
	}
}
