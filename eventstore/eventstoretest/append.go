package eventstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

var appendTests = []test{
	{"append then read", appendThenRead},
	{"append returns where the last event is", appendReturnsLast},
	{"append adds all or none", allOrNone},
	{"a conflict says the actual revision", conflictSays},
	{"a conflict spends no position", conflictSpendsNothing},
	{"an expectation that is too high is refused", tooHigh},
	{"no stream means that the stream must not exist", noStream},
	{"any is not checked", anyRevision},
	{"exactly one of many writers wins", race},
	{"many writers to one stream all get in with any", manyAny},
	{"a repeat returns the original result whatever it expects", repeat},
	{"a repeat of earlier events returns where they were", repeatEarlier},
	{"repeats at the same time are stored once", repeatsTogether},
	{"partly present is a conflict", partly},
	{"the same event id in another stream is another event", otherStream},
	{"an invalid append is refused and stores nothing", invalid},
	{"names are kept exactly", names},
	{"large events", large},
	{"as many events as one append may have", many},
	{"an append with a cancelled context can be repeated", cancelled},
	{"appends to many streams at once", manyStreams},
}

func appendThenRead(t *suite, s eventstore.Store) {
	es := []eventstore.Event{event("chat.opened.v1"), event("chat.assigned.v1"), event("chat.closed.v1")}
	es[2].Meta = nil // an event need not have metadata
	before := time.Now()
	t.append(s, "chat-1", eventstore.NoStream, es[0], es[1])
	t.append(s, "chat-1", 1, es[2])
	got := t.stream(s, "chat-1")
	t.same(got, es...)
	t.ordered(got)
	for _, r := range got {
		if r.Stream != "chat-1" || r.Category() != "chat" || r.IsMark() {
			t.Errorf("stream %q, category %q, mark %v", r.Stream, r.Category(), r.IsMark())
		}
		if r.Time.Location() != time.UTC || r.Time != r.Time.Truncate(time.Microsecond) {
			t.Errorf("time is %v; want microseconds in UTC", r.Time)
		}
		if d := r.Time.Sub(before); d < -time.Hour || d > time.Hour {
			t.Errorf("time is %v; appended at %v", r.Time, before)
		}
	}
	t.equal(t.all(s), got)
}

func appendReturnsLast(t *suite, s eventstore.Store) {
	t.append(s, "chat-0", eventstore.NoStream, events(2)...)
	first := t.append(s, "chat-1", eventstore.NoStream, events(3)...)
	second := t.append(s, "chat-1", 2, events(2)...)
	got := t.stream(s, "chat-1")
	if want := (eventstore.Result{Revision: 2, Position: got[2].Position}); first != want {
		t.Errorf("the first Append = %+v; want %+v", first, want)
	}
	if want := (eventstore.Result{Revision: 4, Position: got[4].Position}); second != want {
		t.Errorf("the second Append = %+v; want %+v", second, want)
	}
	if t.dense && (first.Position != 5 || second.Position != 7) {
		t.Errorf("positions %d and %d; want 5 and 7", first.Position, second.Position)
	}
}

func allOrNone(t *suite, s eventstore.Store) {
	es := events(3)
	t.append(s, "chat-1", eventstore.NoStream, es[1])
	t.conflict(s, "chat-1", 0, 0, es...)
	t.same(t.stream(s, "chat-1"), es[1])
	t.same(t.all(s), es[1])
}

func conflictSays(t *suite, s eventstore.Store) {
	t.conflict(s, "chat-1", 0, eventstore.NoStream, events(1)...)
	t.append(s, "chat-1", eventstore.NoStream, events(3)...)
	for _, want := range []eventstore.Revision{eventstore.NoStream, 0, 1} {
		t.conflict(s, "chat-1", want, 2, events(2)...)
	}
	t.append(s, "chat-1", 2, events(1)...)
	t.conflict(s, "chat-1", 2, 3, events(1)...)
}

func conflictSpendsNothing(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(1)...)
	before := t.head(s)
	for range 10 {
		t.conflict(s, "chat-1", eventstore.NoStream, 0, events(2)...)
	}
	if after := t.head(s); after != before {
		t.Errorf("Head = %+v after conflicts; want %+v", after, before)
	}
	t.append(s, "chat-1", 0, events(1)...)
	got := t.all(s)
	t.ordered(got)
	if len(got) != 2 {
		t.Errorf("%d events in the log; want 2", len(got))
	}
}

