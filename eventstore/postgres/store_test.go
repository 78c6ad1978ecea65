package postgres_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, url string, opts ...postgres.Option) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Store { return open(t, testenv.Postgres(t)) }, eventstoretest.Dense)
}

func TestDurable(t *testing.T) {
	eventstoretest.RunDurable(t, func(t testing.TB) func() eventstore.Store {
		url := testenv.Postgres(t)
		return func() eventstore.Store { return open(t, url) }
	}, eventstoretest.Dense)
}
