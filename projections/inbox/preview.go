package inbox

import (
	"strings"

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
	return cut(strings.Join(strings.Fields(s), " "), previewLen)
}

// cut returns at most n characters of s, the last one an ellipsis if some are
// left out.
func cut(s string, n int) string {
	count := 0
	end := 0 // of the first n-1 characters
	for i := range s {
		if count == n-1 {
			end = i
		}
		if count == n {
			return s[:end] + "…"
		}
		count++
	}
	return s
}
