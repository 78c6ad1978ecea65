// Package eventline writes a recorded event as a line of JSON and reads it again,
// with its data and metadata byte for byte: for dumps of the log and for proofs.
//
// It must not know what an event means.
package eventline

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// line is an event as a line of NDJSON, but for its data and metadata. These
// are kept byte for byte: in "data" and "metadata" as they are, if they are JSON on
// one line, or else in "data_base64" and "metadata_base64".
type line struct {
	Position   eventstore.Position `json:"position"`
	Stream     string              `json:"stream"`
	Revision   eventstore.Revision `json:"revision"`
	ID         uuid.UUID           `json:"id"`
	Type       string              `json:"type"`
	RecordedAt time.Time           `json:"recorded_at"`
}

// What there is in a log is there for good, so it is printed and read with the
// leniency of eventstore/codec.
func lenient() jsonv2.Options {
	return jsonv2.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// MaxLen is how long a line may be, in bytes: that of the largest event.
const MaxLen = eventstore.MaxEventSize/3*4 + 6*(eventstore.MaxStreamName+eventstore.MaxTypeName) + 1024

// Append adds r to b as a line, without the line break.
func Append(b []byte, r eventstore.Recorded) ([]byte, error) {
	head, err := jsonv2.Marshal(line{r.Position, r.Stream, r.Revision, r.ID, r.Type, r.Time.UTC()}, lenient())
	if err != nil {
		return b, err
	}
	b = append(b, bytes.TrimSuffix(head, []byte("}"))...)
	b = appendMember(b, "data", r.Data)
	if len(r.Meta) > 0 {
		b = appendMember(b, "metadata", r.Meta)
	}
	return append(b, '}'), nil
}

func appendMember(b []byte, name string, value []byte) []byte {
	asIs := !bytes.ContainsAny(value, "\r\n") && len(bytes.TrimSpace(value)) == len(value) && jsontext.Value(value).IsValid(lenient())
	if asIs {
		return append(append(append(append(b, `,"`...), name...), `":`...), value...)
	}
	b = append(append(append(b, `,"`...), name...), `_base64":"`...)
	return append(base64.StdEncoding.AppendEncode(b, value), '"')
}

// Parse returns the event of a line, or an error that names the field.
func Parse(text []byte) (eventstore.Recorded, error) {
	l := struct {
		line

		Data      jsontext.Value `json:"data"`
		DataBytes []byte         `json:"data_base64"`
		Meta      jsontext.Value `json:"metadata"`
		MetaBytes []byte         `json:"metadata_base64"`
	}{line: line{Position: -1, Revision: -1}}
	if err := jsonv2.Unmarshal(text, &l, lenient(), jsonv2.RejectUnknownMembers(true)); err != nil {
		return eventstore.Recorded{}, explain(err)
	}
	r := eventstore.Recorded{
		Event:  eventstore.Event{ID: l.ID, Type: l.Type, Data: l.Data, Meta: l.Meta},
		Stream: l.Stream, Revision: l.Revision, Position: l.Position, Time: l.RecordedAt,
	}
	switch {
	case r.Position < 1:
		return r, errors.New("position: missing, or less than 1")
	case r.Stream == "":
		return r, errors.New("stream: missing")
	case r.Revision < 0:
		return r, errors.New("revision: missing, or negative")
	case r.ID == uuid.Nil:
		return r, errors.New("id: missing")
	case r.Type == "":
		return r, errors.New("type: missing")
	case (l.Data == nil) == (l.DataBytes == nil):
		return r, errors.New("data: want one of data and data_base64")
	case l.Meta != nil && l.MetaBytes != nil:
		return r, errors.New("metadata: want one of metadata and metadata_base64")
	}
	if l.DataBytes != nil {
		r.Data = l.DataBytes
	}
	if l.MetaBytes != nil {
		r.Meta = l.MetaBytes
	}
	return r, eventstore.Validate(r.Stream, r.Revision-1, []eventstore.Event{r.Event})
}

// explain says in a reader's words what is wrong with a line.
func explain(err error) error {
	wrong, ok := errors.AsType[*jsonv2.SemanticError](err)
	if !ok {
		return fmt.Errorf("not JSON: %s", strings.TrimPrefix(err.Error(), "jsontext: "))
	}
	field := strings.TrimPrefix(string(wrong.JSONPointer), "/")
	switch {
	case errors.Is(wrong, jsonv2.ErrUnknownName):
		return fmt.Errorf("%s: there is no such field", field)
	case field == "":
		return errors.New("want a JSON object")
	case wrong.Err != nil:
		return fmt.Errorf("%s: %w", field, wrong.Err)
	}
	return fmt.Errorf("%s: a JSON %s is not what belongs there", field, wrong.JSONKind)
}
