package eventdoc_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/internal/eventdoc"
)

var update = flag.Bool("update", false, "rewrite docs/events.md")

// docs/events.md is what the source of the domain says.
func TestCatalogueIsCurrent(t *testing.T) {
	const file = "../../docs/events.md"
	got, err := eventdoc.Write(os.DirFS("../../domain"))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/events.md is not current; run `make generate` (-file +source):\n%s", diff)
	}
}
