package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// A writer is the test binary once more, told by its environment what to do.
const (
	targetVariable = "CHATLEDGER_CHECKER_TARGET"
	seedVariable   = "CHATLEDGER_CHECKER_SEED"
)

// Process returns a Trial's Writer: each is a process that runs this test binary
// anew, with a target for the open of WriterMain.
func Process(target string) func(context.Context, uint64) (Writer, error) {
	return func(ctx context.Context, seed uint64) (Writer, error) {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), targetVariable+"="+target, seedVariable+"="+strconv.FormatUint(seed, 10))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return &process{Reader: out, in: in, cmd: cmd}, nil
	}
}

// process ends by itself when its standard input does: with this process.
type process struct {
	io.Reader

	in     io.Closer
	cmd    *exec.Cmd
	killed atomic.Bool
}

func (p *process) Stop() error { return p.in.Close() }

func (p *process) Kill() error {
	p.killed.Store(true)
	return p.cmd.Process.Kill()
}

func (p *process) Wait() error {
	err := p.cmd.Wait()
	if p.killed.Load() {
		return nil
	}
	return err
}

// IsWriter reports whether this process is to be a writer: TestMain then ends
// with WriterMain.
func IsWriter() bool { return os.Getenv(targetVariable) != "" }

// WriterMain is the whole of a writer process. It returns the exit code.
func WriterMain(open func(ctx context.Context, target string) (eventstore.Store, error)) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	err := func() error {
		seed, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
		if err != nil {
			return err
		}
		s, err := patiently(ctx, func() (eventstore.Store, error) { return open(ctx, os.Getenv(targetVariable)) })
		if err != nil {
			return err
		}
		Write(ctx, s, seed, os.Stdout)
		return shut(s)
	}()
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Write appends to s until ctx ends: with and without expected revisions, often
// with contexts that end too early, one or several events at a time. It says on
// out what it was told.
func Write(ctx context.Context, s eventstore.Store, seed uint64, out io.Writer) {
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(out, line+"\n")
	}
	var wg sync.WaitGroup
	for i := range 4 {
		w := appender{s, rand.New(rand.NewPCG(seed, uint64(i))), say}
		wg.Go(func() {
			for ctx.Err() == nil {
				w.append(ctx)
				w.pause(ctx, 4*time.Millisecond)
			}
		})
	}
	wg.Wait()
}

type appender struct {
	eventstore.Store

	rnd *rand.Rand
	say func(string)
}

// pause waits for a random time below most.
func (w *appender) pause(ctx context.Context, most time.Duration) {
	rest(ctx, time.Duration(w.rnd.Int64N(int64(most))))
}

// append appends once, and again while the outcome is unknown.
func (w *appender) append(ctx context.Context) {
	stream := []string{"chat", "order", "chats"}[w.rnd.IntN(3)] + "-" + strconv.Itoa(w.rnd.IntN(3))
	want := eventstore.Any
	if w.rnd.IntN(2) == 0 {
		want = eventstore.NoStream
		for r, err := range w.ReadStream(ctx, stream, eventstore.StreamQuery{Backwards: true, Limit: 1}) {
			if err != nil {
				return
			}
			want = r.Revision
		}
		w.pause(ctx, 2*time.Millisecond) // for others to be quicker
	}
	batch := make([]eventstore.Event, 1+w.rnd.IntN(4))
	ids := make([]uuid.UUID, len(batch))
	for i := range batch {
		ids[i] = uuid.New()
		batch[i] = eventstore.Event{
			ID: ids[i], Type: []string{"a", "b", "c"}[w.rnd.IntN(3)],
			Data: []byte(`"` + strings.Repeat("x", w.rnd.IntN(1000)) + `"`), Meta: []byte(`{}`),
		}
	}
	for try := range 20 {
		attempt, cancel := ctx, context.CancelFunc(func() {})
		if try == 0 && w.rnd.IntN(3) == 0 {
			attempt, cancel = context.WithTimeout(ctx, time.Duration(w.rnd.IntN(3000))*time.Microsecond)
		}
		res, err := w.Append(attempt, stream, want, batch...)
		cancel()
		switch {
		case err == nil:
			w.say(ack{stream, res.Revision, res.Position, ids}.String())
			return
		case errors.Is(err, eventstore.ErrConflict):
			w.say(saidConflict + " .")
			return
		case ctx.Err() != nil || errors.Is(err, eventstore.ErrClosed):
			return
		}
		w.say(strings.Join(strings.Fields(saidUnknown+" "+err.Error()), " ") + " .")
		if w.rnd.IntN(4) == 0 {
			return // nobody asks what became of it
		}
		w.pause(ctx, 20*time.Millisecond)
	}
}
