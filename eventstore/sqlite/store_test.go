package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Store {
		return open(t, filepath.Join(t.TempDir(), "events.db"))
	}, eventstoretest.Dense)
}

func TestDurable(t *testing.T) {
	eventstoretest.RunDurable(t, func(t testing.TB) func() eventstore.Store {
		path := filepath.Join(t.TempDir(), "events.db")
		return func() eventstore.Store { return open(t, path) }
	}, eventstoretest.Dense)
}

func open(t testing.TB, path string, opts ...sqlite.Option) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, append([]sqlite.Option{sqlite.PollInterval(10 * time.Millisecond)}, opts...)...)
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
