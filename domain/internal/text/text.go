// Package text holds the checks on typed text that all aggregates share.
//
// It is pure, and it knows no error codes: each aggregate brings its own.
package text

import (
	"strings"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/fault"
)

// MaxName and MaxReason are the most runes of a name and of a reason.
const (
	MaxName   = 200
	MaxReason = 1_000
)

// Rule says what a field of text has to be.
type Rule struct {
	Max     int          // runes
	Missing *fault.Error // for text of spaces only; nil if it may be left out
	TooLong *fault.Error
	Unclean *fault.Error // for text that cannot be kept
}

// Check returns the refusal that s deserves, or nil.
func (r Rule) Check(s string) error {
	switch {
	case r.Missing != nil && strings.TrimSpace(s) == "":
		return r.Missing
	case len(s) > r.Max && utf8.RuneCountInString(s) > r.Max:
		return r.TooLong
	case !Clean(s):
		return r.Unclean
	}
	return nil
}

// Clean reports whether s can be kept: UTF-8 without U+0000, which PostgreSQL
// does not take as text.
func Clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// Key returns what two names have in common that people take for the same: case
// and spaces around do not count.
func Key(name string) string {
	return strings.ToLower(strings.ToUpper(strings.TrimSpace(name)))
}

// IsColour reports whether s is of the form "#rrggbb".
func IsColour(s string) bool {
	if len(s) != 7 || s[0] != '#' {
		return false
	}
	return strings.Trim(s[1:], "0123456789abcdefABCDEF") == ""
}
