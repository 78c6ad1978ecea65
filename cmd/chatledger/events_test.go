package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/eventline"
)

// oddities are data that a log can hold, whatever the contract says of JSON.
var oddities = []string{
	`{}`, `null`, `{ "b" : 1, "a":1e400, "b":2 }`, "{\"a\":\n1}", ` {}`, `{} `, "", "\x00", "\xff", "\"\xff\"", `"\ud800"`, "not JSON", `"<a href='x'>&"`, "\"\u2028\"",
}

func newLog(t testing.TB, streams ...string) *memory.Store {
	t.Helper()
	s := memory.New(time.Now)
	t.Cleanup(func() { s.Close() })
	for n, stream := range streams {
		e := eventstore.Event{ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)), Type: "a.b.v1", Data: []byte(oddities[n%len(oddities)]), Meta: []byte(oddities[(n/2)%len(oddities)])}
		if _, err := s.Append(t.Context(), stream, eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func dumped(t testing.TB, s eventstore.Store) string {
	t.Helper()
	var b bytes.Buffer
	if err := printEvents(&b, s.ReadAll(t.Context(), eventstore.AllQuery{}), false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// importInto is events import without a file and a progress.
func importInto(ctx context.Context, s eventstore.Store, lines string) (*importer, error) {
	i := &importer{log: s, stderr: io.Discard, began: now()}
	err := i.run(ctx, strings.NewReader(lines))
	return i, err
}

// same compares logs in all but the time of recording, and without telling empty
// from none.
func same(t *testing.T, a, b eventstore.Store) {
	t.Helper()
	all := func(s eventstore.Store) (all []string) {
		for r, err := range s.ReadAll(t.Context(), eventstore.AllQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%d %s %d %s %s %q %q", r.Position, r.Stream, r.Revision, r.ID, r.Type, r.Data, r.Meta))
		}
		return all
	}
	if x, y := all(a), all(b); !slices.Equal(x, y) {
		t.Errorf("the logs differ:\n%s\n\n%s", strings.Join(x, "\n"), strings.Join(y, "\n"))
	}
}

// streams of a log, some in a row.
func streams(n int) (all []string) {
	for i := range n {
		all = append(all, []string{"chat-1", "chat-1", "chat-1", "chat-2", "order-1", "chat-1", "order-1"}[i%7])
	}
	return all
}

func TestImportKeepsEveryByte(t *testing.T) {
	from, to := newLog(t, streams(60)...), newLog(t)
	i, err := importInto(t.Context(), to, dumped(t, from))
	if err != nil || i.added != 60 || i.found != 0 {
		t.Fatalf("%s: %v", i.tally(), err)
	}
	same(t, from, to)
	again, err := importInto(t.Context(), to, dumped(t, from))
	if err != nil || again.added != 0 || again.found != 60 {
		t.Errorf("again: %s: %v", again.tally(), err)
	}
	same(t, from, to)
}

// An import that is broken off anywhere, with or without knowing what became of
// the last append, is made whole by another.
func TestImportGoesOn(t *testing.T) {
	from := newLog(t, streams(60)...)
	lines := dumped(t, from)
	failed := 0
	for seed := range uint64(20) {
		to := newLog(t)
		bad := faulty.New(to, faulty.Options{Seed: seed, LoseRequest: 0.03, LoseAnswer: 0.03, FailRead: 0.02})
		tries := 0
		for after := eventstore.Position(0); ; tries++ {
			i := &importer{log: bad, stderr: io.Discard, began: now(), after: after}
			err := i.run(t.Context(), strings.NewReader(lines))
			if err == nil {
				break
			}
			if !errors.Is(err, faulty.ErrInjected) || tries > 1000 {
				t.Fatal(err)
			}
			if seed%2 == 0 { // as the message says, or all of it again
				after = max(after, i.last)
			}
		}
		failed += tries
		same(t, from, to)
	}
	if failed == 0 {
		t.Error("nothing failed")
	}
}

func TestImportRefuses(t *testing.T) {
	const line = `{"position":1,"stream":"chat-1","revision":0,"id":"01a213fe-f893-74a2-b51b-f84bd79c59fa","type":"a","recorded_at":"2026-11-25T18:36:46Z","data":{}}`
	with := func(this, that string) string {
		if !strings.Contains(line, this) {
			t.Fatalf("no %s", this)
		}
		return strings.Replace(line, this, that, 1)
	}
	for _, tt := range []struct{ name, lines, want string }{
		{"half a line", line[:40], "line 1: not JSON: unexpected EOF"},
		{"two in a line", line + line, "line 1: not JSON"},
		{"no object", "\n\n[]", "line 3: want a JSON object"},
		{"another field", with(`"data"`, `"date"`), "line 1: date: there is no such field"},
		{"another case", with(`"data"`, `"Data"`), "line 1: Data: there is no such field"},
		{"no position", with(`"position":1,`, ""), "line 1: position: missing"},
		{"no stream", with(`"stream":"chat-1",`, ""), "line 1: stream: missing"},
		{"no revision", with(`"revision":0,`, ""), "line 1: revision: missing"},
		{"no id", with(`"id":"01a213fe-f893-74a2-b51b-f84bd79c59fa",`, ""), "line 1: id: missing"},
		{"no type", with(`"type":"a",`, ""), "line 1: type: missing"},
		{"no data", with(`,"data":{}`, ""), "line 1: data: want one of"},
		{"data twice", with(`"data":{}`, `"data":{},"data_base64":""`), "line 1: data: want one of"},
		{"metadata twice", with(`"data":{}`, `"data":{},"metadata":{},"metadata_base64":""`), "line 1: metadata: want one of"},
		{"text as revision", with(`"revision":0`, `"revision":"0"`), "line 1: revision: a JSON string is not what belongs there"},
		{"a fraction as position", with(`"position":1`, `"position":1.5`), "line 1: position: invalid syntax"},
		{"no base64", with(`"data":{}`, `"data_base64":"*"`), "line 1: data_base64: illegal base64"},
		{"no time", with("2026-11-25T", "yesterday "), "line 1: recorded_at: parsing time"},
		{"a space in the stream", with("chat-1", "chat 1"), `line 1: eventstore: invalid append: stream name "chat 1"`},
		{"a long type", with(`"type":"a"`, `"type":"`+strings.Repeat("a", 200)+`"`), "line 1: eventstore: invalid append: chat-1: event 0 has a type of 200 bytes"},
		{"a long line", line + "\n" + strings.Repeat(" ", eventline.MaxLen+1), "line 2: longer than"},
		{"another order", with(`"position":1`, `"position":5`) + "\n" + with(`:0,"id":"01`, `:1,"id":"02`), "line 2: position: 1 is not behind 5"},
		{"an id twice", line + "\n" + with(`1,"stream":"chat-1","revision":0`, `2,"stream":"chat-1","revision":1`), "line 2: revision: event"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := importInto(t.Context(), newLog(t), tt.lines)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v; want %s …", err, tt.want)
			}
		})
	}
}

// Whatever else is in the log, nothing is added where it does not belong.
func TestImportDoesNotInterleave(t *testing.T) {
	from := newLog(t, streams(12)...)
	lines := strings.SplitAfter(dumped(t, from), "\n")
	event := eventstore.Event{ID: uuid.New(), Type: "a", Data: []byte(`{}`)}
	for _, tt := range []struct {
		name, lines, want string
		other             string // a stream that has an event of its own
		added             int
	}{
		{"another event where the stream begins", strings.Join(lines, ""), "line 1: revision 0 of chat-1 cannot be added: the stream has another event there", "chat-1", 0},
		{"further on", strings.Join(lines, ""), "line 4: revision 0 of chat-2 cannot be added", "chat-2", 3},
		{"a stream that is not in the file", strings.Join(lines, ""), "", "team-1", 12},
		{"a hole in the file", lines[0] + lines[2], "line 2: revision 2 of chat-1 cannot be added: the stream lacks those before it, from revision 1 on", "", 1},
		{"other data", lines[0] + strings.Replace(lines[1], `"data":null`, `"data":[]`, 1), "line 2: data: revision 1 of chat-1 is event", "from", 0},
		{"other metadata", strings.Replace(lines[0], `"metadata":{}`, `"metadata":[]`, 1), "line 1: metadata: ", "from", 0},
		{"another type", strings.Replace(lines[0], `a.b.v1`, `a.b.v2`, 1), "line 1: type: ", "from", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to := newLog(t)
			switch tt.other {
			case "":
			case "from":
				to = newLog(t, streams(12)...)
			default:
				if _, err := to.Append(t.Context(), tt.other, eventstore.Any, event); err != nil {
					t.Fatal(err)
				}
			}
			i, err := importInto(t.Context(), to, tt.lines)
			if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.HasPrefix(got, tt.want) && err != nil || err == nil && tt.want != "" {
				t.Errorf("%v; want %s …", err, tt.want)
			}
			if i.added+i.found != tt.added {
				t.Errorf("%s; want %d", i.tally(), tt.added)
			}
		})
	}
}
