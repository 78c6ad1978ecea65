package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/reactors"
)

var (
	_ reactors.Parking  = (*Accounts)(nil)
	_ reactors.Attempts = (*Accounts)(nil)
)

const (
	maxError  = 1_000 // bytes
	maxParked = 1_000 // events of one list
)

type parkedRow struct {
	Reactor  string              `db:"reactor"`
	Position eventstore.Position `db:"position"`
	Stream   string              `db:"stream"`
	Event    string              `db:"event"`
	Type     string              `db:"type"`
	Keys     string              `db:"keys"`
	Error    string              `db:"error"`
	Attempts int64               `db:"attempts"`
	ParkedAt int64               `db:"parked_at"`
	Retry    int64               `db:"retry"`
}

// Park implements reactors.Parking.
func (a *Accounts) Park(ctx context.Context, p reactors.Parked) error {
	keys, err := json.Marshal(append([]string{}, p.Keys...))
	if err != nil {
		return fmt.Errorf("park %s@%d: %w", p.Reactor, p.Position, err)
	}
	err = a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO parked (reactor, position, stream, event, type, keys, error, attempts, parked_at, retry)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, 0)
			ON CONFLICT (reactor, position) DO UPDATE SET error = excluded.error, attempts = parked.attempts + 1, retry = 0`,
			p.Reactor, p.Position, p.Stream, p.Event.String(), p.Type, string(keys), clean(p.Error), micros(a.now()))
		if err != nil {
			return err
		}
		for _, k := range p.Keys {
			if _, err := tx.Exec(ctx, "INSERT INTO parked_keys (reactor, key, position) VALUES ($1, $2, $3) ON CONFLICT (reactor, key, position) DO NOTHING",
				p.Reactor, k, p.Position); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("park %s@%d: %w", p.Reactor, p.Position, err)
	}
	return nil
}

// clean makes text that both engines can keep.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) > maxError {
		s = s[:maxError]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// Unpark implements reactors.Parking.
func (a *Accounts) Unpark(ctx context.Context, reactor string, at eventstore.Position) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		for _, sql := range []string{
			"DELETE FROM parked WHERE reactor = $1 AND position = $2",
			"DELETE FROM parked_keys WHERE reactor = $1 AND position = $2",
		} {
			if _, err := tx.Exec(ctx, sql, reactor, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("unpark %s@%d: %w", reactor, at, err)
	}
	return nil
}

// ListParked implements reactors.Parking.
func (a *Accounts) ListParked(ctx context.Context, q reactors.ParkedQuery) ([]reactors.Parked, error) {
	args := []any{q.Reactor, q.After}
	where := "reactor = $1 AND position > $2"
	if len(q.Keys) > 0 {
		where += " AND position IN (SELECT position FROM parked_keys WHERE reactor = $1 AND key IN " + sqldb.In(&args, q.Keys) + ")"
	}
	args = append(args, min(max(q.Limit, 1), maxParked))
	var rows []parkedRow
	err := a.db.Read(ctx, func(tx sqldb.Tx) (err error) {
		rows, err = sqldb.Select[parkedRow](ctx, tx, fmt.Sprintf("SELECT * FROM parked WHERE %s ORDER BY position LIMIT $%d", where, len(args)), args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list parked events of %s: %w", q.Reactor, err)
	}
	list := make([]reactors.Parked, len(rows))
	for i, r := range rows {
		p := reactors.Parked{
			Reactor: r.Reactor, Position: r.Position, Stream: r.Stream, Type: r.Type,
			Error: r.Error, Attempts: int(r.Attempts), At: fromMicros(r.ParkedAt), Retry: r.Retry != 0,
		}
		if p.Event, err = uuid.Parse(r.Event); err == nil {
			err = json.Unmarshal([]byte(r.Keys), &p.Keys)
		}
		if err != nil {
			return nil, fmt.Errorf("read parked event %s@%d: %w", r.Reactor, r.Position, err)
		}
		list[i] = p
	}
	return list, nil
}

// CountParked implements reactors.Parking.
func (a *Accounts) CountParked(ctx context.Context, reactor string) (c reactors.ParkedCount, err error) {
	err = a.db.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, "SELECT COUNT(*), COALESCE(CAST(SUM(retry) AS BIGINT), 0) FROM parked WHERE reactor = $1", []any{reactor}, func(r sqldb.Row) error {
			c = reactors.ParkedCount{Events: int(r.Int64(0)), Retry: int(r.Int64(1))}
			return nil
		})
	})
	if err != nil {
		return c, fmt.Errorf("count parked events of %s: %w", reactor, err)
	}
	return c, nil
}

// RetryParked asks for another try of all that a reactor has parked, and says
// how many events that is. The process that runs the reactor follows within
// seconds.
func (a *Accounts) RetryParked(ctx context.Context, reactor string) (n int64, err error) {
	err = a.db.Write(ctx, func(tx sqldb.Tx) (err error) {
		n, err = tx.Exec(ctx, "UPDATE parked SET retry = 1 WHERE reactor = $1", reactor)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retry parked events of %s: %w", reactor, err)
	}
	return n, nil
}

// LookAttempt implements reactors.Attempts.
func (a *Accounts) LookAttempt(ctx context.Context, reactor string, at eventstore.Position) (known reactors.Attempt, err error) {
	err = a.db.Read(ctx, func(tx sqldb.Tx) (err error) {
		known, err = lookAttempt(ctx, tx, reactor, at)
		return err
	})
	if err != nil {
		return reactors.Attempt{}, fmt.Errorf("look at attempt %s@%d: %w", reactor, at, err)
	}
	return known, nil
}

func lookAttempt(ctx context.Context, tx sqldb.Tx, reactor string, at eventstore.Position) (known reactors.Attempt, err error) {
	err = tx.Query(ctx, "SELECT state, provider_id FROM attempts WHERE reactor = $1 AND position = $2", []any{reactor, at}, func(r sqldb.Row) error {
		known = reactors.Attempt{State: reactors.AttemptState(r.Text(0)), ProviderID: r.Text(1)}
		return nil
	})
	return known, err
}

// BeginAttempt implements reactors.Attempts.
func (a *Accounts) BeginAttempt(ctx context.Context, reactor string, at eventstore.Position) (before reactors.Attempt, err error) {
	err = a.db.Write(ctx, func(tx sqldb.Tx) (err error) {
		if err := sqldb.Lock(ctx, tx, fmt.Sprintf("attempt %s %d", reactor, at)); err != nil {
			return err
		}
		before, err = lookAttempt(ctx, tx, reactor, at)
		if err != nil || before.State == reactors.AttemptBegun || before.State == reactors.AttemptAccepted {
			return err
		}
		return a.putAttempt(ctx, tx, reactor, at, reactors.Attempt{State: reactors.AttemptBegun})
	})
	if err != nil {
		return reactors.Attempt{}, fmt.Errorf("begin attempt %s@%d: %w", reactor, at, err)
	}
	return before, nil
}

func (a *Accounts) putAttempt(ctx context.Context, tx sqldb.Tx, reactor string, at eventstore.Position, to reactors.Attempt) error {
	_, err := tx.Exec(ctx, `INSERT INTO attempts (reactor, position, state, provider_id, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (reactor, position) DO UPDATE SET
			state = excluded.state, provider_id = excluded.provider_id, updated_at = excluded.updated_at`,
		reactor, at, string(to.State), clean(to.ProviderID), micros(a.now()))
	return err
}

// EndAttempt implements reactors.Attempts.
func (a *Accounts) EndAttempt(ctx context.Context, reactor string, at eventstore.Position, to reactors.Attempt) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error { return a.putAttempt(ctx, tx, reactor, at, to) })
	if err != nil {
		return fmt.Errorf("end attempt %s@%d: %w", reactor, at, err)
	}
	return nil
}

// ForgetAttempt implements reactors.Attempts.
func (a *Accounts) ForgetAttempt(ctx context.Context, reactor string, at eventstore.Position) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM attempts WHERE reactor = $1 AND position = $2", reactor, at)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget attempt %s@%d: %w", reactor, at, err)
	}
	return nil
}
