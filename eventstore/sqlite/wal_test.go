package sqlite_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// A transaction that is larger than the cache writes to the WAL before it ends. If
// it is rolled back, what it has left there must not get in the way of what
// another process writes to the same place.
func TestRolledBackAfterWriting(t *testing.T) {
	path := file(t)
	small := open(t, path, sqlite.Pragma("cache_size = 10"), sqlite.Pragma("max_page_count = 100"))
	other := open(t, path)
	want := 0
	add := func(s *sqlite.Store, stream string, n, size int) error {
		events := make([]eventstore.Event, n)
		for i := range events {
			events[i] = eventstore.Event{ID: uuid.New(), Type: "test.v1", Data: fmt.Appendf(nil, `"%s"`, bytes.Repeat([]byte("x"), size))}
		}
		_, err := s.Append(t.Context(), stream, eventstore.Any, events...)
		if err == nil {
			want += n
		}
		return err
	}
	if err := add(small, "large", 40, 10_000); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := add(small, "too-large", 45, 10_000); err == nil {
			t.Fatal("there was room for 850 kB in 100 pages")
		}
		for _, s := range []*sqlite.Store{other, other, small} {
			if err := add(s, "small", 1, 10); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range []*sqlite.Store{small, other, open(t, path)} {
		got := 0
		for e, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if got++; e.Position != eventstore.Position(got) {
				t.Fatalf("event %d is at position %d", got, e.Position)
			}
		}
		if got != want {
			t.Errorf("read %d events, want %d", got, want)
		}
	}
	if got := query(t, raw(t, path), "PRAGMA integrity_check"); len(got) != 1 || got[0] != "ok" {
		t.Errorf("integrity_check: %v", got)
	}
}

func TestPathsOfAnySpelling(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "50%.db", "%41.db", "what?.db", "a#b.db", "ü.db", "a&vfs=b.db", "file:x.db"} {
		path := filepath.Join(dir, name)
		s := open(t, path)
		if _, err := s.Append(t.Context(), "a-1", eventstore.NoStream, eventstore.Event{ID: uuid.New(), Type: "test.v1"}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, file := range []string{path, path + "-wal"} {
			if found, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || !slices.Contains(found, file) {
				t.Errorf("%s: there is no %s among %q (%v)", name, file, found, err)
			}
		}
		if got := query(t, raw(t, path), "SELECT sum(events) FROM blocks"); len(got) != 1 || got[0] != "1" {
			t.Errorf("%s has %v events", name, got)
		}
	}
}
