package sqlite_test

import (
	"context"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

func openLog(ctx context.Context, path string) (eventstore.Store, error) {
	return sqlite.Open(ctx, path, sqlite.PollInterval(10*time.Millisecond))
}

func TestNoSkip(t *testing.T) {
	path := file(t)
	eventstoretest.NoSkip(t, eventstoretest.Trial{
		Open:   func(ctx context.Context) (eventstore.Store, error) { return openLog(ctx, path) },
		Writer: eventstoretest.Process(path),
		Dense:  true,
	})
}
