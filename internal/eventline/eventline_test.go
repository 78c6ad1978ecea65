package eventline

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// oddities are data that a log can hold, whatever the contract says of JSON.
var oddities = []string{
	`{}`, `null`, `{ "b" : 1, "a":1e400, "b":2 }`, "{\"a\":\n1}", ` {}`, `{} `, "", "\x00", "\xff", "\"\xff\"", `"\ud800"`, "not JSON", `"<a href='x'>&"`, "\"\u2028\"",
}

// A line that can be read says the same when it is printed and read again.
func FuzzParse(f *testing.F) {
	for n, data := range oddities {
		r := eventstore.Recorded{
			Event:  eventstore.Event{ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)), Type: "a.b.v1", Data: []byte(data), Meta: []byte(oddities[n/2])},
			Stream: "chat-1", Revision: eventstore.Revision(n), Position: eventstore.Position(2*n + 1), Time: time.UnixMicro(int64(n) * 1e15).UTC(),
		}
		line, err := Append(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Parse(line)
		if err != nil {
			if s := err.Error(); s == "" || strings.ContainsAny(s, "\n") {
				t.Errorf("%q: the error is %q", line, s)
			}
			return
		}
		printed, err := Append(nil, r)
		if err != nil || bytes.ContainsAny(printed, "\r\n") || len(printed) > MaxLen {
			t.Fatalf("%q is printed as %q: %v", line, printed, err)
		}
		again, err := Parse(printed)
		if r.Time = r.Time.UTC(); err != nil || !again.Time.Equal(r.Time) {
			t.Fatalf("%q: %v at %s; want %s", printed, err, again.Time, r.Time)
		}
		again.Time = r.Time
		if len(r.Meta) == 0 {
			again.Meta = r.Meta
		}
		if !reflect.DeepEqual(again, r) {
			t.Errorf("%q: %+v; want %+v", printed, again, r)
		}
	})
}
