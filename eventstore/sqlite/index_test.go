package sqlite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// Wherever a stream's events are in the index, and whoever has moved them there,
// the log is what the memory store says.
func TestIndexIsTheSameAsMemory(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &model{t: rt, path: filepath.Join(dir, fmt.Sprintf("%d.db", runs)), memory: memory.New(time.Now)}
		defer m.close()
		m.open()
		m.open()
		rt.Repeat(map[string]func(*rapid.T){
			"append":       m.append,
			"append again": m.repeat,
			"read":         m.read,
			"reopen":       m.reopen,
		})
	})
}

type model struct {
	t      *rapid.T
	path   string
	memory *memory.Store
	stores []*sqlite.Store
	done   []appended
	n      int
}

type appended struct {
	stream string
	events []eventstore.Event
}

func (m *model) open() {
	s, err := sqlite.Open(m.t.Context(), m.path, sqlite.Generation(8), sqlite.Pragma("synchronous = off"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.stores = append(m.stores, s)
}

func (m *model) close() {
	for _, s := range m.stores {
		if err := s.Close(); err != nil {
			m.t.Error(err)
		}
	}
}

func (m *model) reopen(t *rapid.T) {
	i := rapid.IntRange(0, len(m.stores)-1).Draw(t, "store")
	if err := m.stores[i].Close(); err != nil {
		t.Fatal(err)
	}
	m.stores = append(m.stores[:i], m.stores[i+1:]...)
	m.open()
}

func (m *model) store(t *rapid.T) *sqlite.Store { return rapid.SampledFrom(m.stores).Draw(t, "store") }

func (m *model) append(t *rapid.T) {
	a := appended{stream: fmt.Sprintf("chat-%d", rapid.IntRange(0, 9).Draw(t, "stream"))}
	for range rapid.IntRange(1, 5).Draw(t, "events") {
		m.n++
		id := uuid.UUID{15: byte(m.n), 14: byte(m.n >> 8)}
		if rapid.IntRange(0, 4).Draw(t, "fingerprint") == 0 {
			id[11], id[3] = byte(m.n), byte(m.n) // the fingerprint is that of another id
		}
		a.events = append(a.events, eventstore.Event{ID: id, Type: "chat.opened.v1", Data: fmt.Appendf(nil, "%d", m.n)})
	}
	m.done = append(m.done, a)
	m.both(t, a, eventstore.Revision(rapid.IntRange(-2, 12).Draw(t, "want")))
}

// repeat appends what was appended, or tried, before, or a part of it and more.
func (m *model) repeat(t *rapid.T) {
	if len(m.done) == 0 {
		return
	}
	a := rapid.SampledFrom(m.done).Draw(t, "again")
	events := a.events[rapid.IntRange(0, len(a.events)-1).Draw(t, "from"):]
	if rapid.IntRange(0, 4).Draw(t, "more") == 0 {
		m.n++
		events = append(slices.Clip(events), eventstore.Event{ID: uuid.UUID{1, 15: byte(m.n), 14: byte(m.n >> 8)}, Type: "chat.opened.v1"})
	}
	m.both(t, appended{a.stream, events}, eventstore.Revision(rapid.IntRange(-2, 12).Draw(t, "want")))
}

func (m *model) both(t *rapid.T, a appended, want eventstore.Revision) {
	res, err := m.store(t).Append(t.Context(), a.stream, want, a.events...)
	wantRes, wantErr := m.memory.Append(t.Context(), a.stream, want, a.events...)
	if res != wantRes || fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("Append to %s at %d = %+v, %v; want %+v, %v", a.stream, want, res, err, wantRes, wantErr)
	}
}

func (m *model) read(t *rapid.T) {
	s := m.store(t)
	stream := fmt.Sprintf("chat-%d", rapid.IntRange(0, 9).Draw(t, "stream"))
	q := eventstore.StreamQuery{
		From:      eventstore.Revision(rapid.IntRange(0, 12).Draw(t, "from")),
		Backwards: rapid.Bool().Draw(t, "backwards"),
		Limit:     rapid.IntRange(0, 5).Draw(t, "limit"),
	}
	if len(m.done) > 0 && rapid.Bool().Draw(t, "by event") {
		q.Event = rapid.SampledFrom(m.done).Draw(t, "event").events[0].ID
	}
	equal(t, s.ReadStream(t.Context(), stream, q), m.memory.ReadStream(t.Context(), stream, q))
	all := eventstore.AllQuery{
		After: eventstore.Position(rapid.IntRange(0, m.n+1).Draw(t, "after")), Backwards: q.Backwards, Limit: q.Limit,
	}
	equal(t, s.ReadAll(t.Context(), all), m.memory.ReadAll(t.Context(), all))
}

func equal(t *rapid.T, got, want iter.Seq2[eventstore.Recorded, error]) {
	t.Helper()
	list := func(seq iter.Seq2[eventstore.Recorded, error]) (rs []eventstore.Recorded) {
		for r, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			rs = append(rs, r)
		}
		return rs
	}
	diff := cmp.Diff(list(want), list(got), cmpopts.IgnoreFields(eventstore.Recorded{}, "Time"), cmpopts.EquateEmpty())
	if diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}

