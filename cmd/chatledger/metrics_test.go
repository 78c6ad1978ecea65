package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/reactors"
)

// install is a log with a chat, of which two events cannot be decoded, and
// empty views.
func install(t *testing.T) (StoreFlags, log, viewDBs, *terminal) {
	t.Helper()
	f := StoreFlags{Data: filepath.Join(t.TempDir(), "data"), Log: inFiles, Schema: "chatledger"}
	term := &terminal{stdout: io.Discard, stderr: io.Discard, logger: slog.New(slog.DiscardHandler)}
	store, err := openLog(t.Context(), f, term, true)
	if err != nil {
		t.Fatal(err)
	}
	dbs, err := openViews(t.Context(), f, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(dbs.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	note(t, store, `"hello"`)
	return f, store, dbs, term
}

func note(t *testing.T, store eventstore.Store, text string) eventstore.Position {
	t.Helper()
	res, err := store.Append(t.Context(), "chat-1", eventstore.Any, eventstore.Event{
		ID: uuid.New(), Type: "chat.note_added.v1", Data: []byte(`{"note":"n","by":"ann","text":` + text + `}`), Meta: []byte(`{"workspace":"acme"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.Position
}

// follow runs the views until stop is called.
func follow(t *testing.T, cfg projections.Config) (stop func()) {
	t.Helper()
	r, err := projections.NewRunner(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// outOfOrder is a database that refuses what it is told to.
type outOfOrder struct {
	sqldb.DB
	reads, writes atomic.Bool
}

var errOutOfOrder = errors.New("out of order")

func (d *outOfOrder) Read(ctx context.Context, fn func(sqldb.Tx) error) error {
	if d.reads.Load() {
		return errOutOfOrder
	}
	return d.DB.Read(ctx, fn)
}

func (d *outOfOrder) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	if d.writes.Load() {
		return errOutOfOrder
	}
	return d.DB.Write(ctx, fn)
}

// scrape returns the metrics that have no label but that of inbox.v3.
func scrape(t *testing.T, cfg projections.Config) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(state{
		views:    func(ctx context.Context) ([]projections.Status, error) { return projections.ReadStatus(ctx, cfg) },
		reactors: func() []reactors.Stats { return nil },
		audit: func(context.Context) (audit.Status, error) {
			return audit.Status{Size: 7, Position: 9, Head: 12, Problem: audit.ErrAltered}, nil
		},
	})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) > 0 && m.GetLabel()[len(m.GetLabel())-1].GetValue() != "inbox.v3" {
				continue
			}
			got[strings.TrimPrefix(f.GetName(), "chatledger_")] = m.GetGauge().GetValue()
		}
	}
	return got
}

// Whatever a view is stuck on, the metrics show it: that its checkpoint is at
// the end of the log does not hide what it has not taken.
func TestAStuckViewIsSeen(t *testing.T) {
	const hour = 3600.0
	_, store, dbs, term := install(t)
	cfg := projectionsConfig(store, dbs, term)
	cfg.Poll = 5 * time.Millisecond
	later := cfg // an hour after everything that the test does
	later.Now = func() time.Time { return now().Add(time.Hour) }
	seen := func(what string, cfg projections.Config, ok func(map[string]float64) bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
			m := scrape(t, cfg)
			if ok(m) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %v", what, m)
			}
		}
	}

	stop := follow(t, cfg)
	seen("all is well", cfg, func(m map[string]float64) bool {
		return m["view_lag_events"] == 0 && m["view_running"] == 1 && m["view_failing"] == 0 && m["view_owner"] == 1 &&
			m["view_progress_timestamp_seconds"] > 1e9 && m["views_readable"] == 1 &&
			m["audit_hashed_events"] == 7 && m["audit_lag_positions"] == 3 && m["audit_broken"] == 1
	})

	note(t, store, "1")
	note(t, store, `"behind"`)
	seen("parked", later, func(m map[string]float64) bool {
		return m["view_lag_events"] == 2 && m["view_lag_seconds"] > 0.9*hour && m["view_parked_events"] == 2 && m["view_parked_streams"] == 1
	})
	skip := projections.Skip{Projection: "inbox.v3", Position: 2, By: "op"}
	if _, _, err := skip.Do(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	seen("skipped", later, func(m map[string]float64) bool {
		return m["view_lag_events"] == 0 && m["view_lag_seconds"] == 0 && m["view_parked_events"] == 0 && m["view_skipped_events"] == 1
	})

	stop()
	before := scrape(t, cfg)["view_progress_timestamp_seconds"]
	note(t, store, `"nobody looks"`)
	seen("paused", later, func(m map[string]float64) bool {
		_, owned := m["view_owner"]
		return m["view_lag_events"] == 1 && m["view_lag_seconds"] > 0.9*hour && m["view_running"] == 0 && !owned &&
			m["view_progress_timestamp_seconds"] == before
	})

	broken := &outOfOrder{DB: dbs.views}
	stuck := cfg
	stuck.DB = &failingApply{DB: broken}
	stop = follow(t, stuck)
	seen("its writes fail", later, func(m map[string]float64) bool {
		return m["view_lag_events"] == 1 && m["view_lag_seconds"] > 0.9*hour && m["view_failing"] == 1 &&
			m["view_progress_timestamp_seconds"] == before
	})
	stop()

	broken.reads.Store(true)
	unreadable := cfg
	unreadable.DB = broken
	seen("its database cannot be read", unreadable, func(m map[string]float64) bool {
		_, said := m["view_lag_events"]
		return m["views_readable"] == 0 && !said
	})
}

// failingApply fails every write that has moved a checkpoint, after its work.
type failingApply struct{ sqldb.DB }

func (d *failingApply) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	return d.DB.Write(ctx, func(tx sqldb.Tx) error {
		sum := func() (n int64, err error) {
			if exists, err := sqldb.TableExists(ctx, tx, "projections"); err != nil || !exists {
				return 0, err
			}
			return sqldb.Get[int64](ctx, tx, "SELECT coalesce(sum(checkpoint), 0) FROM projections")
		}
		before, err := sum()
		if err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		after, err := sum()
		if err == nil && after != before {
			err = errOutOfOrder
		}
		return err
	})
}

// What an operator does about a view that is stuck, at the command line.
func TestParkedAtTheCommandLine(t *testing.T) {
	f, store, dbs, term := install(t)
	cfg := projectionsConfig(store, dbs, term)
	bad := note(t, store, "1")
	last := note(t, store, `"behind"`)
	stop := follow(t, cfg)
	if err := projections.WaitFor(t.Context(), dbs.views, []string{"inbox.v3", "history.v1"}, last); err != nil {
		t.Fatal(err)
	}
	stop()

	do := func(code int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		args = append([]string{"projections"}, args...)
		if got := run(t.Context(), append(args, "--data", f.Data), &out, &out); got != code {
			t.Fatalf("%v ended with %d, want %d:\n%s", args, got, code, &out)
		}
		return out.String()
	}
	says := func(text string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(text, p) {
				t.Errorf("no %q in:\n%s", p, text)
			}
		}
	}
	says(do(0, "status"), "inbox.v3: 2 events of 1 streams are parked: see `chatledger projections parked inbox.v3`")
	says(do(0, "parked", "inbox.v3"), "inbox.v3  chat-1  2       2         chat.note_added.v1", "unmarshal")
	says(do(1, "parked", "none.v1"), "no such projection")
	says(do(1, "retry", "inbox.v3", "chat-1"), "0 events applied")
	says(do(1, "skip", "inbox.v3", "3"), "the event at 2 comes first")
	if bad != 2 {
		t.Fatalf("the bad one is at %d", bad)
	}
	says(do(0, "skip", "inbox.v3", "2", "--by", "op", "--reason", "broken import"), "leaves out chat.note_added.v1 at 2 of chat-1; 1 events that waited behind it are applied")
	says(do(0, "parked", "inbox.v3"), "skipped by op at", "because: broken import")
	says(do(0, "verify", "inbox.v3"), "equal to a fold from event zero")
	says(do(0, "rebuild", "inbox.v3"), "is rebuilt and in use")
	says(do(0, "unskip", "inbox.v3", "2", "--by", "boss"), "run `chatledger projections rebuild inbox.v3`")
	says(do(0, "parked", "inbox.v3"), "(taken back by boss at")
	says(do(1, "unskip", "inbox.v3", "2"), "view.not_skipped")
	says(do(1, "rebuild", "inbox.v3"), "the live view stays as it was")
	says(do(0, "parked"), "history.v1")
}
