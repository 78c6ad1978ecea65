package accounts_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/reactors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// onBoth runs a test on both engines. open opens the same database, as another
// process would.
func onBoth(t *testing.T, test func(t *testing.T, c *clock, open func() *accounts.Accounts)) {
	run := func(t *testing.T, openDB func() (sqldb.DB, error)) {
		c := &clock{at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
		test(t, c, func() *accounts.Accounts {
			db, err := openDB()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			a, err := accounts.Open(t.Context(), db, c.now)
			if err != nil {
				t.Fatal(err)
			}
			return a
		})
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "accounts.db")
		run(t, func() (sqldb.DB, error) { return sqldb.OpenSQLite(t.Context(), path) })
	})
	t.Run("postgres", func(t *testing.T) {
		url := testenv.Postgres(t)
		run(t, func() (sqldb.DB, error) { return sqldb.OpenPostgres(t.Context(), url, "test_accounts") })
	})
}

func TestTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clock, open func() *accounts.Accounts) {
		a, ctx := open(), t.Context()
		n := accounts.NewToken{Workspace: "acme", Role: agent.RoleAgent, Agent: "a1", Name: "Ana", ExpiresAt: c.now().Add(time.Hour)}
		secret, token, err := a.CreateToken(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(secret, accounts.Prefix) || len(secret) != len(accounts.Prefix)+43 {
			t.Errorf("the secret has %d characters", len(secret))
		}
		got, err := open().Authenticate(ctx, secret)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(token, got); diff != "" {
			t.Errorf("(-created +authenticated):\n%s", diff)
		}
		for _, wrong := range []string{"", "cl_", secret + "x", secret[:len(secret)-1], strings.ToUpper(secret), "cl_\x00", "cl_\xff"} {
			if _, err := a.Authenticate(ctx, wrong); !errors.Is(err, accounts.ErrToken) {
				t.Errorf("a wrong secret: %v", err)
			}
		}
		other, second, err := a.CreateToken(ctx, accounts.NewToken{Workspace: "other", Role: agent.RoleAdmin, Name: "Root"})
		if err != nil {
			t.Fatal(err)
		}
		c.advance(time.Hour)
		if _, err := a.Authenticate(ctx, secret); !errors.Is(err, accounts.ErrToken) {
			t.Errorf("expired: %v", err)
		}
		if _, err := a.Authenticate(ctx, other); err != nil {
			t.Errorf("one that does not expire: %v", err)
		}
		for range 2 {
			if err := a.RevokeToken(ctx, second.ID); err != nil {
				t.Fatal(err)
			}
			c.advance(time.Minute)
		}
		if _, err := a.Authenticate(ctx, other); !errors.Is(err, accounts.ErrToken) {
			t.Errorf("revoked: %v", err)
		}
		if err := a.RevokeToken(ctx, "nobody's"); !errors.Is(err, accounts.ErrTokenNotFound) {
			t.Errorf("revoke what is not there: %v", err)
		}
		list, err := a.ListTokens(ctx, "other")
		if err != nil {
			t.Fatal(err)
		}
		second.RevokedAt = c.now().Add(-2 * time.Minute)
		if diff := cmp.Diff([]accounts.Token{second}, list); diff != "" {
			t.Errorf("list of one workspace (-want +got):\n%s", diff)
		}
		if all, err := a.ListTokens(ctx, ""); err != nil || len(all) != 2 {
			t.Errorf("list of all: %d, %v", len(all), err)
		}
	})
}

func TestTokensThatAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clock, open func() *accounts.Accounts) {
		a := open()
		for _, tc := range []struct {
			n    accounts.NewToken
			want error
		}{
			{accounts.NewToken{Role: agent.RoleAgent, Name: "x"}, accounts.ErrWorkspace},
			{accounts.NewToken{Workspace: "w", Role: "king", Name: "x"}, accounts.ErrRole},
			{accounts.NewToken{Workspace: "w", Role: agent.RoleAgent, Name: " "}, accounts.ErrName},
			{accounts.NewToken{Workspace: "w", Role: agent.RoleAgent, Name: "a\x00"}, accounts.ErrName},
			{accounts.NewToken{Workspace: "w", Role: agent.RoleAgent, Name: "x", ExpiresAt: c.now()}, accounts.ErrExpired},
		} {
			if _, _, err := a.CreateToken(t.Context(), tc.n); !errors.Is(err, tc.want) {
				t.Errorf("%+v: %v, want %v", tc.n, err, tc.want)
			}
		}
	})
}

