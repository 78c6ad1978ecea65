package kurrent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
	"github.com/chatledger/chatledger/eventstore/kurrent"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/testenv"
)

func TestMain(m *testing.M) {
	if eventstoretest.IsWriter() {
		os.Exit(eventstoretest.WriterMain(openLog))
	}
	goleak.VerifyTestMain(m)
}

func openLog(ctx context.Context, connection string) (eventstore.Store, error) {
	return kurrent.Open(ctx, connection)
}

func open(t testing.TB, connection string) *kurrent.Store {
	t.Helper()
	s, err := kurrent.Open(t.Context(), connection)
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

// The logs that a gateway may stand in front of.
var behind = map[string]func(testing.TB) eventstore.Store{"memory": inMemory, "sqlite": inSQLite, "postgres": inPostgres, "sparse": inHoles}

func inMemory(t testing.TB) eventstore.Store {
	s := memory.New(time.Now)
	t.Cleanup(func() { s.Close() })
	return s
}

// inHoles is a log as KurrentDB's is: only positions of events are any.
func inHoles(t testing.TB) eventstore.Store { return gatewaytest.Sparse(inMemory(t)) }

func inSQLite(t testing.TB) eventstore.Store {
	return sqliteAt(t, filepath.Join(t.TempDir(), "events.db"))
}

func sqliteAt(t testing.TB, path string) *sqlite.Store {
	s, err := sqlite.Open(t.Context(), path, sqlite.PollInterval(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func inPostgres(t testing.TB) eventstore.Store {
	s, err := postgres.Open(t.Context(), testenv.Postgres(t), postgres.WithPollInterval(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	for name, store := range behind {
		t.Run(name, func(t *testing.T) {
			eventstoretest.Run(t, func(t testing.TB) eventstore.Store {
				return open(t, gatewaytest.Start(t, store(t), true).Connection(gatewaytest.Writer, ""))
			})
		})
	}
}

func TestDurable(t *testing.T) {
	for name, store := range behind {
		t.Run(name, func(t *testing.T) {
			eventstoretest.RunDurable(t, func(t testing.TB) func() eventstore.Store {
				server := gatewaytest.Start(t, store(t), true)
				return func() eventstore.Store { return open(t, server.Connection(gatewaytest.Writer, "")) }
			})
		})
	}
}

func TestLinearizable(t *testing.T) {
	eventstoretest.Linearizable(t, func(t testing.TB) eventstore.Store {
		return open(t, gatewaytest.Start(t, inSQLite(t), true).Connection(gatewaytest.Writer, ""))
	})
}

// Writers are killed, and the server is stopped and started again under all of them.
func TestNoSkip(t *testing.T) {
	for name, store := range behind {
		if name == "memory" || name == "sparse" {
			continue // it would not outlive its server
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := store(t)
			server := gatewaytest.Start(t, log, true)
			connection := server.Connection(gatewaytest.Writer, "")
			var restarts atomic.Int64
			eventstoretest.NoSkip(t, eventstoretest.Trial{
				Open:   func(ctx context.Context) (eventstore.Store, error) { return openLog(ctx, connection) },
				Writer: eventstoretest.Process(connection),
				Enough: func() bool { return restarts.Load() >= 2 },
				Disturb: func(ctx context.Context) {
					tick := time.NewTicker(400 * time.Millisecond)
					defer tick.Stop()
					for {
						select {
						case <-tick.C:
						case <-ctx.Done():
							return
						}
						server.Restart()
						restarts.Add(1)
					}
				},
			})
			t.Logf("the server was restarted %d times", restarts.Load())
		})
	}
}

func event(typ string) eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: typ, Data: []byte(`{}`), Meta: []byte(`{"workspace":"acme"}`)}
}

func events(n int) []eventstore.Event {
	all := make([]eventstore.Event, n)
	for i := range all {
		all[i] = event("test.happened.v1")
	}
	return all
}

// A repeat is found behind what the server itself remembers: many events later, and
// by another process.
func TestRepeatsAreFoundFarBack(t *testing.T) {
	connection := gatewaytest.Start(t, inMemory(t), true).Connection(gatewaytest.Writer, "")
	s, old := open(t, connection), event("test.happened.v1")
	first, err := s.Append(t.Context(), "chat-1", eventstore.NoStream, old)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Append(t.Context(), "chat-1", eventstore.Any, events(900)...); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []eventstore.Revision{eventstore.NoStream, 0, 12, 2700, eventstore.Any} {
		got, err := open(t, connection).Append(t.Context(), "chat-1", want, old)
		if err != nil || !got.Existing || got.Position != first.Position || got.Revision != 0 {
			t.Errorf("repeat at %d = %+v, %v; want %+v", want, got, err, first)
		}
	}
}

// What the server keeps for itself, and what others write, in the same database.
func TestOthersInTheDatabase(t *testing.T) {
	log := inMemory(t)
	server := gatewaytest.Start(t, log, true)
	s := open(t, server.Connection(gatewaytest.Writer, ""))
	mine := event("chat.opened.v1")
	add := func(stream string, e eventstore.Event) {
		t.Helper()
		if _, err := log.Append(t.Context(), stream, eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
	add("$stats-node", event("$statsCollected"))
	add("$ce-chat", event("$>"))
	if _, err := s.Append(t.Context(), "chat-1", eventstore.NoStream, mine); err != nil {
		t.Fatal(err)
	}
	theirs := eventstore.Event{ID: uuid.New(), Type: "InvoicePaid", Data: []byte("\x00\x01 no JSON")}
	add("Invoice-7", theirs)
	add("$$chat-1", eventstore.Event{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$maxCount":100}`)})

	var got []uuid.UUID
	last := eventstore.Position(0)
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		got, last = append(got, r.ID), r.Position
	}
	if len(got) != 2 || got[0] != mine.ID || got[1] != theirs.ID {
		t.Errorf("read %v; want ours and theirs, without what is the server's", got)
	}
	if head, err := s.Head(t.Context()); err != nil || head.Position != last {
		t.Errorf("head %+v, %v; want %d", head, err, last)
	}
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{Categories: []string{"chat"}, Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.IsMark() && r.Position >= last {
			break // the follower's mark has passed what is not its own
		}
	}
}

func TestDeletedStreams(t *testing.T) {
	server := gatewaytest.Start(t, inMemory(t), true)
	s, client := open(t, server.Connection(gatewaytest.Writer, "")), official(t, server)
	ctx := t.Context()
	es := events(3)
	if _, err := s.Append(ctx, "chat-1", eventstore.NoStream, es[:2]...); err != nil {
		t.Fatal(err)
	}
	deleteStream(t, client, "chat-1")
	for r, err := range s.ReadStream(ctx, "chat-1", eventstore.StreamQuery{}) {
		t.Errorf("a deleted stream has %+v, %v", r, err)
	}
	res, err := open(t, server.Connection(gatewaytest.Writer, "")).Append(ctx, "chat-1", eventstore.NoStream, es[2])
	if err != nil || res.Revision != 2 {
		t.Errorf("append to a deleted stream = %+v, %v; want it to go on at 2", res, err)
	}
	tombstone(t, client, "chat-1")
	for _, err := range s.ReadStream(ctx, "chat-1", eventstore.StreamQuery{}) {
		if !errors.Is(err, kurrent.ErrDeleted) {
			t.Errorf("read of a tombstoned stream: %v; want ErrDeleted", err)
		}
	}
	if _, err := s.Append(ctx, "chat-1", eventstore.Any, event("x")); !errors.Is(err, kurrent.ErrDeleted) {
		t.Errorf("append to a tombstoned stream: %v; want ErrDeleted", err)
	}
}

// What the metadata of a stream hides cannot be read, yet it counts.
func TestAppendToAStreamThatIsHidden(t *testing.T) {
	server := gatewaytest.Start(t, inMemory(t), true)
	connection := server.Connection(gatewaytest.Writer, "defaultDeadline=2000")
	if _, err := open(t, connection).Append(t.Context(), "chat-1", eventstore.NoStream, events(3)...); err != nil {
		t.Fatal(err)
	}
	var hides esdb.StreamMetadata
	hides.SetTruncateBefore(3)
	if _, err := official(t, server).SetStreamMetadata(t.Context(), "chat-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, hides); err != nil {
		t.Fatal(err)
	}
	s := open(t, connection)
	if _, err := s.Append(t.Context(), "chat-1", eventstore.NoStream, event("x")); !errors.Is(err, eventstore.ErrConflict) {
		t.Errorf("append to it as if it were not there: %v; want a conflict", err)
	}
	if res, err := s.Append(t.Context(), "chat-1", eventstore.Any, event("x")); err != nil || res.Revision != 3 {
		t.Errorf("append = %+v, %v; want revision 3", res, err)
	}
}
