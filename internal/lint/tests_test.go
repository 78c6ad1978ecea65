package lint

import (
	"go/ast"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
)

// watched lists packages that start goroutines and have no tests of their own
// that would see one left over, each with the package whose tests do.
var watched = map[string]string{
	"channels/whatsapp/graphtest":    "channels/whatsapp",
	"cmd/chatledger/demo":            "cmd/chatledger",
	"eventstore/gateway/gatewaytest": "eventstore/gateway",
	"internal/blob/blobtest":         "internal/blob/dir",
	"internal/testenv/with":          "internal/testenv",
	"projections/views/viewstest":    "projections/views",
}

// A package that starts goroutines has tests that fail if one is left over.
func TestGoroutinesAreWatched(t *testing.T) {
	starts, checks := map[string]string{}, map[string]bool{}
	for f := range sources(t) {
		pkg := path.Dir(f.path)
		if f.test {
			for _, spec := range f.ast.Imports {
				if imp, err := strconv.Unquote(spec.Path.Value); err == nil && imp == "go.uber.org/goleak" {
					checks[pkg] = true
				}
			}
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if startsGoroutine(n) && starts[pkg] == "" {
				starts[pkg] = f.at(n)
			}
			return true
		})
	}
	for pkg, at := range starts {
		by := pkg
		if other := watched[pkg]; other != "" {
			by = other
		}
		if !checks[by] && !strings.HasPrefix(pkg, "bench") {
			t.Errorf("%s: a goroutine is started here, and no test of %s uses goleak", at, by)
		}
	}
	for pkg := range watched {
		if starts[pkg] == "" || checks[pkg] {
			t.Errorf("%s needs no exception any more", pkg)
		}
	}
	if len(starts) < 10 {
		t.Errorf("%d packages start goroutines: has the rule gone blind?", len(starts))
	}
}

// startsGoroutine finds `go f()`, and Go(f) of a sync.WaitGroup or an
// errgroup.Group.
func startsGoroutine(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "Go" && len(n.Args) == 1
	}
	return false
}

// Each fuzz test has inputs in the repository, which run with every `go test`.
func TestFuzzTestsHaveACorpus(t *testing.T) {
	found := 0
	for f := range sources(t) {
		if !f.test || strings.HasPrefix(f.path, "bench/") {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			found++
			corpus := path.Join(path.Dir(f.path), "testdata", "fuzz", fn.Name.Name)
			if files, err := os.ReadDir(path.Join(root, corpus)); err != nil || len(files) == 0 {
				t.Errorf("%s: %s has no inputs in %s: %v", f.at(fn), fn.Name.Name, corpus, err)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d fuzz tests: has the rule gone blind?", found)
	}
}
