//go:build unix

package projections_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
)

// The test binary runs itself with these set, to be killed or frozen by its own
// hand at one point: "run/write/3/inside" is in the third transaction that the
// Runner writes, with all its work done and not committed.
const (
	childPlace = "CHATLEDGER_PROJECTIONS_PLACE"
	childName  = "CHATLEDGER_PROJECTIONS_NAME"  // of the process, as an owner
	childPoint = "CHATLEDGER_PROJECTIONS_POINT" // empty: it goes on until it is killed
	childWith  = "CHATLEDGER_PROJECTIONS_WITH"  // stop or kill
)

// point is where a process is to be hit: in the nth transaction of what it does
// (run, or a phase of a rebuild), before, inside or after it.
type point struct {
	during string
	access string // read or write
	nth    int64
	where  string // before, inside or after
}

func parsePoint(s string) (p point, err error) {
	parts := strings.Split(s, "/")
	if len(parts) != 4 {
		return p, fmt.Errorf("a point is %q", s)
	}
	p = point{during: parts[0], access: parts[1], where: parts[3]}
	p.nth, err = strconv.ParseInt(parts[2], 10, 64)
	return p, err
}

func (p point) String() string { return fmt.Sprintf("%s/%s/%d/%s", p.during, p.access, p.nth, p.where) }

// trapped is a database whose transactions lead to a point.
type trapped struct {
	sqldb.DB
	quiet  *sync.RWMutex // write-locked while the process is hit
	point  point
	signal syscall.Signal
	during atomic.Value // string
	n      atomic.Int64
	sprung atomic.Bool
}

func (d *trapped) tell(during string) {
	if d.during.Swap(during) != during {
		d.n.Store(0)
	}
}

func (d *trapped) hit(where string) {
	if d.point.where != where {
		return
	}
	if where != "inside" || d.point.access == "read" {
		d.quiet.Lock()
		defer d.quiet.Unlock()
	}
	// The kernel stops one thread after the other: this one must not run on.
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	defer signal.Stop(woken)
	_ = syscall.Kill(os.Getpid(), d.signal)
	<-woken
}

func (d *trapped) transact(access string, do func(fn func(sqldb.Tx) error) error, fn func(sqldb.Tx) error) error {
	if d.during.Load() != d.point.during || access != d.point.access || d.n.Add(1) != d.point.nth || d.sprung.Swap(true) {
		return do(fn)
	}
	d.hit("before")
	err := do(func(tx sqldb.Tx) error {
		err := fn(tx)
		d.hit("inside")
		return err
	})
	d.hit("after")
	return err
}

func (d *trapped) Read(ctx context.Context, fn func(sqldb.Tx) error) error {
	return d.transact("read", func(fn func(sqldb.Tx) error) error { return d.DB.Read(ctx, fn) }, fn)
}

func (d *trapped) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	return d.transact("write", func(fn func(sqldb.Tx) error) error { return d.DB.Write(ctx, fn) }, fn)
}

// quietly writes only while the process is not to be hit: one that is stopped in
// a write on SQLite keeps all other writers out, until it is woken.
type quietly struct {
	sqldb.DB
	quiet *sync.RWMutex
}

func (d quietly) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	d.quiet.RLock()
	defer d.quiet.RUnlock()
	return d.DB.Write(ctx, fn)
}

// projectToThePoint runs a Runner and, if the point is in a rebuild, that, until
// the process is hit, or killed. Its log goes to standard output.
func projectToThePoint(where string) error {
	ctx := context.Background()
	log, db, _, err := openBoth(ctx, where)
	if err != nil {
		return err
	}
	e := &env{log: log, db: db}
	cfg := e.killable()
	cfg.Owner = os.Getenv(childName)
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil))
	if err := projections.Prepare(ctx, cfg); err != nil {
		return err
	}
	var quiet sync.RWMutex
	trap := &trapped{DB: db, quiet: &quiet, signal: syscall.SIGKILL}
	if os.Getenv(childWith) == "stop" {
		trap.signal = syscall.SIGSTOP
	}
	if at := os.Getenv(childPoint); at != "" {
		if trap.point, err = parsePoint(at); err != nil {
			return err
		}
	}
	cfg.DB = quietly{db, &quiet}
	if trap.point.during == "" || trap.point.during == "run" {
		trap.tell("run")
		cfg.DB = trap
	}
	r, err := projections.NewRunner(ctx, cfg)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	defer running.Wait()
	if trap.point.during == "" || trap.point.during == "run" {
		return nil
	}
	cfg.DB = trap
	trap.tell(projections.PhaseFold)
	for { // until it is hit
		err := projections.Rebuild(ctx, cfg, "toy.v1", func(p projections.Progress) {
			trap.tell(p.Phase)
			if p.Phase == projections.PhaseCompare && trap.point.during == projections.PhaseCatchUp { // so that there is something to catch up with
				if err := appendSome(ctx, log, 100); err != nil {
					fmt.Println("append:", err)
				}
			}
		})
		if err != nil {
			fmt.Println("rebuild:", err)
		}
	}
}

