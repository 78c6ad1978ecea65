package cursor_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

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
		"too long":        strings.Repeat("A", 10_000),
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

func FuzzDecode(f *testing.F) {
	f.Add(cursor.Encode("things/at", place{At: 1, ID: "x"}))
	f.Add("e30")
	f.Fuzz(func(t *testing.T, c string) {
		var got place
		if err := cursor.Decode("things/at", c, &got); err != nil && !errors.Is(err, cursor.ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}
