package postgres_test

import (
	"bytes"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/internal/testenv"
)

// sample returns n events of about 450 bytes, as most are.
func sample(n int) []eventstore.Event {
	events := make([]eventstore.Event, n)
	for i := range events {
		id := uuid.New()
		events[i] = eventstore.Event{
			ID:   id,
			Type: "chat.message_received.v1",
			Data: fmt.Appendf(nil, `{"message":"%s","text":"%s"}`, id, bytes.Repeat([]byte("lorem ip"), 20)),
			Meta: fmt.Appendf(nil, `{"workspace":"acme","actor":"5511999990000","actor_kind":"customer","command_id":"%s","$correlationId":"%s"}`, id, id),
		}
	}
	return events
}

// BenchmarkAppend appends one event at a time, durably, to streams of 20.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, testenv.PostgresDurable(b))
			var streams atomic.Int64
			events := sample(b.N)
			var next atomic.Int64
			b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				stream, rev := "", eventstore.Revision(19)
				for pb.Next() {
					if rev == 19 {
						stream, rev = fmt.Sprintf("chat-%d", streams.Add(1)), eventstore.NoStream
					}
					i := next.Add(1) - 1
					res, err := s.Append(b.Context(), stream, rev, events[i])
					if err != nil {
						b.Error(err)
						return
					}
					rev = res.Revision
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkReadAll reads a log from its beginning to its end.
func BenchmarkReadAll(b *testing.B) {
	const total = 100_000
	s := open(b, testenv.Postgres(b))
	fill(b, s, total)
	for name, q := range map[string]eventstore.AllQuery{
		"all":       {},
		"backwards": {Backwards: true},
		"filtered":  {Categories: []string{"chat"}, Types: []string{"chat.message_received.v1"}},
		"rare":      {Types: []string{"chat.closed.v1"}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range s.ReadAll(b.Context(), q) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if name != "rare" && n < total {
					b.Fatalf("read %d events", n)
				}
			}
			b.ReportMetric(float64(b.N)*total/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func fill(b *testing.B, s *postgres.Store, total int) {
	b.Helper()
	for i := 0; i < total; i += 20 {
		if _, err := s.Append(b.Context(), fmt.Sprintf("chat-%d", i), eventstore.NoStream, sample(20)...); err != nil {
			b.Fatal(err)
		}
	}
}
