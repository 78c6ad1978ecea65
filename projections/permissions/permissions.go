// Package permissions is which customers allow calls, by chat, where the provider asks
// for that.
//
// It folds and reads; it decides nothing.
package permissions

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// Call is a row of permissions_calls: of a chat whose customer was asked, or has said
// something about calls. Times are in microseconds since 1970 UTC.
type Call struct {
	Chat      string `db:"chat_id,key"`
	Workspace string `db:"workspace"`
	Known     bool   `db:"known"` // the customer has said something
	Allowed   bool   `db:"allowed"`
	Until     int64  `db:"allowed_until"` // 0: for good, if they are allowed
	Reason    string `db:"reason"`        // customer or provider
	Message   string `db:"message"`       // of the customer, that says so
	At        int64  `db:"said_at"`
	AskedAt   int64  `db:"asked_at"` // 0 if the customer was not asked
	AskedBy   string `db:"asked_by"`
}

// Projection keeps the permissions up to date.
type Projection struct {
	calls *projections.Rows[string, Call]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("permissions_calls", func(c *Call) string { return c.Chat })}
}

// Name returns the name under which the permissions were first published.
func (*Projection) Name() string { return "permissions.v1" }

// Categories returns the one category of streams that tells of permissions.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the one table of permissions.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.calls} }

// Apply records what e changes. Words of the customer may come late: the time in the
// event decides.
func (p *Projection) Apply(e projections.Event) {
	change := func(fold func(*Call)) {
		p.calls.Upsert(e.Subject(), func(c *Call) {
			c.Chat, c.Workspace = e.Subject(), e.Meta.Workspace
			fold(c)
		})
	}
	switch f := e.Fact.(type) {
	case chat.CallPermissionChanged:
		change(func(c *Call) {
			if at := f.At.UnixMicro(); !c.Known || at >= c.At {
				c.Known, c.Allowed, c.Until, c.Reason, c.Message, c.At = true, f.Allowed, 0, string(f.Reason), string(f.Message), at
				if f.Allowed && !f.Until.IsZero() {
					c.Until = f.Until.UnixMicro()
				}
			}
		})
	case chat.MessageQueued:
		if f.CallPermission {
			change(func(c *Call) { c.AskedAt, c.AskedBy = f.At.UnixMicro(), string(f.By) })
		}
	}
}

// Calls returns what is known about calls to the customer of a chat; ok is false if
// nothing is.
func Calls(ctx context.Context, tx sqldb.Tx, workspace, chatID string) (c Call, ok bool, err error) {
	if strings.Contains(chatID, "\x00") {
		return c, false, nil
	}
	c, err = sqldb.Get[Call](ctx, tx, "SELECT * FROM permissions_calls WHERE chat_id = $1 AND workspace = $2", chatID, workspace)
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return c, false, nil
	case err != nil:
		return c, false, fmt.Errorf("read permission to call: %w", err)
	}
	return c, true, nil
}
