package eventstore_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
)

// What is read in a hurry is what encoding/json reads.
func TestMetadataIsReadAsEncodingJSONReadsIt(t *testing.T) {
	texts := []string{
		`{}`, `{"workspace":"acme"}`, `{"workspace":"a\"b"}`, `{"workspace":"é","actor":"x"}`, `{"actor":"x","actor":"y"}`,
		`{"unknown":"x","actor":"y"}`, `{"unknown":{"deep":[1]},"actor":"y"}`, ` { "actor" : "y" } `, `{"occurred_at":"2026-01-02T03:04:05.000006Z"}`,
		`{"occurred_at":"2026-01-02T03:04:05+02:00"}`, `{"occurred_at":"2026-01-02"}`,
		`{"actor":1}`, `{"actor":null}`, `{"actor":"x"`, `{"actor":"x",}`, `{"actor" "x"}`, `{"actor":"x"}}`, `[]`, `null`, `"x"`, `{`, `{"a`, "{\"actor\":\"\x01\"}",
		"{\"actor\":\"\xff\"}", `{"$correlationId":"c","$causationId":"d","traceparent":"t","request":"r","command":"c","command_id":"i","channel":"ch","actor_kind":"bot"}`,
	}
	for _, text := range texts {
		var want eventstore.Metadata
		wantErr := json.Unmarshal([]byte(text), &want)
		got, err := eventstore.DecodeMetadata(eventstore.Recorded{Event: eventstore.Event{Meta: []byte(text)}})
		if (err != nil) != (wantErr != nil) {
			t.Errorf("%s: error %v, encoding/json has %v", text, err, wantErr)
			continue
		}
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("%s (-encoding/json +ours):\n%s", text, diff)
		}
	}
}

func TestMetadataComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.StringMatching(`[a-z0-9-]{1,40}`))
		want := eventstore.Metadata{
			Workspace: text.Draw(rt, "workspace"), Actor: text.Draw(rt, "actor"), ActorKind: text.Draw(rt, "kind"), Channel: text.Draw(rt, "channel"),
			Command: text.Draw(rt, "command"), CommandID: text.Draw(rt, "id"), Request: text.Draw(rt, "request"),
			Correlation: text.Draw(rt, "correlation"), Causation: text.Draw(rt, "causation"), Traceparent: text.Draw(rt, "trace"),
		}
		if us := rapid.Int64Range(0, 4e15).Draw(rt, "at"); us > 0 {
			want.OccurredAt = time.UnixMicro(us).UTC()
		}
		b, err := want.Encode()
		if err != nil {
			rt.Fatal(err)
		}
		got, err := eventstore.DecodeMetadata(eventstore.Recorded{Event: eventstore.Event{Meta: b}})
		if err != nil {
			rt.Fatal(err)
		}
		var plain eventstore.Metadata
		if err := json.Unmarshal(b, &plain); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(plain, got); diff != "" {
			rt.Fatalf("%s (-encoding/json +ours):\n%s", b, diff)
		}
	})
}

func BenchmarkDecodeMetadata(b *testing.B) {
	m := eventstore.Metadata{
		Workspace: "acme", Actor: "agent-1", ActorKind: "agent", Channel: "whatsapp", Command: "chat.receive",
		CommandID: "0190a0a0-0000-7000-8000-000000000000", OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	text, err := m.Encode()
	if err != nil {
		b.Fatal(err)
	}
	r := eventstore.Recorded{Event: eventstore.Event{Meta: text}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := eventstore.DecodeMetadata(r); err != nil {
			b.Fatal(err)
		}
	}
}