// The streams of several generations, some in the file's index and some not, are
// whole for those who appended, those who only read, and those who come later.
func TestGenerations(t *testing.T) {
	path := file(t)
	a, b := open(t, path, sqlite.Generation(500)), open(t, path)
	random := rand.New(rand.NewPCG(1, 2))
	const n, streams = 6_000, 200
	revisions := make([]eventstore.Revision, streams)
	for done := 0; done < n; {
		i := random.IntN(streams)
		events := make([]eventstore.Event, 1+random.IntN(60))
		for j := range events {
			events[j] = event(10)
		}
		res, err := a.Append(t.Context(), fmt.Sprintf("chat-%d", i), revisions[i]-1, events...)
		revisions[i] += eventstore.Revision(len(events))
		if done += len(events); err != nil || res.Revision != revisions[i]-1 || res.Position != eventstore.Position(done) {
			t.Fatalf("Append = %+v, %v; want revision %d at position %d", res, err, revisions[i]-1, done)
		}
	}
	conn := raw(t, path)
	if got := query(t, conn, "SELECT position >= 4000, (SELECT count(*) FROM runs) < 1000 FROM indexed"); got[0] != "1|1" {
		t.Errorf("the index: %s", got)
	}
	for _, s := range []*sqlite.Store{a, b, open(t, path)} {
		for i, want := range revisions {
			next := eventstore.Revision(0)
			for r, err := range s.ReadStream(t.Context(), fmt.Sprintf("chat-%d", i), eventstore.StreamQuery{}) {
				if err != nil || r.Revision != next {
					t.Fatalf("revision %d of chat-%d, %v; want %d", r.Revision, i, err, next)
				}
				next++
			}
			if next != want {
				t.Fatalf("chat-%d has %d events; want %d", i, next, want)
			}
		}
	}
}

func TestBlock(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	events := []eventstore.Recorded{
		{Stream: "chat-1", Event: eventstore.Event{Type: "a", Data: []byte(`{}`), Meta: []byte(`[1, 2]`)}},
		{Stream: "chat-1", Revision: 9, Event: eventstore.Event{Type: "a"}},
		{Stream: `chat-"\olá👋`, Revision: 10, Event: eventstore.Event{Type: "<a>\n", Data: []byte(`"` + long + `"`)}},
		{Stream: "-", Revision: 1 << 40, Event: eventstore.Event{Type: "\xff", Meta: []byte("null")}},
	}
	for i := range events {
		events[i].ID, events[i].Position = uuid.New(), eventstore.Position(i+1)
		events[i].Time = time.UnixMicro(int64(i)).UTC()
	}
	heads, body, got, err := sqlite.RoundTrip(events)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, events)
	if !json.Valid(body) {
		t.Errorf("the body is not JSON: %.200s", body)
	}
	for i := range heads {
		if _, err := sqlite.TakeApart(heads[:i], body, len(events)); err == nil {
			t.Errorf("%d of %d bytes of the heads suffice", i, len(heads))
		}
	}
	for i := range 200 {
		if _, err := sqlite.TakeApart(heads, body[:i], len(events)); err == nil {
			t.Errorf("%d of %d bytes of the body suffice", i, len(body))
		}
	}
}

func FuzzBlock(f *testing.F) {
	heads, body, _, err := sqlite.RoundTrip([]eventstore.Recorded{
		{Stream: "chat-1", Event: eventstore.Event{ID: uuid.New(), Type: "a", Data: []byte(`{}`)}},
		{Stream: `chat-"`, Event: eventstore.Event{ID: uuid.New(), Type: "b", Meta: []byte(`{}`)}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(heads, body, 2)
	f.Fuzz(func(t *testing.T, heads, body []byte, n int) {
		events, err := sqlite.TakeApart(heads, body, n)
		if err == nil && len(events) != n {
			t.Errorf("%d events; want %d", len(events), n)
		}
		for _, e := range events {
			if !bytes.Contains(body, e.Data) {
				t.Errorf("%q is not in the body", e.Data)
			}
		}
	})
}
