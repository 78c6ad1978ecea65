package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// onBoth runs a test on both engines. open opens the same database, as another
// process would.
func onBoth(t *testing.T, test func(t *testing.T, open func() sqldb.DB)) {
	run := func(t *testing.T, openDB func() (sqldb.DB, error)) {
		test(t, func() sqldb.DB {
			db, err := openDB()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			return db
		})
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "audit.db")
		run(t, func() (sqldb.DB, error) { return sqldb.OpenSQLite(t.Context(), path, sqldb.Rebuildable) })
	})
	t.Run("postgres", func(t *testing.T) {
		url := testenv.Postgres(t)
		run(t, func() (sqldb.DB, error) { return sqldb.OpenPostgres(t.Context(), url, "test_audit", sqldb.Rebuildable) })
	})
}

// keyring is accounts in memory: keys, and one lease.
type keyring struct {
	mu    sync.Mutex
	keys  map[string]string
	epoch int64
	held  bool
}

func (k *keyring) SigningKey(_ context.Context, name string, generate func() (string, error)) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[string]string{}
	}
	if k.keys[name] == "" {
		key, err := generate()
		if err != nil {
			return "", err
		}
		k.keys[name] = key
	}
	return k.keys[name], nil
}

func (k *keyring) SigningKeyNames(_ context.Context, prefix string) (names []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.keys {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (k *keyring) Acquire(_ context.Context, _, _ string, ttl time.Duration) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held && ttl > 0 {
		return 0, nil
	}
	k.epoch, k.held = k.epoch+1, true
	return k.epoch, nil
}

func (k *keyring) Renew(_ context.Context, _ string, epoch int64) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held && k.epoch == epoch, nil
}

func (k *keyring) Release(_ context.Context, _ string, epoch int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = k.held && k.epoch != epoch
	return nil
}

// hold has another process hold the lease, or no more.
func (k *keyring) hold(held bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = held
}

// newLog returns a log of n events in several streams.
func newLog(t testing.TB, n int) *memory.Store {
	t.Helper()
	store := memory.New(time.Now)
	t.Cleanup(func() { store.Close() })
	appendEvents(t, store, n)
	return store
}

func appendEvents(t testing.TB, store eventstore.Store, n int) {
	t.Helper()
	for i := range n {
		e := eventstore.Event{ID: uuid.New(), Type: "chat.noted.v1", Data: fmt.Appendf(nil, `{"n":%d}`, i), Meta: []byte(`{"actor":"ana"}`)}
		if _, err := store.Append(t.Context(), fmt.Sprint("chat-", i%3), eventstore.Any, e); err != nil {
			t.Fatal(err)
		}
	}
}

func config(store eventstore.Store, db sqldb.DB, keys *keyring) Config {
	return Config{
		Store: store, DB: db, Keys: keys, Leases: keys, Holder: "test", Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Batch: 100, Pace: time.Millisecond, Every: time.Millisecond, LeaseTTL: 50 * time.Millisecond,
	}
}

func openTree(t testing.TB, cfg Config) *Tree {
	t.Helper()
	tree, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// start runs a tree until stop is called.
func start(t testing.TB, tree *Tree) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tree.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// grow runs a tree until it has the whole log.
func grow(t testing.TB, tree *Tree) {
	t.Helper()
	stop := start(t, tree)
	defer stop()
	reach(t, tree)
}

func reach(t testing.TB, tree *Tree) {
	t.Helper()
	head, err := tree.cfg.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := tree.Wait(ctx, head.Position); err != nil {
		t.Fatal(err)
	}
}

// naive is RFC 6962, section 2.1, word for word.
func naive(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	return tlog.NodeHash(naive(leaves[:k]), naive(leaves[k:]))
}

func leavesOf(t testing.TB, store eventstore.Store) (leaves []tlog.Hash) {
	t.Helper()
	for r, err := range store.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, LeafHash(r))
	}
	return leaves
}

