package projections_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// held is a database whose nth write waits before it begins, until it is let go.
type held struct {
	sqldb.DB
	nth     int64
	n       atomic.Int64
	reached chan struct{}
	release chan struct{}
}

func hold(db sqldb.DB, nth int64) *held {
	return &held{DB: db, nth: nth, reached: make(chan struct{}), release: make(chan struct{})}
}

func (h *held) Write(ctx context.Context, fn func(sqldb.Tx) error) error {
	if h.n.Add(1) == h.nth {
		close(h.reached)
		<-h.release
	}
	return h.DB.Write(ctx, fn)
}

// A process is suspended in a rebuild. Another one resumes and ends it, and
// begins the next, which is just as far when the first one wakes up. What that
// has in hand is of a build which is over.
func TestASuspendedRebuildDoesNotWriteIntoTheNext(t *testing.T) {
	const secondChunk = 4 // after the preparation, the lease and the first chunk
	onBoth(t, func(t *testing.T, e *env) {
		last := e.fill(t, 200)
		live := e.config()
		start(t, live)
		waitFor(t, e.db, "toy.v1", last)

		rebuild := func(db sqldb.DB, ahead time.Duration) <-chan error {
			cfg := e.config()
			cfg.DB, cfg.ChunkSize = db, 20
			cfg.Now = func() time.Time { return time.Now().Add(ahead) }
			done := make(chan error, 1)
			go func() { done <- projections.Rebuild(deadline(t), cfg, "toy.v1", nil) }()
			return done
		}
		suspended := hold(e.db, secondChunk)
		first := rebuild(suspended, 0)
		<-suspended.reached
		if err := <-rebuild(e.db, time.Hour); err != nil {
			t.Fatal(err)
		}
		next := hold(e.db, secondChunk)
		second := rebuild(next, time.Hour)
		<-next.reached

		close(suspended.release)
		if err := <-first; err == nil || !strings.Contains(err.Error(), "another process has taken over") {
			t.Errorf("the suspended rebuild ended with %v", err)
		}
		close(next.release)
		if err := <-second; err != nil {
			t.Error(err)
		}
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, live)
		if s := status(t, live); s.Generation != 3 || s.Rebuild != nil {
			t.Errorf("status %+v", s)
		}
	})
}
