package contact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cell returns text as a cell of a CSV file. What a spreadsheet could take for a
// formula is preceded by an apostrophe, which makes it text: what begins with one of
// OWASP's characters or their full-width forms, also after spaces and invisible
// characters, which some spreadsheets pass over.
func Cell(s string) string {
	if isFormula(s) {
		return "'" + s
	}
	return s
}

// FromCell takes back what Cell did.
func FromCell(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && isFormula(rest) {
		return rest
	}
	return cell
}

func isFormula(s string) bool {
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if strings.ContainsRune("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20\u2212", r) {
			return true
		}
		if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) && !unicode.IsControl(r) {
			return false
		}
		s = s[size:]
	}
	return false
}
