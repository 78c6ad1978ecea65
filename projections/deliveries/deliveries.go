// Package deliveries is the list of what providers delivered by webhook, and
// what became of it.
//
// It keeps no bodies: they are in the log, and there they stay.
package deliveries

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
)

// States of a delivery.
const (
	Received   = "received"   // kept, not yet looked at (or to be looked at again)
	Translated = "translated" // made into commands
	SetAside   = "set_aside"  // nothing of it was used
)

// Delivery is a row of deliveries. Times are in microseconds since 1970 UTC.
type Delivery struct {
	ID         string   `db:"webhook_id,key"`
	Workspace  string   `db:"workspace"`
	Channel    string   `db:"channel"`
	ReceivedAt int64    `db:"received_at"`
	Size       int64    `db:"size"` // of the body, in bytes
	State      string   `db:"state"`
	Code       string   `db:"code"` // why it was set aside
	Reason     string   `db:"reason"`
	Messages   int64    `db:"messages"`
	Statuses   int64    `db:"statuses"`
	Orders     int64    `db:"orders"`
	Ignored    []string `db:"ignored"` // fields kept for later
	UpdatedAt  int64    `db:"updated_at"`
	Revision   int64    `db:"revision"`
}

// Projection keeps the list up to date.
type Projection struct {
	rows *projections.Rows[string, Delivery]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("deliveries", func(d *Delivery) string { return d.ID },
		projections.Index{Name: "by_time", Columns: "workspace, received_at, webhook_id"},
		projections.Index{Name: "by_state", Columns: "workspace, state, received_at, webhook_id"},
	)}
}

// Name returns the name under which the list was first published.
func (*Projection) Name() string { return "deliveries.v1" }

// Categories returns the one category of streams that the list is made of.
func (*Projection) Categories() []string { return []string{"webhook"} }

// Tables returns the one table of deliveries.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.rows} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	id := e.Subject()
	change := func(fold func(*Delivery)) {
		p.rows.Update(id, func(d *Delivery) {
			fold(d)
			d.UpdatedAt, d.Revision = e.Time.UnixMicro(), int64(e.Revision)
		})
	}
	switch f := e.Fact.(type) {
	case webhook.Received:
		at := e.Time.UnixMicro()
		p.rows.Put(Delivery{
			ID: id, Workspace: f.Workspace, Channel: f.Channel, ReceivedAt: at, Size: int64(len(f.Body)),
			State: Received, UpdatedAt: at, Revision: int64(e.Revision),
		})
	case webhook.Translated:
		change(func(d *Delivery) {
			d.State, d.Code, d.Reason = Translated, "", ""
			d.Messages, d.Statuses, d.Orders, d.Ignored = int64(f.Messages), int64(f.Statuses), int64(f.Orders), f.Ignored
		})
	case webhook.SetAside:
		change(func(d *Delivery) {
			d.State, d.Code, d.Reason = SetAside, f.Code, f.Reason
			d.Messages, d.Statuses, d.Orders, d.Ignored = 0, 0, 0, nil
		})
	case webhook.RetranslationRequested:
		change(func(d *Delivery) { d.State = Received })
	}
}

// Refusals.
var (
	ErrNotFound = fault.New(fault.NotFound, "webhook.not_found", "there is no such delivery")
	ErrState    = fault.Bad("state", "state.invalid", "want received, translated or set_aside")
	ErrChannel  = fault.Bad("channel", "channel.invalid", "a channel's id holds no NUL character")
)

// Query says which deliveries to list. An empty filter lets all pass.
type Query struct {
	Workspace string
	Channel   string
	State     string
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of the list.
type Page struct {
	Deliveries []Delivery
	Next       string // cursor of the next page; "" if this is the last
}

type place struct {
	At int64  `json:"t"`
	ID string `json:"w"`
}

const list = "deliveries"

// List returns a page of the deliveries that pass every filter, the latest
// first.
func List(ctx context.Context, tx sqldb.Tx, q Query) (Page, error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	switch q.State {
	case "", Received, Translated, SetAside:
	default:
		return Page{}, ErrState
	}
	if strings.Contains(q.Channel, "\x00") {
		return Page{}, ErrChannel
	}
	where, args := "workspace = $1", []any{q.Workspace}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if q.Channel != "" {
		where += " AND channel = " + arg(q.Channel)
	}
	if q.State != "" {
		where += " AND state = " + arg(q.State)
	}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return Page{}, err
		}
		where += " AND (received_at, webhook_id) < (" + arg(from.At) + ", " + arg(from.ID) + ")"
	}
	rows, err := sqldb.Select[Delivery](ctx, tx,
		"SELECT * FROM deliveries WHERE "+where+" ORDER BY received_at DESC, webhook_id DESC LIMIT "+arg(limit+1), args...)
	if err != nil {
		return Page{}, fmt.Errorf("list deliveries: %w", err)
	}
	page := cursor.Cut(list, rows, limit, func(d *Delivery) any { return place{d.ReceivedAt, d.ID} })
	return Page{Deliveries: page.Items, Next: page.Next}, nil
}

// Get returns a delivery, or ErrNotFound. Its body is in the log, in the first
// event of its stream.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Delivery, error) {
	if strings.Contains(id, "\x00") {
		return Delivery{}, ErrNotFound
	}
	d, err := sqldb.Get[Delivery](ctx, tx, `SELECT * FROM deliveries WHERE webhook_id = $1 AND workspace = $2`, id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Delivery{}, ErrNotFound
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("get delivery: %w", err)
	}
	return d, nil
}