// The bytes of a leaf are a promise: a verifier of somebody else's depends on them.
func TestLeaf(t *testing.T) {
	r := eventstore.Recorded{
		Event: eventstore.Event{
			ID: uuid.MustParse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"), Type: "chat.noted.v1", Data: []byte(`{"text":"é"}`), Meta: []byte(`{"actor":"ana"}`),
		},
		Stream: "chat-1", Revision: 4, Position: 258, Time: time.Date(2026, 11, 26, 12, 0, 0, 123456000, time.UTC),
	}
	const want = "chatledger event v1\n" +
		"\x00\x00\x00\x00\x00\x00\x01\x02" + "\x00\x00\x00\x00\x00\x00\x00\x04" + "\x00\x06\x61\x2c\xae\xd8\x32\x40" +
		"\x01\x90\xa1\xb2\xc3\xd4\x7e\x5f\x8a\x9b\x0c\x1d\x2e\x3f\x4a\x5b" +
		"\x00\x00\x00\x06chat-1" + "\x00\x00\x00\x0dchat.noted.v1" + "\x00\x00\x00\x0d{\"text\":\"é\"}" + "\x00\x00\x00\x0f{\"actor\":\"ana\"}"
	if got := string(AppendLeaf(nil, r)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := LeafHash(r); got != tlog.RecordHash([]byte(want)) {
		t.Errorf("hash %s", got)
	}
}

// However its leaves come in batches, and however often it is loaded in between, the
// tree is that of RFC 6962, and proves what is in it.
func TestTreeIsThatOfRFC6962(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		store := newLog(t, 0)
		sizes := []int64{1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_000}
		tree := openTree(t, config(store, db, &keyring{}))
		s, err := tree.state(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var leaves []tlog.Hash
		for _, size := range sizes {
			e, err := tree.loadEdge(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			for n := s.Size; n < size; n++ {
				h := tlog.RecordHash(fmt.Append(nil, n))
				leaves = append(leaves, h)
				e.add(h, eventstore.Position(3*n+1)) // as of a log with holes
			}
			if s, err = tree.save(t.Context(), s, e, eventstore.Position(3*(size-1)+1)); err != nil {
				t.Fatal(err)
			}
			root, err := tlog.TreeHash(size, tree.reader(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			if want := naive(leaves); root != want {
				t.Fatalf("root at %d: %s, want %s", size, root, want)
			}
			for _, n := range []int64{0, size / 2, size - 1} {
				leaf, proof, err := tree.inclusion(t.Context(), size, eventstore.Position(3*n+1))
				if err != nil || leaf != n {
					t.Fatalf("leaf %d of %d: %d, %v", n, size, leaf, err)
				}
				if err := tlog.CheckRecord(proof, size, root, n, leaves[n]); err != nil {
					t.Errorf("proof of %d in %d: %v", n, size, err)
				}
			}
			for _, n := range []int64{0, 2, 3*size - 1, 3*size + 4} {
				if leaf, err := tree.leafAt(t.Context(), eventstore.Position(n)); !errors.Is(err, ErrSize) {
					t.Errorf("a position without an event, %d: leaf %d, %v", n, leaf, err)
				}
			}
		}
		for i, from := range sizes {
			for _, to := range sizes[i:] {
				proof, err := tree.Consistency(t.Context(), from, to)
				if err != nil {
					t.Fatal(err)
				}
				older, newer := Checkpoint{Size: from, Root: naive(leaves[:from])}, Checkpoint{Size: to, Root: naive(leaves[:to])}
				if err := VerifyConsistency(older, newer, proof); err != nil {
					t.Errorf("%d to %d: %v", from, to, err)
				}
				older.Root[7] ^= 1
				if err := VerifyConsistency(older, newer, proof); err == nil {
					t.Errorf("%d to %d: another root is consistent, too", from, to)
				}
			}
		}
		for _, of := range [][2]int64{{0, 1}, {2, 1}, {1, 66_001}} {
			if _, err := tree.Consistency(t.Context(), of[0], of[1]); !errors.Is(err, ErrSize) {
				t.Errorf("%v: %v", of, err)
			}
		}
	})
}

func TestTreeInAnyBatches(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var e edge
		var leaves []tlog.Hash
		kept := map[[2]int64]tile{}
		for _, batch := range rapid.SliceOfN(rapid.IntRange(0, 700), 1, 8).Draw(rt, "batches") {
			for range batch {
				h := tlog.RecordHash(fmt.Append(nil, len(leaves)))
				leaves = append(leaves, h)
				e.add(h, eventstore.Position(len(leaves)))
			}
			for _, l := range e.take() {
				kept[[2]int64{int64(l.level), l.n}] = l
			}
		}
		if len(leaves) == 0 {
			return
		}
		root, err := tlog.TreeHash(int64(len(leaves)), tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
			for _, i := range indexes {
				at := tlog.TileForIndex(tileHeight, i)
				l := kept[[2]int64{int64(at.L), at.N}]
				at.W = len(l.hashes) / tlog.HashSize
				h, err := tlog.HashFromTile(at, l.hashes, i)
				if err != nil {
					return nil, err
				}
				out = append(out, h)
			}
			return out, nil
		}))
		if err != nil || root != naive(leaves) {
			rt.Errorf("root of %d leaves: %s, %v; want %s", len(leaves), root, err, naive(leaves))
		}
	})
}

