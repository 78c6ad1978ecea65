package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/internal/testenv"
)

// TestRestore: a dump that is restored into a fresh server holds every event and
// goes on from there, and is not taken for the log it was made from: that may
// have had events since which the dump has not.
func TestRestore(t *testing.T) {
	t.Parallel()
	cluster, err := testenv.Start() // of the version that the programs are
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	original := open(t, cluster.URL)
	defer original.Close()
	add(t, original, "chat-1", events(3)...)
	add(t, original, "order-1", events(2)...)
	bin, err := testenv.Programs()
	if err != nil {
		t.Fatal(err)
	}
	dump := filepath.Join(t.TempDir(), "dump.sql")
	program(t, filepath.Join(bin, "pg_dump"), "--no-owner", "--file", dump, cluster.URL)
	kept := readAll(t, original, eventstore.AllQuery{})
	add(t, original, "chat-1", events(2)...) // not in the dump

	fresh := testenv.Postgres(t)
	program(t, filepath.Join(bin, "psql"), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", dump, fresh)
	restored := open(t, fresh)
	if diff := cmp.Diff(kept, readAll(t, restored, eventstore.AllQuery{})); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	for name, s := range map[string]eventstore.Store{"original": original, "restored": restored} {
		points := &checkpoints{}
		read(t, s, points, nil) // makes a checkpoint
		for other, s := range map[string]eventstore.Store{"original": original, "restored": restored} {
			var want error
			if other != name {
				want = feed.ErrOtherLog
			}
			read(t, s, points, want)
		}
	}
	if res := add(t, restored, "chat-1", events(1)...); res.Revision != 3 || res.Position != 6 {
		t.Errorf("the next event is %+v", res)
	}
}

// read has a consumer read the log, as from its checkpoint on.
func read(t *testing.T, s eventstore.Store, points *checkpoints, want error) {
	t.Helper()
	f, err := feed.New(feed.Config{Store: s, Checkpoints: points, Consumer: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := f.Subscribe(t.Context(), "test")
	if !errors.Is(err, want) {
		t.Errorf("Subscribe at %+v: %v; want %v", points.at, err, want)
	}
	if err != nil {
		return
	}
	if points.at.Position == 0 {
		(<-messages).Ack()
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// checkpoints of one consumer.
type checkpoints struct{ at feed.Checkpoint }

func (c *checkpoints) Load(context.Context, string) (feed.Checkpoint, error) { return c.at, nil }

func (c *checkpoints) Save(_ context.Context, _ string, at feed.Checkpoint) error {
	c.at = at
	return nil
}

func program(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(name), err, out)
	}
}