func tooHigh(t *suite, s eventstore.Store) {
	t.conflict(s, "chat-1", 7, eventstore.NoStream, events(1)...)
	t.append(s, "chat-1", eventstore.NoStream, events(2)...)
	t.conflict(s, "chat-1", 2, 1, events(1)...)
	t.conflict(s, "chat-1", 1<<40, 1, events(1)...)
	if got := t.stream(s, "chat-1"); len(got) != 2 {
		t.Errorf("%d events; want 2", len(got))
	}
}

func noStream(t *suite, s eventstore.Store) {
	t.append(s, "chat-1", eventstore.NoStream, events(1)...)
	t.conflict(s, "chat-1", eventstore.NoStream, 0, events(1)...)
	t.append(s, "chat-2", eventstore.NoStream, events(1)...)
}

func anyRevision(t *suite, s eventstore.Store) {
	for i := range 3 {
		if res := t.append(s, "chat-1", eventstore.Any, events(2)...); res.Revision != eventstore.Revision(2*i+1) {
			t.Errorf("revision %d after %d events", res.Revision, 2*i+2)
		}
	}
}

func race(t *suite, s eventstore.Store) {
	for rev := eventstore.NoStream; rev < 10; rev++ {
		var wg sync.WaitGroup
		errs := make(chan error, 16)
		for range cap(errs) {
			wg.Go(func() {
				_, err := s.Append(t.Context(), "chat-1", rev, event("chat.claimed.v1"))
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		won := 0
		for err := range errs {
			var ce *eventstore.ConflictError
			switch {
			case err == nil:
				won++
			case !errors.As(err, &ce) || ce.Got != rev+1:
				t.Errorf("Append at %d: %v", rev, err)
			}
		}
		if won != 1 {
			t.Fatalf("%d writers won at revision %d", won, rev)
		}
	}
	t.ordered(t.all(s))
}

func manyAny(t *suite, s eventstore.Store) {
	const writers, each = 8, 20
	ctx := t.ctx()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := s.Append(ctx, "chat-1", eventstore.Any, events(2)...); err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	got := t.stream(s, "chat-1")
	t.ordered(got)
	if len(got) != writers*each*2 {
		t.Errorf("%d events; want %d", len(got), writers*each*2)
	}
}

func repeat(t *suite, s eventstore.Store) {
	es := events(3)
	want := t.append(s, "chat-1", eventstore.NoStream, es...)
	t.append(s, "chat-1", eventstore.Any, events(2)...)
	want.Existing = true
	for _, rev := range []eventstore.Revision{eventstore.NoStream, eventstore.Any, 0, 2, 4, 99} {
		if got := t.append(s, "chat-1", rev, es...); got != want {
			t.Errorf("Append at %d = %+v; want %+v", rev, got, want)
		}
	}
	if n := len(t.all(s)); n != 5 {
		t.Errorf("%d events in the log; want 5", n)
	}
}

func repeatEarlier(t *suite, s eventstore.Store) {
	es := events(3)
	first := t.append(s, "chat-1", eventstore.NoStream, es[0])
	second := t.append(s, "chat-1", 0, es[1:]...)
	first.Existing, second.Existing = true, true
	if got := t.append(s, "chat-1", eventstore.NoStream, es[0]); got != first {
		t.Errorf("repeat of the first append = %+v; want %+v", got, first)
	}
	if got := t.append(s, "chat-1", 0, es[1:]...); got != second {
		t.Errorf("repeat of the second append = %+v; want %+v", got, second)
	}
	if got := t.append(s, "chat-1", eventstore.Any, es...); got != second {
		t.Errorf("repeat of both as one = %+v; want %+v", got, second)
	}
}

func repeatsTogether(t *suite, s eventstore.Store) {
	for i := range 10 {
		stream, es := fmt.Sprintf("chat-%d", i), events(2)
		results := make(chan eventstore.Result, 10)
		var wg sync.WaitGroup
		for range cap(results) {
			wg.Go(func() {
				res, err := s.Append(t.Context(), stream, eventstore.NoStream, es...)
				if err != nil {
					t.Errorf("Append: %v", err)
				}
				results <- res
			})
		}
		wg.Wait()
		close(results)
		got := t.stream(s, stream)
		t.same(got, es...)
		first := 0
		for res := range results {
			if !res.Existing {
				first++
			}
			if res.Revision != 1 || res.Position != got[1].Position {
				t.Errorf("result %+v; the last event is at %d", res, got[1].Position)
			}
		}
		if first != 1 {
			t.Errorf("%d of the results are not Existing; want 1", first)
		}
	}
	t.ordered(t.all(s))
}

func partly(t *suite, s eventstore.Store) {
	es := events(4)
	t.append(s, "chat-1", eventstore.NoStream, es[:2]...)
	for _, rev := range []eventstore.Revision{eventstore.NoStream, eventstore.Any, 0, 1} {
		t.conflict(s, "chat-1", rev, 1, es[1:3]...)
		t.conflict(s, "chat-1", rev, 1, es[2], es[0])
	}
	t.same(t.all(s), es[:2]...)
}

func otherStream(t *suite, s eventstore.Store) {
	es := events(2)
	a := t.append(s, "chat-1", eventstore.NoStream, es...)
	b := t.append(s, "chat-2", eventstore.NoStream, es...)
	if b.Existing || b.Revision != 1 || b.Position <= a.Position {
		t.Errorf("Append to the other stream = %+v; the first was %+v", b, a)
	}
	t.same(t.stream(s, "chat-2"), es...)
	b.Existing = true
	if got := t.append(s, "chat-2", eventstore.Any, es...); got != b {
		t.Errorf("repeat = %+v; want %+v", got, b)
	}
}

func invalid(t *suite, s eventstore.Store) {
	ok := event("a")
	for name, err := range map[string]error{
		"no events":          second(s.Append(t.ctx(), "chat-1", eventstore.Any)),
		"no stream name":     second(s.Append(t.ctx(), "", eventstore.Any, ok)),
		"control character":  second(s.Append(t.ctx(), "chat-\x00", eventstore.Any, ok)),
		"expectation":        second(s.Append(t.ctx(), "chat-1", -3, ok)),
		"no id":              second(s.Append(t.ctx(), "chat-1", eventstore.Any, ok, eventstore.Event{Type: "a"})),
		"the same id twice":  second(s.Append(t.ctx(), "chat-1", eventstore.Any, ok, ok)),
		"no type":            second(s.Append(t.ctx(), "chat-1", eventstore.Any, eventstore.Event{ID: uuid.New()})),
		"too many":           second(s.Append(t.ctx(), "chat-1", eventstore.Any, events(eventstore.MaxEvents+1)...)),
		"long stream name":   second(s.Append(t.ctx(), strings.Repeat("c", eventstore.MaxStreamName+1), eventstore.Any, ok)),
		"too large an event": second(s.Append(t.ctx(), "chat-1", eventstore.Any, ok, eventstore.Event{ID: uuid.New(), Type: "a", Data: make([]byte, eventstore.MaxEventSize+1)})),
	} {
		if !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("%s: %v; want ErrInvalid", name, err)
		}
	}
	if got := t.all(s); len(got) != 0 {
		t.Errorf("stored %s", brief(got))
	}
}

func second[A any](_ A, err error) error { return err }

func names(t *suite, s eventstore.Store) {
	var want []eventstore.Event
	streams := []string{
		"chat", "chat-", "chat-1", "Chat-1", "chat-1-2", "chat_1", "chat%1", "chats-1", "c",
		"-", "';drop-table-events;--", "chat-olá👋", "chat-" + strings.Repeat("x", eventstore.MaxStreamName-5),
	}
	for _, name := range streams {
		e := event(strings.Repeat("t", eventstore.MaxTypeName))
		want = append(want, e)
		t.append(s, name, eventstore.NoStream, e)
	}
	for i, r := range t.all(s) {
		if r.Stream != streams[i] || r.Revision != 0 {
			t.Errorf("event %d is %s@%d; want %s@0", i, r.Stream, r.Revision, streams[i])
		}
		t.same(t.stream(s, streams[i]), want[i])
	}
}

func large(t *suite, s eventstore.Store) {
	sized := func(n int) eventstore.Event {
		e := event("webhook.received.v1")
		e.Data = append(append([]byte(`{"body":"`), bytes.Repeat([]byte("é👋abcd"), n/10)...), `"}`...)
		return e
	}
	es := []eventstore.Event{sized(3 << 20), event("small"), sized(3 << 20), sized(1 << 20), event("small"), sized(eventstore.MaxEventSize - 1000)}
	t.append(s, "webhook-1", eventstore.NoStream, es[0])
	t.append(s, "webhook-1", 0, es[1:4]...)
	t.append(s, "webhook-1", 3, es[4:]...)
	t.same(t.stream(s, "webhook-1"), es...)
	t.same(t.all(s), es...)
	back := t.read(s.ReadAll(t.ctx(), eventstore.AllQuery{Backwards: true}))
	t.same(reversed(back), es...)
	if got := t.append(s, "webhook-1", eventstore.NoStream, es[0]); !got.Existing {
		t.Errorf("the repeat of a large event = %+v; want Existing", got)
	}
}

func many(t *suite, s eventstore.Store) {
	es := events(eventstore.MaxEvents)
	res := t.append(s, "chat-1", eventstore.NoStream, es...)
	if res.Revision != eventstore.MaxEvents-1 {
		t.Errorf("revision %d; want %d", res.Revision, eventstore.MaxEvents-1)
	}
	got := t.stream(s, "chat-1")
	t.same(got, es...)
	t.ordered(got)
	res.Existing = true
	if again := t.append(s, "chat-1", eventstore.NoStream, es...); again != res {
		t.Errorf("repeat = %+v; want %+v", again, res)
	}
}

func cancelled(t *suite, s eventstore.Store) {
	ctx, cancel := context.WithCancel(t.ctx())
	cancel()
	if _, err := s.Append(ctx, "chat-c", eventstore.NoStream, events(1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("Append with a cancelled context: %v; want context.Canceled", err)
	}
	// Cancel at any moment: whatever became of it, the repeat must store the
	// events exactly once and say where.
	const writers, each = 8, 15
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				stream, es := fmt.Sprintf("chat-%d-%d", w, i), events(2)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(w*i)*50*time.Microsecond)
				first, err := s.Append(ctx, stream, eventstore.NoStream, es...)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Append: %v; want its context's error", err)
				}
				again, err2 := s.Append(t.Context(), stream, eventstore.NoStream, es...)
				if err2 != nil {
					t.Errorf("repeat: %v", err2)
				}
				if err == nil && (!again.Existing || again.Position != first.Position) {
					t.Errorf("repeat = %+v; the first was %+v", again, first)
				}
				third, err := s.Append(t.Context(), stream, eventstore.Any, es...)
				if err != nil || !third.Existing || third.Position != again.Position || third.Revision != 1 {
					t.Errorf("third = %+v, %v; the second was %+v", third, err, again)
				}
			}
		})
	}
	wg.Wait()
	got := t.all(s)
	t.ordered(got)
	if len(got) != writers*each*2 {
		t.Errorf("%d events; want %d", len(got), writers*each*2)
	}
}

func manyStreams(t *suite, s eventstore.Store) {
	const writers, each = 16, 25
	ctx := t.ctx()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			stream := fmt.Sprintf("chat-%d", w)
			for i := range each {
				res, err := s.Append(ctx, stream, eventstore.Revision(i-1), event("a"))
				if err != nil || res.Revision != eventstore.Revision(i) {
					t.Errorf("Append to %s = %+v, %v; want revision %d", stream, res, err, i)
				}
				// One that is refused beside those that are not.
				if _, err := s.Append(ctx, stream, eventstore.Revision(i-1), event("b")); !errors.Is(err, eventstore.ErrConflict) {
					t.Errorf("Append to %s: %v; want a conflict", stream, err)
				}
			}
		})
	}
	wg.Wait()
	got := t.all(s)
	t.ordered(got)
	if len(got) != writers*each {
		t.Errorf("%d events; want %d", len(got), writers*each)
	}
}
