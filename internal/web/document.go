package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// document is the API described: for programs as OpenAPI 3.1, for people as a
// page that is made here, so that it needs no script and nothing from elsewhere.
type document struct {
	compact, indented, yaml, page []byte
	policy                        string // of the page
}

//go:embed document.html
var pageTemplate string

//go:embed document.css
var pageStyle string

func newDocument(o *huma.OpenAPI, log *slog.Logger) (d document) {
	// huma registers its own form of an error, which no answer of ours has.
	delete(o.Components.Schemas.Map(), "ErrorModel")
	delete(o.Components.Schemas.Map(), "ErrorDetail")
	allowNull(o.Components.Schemas)
	var err error
	if d.compact, err = json.Marshal(o); err != nil {
		log.Error("describe the API as JSON", slog.Any("error", err))
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, d.compact, "", "  "); err == nil {
		indented.WriteByte('\n')
		d.indented = indented.Bytes()
	}
	if d.yaml, err = o.YAML(); err != nil {
		log.Error("describe the API as YAML", slog.Any("error", err))
	}
	if d.page, err = newPage(o); err != nil {
		log.Error("describe the API as a page", slog.Any("error", err))
	}
	hash := sha256.Sum256([]byte(pageStyle))
	d.policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return d
}

// allowNull says of each property that is a pointer to a struct, and always
// there, that it may be null: huma says so only of simple types. Bodies of
// requests have no such property, so no validation changes.
func allowNull(registry huma.Registry) {
	for name, s := range registry.Map() {
		t := registry.TypeFromRef("#/components/schemas/" + name)
		for _, f := range reflect.VisibleFields(t) {
			property := s.Properties[f.Tag.Get("json")] // with omitempty, it is left out instead
			if f.Type.Kind() == reflect.Pointer && property != nil && property.Ref != "" {
				s.Properties[f.Tag.Get("json")] = &huma.Schema{
					OneOf: []*huma.Schema{{Ref: property.Ref}, {Type: "null"}}, Description: property.Description,
				}
			}
		}
	}
}

func (a *API) serveDocument() {
	serve := func(contentType string, part func(document) []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			d := a.document()
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", d.policy)
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(part(d)) // the client may be gone
		}
	}
	a.Handle("GET /openapi.json", serve("application/openapi+json", func(d document) []byte { return d.compact }))
	a.Handle("GET /openapi.yaml", serve("application/openapi+yaml", func(d document) []byte { return d.yaml }))
	a.Handle("GET /docs", serve("text/html; charset=utf-8", func(d document) []byte { return d.page }))
}

type page struct {
	Title, Version, Description string
	Style                       template.CSS
	Groups                      []group
	Problems                    []answer
}

type group struct {
	Name, Description string
	Operations        []operation
}

type operation struct {
	ID, Method, Path, Summary string
	Paragraphs                []string
	Parameters                []field
	Body                      []field
	BodyExample               string
	Answers                   []answer
	Problems                  []string // "404"
	Curl                      string
}

type answer struct {
	Status, Description string
	Headers             []field
	Fields              []field
	Example             string
}

type field struct {
	Name, In, Type, Description string
	Required                    bool
}

func newPage(o *huma.OpenAPI) ([]byte, error) {
	p := page{Title: o.Info.Title, Version: o.Info.Version, Description: o.Info.Description, Style: template.CSS(pageStyle)} //nolint:gosec // our own file, compiled in
	r := renderer{o.Components.Schemas}
	groups := map[string]*group{}
	var names []string
	for _, t := range o.Tags {
		groups[t.Name] = &group{Name: t.Name, Description: t.Description}
		names = append(names, t.Name)
	}
	for _, path := range slices.Sorted(maps.Keys(o.Paths)) {
		item := o.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			name := "Other"
			if len(op.Tags) > 0 {
				name = op.Tags[0]
			}
			if groups[name] == nil {
				groups[name] = &group{Name: name}
				names = append(names, name)
			}
			groups[name].Operations = append(groups[name].Operations, r.operation(op, path))
		}
	}
	for _, n := range names {
		if len(groups[n].Operations) > 0 {
			p.Groups = append(p.Groups, *groups[n])
		}
	}
	for _, status := range slices.Sorted(maps.Keys(problemNames)) {
		p.Problems = append(p.Problems, answer{Status: fmt.Sprint(status), Description: problemDocs[status]})
	}
	t, err := template.New("docs").Parse(pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("fill the page: %w", err)
	}
	return b.Bytes(), nil
}

// renderer explains schemas.
type renderer struct{ registry huma.Registry }

