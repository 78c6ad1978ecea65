package usage

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/directory"
)

// Uses is how many chats and orders show a tag.
type Uses struct {
	Chats  int64 `db:"chats"`
	Orders int64 `db:"orders"`
}

// Tags returns the uses of all of a workspace's tags that have some, by what is
// shown: those of tags that were merged count for the tag that remains, what has
// two of them once.
func Tags(ctx context.Context, tx sqldb.Tx, workspace string, aliases directory.Aliases) (map[string]Uses, error) {
	rows, err := sqldb.Select[TagRow](ctx, tx, "SELECT * FROM usage_tags WHERE workspace = $1", workspace)
	if err != nil {
		return nil, fmt.Errorf("read uses of tags: %w", err)
	}
	out := make(map[string]Uses, len(rows))
	for _, r := range rows {
		shown := aliases.Tag(r.Tag)
		if all := aliases.All(directory.KindTag, shown); len(all) == 1 {
			out[shown] = Uses{r.Chats, r.Orders}
		} else if _, done := out[shown]; !done {
			if out[shown], err = distinct(ctx, tx, workspace, all); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// distinct counts what has one of some tags at least, in the indexes of the inbox
// and of the orders: what it costs grows with the number of uses.
func distinct(ctx context.Context, tx sqldb.Tx, workspace string, tags []string) (Uses, error) {
	args := []any{workspace}
	in := sqldb.In(&args, tags)
	u, err := sqldb.Get[Uses](ctx, tx, `SELECT (SELECT count(DISTINCT chat_id) FROM inbox_v3_tags WHERE listed = $1 AND tag IN `+in+`) AS chats,
		(SELECT count(DISTINCT order_id) FROM orders_v2_tags WHERE workspace = $1 AND tag IN `+in+`) AS orders`, args...)
	if err != nil {
		return u, fmt.Errorf("count uses of merged tags: %w", err)
	}
	return u, nil
}
