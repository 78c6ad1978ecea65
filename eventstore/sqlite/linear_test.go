package sqlite_test

import (
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
)

func TestLinearizable(t *testing.T) {
	eventstoretest.Linearizable(t, func(t testing.TB) eventstore.Store { return open(t, file(t)) })
}
