package projections

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// form says how the rows of a table, and their keys, are stored.
//
// It reads and writes fields by their place in memory, which it looks up once:
// a fold does that for each column of each row, and reflection would cost more
// than everything else there. Pointers passed in are to an R or a K.
type form struct {
	mapping *sqldb.Mapping
	columns []sqldb.Column
	keys    []sqldb.Column
	fields  []place // of a row, column by column
	parts   []place // of a key
}

// place is where a value of a column lies in a struct.
type place struct {
	sqldb.Kind
	offset uintptr
	typ    reflect.Type
	flat   bool // of kind JSON: equal values are equal to the letter
}

func (f place) text(p unsafe.Pointer) *string { return (*string)(unsafe.Add(p, f.offset)) }
func (f place) value(p unsafe.Pointer) reflect.Value {
	return reflect.NewAt(f.typ, unsafe.Add(p, f.offset)).Elem()
}

// integer returns an integer of any size.
func (f place) integer(p unsafe.Pointer) int64 {
	if f.typ.Kind() == reflect.Int64 {
		return *(*int64)(unsafe.Add(p, f.offset))
	}
	return f.value(p).Int()
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
	f := &form{mapping: m}
	var keyFields []reflect.Type
	for _, field := range m.Fields {
		c := sqldb.Column{Name: field.Column, Kind: field.Kind, Key: field.Key}
		typ, offset := rt, uintptr(0)
		for _, i := range field.Index { // into embedded structs
			offset, typ = offset+typ.Field(i).Offset, typ.Field(i).Type
		}
		f.fields = append(f.fields, place{field.Kind, offset, typ, isFlat(typ)})
		f.columns = append(f.columns, c)
		if field.Key {
			f.keys = append(f.keys, c)
			keyFields = append(keyFields, typ)
		}
	}
	for field := range rt.Fields() {
		if field.IsExported() && !field.Anonymous && field.Tag.Get("db") == "" {
			bad("field %s has no db tag", field.Name)
		}
	}
	if err := (sqldb.Table{Name: table, Columns: f.columns}).Validate(); err != nil {
		bad("%v", err)
	}
	if kt.Kind() == reflect.Struct {
		for part := range kt.Fields() {
			f.parts = append(f.parts, place{sqldb.KindOf(part.Type), part.Offset, part.Type, true})
		}
	} else {
		f.parts = []place{{sqldb.KindOf(kt), 0, kt, true}}
	}
	if len(f.parts) != len(keyFields) {
		bad("the key %s has %d parts, the row has %d key fields", kt, len(f.parts), len(keyFields))
	}
	for i, p := range f.parts {
		if p.typ.Kind() != keyFields[i].Kind() || f.keys[i].Kind == sqldb.JSON {
			bad("part %d of the key is a %s, its field a %s", i+1, p.typ, keyFields[i])
		}
	}
	return f
}

// isFlat reports whether values of t are equal only if == says so.
func isFlat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for field := range t.Fields() {
			if !isFlat(field.Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return isFlat(t.Elem())
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	}
	return true
}

// addKey appends a key to vectors of the key columns.
func (f *form) addKey(to sqldb.Vectors, key unsafe.Pointer) { add(to, f.parts, key) }

// addRow appends a row to vectors of all columns.
func (f *form) addRow(to sqldb.Vectors, row unsafe.Pointer) { add(to, f.fields, row) }

func add(vectors sqldb.Vectors, places []place, p unsafe.Pointer) {
	for i := range places {
		f, to := &places[i], &vectors[i]
		switch f.Kind {
		case sqldb.Text:
			to.Texts = append(to.Texts, *f.text(p))
		case sqldb.Int:
			to.Ints = append(to.Ints, f.integer(p))
		case sqldb.Bool:
			to.Bools = append(to.Bools, *(*bool)(unsafe.Add(p, f.offset)))
		case sqldb.Float:
			to.Floats = append(to.Floats, f.value(p).Float())
		case sqldb.Bytes:
			to.Blobs = append(to.Blobs, *(*[]byte)(unsafe.Add(p, f.offset)))
		case sqldb.JSON:
			to.Texts = append(to.Texts, f.json(p))
		}
	}
}