func appendSome(ctx context.Context, log eventstore.Store, n int) error {
	for range n {
		id := uuid.New()
		e := eventstore.Event{ID: id, Type: "put", Data: fmt.Appendf(nil, `{"Owner":"o%d","N":%d}`, id[1]%5, id[2])}
		if _, err := log.Append(ctx, fmt.Sprintf("item-%d", id[0]%30), eventstore.Any, e); err != nil {
			return err
		}
	}
	return nil
}

// killable is a Config with small parts, so that there are many points.
func (e *env) killable() projections.Config {
	cfg := e.config()
	cfg.Lease = 200 * time.Millisecond
	cfg.BatchSize, cfg.ChunkSize, cfg.CacheRows, cfg.BuildRows = 20, 40, 20, 20
	return cfg
}

// child is a process that projects.
type child struct {
	*exec.Cmd
	said *output
}

// output is what a process has printed.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	done chan struct{}
}

func (s *output) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *output) collect(from io.Reader) {
	defer close(s.done)
	for scan := bufio.NewScanner(from); scan.Scan(); {
		s.mu.Lock()
		fmt.Fprintln(&s.b, scan.Text())
		s.mu.Unlock()
	}
}

// spawn starts a process. It is killed at the end of the test.
func spawn(t *testing.T, where, name, with, at string) *child {
	t.Helper()
	c := &child{exec.Command(os.Args[0]), &output{done: make(chan struct{})}}
	c.Env = append(os.Environ(), childPlace+"="+where, childName+"="+name, childWith+"="+with, childPoint+"="+at)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go c.said.collect(out)
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%s (%s at %s) said:\n%s", name, with, at, c.said)
		}
	})
	return c
}

func (c *child) kill() {
	_ = c.Process.Kill()
	<-c.said.done
	_ = c.Wait()
}

// state returns how the process was stopped or ended; block says to wait for it.
func (c *child) state(t *testing.T, block bool) syscall.WaitStatus {
	t.Helper()
	options := syscall.WUNTRACED
	if !block {
		options |= syscall.WNOHANG
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(c.Process.Pid, &status, options, nil)
		if err == nil {
			return status
		}
		if err != syscall.EINTR {
			t.Fatal(err)
		}
	}
}

// hit waits until the process is hit by this signal.
func (c *child) hit(t *testing.T, with syscall.Signal) {
	t.Helper()
	done := make(chan syscall.WaitStatus, 1)
	go func() { done <- c.state(t, true) }()
	select {
	case s := <-done:
		if with == syscall.SIGSTOP && s.Stopped() || with == syscall.SIGKILL && s.Signaled() && s.Signal() == with {
			return
		}
		t.Fatalf("the process ended with %v; it said:\n%s", s, c.said)
	case <-deadline(t).Done():
		_ = c.Process.Kill()
		<-done
		t.Fatalf("the process did not get there; it said:\n%s", c.said)
	}
}

// places are where processes can share log and views.
func places(t *testing.T, test func(t *testing.T, where string)) {
	t.Helper()
	t.Parallel() // they wait for the ends of leases, most of the time
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, t.TempDir())
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, testenv.Postgres(t))
	})
}

// at opens a place for this process, too.
func at(t *testing.T, where string) *env {
	t.Helper()
	log, db, closeBoth, err := openBoth(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeBoth(); err != nil {
			t.Error(err)
		}
	})
	return &env{log: log, db: db}
}

// caughtUp waits until the view shows all that is in the log, whoever brings it
// there, and compares it with a fold from zero: each event is in it once.
func (e *env) caughtUp(t *testing.T) {
	t.Helper()
	head, err := e.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, e.db, "toy.v1", head.Position)
	checkTables(t, e.folded(t, nil), readTables(t, e.db))
}

