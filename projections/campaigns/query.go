package campaigns

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Query says which page of a list to read.
type Query = cursor.Query

// Page is a part of a list.
type Page[T any] = cursor.Page[T]

type place struct {
	At int64  `json:"t,omitempty"`
	ID string `json:"i"`
}

// List returns a page of the campaigns of a workspace, the latest first.
func List(ctx context.Context, tx sqldb.Tx, workspace string, q Query) (page Page[Campaign], err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, err
	}
	where, args := "workspace = $1", []any{workspace, limit + 1}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode("campaigns", q.Cursor, &from); err != nil {
			return page, err
		}
		where, args = where+" AND (created_at, campaign_id) < ($3, $4)", append(args, from.At, from.ID)
	}
	rows, err := sqldb.Select[Campaign](ctx, tx, "SELECT * FROM campaigns WHERE "+where+" ORDER BY created_at DESC, campaign_id DESC LIMIT $2", args...)
	if err != nil {
		return page, fmt.Errorf("list campaigns: %w", err)
	}
	return cursor.Cut("campaigns", rows, limit, func(c *Campaign) any { return place{c.CreatedAt, c.ID} }), nil
}

// Get returns a campaign, or campaign.ErrNotFound.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Campaign, error) {
	if strings.Contains(id, "\x00") || workspace == "" {
		return Campaign{}, campaign.ErrNotFound
	}
	c, err := sqldb.Get[Campaign](ctx, tx, "SELECT * FROM campaigns WHERE campaign_id = $1 AND workspace = $2", id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return c, campaign.ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("get campaign: %w", err)
	}
	return c, nil
}

// Counts returns the numbers of a campaign, by state and reason.
func Counts(ctx context.Context, tx sqldb.Tx, id string) ([]Count, error) {
	rows, err := sqldb.Select[Count](ctx, tx, "SELECT * FROM campaigns_counts WHERE campaign_id = $1 ORDER BY state, reason", id)
	if err != nil {
		return nil, fmt.Errorf("count recipients: %w", err)
	}
	return rows, nil
}

// Recipients returns a page of the audience of a campaign that is in a state, or of all
// of it if that is "", by id.
func Recipients(ctx context.Context, tx sqldb.Tx, id, state string, q Query) (page Page[Recipient], err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, err
	}
	where, args := "campaign_id = $1", []any{id, limit + 1}
	if state != "" {
		where, args = where+" AND state = $3", append(args, state)
	}
	list := "campaigns/" + state
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return page, err
		}
		args = append(args, from.ID)
		where += fmt.Sprintf(" AND contact_id > $%d", len(args))
	}
	rows, err := sqldb.Select[Recipient](ctx, tx, "SELECT * FROM campaigns_recipients WHERE "+where+" ORDER BY contact_id LIMIT $2", args...)
	if err != nil {
		return page, fmt.Errorf("list recipients: %w", err)
	}
	return cursor.Cut(list, rows, limit, func(r *Recipient) any { return place{ID: r.Contact} }), nil
}

// MarketingOf returns what the customer of a chat has said about marketing; ok is
// false if nothing.
func MarketingOf(ctx context.Context, tx sqldb.Tx, chat string) (m Marketing, ok bool, err error) {
	m, err = sqldb.Get[Marketing](ctx, tx, "SELECT * FROM campaigns_marketing WHERE chat_id = $1", chat)
	if errors.Is(err, sqldb.ErrNoRows) {
		return m, false, nil
	}
	if err != nil {
		return m, false, fmt.Errorf("read marketing: %w", err)
	}
	return m, true, nil
}
