package eventstore_test

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever is in a log is decoded or refused, and what was decoded stays the
// same however often it is encoded and decoded again.
func FuzzDecodeMetadata(f *testing.F) {
	for _, meta := range []string{
		"", "{}", "null", "[]", `{"workspace":"acme","actor":"mia","actor_kind":"agent","channel":"c","command":"chat.claim","command_id":"1","request":"r"}`,
		`{"$correlationId":"a","$causationId":"b","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`,
		`{"occurred_at":"2026-11-25T18:36:46.123456789+02:00"}`, `{"occurred_at":"0000-01-01T00:00:00+14:00"}`, `{"occurred_at":null}`,
		`{"workspace":"a","workspace":"b"}`, "{\"actor\":\"\xff\"}", `{"actor":"\ud800"}`, `{"Actor":"x"}`, `{"unknown":{"a":[1e400]}}`,
	} {
		f.Add([]byte(meta))
	}
	f.Fuzz(func(t *testing.T, meta []byte) {
		m, err := eventstore.DecodeMetadata(eventstore.Recorded{Event: eventstore.Event{Meta: meta}})
		if err != nil {
			return
		}
		first, err := m.Encode()
		if err != nil {
			t.Fatalf("%q: decoded as %+v, but not encoded: %v", meta, m, err)
		}
		m, err = eventstore.DecodeMetadata(eventstore.Recorded{Event: eventstore.Event{Meta: first}})
		if err != nil {
			t.Fatalf("%q: encoded as %q, but not decoded: %v", meta, first, err)
		}
		if second, err := m.Encode(); err != nil || !bytes.Equal(second, first) {
			t.Errorf("%q is encoded as %q, and then as %q: %v", meta, first, second, err)
		}
	})
}
