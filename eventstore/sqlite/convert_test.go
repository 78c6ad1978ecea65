package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// oldLog makes a log of schema 1 with n events in several streams, as the driver
// of that time wrote it.
func oldLog(t *testing.T, path string, n int) (want []eventstore.Recorded) {
	t.Helper()
	conn := raw(t, path)
	defer conn.Close()
	schema, err := os.ReadFile("schema/001_log.sql")
	if err != nil {
		t.Fatal(err)
	}
	query(t, conn, "PRAGMA journal_mode = wal")
	script := string(schema) + `
		INSERT INTO meta (key, value) VALUES ('store', x'0190a5c0000070008000000000000099');
		INSERT INTO types (id, name) VALUES (1, 'chat.opened.v1'), (2, 'chat."quoted".v1');
		PRAGMA application_id = 0x636c6f67; PRAGMA user_version = 1;`
	if err := sqlitex.ExecuteScript(conn, script, nil); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	revisions, ids := map[string]eventstore.Revision{}, map[string]int{}
	save := sqlitex.Save(conn)
	defer save(&err)
	exec := func(query string, args ...any) {
		if err := sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		r := eventstore.Recorded{
			Event: eventstore.Event{
				ID: uuid.New(), Type: "chat.opened.v1", Data: fmt.Appendf(nil, `{"n": %d}`, i), Meta: []byte(`{"actor":"ana"}`),
			},
			Stream:   fmt.Sprintf("chat-%d", i*7%(n/10+1)),
			Position: eventstore.Position(i + 1),
			Time:     start.Add(time.Duration(i/3) * 1500 * time.Microsecond),
		}
		typ := 1
		switch i % 100 {
		case 7:
			r.Type, typ = `chat."quoted".v1`, 2
			r.Stream = `chat-"olá"`
		case 8:
			r.Meta = nil
		case 9:
			r.Data = fmt.Appendf(nil, `"%s"`, strings.Repeat("long ", 3_000))
		case 10:
			r.Time = start.Add(-time.Hour) // the clock was wrong for a while
		}
		if _, ok := ids[r.Stream]; !ok {
			ids[r.Stream] = i + 1
			exec("INSERT INTO streams (name, id) VALUES (?, ?)", r.Stream, i+1)
		}
		r.Revision = revisions[r.Stream]
		revisions[r.Stream]++
		var meta any
		if r.Meta != nil {
			meta = string(r.Meta)
		}
		exec("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			i+1, typ, ids[r.Stream], int64(r.Revision), r.Time.UnixMicro(), r.ID[:], r.Stream, meta, string(r.Data))
		want = append(want, r)
	}
	return want
}

func all(t *testing.T, s *sqlite.Store) (got []eventstore.Recorded) {
	t.Helper()
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

// same ignores whether what is empty is nil.
func same(t *testing.T, got, want []eventstore.Recorded) {
	t.Helper()
	empty := cmp.Transformer("text", func(b []byte) string { return string(b) })
	if diff := cmp.Diff(want, got, empty); diff != "" {
		t.Errorf("(-want +got)\n%.2000s", diff)
	}
}

func TestAnOlderLog(t *testing.T) {
	path := file(t)
	want := oldLog(t, path, 12_000)
	s := open(t, path)
	same(t, all(t, s), want)
	h, err := s.Head(t.Context())
	if err != nil || h.Position != 12_000 || h.Store.String() != "0190a5c0-0000-7000-8000-000000000099" {
		t.Errorf("Head = %+v, %v", h, err)
	}
	for _, name := range []string{"chat-0", "chat-77", `chat-"olá"`} {
		var events, got []eventstore.Recorded
		for _, r := range want {
			if r.Stream == name {
				events = append(events, r)
			}
		}
		for r, err := range s.ReadStream(t.Context(), name, eventstore.StreamQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		same(t, got, events)
		first, last := events[0], events[len(events)-1]
		res, err := s.Append(t.Context(), name, eventstore.NoStream, first.Event)
		if want := (eventstore.Result{Revision: 0, Position: first.Position, Existing: true}); err != nil || res != want {
			t.Errorf("repeat = %+v, %v; want %+v", res, err, want)
		}
		if _, err := s.Append(t.Context(), name, last.Revision-1, event(1)); !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("Append at an older revision: %v; want a conflict", err)
		}
		if res, err := s.Append(t.Context(), name, last.Revision, event(1)); err != nil || res.Revision != last.Revision+1 {
			t.Errorf("Append = %+v, %v", res, err)
		}
	}
	conn := raw(t, path)
	if got := query(t, conn, "PRAGMA integrity_check"); got[0] != "ok" {
		t.Errorf("integrity check: %s", got)
	}
	if got := query(t, conn, "SELECT name FROM sqlite_schema WHERE name IN ('events', 'types')"); len(got) > 0 {
		t.Errorf("the file still has %s", got)
	}
	if got := query(t, conn, `SELECT position, revision, recorded_at, data ->> 'n' FROM readable_events WHERE stream = 'chat-"olá"' LIMIT 2`); got[0] != "8|0|2026-01-02T03:04:05.003Z|7" {
		t.Errorf("readable_events has %s", got)
	}
}

// handler calls back for each record.
type handler struct {
	slog.Handler
	call func()
}

func (h handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(context.Context, slog.Record) error {
	h.call()
	return nil
}

func TestAnOlderLogIsMovedInParts(t *testing.T) {
	path := file(t)
	want := oldLog(t, path, 12_000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := slog.New(handler{slog.DiscardHandler, cancel})
	if s, err := sqlite.Open(ctx, path, sqlite.Logger(log)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Open = %v, %v; want context.Canceled", s, err)
	}
	left := query(t, raw(t, path), "SELECT count(*) FROM events")
	if left[0] != "2000" {
		t.Errorf("%s events left; want 2000", left)
	}
	same(t, all(t, open(t, path)), want)
}
