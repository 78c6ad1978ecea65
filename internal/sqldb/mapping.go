package sqldb

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Kind is how a value is stored.
type Kind uint8

// The kinds of column. A field whose type has none of its own is JSON.
const (
	Text  Kind = iota // string
	Int               // signed integers
	Bool              // bool
	Float             // float64
	Bytes             // []byte
	JSON              // anything else, as JSON text
)

// Field is a field of a struct that is stored in a column.
type Field struct {
	Column string
	Key    bool // part of the primary key
	Kind   Kind
	Index  []int // for reflect.Value.FieldByIndex
}

// Mapping says which columns hold the fields of a struct: those with a tag
// `db:"column"`, or `db:"column,key"`. Fields of embedded structs count as its
// own. It is immutable.
type Mapping struct {
	Fields []Field
	named  map[string]int
}

// mappings holds what reflection has found out, by reflect.Type. It is a cache
// of pure results.
var mappings sync.Map

// MappingOf returns the mapping of the struct type t.
func MappingOf(t reflect.Type) (*Mapping, error) {
	if m, ok := mappings.Load(t); ok {
		return m.(*Mapping), nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("map %s: want a struct with db tags", t)
	}
	m := &Mapping{named: map[string]int{}}
	if err := m.add(t, nil); err != nil {
		return nil, fmt.Errorf("map %s: %w", t, err)
	}
	mappings.Store(t, m)
	return m, nil
}

func (m *Mapping) add(t reflect.Type, at []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, at...), i)
		tag, tagged := f.Tag.Lookup("db")
		if f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct {
			if err := m.add(f.Type, index); err != nil {
				return err
			}
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		switch {
		case !tagged || name == "-":
			continue
		case !f.IsExported():
			return fmt.Errorf("field %s has a tag but is not exported", f.Name)
		case !identifier.MatchString(name):
			return fmt.Errorf("field %s: column %q: want lower-case letters, digits and underscores", f.Name, name)
		case option != "" && option != "key":
			return fmt.Errorf("field %s: tag option %q: want key or none", f.Name, option)
		}
		if _, dup := m.named[name]; dup {
			return fmt.Errorf("two fields are stored in column %s", name)
		}
		m.named[name] = len(m.Fields)
		m.Fields = append(m.Fields, Field{Column: name, Key: option == "key", Kind: KindOf(f.Type), Index: index})
	}
	return nil
}

// KindOf returns how values of type t are stored.
func KindOf(t reflect.Type) Kind {
	switch t.Kind() {
	case reflect.String:
		return Text
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Int
	case reflect.Bool:
		return Bool
	case reflect.Float32, reflect.Float64:
		return Float
	case reflect.Slice:
		if t == reflect.TypeFor[[]byte]() {
			return Bytes
		}
	}
	return JSON
}

// Read sets v, a struct of the mapping's type, to row, whose columns are the
// mapping's fields in order.
func (m *Mapping) Read(row Row, v reflect.Value) error {
	for i := range m.Fields {
		if err := m.Fields[i].read(row, i, v); err != nil {
			return err
		}
	}
	return nil
}

func (f *Field) read(row Row, i int, v reflect.Value) error {
	if len(f.Index) == 1 {
		v = v.Field(f.Index[0])
	} else {
		v = v.FieldByIndex(f.Index)
	}
	if err := read(row, i, f.Kind, v); err != nil {
		return fmt.Errorf("read column %s: %w", f.Column, err)
	}
	return nil
}

func read(row Row, i int, kind Kind, v reflect.Value) error {
	switch kind {
	case Text:
		v.SetString(row.Text(i))
	case Int:
		v.SetInt(row.Int64(i))
	case Bool:
		v.SetBool(row.Bool(i))
	case Float:
		v.SetFloat(row.Float64(i))
	case Bytes:
		v.SetBytes(row.Bytes(i))
	case JSON:
		if s := row.Text(i); s != "" {
			return json.Unmarshal([]byte(s), v.Addr().Interface())
		}
	}
	return nil
}

// Select returns the rows of a query. T is a struct with db tags, whose fields
// are found by the names of the columns (a column without a field is an error,
// a field without a column stays zero), or a type that is stored in one column.
func Select[T any](ctx context.Context, tx Tx, sql string, args ...any) ([]T, error) {
	t := reflect.TypeFor[T]()
	var out []T
	var fields []*Field // of each column
	err := tx.Query(ctx, sql, args, func(row Row) error {
		var item T
		v := reflect.ValueOf(&item).Elem()
		if t.Kind() != reflect.Struct {
			if err := read(row, 0, KindOf(t), v); err != nil {
				return err
			}
			out = append(out, item)
			return nil
		}
		if fields == nil {
			m, err := MappingOf(t)
			if err != nil {
				return err
			}
			for i := range row.Len() {
				at, ok := m.named[row.Column(i)]
				if !ok {
					return fmt.Errorf("column %s has no field in %s", row.Column(i), t)
				}
				fields = append(fields, &m.Fields[at])
			}
		}
		for i, f := range fields {
			if err := f.read(row, i, v); err != nil {
				return err
			}
		}
		out = append(out, item)
		return nil
	})
	return out, err
}

// Get returns the first row of a query, or ErrNoRows. T is as for Select.
func Get[T any](ctx context.Context, tx Tx, sql string, args ...any) (item T, err error) {
	rows, err := Select[T](ctx, tx, sql, args...)
	if err != nil {
		return item, err
	}
	if len(rows) == 0 {
		return item, ErrNoRows
	}
	return rows[0], nil
}
