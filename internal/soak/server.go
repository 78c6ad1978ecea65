package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/cmd/chatledger/demo"
	"github.com/chatledger/chatledger/internal/ids"
)

const (
	workspace     = "soak"
	phoneNumberID = "106540352242922"
	phone         = "15550001111"
	appSecret     = "soak-app-secret"
	accessToken   = "soak-access-token"
	verifyToken   = "soak-verify-token" //nolint:gosec // of a provider that is played
)

// The server's own caches are smaller than by default, so that they are full when
// the steady load begins.
const (
	cacheEvents = "50000"
	cacheRows   = "2000"
	cachePages  = "24" // MB
)

// server is the real program in a process of its own, and the provider that it
// sends to.
type server struct {
	dir     string
	binary  string
	where   []string // flags that say where its data is
	url     string
	cmd     *exec.Cmd
	ended   chan error
	errors  atomic.Int64 // that it logged
	client  *http.Client
	graph   *graphtest.Server
	outbox  *demo.Outbox
	channel string
	staff   []demo.Agent // agents; the last one is the supervisor
	auditor string       // token
}

// startServer builds and starts the server. What it returns must be removed,
// also with an error.
func startServer(ctx context.Context, o options) (s *server, err error) {
	s = &server{ended: make(chan error, 1), outbox: &demo.Outbox{}, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
	if s.dir, err = os.MkdirTemp("", "chatledger-soak-"); err != nil {
		return s, fmt.Errorf("make a temporary folder: %w", err)
	}
	s.binary = filepath.Join(s.dir, "chatledger")
	build := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "github.com/chatledger/chatledger/cmd/chatledger") //nolint:gosec // into our own folder
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return s, fmt.Errorf("build chatledger: %w: %s", err, said)
	}
	s.where = []string{"--data", filepath.Join(s.dir, "data")}
	if o.postgres != "" {
		s.where = append(s.where, "--log", o.postgres, "--schema", fmt.Sprintf("soak_%d", os.Getpid()))
	}
	s.graph, err = graphtest.Start(graphtest.Config{
		AccessToken: accessToken,
		Taken:       func(m graphtest.Message) { s.outbox.Sent(m.To, m.ID) },
		Media: func(id string) (graphtest.Media, bool) {
			content, mimeType, ok := demo.File(id)
			return graphtest.Media{Body: content, MIMEType: mimeType}, ok
		},
	})
	if err != nil {
		return s, fmt.Errorf("start the stand-in for the provider: %w", err)
	}
	if err := s.furnish(ctx); err != nil {
		return s, err
	}
	return s, s.start(ctx)
}

// furnish makes the staff and the channel.
func (s *server) furnish(ctx context.Context) (err error) {
	for _, who := range []struct{ role, name string }{
		{"agent", "Mia Weber"},
		{"agent", "Tom Adeyemi"},
		{"agent", "Aisha Rahman"},
		{"supervisor", "Sofia Marin"},
		{"auditor", "Paul Becker"},
	} {
		token, err := s.do(ctx, "token", "create", "--workspace", workspace, "--role", who.role, "--name", who.name)
		if err != nil {
			return err
		}
		if who.role == "auditor" {
			s.auditor = token
			continue
		}
		s.staff = append(s.staff, demo.Agent{Name: who.name, ID: ids.Agent(workspace, who.name), Token: token})
	}
	s.channel, err = s.do(ctx, "channel", "add", "whatsapp", "--workspace", workspace, "--name", "Soak", "--phone-number-id", phoneNumberID, "--phone", phone,
		"--verify-token", verifyToken, "--app-secret", appSecret, "--access-token", accessToken, "--graph-url", s.graph.URL)
	return err
}

