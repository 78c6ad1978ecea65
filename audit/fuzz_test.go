package audit

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
)

// Whatever a bundle is made of, it is refused, or has nothing in it that was not
// signed.
func FuzzVerifyBundle(f *testing.F) {
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	bundle, key := read("bundle.ndjson"), string(read("key.txt"))
	signed := map[string]bool{}
	if _, err := VerifyBundle(bytes.NewReader(bundle), key, func(r eventstore.Recorded) error {
		signed[string(AppendLeaf(nil, r))] = true
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	header, rest, _ := strings.Cut(string(bundle), "\n")
	lines := strings.SplitAfter(rest, "\n")
	f.Add([]byte(rest))
	f.Add([]byte(strings.Join(lines[1:], "")))
	f.Add([]byte(strings.Join(lines[:3], "") + `{"events":3}` + "\n"))
	f.Add([]byte(lines[0] + lines[0]))
	f.Add([]byte(`{"events":0}`))
	f.Add([]byte(`{"leaf":0,"proof":null,"event":{}}` + "\n"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		_, err := VerifyBundle(strings.NewReader(header+"\n"+string(rest)), key, func(r eventstore.Recorded) error {
			if !signed[string(AppendLeaf(nil, r))] {
				t.Errorf("%s was never signed", named(r))
			}
			return nil
		})
		if err != nil && (err.Error() == "" || strings.Contains(err.Error(), "\n")) {
			t.Errorf("the error is %q", err)
		}
	})
}

// A checkpoint is what was signed, or it is refused.
func FuzzOpenCheckpoint(f *testing.F) {
	key, err := os.ReadFile("testdata/key.txt")
	if err != nil {
		f.Fatal(err)
	}
	bundle, err := os.Open("testdata/bundle.ndjson")
	if err != nil {
		f.Fatal(err)
	}
	defer bundle.Close()
	c, err := ReadCheckpoint(bundle, string(key))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Note)
	f.Add(c.Note + "— another AAAAAAAA\n")
	f.Add("a\n1\n" + c.Root.String() + "\n\n— a AAAAAAAA\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := OpenCheckpoint(text, string(key))
		if err == nil && (got.Origin != c.Origin || got.Size != c.Size || got.Root != c.Root) {
			t.Errorf("%q says %+v, which was never signed", text, got)
		}
	})
}
