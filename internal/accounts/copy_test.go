package accounts

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/reactors"
)

func inSQLite(t *testing.T) *Accounts {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "accounts.db"))
	return opened(t, db, err)
}

func inPostgres(t *testing.T) *Accounts {
	t.Helper()
	db, err := sqldb.OpenPostgres(t.Context(), testenv.Postgres(t), "test_accounts")
	return opened(t, db, err)
}

func opened(t *testing.T, db sqldb.DB, err error) *Accounts {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	a, err := Open(t.Context(), db, func() time.Time { return time.Date(2026, 11, 26, 14, 0, 0, 0, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var here, there = uuid.New(), uuid.New()

// tenfold is a copy in which positions are ten times those of the log.
func tenfold() Move {
	return Move{From: here, To: there, Position: func(_ context.Context, at eventstore.Position) (eventstore.Position, error) { return 10 * at, nil }}
}

func TestCopyTo(t *testing.T) {
	for name, open := range map[string][2]func(*testing.T) *Accounts{"sqlite to postgres": {inSQLite, inPostgres}, "postgres to sqlite": {inPostgres, inSQLite}} {
		t.Run(name, func(t *testing.T) {
			a, b, ctx := open[0](t), open[1](t), t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			secret, token, err := a.CreateToken(ctx, NewToken{Workspace: "acme", Role: agent.RoleAdmin, Agent: "a1", Name: "Ana"})
			must(err)
			channel, call := ChannelSecrets{VerifyToken: "v", AppSecret: "a", AccessToken: "t", GraphURL: "https://graph.example"}, CallSettings{URL: "https://pbx", Secret: "s"}
			must(a.PutChannelSecrets(ctx, "c1", channel))
			must(a.PutCallSettings(ctx, "c1", call))
			timer := reactors.Timer{Kind: "snooze", Subject: "chat-1", Due: a.now().Add(time.Hour), Position: 7, Workspace: "acme", Event: uuid.New()}
			must(a.SetTimer(ctx, "keep_time.v1", timer))
			epoch, err := a.Acquire(ctx, "r", "holder", time.Second)
			must(err)
			must(a.Checkpoints(epoch).Save(ctx, "r", feed.Checkpoint{Store: here, Position: 42}))
			must(a.Checkpoints(0).Save(ctx, "fresh", feed.Checkpoint{Store: here}))
			parked := reactors.Parked{Reactor: "r", Position: 9, Stream: "chat-1", Event: uuid.New(), Type: "t", Keys: []string{"k1", "k2"}, Error: "bad"}
			must(a.Park(ctx, parked))
			begun := reactors.Attempt{State: reactors.AttemptAccepted, ProviderID: "wamid.1"}
			must(a.EndAttempt(ctx, "r", 43, begun))

			must(a.CopyTo(ctx, b, tenfold()))
			if got, err := b.Authenticate(ctx, secret); err != nil || !cmp.Equal(got, token) {
				t.Errorf("the token is %+v, %v", got, err)
			}
			if got, err := b.ChannelSecrets(ctx, "c1"); err != nil || got != channel {
				t.Errorf("the secrets of the channel are others: %v", err)
			}
			if got, err := b.CallSettings(ctx, "c1"); err != nil || got != call {
				t.Errorf("the settings for calls are others: %v", err)
			}
			timer.Position = 70
			if got, err := b.NextTimers(ctx, "keep_time.v1", 10); err != nil || !cmp.Equal(got, []reactors.Timer{timer}) {
				t.Errorf("timers %+v, %v", got, err)
			}
			for consumer, want := range map[string]feed.Checkpoint{"r": {Store: there, Position: 420}, "fresh": {Store: there}} {
				if got, err := b.Checkpoints(0).Load(ctx, consumer); err != nil || got != want {
					t.Errorf("the checkpoint of %s is %+v, %v; want %+v", consumer, got, err, want)
				}
			}
			want := parked
			want.Position, want.Attempts, want.At = 90, 1, a.now()
			if got, err := b.ListParked(ctx, reactors.ParkedQuery{Reactor: "r", Keys: []string{"k2"}, Limit: 10}); err != nil || !cmp.Equal(got, []reactors.Parked{want}) {
				t.Errorf("parked %+v, %v", got, err)
			}
			if got, err := b.LookAttempt(ctx, "r", 430); err != nil || got != begun {
				t.Errorf("the attempt is %+v, %v", got, err)
			}
			// Whoever takes the lease there, at its first epoch, can save.
			epoch, err = b.Acquire(ctx, "r", "other", time.Second)
			must(err)
			must(b.Checkpoints(epoch).Save(ctx, "r", feed.Checkpoint{Store: there, Position: 430}))

			if err := a.CopyTo(ctx, b, tenfold()); !errors.Is(err, errNotEmpty) {
				t.Errorf("again: %v, want %v", err, errNotEmpty)
			}
		})
	}
}

// What cannot be copied as a whole is not copied at all.
func TestCopyToIsAllOrNothing(t *testing.T) {
	lost := errors.New("not in the copy")
	for name, tt := range map[string]struct {
		store uuid.UUID
		fail  error
		says  string
	}{
		"a checkpoint of another log":           {uuid.New(), nil, "checkpoints: that of r is of another log: `chatledger reactors resume r` first"},
		"a log that was restored meanwhile":     {uuid.Max, nil, "that of r is of another log"},
		"a position that is not there any more": {here, lost, lost.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, ctx := inSQLite(t), inSQLite(t), t.Context()
			if _, _, err := a.CreateToken(ctx, NewToken{Workspace: "acme", Role: agent.RoleAdmin, Name: "Root"}); err != nil {
				t.Fatal(err)
			}
			if err := a.Checkpoints(0).Save(ctx, "r", feed.Checkpoint{Store: tt.store, Position: 7}); err != nil {
				t.Fatal(err)
			}
			m := tenfold()
			if tt.fail != nil {
				m.Position = func(context.Context, eventstore.Position) (eventstore.Position, error) { return 0, tt.fail }
			}
			if err := a.CopyTo(ctx, b, m); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("CopyTo: %v, want %q", err, tt.says)
			}
			if got, err := b.ListTokens(ctx, "acme"); err != nil || len(got) > 0 {
				t.Errorf("the target has %+v, %v", got, err)
			}
		})
	}
}

// A table or column that is new has to be copied, or be named here with a reason.
func TestCopyToKnowsEveryTable(t *testing.T) {
	left := map[string][]string{
		"migrations":   {"version", "applied_at"},                              // of the database itself
		"leases":       {"name", "holder", "epoch", "beat", "released"},        // of processes that run
		"signing_keys": {"name", "secret", "created_at"},                       // of the proof of the log that is left
		"checkpoints":  {"consumer", "store", "position", "saved_at", "epoch"}, // but for the epoch, which is a lease's
	}
	for _, tt := range copiedTables() {
		if tt.name != "checkpoints" {
			left[tt.name] = append(slices.Clone(tt.texts), tt.numbers...)
		}
	}
	got := map[string][]string{}
	err := inSQLite(t).db.Read(t.Context(), func(tx sqldb.Tx) error {
		sql := "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'"
		return tx.Query(t.Context(), sql, nil, func(r sqldb.Row) error {
			got[r.Text(0)] = append(got[r.Text(0)], r.Text(1))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, columns := range got {
		slices.Sort(columns)
		slices.Sort(left[name])
		if fmt.Sprint(columns) != fmt.Sprint(left[name]) {
			t.Errorf("%s has the columns %v, known are %v", name, columns, left[name])
		}
	}
	if len(got) < len(copiedTables()) {
		t.Errorf("found only %d tables", len(got))
	}
}