func TestChannelSecrets(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *clock, open func() *accounts.Accounts) {
		a, ctx := open(), t.Context()
		if _, err := a.ChannelSecrets(ctx, "c1"); !errors.Is(err, accounts.ErrNoSecrets) {
			t.Errorf("none: %v", err)
		}
		want := accounts.ChannelSecrets{VerifyToken: "v-s3cret", AppSecret: "a-s3cret", AccessToken: "t-s3cret", GraphURL: "https://graph.example"}
		if err := a.PutChannelSecrets(ctx, "c1", want); err != nil {
			t.Fatal(err)
		}
		if err := a.PutChannelSecrets(ctx, "c1", accounts.ChannelSecrets{AccessToken: "n-s3cret"}); err != nil {
			t.Fatal(err)
		}
		want.AccessToken = "n-s3cret"
		got, err := open().ChannelSecrets(ctx, "c1")
		if err != nil || got != want {
			t.Errorf("not what was put: %v", err)
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secrets", got)
		for _, s := range []string{fmt.Sprint(got), fmt.Sprintf("%+v %#v %q %s", got, got, got, &got), log.String()} {
			if strings.Contains(s, "s3cret") {
				t.Errorf("a secret shows in %s", s)
			}
		}
		if err := a.DeleteChannelSecrets(ctx, "c1"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.ChannelSecrets(ctx, "c1"); !errors.Is(err, accounts.ErrNoSecrets) {
			t.Errorf("after delete: %v", err)
		}
	})
}

func TestCallSettings(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *clock, open func() *accounts.Accounts) {
		a := open()
		if _, err := a.CallSettings(t.Context(), "shop"); !errors.Is(err, accounts.ErrNoCallSettings) {
			t.Errorf("none: %v", err)
		}
		for _, put := range []accounts.CallSettings{{URL: "https://pbx", Secret: "s3cr3t"}, {URL: "https://other"}} {
			if err := a.PutCallSettings(t.Context(), "shop", put); err != nil {
				t.Fatal(err)
			}
		}
		s, err := open().CallSettings(t.Context(), "shop")
		if want := (accounts.CallSettings{URL: "https://other", Secret: "s3cr3t"}); err != nil || s != want {
			t.Errorf("%v", err)
		}
		j, err := s.MarshalJSON()
		if all := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, j, s.LogValue()); err != nil || strings.Contains(all, "s3cr3t") {
			t.Error(all)
		}
		if err := a.DeleteCallSettings(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.CallSettings(t.Context(), "shop"); !errors.Is(err, accounts.ErrNoCallSettings) {
			t.Errorf("deleted: %v", err)
		}
		if err := a.PutCallSettings(t.Context(), "", accounts.CallSettings{}); err == nil {
			t.Error("settings of no channel are kept")
		}
	})
}

func TestLeases(t *testing.T) {
	const ttl = 5 * time.Second
	onBoth(t, func(t *testing.T, c *clock, open func() *accounts.Accounts) {
		one, two, ctx := open(), open(), t.Context()
		acquire := func(a *accounts.Accounts, holder string, ttl time.Duration, want int64) {
			t.Helper()
			got, err := a.Acquire(ctx, "r", holder, ttl)
			if err != nil || got != want {
				t.Fatalf("Acquire by %s: epoch %d, %v, want %d", holder, got, err, want)
			}
		}
		renew := func(a *accounts.Accounts, epoch int64, want bool) {
			t.Helper()
			if got, err := a.Renew(ctx, "r", epoch); err != nil || got != want {
				t.Fatalf("Renew of %d: %v, %v, want %v", epoch, got, err, want)
			}
		}
		acquire(one, "one", ttl, 1)
		acquire(two, "two", ttl, 0)
		c.advance(ttl - 1)
		renew(one, 1, true)
		acquire(two, "two", ttl, 0) // it moved: the watch begins anew
		c.advance(ttl - 1)
		acquire(two, "two", ttl, 0)
		c.advance(1)
		acquire(two, "two", ttl, 2)
		renew(one, 1, false)
		renew(two, 2, true)

		// Who lost the lease cannot save.
		at := feed.Checkpoint{Store: uuid.New(), Position: 7}
		if err := two.Checkpoints(2).Save(ctx, "r", at); err != nil {
			t.Fatal(err)
		}
		if err := one.Checkpoints(1).Save(ctx, "r", feed.Checkpoint{Store: at.Store, Position: 6}); !errors.Is(err, feed.ErrFenced) {
			t.Errorf("save by the last holder: %v", err)
		}
		if got, err := one.Checkpoints(1).Load(ctx, "r"); err != nil || got != at {
			t.Errorf("Load: %+v, %v", got, err)
		}
		if got, err := one.Checkpoints(1).Load(ctx, "unknown"); err != nil || got != (feed.Checkpoint{}) {
			t.Errorf("Load of none: %+v, %v", got, err)
		}

		if err := two.Release(ctx, "r", 2); err != nil {
			t.Fatal(err)
		}
		acquire(one, "one", ttl, 3) // released: at once
		if err := two.Checkpoints(2).Save(ctx, "r", at); !errors.Is(err, feed.ErrFenced) {
			t.Errorf("save after somebody else acquired: %v", err)
		}
		if err := two.Release(ctx, "r", 2); err != nil { // late, and without effect
			t.Fatal(err)
		}
		renew(one, 3, true)
		acquire(two, "two", 0, 4) // ttl 0: at once
	})
}

