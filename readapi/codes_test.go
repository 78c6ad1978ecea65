package readapi_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every refusal that the source can give is in the documentation, and a code
// has one kind wherever it is used.
func TestEveryCodeIsDocumented(t *testing.T) {
	const file, begin, end = "../docs/api.md", "<!-- codes -->\n", "<!-- /codes -->"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the codes", file)
	}
	want := codeTable(t)
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("codes have changed; run this test with -update (-source +%s):\n%s", file, diff)
	}
}

var (
	isNew    = regexp.MustCompile(`fault\.New\(fault\.(\w+), "([^"]+)", "([^"]+)"\)`)
	isBad    = regexp.MustCompile(`fault\.Bad\("[^"]+", "([^"]+)", "([^"]+)"\)`)
	statuses = map[string]string{"Invalid": "400", "Forbidden": "403", "NotFound": "404", "Conflict": "409", "Reused": "422"}
)

func codeTable(t *testing.T) string {
	t.Helper()
	type refusal struct{ status, text string }
	all := map[string]refusal{}
	add := func(path, code string, r refusal) {
		if old, known := all[code]; known && old.status != r.status {
			t.Errorf("%s: %s is a %s here and a %s elsewhere", path, code, r.status, old.status)
		} else if known && old.text < r.text {
			r = old // of two wordings always the same one
		}
		all[code] = r
	}
	for _, root := range []string{"../domain", "../commands", "../projections", "../audit", "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range isNew.FindAllStringSubmatch(string(source), -1) {
				add(path, m[2], refusal{statuses[m[1]], m[3]})
			}
			for _, m := range isBad.FindAllStringSubmatch(string(source), -1) {
				add(path, m[1], refusal{"400", m[2]})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	b.WriteString("| code | status | |\n|---|---|---|\n")
	for _, code := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", code, all[code].status, all[code].text)
	}
	return b.String()
}
