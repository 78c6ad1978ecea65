package codec

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
)

// plan is how to read JSON into a struct without looking at its type again.
//
// It knows only what nearly every event in a log looks like: an object without
// white space whose fields are strings without escapes, whole numbers, truth
// values, times and such objects. Whatever else it meets, it gives up, and the
// library reads the event anew: so it may not know better than the library, only
// be faster, and TestPlansReadWhatTheLibraryReads holds it to that.
type plan struct {
	fields map[string]*planned
}

type planned struct {
	offset uintptr
	read   func(s string, p unsafe.Pointer) (rest string, ok bool) // p is where the field is
}

// newPlan returns the plan for a struct type, or nil if only the library knows
// which field is meant by a name. within are the types that t is a part of.
func newPlan(t reflect.Type, within ...reflect.Type) *plan {
	if slices.Contains(within, t) {
		return nil // it has no end
	}
	within = append(slices.Clone(within), t)
	p := &plan{fields: map[string]*planned{}}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "" || name == "-" || strings.Contains(f.Tag.Get("json"), ",string") {
			return nil
		}
		p.fields[name] = &planned{offset: f.Offset, read: reader(f.Type, within)}
	}
	return p
}

// reader returns what reads a value of type t; it gives up at once if the
// library has to.
func reader(t reflect.Type, within []reflect.Type) func(string, unsafe.Pointer) (string, bool) {
	giveUp := func(string, unsafe.Pointer) (string, bool) { return "", false }
	if t == reflect.TypeFor[time.Time]() {
		return readTime
	}
	if pt := reflect.PointerTo(t); pt.Implements(reflect.TypeFor[json.Unmarshaler]()) || pt.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return giveUp
	}
	switch t.Kind() {
	case reflect.String:
		return readText
	case reflect.Bool:
		return readBool
	case reflect.Int64, reflect.Int:
		return readInt
	case reflect.Struct:
		if p := newPlan(t, within...); p != nil {
			return p.read
		}
	case reflect.Pointer:
		if t.Elem().Kind() != reflect.Struct || t.Elem() == reflect.TypeFor[time.Time]() {
			return giveUp
		}
		if p := newPlan(t.Elem(), within...); p != nil {
			return func(s string, at unsafe.Pointer) (string, bool) {
				if *(*unsafe.Pointer)(at) != nil {
					return "", false // the field comes twice
				}
				v := reflect.New(t.Elem())
				rest, ok := p.read(s, v.UnsafePointer())
				if ok {
					reflect.NewAt(t, at).Elem().Set(v)
				}
				return rest, ok
			}
		}
	}
	return giveUp
}

// read reads the object that s begins with into the struct at p, and returns
// what is behind it.
func (p *plan) read(s string, at unsafe.Pointer) (rest string, ok bool) {
	if strings.HasPrefix(s, "{}") {
		return s[2:], true
	}
	if s == "" || s[0] != '{' {
		return "", false
	}
	for s = s[1:]; ; s = s[1:] {
		name, after, ok := quoted(s)
		if !ok || after == "" || after[0] != ':' {
			return "", false
		}
		f := p.fields[name]
		if f == nil {
			return "", false
		}
		if s, ok = f.read(after[1:], unsafe.Add(at, f.offset)); !ok || s == "" {
			return "", false
		}
		switch s[0] {
		case '}':
			return s[1:], true
		case ',':
		default:
			return "", false
		}
	}
}

// quoted returns the string that s begins with, and what is behind it. It gives
// up at an escape and at what is no UTF-8.
func quoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	ascii := true
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			text = s[1:i]
			return text, s[i+1:], ascii || utf8.ValidString(text)
		case c == '\\' || c < ' ':
			return "", "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", "", false
}

// readText copies: what keeps a name should not keep the message it came with.
func readText(s string, p unsafe.Pointer) (string, bool) {
	text, rest, ok := quoted(s)
	if ok {
		*(*string)(p) = strings.Clone(text)
	}
	return rest, ok
}

func readBool(s string, p unsafe.Pointer) (string, bool) {
	if rest, ok := strings.CutPrefix(s, "true"); ok {
		*(*bool)(p) = true
		return rest, true
	}
	rest, ok := strings.CutPrefix(s, "false")
	if ok {
		*(*bool)(p) = false
	}
	return rest, ok
}

func readInt(s string, p unsafe.Pointer) (string, bool) {
	end := 0
	for end < len(s) && (s[end] == '-' || '0' <= s[end] && s[end] <= '9') {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, strconv.IntSize)
	if err != nil || strconv.FormatInt(n, 10) != s[:end] {
		return "", false
	}
	*(*int)(p) = int(n) // of the same size as int64 wherever a log is kept
	return s[end:], true
}

// readTime reads what time.Time writes in UTC.
func readTime(s string, p unsafe.Pointer) (string, bool) {
	text, rest, ok := quoted(s)
	if !ok || len(text) < len("2006-01-02T15:04:05Z") || text[10] != 'T' || text[len(text)-1] != 'Z' ||
		len(text) > len("2006-01-02T15:04:05Z") && text[19] != '.' {
		return "", false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	*(*time.Time)(p) = at
	return rest, err == nil
}
