package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/logcopy"
)

// LogCmd moves the log.
type LogCmd struct {
	Copy         LogCopyCmd         `cmd:"" help:"Copy the log to another database, or compare two."`
	CopyAccounts LogCopyAccountsCmd `cmd:"" help:"Copy what servers need to go on with the copy of a log: tokens, channel secrets, timers, checkpoints."`
}

// LogPair says which log is copied, and to where.
type LogPair struct {
	From       string `required:"" placeholder:"WHERE" help:"The log to copy: sqlite:FOLDER, postgres://…, or esdb://… for KurrentDB."`
	To         string `required:"" placeholder:"WHERE" help:"The log to copy to, in the same way. Made if missing."`
	FromSchema string `default:"chatledger" placeholder:"PREFIX" help:"--schema of what is copied, in PostgreSQL (default: ${default})."`
	ToSchema   string `default:"chatledger" placeholder:"PREFIX" help:"--schema of what it is copied to, in PostgreSQL (default: ${default})."`
}

// LogCopyCmd is `log copy`.
type LogCopyCmd struct {
	LogPair
	Verify bool `help:"Only compare the two, event for event."`
}

// Help explains what help's one line cannot.
func (LogCopyCmd) Help() string {
	return `Events keep their order, stream, revision, id, type, data and metadata, byte for byte. ` +
		`SQLite and PostgreSQL keep recorded_at, too; KurrentDB dates events itself (what happened when is in their metadata, occurred_at).

What the target holds is compared with the source first; it has to be how the source begins. So a copy that was interrupted, even by kill -9, ` +
		`goes on where it was when it is run again. What was copied is read back and compared.

Stop the servers of both logs before, or copy once while they run and again when they are stopped: docs/operations.md says how to switch over. ` +
		`A copy ends with code 3 if the source has grown meanwhile.`
}

// Exit code of a copy that is right and not whole, since the source is growing.
const exitGrowing = exitError(3)

// Run implements the command.
func (c LogCopyCmd) Run(ctx context.Context, t *terminal) error {
	return c.open(ctx, t, !c.Verify, func(from, to log) error { return c.run(ctx, t, from, to) })
}

// open opens both logs and keeps servers of their folders out.
func (p LogPair) open(ctx context.Context, t *terminal, create bool, do func(from, to log) error) (err error) {
	from, err := storeAt("--from", p.From, p.FromSchema)
	if err != nil {
		return err
	}
	to, err := storeAt("--to", p.To, p.ToSchema)
	if err != nil {
		return err
	}
	if from == to {
		return errSameLog
	}
	source, err := openAlone(ctx, from, t, false)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openAlone(ctx, to, t, create)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := distinct(ctx, from, to, source, target); err != nil {
		return err
	}
	return do(source.log, target.log)
}

var errSameLog = errors.New("--from and --to are the same log")

func (c LogCopyCmd) run(ctx context.Context, t *terminal, from, to log) error {
	shown := &progress{to: t.stderr, terminal: isTerminal(t.stderr), told: now()}
	copier := logcopy.Copier{From: from, To: to, Report: shown.report}
	do := copier.Copy
	if c.Verify {
		do = copier.Verify
	}
	res, err := do(ctx)
	shown.end()
	if err != nil && res.Copied > 0 {
		return fmt.Errorf("%w\n%d events were copied: run it again to go on", err, res.Copied)
	}
	if err != nil {
		return err
	}
	if c.Verify {
		fmt.Fprintf(t.stdout, "%d events, equal in both%s\n", res.Found, dated(res.Dated))
		return nil
	}
	fmt.Fprintf(t.stdout, "%d events copied, %d were there already; all are equal in both%s\n", res.Copied, res.Found, dated(res.Dated))
	if res.Growing {
		fmt.Fprintln(t.stderr, "chatledger: the source is being written to, and has more by now: stop its servers and run this again")
		return exitGrowing
	}
	return nil
}

func dated(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", but for recorded_at of %d, which is when the target took them", n)
}

// LogCopyAccountsCmd is `log copy-accounts`.
type LogCopyAccountsCmd struct {
	LogPair
	FromAccounts string `placeholder:"WHERE" help:"Where tokens and channel secrets are (--views of the servers): sqlite:FOLDER or postgres://… (default: the same as --from)."`
	ToAccounts   string `placeholder:"WHERE" help:"Where they are to be, in the same way (default: the same as --to)."`
}

// Help explains what help's one line cannot.
func (LogCopyAccountsCmd) Help() string {
	return `To be run after log copy, before the first server starts on the target: it has to be empty, and gets all or nothing. ` +
		`Reactors go on there where they were here. The key that signs proofs stays behind: the proof of the copy is another one.`
}

// Run implements the command.
func (c LogCopyAccountsCmd) Run(ctx context.Context, t *terminal) error {
	from, err := accountsAt("--from-accounts", cmp.Or(c.FromAccounts, c.From), c.FromSchema)
	if err != nil {
		return err
	}
	to, err := accountsAt("--to-accounts", cmp.Or(c.ToAccounts, c.To), c.ToSchema)
	if err != nil {
		return err
	}
	if from == to {
		return errors.New("--from-accounts and --to-accounts are the same")
	}
	return c.open(ctx, t, false, func(source, target log) error {
		for _, f := range []StoreFlags{from, to} {
			lock, err := lockAccounts(f, c.LogPair)
			if err != nil {
				return err
			}
			if lock != nil {
				defer func() { _ = lock.release() }() // it is let go of anyway when this process ends
			}
		}
		if err := copyAccounts(ctx, from, to, source, target); err != nil {
			return err
		}
		fmt.Fprintln(t.stdout, "tokens, channel secrets, timers and checkpoints copied")
		return nil
	})
}

