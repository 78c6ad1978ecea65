package acceptance

import (
	"fmt"
	"strings"
	"testing"
)

// What a server says at its start is still found after a load whose requests it logs.
func TestOutputKeepsTheFirst(t *testing.T) {
	var o output
	fmt.Fprint(&o, "clients connect to 127.0.0.1:1\nit listens on 127.0")
	if where, found := o.after("it listens on "); found {
		t.Fatalf("half a line was taken: %q", where)
	}
	fmt.Fprint(&o, ".0.1:2\n")
	for n := range 10_000 {
		fmt.Fprintf(&o, "request %05d\n", n)
	}
	for text, want := range map[string]string{"clients connect to ": "127.0.0.1:1", "it listens on ": "127.0.0.1:2"} {
		if got, found := o.after(text); !found || got != want {
			t.Errorf("after %q: %q, %v, want %q", text, got, found, want)
		}
	}
	if text := o.String(); len(text) > firstKept+lastKept+100 || !strings.HasSuffix(text, "request 09999\n") {
		t.Errorf("%d bytes kept, the last are %q", len(text), text[len(text)-20:])
	}
}
