package viewscript

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
)

// Config says how scripts are run. Zero values mean the defaults.
type Config struct {
	Processes int           // at once; default 2
	Limit     time.Duration // for a script to take an event; default 1 s
	Silence   time.Duration // until a process that does not say that it goes on is killed; default 3 s beyond Limit
	Idle      time.Duration // until a process that has nothing to do ends; default 30 s
}

// Pool runs scripts in processes of their own. Any process runs any script, since none
// leaves anything behind. It is safe for concurrent use.
type Pool struct {
	config Config
	slots  chan struct{}

	mu     sync.Mutex
	idle   []*process
	closed bool
}

// NewPool returns a pool. It starts processes when there is something to run: this
// program, with Command for its only argument.
func NewPool(c Config) *Pool {
	setDefault(&c.Processes, 2)
	setDefault(&c.Limit, time.Second)
	setDefault(&c.Silence, c.Limit+3*time.Second)
	setDefault(&c.Idle, 30*time.Second)
	return &Pool{config: c, slots: make(chan struct{}, c.Processes)}
}

func setDefault[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

// Rows returns the row with a key, nil if there is none.
type Rows func(ctx context.Context, table, key string) (json.RawMessage, error)

// errDied reports that the process ended before it had answered.
type errDied struct{ reason string }

func (e *errDied) Error() string { return "viewscript: the process of scripts died: " + e.reason }

// Run gives a script events, one after the other, up to the first that it fails at. What
// the rows were before, get says. An error is none of the script's.
func (p *Pool) Run(ctx context.Context, d customview.Definition, events []Event, get Rows) (Report, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	rep, err := p.order(ctx, d, events, get)
	if _, died := errors.AsType[*errDied](err); !died {
		return rep, err
	}
	// Nobody knows at which event. Each is given by itself, with what those before it
	// have changed.
	return p.oneByOne(ctx, d, events, get)
}

func (p *Pool) oneByOne(ctx context.Context, d customview.Definition, events []Event, get Rows) (all Report, err error) {
	rows, at := map[rowKey]json.RawMessage{}, map[rowKey]int{}
	for i := range events {
		rep, err := p.order(ctx, d, events[i:i+1], func(ctx context.Context, table, key string) (json.RawMessage, error) {
			if data, known := rows[rowKey{table, key}]; known {
				return data, nil
			}
			return get(ctx, table, key)
		})
		if dead, died := errors.AsType[*errDied](err); died {
			all.Failure = &Failure{Kind: Killed, Message: dead.reason}
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all.Logged = append(all.Logged, rep.Logged...)
		if all.Failure = rep.Failure; rep.Failure != nil {
			return all, nil
		}
		for _, r := range rep.Rows {
			k := rowKey{r.Table, r.Key}
			n, known := at[k]
			if !known {
				n, at[k] = len(all.Rows), len(all.Rows)
				all.Rows = append(all.Rows, r)
			}
			all.Rows[n], rows[k] = r, r.Data
		}
		all.Applied++
	}
	return all, nil
}

// order has a process do one batch.
func (p *Pool) order(ctx context.Context, d customview.Definition, events []Event, get Rows) (Report, error) {
	proc, err := p.take()
	if err != nil {
		return Report{}, err
	}
	rep, err := proc.do(ctx, order{d, events, p.config.Limit}, p.config.Silence, get)
	if err != nil {
		reason := proc.end()
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		if errors.Is(err, errLine) {
			err = &errDied{reason}
		}
		return Report{}, err
	}
	p.put(proc)
	return rep, nil
}

// Close ends the processes that are idle, and those that are not when they are.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, proc := range idle {
		proc.end()
	}
}

// take returns an idle process, or a new one.
func (p *Pool) take() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		proc := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if proc.retire.Stop() {
			return proc, nil
		}
	}
	return start()
}

// put keeps a process for the next who needs one.
func (p *Pool) put(proc *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		go proc.end() // Close does not wait for it
		return
	}
	p.idle = append(p.idle, proc)
	proc.retire = time.AfterFunc(p.config.Idle, func() {
		p.mu.Lock()
		for i, other := range p.idle {
			if other == proc {
				p.idle = append(p.idle[:i], p.idle[i+1:]...)
				break
			}
		}
		p.mu.Unlock()
		proc.end()
	})
}

// process is a process of scripts.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	said   *head // on standard error
	silent atomic.Bool
	retire *time.Timer // ends it, while it is idle

	ending sync.Once
	reason string // of its end
}

// start starts this program anew, by the name that it has in production: a test's program
// tells by that, or by Command, that it is to run no tests. It gets nothing of the
// environment, in which there are secrets.
func start() (*process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &process{said: &head{}}
	p.cmd = &exec.Cmd{Path: path, Args: []string{"chatledger", Command}, Dir: "/", Env: []string{"GOMAXPROCS=1", "GOTRACEBACK=none", "TZ=UTC"}, Stderr: p.said}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the process of scripts: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the process of scripts: %w", err)
	}
	p.out = bufio.NewReaderSize(out, 1<<16)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the process of scripts: %w", err)
	}
	return p, nil
}

// errLine reports that the process does not talk any more.
var errLine = errors.New("viewscript: the line is dead")

func (p *process) do(ctx context.Context, o order, silence time.Duration, get Rows) (Report, error) {
	kill := func() { _ = p.cmd.Process.Kill() }
	defer context.AfterFunc(ctx, kill)()
	watch := time.AfterFunc(silence, func() {
		p.silent.Store(true)
		kill()
	})
	defer watch.Stop()
	if err := p.send(o); err != nil {
		return Report{}, err
	}
	for {
		line, err := p.out.ReadBytes('\n')
		if err != nil {
			return Report{}, fmt.Errorf("%w: %w", errLine, err)
		}
		watch.Stop()
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return Report{}, fmt.Errorf("%w: %w", errLine, err)
		}
		switch {
		case m.Report != nil:
			return *m.Report, nil
		case m.Wish != nil:
			data, err := get(ctx, m.Wish.Table, m.Wish.Key)
			if err != nil {
				return Report{}, err
			}
			if err := p.send(answer{data}); err != nil {
				return Report{}, err
			}
		}
		watch.Reset(silence)
	}
}

func (p *process) send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode order: %w", err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errLine, err)
	}
	return nil
}

// end kills the process if it is there still, and says what it died of if it was not. A
// process that is idle for too long while the pool is closed is ended by both.
func (p *process) end() (reason string) {
	p.ending.Do(func() { p.reason = p.kill() })
	return p.reason
}

func (p *process) kill() (reason string) {
	_ = p.in.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // that it was killed is no news
	said := p.said.String()
	switch {
	case p.silent.Load():
		return "it took too long, at something that cannot be interrupted"
	case strings.Contains(said, "out of memory"), strings.Contains(said, "cannot allocate memory"),
		strings.Contains(said, "failed to allocate"), // so says the race detector
		p.cmd.ProcessState.ExitCode() == outOfMemory:
		return fmt.Sprintf("it took more than %d MB of memory", hardMemory>>20)
	case strings.Contains(said, "stack overflow"), strings.Contains(said, "stack exceeds"):
		return "calls within calls within calls: more than can be"
	}
	return "the process of scripts died"
}

// head keeps the beginning of what is written to it.
type head struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *head) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 4<<10 - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *head) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
