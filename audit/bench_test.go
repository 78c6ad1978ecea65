package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// message is an event of about 450 bytes, as a chat message is.
func message() eventstore.Event {
	id := uuid.New()
	return eventstore.Event{
		ID: id, Type: "chat.message_received.v1",
		Data: fmt.Appendf(nil, `{"message":%q,"from":"+5511999990000","text":%q}`, id, strings.Repeat("text ", 24)),
		Meta: fmt.Appendf(nil, `{"workspace":"acme","actor":"+5511999990000","actor_kind":"customer","channel":%q,"command":"chat.receive","command_id":%q}`, id, id),
	}
}

// fill appends n events to a log, 100 at a time, of which each tenth time to the
// chat "long"; it returns where the log ends.
func fill(b *testing.B, log eventstore.Store, n int) (last eventstore.Position) {
	b.Helper()
	for k := 0; k*100 < n; k++ {
		events := make([]eventstore.Event, 100)
		for i := range events {
			events[i] = message()
		}
		stream := "chat-" + uuid.NewString()
		if k%10 == 0 {
			stream = "chat-long"
		}
		res, err := log.Append(b.Context(), stream, eventstore.Any, events...)
		if err != nil {
			b.Fatal(err)
		}
		last = res.Position
	}
	return last
}

// hash runs the tree until it has all events.
func hash(b *testing.B, tree *audit.Tree, last eventstore.Position) {
	b.Helper()
	run, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- tree.Run(run) }()
	err := tree.Wait(b.Context(), last)
	stop()
	if err := errors.Join(err, <-done); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRun hashes a log on SQLite from its first event on.
func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	log, err := sqlite.Open(b.Context(), filepath.Join(dir, "events.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	last := fill(b, log, b.N)
	tree := open(b, dir, log)
	b.ResetTimer()
	hash(b, tree, last)
	b.ReportMetric(float64(last)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkBundle proves a chat of 10,000 events in a log of 100,000, and checks it.
func BenchmarkBundle(b *testing.B) {
	const size = 100_000
	dir := b.TempDir()
	log, err := sqlite.Open(b.Context(), filepath.Join(dir, "events.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	last := fill(b, log, size)
	tree := open(b, dir, log)
	hash(b, tree, last)
	key, err := tree.Key(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var text bytes.Buffer
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			text.Reset()
			bundle, err := tree.NewBundle(b.Context(), audit.BundleQuery{Chat: "long", Streams: []string{"chat-long"}, AsOf: last})
			if err == nil {
				err = bundle.Write(b.Context(), &text)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(size/10*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(text.Len())/(size/10), "bytes/event")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if _, err := audit.VerifyBundle(bytes.NewReader(text.Bytes()), key, func(eventstore.Recorded) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(size/10*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

func open(b *testing.B, dir string, log eventstore.Store) *audit.Tree {
	b.Helper()
	openDB := func(name string, opts ...sqldb.Option) sqldb.DB {
		db, err := sqldb.OpenSQLite(b.Context(), filepath.Join(dir, name), opts...)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := db.Close(); err != nil {
				b.Error(err)
			}
		})
		return db
	}
	keys, err := accounts.Open(b.Context(), openDB("accounts.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	tree, err := audit.Open(b.Context(), audit.Config{
		Store: log, DB: openDB("audit.db", sqldb.Rebuildable), Keys: keys, Leases: keys, Holder: "bench", Alone: true,
		Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return tree
}

// BenchmarkLeafHash hashes one event.
func BenchmarkLeafHash(b *testing.B) {
	r := eventstore.Recorded{Event: message(), Stream: "chat-1", Position: 1}
	for b.Loop() {
		audit.LeafHash(r)
	}
}
