package text_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

var (
	missing = fault.Bad("f", "t.missing", "")
	long    = fault.Bad("f", "t.long", "")
	unclean = fault.Bad("f", "t.unclean", "")
)

func TestRule(t *testing.T) {
	required := text.Rule{Max: 3, Missing: missing, TooLong: long, Unclean: unclean}
	optional := text.Rule{Max: 3, TooLong: long, Unclean: unclean}
	tests := []struct {
		rule text.Rule
		s    string
		want error
	}{
		{required, "abc", nil},
		{required, "éüß", nil},
		{required, "éüßx", long},
		{required, "", missing},
		{required, " \u00a0", missing},
		{required, "a\x00", unclean},
		{required, "a\xff", unclean},
		{required, strings.Repeat("\xff", 4), long},
		{optional, "", nil},
		{optional, " ", nil},
		{optional, "abcd", long},
	}
	for _, tt := range tests {
		err := tt.rule.Check(tt.s)
		if tt.want == nil && err != nil || !errors.Is(err, tt.want) {
			t.Errorf("Check(%q) = %v, want %v", tt.s, err, tt.want)
		}
	}
}

func TestKey(t *testing.T) {
	for _, pair := range [][2]string{{"VIP", " vip "}, {"ΟΔΟΣ", "οδος"}, {"ΟΔΟΣ", "οδοσ"}, {"É", "é"}} {
		if text.Key(pair[0]) != text.Key(pair[1]) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
	if text.Key("a b") == text.Key("ab") {
		t.Error("spaces inside do not count")
	}
}

func TestIsColour(t *testing.T) {
	for s, want := range map[string]bool{"#00ff7F": true, "": false, "00ff7f": false, "#fff": false, "#00ff7g": false, "#00ff7f0": false, "#é0000": false} {
		if text.IsColour(s) != want {
			t.Errorf("IsColour(%q) = %v", s, !want)
		}
	}
}