// lockAccounts keeps servers out of the folder of accounts, unless open has done so.
func lockAccounts(f StoreFlags, p LogPair) (*serverLock, error) {
	if f.Log != inFiles {
		return nil, nil //nolint:nilnil // there is nothing to lock
	}
	for _, where := range []string{p.From, p.To} {
		if log, err := storeAt("", where, ""); err == nil && log.Data == f.Data {
			return nil, nil //nolint:nilnil // it is locked
		}
	}
	return lockServer(f.Data)
}

// accountsAt returns where accounts are that are named by a flag.
func accountsAt(flag, where, schema string) (StoreFlags, error) {
	f, err := storeAt(flag, where, schema)
	if err == nil && isKurrent(f.Log) {
		err = fmt.Errorf("%s is missing: KurrentDB keeps the log alone; want sqlite:FOLDER or postgres://…", flag)
	}
	f.Views = f.Log
	return f, err
}

// storeAt returns where a log is that is named by a flag.
func storeAt(flag, where, schema string) (f StoreFlags, err error) {
	folder, inFolder := strings.CutPrefix(where, inFiles+":")
	switch {
	case inFolder && folder != "":
		f.Log = inFiles
		if f.Data, err = filepath.Abs(folder); err != nil {
			return f, fmt.Errorf("%s: %w", flag, err)
		}
	case isPostgres(where):
		f.Log, f.Schema = where, schema
	case isKurrent(where):
		f.Log = where
	default:
		return f, fmt.Errorf("%s is %q: want sqlite:FOLDER, postgres://… or esdb://…", flag, where)
	}
	return f, nil
}

// lockedLog is a log that no server works on, if it is in files.
type lockedLog struct {
	log

	lock *serverLock // nil if it is in a database, which cannot tell
}

// openAlone opens a log and keeps servers of its data folder out.
func openAlone(ctx context.Context, f StoreFlags, t *terminal, create bool) (_ lockedLog, err error) {
	var l lockedLog
	if f.Log == inFiles {
		if _, err := f.file("events.db", create); err != nil { // not to make a folder that is not there
			return l, err
		}
		if l.lock, err = lockServer(f.Data); err != nil {
			return l, err
		}
	}
	if l.log, err = openLog(ctx, f, t, create); err != nil && l.lock != nil {
		err = errors.Join(err, l.lock.release())
	}
	return l, err
}

func (l lockedLog) Close() error {
	err := l.log.Close()
	if l.lock != nil {
		err = errors.Join(err, l.lock.release())
	}
	return err
}

// distinct refuses to copy a log to itself. Two files with the same id are a log and
// its backup.
func distinct(ctx context.Context, from, to StoreFlags, source, target eventstore.Store) error {
	a, err := source.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of source: %w", err)
	}
	b, err := target.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of target: %w", err)
	}
	if a.Store == b.Store && (from.Log != inFiles || to.Log != inFiles) {
		return errSameLog
	}
	return nil
}

// progress shows how far a copy is: in one line that is written over and over on a
// terminal, else in a line now and then, also if each phase is shorter than that.
type progress struct {
	to       io.Writer
	terminal bool

	began time.Time // the phase
	phase logcopy.Phase
	told  time.Time // when there was a line last; at first, when all began
	drawn bool      // there is a line to write over
}

const (
	drawEvery = 200 * time.Millisecond
	tellEvery = 10 * time.Second
	barWidth  = 30
)

func (p *progress) report(at logcopy.Progress) {
	t := now()
	if at.Phase != p.phase {
		p.phase, p.began = at.Phase, t
	}
	every := tellEvery
	if p.terminal {
		every = drawEvery
	}
	if t.Sub(p.told) < every {
		return
	}
	p.told = t
	text := describeProgress(at, t.Sub(p.began), p.terminal)
	if !p.terminal {
		fmt.Fprintln(p.to, text)
		return
	}
	p.drawn = true
	fmt.Fprintf(p.to, "\r%s\x1b[K", text) // and clear what is left of a longer one
}

// end leaves the terminal on a line of its own.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// describeProgress says how far a phase has come that has taken so long.
func describeProgress(p logcopy.Progress, took time.Duration, bar bool) string {
	done := 1.0
	if p.To > p.From {
		done = min(1, float64(p.At-p.From)/float64(p.To-p.From))
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%s ", p.Phase)
	if bar {
		full := int(done * barWidth)
		fmt.Fprintf(&s, "[%s%s] ", strings.Repeat("#", full), strings.Repeat(".", barWidth-full))
	}
	fmt.Fprintf(&s, "%.0f %%, %d events, %.0f a second", 100*done, p.Events, float64(p.Events)/max(took.Seconds(), 0.001))
	if done > 0 && done < 1 {
		fmt.Fprintf(&s, ", done in %s", time.Duration(float64(took)*(1-done)/done).Round(time.Second))
	}
	return s.String()
}

// isTerminal reports whether somebody may be looking at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
