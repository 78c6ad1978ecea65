package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// proven is a log with its tree and the bundle of a chat.
type proven struct {
	store  eventstore.Store
	tree   *Tree
	keys   *keyring
	key    string
	bundle string
}

// oddities are data that a log can hold, whatever the contract says of JSON.
func oddities() []string {
	return []string{`{"text":"Hello"}`, `{ "b" : 1, "a":1e400, "b":2 }`, "{\"a\":\n1}", ``, "\xff", "\"\xff\"", `"\ud800"`, "not JSON", `"<a href='x'>&"`, "\"\u2028\""}
}

func newProven(t testing.TB, events int) *proven {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "audit.db"), sqldb.Rebuildable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &proven{store: newLog(t, 0), keys: &keyring{}}
	for n := range events {
		text := oddities()[n%len(oddities())]
		e := eventstore.Event{ID: uuid.New(), Type: "chat.noted.v1", Data: []byte(text), Meta: []byte(oddities()[n/2%len(oddities())])}
		if _, err := p.store.Append(t.Context(), []string{"chat-a", "agent-ann", "chat-b"}[n%3], eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
	p.tree = openTree(t, config(p.store, db, p.keys))
	grow(t, p.tree)
	if p.key, err = p.tree.Key(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.bundle = p.write(t, BundleQuery{Chat: "a", Streams: []string{"chat-a", "tags-acme", "agent-ann"}, AsOf: eventstore.Position(events)})
	return p
}

func (p *proven) write(t testing.TB, q BundleQuery) string {
	t.Helper()
	b, err := p.tree.NewBundle(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func nothing(eventstore.Recorded) error { return nil }

func TestBundle(t *testing.T) {
	p := newProven(t, 60)
	var got []eventstore.Recorded
	v, err := VerifyBundle(strings.NewReader(p.bundle), p.key+"\n", func(r eventstore.Recorded) error {
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []VerifiedStream{{"chat-a", 20}, {"tags-acme", 0}, {"agent-ann", 20}}
	if diff := cmp.Diff(want, v.Streams); diff != "" || v.Chat != "a" || v.AsOf != 60 || v.Checkpoint.Size < 60 {
		t.Errorf("%+v (-want +got):\n%s", v, diff)
	}
	var recorded []eventstore.Recorded
	for _, s := range want {
		for r, err := range p.store.ReadStream(t.Context(), s.Name, eventstore.StreamQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			recorded = append(recorded, r)
		}
	}
	same := func(a, b eventstore.Recorded) bool { return bytes.Equal(AppendLeaf(nil, a), AppendLeaf(nil, b)) }
	if !slices.EqualFunc(got, recorded, same) {
		t.Error("the events that come out are not those that were recorded")
	}
	appendEvents(t, p.store, 10)
	grow(t, p.tree)
	if again := p.write(t, BundleQuery{Chat: "a", Streams: []string{"chat-a", "tags-acme", "agent-ann"}, AsOf: 60}); again != p.bundle {
		t.Error("asked again, the bundle has other bytes")
	}
	earlier := p.write(t, BundleQuery{Chat: "a", Streams: []string{"chat-a"}, AsOf: 30})
	if v, err := VerifyBundle(strings.NewReader(earlier), p.key, nothing); err != nil || v.Streams[0].Events != 10 {
		t.Errorf("as of 30: %+v, %v", v, err)
	}
	c, err := ReadCheckpoint(strings.NewReader(p.bundle), p.key)
	if err != nil || c.Note != v.Checkpoint.Note {
		t.Errorf("checkpoint of the bundle: %+v, %v", c, err)
	}
	if c, err = ReadCheckpoint(strings.NewReader(c.Note), p.key); err != nil || c.Note != v.Checkpoint.Note {
		t.Errorf("checkpoint alone: %+v, %v", c, err)
	}
}

// Whatever is done to a bundle, it is found, and said of which event.
func TestBundlesThatWereAltered(t *testing.T) {
	p := newProven(t, 60)
	lines := strings.SplitAfter(strings.TrimSuffix(p.bundle, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	end := len(lines) - 1
	with := func(change func(lines []string) []string) string {
		return strings.Join(change(slices.Clone(lines)), "")
	}
	counted := func(n int) string { return fmt.Sprintf("{\"events\":%d}\n", n) }
	other := newProven(t, 60)
	otherLines := strings.SplitAfter(other.bundle, "\n")
	for _, tc := range []struct{ name, bundle, key, want string }{
		{"data", strings.Replace(p.bundle, "Hello", "Hallo", 1), p.key, "line 2: the event at position 1 (chat.noted.v1, revision 0 of chat-a) was altered"},
		{"time", with(func(l []string) []string {
			i := strings.Index(l[4], `recorded_at":"2`) + len(`recorded_at":"2`)
			l[4] = l[4][:i] + "1" + l[4][i+1:]
			return l
		}), p.key, "line 5: the event at position 10 (chat.noted.v1, revision 3 of chat-a) was altered"},
		{"layout", strings.Replace(p.bundle, `,"event":{`, `,"event": {`, 1), p.key, "line 2: the event at position 1 (chat.noted.v1, revision 0 of chat-a) was altered: this is not how"},
		{"one dropped", with(func(l []string) []string { l[end] = counted(39); return slices.Delete(l, 4, 5) }), p.key, "follows on revision 2 of its stream: events between them were left out"},
		{"the first dropped", with(func(l []string) []string { l[end] = counted(39); return slices.Delete(l, 1, 2) }), p.key, "follows on revision -1"},
		{"the last dropped", with(func(l []string) []string { return slices.Delete(l, end-1, end) }), p.key, "has 39 events and says that it has 40"},
		{"all dropped", with(func(l []string) []string { l[end] = counted(0); return slices.Delete(l, 1, end) }), p.key, "no event of the chat"},
		{"two swapped", with(func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }), p.key, "line 4: the event at position 10 (chat.noted.v1, revision 3 of chat-a) follows on revision 1"},
		{"streams swapped", with(func(l []string) []string { return slices.Concat(l[:1], l[21:end], l[1:21], l[end:]) }), p.key, "is of a stream that the bundle does not name there"},
		{"one twice", with(func(l []string) []string { l[end] = counted(41); return slices.Insert(l, 3, l[2]) }), p.key, "is not in its place"},
		{"of another log", with(func(l []string) []string { l[2] = otherLines[2]; return l }), p.key, "line 3: the event at position 4 (chat.noted.v1, revision 1 of chat-a) was altered, or is not of this log"},
		{"cut", with(func(l []string) []string { return l[:9] }), p.key, "behind line 9: the bundle ends before its last line"},
		{"cut in a line", p.bundle[:len(p.bundle)/2], p.key, "the bundle ends before its last line"},
		{"without the last break", strings.TrimSuffix(p.bundle, "\n"), p.key, "the bundle ends before its last line"},
		{"empty", "", p.key, "the bundle ends before its last line"},
		{"more", p.bundle + "{}\n", p.key, "more behind the end"},
		{"more, broken", p.bundle + "{}", p.key, "more behind the end"},
		{"another key", p.bundle, other.key, "line 1: the checkpoint is not signed with this key"},
		{"forged", strings.Replace(p.bundle, `\n60\n`, `\n61\n`, 1), p.key, "line 1: the signature of the checkpoint is forged"},
		{"checkpoint of another", with(func(l []string) []string { l[0] = otherLines[0]; return l }), other.key, "line 2: the event at position 1 (chat.noted.v1, revision 0 of chat-a) was altered, or is not of this log"},
		{"end before", strings.Replace(p.bundle, `"as_of":60`, `"as_of":20`, 1), p.key, "is behind 20"},
		{"another chat", strings.Replace(p.bundle, `"chat":"a"`, `"chat":"b"`, 1), p.key, "not that of the chat"},
		{"another form", strings.Replace(p.bundle, "proof.v1", "proof.v2", 1), p.key, "does not say chatledger.proof.v1"},
		{"no bundle", "hello\n", p.key, "no bundle"},
		{"a number as text", strings.Replace(p.bundle, `{"events":40}`, `{"events":"40"}`, 1), p.key, "not what a bundle has there"},
		{"a field more", strings.Replace(p.bundle, `{"events":40}`, `{"events":40,"x":1}`, 1), p.key, "not what a bundle has there"},
		{"a long line", strings.Repeat(" ", maxBundleLine+1), p.key, "behind line 0: bufio.Scanner: token too long"},
	} {
		if _, err := VerifyBundle(strings.NewReader(tc.bundle), tc.key, nothing); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v\nwant %s", tc.name, err, tc.want)
		}
	}
}

// No byte of the events, of the proofs or of the end can be another.
func TestEveryByteOfABundleCounts(t *testing.T) {
	p := newProven(t, 45)
	first := strings.Index(p.bundle, "\n") + 1
	rapid.Check(t, func(rt *rapid.T) {
		b := []byte(p.bundle)
		at := rapid.IntRange(first, len(b)-1).Draw(rt, "at")
		b[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "change"))
		if _, err := VerifyBundle(bytes.NewReader(b), p.key, nothing); err == nil {
			rt.Errorf("byte %d can be %q:\n%s", at, b[at], b[max(0, at-40):min(len(b), at+40)])
		}
	})
}

// What was given out once can be checked for ever: this bundle is of the first
// version, and stays as it is.
func TestBundleOfTheFirstVersion(t *testing.T) {
	key, err := os.ReadFile("testdata/key.txt")
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.Open("testdata/bundle.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	v, err := VerifyBundle(bundle, string(key), nothing)
	if want := []VerifiedStream{{"chat-a", 10}, {"tags-acme", 0}, {"agent-ann", 10}}; err != nil || !slices.Equal(v.Streams, want) {
		t.Errorf("%+v, %v", v, err)
	}
}
