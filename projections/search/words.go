package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// What a word is, is decided here and not by a database, so that both find the
// same. A word is a run of letters and digits without their case and accents; of a
// script that puts no spaces between words, each two neighbouring characters are
// one, and the last by itself. A symbol, such as an emoji, is a word, too.
//
// A number that may be a telephone's, however it is parted, is further words: its
// digits without zeros in front, and each end of these of four digits or more.

const (
	maxWord    = 60    // bytes of a word that count
	maxWords   = 2_000 // of a text that are found
	minPhone   = 7     // digits, in a text
	maxPhone   = 17    // fifteen, and two zeros for a plus (ITU-T E.164)
	minDigits  = 4     // of its end
	maxPhoneIn = 32    // bytes that it may take, with what parts it
)

// token is a word of a text, or a number, and where it stands there.
type token struct {
	word       string // folded; of a number its digits, without zeros in front
	start, end int    // bytes
	number     bool   // may be a telephone's, and is other words as well
	whole      bool   // two characters of a script without spaces, or a symbol: nothing is added to it
	tail       bool   // the last character of such a script, after another
}

// eachToken calls yield for the words of s in their order, and for a number
// before the words that it is made of. It ends if yield returns false.
func eachToken(s string, least int, yield func(token) bool) {
	past := 0 // a number has been looked for up to here
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if i >= past && (isDigit(r) || r == '+' || r == '(') && !endsInWord(s[:i]) {
			if digits, end := number(s[i:]); end > 0 {
				past = i + end
				if d := strings.TrimLeft(digits, "0"); len(digits) >= least && len(digits) <= maxPhone && len(d) >= minDigits {
					if !yield(token{word: d, start: i, end: past, number: true}) {
						return
					}
				}
			}
		}
		switch {
		case isSymbol(r):
			if !yield(token{word: string(r), start: i, end: i + size, whole: true}) {
				return
			}
			i += size
		case !isPart(r) || unicode.IsMark(r):
			i += size
		case isDense(r):
			end, more := dense(s, i, yield)
			if !more {
				return
			}
			i = end
		default:
			end := i + size
			for end < len(s) {
				r, size := utf8.DecodeRuneInString(s[end:])
				if !isPart(r) || isDense(r) {
					break
				}
				end += size
			}
			if w := fold(s[i:end]); w != "" {
				if !yield(token{word: w, start: i, end: end}) {
					return
				}
			}
			i = end
		}
	}
}

// dense yields the words of a run of a script without spaces, which begins at i,
// and returns its end.
func dense(s string, i int, yield func(token) bool) (end int, more bool) {
	before := token{start: -1}
	for end = i; end < len(s); {
		r, size := utf8.DecodeRuneInString(s[end:])
		if !isDense(r) {
			break
		}
		c := token{start: end, end: end + size}
		for c.end < len(s) { // with its marks
			r, size := utf8.DecodeRuneInString(s[c.end:])
			if !unicode.IsMark(r) {
				break
			}
			c.end += size
		}
		c.word, end = fold(s[c.start:c.end]), c.end
		if before.start >= 0 {
			c.tail = true
			if !yield(token{word: before.word + c.word, start: before.start, end: c.end, whole: true}) {
				return end, false
			}
		}
		before = c
	}
	return end, yield(before)
}

// number returns the digits of the number that s begins with, and where it ends: 0
// if there is none. Between its digits, up to two signs may stand that are used to
// part numbers.
func number(s string) (digits string, end int) {
	var b []byte
	signs, skip := 0, 0
	for i, r := range s {
		switch {
		case i > maxPhoneIn || len(b) > maxPhone:
			return string(b), end
		case isDigit(r) && i < skip:
			continue
		case isDigit(r):
			b, end, signs = append(b, byte(r)), i+1, 0
			continue
		case unicode.IsLetter(r) && end == i: // it is a word
			return "", 0
		case i < skip:
		case len(b) > 0 && strings.HasPrefix(s[i:], "(0)"): // +49 (0)151: the zero is for those who leave +49 out
			skip, signs = i+len("(0)"), 0
		case strings.ContainsRune(" ()-./+\u00a0\u2011\u2013", r):
			if signs++; signs > 2 || r == '+' && len(b) > 0 {
				return string(b), end
			}
		default:
			return string(b), end
		}
	}
	return string(b), end
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isPart(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

func isSymbol(r rune) bool { return r >= utf8.RuneSelf && unicode.Is(unicode.So, r) }

func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return isPart(r)
}

// isDense reports whether r is of a script that puts no spaces between words.
func isDense(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) &&
		!unicode.IsMark(r)
}

// fold returns a word without case and accents.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return cut(strings.ToLower(s))
	}
	if len(s) > 20*maxWord { // no more of it counts
		s = s[:20*maxWord]
	}
	s = cases.Fold().String(norm.NFKD.String(s))
	var b strings.Builder
	for _, r := range s {
		switch {
		case isAccent(r) || !isPart(r) || r == utf8.RuneError:
		case plain(r) != "":
			b.WriteString(plain(r))
		default:
			b.WriteRune(r)
		}
	}
	return cut(norm.NFC.String(b.String()))
}

// isAccent reports whether r is a mark that words are found without: those of the
// Latin, Greek and Cyrillic scripts, and the vowel signs of Hebrew and Arabic. The
// marks of other scripts make other words.
func isAccent(r rune) bool {
	switch {
	case r < 0x0300:
		return false
	case r <= 0x036f, 0x1ab0 <= r && r <= 0x1aff, 0x1dc0 <= r && r <= 0x1dff, 0x20d0 <= r && r <= 0x20ff, 0xfe00 <= r && r <= 0xfe0f:
		return true
	case 0x0591 <= r && r <= 0x05c7, 0x0610 <= r && r <= 0x061a, 0x064b <= r && r <= 0x065f, r == 0x0670:
		return unicode.IsMark(r)
	}
	return false
}

// plain returns what people type for a letter that has no accent to take off, or "".
func plain(r rune) string {
	switch r {
	case 'ł':
		return "l"
	case 'ø':
		return "o"
	case 'đ', 'ð':
		return "d"
	case 'ħ':
		return "h"
	case 'ı':
		return "i"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'þ':
		return "th"
	}
	return ""
}

// cut returns as much of a word as counts.
func cut(w string) string {
	if len(w) <= maxWord {
		return w
	}
	n := maxWord
	for !utf8.RuneStart(w[n]) {
		n--
	}
	return w[:n]
}

// wordsOf returns the different words of a text.
func wordsOf(text string) []string {
	var list []string
	seen := map[string]bool{}
	add := func(w string) {
		if !seen[w] {
			seen[w] = true
			list = append(list, w)
		}
	}
	eachToken(text, minPhone, func(t token) bool {
		if !t.number {
			add(t.word)
			return len(list) < maxWords
		}
		for from := 0; from <= len(t.word)-minDigits; from++ {
			add(t.word[from:])
		}
		return len(list) < maxWords
	})
	return list
}
