package logcopy_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
	"github.com/chatledger/chatledger/eventstore/kurrent"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/logcopy"
	"github.com/chatledger/chatledger/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The kinds of logs there are, and whether they keep the time of what they take over.
var kinds = map[string]struct {
	open      func(testing.TB) eventstore.Store
	keepsTime bool
}{
	"memory":   {inMemory, false},
	"sqlite":   {inSQLite, true},
	"postgres": {inPostgres, true},
	"kurrent":  {inKurrent, false},
}

func inMemory(t testing.TB) eventstore.Store {
	s := memory.New(time.Now)
	t.Cleanup(func() { s.Close() })
	return s
}

func inSQLite(t testing.TB) eventstore.Store {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func inPostgres(t testing.TB) eventstore.Store {
	s, err := postgres.Open(t.Context(), testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func inKurrent(t testing.TB) eventstore.Store {
	s, err := kurrent.Open(t.Context(), gatewaytest.Start(t, inMemory(t), true).Connection(gatewaytest.Writer, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fill appends n events, whose streams take turns, some with several at a time.
func fill(t testing.TB, s eventstore.Store, n int) {
	t.Helper()
	next := map[string]eventstore.Revision{}
	for i := 0; n > 0; i++ {
		stream, some := fmt.Sprintf("chat-%d", i*i%11), min(n, 1+i%4)
		n -= some
		var events []eventstore.Event
		for j := range some {
			events = append(events, event(fmt.Sprintf(`{ "n": %d, "text": "olá %s" }`, j, strings.Repeat("x", i%100))))
		}
		if _, err := s.Append(t.Context(), stream, next[stream]-1, events...); err != nil {
			t.Fatal(err)
		}
		next[stream] += eventstore.Revision(some)
	}
}

func event(data string) eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: "chat.tested.v1", Data: []byte(data), Meta: []byte(`{"workspace":"acme"}`)}
}

func all(t testing.TB, s eventstore.Store) (events []eventstore.Recorded) {
	t.Helper()
	for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, r)
	}
	return events
}

// equal checks that two logs hold the same, in the same order.
func equal(t testing.TB, source, target eventstore.Store, keepsTime bool) {
	t.Helper()
	want, got := all(t, source), all(t, target)
	if len(want) != len(got) {
		t.Fatalf("the target has %d events, the source %d", len(got), len(want))
	}
	for i := range want {
		w, g := want[i], got[i]
		if w.Stream != g.Stream || w.Revision != g.Revision || w.ID != g.ID || w.Type != g.Type ||
			string(w.Data) != string(g.Data) || string(w.Meta) != string(g.Meta) || keepsTime && !w.Time.Equal(g.Time) {
			t.Fatalf("event %d is\n%+v in the target,\n%+v in the source", i, g, w)
		}
	}
}

func TestCopy(t *testing.T) {
	for from, source := range kinds {
		for to, target := range kinds {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				a, b := source.open(t), target.open(t)
				fill(t, a, 600)
				var told []logcopy.Progress
				c := logcopy.Copier{From: a, To: b, Report: func(p logcopy.Progress) { told = append(told, p) }}
				res, err := c.Copy(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := logcopy.Result{Copied: 600}
				if !target.keepsTime {
					want.Dated = res.Dated // some may have the same by chance, but hardly all
					if res.Dated == 0 {
						t.Error("no event has another time in the target")
					}
				}
				if res != want {
					t.Errorf("Copy = %+v, want %+v", res, want)
				}
				equal(t, a, b, target.keepsTime)
				if last := told[len(told)-1]; last.Phase != logcopy.Verifying || last.At != last.To || last.Events != 600 {
					t.Errorf("the last progress is %+v", last)
				}

				fill(t, prefixed{a, "more"}, 300)
				if _, err := (&logcopy.Copier{From: a, To: b}).Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "the target ends before chat.tested.v1, revision 0 of more-chat-0") {
					t.Errorf("Verify of a copy that is behind: %v", err)
				}
				if res, err := (&logcopy.Copier{From: a, To: b}).Copy(t.Context()); err != nil || res.Found != 600 || res.Copied != 300 {
					t.Errorf("Copy again = %+v, %v; want 600 found and 300 copied", res, err)
				}
				equal(t, a, b, target.keepsTime)
				if res, err := (&logcopy.Copier{From: a, To: b}).Verify(t.Context()); err != nil || res.Found != 900 {
					t.Errorf("Verify = %+v, %v; want 900 events", res, err)
				}
			})
		}
	}
}

