// Package attribute decides about the fields that a workspace gives its contacts
// besides those that every contact has, all in one stream, so that a name is unique.
//
// It is pure: no I/O, no clock, no randomness.
package attribute

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// ID names an attribute in its workspace: a slug of its first name.
type ID string

// Kind is what the values of an attribute are.
type Kind string

// The kinds.
const (
	Text   Kind = "text"   // at most 1,000 characters
	Number Kind = "number" // a decimal number, such as "-12.50"
	Bool   Kind = "bool"   // "true" or "false"
	Date   Kind = "date"   // such as "2026-11-26"
	Choice Kind = "choice" // one of a list
)

// Event is a fact about a workspace's attributes, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// maxDigits is how long a number may be: it is kept as text, exactly.
const maxDigits = 40

// Value returns a value of the attribute as it is kept, or refuses it. Values that
// mean the same are kept alike.
func (a Attribute) Value(given string) (string, error) {
	v := strings.TrimSpace(given)
	switch a.Kind {
	case Text:
		if !text.Clean(v) || len([]rune(v)) > MaxValue {
			return "", ErrValue.With("want text of at most 1,000 characters")
		}
		return v, nil
	case Number:
		n, ok := number(v)
		if !ok {
			return "", ErrValue.With("want a number such as -12.5")
		}
		return n, nil
	case Bool:
		switch strings.ToLower(v) {
		case "true", "yes", "1":
			return "true", nil
		case "false", "no", "0":
			return "false", nil
		}
		return "", ErrValue.With("want true or false")
	case Date:
		if _, err := time.Parse(time.DateOnly, v); err != nil {
			return "", ErrValue.With("want a day such as 2026-11-26")
		}
		return v, nil
	case Choice:
		i := slices.IndexFunc(a.Choices, func(c string) bool { return text.Key(c) == text.Key(v) })
		if i < 0 {
			return "", ErrValue.With("want one of: " + strings.Join(a.Choices, ", "))
		}
		return a.Choices[i], nil
	}
	return "", ErrKind
}

// Sortable returns a value, as it is kept, in a form whose bytes are in the order of
// what they mean: numbers from the lowest on, days from the first.
func Sortable(kept string) string {
	if n, ok := number(kept); !ok || n != kept {
		return kept
	}
	digits, negative := strings.CutPrefix(kept, "-")
	whole, _, _ := strings.Cut(digits, ".")
	digits = fmt.Sprintf("%02d%s", len(whole), digits)
	if !negative {
		return "p" + digits
	}
	return "n" + strings.Map(func(r rune) rune { // the larger, the lower
		if r == '.' {
			return r
		}
		return '9' - r + '0'
	}, digits) + "~"
}

// number returns a decimal number without what does not count.
func number(s string) (string, bool) {
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, fraction, point := strings.Cut(digits, ".")
	if len(s) > maxDigits || whole == "" || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", false
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", false
	}
	out := n.FloatString(len(fraction))
	if point {
		out = strings.TrimRight(strings.TrimRight(out, "0"), ".")
	}
	if out == "-0" {
		out = "0"
	}
	return out, true
}
