//go:build unix

package sqlite_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// What may befall a process that opens a log: see openLog.
const (
	limitable  = "limitable:" // while there is a file fullFlag beside the log, it can make no file larger
	powerless  = "powerless:" // it is not root, whom permissions do not stop
	fullFlag   = ".full"      // behind the log's name
	nobody     = 65534        // the user and group without rights
	everyTicks = time.Millisecond * 5
)

func befall(harm, path string) error {
	switch harm + ":" {
	case limitable:
		return limitWhile(path)
	case powerless:
		return becomeNobody()
	}
	return fmt.Errorf("unknown harm %q", harm)
}

// limitWhile lets the limit of this process follow the flag. At first the limit
// is a little beyond the end of the WAL, so that a write is torn; then nothing
// can be written at all.
func limitWhile(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	free := limit.Cur
	go func() {
		ticks := 0 // since the flag is there
		for range time.Tick(everyTicks) {
			_, err := os.Stat(path + fullFlag)
			switch {
			case err != nil && ticks == 0:
				continue
			case err != nil:
				ticks, limit.Cur = 0, free
			case ticks == 0:
				ticks++
				limit.Cur = 0
				if wal, err := os.Stat(path + "-wal"); err == nil {
					limit.Cur = uint64(wal.Size()) + rand.Uint64N(20_000)
				}
			case ticks < 4:
				ticks++
				continue
			default:
				limit.Cur = 0
			}
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	return nil
}

func becomeNobody() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(nobody); err != nil {
		return err
	}
	return syscall.Setuid(nobody)
}

// A disk without room stops appends and nothing else, wherever a write is torn.
func TestNoSkipOnAFullDisk(t *testing.T) {
	t.Parallel()
	path := file(t)
	tr := trial(path, limitable+path)
	tr.Outages(t,
		func() error { return os.WriteFile(path+fullFlag, nil, 0o600) },
		func() error { return os.Remove(path + fullFlag) })
	report := eventstoretest.NoSkip(t, tr)
	if !report.Said("disk I/O error") {
		t.Errorf("no append failed with an I/O error: %v", report.Errors)
	}
}

// While the files may only be read, whoever comes to append is told so, and
// whoever comes to read can.
func TestNoSkipOnAReadOnlyFile(t *testing.T) {
	t.Parallel()
	path := fileOfNobody(t)
	tr := trial(path, powerless+path)
	var rounds atomic.Int32
	tr.Enough = func() bool { return rounds.Load() > 2 }
	tr.Disturb = func(ctx context.Context) {
		for ; ctx.Err() == nil; rounds.Add(1) {
			permit(t, path, 0o444)
			if said, err := spawn(ctx, "probe", powerless+path).Output(); ctx.Err() == nil && (err != nil || !strings.Contains(string(said), "attempt to write a readonly database")) {
				t.Errorf("read-only, a process says %q, %v", said, err)
			}
			permit(t, path, 0o644)
			if said, err := spawn(ctx, "probe", powerless+path).Output(); ctx.Err() == nil && (err != nil || string(said) != "ok\n") {
				t.Errorf("writable again, a process says %q, %v", said, err)
			}
		}
		t.Logf("the files were read-only %d times", rounds.Load())
	}
	report := eventstoretest.NoSkip(t, tr)
	if !report.Said("attempt to write a readonly database") {
		t.Errorf("no writer was told that the file is read-only: %v", report.Errors)
	}
}

// fileOfNobody is file, where a powerless process may make it.
func fileOfNobody(t *testing.T) string {
	t.Helper()
	path := file(t)
	dir := filepath.Dir(path)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // t.TempDir lets in only us
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, nobody, nobody); err != nil { // SQLite gives the owner to the files beside it
			t.Fatal(err)
		}
	}
	return path
}

func permit(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, mode); err != nil {
			t.Error(err)
		}
	}
}

// probe reads the log and appends once.
func probe(target string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := openLog(ctx, target)
	if err != nil {
		return err
	}
	defer s.(*sqlite.Store).Close()
	for _, err := range s.ReadAll(ctx, eventstore.AllQuery{}) {
		if err != nil {
			return err
		}
	}
	if _, err := s.Append(ctx, "chat-probe", eventstore.Any, event(10)); err != nil {
		fmt.Println(err)
		return nil
	}
	fmt.Println("ok")
	return nil
}
