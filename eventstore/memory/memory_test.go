package memory_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Store {
		s := memory.New(time.Now)
		t.Cleanup(func() { s.Close() })
		return s
	}, eventstoretest.Dense)
}
