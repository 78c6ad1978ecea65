package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// A block's body is JSON for people. Its heads let a program take the parts out
// without parsing it: first the ids, then for each event, as unsigned varints,
//
//	length of the stream's name, revision, length of the type,
//	length of data and of meta (0: the body has null),
//	microseconds after the block's recorded_at (0: the body has nothing)
//
// A name or type that JSON has to escape has length 0, followed by the length of
// what is in the body, the length of the name itself, and the name itself.

const idSize = len(uuid.UUID{})

var errDamaged = errors.New("a block is damaged")

// builder makes a block.
type builder struct {
	n               int
	ids, rest, body []byte
}

// perEvent is what an event takes in a block at most, besides its name, type,
// data and metadata, if these need no escaping.
const perEvent = idSize + 6*4 + len(`,["",9223372036854775807,"",null,null]`)

func sizeInBlock(stream string, e *eventstore.Event) int {
	return perEvent + len(stream) + len(e.Type) + len(e.Data) + len(e.Meta)
}

func (b *builder) size() int { return len(b.ids) + len(b.rest) + len(b.body) + 1 }

func (b *builder) reset() {
	b.n, b.ids, b.rest, b.body = 0, b.ids[:0], b.rest[:0], b.body[:0]
}

// add puts an event behind the others, recorded so many microseconds after the
// block.
func (b *builder) add(stream string, rev eventstore.Revision, e *eventstore.Event, later int64) {
	open := byte(',')
	if b.n == 0 {
		open = '['
	}
	b.n++
	b.ids = append(b.ids, e.ID[:]...)
	b.body = append(b.body, open, '[')
	b.name(stream)
	b.body = append(b.body, ',')
	b.rest = binary.AppendUvarint(b.rest, uint64(rev))
	b.body = strconv.AppendInt(b.body, int64(rev), 10)
	b.body = append(b.body, ',')
	b.name(e.Type)
	b.json(e.Data)
	b.json(e.Meta)
	b.rest = binary.AppendUvarint(b.rest, uint64(later))
	if later > 0 {
		b.body = append(b.body, ',')
		b.body = strconv.AppendInt(b.body, later, 10)
	}
	b.body = append(b.body, ']')
}

func (b *builder) name(s string) {
	if isPlain(s) {
		b.rest = binary.AppendUvarint(b.rest, uint64(len(s)))
		b.body = append(b.body, '"')
		b.body = append(b.body, s...)
		b.body = append(b.body, '"')
		return
	}
	text, _ := json.Marshal(s) //nolint:errchkjson // a string
	b.body = append(b.body, text...)
	b.rest = binary.AppendUvarint(b.rest, 0)
	b.rest = binary.AppendUvarint(b.rest, uint64(len(text)))
	b.rest = binary.AppendUvarint(b.rest, uint64(len(s)))
	b.rest = append(b.rest, s...)
}

// isPlain reports whether s may stand between quotes as it is, and is short
// enough that nothing else is worth looking at.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}

func (b *builder) json(text []byte) {
	b.rest = binary.AppendUvarint(b.rest, uint64(len(text)))
	b.body = append(b.body, ',')
	if len(text) == 0 {
		b.body = append(b.body, "null"...)
	}
	b.body = append(b.body, text...)
}

// finish returns the columns heads and body, which are valid until reset.
func (b *builder) finish() (heads, body []byte) {
	b.ids = append(b.ids, b.rest...)
	b.body = append(b.body, ']')
	return b.ids, b.body
}

// block is one that was read. Its parts are valid until the next is.
type block struct {
	first       int64 // position
	recordedAt  int64
	heads, body []byte
	items       []item
}

// item is an event in a block.
type item struct {
	stream, typ, data, meta []byte
	revision                int64
	later                   int64 // microseconds after the block's recordedAt
}

func (b *block) id(i int) uuid.UUID { return uuid.UUID(b.heads[i*idSize:]) }

func (b *block) last() int64 { return b.first + int64(len(b.items)) - 1 }

// parse sets items from heads and body, which hold n events.
func (b *block) parse(n int) error {
	if n < 1 || n > len(b.heads)/idSize {
		return errDamaged
	}
	b.items = b.items[:0]
	rest, body := cursor{b: b.heads[n*idSize:]}, cursor{b: b.body}
	for range n {
		var it item
		body.skip(2) // [[ or ,[
		it.stream = name(&rest, &body)
		body.skip(1)
		it.revision = rest.number()
		body.skip(digits(it.revision) + 1)
		it.typ = name(&rest, &body)
		it.data = value(&rest, &body)
		it.meta = value(&rest, &body)
		if it.later = rest.number(); it.later > 0 {
			body.skip(1 + digits(it.later))
		}
		body.skip(1)
		if rest.bad || body.bad {
			return errDamaged
		}
		b.items = append(b.items, it)
	}
	if len(rest.b) > 0 || len(body.b) != 1 {
		return errDamaged
	}
	return nil
}

func name(rest, body *cursor) []byte {
	if n := rest.number(); n > 0 {
		body.skip(1)
		s := body.take(n)
		body.skip(1)
		return s
	}
	body.take(rest.number())
	return rest.take(rest.number())
}

func value(rest, body *cursor) []byte {
	body.skip(1)
	n := rest.number()
	if n == 0 {
		body.skip(len("null"))
	}
	return body.take(n)
}

func digits(n int64) int {
	d := 1
	for ; n > 9; n /= 10 {
		d++
	}
	return d
}

// cursor takes bytes apart from front to back.
type cursor struct {
	b   []byte
	bad bool // there was less than was asked for
}

func (c *cursor) number() int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		n := c.b[0]
		c.b = c.b[1:]
		return int64(n)
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 || int64(v) < 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return int64(v)
}

func (c *cursor) take(n int64) []byte {
	if n > int64(len(c.b)) {
		c.bad = true
		return nil
	}
	s := c.b[:n]
	c.b = c.b[n:]
	return s
}

func (c *cursor) skip(n int) { c.take(int64(n)) }

// category returns what eventstore.Category does, of a name in a block.
func category(stream []byte) []byte {
	for i, c := range stream {
		if c == '-' {
			return stream[:i]
		}
	}
	return stream
}
