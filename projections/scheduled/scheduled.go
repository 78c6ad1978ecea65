// Package scheduled is the messages that wait for their time, and those whose time
// came in vain.
//
// It folds and reads; it decides nothing.
package scheduled

import (
	"context"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Key names a message.
type Key struct {
	Chat    string `db:"chat_id,key"`
	Message string `db:"message,key"`
}

// States of a message.
const (
	Waiting = "waiting"
	Failed  = "failed"
)

// Message is a row of scheduled_v2_messages. One that was sent or cancelled has none.
// Times are in microseconds since 1970 UTC.
type Message struct {
	Key
	Workspace     string        `db:"workspace"`
	State         string        `db:"state"`
	Outgoing      chat.Outgoing `db:"outgoing"`
	By            string        `db:"scheduled_by"`
	Bot           bool          `db:"by_bot"`
	SendAt        int64         `db:"send_at"`
	Position      int64         `db:"position"` // of the event that gave it this time
	CancelOnReply bool          `db:"cancel_on_reply"`
	ScheduledAt   int64         `db:"scheduled_at"`
	ChangedAt     int64         `db:"changed_at"` // 0 if never
	ChangedBy     string        `db:"changed_by"`
	FailedAt      int64         `db:"failed_at"` // 0 if it did not
	Code          string        `db:"code"`      // of the refusal, if it failed
	Reason        string        `db:"reason"`
}

// Projection keeps the messages up to date.
type Projection struct {
	messages *projections.Rows[Key, Message]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("scheduled_v2_messages", func(m *Message) Key { return m.Key },
		projections.Index{Name: "by_time", Columns: "workspace, state, send_at, position"})}
}

// Name returns the name under which the messages are published in this form: in
// scheduled.v1 ids ordered those of the same time.
func (*Projection) Name() string { return "scheduled.v2" }

// Categories returns the one category of streams that tells of messages.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the one table of messages.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.messages} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	key := func(m chat.MessageID) Key { return Key{e.Subject(), string(m)} }
	switch f := e.Fact.(type) {
	case chat.MessageScheduled:
		p.messages.Put(Message{
			Key: key(f.Message), Workspace: e.Meta.Workspace, State: Waiting, Outgoing: f.Outgoing, By: string(f.By), Bot: f.Bot,
			SendAt: f.SendAt.UnixMicro(), Position: int64(e.Position), CancelOnReply: f.CancelOnReply, ScheduledAt: f.At.UnixMicro(),
		})
	case chat.ScheduleChanged:
		p.messages.Update(key(f.Message), func(m *Message) {
			m.Outgoing, m.CancelOnReply = f.Outgoing, f.CancelOnReply
			if at := f.SendAt.UnixMicro(); at != m.SendAt {
				m.SendAt, m.Position = at, int64(e.Position)
			}
			m.ChangedAt, m.ChangedBy = f.At.UnixMicro(), string(f.By)
		})
	case chat.ScheduleCancelled:
		p.messages.Delete(key(f.Message))
	case chat.ScheduleFailed:
		p.messages.Update(key(f.Message), func(m *Message) {
			m.State, m.FailedAt, m.Code, m.Reason = Failed, f.At.UnixMicro(), f.Code, f.Reason
		})
	case chat.MessageQueued:
		if f.Scheduled {
			p.messages.Delete(key(f.Message))
		}
	}
}

// Query says which messages to read.
type Query struct {
	Workspace string
	State     string // Waiting if empty
	Chat      string // "" for those of all chats
	By        string // who scheduled them; "" for whoever
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

type place struct {
	SendAt   int64 `json:"t"`
	Position int64 `json:"p"`
}

const list = "scheduled/position"

// List returns messages of chats that are not deleted, the soonest first; of those of the
// same time the one that was scheduled for it first.
func List(ctx context.Context, tx sqldb.Tx, q Query) (p cursor.Page[Message], err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil || strings.Contains(q.Chat+q.By, "\x00") {
		return p, err
	}
	if q.State == "" {
		q.State = Waiting
	}
	args := []any{q.Workspace, q.State}
	where := "m.workspace = $1 AND m.state = $2"
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where += " AND " + condition
	}
	if q.Chat != "" {
		add("m.chat_id = ?", q.Chat)
	}
	if q.By != "" {
		add("m.scheduled_by = ?", q.By)
	}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return p, err
		}
		add("(m.send_at, m.position) > (?, ?)", from.SendAt, from.Position)
	}
	args = append(args, limit+1)
	rows, err := sqldb.Select[Message](ctx, tx, fmt.Sprintf(`SELECT m.* FROM scheduled_v2_messages m
		JOIN inbox_v3_chats c ON c.chat_id = m.chat_id AND c.listed = $1
		WHERE %s ORDER BY m.send_at, m.position LIMIT $%d`, where, len(args)), args...)
	if err != nil {
		return p, fmt.Errorf("list scheduled messages: %w", err)
	}
	return cursor.Cut(list, rows, limit, func(m *Message) any { return place{m.SendAt, m.Position} }), nil
}
