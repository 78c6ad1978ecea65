package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
)

// DoctorCmd is `doctor`.
type DoctorCmd struct{ StoreFlags }

// diagnosis collects what was found. It prints a line a check: how it is, what
// was checked, what was found, and what to do about it.
type diagnosis struct {
	t      *terminal
	failed int
}

func (d *diagnosis) okf(what, format string, args ...any)   { d.linef("ok", what, format, args...) }
func (d *diagnosis) warnf(what, format string, args ...any) { d.linef("warn", what, format, args...) }

func (d *diagnosis) failf(what, format string, args ...any) {
	d.failed++
	d.linef("fail", what, format, args...)
}

func (d *diagnosis) linef(how, what, format string, args ...any) {
	fmt.Fprintf(d.t.stdout, "%-5s %-14s %s\n", how, what, fmt.Sprintf(format, args...))
}

// Run implements the command. It changes nothing. The exit code is 1 if a
// check fails; a warning is none.
func (c DoctorCmd) Run(ctx context.Context, t *terminal) error {
	d := &diagnosis{t: t}
	running := false
	if c.usesFiles() {
		running = c.checkFolder(ctx, d)
		c.checkSpace(d)
	}
	c.checkStores(ctx, d, running || !c.usesFiles())
	if d.failed > 0 {
		fmt.Fprintf(t.stdout, "%d checks failed\n", d.failed)
		return exitError(1)
	}
	return nil
}

// checkFolder looks at the data folder, its files and who works on it.
func (c DoctorCmd) checkFolder(ctx context.Context, d *diagnosis) (running bool) {
	info, err := os.Stat(c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.failf("data folder", "%s is not there: check --data, or run `chatledger serve` first", c.Data)
		return false
	case err != nil:
		d.failf("data folder", "%v", err)
		return false
	case !info.IsDir():
		d.failf("data folder", "%s is not a folder", c.Data)
		return false
	case info.Mode().Perm()&0o077 != 0:
		d.warnf("data folder", "%s can be entered by others (%v): chmod 700 %s", c.Data, info.Mode().Perm(), c.Data)
	default:
		d.okf("data folder", "%s, its owner's alone", c.Data)
	}
	files, err := filepath.Glob(filepath.Join(c.Data, "*.db*"))
	if err != nil {
		d.failf("files", "%v", err)
	}
	open := 0
	for _, file := range files {
		info, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist): // a -wal file comes and goes
		case err != nil:
			d.failf("files", "%v", err)
		case info.Mode().Perm()&0o077 != 0:
			open++
			d.failf("files", "%s holds customers' data or secrets and can be read by others (%v): chmod 600 %s", file, info.Mode().Perm(), file)
		}
	}
	if open == 0 && len(files) > 0 {
		d.okf("files", "%d, readable by their owner alone", len(files))
	}
	holder, running, err := runningServer(c.Data)
	switch {
	case err != nil:
		d.failf("server", "%v", err)
	case !running:
		d.okf("server", "no server runs on this data")
	default:
		c.checkServer(ctx, d, holder)
	}
	return running
}

func (DoctorCmd) checkServer(ctx context.Context, d *diagnosis, holder lockHolder) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, holder.Address+"/readyz", http.NoBody)
	if err != nil {
		d.failf("server", "%v", err)
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.failf("server", "pid %d holds the data and does not answer at %s: %v", holder.PID, holder.Address, err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.failf("server", "pid %d at %s says it is not ready (%s): look at its log", holder.PID, holder.Address, resp.Status)
		return
	}
	d.okf("server", "runs and is ready: pid %d, %s, since %s", holder.PID, holder.Address, holder.Since.Format(time.RFC3339))
}

// checkSpace looks at the disk that the data folder is on.
func (c DoctorCmd) checkSpace(d *diagnosis) {
	const mb = 1 << 20
	var s syscall.Statfs_t
	if err := syscall.Statfs(c.Data, &s); err != nil {
		return // the folder was found missing before
	}
	free, total := s.Bavail*uint64(s.Bsize), s.Blocks*uint64(s.Bsize)
	switch {
	case free < 200*mb:
		d.failf("disk", "%d MB free: make room, or appends fail soon", free/mb)
	case free < 2000*mb || free < total/20:
		d.warnf("disk", "%d MB of %d MB free", free/mb, total/mb)
	default:
		d.okf("disk", "%d MB of %d MB free", free/mb, total/mb)
	}
}

// checkStores opens log, views and accounts and asks how they are. moved says
// whether something is expected to move the views.
func (c DoctorCmd) checkStores(ctx context.Context, d *diagnosis, moved bool) {
	quick, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := withLog(quick, c.StoreFlags, d.t, func(log eventstore.Store) error {
		head, err := log.Head(quick)
		if err != nil {
			return fmt.Errorf("read its head: %w", err)
		}
		if head.Sparse {
			d.okf("log", "ends at position %d, store %s", head.Position, head.Store)
		} else {
			d.okf("log", "%d events, store %s", head.Position, head.Store)
		}
		return nil
	})
	if err != nil {
		d.failf("log", "%v", err)
		return
	}
	err = withExistingViews(quick, c.StoreFlags, d.t, func(cfg projections.Config) error {
		list, err := projections.ReadStatus(quick, cfg)
		if err != nil {
			return err
		}
		for _, s := range list {
			checkView(d, s, moved)
		}
		return nil
	})
	switch {
	case errors.Is(err, errNoData):
		d.warnf("views", "there are none yet: run `chatledger serve`")
	case err != nil:
		d.failf("views", "%v", err)
	}
	if err := checkAccounts(quick, c.StoreFlags, d); err != nil {
		d.failf("accounts", "%v", err)
	}
	checkFiles(quick, c.StoreFlags, d)
	checkAudit(quick, c.StoreFlags, d)
}

// How far a view may be behind before it is worth a word.
const (
	slowView  = 10 * time.Second
	stuckView = 5 * time.Minute
)

func checkView(d *diagnosis, s projections.Status, moved bool) {
	switch {
	case s.State == projections.StateOtherLog || s.State == projections.StateOtherShape:
		d.failf(s.Name, "%s; run `chatledger projections rebuild %s`", strings.TrimSuffix(s.Error, "."), s.Name)
	case s.Parked > 0:
		d.failf(s.Name, "%d streams are stale, for %s at most: %d events cannot be applied, %d wait behind them: see `chatledger projections parked %s`",
			s.Streams, s.Unapplied.Round(time.Second), s.Failed, s.Parked-s.Failed, s.Name)
	case s.State == projections.StateFailing:
		d.failf(s.Name, "fails and is tried again: %s", s.Error)
	case s.Lag > 0 && !moved:
		d.warnf(s.Name, "%s events behind; it catches up when a server runs", s.Behind())
	case s.LagTime > stuckView:
		d.failf(s.Name, "%s events and %s behind: see `chatledger projections status`", s.Behind(), s.LagTime.Round(time.Second))
	case s.LagTime > slowView:
		d.warnf(s.Name, "%s events and %s behind", s.Behind(), s.LagTime.Round(time.Second))
	case s.Skipped > 0:
		d.warnf(s.Name, "at %d, %s events behind, and %d left out on an operator's word: see `chatledger projections parked %s`", s.Checkpoint, s.Behind(), s.Skipped, s.Name)
	default:
		d.okf(s.Name, "at %d, %s events behind", s.Checkpoint, s.Behind())
	}
}
