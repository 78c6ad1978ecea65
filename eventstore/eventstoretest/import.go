package eventstoretest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// RunImporter checks what an eventstore.Importer promises beyond the contract of a
// store: one subtest for each promise.
func RunImporter(t *testing.T, open Opener) {
	for _, tt := range []struct {
		name string
		run  func(*suite, eventstore.Importer)
	}{
		{"events are as they were recorded", importAsRecorded},
		{"events go on behind the end", importGoesOn},
		{"what does not fit is a conflict, and nothing is added", importConflicts},
		{"appends go on behind", importThenAppend},
		{"an event that is invalid is refused", importInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, ok := open(t).(eventstore.Importer)
			if !ok {
				t.Fatal("it has no Import")
			}
			tt.run(&suite{T: t, open: open}, s)
		})
	}
}

// recorded returns events of several streams whose turns alternate, with times that
// jump and go back.
func recorded(n int) []eventstore.Recorded {
	const streams = 7
	began, next := time.Date(2024, 2, 29, 12, 0, 0, 123_000, time.UTC), map[string]eventstore.Revision{}
	all := make([]eventstore.Recorded, n)
	for i := range all {
		stream := fmt.Sprintf("test-%d", i*i%streams)
		at := began.Add(time.Duration(i/3) * 17 * time.Microsecond)
		switch i % 50 {
		case 10:
			at = at.Add(90 * 24 * time.Hour)
		case 20:
			at = at.Add(-time.Hour)
		}
		all[i] = eventstore.Recorded{Event: event("test.happened.v1"), Stream: stream, Revision: next[stream], Position: eventstore.Position(1000 + 3*i), Time: at}
		next[stream]++
	}
	all[n/2].Data, all[n/2].Meta = []byte{0, 0xff, '"'}, nil // what is no JSON, too
	return all
}

// imports adds events that have to fit, and checks the position that is returned.
func (t *suite) imports(s eventstore.Importer, after eventstore.Position, events []eventstore.Recorded) eventstore.Position {
	t.Helper()
	end, err := s.Import(t.ctx(), after, events)
	if err != nil {
		t.Fatalf("Import behind %d: %v", after, err)
	}
	if head, err := s.Head(t.ctx()); err != nil || head.Position != end {
		t.Fatalf("Import returns %d, the log ends at %d (%v)", end, head.Position, err)
	}
	return end
}

// holds checks that a log is events, but for their positions.
func (t *suite) holds(s eventstore.Store, want []eventstore.Recorded) {
	t.Helper()
	got := t.read(s.ReadAll(t.ctx(), eventstore.AllQuery{}))
	if len(got) != len(want) {
		t.Fatalf("the log has %d events, want %d", len(got), len(want))
	}
	for i, w := range want {
		if got[i].Position <= 0 || i > 0 && got[i].Position <= got[i-1].Position {
			t.Fatalf("event %d is at position %d", i, got[i].Position)
		}
		t.sameButPosition(i, got[i], w)
		if i%10 == 0 {
			inStream := t.read(s.ReadStream(t.ctx(), w.Stream, eventstore.StreamQuery{From: w.Revision, Limit: 1}))
			if len(inStream) != 1 || inStream[0].Position != got[i].Position {
				t.Fatalf("revision %d of %s: %+v", w.Revision, w.Stream, inStream)
			}
			t.sameButPosition(i, inStream[0], w)
		}
	}
}

func (t *suite) sameButPosition(i int, got, want eventstore.Recorded) {
	t.Helper()
	if got.ID != want.ID || got.Type != want.Type || got.Stream != want.Stream || got.Revision != want.Revision ||
		!got.Time.Equal(want.Time) || !slices.Equal(got.Data, want.Data) || !slices.Equal(got.Meta, want.Meta) {
		t.Fatalf("event %d is\n%+v, want\n%+v", i, got, want)
	}
}

func importAsRecorded(t *suite, s eventstore.Importer) {
	all := recorded(1500)
	t.imports(s, 0, all)
	t.holds(s, all)
}

func importGoesOn(t *suite, s eventstore.Importer) {
	first := []eventstore.Event{event("a"), event("b")}
	at := t.append(s, "first-1", eventstore.NoStream, first...)
	all := recorded(300)
	end := at.Position
	for rest := range slices.Chunk(all, 70) {
		end = t.imports(s, end, rest)
	}
	before := t.read(s.ReadStream(t.ctx(), "first-1", eventstore.StreamQuery{}))
	t.holds(s, append(before, all...))
}

func importConflicts(t *suite, s eventstore.Importer) {
	all := recorded(40)
	end := t.imports(s, 0, all[:20])
	tooFar, again, twice := slices.Clone(all[20:]), slices.Clone(all[20:]), slices.Clone(all[20:])
	tooFar[10].Revision++
	for i := range all[:20] {
		if all[i].Stream == again[5].Stream {
			again[5].ID = all[i].ID
		}
	}
	last := len(twice) - 1
	for i := range twice[:last] {
		if twice[i].Stream == twice[last].Stream {
			twice[last].ID = twice[i].ID
		}
	}
	for name, tt := range map[string]struct {
		after  eventstore.Position
		events []eventstore.Recorded
	}{
		"behind the end":              {end + 1, all[20:]},
		"before the end":              {0, all[20:]},
		"what is there":               {end, all[:20]},
		"a gap in a stream":           {end, tooFar},
		"an id that is in the stream": {end, again},
		"an id twice":                 {end, twice},
	} {
		if got, err := s.Import(t.ctx(), tt.after, tt.events); !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("%s: Import = %d, %v; want ErrConflict", name, got, err)
		}
		t.holds(s, all[:20])
	}
	t.imports(s, end, all[20:])
	t.holds(s, all)
}

func importThenAppend(t *suite, s eventstore.Importer) {
	all := recorded(30)
	before := t.append(s, "own-1", eventstore.NoStream, event("a"))
	end := t.imports(s, before.Position, all)
	last := all[len(all)-1]
	e := event("b")
	res := t.append(s, last.Stream, last.Revision, e)
	if res.Revision != last.Revision+1 || res.Position <= end {
		t.Errorf("Append behind an import = %+v, want revision %d behind position %d", res, last.Revision+1, end)
	}
	if res, err := s.Append(t.ctx(), last.Stream, last.Revision-1, last.Event); err != nil || !res.Existing || res.Revision != last.Revision {
		t.Errorf("Append of what was imported = %+v, %v; want the event that is there", res, err)
	}
	t.append(s, "own-1", before.Revision, event("c"))
}

func importInvalid(t *suite, s eventstore.Importer) {
	for name, spoil := range map[string]func(*eventstore.Recorded){
		"no id":             func(r *eventstore.Recorded) { r.ID = uuid.Nil },
		"no type":           func(r *eventstore.Recorded) { r.Type = "" },
		"a space in a name": func(r *eventstore.Recorded) { r.Stream = "test 1" },
	} {
		all := recorded(5)
		spoil(&all[3])
		if _, err := s.Import(t.ctx(), 0, all); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("%s: Import: %v, want ErrInvalid", name, err)
		}
		t.holds(s, nil)
	}
}
