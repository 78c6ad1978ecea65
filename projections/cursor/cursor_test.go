package cursor_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/projections/cursor"
)

type place struct {
	At int64  `json:"a"`
	ID string `json:"i"`
}

func TestACursorHoldsItsValue(t *testing.T) {
	want := place{At: -5, ID: "ü\"/+"}
	var got place
	if err := cursor.Decode("things/at", cursor.Encode("things/at", want), &got); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestWhatIsNoCursorOfTheListIsRefused(t *testing.T) {
	good := cursor.Encode("things/at", place{At: 1, ID: "x"})
	raw := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]string{
		"another order":   cursor.Encode("things/name", place{At: 1, ID: "x"}),
		"another value":   cursor.Encode("things/at", []string{"x"}),
		"unknown field":   cursor.Encode("things/at", map[string]any{"a": 1, "i": "x", "z": 1}),
		"nothing":         "",
		"cut":             good[:len(good)-3],
		"not base64":      "***",
		"padded":          good + "=",
		"not JSON":        raw("hello"),
		"another version": raw(`{"v":2,"l":"things/at","p":{"a":1,"i":"x"}}`),
		"something after": raw(`{"v":1,"l":"things/at","p":{"a":1,"i":"x"}} {}`),
		"no value":        raw(`{"v":1,"l":"things/at"}`),
		"NUL":             cursor.Encode("things/at", place{At: 1, ID: "\x00"}),
		"too long":        strings.Repeat("A", 4*cursor.MaxLen),
	} {
		var got place
		err := cursor.Decode("things/at", c, &got)
		var f *fault.Error
		if !errors.Is(err, cursor.ErrInvalid) || !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != "cursor" {
			t.Errorf("%s: %v, want %v", name, err, cursor.ErrInvalid)
		}
	}
}

func TestLimit(t *testing.T) {
	for asked, want := range map[int]int{0: 50, 1: 1, 200: 200} {
		if got, err := cursor.Limit(asked); got != want || err != nil {
			t.Errorf("Limit(%d) = %d, %v; want %d", asked, got, err, want)
		}
	}
	for _, asked := range []int{-1, 201} {
		if _, err := cursor.Limit(asked); !errors.Is(err, cursor.ErrLimit) {
			t.Errorf("Limit(%d): %v, want %v", asked, err, cursor.ErrLimit)
		}
	}
}

// What a list hands out as a cursor must be taken back, whatever is in its rows.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int64(-5), "ü\"/+")
	f.Add(int64(1), `\u0000`)
	f.Add(int64(0), strings.Repeat("<", 512))
	f.Fuzz(func(t *testing.T, at int64, id string) {
		if !utf8.ValidString(id) || strings.Contains(id, "\x00") || len(id) > 512 {
			return // no text of ours
		}
		want := place{At: at, ID: id}
		c := cursor.Encode("things/at", want)
		var got place
		if err := cursor.Decode("things/at", c, &got); err != nil || got != want {
			t.Errorf("%.200q is decoded to %+v, %v; want %.200q", c, got, err, id)
		}
		if cursor.Decode("things/name", c, &got) == nil {
			t.Errorf("%q is taken by another list", c)
		}
	})
}

// Whatever comes as a cursor is refused, or stands for a value that a list can
// have handed out.
func FuzzDecode(f *testing.F) {
	f.Add(cursor.Encode("things/at", place{At: 1, ID: "x"}))
	f.Add("e30")
	for _, s := range []string{`{"v":1,"l":"things/at","p":{"a":1,"i":"\u0000"}}`, `{"v":1,"l":"things/at","p":{"A":1,"i":"\ud800"}}`, `{"v":1,"l":"things/at","p":null}`, `{"v":1,"l":"things/at","p":{"a":1e3}}`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(s)))
	}
	f.Fuzz(func(t *testing.T, c string) {
		var got, again place
		err := cursor.Decode("things/at", c, &got)
		switch {
		case errors.Is(err, cursor.ErrInvalid):
			return
		case err != nil:
			t.Fatalf("%v", err)
		}
		if !utf8.ValidString(got.ID) || strings.Contains(got.ID, "\x00") {
			t.Errorf("%q is taken and holds %q", c, got.ID)
		}
		if err := cursor.Decode("things/at", cursor.Encode("things/at", got), &again); err != nil || got != again {
			t.Errorf("%q is taken as %+v, and that as %+v, %v", c, got, again, err)
		}
	})
}
