// Package cursor makes the opaque strings with which a list is continued.
//
// It knows neither lists nor tables: a cursor is a small value of the list's
// own, marked with the list and order it belongs to. It is not secret and not
// signed; a list must treat what it decodes as input.
package cursor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
)

// version is that of the encoding; a cursor of another one is refused.
const version = 1

// MaxLen bounds what is decoded at all, in bytes. The largest that a list hands
// out holds two ids of 512 bytes, each of which JSON may make six times as long.
const MaxLen = 10 << 10

// ErrInvalid refuses a cursor that is damaged or of another list or order.
var ErrInvalid = fault.Bad("cursor", "cursor.invalid", "this cursor does not belong to this list")

// MaxLimit is the largest page that any list gives.
const MaxLimit = 200

// ErrLimit refuses a page size out of bounds.
var ErrLimit = fault.Bad("limit", "limit.invalid", "want a limit from 1 to 200")

type envelope struct {
	Version int             `json:"v"`
	List    string          `json:"l"`
	Value   json.RawMessage `json:"p"`
}

// Encode returns a cursor of list, such as "inbox/created", that holds value.
// It panics if value has no JSON form, which is a mistake in the program.
func Encode(list string, value any) string {
	v, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	b, err := json.Marshal(envelope{version, list, v})
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode sets value to what a cursor of list holds. It returns ErrInvalid for
// anything that Encode did not make for the same list.
func Decode(list, cursor string, value any) error {
	if len(cursor) > MaxLen {
		return ErrInvalid
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return ErrInvalid
	}
	var e envelope
	if strict(b, &e) != nil || e.Version != version || e.List != list || strict(e.Value, value) != nil {
		return ErrInvalid
	}
	if holdsNUL(e.Value) { // PostgreSQL's text cannot hold it, so none of ours does
		return ErrInvalid
	}
	return nil
}

// holdsNUL reports whether any string of a JSON value has U+0000 in it.
func holdsNUL(value json.RawMessage) bool {
	d := json.NewDecoder(bytes.NewReader(value))
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if s, ok := token.(string); ok && strings.Contains(s, "\x00") {
			return true
		}
	}
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return ErrInvalid
	}
	return nil
}

// Limit returns the page size for what was asked: 50 for 0.
func Limit(asked int) (int, error) {
	switch {
	case asked == 0:
		return 50, nil
	case asked < 0 || asked > MaxLimit:
		return 0, ErrLimit
	}
	return asked, nil
}
