package whatsapp

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a piece of JSON from outside, of whatever type. Its methods return
// zero values where it is not of the type asked for: nothing in a payload can
// be relied on.
type node struct{ v any }

// parseJSON reads exactly one JSON value. Numbers keep their text.
func parseJSON(b []byte) (node, bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return node{}, false
	}
	if _, err := d.Token(); err != io.EOF {
		return node{}, false
	}
	return node{v}, true
}

func (n node) get(path ...string) node {
	for _, k := range path {
		m, _ := n.v.(map[string]any)
		n = node{m[k]}
	}
	return n
}

func (n node) isObject() bool { _, ok := n.v.(map[string]any); return ok }
func (n node) isList() bool   { _, ok := n.v.([]any); return ok }

// list returns the elements, at most limit.
func (n node) list(limit int) []node {
	l, _ := n.v.([]any)
	l = l[:min(len(l), limit)]
	nodes := make([]node, len(l))
	for i, v := range l {
		nodes[i] = node{v}
	}
	return nodes
}

// text returns a string, or a number as it is written, without U+0000 and
// invalid UTF-8, cut to at most limit bytes.
func (n node) text(limit int) string {
	switch v := n.v.(type) {
	case string:
		return clip(scrub(v), limit)
	case json.Number:
		return clip(string(v), limit)
	}
	return ""
}

// id is text that is an identifier: one that is too long is none, for a part
// of an id names something else.
func (n node) id() string {
	s := strings.TrimSpace(n.text(maxID + 1))
	if len(s) > maxID {
		return ""
	}
	return s
}

func (n node) bool() bool { b, _ := n.v.(bool); return b }

// int returns a whole number, which may come as a string.
func (n node) int() int64 {
	i, err := strconv.ParseInt(strings.TrimSpace(n.text(32)), 10, 64)
	if err != nil {
		return 0
	}
	return i
}

// float returns a number, which may come as a string.
func (n node) float() (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(n.text(64)), 64)
	return f, err == nil
}

// maxDepth is how deep JSON that is kept with a message may be nested. Payloads
// have about 10 levels. The decoder takes 10,000, but what is kept becomes a part
// of other JSON, which must not have more than any decoder takes.
const maxDepth = 64

// raw returns the value as JSON again, scrubbed, or nil if it has more than
// limit bytes or is nested deeper than maxDepth.
func (n node) raw(limit int) json.RawMessage {
	v, ok := scrubAll(n.v, maxDepth)
	if !ok {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil || b.Len() > limit {
		return nil
	}
	return bytes.TrimSpace(b.Bytes())
}

// scrubAll reports false for what is nested deeper than depth.
func scrubAll(v any, depth int) (_ any, ok bool) {
	switch v := v.(type) {
	case string:
		return scrub(v), true
	case []any:
		if depth == 0 {
			return nil, false
		}
		out := make([]any, len(v))
		for i, e := range v {
			if out[i], ok = scrubAll(e, depth-1); !ok {
				return nil, false
			}
		}
		return out, true
	case map[string]any:
		if depth == 0 {
			return nil, false
		}
		out := make(map[string]any, len(v))
		for k, e := range v {
			if out[scrub(k)], ok = scrubAll(e, depth-1); !ok {
				return nil, false
			}
		}
		return out, true
	}
	return v, true
}

// scrub removes what no database keeps as text. The decoder has put U+FFFD in
// place of what is no UTF-8.
func scrub(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "")
}

// clip cuts s to at most limit bytes, between two characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}
