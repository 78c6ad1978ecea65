package reactors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/chat"
)

// Whatever names a file in the log is known to the sweep, or what it names would be
// removed.
func TestSweepsKnowAllEventsThatNameFiles(t *testing.T) {
	golden, err := filepath.Glob("../eventstore/codec/testdata/events/*.json")
	if err != nil || len(golden) == 0 {
		t.Fatalf("%d golden files, %v", len(golden), err)
	}
	known := []string{chat.MessageReceived{}.EventType()} // which names the file as its provider has it
	for _, f := range filesFacts() {
		known = append(known, f.EventType())
	}
	for _, path := range golden {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		typ := strings.TrimSuffix(filepath.Base(path), ".json")
		if strings.Contains(string(data), `"sha256"`) && !slices.Contains(known, typ) {
			t.Errorf("%s names a file, and the sweep does not know it", typ)
		}
	}
}
