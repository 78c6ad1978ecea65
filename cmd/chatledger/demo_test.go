package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The demo says how to look around, its lines work, and it leaves nothing.
func TestDemo(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr output
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--chats", "30"}, &stdout, &stderr)
	}()
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(stdout.String(), "Ctrl-C ends it") {
		select {
		case code := <-ended:
			t.Fatalf("the demo ended with %d:\n%s%s", code, stdout.String(), stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the demo is not done after a minute:\n%s%s", stdout.String(), stderr.String())
		}
		time.Sleep(20 * time.Millisecond)
	}

	out := stdout.String()
	for _, role := range []string{"agent", "supervisor", "auditor", "analyst", "admin", "bot"} {
		if !regexp.MustCompile(`(?m)^  ` + role + ` +cl_\S+`).MatchString(out) {
			t.Errorf("no token for the role %s in:\n%s", role, out)
		}
	}
	curls := regexp.MustCompile(`(?m)^  curl .*$`).FindAllString(out, -1)
	if len(curls) != 3 {
		t.Fatalf("%d curl lines, want 3:\n%s", len(curls), out)
	}
	for _, line := range curls {
		if status, body := curl(t, line); status >= 300 || !json.Valid(body) {
			t.Errorf("%s\n%d %s", line, status, body)
		}
	}

	cancel()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("the demo ended with %d:\n%s", code, stderr.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("the demo does not end")
	}
	if stderr.String() != "" {
		t.Errorf("the demo complains:\n%s", stderr.String())
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("the demo left %v (%v)", left, err)
	}
}

// curl does what a printed curl line would.
func curl(t *testing.T, line string) (status int, body []byte) {
	t.Helper()
	method, data := http.MethodGet, ""
	if m := regexp.MustCompile(`-d '([^']*)'`).FindStringSubmatch(line); m != nil {
		method, data = http.MethodPost, m[1]
	}
	req, err := http.NewRequestWithContext(t.Context(), method, regexp.MustCompile(`http://[^' ]+`).FindString(line), strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`-H '([^:]+): ([^']+)'`).FindAllStringSubmatch(line, -1) {
		req.Header.Set(m[1], m[2])
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// output is a buffer that can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