// The tree follows the log, is signed, and goes on after a stop, on another process.
func TestRunFollowsTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		store, keys := newLog(t, 530), &keyring{}
		tree := openTree(t, config(store, open(), keys))
		stop := start(t, tree)
		reach(t, tree)
		appendEvents(t, store, 3)
		reach(t, tree)
		stop()
		appendEvents(t, store, 250)
		again := openTree(t, config(store, open(), keys))
		grow(t, again)

		head, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Covering(t.Context(), head.Position)
		if err != nil {
			t.Fatal(err)
		}
		leaves := leavesOf(t, store)
		if got.Size != int64(len(leaves)) || got.Root != naive(leaves) || got.Position != head.Position {
			t.Errorf("checkpoint %+v", got)
		}
		key, err := again.Key(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(key, "chatledger/"+head.Store.String()+"/1+") {
			t.Errorf("key %s", key)
		}
		opened, err := OpenCheckpoint(got.Note, key)
		if err != nil || opened.Size != got.Size || opened.Root != got.Root || opened.Origin != got.Origin {
			t.Errorf("opened %+v, %v", opened, err)
		}
		// All that was signed on the way is consistent with the end.
		list, err := again.Checkpoints(t.Context(), 0, 1000)
		if err != nil || len(list) == 0 || list[0].Size != got.Size {
			t.Fatalf("%d checkpoints, %v", len(list), err)
		}
		for _, c := range list {
			proof, err := again.Consistency(t.Context(), c.Size, got.Size)
			if err == nil {
				err = VerifyConsistency(c, got, proof)
			}
			if err != nil {
				t.Errorf("from %d: %v", c.Size, err)
			}
		}
		if status, err := again.Status(t.Context()); err != nil || status.Problem != nil || status.Size != got.Size || status.Head != head.Position {
			t.Errorf("status %+v, %v", status, err)
		}
		if older, err := again.Covering(t.Context(), 1); err != nil || older.Size != list[len(list)-1].Size {
			t.Errorf("the first checkpoint with position 1 is of size %d: %v", older.Size, err)
		}
		if c, err := again.CheckpointAt(t.Context(), 1<<40); !errors.Is(err, ErrNoCheckpoint) {
			t.Errorf("%+v, %v", c, err)
		}
		if _, err := again.Covering(t.Context(), head.Position+1); !errors.Is(err, ErrSize) {
			t.Errorf("what is not there yet: %v", err)
		}
	})
}

