package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	sqlite3 "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

func TestMain(m *testing.M) {
	if eventstoretest.IsWriter() {
		os.Exit(eventstoretest.WriterMain(openLog))
	}
	if role := os.Getenv(childRole); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Store { return open(t, file(t)) }, eventstoretest.Dense)
}

func TestImporter(t *testing.T) {
	eventstoretest.RunImporter(t, func(t testing.TB) eventstore.Store { return open(t, file(t)) })
}

func TestDurable(t *testing.T) {
	eventstoretest.RunDurable(t, func(t testing.TB) func() eventstore.Store {
		path := file(t)
		return func() eventstore.Store { return open(t, path) }
	}, eventstoretest.Dense)
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "events.db") }

func open(t testing.TB, path string, opts ...sqlite.Option) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, append([]sqlite.Option{sqlite.PollInterval(10 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// raw connects to the file as another program would.
func raw(t testing.TB, path string) *sqlite3.Conn {
	t.Helper()
	conn, err := sqlite3.OpenConn(path, sqlite3.OpenReadWrite|sqlite3.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetBusyTimeout(5 * time.Second)
	return conn
}

func query(t testing.TB, conn *sqlite3.Conn, sql string) (rows []string) {
	t.Helper()
	err := sqlitex.ExecuteTransient(conn, sql, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite3.Stmt) error {
		var cells []string
		for i := range stmt.ColumnCount() {
			cells = append(cells, stmt.ColumnText(i))
		}
		rows = append(rows, strings.Join(cells, "|"))
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func event(size int) eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: "test.happened.v1", Data: []byte(`"` + strings.Repeat("x", size) + `"`)}
}

func mustAppend(t testing.TB, s *sqlite.Store, stream string, events ...eventstore.Event) eventstore.Result {
	t.Helper()
	res, err := s.Append(t.Context(), stream, eventstore.Any, events...)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func count(t testing.TB, s *sqlite.Store) (n int) {
	t.Helper()
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; r.Position != eventstore.Position(n) {
			t.Fatalf("event %d is at position %d", n, r.Position)
		}
	}
	return n
}

func TestTheFileIsForPeopleToo(t *testing.T) {
	path := file(t)
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_123_456, time.UTC)
	s := open(t, path, sqlite.Clock(func() time.Time { return at }))
	e := eventstore.Event{ID: uuid.MustParse("0190a5c0-0000-7000-8000-000000000001"), Type: "chat.opened.v1", Data: []byte(`{"by": "ana"}`)}
	mustAppend(t, s, "chat-1", e)
	conn := raw(t, path)
	got := query(t, conn, "SELECT position, stream, revision, type, recorded_at, id, data ->> 'by', meta IS NULL FROM readable_events")
	if want := "1|chat-1|0|chat.opened.v1|2026-02-03T04:05:06.789Z|0190a5c0000070008000000000000001|ana|1"; len(got) != 1 || got[0] != want {
		t.Errorf("the view has %q; want %q", got, want)
	}
	if got := query(t, conn, "PRAGMA journal_mode"); got[0] != "wal" {
		t.Errorf("journal mode %s", got[0])
	}
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if want := at.Truncate(time.Microsecond); err != nil || !r.Time.Equal(want) {
			t.Errorf("time %v, %v; want %v", r.Time, err, want)
		}
	}
}

func TestOpenRefusesWhatIsNotALog(t *testing.T) {
	foreign, newer, text := file(t), file(t), file(t)
	query(t, raw(t, foreign), "CREATE TABLE t (x)")
	if err := open(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	query(t, raw(t, newer), "PRAGMA user_version = 1000")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		foreign:                            "application_id",
		newer:                              "newer",
		text:                               "not a database",
		filepath.Join(t.TempDir(), "x/db"): "unable to open",
	} {
		if s, err := sqlite.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open = %v, %v; want an error with %q", s, err, want)
		}
	}
}

func TestManyOpenAtOnce(t *testing.T) {
	path := file(t)
	stores := make([]*sqlite.Store, 8)
	errs := make([]error, len(stores))
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() { stores[i], errs[i] = sqlite.Open(t.Context(), path) })
	}
	wg.Wait()
	var first eventstore.Head
	for i, s := range stores {
		if errs[i] != nil {
			t.Errorf("Open: %v", errs[i])
			continue
		}
		defer s.Close()
		h, err := s.Head(t.Context())
		if first.Store == uuid.Nil {
			first = h
		}
		if err != nil || h != first {
			t.Errorf("Head = %+v, %v; another handle says %+v", h, err, first)
		}
	}
}

