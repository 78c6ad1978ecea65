// Package history is every event of a chat as a typed fact: who, when, by which
// command, caused by what.
//
// It keeps what the log says, word for word, and interprets nothing: what an
// event means is for other views.
package history

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Key names an event of a chat.
type Key struct {
	Chat     string `db:"chat_id,key"`
	Revision int64  `db:"revision,key"`
}

// Fact is a row of history_facts. Times are in microseconds since 1970 UTC.
type Fact struct {
	Key
	Workspace   string `db:"workspace"`
	Position    int64  `db:"position"`
	ID          string `db:"event_id"`
	Type        string `db:"event_type"`
	At          int64  `db:"happened_at"` // outside, if that is known, else RecordedAt
	RecordedAt  int64  `db:"recorded_at"`
	Actor       string `db:"actor"`
	ActorKind   string `db:"actor_kind"` // agent, bot, customer or system
	Command     string `db:"command"`
	CommandID   string `db:"command_id"`
	Correlation string `db:"correlation"`
	Causation   string `db:"causation"`
	Data        string `db:"data"` // JSON as recorded
}

// Projection keeps the histories up to date.
type Projection struct {
	facts *projections.Rows[Key, Fact]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("history_facts", func(f *Fact) Key { return f.Key })}
}

// Name returns the name under which the histories were first published.
func (*Projection) Name() string { return "history.v1" }

// Categories returns the one category of streams that histories are made of.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the one table of facts.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.facts} }

// Apply records e itself.
func (p *Projection) Apply(e projections.Event) {
	f := Fact{
		Key:       Key{e.Subject(), int64(e.Revision)},
		Workspace: e.Meta.Workspace, Position: int64(e.Position), ID: e.ID.String(), Type: e.Type,
		At: e.At(), RecordedAt: e.Time.UnixMicro(),
		Actor: e.Meta.Actor, ActorKind: e.Meta.ActorKind,
		Command: e.Meta.Command, CommandID: e.Meta.CommandID,
		Correlation: e.Meta.Correlation, Causation: e.Meta.Causation,
		Data: string(e.Data),
	}
	p.facts.Put(f)
}

// JSON returns the data of the event.
func (f Fact) JSON() json.RawMessage { return json.RawMessage(f.Data) }

// Query says which part of a history to read.
type Query struct {
	Workspace string
	Chat      string
	After     *int64 // only revisions behind it; nil for all
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of a history, in the order of revisions.
type Page struct {
	Facts []Fact
	Next  string // cursor of the next page; "" if this is the last
}

const list = "history"

// List returns a page of the history of a chat, from its first event on. That
// of a chat that does not exist, or of another workspace, is empty.
func List(ctx context.Context, tx sqldb.Tx, q Query) (Page, error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	after := int64(-1)
	if q.After != nil {
		after = *q.After
	}
	if q.Cursor != "" {
		if err := cursor.Decode(list, q.Cursor, &after); err != nil {
			return Page{}, err
		}
	}
	if strings.Contains(q.Chat, "\x00") {
		return Page{}, nil
	}
	rows, err := sqldb.Select[Fact](ctx, tx, `SELECT * FROM history_facts
		WHERE chat_id = $1 AND revision > $2 AND workspace = $3 ORDER BY revision LIMIT $4`, q.Chat, after, q.Workspace, limit+1)
	if err != nil {
		return Page{}, fmt.Errorf("list facts: %w", err)
	}
	page := cursor.Cut(list, rows, limit, func(f *Fact) any { return f.Revision })
	return Page{Facts: page.Items, Next: page.Next}, nil
}
