package projections_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
)

// said is an event of about 450 bytes.
type said struct {
	ID, From, Text string
	At             int64
}

type benchChat struct {
	ID       string   `db:"chat_id,key"`
	Last     string   `db:"last_message"`
	LastAt   int64    `db:"last_at"`
	Unread   int64    `db:"unread"`
	Assignee string   `db:"assignee"`
	Tags     []string `db:"tags"`
}

type benchMessageKey struct{ Chat, ID string }

type benchMessage struct {
	Chat string `db:"chat_id,key"`
	ID   string `db:"message_id,key"`
	From string `db:"sender"`
	Text string `db:"body"`
	At   int64  `db:"at"`
}

// benchView is an inbox and its messages: four of five events are messages.
type benchView struct {
	chats    *projections.Rows[string, benchChat]
	messages *projections.Rows[benchMessageKey, benchMessage]
	counts   *projections.Rows[string, benchCount]
}

type benchCount struct {
	Assignee string `db:"assignee,key"`
	N        int64  `db:"n"`
}

func newBenchView() projections.Projection {
	v := benchView{
		projections.NewRows("bench_chats", func(r *benchChat) string { return r.ID },
			projections.Index{Name: "by_last", Columns: "last_at DESC, chat_id"}),
		projections.NewRows("bench_messages", func(r *benchMessage) benchMessageKey { return benchMessageKey{r.Chat, r.ID} },
			projections.Index{Name: "by_time", Columns: "chat_id, at, message_id"}),
		projections.NewRows("bench_counts", func(r *benchCount) string { return r.Assignee }),
	}
	v.chats.OnChange(func(before, after *benchChat) {
		for i, r := range []*benchChat{before, after} {
			if r != nil {
				v.counts.Upsert(r.Assignee, func(c *benchCount) { c.Assignee, c.N = r.Assignee, c.N+int64(2*i-1) })
			}
		}
	})
	return v
}

func (benchView) Name() string         { return "bench.v1" }
func (benchView) Categories() []string { return nil }
func (v benchView) Tables() []projections.Table {
	return []projections.Table{v.chats, v.messages, v.counts}
}

func (v benchView) Apply(e projections.Event) {
	id := e.Subject()
	f := e.Fact.(said)
	if e.Revision%5 == 4 {
		v.chats.Update(id, func(r *benchChat) { r.Assignee, r.Unread = f.From, 0 })
		return
	}
	v.messages.Put(benchMessage{id, f.ID, f.From, f.Text, f.At})
	v.chats.Upsert(id, func(r *benchChat) { r.ID, r.Last, r.LastAt, r.Unread = id, f.Text[:60], f.At, r.Unread+1 })
}

func benchLog(b *testing.B, n int) *memory.Store {
	log := memory.New(time.Now)
	b.Cleanup(func() { _ = log.Close() })
	text := "The quick brown fox jumps over the lazy dog, and then again, because one sentence is not enough for a message. "
	var streams []string
	for range n/20 + 1 {
		streams = append(streams, "chat-"+uuid.NewString())
	}
	for i := 0; i < n; i += 20 {
		for _, stream := range []string{streams[(i*7919/20)%len(streams)]} {
			var events []eventstore.Event
			for j := range 20 {
				data, err := json.Marshal(said{uuid.NewString(), fmt.Sprintf("agent-%d", (i+j)%50), text + text, int64(i + j)})
				if err != nil {
					b.Fatal(err)
				}
				events = append(events, eventstore.Event{ID: uuid.New(), Type: "said", Data: data, Meta: []byte(`{"workspace":"w1","actor":"a1","actor_kind":"agent"}`)})
			}
			if _, err := log.Append(b.Context(), stream, eventstore.Any, events...); err != nil {
				b.Fatal(err)
			}
		}
	}
	return log
}

// BenchmarkFold measures events a second, from the log to the committed rows:
// live, into tables with their indexes, and in a rebuild. Run it with
// -benchtime=50000x or more: an iteration is an event.
func BenchmarkFold(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, mode := range []string{"live", "rebuild"} {
			b.Run(engine+"/"+mode, func(b *testing.B) { benchFold(b, engine, mode) })
		}
	}
}

func benchFold(b *testing.B, engine, mode string) {
	db := benchDB(b, engine)
	defer db.Close()
	log := benchLog(b, b.N)
	head, err := log.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	cfg := projections.Config{
		Store: log, DB: db, Now: time.Now, Waiter: projections.NewWaiter(db),
		Decode: func(r eventstore.Recorded) (any, error) {
			if r.Type != "said" {
				return nil, codec.UnknownTypeError{Type: r.Type}
			}
			var f said
			err := json.Unmarshal(r.Data, &f)
			return f, err
		},
		Projections: []func() projections.Projection{newBenchView},
	}
	if err := projections.Prepare(b.Context(), cfg); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if mode == "rebuild" {
		err = projections.Rebuild(b.Context(), cfg, "bench.v1", nil)
	} else {
		stop := startBench(b, cfg)
		err = cfg.Waiter.Wait(b.Context(), head.Position, "bench.v1")
		b.StopTimer()
		stop()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func startBench(b *testing.B, cfg projections.Config) (stop func()) {
	r, err := projections.NewRunner(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkAppendToView measures the time from an append to when six
// projections show it, one event at a time.
func BenchmarkAppendToView(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			db, log := benchDB(b, engine), memory.New(time.Now)
			defer db.Close()
			defer log.Close()
			e := &env{log: log, db: db}
			cfg := e.config()
			cfg.Waiter, cfg.Projections = projections.NewWaiter(db), nil
			var names []string
			for i := range 6 {
				name := fmt.Sprintf("toy%d", i)
				names = append(names, name+".v1")
				cfg.Projections = append(cfg.Projections, func() projections.Projection { return newToy(name, &e.mended) })
			}
			defer startBench(b, cfg)()
			data := []byte(`{"Owner":"a","N":1,"Tag":"t"}`)
			for b.Loop() {
				res, err := log.Append(b.Context(), "item-1", eventstore.Any, eventstore.Event{ID: uuid.New(), Type: "put", Data: data})
				if err != nil {
					b.Fatal(err)
				}
				if err := cfg.Waiter.Wait(b.Context(), res.Position, names...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchDB(b *testing.B, engine string) (db sqldb.DB) {
	var err error
	if engine == "sqlite" {
		db, err = sqldb.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "views.db"), sqldb.Rebuildable)
	} else {
		db, err = sqldb.OpenPostgres(b.Context(), testenv.Postgres(b), "views", sqldb.Rebuildable)
	}
	if err != nil {
		b.Fatal(err)
	}
	return db
}
