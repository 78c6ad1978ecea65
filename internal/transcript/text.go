package transcript

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// asText writes for people. What somebody typed cannot pass for a line of ours:
// ours begin at the margin or after two spaces, theirs are further in.
type asText struct {
	w   io.Writer
	day string
}

const margin = "            "

func (f *asText) begin(a About) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Transcript of the chat with %s\n\n", oneLine(a.Customer.label()))
	for _, fact := range a.facts() {
		fmt.Fprintf(&b, "%-12s%s\n", fact[0], oneLine(fact[1]))
	}
	_, err := io.WriteString(f.w, b.String())
	return err
}

func (f *asText) entry(e *Entry) error {
	var b strings.Builder
	if d := e.At.Format(day); d != f.day {
		f.day = d
		fmt.Fprintf(&b, "\n%s\n\n", d)
	}
	fmt.Fprintf(&b, "  %s  ", e.At.Format(clock))
	switch {
	case e.Message != nil:
		fmt.Fprintf(&b, "%s: %s\n", oneLine(author(e.By)), indented(e.text()))
	case e.Note != nil:
		fmt.Fprintf(&b, "Note by %s: %s\n", oneLine(author(e.By)), indented(e.text()))
	default:
		fmt.Fprintf(&b, "* %s", oneLine(e.text()))
		if e.By.ID != "" {
			fmt.Fprintf(&b, ", by %s", oneLine(author(e.By)))
		}
		b.WriteByte('\n')
	}
	for _, r := range e.remarks() {
		fmt.Fprintf(&b, "%s[%s]\n", margin, oneLine(r))
	}
	_, err := io.WriteString(f.w, b.String())
	return err
}

func (f *asText) end(entries int) error {
	_, err := fmt.Fprintf(f.w, "\nEnd of the transcript, %d entries.\n", entries)
	return err
}

// author names an author, and says if it is no person.
func author(a Author) string {
	if a.Kind == byBot {
		return a.name() + " (bot)"
	}
	return a.name()
}

// indented keeps the lines of a text, without trailing spaces.
func indented(s string) string {
	lines := strings.Split(printable(s), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
		if i > 0 && lines[i] != "" {
			lines[i] = margin + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func oneLine(s string) string { return strings.ReplaceAll(printable(s), "\n", " ") }

// printable makes every line break a \n, and leaves out what would move the
// cursor of a terminal or turn the rest of the line around.
func printable(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case r == '\r', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		case unicode.IsControl(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
