package transcript

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/internal/csvtext"
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
	_, err := f.w.Write(csvtext.Line(cells))
	return err
}
