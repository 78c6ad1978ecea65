package projections

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// isStorable looks at eight bytes at a time, and says the same.
func TestIsStorable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{'a', ' ', 1, 0x7f, 0x80, 0xc3, 0xa9, 0, 'z', 'x'}), 0, 40).Draw(t, "text")
		text := strings.Repeat("plain ", rapid.IntRange(0, 4).Draw(t, "before")) + string(b)
		want := !strings.Contains(text, "\x00") && utf8.ValidString(text)
		if got := isStorable(text); got != want {
			t.Fatalf("isStorable(%q) = %t", text, got)
		}
	})
}
