package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// refused reports whether err is a 400 with a code, and fails t if it is
// anything else than that or nil.
func refused(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return false
	}
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status != http.StatusBadRequest && p.Status != http.StatusNotFound || p.Code == "" {
		t.Fatalf("refused with %v", err)
	}
	return true
}

// A tag is taken if it is one that we hand out, and stands for that revision.
func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{`"4"`, `*`, ` * `, `W/"4"`, `"04"`, `"-1"`, `"+1"`, `"9223372036854775808"`, `"1", "2"`, `"`, `""`, `4`, "\"4\"\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, err := parseIfMatch([]string{header})
		switch trimmed := strings.TrimSpace(header); {
		case refused(t, err):
			if got != nil {
				t.Errorf("%q is refused, and is %d", header, *got)
			}
		case got == nil:
			if trimmed != "*" {
				t.Errorf("%q asks for nothing", header)
			}
		case *got < 0 || `"`+strings.Trim(trimmed, `"`)+`"` != trimmed || strings.Trim(trimmed, `"0123456789`) != "":
			t.Errorf("%q is taken as %d", header, *got)
		}
		if _, err := parseIfMatch([]string{header, header}); err == nil {
			t.Errorf("%q is taken twice", header)
		}
	})
}

// A key is taken as it is, or not at all.
func FuzzIdempotencyKey(f *testing.F) {
	for _, s := range []string{"a", "7f9c-…", " a", "a b", "a\x00", "a\u00a0b", strings.Repeat("k", 200), strings.Repeat("k", 201), ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key, err := parseKey([]string{header})
		visible := len(header) > 0 && len(header) <= 200
		for _, b := range []byte(header) {
			visible = visible && b > ' ' && b <= '~'
		}
		if refused(t, err) == visible || err == nil && key != header {
			t.Errorf("%q is taken as %q, %v", header, key, err)
		}
	})
}

// The fingerprint of a body depends on what it says, not on how it is laid out.
func FuzzFingerprint(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[1.0,"\u00e9"]}`, `{"b":1,"a":1}`, `1e400`, `[]`, `"<\u2028>"`, `{"a":{"":null}}`, `{"a":1,"a":2}`, `x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		one := canonical(body)
		if !json.Valid(body) {
			return
		}
		var spread bytes.Buffer
		if err := json.Indent(&spread, body, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		if other := canonical(spread.Bytes()); !bytes.Equal(one, other) {
			t.Errorf("%q is %q, but indented %q", body, one, other)
		}
		if again := canonical(one); !bytes.Equal(one, again) {
			t.Errorf("%q is %q, and that %q", body, one, again)
		}
	})
}

// An address that is taken holds nothing that a database would choke on.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"/v1/chats?assignee=none&limit=3", "/v1/chats?a=%00", "/v1/chats?a=%ff", "/v1/chats?a=1&a=2", "/v1/chats?%0a=1", "/v1/ch%61ts", "/v1/%00", "/v1?a;b", "/v1?=%zz",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		u, err := url.Parse(address)
		if err != nil || refused(t, checkURL(u)) {
			return
		}
		for name, values := range u.Query() {
			for _, s := range append([]string{u.Path, name}, values...) {
				if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\n\r\x7f") || len(s) > len(address) || len(values) > 1 {
					t.Errorf("%q is taken", address)
				}
			}
		}
	})
}

// What is written to the log as a traceparent is one of W3C Trace Context.
func FuzzTraceparent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n")
	f.Add("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	f.Fuzz(func(t *testing.T, header string) {
		if validTraceparent(header) && (len(header) != 55 || strings.Trim(header, "0123456789abcdef-") != "") {
			t.Errorf("%q is taken", header)
		}
	})
}
