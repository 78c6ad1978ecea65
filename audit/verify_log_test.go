package audit

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
)

func eventsOf(t testing.TB, store eventstore.Store) (all []eventstore.Recorded) {
	t.Helper()
	for r, err := range store.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func sequence(events []eventstore.Recorded, end error) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for _, r := range events {
			if !yield(r, nil) {
				return
			}
		}
		if end != nil {
			yield(eventstore.Recorded{}, end)
		}
	}
}

func TestVerifyLog(t *testing.T) {
	p := newProven(t, 300)
	older, err := p.tree.Covering(t.Context(), 300)
	if err != nil {
		t.Fatal(err)
	}
	appendEvents(t, p.store, 300)
	grow(t, p.tree)
	newer, err := p.tree.Covering(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	appendEvents(t, p.store, 5)
	hashed := func(leaf int64) (tlog.Hash, error) { return p.tree.Hashed(t.Context(), leaf) }
	all := eventsOf(t, p.store)
	both := []Checkpoint{newer, older}
	for _, kept := range []func(int64) (tlog.Hash, error){nil, hashed} {
		v, err := VerifyLog(sequence(all, nil), both, kept)
		if want := (VerifiedLog{Events: 605, Signed: 600, Last: 605, Streams: 6}); err != nil || v != want {
			t.Errorf("%+v, %v", v, err)
		}
	}

	with := func(change func(all []eventstore.Recorded) []eventstore.Recorded) []eventstore.Recorded {
		return change(slices.Clone(all))
	}
	altered := with(func(l []eventstore.Recorded) []eventstore.Recorded { l[400].Data = []byte(`{"n":-1}`); return l })
	wrong := func(at int64) func(int64) (tlog.Hash, error) {
		return func(leaf int64) (tlog.Hash, error) {
			h, err := hashed(leaf)
			if leaf == at {
				h[0] ^= 1
			}
			return h, err
		}
	}
	name := named(altered[400])
	for _, tc := range []struct {
		name   string
		events []eventstore.Recorded
		hashed func(int64) (tlog.Hash, error)
		want   string
	}{
		{"altered", altered, hashed, name + " is not what was hashed as leaf 400"},
		{"altered, with nothing kept", altered, nil, "of events 301 to 600, at position 600, one was altered"},
		{"altered with what was kept", altered, func(leaf int64) (tlog.Hash, error) { return LeafHash(altered[leaf]), nil }, "and so were the hashes that were kept"},
		{"kept hashes altered", all, wrong(7), "the log is what was signed, but the hashes that were kept of it are not"},
		{"early", with(func(l []eventstore.Recorded) []eventstore.Recorded { l[0].Meta = nil; return l }), nil, "of events 1 to 300, at position 300, one was altered"},
		{"one dropped", with(func(l []eventstore.Recorded) []eventstore.Recorded { return slices.Delete(l, 400, 401) }), hashed, "follows on revision"},
		{"the last of a stream dropped", with(func(l []eventstore.Recorded) []eventstore.Recorded { return slices.Delete(l, 299, 300) }), hashed, "is not what was hashed as leaf 299"},
		{"a time", with(func(l []eventstore.Recorded) []eventstore.Recorded { l[9].Time = l[9].Time.Add(1000); return l }), hashed, named(all[9]) + " is not what"},
		{"two swapped", with(func(l []eventstore.Recorded) []eventstore.Recorded { l[4], l[5] = l[5], l[4]; return l }), hashed, named(all[5]) + " is not what was hashed as leaf 4"},
		{"cut", all[:500], hashed, "the log has 500 events, the checkpoint 600: events at its end are gone"},
		{"empty", nil, hashed, "the log has 0 events"},
		{"behind the checkpoints", with(func(l []eventstore.Recorded) []eventstore.Recorded { return slices.Delete(l, 601, 602) }), hashed, "follows on revision"},
	} {
		if v, err := VerifyLog(sequence(tc.events, nil), both, tc.hashed); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %+v, %v\nwant %s", tc.name, v, err, tc.want)
		}
	}
	broken := errors.New("broken")
	if _, err := VerifyLog(sequence(all[:10], broken), both, nil); !errors.Is(err, broken) {
		t.Errorf("a log that cannot be read: %v", err)
	}
	if _, err := VerifyLog(sequence(all, nil), both, func(int64) (tlog.Hash, error) { return tlog.Hash{}, broken }); !errors.Is(err, broken) {
		t.Errorf("hashes that cannot be read: %v", err)
	}
	foreign := older
	foreign.Origin = "another"
	if _, err := VerifyLog(sequence(all, nil), []Checkpoint{newer, foreign}, nil); err == nil || !strings.Contains(err.Error(), "two logs") {
		t.Errorf("checkpoints of two logs: %v", err)
	}
	if err := VerifyConsistency(older, foreign, nil); err == nil || !strings.Contains(err.Error(), "two logs") {
		t.Errorf("checkpoints of two logs: %v", err)
	}
	if err := VerifyConsistency(newer, older, nil); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("checkpoints the wrong way: %v", err)
	}
	if err := VerifyConsistency(Checkpoint{Origin: older.Origin}, older, nil); err == nil {
		t.Error("an empty tree is a beginning of any")
	}
	if _, err := ParseConsistency([]byte("nonsense")); err == nil {
		t.Error("nonsense is a proof")
	}
}

// However many events, the root is that of RFC 6962.
func TestVerifyLogOfAnySize(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 600).Draw(rt, "size")
		var events []eventstore.Recorded
		var leaves []tlog.Hash
		var checkpoints []Checkpoint
		for n := range size {
			r := eventstore.Recorded{Stream: fmt.Sprint("chat-", n), Position: eventstore.Position(3*n + 7), Event: eventstore.Event{Type: "a.b.v1"}}
			events, leaves = append(events, r), append(leaves, LeafHash(r))
			if n == size-1 || rapid.IntRange(0, 40).Draw(rt, "signed") == 0 {
				checkpoints = append(checkpoints, Checkpoint{Size: int64(n + 1), Root: naive(leaves)})
			}
		}
		v, err := VerifyLog(sequence(events, nil), checkpoints, nil)
		if want := (VerifiedLog{Events: int64(size), Signed: int64(size), Last: events[size-1].Position, Streams: size}); err != nil || !cmp.Equal(v, want) {
			rt.Errorf("%+v, %v", v, err)
		}
	})
}
