package transcript

import (
	"encoding/json"
	"fmt"
	"io"
)

// Schema names the form of the JSON. Fields may be added under the same name.
const Schema = "chatledger.transcript.v1"

// asJSON writes one object, with an entry on each line. Its last field, count,
// tells a whole transcript from the beginning of one.
type asJSON struct {
	w   io.Writer
	any bool
}

func (f *asJSON) begin(a About) error {
	if _, err := fmt.Fprintf(f.w, "{\"schema\":%q,\"about\":", Schema); err != nil {
		return err
	}
	if err := f.value(a); err != nil {
		return err
	}
	_, err := io.WriteString(f.w, ",\"entries\":[")
	return err
}

func (f *asJSON) entry(e *Entry) error {
	separator := "\n"
	if f.any {
		separator = ",\n"
	}
	f.any = true
	if _, err := io.WriteString(f.w, separator); err != nil {
		return err
	}
	return f.value(e)
}

func (f *asJSON) end(entries int) error {
	_, err := fmt.Fprintf(f.w, "\n],\"count\":%d}\n", entries)
	return err
}

func (f *asJSON) value(v any) error {
	text, err := json.Marshal(v) // with the escapes meant for HTML: it may end up in a page
	if err != nil {
		return fmt.Errorf("encode transcript: %w", err)
	}
	_, err = f.w.Write(text)
	return err
}