func TestOneOfManyGetsTheLease(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *clock, open func() *accounts.Accounts) {
		stores := []*accounts.Accounts{open(), open(), open(), open()}
		got := make([]int64, len(stores))
		var wg sync.WaitGroup
		for i, a := range stores {
			wg.Go(func() {
				var err error
				if got[i], err = a.Acquire(t.Context(), "r", fmt.Sprint(i), time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		sum := int64(0)
		for _, e := range got {
			sum += e
		}
		if sum != 1 {
			t.Errorf("epochs %v, want a single 1", got)
		}
	})
}

func TestParking(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clock, open func() *accounts.Accounts) {
		a, ctx := open(), t.Context()
		p := reactors.Parked{Reactor: "r", Position: 9, Stream: "chat-1", Event: uuid.New(), Type: "t", Keys: []string{"k1", "k2"}, Error: "bad \x00\xff"}
		q := reactors.Parked{Reactor: "r", Position: 5, Stream: "chat-2", Event: uuid.New(), Type: "t", Error: strings.Repeat("é", 600)}
		for _, p := range []reactors.Parked{p, q, p} {
			if err := a.Park(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		p.Error, p.Attempts, p.At = "bad \uFFFD", 2, c.now()
		q.Error, q.Attempts, q.At, q.Keys = strings.Repeat("é", 500), 1, c.now(), []string{}
		list := func(query reactors.ParkedQuery, want ...reactors.Parked) {
			t.Helper()
			got, err := a.ListParked(ctx, query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]reactors.Parked{}, want...), got); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", query, diff)
			}
		}
		list(reactors.ParkedQuery{Reactor: "r", Limit: 10}, q, p)
		list(reactors.ParkedQuery{Reactor: "r", Limit: 1}, q)
		list(reactors.ParkedQuery{Reactor: "r", After: 5, Limit: 10}, p)
		list(reactors.ParkedQuery{Reactor: "r", Keys: []string{"k0", "k2", "k9"}, Limit: 10}, p)
		list(reactors.ParkedQuery{Reactor: "r", Keys: []string{"k0"}, Limit: 10})
		list(reactors.ParkedQuery{Reactor: "other", Limit: 10})
		if n, err := a.RetryParked(ctx, "r"); err != nil || n != 2 {
			t.Errorf("RetryParked: %d, %v", n, err)
		}
		if n, err := a.CountParked(ctx, "r"); err != nil || n != (reactors.ParkedCount{Events: 2, Retry: 2}) {
			t.Errorf("CountParked: %+v, %v", n, err)
		}
		if err := a.Park(ctx, p); err != nil { // the other try failed
			t.Fatal(err)
		}
		q.Retry, p.Attempts = true, 3
		list(reactors.ParkedQuery{Reactor: "r", Limit: 10}, q, p)
		for _, at := range []reactors.Parked{p, q, q} {
			if err := a.Unpark(ctx, "r", at.Position); err != nil {
				t.Fatal(err)
			}
		}
		list(reactors.ParkedQuery{Reactor: "r", Keys: []string{"k1"}, Limit: 10})
		if n, err := a.CountParked(ctx, "r"); err != nil || n != (reactors.ParkedCount{}) {
			t.Errorf("CountParked at the end: %+v, %v", n, err)
		}
	})
}

func TestAttempts(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *clock, open func() *accounts.Accounts) {
		a, ctx := open(), t.Context()
		begin := func(want reactors.Attempt) {
			t.Helper()
			if got, err := a.LookAttempt(ctx, "r", 3); err != nil || got != want {
				t.Fatalf("LookAttempt: %+v, %v, want %+v", got, err, want)
			}
			if got, err := a.BeginAttempt(ctx, "r", 3); err != nil || got != want {
				t.Fatalf("BeginAttempt: %+v, %v, want %+v", got, err, want)
			}
		}
		begin(reactors.Attempt{})
		begin(reactors.Attempt{State: reactors.AttemptBegun})
		refused := reactors.Attempt{State: reactors.AttemptRefused}
		if err := a.EndAttempt(ctx, "r", 3, refused); err != nil {
			t.Fatal(err)
		}
		begin(refused)
		begin(reactors.Attempt{State: reactors.AttemptBegun})
		accepted := reactors.Attempt{State: reactors.AttemptAccepted, ProviderID: "wamid.1"}
		if err := a.EndAttempt(ctx, "r", 3, accepted); err != nil {
			t.Fatal(err)
		}
		begin(accepted)
		begin(accepted)
		if err := a.ForgetAttempt(ctx, "r", 3); err != nil {
			t.Fatal(err)
		}
		begin(reactors.Attempt{})
	})
}

