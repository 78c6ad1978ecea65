package sqlite_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// openLog opens the log at path. A word and a colon before it say what befalls
// the process that does: see harm_test.go.
func openLog(ctx context.Context, target string) (eventstore.Store, error) {
	path := target
	if harm, rest, ok := strings.Cut(target, ":"); ok {
		path = rest
		if err := befall(harm, path); err != nil {
			return nil, err
		}
	}
	return sqlite.Open(ctx, path, sqlite.PollInterval(10*time.Millisecond))
}

// trial has writers that open target; the readers open the log at path.
func trial(path, target string) eventstoretest.Trial {
	return eventstoretest.Trial{
		Open:   func(ctx context.Context) (eventstore.Store, error) { return openLog(ctx, path) },
		Writer: eventstoretest.Process(target),
		Dense:  true,
	}
}

func TestNoSkip(t *testing.T) {
	t.Parallel()
	path := file(t)
	eventstoretest.NoSkip(t, trial(path, path))
}
