package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/reactors"
)

// SetTimer implements reactors.Timers.
func (a *Accounts) SetTimer(ctx context.Context, reactor string, t reactors.Timer) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO timers (reactor, kind, subject, due, position, workspace, event) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (reactor, kind, subject) DO UPDATE SET
				position = CASE WHEN timers.due = excluded.due THEN timers.position ELSE excluded.position END,
				due = excluded.due, workspace = excluded.workspace, event = excluded.event`,
			reactor, t.Kind, t.Subject, t.Due.UnixMicro(), int64(t.Position), t.Workspace, t.Event.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("set timer %s of %s: %w", t.Kind, t.Subject, err)
	}
	return nil
}

// StopTimer implements reactors.Timers.
func (a *Accounts) StopTimer(ctx context.Context, reactor, kind, subject string, set uuid.UUID) error {
	sql, args := "DELETE FROM timers WHERE reactor = $1 AND kind = $2 AND subject = $3", []any{reactor, kind, subject}
	if set != uuid.Nil {
		sql, args = sql+" AND event = $4", append(args, set.String())
	}
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("stop timer %s of %s: %w", kind, subject, err)
	}
	return nil
}

// PostponeTimer implements reactors.Timers.
func (a *Accounts) PostponeTimer(ctx context.Context, reactor string, t reactors.Timer, due time.Time) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE timers SET due = $1 WHERE reactor = $2 AND kind = $3 AND subject = $4 AND event = $5",
			due.UnixMicro(), reactor, t.Kind, t.Subject, t.Event.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("postpone timer %s of %s: %w", t.Kind, t.Subject, err)
	}
	return nil
}

// NextTimers implements reactors.Timers.
func (a *Accounts) NextTimers(ctx context.Context, reactor string, limit int) (list []reactors.Timer, err error) {
	err = a.db.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, "SELECT kind, subject, due, position, workspace, event FROM timers WHERE reactor = $1 ORDER BY due, position, kind, subject LIMIT $2", []any{reactor, limit}, func(r sqldb.Row) error {
			event, err := uuid.Parse(r.Text(5))
			if err != nil {
				return err
			}
			list = append(list, reactors.Timer{
				Kind: r.Text(0), Subject: r.Text(1), Due: fromMicros(r.Int64(2)), Position: eventstore.Position(r.Int64(3)), Workspace: r.Text(4), Event: event,
			})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read timers of %s: %w", reactor, err)
	}
	return list, nil
}
