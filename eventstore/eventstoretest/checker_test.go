package eventstoretest

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sound is a history in which nothing went wrong: four events, of which the
// readers saw what they want.
func sound() *history {
	h := &history{dense: true, end: 4, conflicts: 1, unknown: 1, kills: 1}
	for i, stream := range []string{"chat-1", "chat-1", "order-1", "chat-1"} {
		h.log = append(h.log, eventstore.Recorded{
			Event: eventstore.Event{ID: uuid.NewSHA1(uuid.Nil, []byte{byte(i)}), Type: "a"}, Stream: stream, Position: eventstore.Position(i + 1),
		})
	}
	h.log[1].Revision, h.log[3].Revision = 1, 2
	h.acks = []ack{
		{"chat-1", 1, 2, []uuid.UUID{h.log[0].ID, h.log[1].ID}},
		{"order-1", 0, 3, []uuid.UUID{h.log[2].ID}},
	}
	for _, r := range []*reader{{name: "whole"}, {name: "chats", q: eventstore.AllQuery{Categories: []string{"chat"}}}} {
		r.runs, r.saved, r.glance = 2, 4, map[eventstore.Position]uuid.UUID{}
		for _, e := range h.log {
			if r.q.Match(e.Stream, e.Type) {
				r.seen = append(r.seen, sighting{e.ID, e.Position})
				r.glance[e.Position] = e.ID
			}
		}
		h.readers = append(h.readers, r)
	}
	return h
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(*history)
		want   []FaultKind
	}{
		{"sound", func(*history) {}, nil},
		{"an unacknowledged event more", func(h *history) {
			h.log = append(h.log, eventstore.Recorded{Event: eventstore.Event{ID: uuid.Max, Type: "a"}, Stream: "chat-2", Position: 5})
		}, nil},
		{"acknowledged and not stored", func(h *history) { h.acks[1].ids[0] = uuid.Max }, []FaultKind{Lost}},
		{"acknowledged at another position", func(h *history) { h.acks[1].position = 4 }, []FaultKind{Disorder}},
		{"acknowledged at another revision", func(h *history) { h.acks[0].revision = 2 }, []FaultKind{Disorder}},
		{"stored twice", func(h *history) {
			e := h.log[2]
			e.Revision, e.Position = 1, 5
			h.log = append(h.log, e)
		}, []FaultKind{Twice, Disorder}},
		{"a hole in the positions", func(h *history) {
			h.log[3].Position = 5
			for _, r := range h.readers {
				r.saved, r.seen[len(r.seen)-1].position = 5, 5
				r.glance[5] = r.glance[4]
				delete(r.glance, 4)
			}
		}, []FaultKind{Hole}},
		{"a hole in a stream", func(h *history) { h.log[3].Revision = 3 }, []FaultKind{Hole}},
		{"an event skipped", func(h *history) { r := h.readers[0]; r.seen = append(r.seen[:1], r.seen[2:]...) }, []FaultKind{Skipped}},
		{"the last event skipped by a mark", func(h *history) { r := h.readers[1]; r.seen = r.seen[:2] }, []FaultKind{Skipped}},
		{"an event seen twice", func(h *history) { r := h.readers[0]; r.seen = append(r.seen, r.seen[3]) }, []FaultKind{Twice, Disorder}},
		{"events seen in another order", func(h *history) { s := h.readers[0].seen; s[1], s[2] = s[2], s[1] }, []FaultKind{Disorder}},
		{"an event that is not in the log", func(h *history) {
			h.readers[1].seen = append(h.readers[1].seen[:2:2], sighting{uuid.Max, 3}, h.readers[1].seen[2])
		}, []FaultKind{Disorder}},
		{"an event once seen elsewhere", func(h *history) { h.readers[0].glance[3] = h.log[0].ID }, []FaultKind{Disorder}},
		{"a reader that stays behind", func(h *history) { r := h.readers[0]; r.saved, r.seen = 3, r.seen[:3] }, []FaultKind{Stuck}},
		{"no kill", func(h *history) { h.kills = 0 }, []FaultKind{Unstarted}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := sound()
			tt.damage(h)
			report := h.judge()
			for _, kind := range tt.want {
				if !report.Has(kind) {
					t.Errorf("not found: %s", kind)
				}
			}
			for _, f := range report.Faults {
				if len(tt.want) == 0 || f.Kind != tt.want[0] && f.Kind != tt.want[len(tt.want)-1] {
					t.Errorf("found as well: %s", f)
				}
			}
		})
	}
}

// A kill may cut a line anywhere: what is left must not pass for another
// acknowledgement.
func TestHalfALineIsNoAcknowledgement(t *testing.T) {
	id := uuid.New()
	line := ack{"chat-1", 12, 345, []uuid.UUID{id, uuid.New()}}.String()
	for n := range len(line) {
		h := &history{}
		h.listen(strings.NewReader(line + "\n" + line[:n]))
		if len(h.acks) != 1 || h.acks[0].String() != line {
			t.Fatalf("cut to %q: %v", line[:n], h.acks)
		}
	}
}
