// Package eventdoc makes docs/events.md, the catalogue of events, from the
// source of the domain: names, fields and comments are what the code says.
//
// It reads source text only and never imports what it describes.
package eventdoc

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"reflect"
	"strconv"
	"strings"
)

// Write returns the catalogue of the events in domain, a folder with one
// package for each aggregate.
func Write(domain fs.FS) (string, error) {
	dirs, err := fs.ReadDir(domain, ".")
	if err != nil {
		return "", fmt.Errorf("eventdoc: read domain: %w", err)
	}
	var all []aggregate
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		a, err := read(domain, d.Name())
		if err != nil {
			return "", fmt.Errorf("eventdoc: %w", err)
		}
		if len(a.events) > 0 {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return "", errors.New("eventdoc: no events found")
	}
	return render(all), nil
}

type aggregate struct {
	name   string
	doc    string // first sentence of the package comment
	events []structType
	types  []structType // structs that the events hold, in the order of the source
}

type structType struct {
	event  string // published name, of events only
	name   string // in Go
	doc    string
	fields []field
}

type field struct{ json, typ, doc string }

func read(domain fs.FS, dir string) (aggregate, error) {
	a := aggregate{name: dir}
	r := reader{structs: map[string]structType{}, names: map[string]string{}, basic: map[string]string{}, values: map[string][]string{}}
	files, err := fs.Glob(domain, path.Join(dir, "*.go"))
	if err != nil {
		return a, err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := fs.ReadFile(domain, name)
		if err != nil {
			return a, err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
		if err != nil {
			return a, fmt.Errorf("parse %s: %w", name, err)
		}
		if f.Doc != nil {
			a.doc = strings.Replace(firstSentence(f.Doc.Text()), "Package "+dir+" decides", "Decides", 1)
		}
		r.file(f)
	}
	for _, goName := range r.catalogue {
		s, ok := r.structs[goName]
		if !ok {
			return a, fmt.Errorf("%s.Events lists %s, which is no struct", dir, goName)
		}
		if s.event = r.names[goName]; s.event == "" {
			return a, fmt.Errorf("%s.%s has no EventType that returns a literal", dir, goName)
		}
		a.events = append(a.events, s)
	}
	a.types = r.held(a.events)
	for _, list := range [][]structType{a.events, a.types} {
		for i := range list {
			for j := range list[i].fields {
				list[i].fields[j].typ = r.describe(list[i].fields[j].typ)
			}
		}
	}
	return a, nil
}

// reader collects what one package declares.
type reader struct {
	structs   map[string]structType
	order     []string            // of structs, as declared
	names     map[string]string   // Go name of an event to its published name
	basic     map[string]string   // other named types to what they are made of
	values    map[string][]string // the constants of such a type
	catalogue []string            // Go names in Events
}

func (r *reader) file(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			r.method(d)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					r.typ(d, s)
				case *ast.ValueSpec:
					if d.Tok == token.CONST {
						r.constant(s)
					} else {
						r.variable(s)
					}
				}
			}
		}
	}
}

func (r *reader) method(d *ast.FuncDecl) {
	if d.Recv == nil || d.Name.Name != "EventType" || d.Body == nil || len(d.Body.List) != 1 {
		return
	}
	ret, ok := d.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return
	}
	lit, ok := ret.Results[0].(*ast.BasicLit)
	if !ok {
		return
	}
	if name, err := strconv.Unquote(lit.Value); err == nil {
		r.names[text(d.Recv.List[0].Type)] = name
	}
}

func (r *reader) typ(d *ast.GenDecl, s *ast.TypeSpec) {
	st, ok := s.Type.(*ast.StructType)
	if !ok {
		r.basic[s.Name.Name] = text(s.Type)
		return
	}
	doc := s.Doc
	if doc == nil {
		doc = d.Doc
	}
	t := structType{name: s.Name.Name, doc: oneLine(doc.Text())}
	for _, f := range st.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue
		}
		name, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		typ := strings.TrimPrefix(text(f.Type), "*")
		if strings.Contains(options, "omit") {
			typ += ", optional"
		}
		t.fields = append(t.fields, field{name, typ, oneLine(f.Doc.Text() + " " + f.Comment.Text())})
	}
	r.structs[t.name] = t
	r.order = append(r.order, t.name)
}