// prefixed writes to other streams.
type prefixed struct {
	eventstore.Store

	prefix string
}

func (p prefixed) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	return p.Store.Append(ctx, p.prefix+"-"+stream, want, events...)
}

// A copy that is broken off anywhere is continued, whatever the target keeps of it.
func TestBrokenOff(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := inMemory(t), kind.open(t)
			fill(t, a, 5000)
			broken := errors.New("broken off")
			for after := 1; ; after += 37 {
				target := &failing{Store: b, left: after, err: broken}
				var to eventstore.Store = target
				if i, ok := b.(eventstore.Importer); ok {
					to = failingImporter{target, i}
				}
				res, err := (&logcopy.Copier{From: a, To: to}).Copy(t.Context())
				if err == nil {
					t.Logf("%+v", res)
					break
				}
				if !errors.Is(err, broken) {
					t.Fatal(err)
				}
			}
			equal(t, a, b, false)
		})
	}
}

// failing fails after some appends: every other time when it has done what it was asked.
type failing struct {
	eventstore.Store

	left int
	err  error
}

func (f *failing) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	if f.left--; f.left > 0 {
		return f.Store.Append(ctx, stream, want, events...)
	}
	if len(events)%2 == 0 {
		if _, err := f.Store.Append(ctx, stream, want, events...); err != nil {
			return eventstore.Result{}, err
		}
	}
	return eventstore.Result{}, f.err
}

// failingImporter takes over a part of what it is given, and fails, as long as there is
// more than a part.
type failingImporter struct {
	*failing

	to eventstore.Importer
}

func (f failingImporter) Import(ctx context.Context, after eventstore.Position, events []eventstore.Recorded) (eventstore.Position, error) {
	const part = 999
	if len(events) <= part {
		return f.to.Import(ctx, after, events)
	}
	if _, err := f.to.Import(ctx, after, events[:part]); err != nil {
		return 0, err
	}
	return 0, f.err
}

func TestTargetHoldsSomethingElse(t *testing.T) {
	a := inMemory(t)
	fill(t, a, 100)
	source := all(t, a)
	own := event("{}")
	for name, tt := range map[string]struct {
		change func(events []eventstore.Recorded) []eventstore.Recorded
		says   string
	}{
		"another event": {func(es []eventstore.Recorded) []eventstore.Recorded { es[0].ID = own.ID; return es[:1] }, "id differs"},
		"another stream": {func(es []eventstore.Recorded) []eventstore.Recorded {
			return append(es[:50], eventstore.Recorded{Event: own, Stream: "other-1"})
		}, "revision 0 of other-1 (event " + own.ID.String() + ", position 51) where the source has chat.tested.v1, revision "},
		"other data":     {func(es []eventstore.Recorded) []eventstore.Recorded { es[70].Data = []byte("{}"); return es }, "data differs"},
		"other metadata": {func(es []eventstore.Recorded) []eventstore.Recorded { es[99].Meta = []byte("{}"); return es }, "metadata differs"},
		"another type":   {func(es []eventstore.Recorded) []eventstore.Recorded { es[99].Type = "a"; return es }, "type differs"},
		"another order": {func(es []eventstore.Recorded) []eventstore.Recorded {
			for i := range es {
				if i > 20 && es[i].Stream != es[i+1].Stream {
					es[i], es[i+1] = es[i+1], es[i]
					return es
				}
			}
			return nil
		}, "stream differs"},
		"more than the source": {func(es []eventstore.Recorded) []eventstore.Recorded {
			return append(es, eventstore.Recorded{Event: own, Stream: "other-1"})
		}, "revision 0 of other-1 (event " + own.ID.String() + ", position 101) behind all that the source has"},
	} {
		t.Run(name, func(t *testing.T) {
			b := inMemory(t)
			events := tt.change(append([]eventstore.Recorded(nil), source...))
			for _, e := range events {
				if _, err := b.Append(t.Context(), e.Stream, e.Revision-1, e.Event); err != nil {
					t.Fatal(err)
				}
			}
			for doing, do := range map[string]func(*logcopy.Copier, context.Context) (logcopy.Result, error){"copy": (*logcopy.Copier).Copy, "verify": (*logcopy.Copier).Verify} {
				_, err := do(&logcopy.Copier{From: a, To: b}, t.Context())
				different, ok := errors.AsType[*logcopy.DifferentError](err)
				if !ok || !strings.Contains(different.Error(), tt.says) {
					t.Errorf("%s: %v; want a *DifferentError that says %q", doing, err, tt.says)
				}
				if got := all(t, b); len(got) != len(events) {
					t.Errorf("%s: the target has %d events, had %d", doing, len(got), len(events))
				}
			}
		})
	}
}