// Many processes that know nothing of each other, with a lease that keeps nobody
// out, make one tree.
func TestManyExtendOneTree(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		store := newLog(t, 1000)
		var trees []*Tree
		for range 3 {
			cfg := config(store, open(), &keyring{})
			cfg.Batch, cfg.Every, cfg.LeaseTTL = 7, time.Hour, 20*time.Millisecond
			trees = append(trees, openTree(t, cfg))
			start(t, trees[len(trees)-1])
		}
		appendEvents(t, store, 500)
		for _, tree := range trees {
			reach(t, tree)
		}
		root, err := tlog.TreeHash(1500, trees[0].reader(t.Context()))
		if want := naive(leavesOf(t, store)); err != nil || root != want {
			t.Errorf("root %s, %v; want %s", root, err, want)
		}
	})
}

// A process that dies in the middle leaves a tree that goes on.
func TestRunGoesOnAfterItWasCutOff(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		store, keys := newLog(t, 1500), &keyring{}
		for cut := range 6 {
			cfg := config(store, open(), keys)
			cfg.Batch = 50
			cfg.Alone = true
			broken := &cutOff{Store: store, after: 60 * (cut + 1)}
			cfg.Store = broken
			tree := openTree(t, cfg)
			ctx, cancel := context.WithCancel(t.Context())
			broken.cut = cancel
			if err := tree.Run(ctx); err != nil {
				t.Fatal(err)
			}
		}
		tree := openTree(t, config(store, open(), keys))
		grow(t, tree)
		root, err := tlog.TreeHash(1500, tree.reader(t.Context()))
		if want := naive(leavesOf(t, store)); err != nil || root != want {
			t.Errorf("root %s, %v; want %s", root, err, want)
		}
	})
}

// cutOff ends a context after some events.
type cutOff struct {
	eventstore.Store

	after int
	cut   func()
}

func (c *cutOff) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		n := 0
		for r, err := range c.Store.ReadAll(ctx, q) {
			if n++; q.Follow && n > c.after {
				c.cut()
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// A log that is another, or shorter, or was altered at its end, is noticed, and left
// alone until somebody says what to do.
func TestAnotherLogIsNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		keys := &keyring{}
		store := newLog(t, 300)
		tree := openTree(t, config(store, open(), keys))
		grow(t, tree)
		before, err := tree.Covering(t.Context(), 300)
		if err != nil {
			t.Fatal(err)
		}
		key, err := tree.Key(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			name string
			log  eventstore.Store
			want error
		}{
			{"another", newLog(t, 400), ErrOtherLog},
			{"shorter", &changed{Store: store, head: 299}, ErrShorter},
			{"altered", &changed{Store: store, data: `{"n":7}`}, ErrAltered},
			{"longer", &changed{Store: store}, nil},
		} {
			other := openTree(t, config(tc.log, open(), keys))
			status, err := other.Status(t.Context())
			if err != nil || !errors.Is(status.Problem, tc.want) {
				t.Errorf("%s: %v, %v", tc.name, status.Problem, err)
			}
			if err := other.extendOnce(t.Context()); tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%s: extend: %v", tc.name, err)
			}
		}
		other := openTree(t, config(&changed{Store: store, head: 299}, open(), keys))
		keys.hold(true)
		if _, err := other.Restart(t.Context()); !errors.Is(err, ErrRuns) {
			t.Errorf("restarted beside another process: %v", err)
		}
		keys.hold(false)
		origin, err := other.Restart(t.Context())
		if err != nil || origin == before.Origin {
			t.Fatalf("restarted as %s, %v", origin, err)
		}
		again := openTree(t, config(store, open(), keys))
		grow(t, again)
		after, err := again.Covering(t.Context(), 300)
		if err != nil || after.Root != before.Root || after.Origin != origin {
			t.Errorf("after a restart: %+v, %v", after, err)
		}
		if _, err := OpenCheckpoint(after.Note, key); err == nil {
			t.Error("the key of the old tree has signed the new one")
		}
		if c, err := tree.Covering(t.Context(), 300); err != nil || c.Origin != origin {
			t.Errorf("a process that was there before: %+v, %v", c, err)
		}
	})
}