func (r *reader) constant(s *ast.ValueSpec) {
	if s.Type == nil || len(s.Values) != 1 {
		return
	}
	if lit, ok := s.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if v, err := strconv.Unquote(lit.Value); err == nil && v != "" {
			r.values[text(s.Type)] = append(r.values[text(s.Type)], v)
		}
	}
}

func (r *reader) variable(s *ast.ValueSpec) {
	if len(s.Names) != 1 || s.Names[0].Name != "Events" || len(s.Values) != 1 {
		return
	}
	list, ok := s.Values[0].(*ast.CompositeLit)
	if !ok {
		return
	}
	for _, e := range list.Elts {
		if lit, ok := e.(*ast.CompositeLit); ok {
			r.catalogue = append(r.catalogue, text(lit.Type))
		}
	}
}

// held returns the structs that the events are made of, directly or not.
func (r *reader) held(events []structType) (types []structType) {
	want := map[string]bool{}
	var visit func(structType)
	visit = func(s structType) {
		for _, f := range s.fields {
			name := elem(f.typ)
			if t, ok := r.structs[name]; ok && !want[name] {
				want[name] = true
				visit(t)
			}
		}
	}
	for _, e := range events {
		visit(e)
	}
	for _, name := range r.order {
		if want[name] && r.names[name] == "" {
			types = append(types, r.structs[name])
		}
	}
	return types
}

// describe returns a Go type in the words of JSON.
func (r *reader) describe(typ string) string {
	typ, optional, _ := strings.Cut(typ, ",")
	switch {
	case strings.HasPrefix(typ, "[]") && typ != "[]byte":
		typ = "list of " + r.describe(typ[2:])
	case typ == "time.Time":
		typ = "time"
	case typ == "media.Kind": // of a package that has no events
		typ = "string"
	case typ == "json.RawMessage":
		typ = "JSON"
	case len(r.values[typ]) > 0:
		typ = "`" + strings.Join(r.values[typ], "`, `") + "`"
	case r.basic[typ] != "":
		typ = r.describe(r.basic[typ])
	case r.structs[typ].name != "":
		typ = "[" + typ + "](#" + strings.ToLower(typ) + ")"
	case typ == "bool":
		typ = "true or false"
	case strings.HasPrefix(typ, "int"), strings.HasPrefix(typ, "uint"):
		typ = "integer"
	case strings.HasPrefix(typ, "float"):
		typ = "number"
	}
	if optional != "" {
		typ += "," + optional
	}
	return typ
}

func elem(typ string) string {
	typ, _, _ = strings.Cut(typ, ",")
	return strings.TrimPrefix(strings.TrimPrefix(typ, "[]"), "*")
}

func render(all []aggregate) string {
	var b strings.Builder
	b.WriteString(`# Events

<!-- Written by make generate from the source of domain/. Do not edit. -->

Everything that can be in the log, aggregate by aggregate, in the order of a
life. The data of an event is a JSON object with the fields below; who caused it,
when and why is in its metadata, which every event has ([glossary](glossary.md)).
Names are never changed. Times are RFC 3339 in UTC; amounts of money are integers
in the minor unit of their currency.

`)
	for _, a := range all {
		fmt.Fprintf(&b, "- [%s](#%s): %d\n", a.name, a.name, len(a.events))
	}
	types := map[string]bool{} // heading names are unique in the page
	for _, a := range all {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", a.name, a.doc)
		for _, e := range a.events {
			fmt.Fprintf(&b, "\n### `%s`\n\n%s\n", e.event, e.doc)
			fields(&b, e.fields)
		}
		for _, s := range a.types {
			if types[s.name] {
				continue
			}
			types[s.name] = true
			fmt.Fprintf(&b, "\n#### %s\n\n%s\n", s.name, s.doc)
			fields(&b, s.fields)
		}
	}
	return b.String()
}

func fields(b *strings.Builder, list []field) {
	if len(list) == 0 {
		b.WriteString("\nIt has no fields.\n")
		return
	}
	b.WriteString("\n| field | holds | |\n|---|---|---|\n")
	for _, f := range list {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.json, f.typ, strings.ReplaceAll(f.doc, "|", `\|`))
	}
}

func firstSentence(doc string) string {
	s := oneLine(doc)
	if i := strings.Index(s, ". "); i >= 0 {
		s = s[:i+1]
	}
	return s
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// text returns a type expression as it is written in Go.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + text(e.X)
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	case *ast.ArrayType:
		return "[]" + text(e.Elt)
	case *ast.MapType:
		return "map[" + text(e.Key) + "]" + text(e.Value)
	}
	return "?"
}
