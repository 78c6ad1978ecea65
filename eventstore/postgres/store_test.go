package postgres_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/internal/testenv"
)

func TestMain(m *testing.M) {
	if eventstoretest.IsWriter() {
		os.Exit(eventstoretest.WriterMain(openLog))
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, url string, opts ...postgres.Option) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Store { return open(t, testenv.Postgres(t)) }, eventstoretest.Dense)
}

func TestImporter(t *testing.T) {
	eventstoretest.RunImporter(t, func(t testing.TB) eventstore.Store { return open(t, testenv.Postgres(t)) })
}

func TestDurable(t *testing.T) {
	eventstoretest.RunDurable(t, func(t testing.TB) func() eventstore.Store {
		url := testenv.Postgres(t)
		return func() eventstore.Store { return open(t, url) }
	}, eventstoretest.Dense)
}

func events(n int) []eventstore.Event {
	all := make([]eventstore.Event, n)
	for i := range all {
		all[i] = eventstore.Event{ID: uuid.New(), Type: "test.happened.v1", Data: []byte(`{}`)}
	}
	return all
}

func add(t testing.TB, s *postgres.Store, stream string, events ...eventstore.Event) eventstore.Result {
	t.Helper()
	res, err := s.Append(t.Context(), stream, eventstore.Any, events...)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func readAll(t testing.TB, s *postgres.Store, q eventstore.AllQuery) (all []eventstore.Recorded) {
	t.Helper()
	for r, err := range s.ReadAll(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// connect returns a connection of somebody else.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func execute(t testing.TB, conn executor, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// checker follows a log and fails the test if a position is left out or comes
// twice. It resumes after errors, as every follower must.
type checker struct {
	ids  []uuid.UUID
	done chan struct{}
}

func check(t *testing.T, s *postgres.Store, total int) *checker {
	c := &checker{done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	go func() {
		defer close(c.done)
		for len(c.ids) < total && ctx.Err() == nil {
			q := eventstore.AllQuery{After: eventstore.Position(len(c.ids)), Follow: true}
			for r, err := range s.ReadAll(ctx, q) {
				if err != nil {
					t.Logf("follower resumes at %d: %v", len(c.ids), err)
					break
				}
				if r.IsMark() {
					continue
				}
				if c.ids = append(c.ids, r.ID); r.Position != eventstore.Position(len(c.ids)) {
					t.Errorf("position %d comes as event %d", r.Position, len(c.ids))
					return
				}
				if len(c.ids) == total {
					return
				}
			}
		}
	}()
	return c
}

// saw checks that the follower has seen each of want once.
func (c *checker) saw(t *testing.T, want []uuid.UUID) {
	t.Helper()
	<-c.done
	order := func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(c.ids, order)
	slices.SortFunc(want, order)
	if !slices.Equal(c.ids, want) {
		t.Errorf("the follower saw %d events; want the %d that were appended", len(c.ids), len(want))
	}
}

// TestManyProcesses has three stores, as three processes would, append at once.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	const stores, writers, each = 3, 6, 40
	url := testenv.Postgres(t)
	followed := check(t, open(t, url), stores*writers*each)
	own := check(t, open(t, url, postgres.WithPollInterval(5*time.Millisecond)), stores*writers*each)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		want []uuid.UUID
	)
	for range stores {
		s := open(t, url)
		for w := range writers {
			wg.Go(func() {
				for range each {
					e := events(1)
					if _, err := s.Append(t.Context(), fmt.Sprintf("chat-%d", w), eventstore.Any, e...); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					want = append(want, e[0].ID)
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	followed.saw(t, want)
	own.saw(t, want)
}

// TestForeignTransaction: a transaction that is not ours, however long, hides
// nothing and stops nothing.
func TestForeignTransaction(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	s := open(t, url)
	tx, err := connect(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	execute(t, tx, "CREATE TABLE foreign_table AS SELECT pg_current_xact_id()")
	for range 10 {
		add(t, s, "chat-1", events(3)...)
	}
	if got := readAll(t, s, eventstore.AllQuery{}); len(got) != 30 {
		t.Errorf("%d events are visible; want 30", len(got))
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

const rawAppend = `SELECT FROM chatledger_log.append_events(
	streams => ARRAY['order-1'], wants => ARRAY[-2], firsts => ARRAY[1], counts => ARRAY[1],
	owners => ARRAY[1], ordinals => ARRAY[1], names => ARRAY['order-1'], ids => ARRAY[gen_random_uuid()],
	types => ARRAY['a'], datas => ARRAY[''::bytea], metas => ARRAY[''::bytea])`

// TestSlowAppend: while another process has taken a position but not committed
// it, nobody gets past that position; when it gives up, nothing is missing.
func TestSlowAppend(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	s := open(t, url)
	add(t, s, "chat-1", events(1)...)
	for _, end := range []string{"ROLLBACK", "COMMIT"} {
		before := readAll(t, s, eventstore.AllQuery{})
		other := connect(t, url)
		execute(t, other, "SET search_path = chatledger_log")
		execute(t, other, "BEGIN")
		execute(t, other, rawAppend)
		e := events(1)
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := s.Append(short, "chat-1", eventstore.Any, e...)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append beside an uncommitted one: %v; want it to wait", err)
		}
		if got := readAll(t, s, eventstore.AllQuery{}); len(got) != len(before) {
			t.Errorf("%d events are visible; want %d", len(got), len(before))
		}
		execute(t, other, end)
		res := add(t, s, "chat-1", e...) // the repeat
		want := eventstore.Position(len(before) + 1)
		if end == "COMMIT" {
			want++
		}
		if res.Position != want {
			t.Errorf("after %s the event is at %d; want %d", end, res.Position, want)
		}
	}
}

// TestTerminatedBackends cuts all connections again and again.
func TestTerminatedBackends(t *testing.T) {
	t.Parallel()
	const writers, each = 6, 50
	url := testenv.Postgres(t)
	s := open(t, url)
	admin := connect(t, url)
	follower := check(t, s, writers*each)
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		want   []uuid.UUID
		failed atomic.Int32
	)
	for w := range writers {
		wg.Go(func() {
			for range each {
				e := events(1)
				for {
					_, err := s.Append(t.Context(), fmt.Sprintf("chat-%d", w), eventstore.Any, e...)
					if err == nil {
						break
					}
					if errors.Is(err, eventstore.ErrConflict) || failed.Add(1) > 1000 {
						t.Errorf("Append: %v", err)
						return
					}
				}
				mu.Lock()
				if want = append(want, e[0].ID); len(want)%10 == 0 {
					execute(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chatledger log' AND datname = current_database()")
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	follower.saw(t, want)
	if failed.Load() == 0 {
		t.Error("no append was hit")
	}
}

// TestLostAnswer: whoever was not told how an append went finds out by repeating it.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	p := newProxy(t, testenv.Postgres(t))
	s := open(t, p.url)
	add(t, s, "chat-1", events(1)...)
	for i, tt := range []struct {
		at     cut
		stored []bool // what may have become of it
	}{
		{beforeRequest, []bool{false}},
		{afterRequest, []bool{false, true}},
		{afterAnswer, []bool{true}},
	} {
		e := events(2)
		want := eventstore.Revision(2 * i)
		p.arm(tt.at)
		if res, err := s.Append(t.Context(), "chat-1", want, e...); err == nil || errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("cut %d: Append = %+v, %v; want an error that is no conflict", tt.at, res, err)
		}
		res, err := s.Append(t.Context(), "chat-1", want, e...)
		if err != nil || res.Revision != want+2 || res.Position != eventstore.Position(want)+3 || !slices.Contains(tt.stored, res.Existing) {
			t.Errorf("cut %d: the repeat = %+v, %v", tt.at, res, err)
		}
		again, err := s.Append(t.Context(), "chat-1", want, e...)
		if res.Existing = true; err != nil || again != res {
			t.Errorf("cut %d: one more repeat = %+v, %v; want %+v", tt.at, again, err, res)
		}
	}
	if n := p.cuts.Load(); n != 3 {
		t.Errorf("%d appends were cut off; want 3", n)
	}
}

// TestOpenTogether: processes that start at once make one schema.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	heads := make(chan eventstore.Head, 8)
	var wg sync.WaitGroup
	for range cap(heads) {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), url, postgres.WithPoolSize(1))
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			h, err := s.Head(t.Context())
			if err != nil {
				t.Error(err)
			}
			heads <- h
		})
	}
	wg.Wait()
	close(heads)
	first, ok := <-heads
	for h := range heads {
		if h != first || !ok {
			t.Errorf("Head = %+v and %+v", first, h)
		}
	}
}

// TestSchemas: two schemas of one database are two logs.
func TestSchemas(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	a, b := open(t, url, postgres.WithSchema("test_a")), open(t, url, postgres.WithSchema("test_b"))
	add(t, a, "chat-1", events(3)...)
	if got := add(t, b, "chat-1", events(1)...); got.Position != 1 {
		t.Errorf("the first event of b is at %d", got.Position)
	}
	ha, errA := a.Head(t.Context())
	hb, errB := b.Head(t.Context())
	if err := errors.Join(errA, errB); err != nil || ha.Position != 3 || hb.Position != 1 || ha.Store == hb.Store {
		t.Errorf("heads are %+v and %+v, %v", ha, hb, err)
	}
}

// TestCopyIsAnotherStore: what a restored dump is to the log it was made from.
func TestCopyIsAnotherStore(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	s := open(t, url)
	add(t, s, "chat-1", events(2)...)
	original, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	target := testenv.Postgres(t) // connected to, while the original must not be
	admin := connect(t, target)
	copied := config.Database + "_copy"
	execute(t, admin, "CREATE DATABASE "+copied+" TEMPLATE "+config.Database)
	t.Cleanup(func() {
		if _, err := admin.Exec(context.Background(), "DROP DATABASE "+copied+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	c, err := postgres.Open(t.Context(), strings.Replace(url, "/"+config.Database, "/"+copied, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h, err := c.Head(t.Context())
	if err != nil || h.Position != original.Position || h.Store == original.Store {
		t.Errorf("Head of the copy = %+v, %v; of the original %+v", h, err, original)
	}
}

// TestOrdinaryUser: no right to create schemas, nor to look at the server.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	admin := connect(t, url)
	role := "test_" + strings.ToLower(rand.Text())
	execute(t, admin, "CREATE ROLE "+role)
	t.Cleanup(func() {
		ctx := context.Background()
		if _, err := admin.Exec(ctx, "DROP OWNED BY "+role+" CASCADE"); err != nil {
			t.Error(err)
		}
		if _, err := admin.Exec(ctx, "DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	execute(t, admin, "CREATE SCHEMA chatledger_log AUTHORIZATION "+role)
	execute(t, admin, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
	url += "&role=" + role
	s := open(t, url)
	add(t, s, "chat-1", events(1)...)
	first, err := s.Head(t.Context())
	if err != nil || first.Store == uuid.Nil {
		t.Errorf("Head = %+v, %v", first, err)
	}
	if again, err := open(t, url).Head(t.Context()); err != nil || again != first {
		t.Errorf("Head = %+v, %v; want %+v", again, err, first)
	}
}

// TestNotification: an append of another process wakes a follower long before
// its next poll.
func TestNotification(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	other := open(t, url)
	for r, err := range open(t, url, postgres.WithPollInterval(time.Hour)).ReadAll(ctx, eventstore.AllQuery{Follow: true}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case !r.IsMark():
			return
		}
		listening(t, connect(t, url))
		add(t, other, "chat-1", events(1)...)
	}
}

// listening waits until a connection listens, idle.
func listening(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for n := 0; n == 0; {
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND state = 'idle' AND query LIKE 'SELECT coalesce(max(position)%'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPoll: a follower notices what nobody has notified it of.
func TestPoll(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	other := connect(t, url)
	for r, err := range open(t, url, postgres.WithPollInterval(10*time.Millisecond)).ReadAll(ctx, eventstore.AllQuery{Follow: true}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case !r.IsMark():
			return
		}
		execute(t, other, "SET search_path = chatledger_log")
		execute(t, other, rawAppend)
	}
}

// TestWindows reads a log that is longer than what a filtered query looks at.
func TestWindows(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Postgres(t))
	var want []eventstore.Position
	for i := range 25 {
		add(t, s, "chat-1", events(1000)...)
		if i == 3 || i == 21 {
			e := events(1)
			e[0].Type = "rare"
			want = append(want, add(t, s, "order-1", e...).Position)
		}
	}
	q := eventstore.AllQuery{Types: []string{"rare"}}
	var got []eventstore.Position
	marks := 0
	for _, r := range readAll(t, s, q) {
		if r.IsMark() {
			marks++
		} else {
			got = append(got, r.Position)
		}
	}
	if !slices.Equal(got, want) || marks < 3 {
		t.Errorf("forwards: positions %d with %d marks; want %d with some", got, marks, want)
	}
	q.Backwards, got = true, nil
	for _, r := range readAll(t, s, q) {
		got = append(got, r.Position)
	}
	slices.Reverse(got)
	if !slices.Equal(got, want) {
		t.Errorf("backwards: %d; want %d", got, want)
	}
}

// TestBytes: data is kept as it is, whatever it is; a type must be text.
func TestBytes(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Postgres(t))
	for i, data := range []string{"", "\x00", "\xff\xfe", `{"a":"\u0000"}`, " {\"b\" : 1,\n\"a\":1e400, \"b\":2}"} {
		e := events(1)
		e[0].Data, e[0].Meta = []byte(data), []byte(data)
		add(t, s, "chat-1", e...)
		got := readAll(t, s, eventstore.AllQuery{After: eventstore.Position(i)})
		if len(got) != 1 || string(got[0].Data) != data || string(got[0].Meta) != data {
			t.Errorf("%q comes back as %+v", data, got)
		}
	}
	for _, typ := range []string{"a\x00b", "a\xff"} {
		e := events(1)
		e[0].Type = typ
		if _, err := s.Append(t.Context(), "chat-1", eventstore.Any, e...); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("type %q: %v; want ErrInvalid", typ, err)
		}
	}
}

// TestCloseIsBounded: a commit that cannot finish does not hold Close up for long.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	s := open(t, url)
	other := connect(t, url)
	execute(t, other, "SET search_path = chatledger_log")
	execute(t, other, "BEGIN")
	execute(t, other, rawAppend)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Append(t.Context(), "chat-1", eventstore.Any, events(1)...)
		failed <- err
	}()
	for waiting := 0; waiting == 0; {
		if err := other.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("Close took %s", d)
	}
	if err := <-failed; !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("Append: %v; want ErrClosed", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	for name, opt := range map[string]postgres.Option{
		"schema": postgres.WithSchema(`a"; DROP`),
		"poll":   postgres.WithPollInterval(0),
		"pool":   postgres.WithPoolSize(0),
	} {
		if s, err := postgres.Open(t.Context(), url, opt); err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		}
	}
	for _, url := range []string{"postgres://u:secret@%zz/db", "postgres://u:secret@127.0.0.1:1/db"} {
		s, err := postgres.Open(t.Context(), url)
		if err == nil {
			s.Close()
		}
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v; want an error without the password", err)
		}
	}
}

// TestReadableEvents: what README.md promises an analyst.
func TestReadableEvents(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	e := events(1)
	e[0].Data = []byte(`{"text":"olá"}`)
	add(t, open(t, url), "chat-1", e...)
	var text string
	if err := connect(t, url).QueryRow(t.Context(), "SELECT data::json->>'text' FROM chatledger_log.readable_events").Scan(&text); err != nil || text != "olá" {
		t.Errorf("text = %q, %v", text, err)
	}
}

// TestLargeLogIsPaged: reads are cut by bytes too, and go on where they were cut.
func TestLargeLogIsPaged(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Postgres(t))
	var want []eventstore.Revision
	for i := range 12 {
		e := events(1)
		e[0].Data = bytes.Repeat([]byte("x"), 1<<20)
		want = append(want, add(t, s, "chat-1", e...).Revision)
		add(t, s, fmt.Sprintf("order-%d", i), events(2)...)
	}
	revisions := func(seq iter.Seq2[eventstore.Recorded, error]) (got []eventstore.Revision) {
		for r, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if r.Category() == "chat" {
				got = append(got, r.Revision)
			}
		}
		return got
	}
	back := slices.Clone(want)
	slices.Reverse(back)
	for name, tt := range map[string]struct {
		seq  iter.Seq2[eventstore.Recorded, error]
		want []eventstore.Revision
	}{
		"stream":           {s.ReadStream(t.Context(), "chat-1", eventstore.StreamQuery{}), want},
		"stream backwards": {s.ReadStream(t.Context(), "chat-1", eventstore.StreamQuery{Backwards: true}), back},
		"stream limit":     {s.ReadStream(t.Context(), "chat-1", eventstore.StreamQuery{From: 1, Limit: 9}), want[1:10]},
		"all":              {s.ReadAll(t.Context(), eventstore.AllQuery{}), want},
		"all backwards":    {s.ReadAll(t.Context(), eventstore.AllQuery{Backwards: true}), back},
		"filtered":         {s.ReadAll(t.Context(), eventstore.AllQuery{Categories: []string{"chat"}}), want},
		"filtered, back":   {s.ReadAll(t.Context(), eventstore.AllQuery{Categories: []string{"chat"}, Backwards: true}), back},
	} {
		if got := revisions(tt.seq); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %d; want %d", name, got, tt.want)
		}
	}
}
