package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// banned calls, by import path and name, each with what to use instead.
var banned = map[string]string{
	"time.Now":     "take a `now func() time.Time`",
	"time.Since":   "take a `now func() time.Time`",
	"time.Until":   "take a `now func() time.Time`",
	"time.Sleep":   "wait on a timer and ctx.Done() in a select",
	"time.Tick":    "use time.NewTicker and stop it",
	"fmt.Print":    "take an io.Writer or a *slog.Logger",
	"fmt.Printf":   "take an io.Writer or a *slog.Logger",
	"fmt.Println":  "take an io.Writer or a *slog.Logger",
	"slog.Default": "take a *slog.Logger",
	"slog.Debug":   "take a *slog.Logger",
	"slog.Info":    "take a *slog.Logger",
	"slog.Warn":    "take a *slog.Logger",
	"slog.Error":   "take a *slog.Logger",
	"log.Print":    "take a *slog.Logger",
	"log.Printf":   "take a *slog.Logger",
	"log.Println":  "take a *slog.Logger",
	"log.Fatal":    "return an error",
	"log.Fatalf":   "return an error",
	"os.Exit":      "return an error",
	"http.Get":     "use an *http.Client with a timeout",
	"http.Post":    "use an *http.Client with a timeout",
}

// free lists where a program meets its surroundings, and the clock, the exit
// code and the terminal are at hand.
const free = "cmd/** internal/soak/** internal/testenv/** internal/eventdoc/** internal/lint/** eventstore/eventstoretest/** eventstore/gateway/gatewaytest/**"

// A clock, a logger and an exit are arguments. The linter knows the same list
// (.golangci.yml); here it holds for whoever only runs the tests.
func TestBannedCalls(t *testing.T) {
	for f := range sources(t) {
		if f.test || matchAny(free, f.path) {
			continue
		}
		excused := map[int]bool{} // lines that say why
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//nolint:forbidigo // ") {
					excused[f.fset.Position(c.Pos()).Line] = true
				}
			}
		}
		names := map[string]string{} // of imports in this file
		for _, spec := range f.ast.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			name := path.Base(imp)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			names[name] = path.Base(imp)
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" {
				called := names[x.Name] + "." + sel.Sel.Name
				if instead := banned[called]; instead != "" && !excused[f.fset.Position(call.Pos()).Line] {
					t.Errorf("%s calls %s: %s", f.at(call), called, instead)
				}
			}
			return true
		})
	}
}

// Nothing happens by being imported.
func TestNoInit(t *testing.T) {
	for f := range sources(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init: let the caller call it", f.at(fn))
			}
		}
	}
}

// An interface that is small can be implemented, faked and explained.
func TestInterfacesAreSmall(t *testing.T) {
	for f := range sources(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok && spec.Name.IsExported() && i.Methods.NumFields() > 4 {
				t.Errorf("%s: interface %s has %d methods, want at most 4", f.at(spec), spec.Name.Name, i.Methods.NumFields())
			}
			return true
		})
	}
}

// An event's name is a literal of the form subject.fact.v1, and names one type.
func TestEventNames(t *testing.T) {
	form := regexp.MustCompile(`^[a-z_]+\.[a-z_]+\.v[1-9][0-9]*$`)
	owner := map[string]string{}
	for f := range sources(t) {
		if f.test || !strings.HasPrefix(f.path, "domain/") {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "EventType" {
				continue
			}
			name, ok := returnedLiteral(fn)
			switch {
			case !ok:
				t.Errorf("%s: EventType does not return a literal", f.at(fn))
			case !form.MatchString(name):
				t.Errorf("%s: event name %q, want one such as \"chat.assigned.v1\"", f.at(fn), name)
			case owner[name] != "":
				t.Errorf("%s: %q is the name of an event in %s too", f.at(fn), name, owner[name])
			}
			owner[name] = f.at(fn)
		}
	}
	if len(owner) == 0 {
		t.Error("no event found: has the domain moved?")
	}
}

// A projection's name is a literal with its version, and names one projection.
func TestProjectionNames(t *testing.T) {
	form := regexp.MustCompile(`^[a-z_]+\.v[1-9][0-9]*$`)
	owner := map[string]string{}
	for f := range sources(t) {
		if f.test || !strings.HasPrefix(f.path, "projections/") || path.Dir(f.path) == "projections" {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Name" || fn.Type.Params.NumFields() != 0 {
				continue
			}
			name, ok := returnedLiteral(fn)
			switch {
			case !ok:
				t.Errorf("%s: Name does not return a literal", f.at(fn))
			case !form.MatchString(name):
				t.Errorf("%s: projection name %q, want one such as \"inbox.v1\"", f.at(fn), name)
			case owner[name] != "":
				t.Errorf("%s: %q is the name of a projection in %s too", f.at(fn), name, owner[name])
			}
			owner[name] = f.at(fn)
		}
	}
}

func returnedLiteral(fn *ast.FuncDecl) (string, bool) {
	if fn.Body == nil || len(fn.Body.List) != 1 {
		return "", false
	}
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return "", false
	}
	lit, ok := ret.Results[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// The tree says nothing about the machine it was written on, and leaves
// nothing open.
func TestNoLeftovers(t *testing.T) {
	// Written so that they do not match themselves.
	left := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|\bt\.Skip` + `(f|Now)?\(`)
	machine := regexp.MustCompile(`(^|[^A-Za-z.\w}])/(wo` + `rk|ho` + `me|ro` + `ot|Us` + `ers)/`)
	for name, text := range texts(t) {
		for i, line := range strings.Split(text, "\n") {
			if left.MatchString(line) {
				t.Errorf("%s:%d: left open: %s", name, i+1, strings.TrimSpace(line))
			}
			if machine.MatchString(line) {
				t.Errorf("%s:%d: names a path of one machine: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// root is the top of the repository, seen from this package.
const root = "../.."

// skipped lists folders that are not source.
var skipped = map[string]bool{".git": true, "bin": true, "data": true, "testdata": true, "node_modules": true}

func walk(t *testing.T) iter.Seq[string] {
	t.Helper()
	return func(yield func(string) bool) {
		err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && skipped[d.Name()]:
				return fs.SkipDir
			case d.IsDir():
				return nil
			case !yield(name):
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

type source struct {
	path string // from the top of the repository
	test bool
	fset *token.FileSet
	ast  *ast.File
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// sources yields every Go file of the main module.
func sources(t *testing.T) iter.Seq[source] {
	t.Helper()
	return func(yield func(source) bool) {
		for name := range walk(t) {
			if path.Ext(name) != ".go" || strings.HasPrefix(name, "tools/") {
				continue
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, path.Join(root, name), nil, parser.ParseComments)
			if err != nil {
				t.Error(err)
				continue
			}
			if !yield(source{name, strings.HasSuffix(name, "_test.go"), fset, f}) {
				return
			}
		}
	}
}

// texts yields every file that people write.
func texts(t *testing.T) iter.Seq2[string, string] {
	t.Helper()
	kinds := map[string]bool{".go": true, ".md": true, ".sql": true, ".yml": true, ".sh": true, "": true}
	return func(yield func(string, string) bool) {
		for name := range walk(t) {
			if !kinds[path.Ext(name)] {
				continue
			}
			b, err := os.ReadFile(path.Join(root, name))
			if err != nil {
				t.Error(err)
				continue
			}
			if !yield(name, string(b)) {
				return
			}
		}
	}
}