func (r renderer) operation(op *huma.Operation, path string) operation {
	v := operation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary}
	for paragraph := range strings.SplitSeq(op.Description, "\n\n") {
		if paragraph != "" {
			v.Paragraphs = append(v.Paragraphs, paragraph)
		}
	}
	for _, p := range op.Parameters {
		v.Parameters = append(v.Parameters, field{p.Name, p.In, r.kind(p.Schema), p.Description, p.Required})
	}
	if op.RequestBody != nil {
		if m := op.RequestBody.Content["application/json"]; m != nil {
			v.Body = r.fields(m.Schema, "", 0)
			v.BodyExample = indent(r.example(m.Schema, 0))
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		res := op.Responses[status]
		if res.Ref != "" {
			v.Problems = append(v.Problems, status)
			continue
		}
		a := answer{Status: status, Description: res.Description}
		for _, name := range slices.Sorted(maps.Keys(res.Headers)) {
			h := res.Headers[name]
			description := h.Description
			if h.Schema != nil {
				description = cmp.Or(description, h.Schema.Description)
			}
			a.Headers = append(a.Headers, field{Name: name, Description: description})
		}
		for _, contentType := range slices.Sorted(maps.Keys(res.Content)) {
			m := res.Content[contentType]
			if contentType != "application/json" {
				a.Description += " (" + contentType + ")"
				if s, ok := m.Example.(string); ok {
					a.Example = s
				}
				continue
			}
			a.Fields = r.fields(m.Schema, "", 0)
			a.Example = indent(r.example(m.Schema, 0))
		}
		v.Answers = append(v.Answers, a)
	}
	v.Curl = curl(op, path, v.BodyExample)
	return v
}

func curl(op *huma.Operation, path, body string) string {
	var b strings.Builder
	b.WriteString("curl")
	if op.Method != http.MethodGet {
		b.WriteString(" -X " + op.Method)
	}
	if len(op.Security) > 0 {
		b.WriteString(` -H "Authorization: Bearer $TOKEN"`)
	}
	if op.Method != http.MethodGet {
		b.WriteString(` -H "Idempotency-Key: $KEY"`)
	}
	if body != "" {
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(body)) == nil {
			body = compact.String()
		}
		b.WriteString(" \\\n     -H 'Content-Type: application/json' -d '" + strings.ReplaceAll(body, "'", `'\''`) + "'")
	}
	b.WriteString(" \\\n     \"$URL" + strings.NewReplacer("{", "$", "}", "").Replace(path) + `"`)
	return b.String()
}

func (r renderer) resolve(s *huma.Schema) *huma.Schema {
	if s != nil && len(s.OneOf) > 0 {
		s = s.OneOf[0] // or null, as allowNull has it
	}
	if s != nil && s.Ref != "" {
		return r.registry.SchemaFromRef(s.Ref)
	}
	return s
}

const maxDepth = 6 // of what is explained; a schema may contain itself

// fields flattens a schema to dotted names.
func (r renderer) fields(s *huma.Schema, prefix string, depth int) (all []field) {
	s = r.resolve(s)
	if s == nil || depth > maxDepth {
		return nil
	}
	if s.Type == huma.TypeArray {
		return r.fields(s.Items, prefix+"[]", depth+1)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		full := strings.TrimPrefix(prefix+"."+name, ".")
		resolved := r.resolve(p)
		description := p.Description
		if resolved != nil {
			description = cmp.Or(description, resolved.Description)
		}
		all = append(all, field{Name: full, Type: r.kind(p), Description: description, Required: slices.Contains(s.Required, name)})
		all = append(all, r.fields(p, full, depth+1)...)
	}
	return all
}

// kind says what values a schema takes, in a few words.
func (r renderer) kind(s *huma.Schema) string {
	orNull := s != nil && len(s.OneOf) > 0
	s = r.resolve(s)
	if s == nil {
		return "any"
	}
	var kind string
	switch {
	case s.Type == huma.TypeArray:
		kind = "list of " + r.kind(s.Items)
	case s.Type == "":
		kind = "any JSON"
	case s.Format != "":
		kind = s.Type + ", " + s.Format
	default:
		kind = s.Type
	}
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			words[i] = fmt.Sprint(e)
		}
		kind += ": " + strings.Join(words, ", ")
	}
	if s.Minimum != nil {
		kind += fmt.Sprintf(", at least %v", *s.Minimum)
	}
	if s.Maximum != nil {
		kind += fmt.Sprintf(", at most %v", *s.Maximum)
	}
	if s.MaxLength != nil {
		kind += fmt.Sprintf(", at most %d characters", *s.MaxLength)
	}
	if s.MaxItems != nil {
		kind += fmt.Sprintf(", at most %d", *s.MaxItems)
	}
	if s.Nullable || orNull {
		kind += ", or null"
	}
	return kind
}

// example makes a value that fits a schema.
func (r renderer) example(s *huma.Schema, depth int) any {
	s = r.resolve(s)
	switch {
	case s == nil || depth > maxDepth:
		return nil
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Default != nil:
		return s.Default
	}
	switch s.Type {
	case huma.TypeObject:
		o := map[string]any{}
		for name, p := range s.Properties {
			o[name] = r.example(p, depth+1)
		}
		return o
	case huma.TypeArray:
		return []any{r.example(s.Items, depth+1)}
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	case huma.TypeString:
		if s.Format == "date-time" {
			return "2026-01-31T12:00:00Z"
		}
		return "text"
	}
	return map[string]any{}
}

func indent(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return ""
	}
	return string(b)
}
