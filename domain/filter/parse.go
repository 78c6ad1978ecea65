package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Refusals. Those that Parse returns name in Field what of the filter is at fault,
// such as "filter.and[1].value".
var (
	ErrSyntax   = fault.Bad("filter", "filter.syntax", "want an object with and, or, not, or with field, op and value")
	ErrSize     = fault.Bad("filter", "filter.too_large", "the filter is too large")
	ErrField    = fault.Bad("filter", "filter.unknown_field", "there is no such field")
	ErrOperator = fault.Bad("filter", "filter.unknown_operator", "the field has no such operator")
	ErrValue    = fault.Bad("filter", "filter.bad_value", "the field cannot have such a value")
	ErrDeleted  = fault.Bad("filter", "filter.attribute_of_deleted", "deleted contacts cannot be chosen by attributes, nor by their chats and orders")
)

// Parse reads a filter. "", "null" and "{}" let all pass.
func Parse(t Target, raw []byte) (Filter, error) {
	f := Filter{Target: t}
	if len(raw) > MaxSize {
		return f, at("filter", ErrSize, fmt.Sprintf("want at most %d bytes", MaxSize))
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return f, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	p := parser{target: t, d: d}
	v, err := p.read("filter", 2*MaxDepth+4)
	if err != nil {
		return f, err
	}
	if _, err := d.Token(); err != io.EOF {
		return f, at("filter", ErrSyntax, "there is something behind the object")
	}
	if o, ok := v.(object); v == nil || ok && len(o) == 0 {
		return f, nil
	}
	f.Root, err = p.node("filter", v, 1)
	return f, err
}

// at returns a refusal about a place in the filter.
func at(path string, e *fault.Error, msg string) *fault.Error {
	e = e.With(msg)
	e.Field = path
	return e
}

type parser struct {
	target Target
	d      *json.Decoder
	conds  int
}

// object is a JSON object, in its order.
type object []member

type member struct {
	name  string
	value any // nil, bool, json.Number, string, []any or object
}

// read reads a JSON value with at most depth levels, without a name twice in an
// object.
func (p *parser) read(path string, depth int) (any, error) {
	t, err := p.d.Token()
	if err != nil {
		return nil, at("filter", ErrSyntax, "it is not well-formed JSON")
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == 0 {
		return nil, at(path, ErrSize, fmt.Sprintf("want at most %d levels", MaxDepth))
	}
	var list []any
	o := object{}
	for i := 0; p.d.More(); i++ {
		if delim == '[' {
			v, err := p.read(path+"["+strconv.Itoa(i)+"]", depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			continue
		}
		name, err := p.d.Token()
		if err != nil {
			return nil, at("filter", ErrSyntax, "it is not well-formed JSON")
		}
		m := member{name: name.(string)}
		if o.has(m.name) {
			return nil, at(path, ErrSyntax, fmt.Sprintf("%q is there twice", clip(m.name)))
		}
		if m.value, err = p.read(path+"."+clip(m.name), depth-1); err != nil {
			return nil, err
		}
		o = append(o, m)
	}
	if _, err := p.d.Token(); err != nil {
		return nil, at("filter", ErrSyntax, "it is not well-formed JSON")
	}
	if delim == '[' {
		return list, nil
	}
	return o, nil
}

func (o object) has(name string) bool {
	return slices.ContainsFunc(o, func(m member) bool { return m.name == name })
}

// clip shortens a name for a message.
func clip(name string) string {
	const most = 40
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

func (p *parser) node(path string, v any, depth int) (Node, error) {
	o, ok := v.(object)
	if !ok || len(o) == 0 {
		return nil, at(path, ErrSyntax, ErrSyntax.Msg)
	}
	if depth > MaxDepth {
		return nil, at(path, ErrSize, fmt.Sprintf("want at most %d levels", MaxDepth))
	}
	switch name := o[0].name; name {
	case "and", "or", "not":
		path += "." + name
		if len(o) > 1 {
			return nil, at(path, ErrSyntax, fmt.Sprintf("%q has to be alone in its object, %q is there, too", name, clip(o[1].name)))
		}
		if name == "not" {
			of, err := p.node(path, o[0].value, depth+1)
			return Not{of}, err
		}
		parts, err := p.nodes(path, o[0].value, depth+1)
		if err != nil {
			return nil, err
		}
		if name == "or" {
			return Or(parts), nil
		}
		return And(parts), nil
	}
	return p.cond(path, o)
}

func (p *parser) nodes(path string, v any, depth int) ([]Node, error) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, at(path, ErrSyntax, "want a list of at least one filter")
	}
	parts := make([]Node, len(list))
	for i, v := range list {
		part, err := p.node(path+"["+strconv.Itoa(i)+"]", v, depth)
		if err != nil {
			return nil, err
		}
		parts[i] = part
	}
	return parts, nil
}

func (p *parser) cond(path string, o object) (Node, error) {
	if p.conds++; p.conds > MaxConds {
		return nil, at(path, ErrSize, fmt.Sprintf("want at most %d conditions", MaxConds))
	}
	var name, op string
	var value any
	given := false
	for _, m := range o {
		ok := true
		switch m.name {
		case "field":
			name, ok = m.value.(string)
		case "op":
			op, ok = m.value.(string)
		case "value":
			value, given = m.value, true
		default:
			return nil, at(path+"."+clip(m.name), ErrSyntax, fmt.Sprintf("%q is not known here; %s", clip(m.name), ErrSyntax.Msg))
		}
		if !ok {
			return nil, at(path+"."+m.name, ErrSyntax, "want text")
		}
	}
	f, ok := Lookup(p.target, name)
	switch {
	case !o.has("field"):
		return nil, at(path+".field", ErrSyntax, "a field is required")
	case !ok:
		return nil, at(path+".field", ErrField, fmt.Sprintf("%s have no field %q; want one of %s", p.target, clip(name), names(p.target)))
	case !o.has("op"):
		return nil, at(path+".op", ErrSyntax, fmt.Sprintf("an operator is required: one of %s", list(operators[f.Kind])))
	case !slices.Contains(operators[f.Kind], Op(op)):
		return nil, at(path+".op", ErrOperator, fmt.Sprintf("%s has no operator %q; want one of %s", name, clip(op), list(operators[f.Kind])))
	case !given && Op(op) != Exists:
		return nil, at(path+".value", ErrValue, "a value is required")
	}
	c := Cond{Field: name, Kind: f.Kind, Op: Op(op)}
	if f.Shown {
		c.Path = path
	}
	return p.values(path+".value", f, c, value, given)
}

func names(t Target) string {
	var all []string
	for _, f := range fields[t] {
		all = append(all, f.Name)
	}
	return list(append(all, OwnPrefix+"…"))
}

func list[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

func (p *parser) values(path string, f Field, c Cond, value any, given bool) (Node, error) {
	switch c.Op {
	case Exists:
		c.Want = true
		if given {
			want, ok := value.(bool)
			if !ok {
				return nil, at(path, ErrValue, "want true or false")
			}
			c.Want = want
		}
		return c, nil
	case In, Between:
		many, ok := value.([]any)
		switch {
		case c.Op == Between && (!ok || len(many) != 2):
			return nil, at(path, ErrValue, "want a list of two values, the lower first")
		case !ok || len(many) == 0:
			return nil, at(path, ErrValue, "want a list of at least one value")
		case len(many) > MaxValues:
			return nil, at(path, ErrSize, fmt.Sprintf("want at most %d values", MaxValues))
		}
		for i, v := range many {
			one, err := one(path+"["+strconv.Itoa(i)+"]", f, c.Op, v)
			if err != nil {
				return nil, err
			}
			c.Values = append(c.Values, one)
		}
		return c, nil
	}
	v, err := one(path, f, c.Op, value)
	if err != nil {
		return nil, err
	}
	c.Values = []Value{v}
	return c, nil
}

// one reads one value of a field.
func one(path string, f Field, op Op, v any) (out Value, err error) {
	switch f.Kind {
	case Bool:
		b, ok := v.(bool)
		if !ok {
			return out, at(path, ErrValue, "want true or false")
		}
		return Value{Bool: b}, nil
	case Number:
		n, ok := v.(json.Number)
		i, err := strconv.ParseInt(string(n), 10, 64)
		if !ok || err != nil {
			return out, at(path, ErrValue, "want a whole number")
		}
		return Value{Number: i}, nil
	case Time:
		s, ok := v.(string)
		if out, ok = moment(s, ok); !ok {
			return out, at(path, ErrValue, `want a time such as "2026-11-26T09:30:00Z", a day such as "2026-11-26" (UTC), or how long ago, such as "-7d", "-12h" or "-30m"`)
		}
		return out, nil
	case Own: // kept as text
		switch scalar := v.(type) {
		case bool:
			return Value{Text: strconv.FormatBool(scalar)}, nil
		case json.Number:
			v = string(scalar)
		}
	}
	if v == nil && f.Kind == ID && op != Prefix {
		return Value{}, nil // nobody, nothing
	}
	s, ok := v.(string)
	switch {
	case f.Me && s == "me" && op != Prefix:
		return Value{Me: true}, nil
	case !ok || s == "":
		return out, at(path, ErrValue, "want text that is not empty")
	case len(s) > MaxText:
		return out, at(path, ErrSize, fmt.Sprintf("want at most %d bytes", MaxText))
	case !text.Clean(s):
		return out, at(path, ErrValue, "it has a character that cannot be kept")
	case f.Words != nil && op != Prefix && !slices.Contains(f.Words, s):
		return out, at(path, ErrValue, fmt.Sprintf("%s is never %q; want one of %s", f.Name, clip(s), list(f.Words)))
	}
	return Value{Text: s}, nil
}

// Times that a database of microseconds can hold.
const firstYear, lastYear = 1, 9999

func moment(s string, ok bool) (Value, bool) {
	if !ok || s == "" {
		return Value{}, false
	}
	if s[0] == '-' || s[0] == '+' {
		ago, ok := span(s)
		return Value{Ago: ago}, ok
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			t = t.UTC()
			return Value{Time: t}, !t.IsZero() && t.Year() >= firstYear && t.Year() <= lastYear
		}
	}
	return Value{}, false
}

// span reads "-7d" as seven days ago.
func span(s string) (time.Duration, bool) {
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit, ok := units[s[len(s)-1]]
	if !ok || len(s) < 3 || s[1] < '0' || s[1] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s[1:len(s)-1], 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit)/4 {
		return 0, false
	}
	ago := time.Duration(n) * unit
	if s[0] == '+' {
		ago = -ago
	}
	return ago, true
}
