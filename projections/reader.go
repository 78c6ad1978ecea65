package projections

import (
	"context"

	"github.com/chatledger/chatledger/eventstore"
)

const (
	batchBytes  = 8 << 20 // of events' data in a batch
	readAhead   = 2       // batches
	perEventUse = 512     // bytes that an event needs besides its data
)

// read yields the log behind after to out, decoded and cut into batches of at
// most size events, until it ends, ctx does, or q says so; then it closes out.
// It is run beside the fold, which it stays a little ahead of. The last batch
// has the error that ended the reading.
func read(ctx context.Context, cfg *Config, q eventstore.AllQuery, upTo eventstore.Position, size int, out chan<- batch) {
	defer close(out)
	b := batch{end: q.After}
	bytes := 0
	flush := func() bool {
		select {
		case out <- b:
		case <-ctx.Done():
			return false
		}
		b, bytes = batch{end: b.end}, 0
		return true
	}
	for r, err := range cfg.Store.ReadAll(ctx, q) {
		if err != nil {
			b.err = err
			flush()
			return
		}
		if upTo > 0 && r.Position > upTo {
			b.end = upTo
			break
		}
		moved := r.Position > b.end
		b.end = max(b.end, r.Position)
		if r.IsMark() {
			if moved || len(b.items) > 0 {
				if !flush() {
					return
				}
			}
			continue
		}
		bytes += len(r.Data) + len(r.Meta) + perEventUse
		if it, ok := decode(cfg, r); ok {
			b.items = append(b.items, it)
		}
		if len(b.items) >= size || bytes >= batchBytes {
			if !flush() {
				return
			}
		}
	}
	flush()
}
