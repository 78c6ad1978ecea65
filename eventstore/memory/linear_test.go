package memory_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/memory"
)

func TestLinearizable(t *testing.T) {
	eventstoretest.Linearizable(t, func(t testing.TB) eventstore.Store {
		s := memory.New(time.Now)
		t.Cleanup(func() { s.Close() })
		return s
	})
}
