package viewscript

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
)

func BenchmarkMachine(b *testing.B) {
	m, err := newMachine(customview.Definition{
		Script: `function apply(e, t) { const r = t.seen.get(e.data.k) ?? {n: 0}; r.n++; t.seen.put(e.data.k, r) }`,
		Tables: []customview.Table{{Name: "seen", Key: "what", Columns: []customview.Column{{Name: "n", Type: customview.Integer}}}},
	}, time.Second, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	e := Event{ID: "e", Position: 1, Type: "toy.happened.v1", At: "2026-03-01T23:30:00.5Z", Data: json.RawMessage(`{"k":"7","text":"how much is it, and when will it be here?","lines":[1,2,3]}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, failure, err := m.run(e, func(string, string) (json.RawMessage, error) { return nil, nil }); failure != nil || err != nil {
			b.Fatal(failure, err)
		}
	}
}
