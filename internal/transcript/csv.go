package transcript

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// asCSV writes a line for each entry, as RFC 4180 has it, in UTF-8.
type asCSV struct{ w io.Writer }

func columns() []string {
	return []string{
		"position", "revision", "id", "at", "kind", "type", "direction", "author_kind", "author_id", "author", "text",
		"reply_to", "reactions", "delivery", "delivery_at", "delivery_error", "edited_at", "edited_by",
	}
}

func (f *asCSV) begin(About) error { return f.line(columns()) }
func (f *asCSV) end(int) error     { return nil }

func (f *asCSV) entry(e *Entry) error {
	var typ, direction, replyTo, reactions, delivery, deliveryAt, deliveryError, editedAt, editedBy string
	switch {
	case e.Message != nil:
		m := e.Message
		typ, direction = m.Content.Kind, m.Direction
		if m.ReplyTo != nil {
			replyTo = m.ReplyTo.Message
		}
		var list []string
		for _, r := range m.Reactions {
			list = append(list, r.Emoji)
		}
		reactions = strings.Join(list, " ")
		if d := m.Delivery; d != nil {
			delivery, deliveryAt, deliveryError = string(d.State), d.At.Format(time.RFC3339Nano), failure(d.Error)
		}
	case e.Note != nil:
		if e.Note.EditedAt != nil {
			editedAt = e.Note.EditedAt.Format(time.RFC3339Nano)
		}
		if e.Note.EditedBy != nil {
			editedBy = e.Note.EditedBy.label()
		}
	case e.System != nil:
		typ = e.System.Type
	}
	return f.line([]string{
		strconv.FormatInt(e.Position, 10), strconv.FormatInt(e.Revision, 10), e.ID, e.At.Format(time.RFC3339Nano), e.Kind, typ, direction,
		e.By.Kind, e.By.ID, e.By.Name, e.text(), replyTo, reactions, delivery, deliveryAt, deliveryError, editedAt, editedBy,
	})
}

func (f *asCSV) line(cells []string) error {
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(cell(c))
	}
	b.WriteString("\r\n")
	_, err := io.WriteString(f.w, b.String())
	return err
}

// cell returns the value of a cell, in quotes if it needs them. A value that a
// spreadsheet might take for a formula is preceded by an apostrophe, which makes
// it text. Only what people typed can begin so: no number of ours does.
func cell(value string) string {
	if isFormula(value) {
		value = "'" + value
	}
	if !strings.ContainsAny(value, ",\"\r\n") && !strings.HasPrefix(value, " ") {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
}

// isFormula follows OWASP's list of what begins a formula, "= + - @", a tab or a
// line break, and their full-width forms. Spaces and invisible characters before
// them do not count, as some spreadsheets pass over them.
func isFormula(value string) bool {
	for value != "" {
		r, size := utf8.DecodeRuneInString(value)
		switch r {
		case '=', '+', '-', '@', '\t', '\r', '\n', '\uff1d', '\uff0b', '\uff0d', '\uff20', '\u2212', '|', '%':
			return true
		}
		if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) && !unicode.IsControl(r) {
			return false
		}
		value = value[size:]
	}
	return false
}