// Somebody who writes to the target meanwhile is found out.
func TestTargetWrittenMeanwhile(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := inMemory(t), kind.open(t)
			fill(t, a, 5000)
			wrote := false
			c := logcopy.Copier{From: a, To: b, Report: func(p logcopy.Progress) {
				if p.Phase == logcopy.Copying && !wrote {
					wrote = true
					if _, err := b.Append(t.Context(), "other-1", eventstore.NoStream, event("{}")); err != nil {
						t.Error(err)
					}
				}
			}}
			_, err := c.Copy(t.Context())
			if _, ok := errors.AsType[*logcopy.DifferentError](err); !ok && !errors.Is(err, eventstore.ErrConflict) {
				t.Errorf("Copy: %v, want a conflict or a difference", err)
			}
		})
	}
}

// growing is a source that somebody writes to whenever its end is looked at.
type growing struct {
	eventstore.Store

	t     testing.TB
	times int
}

func (g *growing) Head(ctx context.Context) (eventstore.Head, error) {
	if g.times > 0 {
		g.times--
		if _, err := g.Append(ctx, fmt.Sprintf("late-%d", g.times), eventstore.NoStream, event("{}")); err != nil {
			g.t.Error(err)
		}
	}
	return g.Store.Head(ctx)
}

func TestSourceGrows(t *testing.T) {
	for times, want := range map[int]logcopy.Result{
		3:   {Copied: 13},
		100: {Copied: 20, Growing: true},
	} {
		a, b := inMemory(t), inMemory(t)
		fill(t, a, 10)
		res, err := (&logcopy.Copier{From: &growing{Store: a, t: t, times: times}, To: b}).Copy(t.Context())
		res.Dated = 0
		if err != nil || res != want {
			t.Errorf("Copy of a log that grows %d times = %+v, %v; want %+v", times, res, err, want)
		}
		if !want.Growing {
			equal(t, a, b, false)
		}
	}
}

// What cannot be read or added ends a copy, and says which of the two it was.
func TestBrokenLogs(t *testing.T) {
	broken := errors.New("disk on fire")
	a, b := inMemory(t), inMemory(t)
	fill(t, a, 10)
	for says, c := range map[string]*logcopy.Copier{
		"read source: ":         {From: unreadable{a, broken}, To: b},
		"read head of source: ": {From: headless{a, broken}, To: b},
		"read target: ":         {From: a, To: unreadable{b, broken}},
		"add to target: ":       {From: a, To: &failing{Store: b, err: broken}},
	} {
		if _, err := c.Copy(t.Context()); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("Copy: %v, want %q and why", err, says)
		}
	}
}

type unreadable struct {
	eventstore.Store

	err error
}

func (u unreadable) ReadAll(context.Context, eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) { yield(eventstore.Recorded{}, u.err) }
}

type headless struct {
	eventstore.Store

	err error
}

func (h headless) Head(context.Context) (eventstore.Head, error) { return eventstore.Head{}, h.err }

// Whatever positions are in each of two logs, they are found in the other.
func TestPosition(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := inMemory(t), kind.open(t)
			if at, err := logcopy.Position(t.Context(), a, b, 5); err != nil || at != 0 {
				t.Errorf("in an empty log: %d, %v", at, err)
			}
			fill(t, a, 30)
			if _, err := logcopy.Position(t.Context(), a, b, 5); err == nil || !strings.Contains(err.Error(), "the target ends before") {
				t.Errorf("in a target that lacks it: %v", err)
			}
			if _, err := (&logcopy.Copier{From: a, To: b}).Copy(t.Context()); err != nil {
				t.Fatal(err)
			}
			there := all(t, b)
			for i, e := range all(t, a) {
				if at, err := logcopy.Position(t.Context(), a, b, e.Position); err != nil || at != there[i].Position {
					t.Errorf("event %d: %d, %v; want %d", i, at, err, there[i].Position)
				}
				if at, err := logcopy.Position(t.Context(), b, a, there[i].Position); err != nil || at != e.Position {
					t.Errorf("event %d, back: %d, %v; want %d", i, at, err, e.Position)
				}
			}
			if at, err := logcopy.Position(t.Context(), a, b, 1000); err != nil || at != there[29].Position {
				t.Errorf("behind the end: %d, %v", at, err)
			}
		})
	}
}
