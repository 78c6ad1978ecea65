//go:build unix

package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// The test binary runs itself in these roles, to be killed or limited.
const (
	childRole = "CHATLEDGER_SQLITE_CHILD"
	childFile = "CHATLEDGER_SQLITE_FILE"
)

func child(role string) int {
	var err error
	switch role {
	case "append":
		err = appendForever(os.Getenv(childFile))
	case "limited":
		err = limited(os.Getenv(childFile))
	case "probe":
		err = probe(os.Getenv(childFile))
	default:
		err = fmt.Errorf("unknown role %s", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func spawn(ctx context.Context, role, path string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childFile+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// appendForever prints a line for each event that it has been told is stored.
func appendForever(path string) error {
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	failed := make(chan error, 1)
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				stream := fmt.Sprintf("chat-%d", (w+i)%40)
				es := []eventstore.Event{event(200 + 50*w), event(i % 5000)}
				res, err := s.Append(context.Background(), stream, eventstore.Any, es...)
				if err == nil {
					_, err = fmt.Fprintf(os.Stdout, "%s %s %s %d %d.\n", stream, es[0].ID, es[1].ID, res.Revision, res.Position)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	return <-failed
}

// Acknowledged is durable, and positions stay dense, whenever the processes that
// append are killed.
func TestKill(t *testing.T) {
	path := file(t)
	acked := map[eventstore.Position]string{} // position of the second event: what was said of both
	for round := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		lines := make(chan string)
		var children []*exec.Cmd
		var wg sync.WaitGroup
		for range 2 {
			cmd := spawn(ctx, "append", path)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			children = append(children, cmd)
			wg.Go(func() {
				for sc := bufio.NewScanner(out); sc.Scan(); {
					lines <- sc.Text()
				}
				cmd.Wait()
			})
		}
		go func() {
			wg.Wait()
			close(lines)
		}()
		before := len(acked)
		for line := range lines {
			var stream, first, second string
			var rev, pos int64
			if _, err := fmt.Sscanf(line, "%s %s %s %d %d.", &stream, &first, &second, &rev, &pos); err != nil {
				continue // cut off by the kill
			}
			acked[eventstore.Position(pos)] = fmt.Sprintf("%s@%d %s %s", stream, rev, first, second)
			if len(acked) == before+400+100*round {
				for _, cmd := range children {
					if err := cmd.Process.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
		}
		cancel()
		if len(acked) < before+400 {
			t.Fatalf("round %d: the children ended after %d appends", round, len(acked)-before)
		}

		s := open(t, path)
		var last eventstore.Recorded
		next := map[string]eventstore.Revision{}
		for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Position != last.Position+1 || r.Revision != next[r.Stream] {
				t.Fatalf("%s@%d is at position %d, behind position %d", r.Stream, r.Revision, r.Position, last.Position)
			}
			next[r.Stream]++
			if want, ok := acked[r.Position]; ok {
				if got := fmt.Sprintf("%s@%d %s %s", r.Stream, r.Revision, last.ID, r.ID); got != want {
					t.Fatalf("position %d has %s; acknowledged was %s", r.Position, got, want)
				}
			}
			last = r
		}
		for pos := range acked {
			if pos > last.Position {
				t.Errorf("position %d was acknowledged; the log ends at %d", pos, last.Position)
			}
		}
		mustAppend(t, s, "chat-1", event(1))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := query(t, raw(t, path), "PRAGMA integrity_check"); len(got) != 1 || got[0] != "ok" {
			t.Fatalf("round %d: integrity check: %s", round, got)
		}
	}
}

// A write that the operating system refuses fails the append and nothing else.
func TestWriteError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := spawn(ctx, "limited", file(t))
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if strings.TrimSpace(out.String()) != "ok" {
		t.Errorf("the child says %q", out.String())
	}
}

// limited forbids its process to make files larger, which SQLite sees as an
// input/output error.
func limited(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	defer s.Close()
	big := event(100_000)
	if _, err := s.Append(ctx, "chat-1", eventstore.NoStream, event(10)); err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	low := limit
	low.Cur = 60_000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &low); err != nil {
		return err
	}
	for range 3 {
		if res, err := s.Append(ctx, "chat-1", 0, big); err == nil {
			return fmt.Errorf("append beyond the limit = %+v", res)
		} else if !strings.Contains(err.Error(), "append to chat-1") || !strings.Contains(err.Error(), "I/O") {
			return fmt.Errorf("append beyond the limit: %w; want one that says I/O", err)
		}
	}
	if h, err := s.Head(ctx); err != nil || h.Position != 1 {
		return fmt.Errorf("head = %+v, %w; want position 1", h, err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	res, err := s.Append(ctx, "chat-1", 0, big)
	if err != nil || res != (eventstore.Result{Revision: 1, Position: 2}) {
		return fmt.Errorf("append after the limit = %+v, %w", res, err)
	}
	_, err = fmt.Println("ok")
	return err
}
