package csvtext

import (
	"encoding/csv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What a spreadsheet could take for a formula is made text; the rest stays.
func TestFormulaInjection(t *testing.T) {
	for value, want := range map[string]string{
		"":                               "",
		"hello":                          "hello",
		"a=1":                            "a=1",
		"=1+1":                           "'=1+1",
		"+49 30 1234":                    "'+49 30 1234",
		"-1":                             "'-1",
		"@SUM(A1)":                       "'@SUM(A1)",
		"\tx":                            "'\tx",
		"\t=1":                           "'\t=1",
		"\r=1":                           "'\r=1",
		"\n=1":                           "'\n=1",
		" =1":                            "' =1",
		"\u00a0=1":                       "'\u00a0=1",
		"\u200b=1":                       "'\u200b=1",
		"\ufeff=1":                       "'\ufeff=1",
		"\u2066=1":                       "'\u2066=1",
		"＝1":                             "'＝1",
		"＋1":                             "'＋1",
		"－1":                             "'－1",
		"＠x":                             "'＠x",
		"|calc":                          "'|calc",
		"%0":                             "'%0",
		"=cmd|' /C calc'!A0":             "'=cmd|' /C calc'!A0",
		`=HYPERLINK("http://x","click")`: `'=HYPERLINK("http://x","click")`,
		"'=1":                            "'=1",
		"  spaces stay  ":                "  spaces stay  ",
		"two\nlines":                     "two\nlines",
		"two\r\nlines":                   "two\r\nlines",
		"a \"quoted\" word":              "a \"quoted\" word",
		"12:00 – „Tee“":                  "12:00 – „Tee“",
		"👍":                              "👍",
		"\x1b=1":                         "'\x1b=1",
		"a,b;c":                          "a,b;c",
	} {
		line := string(Line([]string{value, "x"}))
		r := csv.NewReader(strings.NewReader(line))
		got, err := r.Read()
		// encoding/csv makes \r\n in a field \n.
		if err != nil || len(got) != 2 || got[0] != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Errorf("%q is read as %q, %v; want %q", value, got, err, want)
		}
	}
}

// Whatever is in a cell, it is one cell, and is read as it was written.
func TestCellsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.SampledFrom([]rune("ab =+-@\t\r\n\",;'\u200b\u00a0＝"))).Draw(t, "value")
		got, err := csv.NewReader(strings.NewReader(string(Line([]string{value, "x"})))).Read()
		if err != nil || len(got) != 2 || got[1] != "x" {
			t.Fatalf("%q is read as %q, %v", value, got, err)
		}
		// encoding/csv leaves out a \r before a \n.
		text := strings.ReplaceAll(got[0], "\r", "")
		if want := strings.ReplaceAll(value, "\r", ""); text != want && text != "'"+want {
			t.Fatalf("%q is read as %q", value, got[0])
		}
		if isFormula(got[0]) {
			t.Fatalf("%q is read as the formula %q", value, got[0])
		}
	})
}

func TestGuardAndBack(t *testing.T) {
	for text, want := range map[string]string{
		"Ana": "Ana", "": "", "+1555": "'+1555", "=1+1": "'=1+1", " @x": "' @x", "\u200b-1": "'\u200b-1", "a=b": "a=b", "'tis": "'tis", "\uff1d1": "'\uff1d1",
	} {
		if got := Guard(text); got != want || Unguard(got) != text {
			t.Errorf("Guard(%q) = %q, and back %q; want %q", text, got, Unguard(got), want)
		}
	}
}
