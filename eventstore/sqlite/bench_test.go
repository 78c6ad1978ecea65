package sqlite_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// message is an event of about 450 bytes, as a chat message is.
func message() eventstore.Event {
	id := uuid.New()
	return eventstore.Event{
		ID:   id,
		Type: "chat.message_received.v1",
		Data: fmt.Appendf(nil, `{"message":"%s","from":"+5511999990000","text":"%s"}`, id, bytes.Repeat([]byte("text "), 24)),
		Meta: fmt.Appendf(nil, `{"workspace":"acme","actor":"+5511999990000","actor_kind":"customer","channel":"%s","command":"chat.receive","command_id":"%s"}`, id, id),
	}
}

// BenchmarkAppend appends one event a call, to streams of 20 events.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "events.db"))
			ctx := b.Context()
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					var stream string
					for i := 0; left.Add(-1) >= 0; i++ {
						if i%20 == 0 {
							stream = "chat-" + uuid.NewString()
						}
						if _, err := s.Append(ctx, stream, eventstore.Revision(i%20-1), message()); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// fill appends n events to streams of 20, which grow beside each other.
func fill(b *testing.B, s *sqlite.Store, n int) {
	b.Helper()
	const beside = 50
	for done := 0; done < n; {
		var wg sync.WaitGroup
		for range beside {
			wg.Go(func() {
				stream := "chat-" + uuid.NewString()
				for i := range 20 {
					if _, err := s.Append(b.Context(), stream, eventstore.Revision(i-1), message()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		done += 20 * beside
	}
}

// BenchmarkRead reads a log of 100,000 events.
func BenchmarkRead(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "events.db"))
	const n = 100_000
	fill(b, s, n)
	for _, bb := range []struct {
		name string
		q    eventstore.AllQuery
	}{
		{"all", eventstore.AllQuery{}},
		{"filtered out", eventstore.AllQuery{Types: []string{"none"}}},
		{"filtered by category", eventstore.AllQuery{Categories: []string{"none"}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var last eventstore.Position
				for r, err := range s.ReadAll(b.Context(), bb.q) {
					if err != nil {
						b.Fatal(err)
					}
					last = r.Position
				}
				if last < n {
					b.Fatalf("read to %d", last)
				}
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
		})
	}
	var streams []string
	for r, err := range s.ReadAll(b.Context(), eventstore.AllQuery{}) {
		if err != nil {
			b.Fatal(err)
		}
		if r.Revision == 0 {
			streams = append(streams, r.Stream)
		}
	}
	b.Run("stream of 20", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			for _, err := range s.ReadStream(b.Context(), streams[i*7919%len(streams)], eventstore.StreamQuery{}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
