package projections

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// form says how the rows of a table, and their keys, are stored.
type form struct {
	mapping *sqldb.Mapping
	columns []sqldb.Column
	keys    []sqldb.Column
	row     reflect.Type
	simple  bool // the key is one value, not a struct
}

// newForm panics if R or K is not as Rows wants it.
func newForm[K comparable, R any](table string) *form {
	bad := func(format string, args ...any) {
		panic(fmt.Sprintf("projections: table %s: ", table) + fmt.Sprintf(format, args...))
	}
	rt, kt := reflect.TypeFor[R](), reflect.TypeFor[K]()
	m, err := sqldb.MappingOf(rt)
	if err != nil {
		bad("%v", err)
	}
	f := &form{mapping: m, row: rt, simple: kt.Kind() != reflect.Struct}
	var keyFields []reflect.Type
	for _, field := range m.Fields {
		c := sqldb.Column{Name: field.Column, Kind: field.Kind, Key: field.Key}
		f.columns = append(f.columns, c)
		if field.Key {
			f.keys = append(f.keys, c)
			keyFields = append(keyFields, rt.FieldByIndex(field.Index).Type)
		}
	}
	for i := range rt.NumField() {
		if field := rt.Field(i); field.IsExported() && !field.Anonymous && field.Tag.Get("db") == "" {
			bad("field %s has no db tag", field.Name)
		}
	}
	if err := (sqldb.Table{Name: table, Columns: f.columns}).Validate(); err != nil {
		bad("%v", err)
	}
	var parts []reflect.Type
	if f.simple {
		parts = []reflect.Type{kt}
	} else {
		for i := range kt.NumField() {
			parts = append(parts, kt.Field(i).Type)
		}
	}
	if len(parts) != len(keyFields) {
		bad("the key %s has %d parts, the row has %d key fields", kt, len(parts), len(keyFields))
	}
	for i, p := range parts {
		if p.Kind() != keyFields[i].Kind() || f.keys[i].Kind == sqldb.JSON {
			bad("part %d of the key is a %s, its field a %s", i+1, p, keyFields[i])
		}
	}
	return f
}

// addKey appends a key to vectors of the key columns.
func (f *form) addKey(to sqldb.Vectors, key reflect.Value) {
	if f.simple {
		add(&to[0], key)
		return
	}
	for i := range to {
		add(&to[i], key.Field(i))
	}
}

// addRow appends a row, a struct, to vectors of all columns.
func (f *form) addRow(to sqldb.Vectors, row reflect.Value) {
	for i := range f.mapping.Fields {
		add(&to[i], field(row, f.mapping.Fields[i].Index))
	}
}

func field(row reflect.Value, index []int) reflect.Value {
	if len(index) == 1 {
		return row.Field(index[0])
	}
	return row.FieldByIndex(index)
}

func add(to *sqldb.Vector, v reflect.Value) {
	switch to.Kind {
	case sqldb.Text:
		to.Texts = append(to.Texts, v.String())
	case sqldb.Int:
		to.Ints = append(to.Ints, v.Int())
	case sqldb.Bool:
		to.Bools = append(to.Bools, v.Bool())
	case sqldb.Float:
		to.Floats = append(to.Floats, v.Float())
	case sqldb.Bytes:
		to.Blobs = append(to.Blobs, v.Bytes())
	case sqldb.JSON:
		b, err := json.Marshal(v.Interface())
		if err != nil {
			panic(fmt.Sprintf("projections: a %s is no JSON: %v", v.Type(), err))
		}
		to.Texts = append(to.Texts, string(b))
	}
}

// cleanKey reports whether k has no text that a database refuses.
func (f *form) cleanKey(k any) bool {
	if s, ok := k.(string); ok {
		return isStorable(s)
	}
	v := reflect.ValueOf(k)
	if v.Kind() != reflect.Struct {
		return v.Kind() != reflect.String || isStorable(v.String())
	}
	for _, part := range v.Fields() {
		if part.Kind() == reflect.String && !isStorable(part.String()) {
			return false
		}
	}
	return true
}

// clean makes the text of a key or of a row what it will be when it is read
// back.
func (f *form) clean(v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(storable(v.String()))
	case v.Type() == f.row:
		for i := range f.mapping.Fields {
			if m := &f.mapping.Fields[i]; m.Kind == sqldb.Text {
				if part := field(v, m.Index); !isStorable(part.String()) {
					part.SetString(storable(part.String()))
				}
			}
		}
	case v.Kind() == reflect.Struct:
		for _, part := range v.Fields() {
			if part.Kind() == reflect.String {
				part = reflect.NewAt(part.Type(), part.Addr().UnsafePointer()).Elem() // it need not be exported
				part.SetString(storable(part.String()))
			}
		}
	}
}

// isStorable reports whether PostgreSQL takes s for text.
func isStorable(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// storable returns s without what PostgreSQL refuses in text.
func storable(s string) string {
	if isStorable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// same reports whether two rows have the same values.
func (f *form) same(a, b reflect.Value) bool {
	for i := range f.mapping.Fields {
		m := &f.mapping.Fields[i]
		x, y := field(a, m.Index), field(b, m.Index)
		switch m.Kind {
		case sqldb.Text:
			if x.String() != y.String() {
				return false
			}
		case sqldb.Int:
			if x.Int() != y.Int() {
				return false
			}
		case sqldb.Bool:
			if x.Bool() != y.Bool() {
				return false
			}
		case sqldb.Float:
			if x.Float() != y.Float() {
				return false
			}
		default:
			if !reflect.DeepEqual(x.Interface(), y.Interface()) {
				return false
			}
		}
	}
	return true
}