// json asks a type that makes its own JSON for it directly: encoding/json would
// read through what it gets.
func (f place) json(p unsafe.Pointer) string {
	var b []byte
	var err error
	if m, ok := reflect.TypeAssert[json.Marshaler](f.value(p).Addr()); ok {
		b, err = m.MarshalJSON()
	} else {
		b, err = json.Marshal(f.value(p).Interface())
	}
	if err != nil {
		panic(fmt.Sprintf("projections: a %s is no JSON: %v", f.typ, err))
	}
	return unsafe.String(unsafe.SliceData(b), len(b)) // nobody changes it
}

// clean makes the text of a row what it will be when it is read back; cleanKey
// does the same to a key.
func (f *form) clean(row unsafe.Pointer)    { cleanPlaces(f.fields, row) }
func (f *form) cleanKey(key unsafe.Pointer) { cleanPlaces(f.parts, key) }

func cleanPlaces(places []place, p unsafe.Pointer) {
	for i := range places {
		if f := &places[i]; f.Kind == sqldb.Text {
			if s := f.text(p); !isStorable(*s) {
				*s = storable(*s)
			}
		}
	}
}

// isStorable reports whether PostgreSQL takes s for text. It is asked of each text
// of each row, so it looks at eight bytes at a time.
func isStorable(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	at := 0
	for ; at+8 <= len(b); at += 8 {
		word := binary.LittleEndian.Uint64(b[at:])
		if word&highs != 0 || (word-ones)&^word&highs != 0 { // a byte that is not ASCII, or NUL
			break
		}
	}
	rest := s[at:]
	return strings.IndexByte(rest, 0) < 0 && utf8.ValidString(rest)
}

// storable returns s without what PostgreSQL refuses in text.
func storable(s string) string {
	if isStorable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// differences returns a bit for each column whose values differ in two rows. The
// last bit stands for all columns that have none of their own.
func (f *form) differences(a, b unsafe.Pointer) (bits uint64) {
	for i := range f.fields {
		if !f.fields[i].same(a, b) {
			bits |= 1 << min(i, 63)
		}
	}
	return bits
}

func (f *place) same(a, b unsafe.Pointer) bool {
	switch f.Kind {
	case sqldb.Text:
		return *f.text(a) == *f.text(b)
	case sqldb.Int:
		return f.integer(a) == f.integer(b)
	case sqldb.Bool:
		return *(*bool)(unsafe.Add(a, f.offset)) == *(*bool)(unsafe.Add(b, f.offset))
	case sqldb.Float:
		return f.value(a).Float() == f.value(b).Float()
	}
	x, y := f.value(a), f.value(b)
	if f.flat {
		return x.Equal(y)
	}
	if v, ok := reflect.TypeAssert[[]string](x); ok {
		w := y.Interface().([]string)
		return (v == nil) == (w == nil) && slices.Equal(v, w)
	}
	return reflect.DeepEqual(x.Interface(), y.Interface())
}

// compareKeys orders rows by their keys.
func (f *form) compareKeys(a, b unsafe.Pointer) int {
	for i, c := range f.columns {
		if !c.Key {
			continue
		}
		if c := f.fields[i].compare(a, b); c != 0 {
			return c
		}
	}
	return 0
}

func (f *place) compare(a, b unsafe.Pointer) int {
	x, y := f.value(a), f.value(b)
	switch f.Kind {
	case sqldb.Int:
		return cmp.Compare(x.Int(), y.Int())
	case sqldb.Float:
		return cmp.Compare(x.Float(), y.Float())
	}
	return cmp.Compare(fmt.Sprint(x.Interface()), fmt.Sprint(y.Interface()))
}
