package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Move says how a log and its copy correspond.
type Move struct {
	From, To uuid.UUID // their ids

	// Position returns where an event is in the copy that is at a position of the log,
	// or the last one before it.
	Position func(context.Context, eventstore.Position) (eventstore.Position, error)
}

// errNotEmpty refuses a target in which somebody has set something up already.
var errNotEmpty = errors.New("the target has tokens, channel secrets or checkpoints of its own: it has to be empty")

// table is one that CopyTo copies.
type table struct {
	name           string
	texts, numbers []string
	position       string // the number that is a position in the log
}

// copiedTables are all but leases, which belong to processes that run, and the keys that
// sign checkpoints of the log, which belong to the proof of that very log.
func copiedTables() []table {
	return []table{
		{name: "tokens", texts: []string{"id", "hash", "workspace", "role", "agent", "name"}, numbers: []string{"created_at", "expires_at", "revoked_at"}},
		{name: "channel_secrets", texts: []string{"channel", "verify_token", "app_secret", "access_token", "graph_url"}, numbers: []string{"updated_at"}},
		{name: "call_settings", texts: []string{"channel", "url", "secret"}, numbers: []string{"updated_at"}},
		{name: "timers", texts: []string{"reactor", "kind", "subject", "workspace", "event"}, numbers: []string{"due", "position"}, position: "position"},
		{name: "checkpoints", texts: []string{"consumer", "store"}, numbers: []string{"position", "saved_at"}, position: "position"},
		{name: "parked", texts: []string{"reactor", "stream", "event", "type", "keys", "error"}, numbers: []string{"position", "attempts", "parked_at", "retry"}, position: "position"},
		{name: "parked_keys", texts: []string{"reactor", "key"}, numbers: []string{"position"}, position: "position"},
		{name: "attempts", texts: []string{"reactor", "state", "provider_id"}, numbers: []string{"position", "updated_at"}, position: "position"},
	}
}

// CopyTo copies tokens, secrets of channels, timers, and how far reactors have come to
// another store, which has to be empty, for servers that work on a copy of the log. All
// or nothing. No server may run on either.
func (a *Accounts) CopyTo(ctx context.Context, to *Accounts, m Move) error {
	err := to.db.Write(ctx, func(target sqldb.Tx) error {
		if err := sqldb.Lock(ctx, target, "accounts schema"); err != nil {
			return err
		}
		return a.db.Read(ctx, func(source sqldb.Tx) error {
			for _, t := range copiedTables() {
				if err := t.copy(ctx, source, target, m); err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("copy accounts: %w", err)
	}
	return nil
}

func (t table) copy(ctx context.Context, source, target sqldb.Tx, m Move) error {
	var there int64
	err := target.Query(ctx, "SELECT COUNT(*) FROM "+t.name, nil, func(r sqldb.Row) error {
		there = r.Int64(0)
		return nil
	})
	if err != nil {
		return err
	}
	if there > 0 {
		return errNotEmpty
	}
	columns := strings.Join(append(append([]string(nil), t.texts...), t.numbers...), ", ")
	insert := "INSERT INTO " + t.name + " (" + columns + ") VALUES (" + places(len(t.texts)+len(t.numbers)) + ")"
	if t.name == "checkpoints" { // the epoch is that of a lease, which stays behind
		insert = "INSERT INTO checkpoints (" + columns + ", epoch) VALUES (" + places(len(t.texts)+len(t.numbers)) + ", 0)"
	}
	// Row by row: there is an attempt for each message that was ever sent.
	return source.Query(ctx, "SELECT "+columns+" FROM "+t.name, nil, func(r sqldb.Row) error {
		var row []any
		for i := range t.texts {
			row = append(row, r.Text(i))
		}
		for i := range t.numbers {
			row = append(row, r.Int64(len(t.texts)+i))
		}
		if err := t.translate(ctx, row, m); err != nil {
			return err
		}
		_, err := target.Exec(ctx, insert, row...)
		return err
	})
}

// translate makes a row say of the copy what it says of the log.
func (t table) translate(ctx context.Context, row []any, m Move) error {
	for i, name := range t.texts {
		if name != "store" {
			continue
		}
		if row[i] != m.From.String() {
			return fmt.Errorf("that of %v is of another log: `chatledger reactors resume %v` first", row[0], row[0])
		}
		row[i] = m.To.String()
	}
	for i, name := range t.numbers {
		at, ok := row[len(t.texts)+i].(int64)
		if name != t.position || !ok || at == 0 {
			continue
		}
		there, err := m.Position(ctx, eventstore.Position(at))
		if err != nil {
			return err
		}
		row[len(t.texts)+i] = int64(there)
	}
	return nil
}

// places returns n parameters.
func places(n int) string {
	p := make([]string, n)
	for i := range p {
		p[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(p, ", ")
}
