package codec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
)

var update = flag.Bool("update", false, "write the golden files that are missing; those that are there stay as they are")

// golden holds one file for each event type ever published. What has been
// published is in somebody's log: such a file is never changed.
const golden = "testdata/events"

func TestGoldenEvents(t *testing.T) {
	cdc := commands.Codec()
	for _, e := range commands.Events() {
		t.Run(e.EventType(), func(t *testing.T) {
			file := filepath.Join(golden, e.EventType()+".json")
			if _, err := os.Stat(file); os.IsNotExist(err) && *update {
				writeGolden(t, file, e)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; `make generate` writes the file of a new event", err)
			}

			// Given what is in a log, when it is decoded and written again,
			// then it is what it was, byte for byte but for white space.
			got, err := cdc.Decode(eventstore.Recorded{Event: eventstore.Event{Type: e.EventType(), Data: compact(t, want)}})
			if err != nil {
				t.Fatal(err)
			}
			again, err := cdc.Encode(uuid.Max, got, eventstore.Metadata{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again.Data, compact(t, want)) {
				t.Errorf("does not survive decoding and encoding:\nwant %s\n got %s", compact(t, want), again.Data)
			}
			if again.Type != e.EventType() {
				t.Errorf("is written as %s", again.Type)
			}
			for _, name := range unset(reflect.ValueOf(got), "") {
				t.Errorf("the golden file says nothing of %s: an additive field goes into the file too", name)
			}
		})
	}
}

// An event type that was published once can be read for ever.
func TestGoldenFilesAreAllReadable(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	cdc := commands.Codec()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if _, err := cdc.Decode(eventstore.Recorded{Event: eventstore.Event{Type: name, Data: data}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func writeGolden(t *testing.T, file string, e codec.Event) {
	t.Helper()
	p := reflect.New(reflect.TypeOf(e))
	fill(p.Elem(), "")
	full, ok := reflect.TypeAssert[codec.Event](p.Elem())
	if !ok {
		t.Fatalf("%T is not an event by value", e)
	}
	encoded, err := commands.Codec().Encode(uuid.Max, full, eventstore.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, encoded.Data, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// plausible values of strings, by the name of the field.
var plausible = map[string]string{
	"workspace": "acme", "channel": "5f0c7a5e-0c5b-5d0b-9a53-7a1d3c1f2b11", "customer": "15551230001",
	"status": "OPEN", "category": "open", "role": "agent", "availability": "online", "state": "delivered",
	"provider_id": "wamid.HBgLMTU1NTEyMzAwMDE", "target": "wamid.HBgLMTU1NTEyMzAwMDI", "emoji": "👍",
	"profile_name": "Ana Lima", "name": "Ana Lima", "text": "Do you deliver on Sundays?", "colour": "#2f7d32",
	"emails": "ana.lima@example.com", "email": "ana.lima@example.com", "phones": "+15551230001", "phone": "+15551230001",
	"new_number": "15551230009", "currency": "EUR", "mime_type": "image/jpeg", "filename": "photo.jpg",
	"url": "https://example.com/hat", "source_url": "https://example.com/ad", "media_url": "https://example.com/ad.jpg",
	"company": "Lima Hats", "city": "Lisbon", "country": "PT", "kind": "text", "carrier": "DHL", "tracking": "JD014600003",
	"body": `{"object":"whatsapp_business_account","entry":[]}`, "reason": "asked for by the customer",
}

// plausibleOf are values of types whose fields are called alike.
var plausibleOf = map[string]string{
	"chat.TransferKind": "agent", "attribute.Kind": "choice", "contact.Reason": "typed_in", "channel.Kind": "whatsapp", "bulk.Action": "close", "bulk.Outcome": "done", "chat.ContactReason": "contact_card",
}

// fill gives every field of v, and what is below it, a value that is not zero.
func fill(v reflect.Value, name string) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 9, 21, 14, 13, 20, 123456000, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`{"answer":"yes"}`)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				fill(v.Field(i), tag)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, name)
		fill(value, name)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		s := plausible[name]
		if of := plausibleOf[v.Type().String()]; of != "" {
			s = of
		}
		if s == "" {
			s = strings.ReplaceAll(name, "_", "-") + "-1"
		}
		v.SetString(s)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1999)
	case reflect.Uint8:
		v.SetUint(2)
	case reflect.Float64:
		v.SetFloat(38.7223)
	}
}

// unset returns the fields of v, and below, that are zero.
func unset(v reflect.Value, name string) (names []string) {
	if v.IsZero() && name != "" {
		return []string{name}
	}
	if _, ok := reflect.TypeAssert[time.Time](v); ok {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		return unset(v.Elem(), name)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				names = append(names, unset(v.Field(i), strings.TrimPrefix(name+"."+f.Name, "."))...)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct && v.Len() > 0 {
			return unset(v.Index(0), name)
		}
	}
	return slices.Compact(names)
}

func compact(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	cdc := commands.Codec()
	for _, name := range []string{"chat.message_received.v1", "chat.message_queued.v1"} {
		b.Run(name, func(b *testing.B) {
			var data []byte
			switch name {
			case "chat.message_received.v1":
				data = []byte(`{"message":"0190a0a0-0000-7000-8000-000000000000","provider_id":"wamid.0190a0a0-0000-7000-8000-000000000000","profile_name":"Ana","content":{"kind":"text","text":"what about my parcel? what about my parcel? what about my parcel?"},"at":"2026-01-02T03:04:05Z"}`)
			default:
				data = []byte(`{"message":"0190a0a0-0000-7000-8000-000000000000","text":"what about my parcel? what about my parcel? what about my parcel?","by":"agent-1","at":"2026-01-02T03:04:05Z"}`)
			}
			r := eventstore.Recorded{Event: eventstore.Event{Type: name, Data: data}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cdc.Decode(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