func TestAppendsOfTheProcessWakeAtOnce(t *testing.T) {
	s := open(t, file(t), sqlite.PollInterval(time.Hour))
	n := 0
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 20 {
			break
		}
		if r.IsMark() {
			go s.Append(t.Context(), "chat-1", eventstore.Any, event(1))
		}
	}
}

// A reader that is slow in its loop must not keep the WAL from being moved into
// the file: it would grow without end.
func TestYieldingHoldsNoSnapshot(t *testing.T) {
	path := file(t)
	s, conn := open(t, path), raw(t, path)
	mustAppend(t, s, "chat-1", event(10), event(10))
	checked := 0
	check := func() {
		mustAppend(t, s, "chat-1", event(10))
		if got := query(t, conn, "PRAGMA wal_checkpoint(TRUNCATE)"); got[0] != "0|0|0" {
			t.Errorf("checkpoint says %s; want 0|0|0", got[0])
		}
		checked++
	}
	for _, err := range s.ReadAll(t.Context(), eventstore.AllQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		check()
		break
	}
	for _, err := range s.ReadStream(t.Context(), "chat-1", eventstore.StreamQuery{Backwards: true}) {
		if err != nil {
			t.Fatal(err)
		}
		check()
	}
	if checked != 4 {
		t.Errorf("checked %d times", checked)
	}
}

// Appends never pause, and still the WAL begins anew once in a while.
func TestTheWALStaysSmall(t *testing.T) {
	path := file(t)
	s := open(t, path, sqlite.WALSize(256<<10), sqlite.Pragma("synchronous = off"))
	const n = 2_000
	for range n {
		mustAppend(t, s, "chat-1", event(10_000))
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if size := info.Size(); size > n*10_000/2 {
		t.Errorf("the WAL has %d bytes, after %d appends of 10,000", size, n)
	}
	if n := count(t, s); n != 2_000 {
		t.Errorf("%d events; want 2000", n)
	}
}

func TestWaitingForAnotherProcessIsBounded(t *testing.T) {
	path := file(t)
	s, conn := open(t, path, sqlite.BusyTimeout(50*time.Millisecond)), raw(t, path)
	mustAppend(t, s, "chat-1", event(1))
	query(t, conn, "BEGIN IMMEDIATE")
	_, err := s.Append(t.Context(), "chat-1", eventstore.Any, event(1))
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Append = %v; want an error about another process", err)
	}
	if n := count(t, s); n != 1 { // reads do not wait
		t.Errorf("%d events; want 1", n)
	}
	query(t, conn, "ROLLBACK")
	if res := mustAppend(t, s, "chat-1", event(1)); res.Position != 2 {
		t.Errorf("Append = %+v; want position 2", res)
	}
}

func TestCloseDoesNotWaitForAnotherProcess(t *testing.T) {
	path := file(t)
	s, conn := open(t, path, sqlite.BusyTimeout(time.Hour)), raw(t, path)
	query(t, conn, "BEGIN IMMEDIATE")
	errs := make(chan error, 2)
	for range cap(errs) {
		go func() {
			_, err := s.Append(t.Context(), "chat-1", eventstore.Any, event(1))
			errs <- err
		}()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("Append = %v; want ErrClosed", err)
		}
	}
	query(t, conn, "ROLLBACK")
}

func TestFullDisk(t *testing.T) {
	path := file(t)
	s, conn := open(t, path, sqlite.Pragma("max_page_count = 300")), raw(t, path)
	mustAppend(t, s, "chat-1", event(10))
	if _, err := s.Append(t.Context(), "chat-1", eventstore.Any, event(3<<20)); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("Append = %v; want an error that says full", err)
	}
	mustAppend(t, s, "chat-1", event(10))

	// In one transaction with others, only the large one fails.
	query(t, conn, "BEGIN IMMEDIATE")
	var wg sync.WaitGroup
	for i := range 11 {
		size := 10
		if i == 5 {
			size = 3 << 20
		}
		wg.Go(func() {
			if _, err := s.Append(t.Context(), "chat-1", eventstore.Any, event(size)); (err != nil) != (size > 10) {
				t.Errorf("Append of %d bytes: %v", size, err)
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); s.Queued() < 5 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	query(t, conn, "ROLLBACK")
	wg.Wait()
	if n := count(t, s); n != 12 {
		t.Errorf("%d events; want 12", n)
	}
}

func TestReadOnly(t *testing.T) {
	path := file(t)
	mustAppend(t, open(t, path), "chat-1", event(10))
	s := open(t, path, sqlite.Pragma("query_only = on")) // as a file without write permission, for root too
	if _, err := s.Append(t.Context(), "chat-1", eventstore.Any, event(10)); err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("Append = %v; want an error that says readonly", err)
	}
	if n := count(t, s); n != 1 {
		t.Errorf("%d events; want 1", n)
	}
}
