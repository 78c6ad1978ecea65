package usage

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/directory"
)

// Uses is how many chats, orders and contacts show a tag.
type Uses struct {
	Chats    int64 `db:"chats"`
	Orders   int64 `db:"orders"`
	Contacts int64 `db:"contacts"`
}

// Tags returns the uses of all of a workspace's tags that have some, by what is
// shown: those of tags that were merged count for the tag that remains, what has
// two of them once.
func Tags(ctx context.Context, tx sqldb.Tx, workspace string, aliases directory.Aliases) (map[string]Uses, error) {
	rows, err := sqldb.Select[TagRow](ctx, tx, "SELECT * FROM usage_v2_tags WHERE workspace = $1", workspace)
	if err != nil {
		return nil, fmt.Errorf("read uses of tags: %w", err)
	}
	out := make(map[string]Uses, len(rows))
	for _, r := range rows {
		shown := aliases.Tag(r.Tag)
		if all := aliases.All(directory.KindTag, shown); len(all) == 1 {
			out[shown] = Uses{r.Chats, r.Orders, r.Contacts}
		} else if _, done := out[shown]; !done {
			if out[shown], err = distinct(ctx, tx, workspace, all); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// Statuses returns how many contacts show each status that some show.
func Statuses(ctx context.Context, tx sqldb.Tx, workspace string, aliases directory.Aliases) (map[string]int64, error) {
	rows, err := sqldb.Select[StatusRow](ctx, tx, "SELECT * FROM usage_v2_statuses WHERE workspace = $1", workspace)
	if err != nil {
		return nil, fmt.Errorf("read uses of statuses: %w", err)
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[aliases.Status(r.Status)] += r.Contacts
	}
	return out, nil
}

// distinct counts what has one of some tags at least, in the indexes of the inbox, of
// the orders and of the contacts: what it costs grows with the number of uses.
func distinct(ctx context.Context, tx sqldb.Tx, workspace string, tags []string) (Uses, error) {
	args := []any{workspace}
	in := sqldb.In(&args, tags)
	u, err := sqldb.Get[Uses](ctx, tx, `SELECT (SELECT count(DISTINCT chat_id) FROM inbox_v3_tags WHERE listed = $1 AND tag IN `+in+`) AS chats,
		(SELECT count(DISTINCT order_id) FROM orders_v2_tags WHERE workspace = $1 AND tag IN `+in+`) AS orders,
		(SELECT count(DISTINCT contact_id) FROM contacts_v3_tags WHERE listed = $1 AND tag IN `+in+`) AS contacts`, args...)
	if err != nil {
		return u, fmt.Errorf("count uses of merged tags: %w", err)
	}
	return u, nil
}