// do runs a subcommand on the server's data and returns what it printed.
func (s *server) do(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, append(args, s.where...)...) //nolint:gosec // what we have built
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("chatledger %s %s: %w: %s", args[0], args[1], err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// start runs the server and waits until it is ready.
func (s *server) start(ctx context.Context) error {
	s.cmd = exec.CommandContext(ctx, s.binary, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--cache-events", cacheEvents, "--cache-rows", cacheRows, "--sqlite-cache", cachePages}, s.where...)...) //nolint:gosec // what we have built
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	logged, err := s.cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	listens := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(logged); lines.Scan(); {
			if _, after, found := strings.Cut(lines.Text(), "chatledger listens on "); found {
				url, _, _ := strings.Cut(after, " ")
				listens <- url
				continue
			}
			if strings.Contains(lines.Text(), "context canceled") {
				continue // a client left in the middle of a request, as ours do
			}
			if strings.Contains(lines.Text(), "level=ERROR") {
				s.errors.Add(1)
			}
			fmt.Fprintln(os.Stderr, "server:", lines.Text())
		}
		s.ended <- s.cmd.Wait()
	}()
	select {
	case s.url = <-listens:
	case err := <-s.ended:
		return fmt.Errorf("the server did not start: %w", err)
	}
	return s.until(ctx, "the server is ready", func() (bool, error) {
		resp, err := s.get(ctx, "/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
}

func (s *server) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	return s.client.Do(req)
}

// until waits for something, for a minute at most.
func (s *server) until(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if err != nil || done {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, ctx.Err())
		}
	}
}

// settle waits until every view shows everything and every event is handled.
func (s *server) settle(ctx context.Context) (last sample, err error) {
	same := 0
	err = s.until(ctx, "the views have caught up", func() (bool, error) {
		now, err := s.sample(ctx)
		if err != nil {
			return false, err
		}
		if same++; now.lag != 0 || now.position != last.position {
			same = 0
		}
		last = now
		return same >= 5, nil
	})
	return last, err
}

// leaveNothing checks that the load has left nothing running: as many goroutines
// and files as before it, but for the connections to databases and to the
// provider that are kept.
func (s *server) leaveNothing(ctx context.Context, l *load, idle sample) (after sample, err error) {
	const kept = 40
	if after, err = s.settle(ctx); err != nil {
		return after, err
	}
	l.close()
	err = s.until(ctx, fmt.Sprintf("what served the load has ended (before: %.0f goroutines, %.0f files)", idle.goroutines, idle.files), func() (bool, error) {
		if after, err = s.sample(ctx); err != nil {
			return false, err
		}
		return after.goroutines <= idle.goroutines+kept && after.files <= idle.files+kept, nil
	})
	switch {
	case err != nil:
		return after, fmt.Errorf("%w; now %.0f goroutines, %.0f files", err, after.goroutines, after.files)
	case after.parked > 0:
		return after, fmt.Errorf("%.0f events are parked", after.parked)
	case s.errors.Load() > 0:
		return after, fmt.Errorf("the server logged %d errors", s.errors.Load())
	}
	return after, nil
}

// stop ends the server as an operator does.
func (s *server) stop(ctx context.Context) error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	limit := time.NewTimer(15 * time.Second)
	defer limit.Stop()
	select {
	case err := <-s.ended:
		s.cmd = nil
		if err != nil {
			return fmt.Errorf("the server ended: %w", err)
		}
		return nil
	case <-limit.C:
		return errors.New("the server does not end")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// remove ends what still runs and removes the data.
func (s *server) remove() (err error) {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
	}
	if s.graph != nil {
		err = s.graph.Close()
	}
	s.client.CloseIdleConnections()
	return errors.Join(err, os.RemoveAll(s.dir))
}

// sample is the server at one moment.
type sample struct {
	at       time.Duration
	position int64 // of the log
	requests int64
	streams  int64

	resident, anonymous float64 // bytes: all, and without what is mapped from files
	live                float64 // bytes of the heap that the last collection kept, about
	goroutines          float64
	files               float64 // descriptors
	threads             float64
	disk                float64 // bytes of the databases; 0 where they are not files
	ahead               float64 // bytes of their write-ahead files
	lag                 float64 // events that the slowest view has not shown
	parked              float64 // events
}

const header = "    time   events  requests  streams   RSS MiB  own MiB  live MiB  goroutines  files  threads  disk MiB  WAL MiB    lag"

func (s sample) String() string {
	return fmt.Sprintf("%8s %8d %9d %8d %9.1f %8.1f %9.1f %11.0f %6.0f %8.0f %9.1f %8.1f %6.0f", s.at.Round(time.Second), s.position, s.requests, s.streams,
		s.resident/mib, s.anonymous/mib, s.live/mib, s.goroutines, s.files, s.threads, s.disk/mib, s.ahead/mib, s.lag)
}

// sample asks the server and the system.
func (s *server) sample(ctx context.Context) (now sample, err error) {
	resp, err := s.get(ctx, "/metrics")
	if err != nil {
		return now, fmt.Errorf("read metrics: %w", err)
	}
	defer resp.Body.Close()
	m, err := readMetrics(resp.Body)
	if err != nil {
		return now, err
	}
	now.resident, now.anonymous = m["process_resident_memory_bytes"].sum, m["process_resident_memory_bytes"].sum
	if own, ok := anonymous(s.cmd.Process.Pid); ok {
		now.anonymous = own
	}
	// The next collection is due when the heap has doubled since the last.
	now.live = m["go_memstats_next_gc_bytes"].sum / 2
	now.goroutines, now.files, now.threads = m["go_goroutines"].sum, m["process_open_fds"].sum, m["go_threads"].sum
	now.lag = m["chatledger_view_lag_events"].max
	now.parked = m["chatledger_view_parked_events"].sum + m["chatledger_reactor_parked_events"].sum
	if now.goroutines == 0 || now.files == 0 || now.resident == 0 {
		return now, errors.New("read metrics: there is nothing about the process")
	}
	now.disk, now.ahead = s.diskUse()
	now.position, err = s.position(ctx)
	return now, err
}

// position asks for the position that a list reflects.
func (s *server) position(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/chats?limit=1", nil)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.auditor)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask for the position: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, fmt.Errorf("ask for the position: %w", err)
	}
	n, err := strconv.ParseInt(resp.Header.Get("Position"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("ask for the position: status %d: %w", resp.StatusCode, err)
	}
	return n, nil
}

// diskUse returns the bytes of the databases in files, and of what is written
// ahead of them.
func (s *server) diskUse() (databases, ahead float64) {
	files, err := filepath.Glob(filepath.Join(s.dir, "data", "*.db*"))
	if err != nil {
		return 0, 0
	}
	for _, name := range files {
		info, err := os.Stat(name)
		switch {
		case err != nil: // a write-ahead file comes and goes
		case strings.HasSuffix(name, ".db"):
			databases += float64(info.Size())
		default:
			ahead += float64(info.Size())
		}
	}
	return databases, ahead
}

// anonymous returns the memory of a process that is not mapped from files, where
// the system tells.
func anonymous(pid int) (float64, bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "RssAnon: %f kB", &kb); err == nil {
			return kb * 1024, true
		}
	}
	return 0, false
}

// metric sums up what has the same name and other labels.
type metric struct{ sum, max float64 }

// readMetrics reads the text format of Prometheus:
// https://prometheus.io/docs/instrumenting/exposition_formats/
func readMetrics(r io.Reader) (map[string]metric, error) {
	all := map[string]metric{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		name, value := line, line
		if i := strings.LastIndexByte(line, ' '); i > 0 {
			name, value = line[:i], line[i+1:]
		}
		name, _, _ = strings.Cut(name, "{")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("read metrics: %w in %q", err, line)
		}
		m := all[name]
		m.sum, m.max = m.sum+v, max(m.max, v)
		all[name] = m
	}
	return all, lines.Err()
}
