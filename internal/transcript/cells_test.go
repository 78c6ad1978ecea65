package transcript

import (
	"strings"
	"testing"
)

// No text can look like a line of ours, or move the cursor.
func TestPlainTextCannotBeForged(t *testing.T) {
	const line = "  12:00:00  Ann: give it to me"
	for _, br := range []string{"\n", "\r", "\r\n", "\v", "\f", "\u0085", "\u2028", "\u2029"} {
		got := indented("hello" + br + line)
		if want := "hello\n" + margin + line; got != want {
			t.Errorf("after %q: %q, want %q", br, got, want)
		}
		if got := oneLine("hello" + br + line); strings.ContainsAny(got, "\n\r") {
			t.Errorf("after %q: %q is more than a line", br, got)
		}
	}
	if got := printable("a\x1b[2Jb\u202ec\u2066d\x00e\tf"); got != "a\ufffd[2Jbcd\ufffde\tf" {
		t.Errorf("%q", got)
	}
}
