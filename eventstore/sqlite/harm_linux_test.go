package sqlite_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/chatledger/chatledger/eventstore/eventstoretest"
)

// ownDisk is set in the process that may mount: to where.
const ownDisk = "CHATLEDGER_SQLITE_DISK"

// A file system without room says so in other words than the limit of
// TestNoSkipOnAFullDisk, and has to be mounted. The test runs itself in a process
// that sees mounts of its own, so that they end with it. Where the system forbids
// that, the other test has to do.
func TestNoSkipOnAFullFileSystem(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(ownDisk); dir != "" {
		onAFullFileSystem(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$",
		"-checker.for="+flag.Lookup("checker.for").Value.String(), "-checker.seed="+flag.Lookup("checker.seed").Value.String())
	cmd.Env = append(os.Environ(), ownDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case cmd.ProcessState == nil:
		t.Logf("no mounts of our own: %v", err)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	default:
		t.Logf("%s", out)
	}
}

func onAFullFileSystem(t *testing.T, dir string) {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Logf("no mounts of our own: %v", err)
		return
	} else if err != nil {
		t.Fatal(err)
	}
	resize := func(flags uintptr, bytes uint64) error {
		return syscall.Mount("events", dir, "tmpfs", flags, fmt.Sprintf("mode=700,size=%d", bytes))
	}
	const roomy = 4 << 30 // takes no memory before it is used
	if err := resize(0, roomy); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "events.db")
	tr := trial(path, path)
	fill := func() error {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil {
			return err
		}
		return resize(syscall.MS_REMOUNT, (fs.Blocks-fs.Bfree)*uint64(fs.Bsize)+20_000)
	}
	tr.Outages(t, func() (err error) {
		for range 100 { // it is refused if more has been written meanwhile
			if err = fill(); !errors.Is(err, syscall.EINVAL) {
				break
			}
		}
		return err
	}, func() error { return resize(syscall.MS_REMOUNT, roomy) })
	report := eventstoretest.NoSkip(t, tr)
	if !report.Said("database or disk is full") {
		t.Errorf("no append failed with an error that says full: %v", report.Errors)
	}
}