// changed is a log that ends earlier than it did, or whose last event was altered.
type changed struct {
	eventstore.Store

	head eventstore.Position
	data string
}

func (c *changed) Head(ctx context.Context) (eventstore.Head, error) {
	h, err := c.Store.Head(ctx)
	if c.head != 0 {
		h.Position = c.head
	}
	return h, err
}

func (c *changed) ReadAll(ctx context.Context, q eventstore.AllQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range c.Store.ReadAll(ctx, q) {
			if c.data != "" {
				r.Data = []byte(c.data)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// extendOnce is extend for as long as it takes to notice.
func (t *Tree) extendOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	return t.extend(ctx)
}

// A tree that is made again, since its database was lost, is the one that was lost:
// of the same name, and after the same events with the same checkpoint.
func TestTreeIsMadeAgain(t *testing.T) {
	store, keys := newLog(t, 300), &keyring{}
	made := func(restart bool) Checkpoint {
		t.Helper()
		db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "audit.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tree := openTree(t, config(store, db, keys))
		if restart {
			if _, err := tree.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		grow(t, tree)
		c, err := tree.Covering(t.Context(), 300)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, again := made(false), made(false)
	if first.Note != again.Note {
		t.Errorf("%s\nis made again as\n%s", first.Note, again.Note)
	}
	second, again := made(true), made(false)
	if second.Origin == first.Origin || second.Note != again.Note {
		t.Errorf("after a restart %s\nis made again as\n%s", second.Note, again.Note)
	}
	if third := made(true); third.Origin == first.Origin || third.Origin == second.Origin {
		t.Errorf("%s is there twice", third.Origin)
	}
}

func TestOpenCheckpointRefuses(t *testing.T) {
	store, keys := newLog(t, 5), &keyring{}
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "audit.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := OpenExisting(t.Context(), config(store, db, keys)); !errors.Is(err, ErrNoTree) {
		t.Errorf("no tree: %v", err)
	}
	tree := openTree(t, config(store, db, keys))
	grow(t, tree)
	if _, err := OpenExisting(t.Context(), config(store, db, keys)); err != nil {
		t.Errorf("a tree: %v", err)
	}
	c, err := tree.Covering(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tree.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, err := publicOfNew(t, c.Origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, text, key, want string }{
		{"another size", strings.Replace(c.Note, "\n5\n", "\n6\n", 1), key, "forged"},
		{"another key", c.Note, other, "not signed with this key"},
		{"no key", c.Note, "nonsense", "audit key"},
		{"no note", "nonsense", key, "cannot be read"},
		{"too long", strings.Repeat("x", maxNote+1), key, "too long"},
	} {
		if _, err := OpenCheckpoint(tc.text, tc.key); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	for _, text := range []string{"", "a\n", "a\n1\n", "a\n01\n" + c.Root.String() + "\n", "a\n-1\n" + c.Root.String() + "\n", "a\n1\nAAAA\n", "\n1\n" + c.Root.String() + "\n"} {
		if got, err := parseCheckpoint(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
	for _, secret := range []string{"", "PRIVATE+KEY+a+0+", "PRIVATE+KEY+a+0+AAAA"} {
		if key, err := publicKey(secret); err == nil || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%q: %s, %v", secret, key, err)
		}
	}
}

func publicOfNew(t *testing.T, name string) (string, error) {
	t.Helper()
	tree := &Tree{cfg: Config{Keys: &keyring{}}}
	secret, err := tree.secret(t.Context(), name)
	if err != nil {
		return "", err
	}
	return publicKey(secret)
}
