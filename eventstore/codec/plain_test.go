package codec_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
)

type kind string

type inner struct {
	Name string `json:"name"`
	Size int64  `json:"size,omitempty"`
}

// happened has a field of each sort that plans read, and some that they leave to
// the library.
type happened struct {
	Text  string            `json:"text"`
	Kind  kind              `json:"kind,omitempty"`
	N     int               `json:"n"`
	Yes   bool              `json:"yes"`
	At    time.Time         `json:"at"`
	In    inner             `json:"in"`
	Maybe *inner            `json:"maybe,omitempty"`
	List  []string          `json:"list,omitempty"`
	Map   map[string]string `json:"map,omitempty"`
	Raw   json.RawMessage   `json:"raw,omitempty"`
	F     float64           `json:"f,omitempty"`
	ID    uuid.UUID         `json:"id,omitzero"`
	Later *time.Time        `json:"later,omitempty"`
}

func (happened) EventType() string { return "test.happened.v1" }

func TestPlansReadWhatTheLibraryReads(t *testing.T) {
	for _, text := range []string{
		`{}`, `{ }`, `{"text":"a"}`, `{"text":"a\nb"}`, `{"text":"é"}`, "{\"text\":\"\xff\"}", "{\"text\":\"\x01\"}", `{"text":1}`, `{"text":null}`,
		`{"n":1}`, `{"n":-1}`, `{"n":1.0}`, `{"n":1e3}`, `{"n":01}`, `{"n":-}`, `{"n":"1"}`, `{"n":9223372036854775807}`, `{"n":9223372036854775808}`, `{"n":-0}`,
		`{"yes":true}`, `{"yes":false}`, `{"yes":truee}`, `{"yes":1}`, `{"in":{"name":"x","size":3}}`, `{"in":{}}`, `{"in":null}`, `{"in":[]}`,
		`{"maybe":{"name":"x"}}`, `{"maybe":null}`, `{"maybe":{"other":1}}`, `{"maybe":{"name":"x"},"maybe":{"size":2}}`, `{"text":"a","text":"b"}`,
		`{"at":"2026-01-02T03:04:05Z"}`, `{"at":"2026-01-02T03:04:05.123456Z"}`, `{"at":"2026-01-02T03:04:05+02:00"}`, `{"at":"2026-13-02T03:04:05Z"}`,
		`{"at":""}`, `{"at":"2026-01-02 03:04:05Z"}`, `{"at":"2026-01-02T3:04:05Z"}`, `{"later":"2026-01-02T03:04:05Z"}`,
		`{"list":["a","b"]}`, `{"map":{"a":"b"}}`, `{"raw":{"a":[1, 2]}}`, `{"f":1.5}`, `{"id":"0190a0a0-0000-7000-8000-000000000000"}`,
		`{"unknown":1,"text":"a"}`, `{"TEXT":"a"}`, `{"text":"a"} `, `{"text":"a"}x`, `{"text":"a",}`, `{"text":"a"`, `{"text"`, `{`, ``, `[]`, `null`, `"text"`,
		`{"text":"a","kind":"b","n":2,"yes":true,"at":"2026-01-02T03:04:05Z","in":{"name":"c"},"maybe":{"name":"d","size":4}}`,
	} {
		check(t, text)
	}
}

func TestPlansReadWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[ -~]{0,20}`), rapid.String())
		e := happened{
			Text: text.Draw(rt, "text"), Kind: kind(text.Draw(rt, "kind")), N: rapid.Int().Draw(rt, "n"), Yes: rapid.Bool().Draw(rt, "yes"),
			At: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(rt, "at")).UTC(), In: inner{text.Draw(rt, "name"), rapid.Int64().Draw(rt, "size")},
		}
		if rapid.Bool().Draw(rt, "maybe") {
			e.Maybe = &inner{Name: text.Draw(rt, "other")}
		}
		if rapid.Bool().Draw(rt, "list") {
			e.List = []string{text.Draw(rt, "item")}
		}
		b, err := json.Marshal(e)
		if err != nil {
			rt.Fatal(err)
		}
		check(rt, string(b))
		if cut := rapid.IntRange(0, len(b)).Draw(rt, "cut"); cut < len(b) {
			check(rt, string(b[:cut]))
		}
	})
}

// check compares the event with that of a codec that has no plan for it, since
// its type is behind a pointer.
func check(t interface{ Errorf(string, ...any) }, text string) {
	r := eventstore.Recorded{Event: eventstore.Event{Type: "test.happened.v1", Data: []byte(text)}}
	got, err := codec.New([]codec.Event{happened{}}).Decode(r)
	want, wantErr := codec.New([]codec.Event{&slow{}}).Decode(r)
	switch {
	case (err != nil) != (wantErr != nil):
		t.Errorf("%s: %v, the library has %v", text, err, wantErr)
	case err == nil:
		var plain happened
		if w := want.(*slow); w != nil {
			plain = happened(*w)
		}
		if diff := cmp.Diff(fmt.Sprintf("%#v", plain), fmt.Sprintf("%#v", got)); diff != "" && !cmp.Equal(plain, got) {
			t.Errorf("%s (-library +plan):\n%s", text, diff)
		}
	}
}

type slow happened

func (*slow) EventType() string { return "test.happened.v1" }
