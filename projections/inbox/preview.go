package inbox

import (
	"strings"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/chat"
)

// previewLen is the length of a preview, in characters.
const previewLen = 120

// Preview returns one line that says what is in a message: its text, or its
// kind in brackets and what names it.
func Preview(c chat.Content) string {
	s := c.Text
	switch c.Kind {
	case "text", "button", "list":
	case "document":
		if s == "" && c.Media != nil {
			s = c.Media.Filename
		}
		s = "[document] " + s
	case "location":
		if c.Location != nil && c.Location.Name != "" {
			s = c.Location.Name
		} else if c.Location != nil {
			s = c.Location.Address
		}
		s = "[location] " + s
	case "contacts":
		names := make([]string, len(c.Cards))
		for i, card := range c.Cards {
			names[i] = card.Name
		}
		s = "[contact] " + strings.Join(names, ", ")
	case "flow":
		if s == "" && c.Flow != nil {
			s = c.Flow.Body
		}
		s = "[form] " + s
	case "order":
		if s != "" {
			s = ": " + s
		}
		s = "Order" + s
	default: // image, video, audio, voice, sticker, unsupported, unknown and what is to come
		s = "[" + c.Kind + "] " + s
	}
	return line(s, previewLen)
}

// line returns the words of s with single spaces between them: at most n
// characters, the last one an ellipsis if some are left out.
func line(s string, n int) string {
	if isLine(s[:min(len(s), n)]) {
		switch {
		case len(s) <= n:
			return s
		case strings.TrimSpace(s[n:]) != "":
			return s[:n-1] + "…"
		}
	}
	out := make([]byte, 0, min(len(s), 2*n))
	chars := 0
	for word := range strings.FieldsSeq(s) {
		if chars > 0 {
			out = append(out, ' ')
			chars++
		}
		out = append(out, word...)
		if chars += utf8.RuneCountInString(word); chars > n {
			break
		}
	}
	if chars <= n {
		return string(out)
	}
	end, seen := 0, 0
	for end = range string(out) {
		if seen == n-1 {
			break
		}
		seen++
	}
	return string(append(out[:end], "…"...))
}

// isLine reports whether line would leave s as it is, for what it sees at once.
func isLine(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= utf8.RuneSelf || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return before != ' '
}