// Killed in the middle of a batch, of a rebuild's chunk, of its indexes, its
// comparison, its switch, before and after: whoever comes next goes on from
// there, and each event is in the tables once.
func TestKilledAtEachPoint(t *testing.T) {
	points := []string{
		"run/write/1/inside", // the lease
		"run/write/3/before", "run/write/3/inside", "run/write/4/after",
		"fold/write/2/inside", // the lease of the build
		"fold/read/2/inside", "fold/write/3/inside", "fold/write/5/inside", "fold/write/6/after",
		"index/write/2/inside", "index/write/3/after",
		"compare/read/1/inside", "compare/read/2/inside",
		"switch/write/1/inside", "switch/write/1/after",
		"catch up/write/1/inside",
	}
	places(t, func(t *testing.T, where string) {
		e := at(t, where)
		e.fill(t, 400)
		cfg := e.killable()
		if err := projections.Prepare(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			spawn(t, where, p, "kill", p).hit(t, syscall.SIGKILL)
			if s := status(t, cfg); s.Parked != 0 {
				t.Errorf("killed at %s: %+v", p, s)
			}
			e.fill(t, 30)
		}
		_, stop := start(t, cfg)
		defer stop()
		e.caughtUp(t)
		verify(t, cfg)
		if err := projections.Rebuild(deadline(t), cfg, "toy.v1", nil); err != nil { // what the last one has left
			t.Fatal(err)
		}
		e.caughtUp(t)
		verify(t, cfg)
	})
}

// The owner of a lease is frozen where it hurts most: with a batch folded and
// about to be written, in the middle of writing it, in the middle of a rebuild.
// Its lease ends, another process takes over and writes. Then the first one is
// woken. It finds out, and what it had in hand is not written a second time.
func TestAFrozenOwnerNeverWritesTwice(t *testing.T) {
	const lost, stopped, either, rebuild = "projection lost its lease", "projection stopped", "projection (lost|stopped)", "rebuild: "
	type freeze struct{ at, second, notices string } // a pattern of its log
	before := []freeze{
		{at: "run/write/4/before", notices: lost},
		{at: "run/write/3/after", notices: lost},
		{at: "run/write/2/before"}, // about to take the lease, as it believes
		{at: "fold/write/4/before", second: endless, notices: rebuild},
		{at: "fold/read/3/inside", second: endless, notices: rebuild},
		{at: "switch/write/1/before", second: endless, notices: rebuild},
	}
	inside := []freeze{
		{at: "run/write/4/before", notices: lost},
		{at: "run/write/4/inside", notices: either}, // when it tries a batch again; at once if that was the lease
		{at: "run/write/2/inside", notices: stopped},
		{at: "fold/write/4/inside", second: endless, notices: rebuild},
		{at: "switch/write/1/inside", second: endless, notices: rebuild},
	}
	places(t, func(t *testing.T, where string) {
		points := before // SQLite has one writer, whom all others wait for
		if strings.HasPrefix(where, "postgres") {
			points = inside
		}
		e := at(t, where)
		e.fill(t, 100)
		cfg := e.killable()
		if err := projections.Prepare(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			first := spawn(t, where, "frozen", "stop", p.at)
			e.fill(t, 100)
			first.hit(t, syscall.SIGSTOP)
			if strings.HasSuffix(p.at, "inside") && e.db.Engine() == sqldb.Postgres {
				e.endIdleTransactions(t)
			}
			e.fill(t, 50)
			s := status(t, cfg)
			second := spawn(t, where, "awake", "", p.second)
			e.caughtUp(t)
			eventually(t, "the second takes over", func() bool {
				now := status(t, cfg)
				return strings.HasPrefix(now.Owner, "awake") && (p.second == "" || now.Generation > s.Generation)
			})
			e.fill(t, 50)
			if err := first.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if p.notices != "" {
				notice := regexp.MustCompile(p.notices)
				eventually(t, "the first notices", func() bool { return notice.MatchString(first.said.String()) })
			}
			e.fill(t, 50)
			e.caughtUp(t)
			second.kill()
			if p.second == "" { // and the other way round: the first takes over from the second
				e.fill(t, 50)
				e.caughtUp(t)
			}
			first.kill()
			if t.Failed() {
				t.FailNow()
			}
		}
		_, stop := start(t, cfg)
		defer stop()
		e.caughtUp(t)
		verify(t, cfg)
	})
}

// endless is a point that is never come to: the process rebuilds again and again.
const endless = "fold/write/1000000000/before"

// endIdleTransactions does what the server does by itself after a while: it ends
// the transactions of a process that does not go on with them.
func (e *env) endIdleTransactions(t *testing.T) {
	t.Helper()
	err := e.db.Read(t.Context(), func(tx sqldb.Tx) error {
		_, err := sqldb.Select[bool](t.Context(), tx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
