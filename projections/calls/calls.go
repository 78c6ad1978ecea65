// Package calls shows the calls to customers, by chat.
//
// It folds and reads; it decides nothing.
package calls

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Call is a row of calls. Times are in microseconds since 1970 UTC, 0 for what did
// not happen.
type Call struct {
	ID          string `db:"call_id,key"`
	Workspace   string `db:"workspace"`
	Chat        string `db:"chat_id"`
	Channel     string `db:"channel"`
	Phone       string `db:"phone"`
	Provider    string `db:"provider"`
	ProviderID  string `db:"provider_id"`
	Phase       string `db:"phase"` // as in package domain/call
	Reason      string `db:"reason"`
	Details     string `db:"details"`
	Duration    int64  `db:"duration"` // seconds
	Answer      string `db:"answer"`   // SDP of the other end
	By          string `db:"requested_by"`
	EndedBy     string `db:"ended_by"` // who of staff asked for the end
	RequestedAt int64  `db:"requested_at"`
	RingingAt   int64  `db:"ringing_at"`
	AnsweredAt  int64  `db:"answered_at"`
	EndedAt     int64  `db:"ended_at"`
	Revision    int64  `db:"revision"` // of the call's stream
}

// Projection keeps the calls up to date.
type Projection struct {
	calls *projections.Rows[string, Call]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("calls", func(c *Call) string { return c.ID },
		projections.Index{Name: "by_chat", Columns: "chat_id, requested_at, call_id"})}
}

// Name returns the name under which the calls were first published.
func (*Projection) Name() string { return "calls.v1" }

// Categories returns the one category of streams that calls are made of.
func (*Projection) Categories() []string { return []string{"call"} }

// Tables returns the one table of calls.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.calls} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	id := e.Subject()
	change := func(fold func(*Call)) {
		p.calls.Upsert(id, func(c *Call) {
			fold(c)
			c.ID, c.Revision = id, int64(e.Revision)
		})
	}
	switch f := e.Fact.(type) {
	case call.Requested:
		change(func(c *Call) {
			c.Workspace, c.Chat, c.Channel, c.Phone, c.Provider = f.Workspace, f.Chat, f.Channel, f.Phone, string(f.Provider)
			c.By, c.Phase, c.RequestedAt = f.By, string(call.Asked), f.At.UnixMicro()
		})
	case call.Placed:
		change(func(c *Call) { c.ProviderID = f.ProviderID })
	case call.Ringing:
		change(func(c *Call) { c.Phase, c.RingingAt = string(call.Rings), f.At.UnixMicro() })
	case call.Answered:
		change(func(c *Call) { c.Phase, c.AnsweredAt = string(call.InProgress), f.At.UnixMicro() })
	case call.SessionAnswered:
		change(func(c *Call) { c.Answer = f.Answer })
	case call.EndRequested:
		change(func(c *Call) { c.EndedBy = f.By })
	case call.Ended:
		change(func(c *Call) {
			c.Phase, c.Reason, c.Details, c.Duration, c.EndedAt = string(f.Outcome), f.Reason, f.Details, f.Duration, f.At.UnixMicro()
			c.Answer = "" // of no use any more; the log keeps it
		})
	default:
		change(func(*Call) {})
	}
}

// Query says which calls to list.
type Query struct {
	Workspace string
	Chat      string
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of a list, the latest call first.
type Page struct {
	Calls []Call
	Next  string // cursor of the next page; "" if this is the last
}

type place struct {
	At int64  `json:"t"`
	ID string `json:"i"`
}

const list = "calls"

// List returns a page of the calls of a chat.
func List(ctx context.Context, tx sqldb.Tx, q Query) (page Page, err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil || strings.Contains(q.Chat, "\x00") {
		return page, err
	}
	where, args := "chat_id = $1 AND workspace = $2", []any{q.Chat, q.Workspace, limit + 1}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return page, err
		}
		where, args = where+" AND (requested_at, call_id) < ($4, $5)", append(args, from.At, from.ID)
	}
	rows, err := sqldb.Select[Call](ctx, tx, "SELECT * FROM calls WHERE "+where+" ORDER BY requested_at DESC, call_id DESC LIMIT $3", args...)
	if err != nil {
		return page, fmt.Errorf("list calls: %w", err)
	}
	cut := cursor.Cut(list, rows, limit, func(c *Call) any { return place{c.RequestedAt, c.ID} })
	return Page{Calls: cut.Items, Next: cut.Next}, nil
}

// Get returns a call, or call.ErrNotFound.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Call, error) {
	if strings.Contains(id, "\x00") {
		return Call{}, call.ErrNotFound
	}
	c, err := sqldb.Get[Call](ctx, tx, "SELECT * FROM calls WHERE call_id = $1 AND workspace = $2", id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Call{}, call.ErrNotFound
	}
	if err != nil {
		return Call{}, fmt.Errorf("get call: %w", err)
	}
	return c, nil
}
