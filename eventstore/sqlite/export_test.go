package sqlite

import "github.com/chatledger/chatledger/eventstore"

// Pragma sets one on the writer's connection.
func Pragma(p string) Option { return func(s *Store) { s.pragmas = append(s.pragmas, p) } }

// Queued returns how many appends wait for the next transaction.
func (s *Store) Queued() int { return s.queue.len() }

// Generation sets how many events the file's index gets together.
func Generation(n int) Option { return func(s *Store) { s.tail.generation = n } }

// WALSize sets after how many bytes the WAL is moved into the file.
func WALSize(n int) Option { return func(s *Store) { s.walSize = n } }

// RoundTrip makes a block and takes it apart.
func RoundTrip(events []eventstore.Recorded) (heads, body []byte, got []eventstore.Recorded, err error) {
	var b builder
	for i := range events {
		b.add(events[i].Stream, events[i].Revision, &events[i].Event, int64(i))
	}
	heads, body = b.finish()
	got, err = TakeApart(heads, body, len(events))
	return heads, body, got, err
}

// TakeApart reads a block of n events.
func TakeApart(heads, body []byte, n int) ([]eventstore.Recorded, error) {
	r := reader{block: block{first: 1, heads: heads, body: body}}
	if err := r.block.parse(n); err != nil {
		return nil, err
	}
	for i := range r.block.items {
		r.chosen = append(r.chosen, i)
	}
	return r.take(nil), nil
}
