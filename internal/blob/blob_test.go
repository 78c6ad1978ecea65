package blob_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/internal/blob"
)

func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workspace := rapid.StringN(1, 20, -1).Draw(t, "workspace")
		sum := rapid.StringMatching(`[0-9a-f]{64}`).Draw(t, "sum")
		key, err := blob.Key(workspace, sum)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(key, `.\:`) || strings.ToLower(key) != key || strings.Count(key, "/") != 2 {
			t.Errorf("%q is %q", workspace, key)
		}
		w, s, ok := blob.ParseKey(key)
		if w != workspace || s != sum || !ok {
			t.Errorf("%q is %q %q %t", key, w, s, ok)
		}
	})
	sum := strings.Repeat("ab", 32)
	for _, key := range []string{"", "acme", "acme/ab", "acme/ac/" + sum, "/ab/" + sum, "Acme/ab/" + sum, "%61/ab/" + sum, "%6/ab/" + sum, "%zz/ab/" + sum, "acme/ab/" + sum + "/x", "../ab/" + sum} {
		if w, s, ok := blob.ParseKey(key); ok {
			t.Errorf("%q is %q %q", key, w, s)
		}
	}
}
