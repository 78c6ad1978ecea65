package postgres_test

import (
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/internal/testenv"
)

func TestLinearizable(t *testing.T) {
	t.Parallel()
	eventstoretest.Linearizable(t, func(t testing.TB) eventstore.Store { return open(t, testenv.Postgres(t)) })
}
