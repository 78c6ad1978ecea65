package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Word returns what a customer writes, or a word that it may be, as the two are compared:
// case, accents, spaces around it and the points behind it do not count. It is "" for what
// is longer than a word of the settings.
func Word(s string) string {
	const longest = 40 // characters, as the settings of a workspace take them
	if utf8.RuneCountInString(s) > longest {
		return ""
	}
	plain := map[rune]rune{
		'á': 'a', 'à': 'a', 'â': 'a', 'ã': 'a', 'ä': 'a', 'å': 'a', 'ç': 'c', 'é': 'e', 'è': 'e', 'ê': 'e', 'ë': 'e', 'í': 'i', 'ì': 'i', 'î': 'i', 'ï': 'i',
		'ñ': 'n', 'ó': 'o', 'ò': 'o', 'ô': 'o', 'õ': 'o', 'ö': 'o', 'ú': 'u', 'ù': 'u', 'û': 'u', 'ü': 'u',
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case plain[r] != 0:
			return plain[r]
		}
		return r
	}, strings.ToLower(s))
	return strings.Join(strings.Fields(strings.TrimRight(s, ".! ")), " ")
}
