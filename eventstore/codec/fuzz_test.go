package codec_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/eventstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever is in a log is decoded or refused, and what was decoded stays the
// same however often it is encoded and decoded again.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(golden, "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSuffix(filepath.Base(file), ".json"), data)
	}
	cdc := commands.Codec()
	f.Fuzz(func(t *testing.T, typ string, data []byte) {
		e, err := cdc.Decode(eventstore.Recorded{Event: eventstore.Event{Type: typ, Data: data}})
		if err != nil {
			return
		}
		first, err := cdc.Encode(uuid.Max, e, eventstore.Metadata{})
		if err != nil {
			t.Fatalf("%s %q: decoded, but not encoded: %v", typ, data, err)
		}
		e, err = cdc.Decode(eventstore.Recorded{Event: first})
		if err != nil {
			t.Fatalf("%s %q: encoded as %q, but not decoded: %v", typ, data, first.Data, err)
		}
		second, err := cdc.Encode(uuid.Max, e, eventstore.Metadata{})
		if err != nil || second.Type != first.Type || !bytes.Equal(second.Data, first.Data) {
			t.Errorf("%s %q is encoded as %q, and then as %q: %v", typ, data, first.Data, second.Data, err)
		}
	})
}