func TestTimers(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clock, open func() *accounts.Accounts) {
		a, ctx := open(), t.Context()
		at := func(minutes int) time.Time { return c.now().Add(time.Duration(minutes) * time.Minute) }
		first, second := uuid.New(), uuid.New()
		timer := func(subject string, minutes int, by uuid.UUID) reactors.Timer {
			return reactors.Timer{Kind: "snooze", Subject: subject, Due: at(minutes), Workspace: "acme", Event: by}
		}
		set := func(reactor string, timer reactors.Timer) {
			t.Helper()
			if err := a.SetTimer(ctx, reactor, timer); err != nil {
				t.Fatal(err)
			}
		}
		check := func(limit int, want ...reactors.Timer) {
			t.Helper()
			got, err := open().NextTimers(ctx, "r", limit) // as another process sees it
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("timers (-want +got):\n%s", diff)
			}
		}
		check(10)
		set("r", timer("a", 30, first))
		set("r", timer("b", 10, first))
		set("r", timer("c", 20, first))
		set("other", timer("a", 1, first))
		check(10, timer("b", 10, first), timer("c", 20, first), timer("a", 30, first))
		check(2, timer("b", 10, first), timer("c", 20, first))

		// Set again it is moved; what another event has set stays.
		set("r", timer("b", 40, second))
		stop := func(subject string, by uuid.UUID) {
			t.Helper()
			if err := a.StopTimer(ctx, "r", "snooze", subject, by); err != nil {
				t.Fatal(err)
			}
		}
		stop("b", first)
		check(10, timer("c", 20, first), timer("a", 30, first), timer("b", 40, second))
		stop("b", second)
		stop("a", uuid.Nil)
		stop("none", uuid.Nil)
		check(10, timer("c", 20, first))

		// It is postponed only if it is still the one that was meant.
		postpone := func(t1 reactors.Timer, due time.Time) {
			t.Helper()
			if err := a.PostponeTimer(ctx, "r", t1, due); err != nil {
				t.Fatal(err)
			}
		}
		postpone(timer("c", 20, second), timer("c", 70, second).Due)
		check(10, timer("c", 20, first))
		postpone(timer("c", 20, first), timer("c", 70, first).Due)
		check(10, timer("c", 70, first))
		stop("c", uuid.Nil)

		// Those of the same time are in the order of the log, in which one that keeps its
		// time keeps its place.
		of := func(subject string, minutes int, at eventstore.Position) reactors.Timer {
			timer := timer(subject, minutes, first)
			timer.Position = at
			return timer
		}
		set("r", of("z", 80, 5))
		set("r", of("a", 80, 7))
		set("r", of("m", 80, 6))
		check(10, of("z", 80, 5), of("m", 80, 6), of("a", 80, 7))
		set("r", of("z", 80, 8))
		set("r", of("m", 90, 9))
		set("r", of("m", 80, 10))
		check(10, of("z", 80, 5), of("a", 80, 7), of("m", 80, 10))
	})
}

// Whoever is first makes the key; everybody gets that one, for ever.
func TestSigningKey(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *clock, open func() *accounts.Accounts) {
		stores := []*accounts.Accounts{open(), open(), open()}
		got := make([]string, len(stores))
		var wg sync.WaitGroup
		for i, a := range stores {
			wg.Go(func() {
				var err error
				got[i], err = a.SigningKey(t.Context(), "log", func() (string, error) { return fmt.Sprint("key ", i), nil })
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got[0] == "" || got[0] != got[1] || got[0] != got[2] {
			t.Errorf("keys: %q", got)
		}
		other, err := open().SigningKey(t.Context(), "other log", func() (string, error) { return "other key", nil })
		if err != nil || other != "other key" {
			t.Errorf("of another name: %q, %v", other, err)
		}
		for prefix, want := range map[string]int{"": 2, "log": 1, "o": 1, "x": 0} {
			if names, err := open().SigningKeyNames(t.Context(), prefix); err != nil || len(names) != want {
				t.Errorf("names with %q: %q, %v", prefix, names, err)
			}
		}
		if _, err := open().SigningKey(t.Context(), "none", func() (string, error) { return "", errors.New("no luck") }); err == nil {
			t.Error("a key that could not be made is no error")
		}
	})
}
