package scripted

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/viewscript"
)

// rowCache keeps rows of one version, as they are in the database. What is nil is known
// not to be there.
type rowCache struct {
	rows  map[cacheKey]json.RawMessage
	bytes int
}

type cacheKey struct{ table, key string }

const cacheBytes = 16 << 20

func newRowCache() *rowCache { return &rowCache{rows: map[cacheKey]json.RawMessage{}} }

func (c *rowCache) put(table, key string, data json.RawMessage) {
	if c.bytes > cacheBytes { // a new beginning is simple, and seldom
		clear(c.rows)
		c.bytes = 0
	}
	c.rows[cacheKey{table, key}] = data
	c.bytes += len(table) + len(key) + len(data) + 64
}

// get returns a row of a version that this process moves.
func (r *Runner) get(ctx context.Context, j *job, table, key string) (json.RawMessage, error) {
	if data, known := j.rows.rows[cacheKey{table, key}]; known {
		return data, nil
	}
	var data json.RawMessage
	err := r.cfg.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		data, err = getRow(ctx, tx, j.state.ID, table, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	j.rows.put(table, key, data)
	return data, nil
}

// getRow returns nil if there is no such row.
func getRow(ctx context.Context, tx sqldb.Tx, id int64, table, key string) (data json.RawMessage, err error) {
	err = tx.Query(ctx, "SELECT data FROM scripted_rows WHERE id = $1 AND tbl = $2 AND row_key = $3", []any{id, table, key}, func(r sqldb.Row) error {
		data = asJSON(r.Text(0))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read row: %w", err)
	}
	return data, nil
}

// before returns what is there now where rows are to be, one for each.
func (r *Runner) before(ctx context.Context, j *job, rows []viewscript.Row) ([]json.RawMessage, error) {
	old := make([]json.RawMessage, len(rows))
	missing := map[cacheKey]int{}
	for i, row := range rows {
		k := cacheKey{row.Table, row.Key}
		data, known := j.rows.rows[k]
		if old[i] = data; !known {
			missing[k] = i
		}
	}
	if len(missing) == 0 {
		return old, nil
	}
	table, err := tableOf[row](rowsTable)
	if err != nil {
		return nil, err
	}
	keys := sqldb.NewVectors(table.Columns[:3], len(missing))
	for k := range missing {
		keys[0].Ints, keys[1].Texts, keys[2].Texts = append(keys[0].Ints, j.state.ID), append(keys[1].Texts, k.table), append(keys[2].Texts, k.key)
	}
	err = r.cfg.DB.Read(ctx, func(tx sqldb.Tx) error {
		return sqldb.Load(ctx, tx, table, keys, func(r sqldb.Row) error {
			old[missing[cacheKey{r.Text(1), r.Text(2)}]] = asJSON(r.Text(3))
			return nil
		})
	})
	return old, err
}

// store writes rows of a version; those without data are deleted.
func store(ctx context.Context, tx sqldb.Tx, id int64, rows []viewscript.Row) error {
	table, err := tableOf[row](rowsTable)
	if err != nil {
		return err
	}
	puts, deletes := sqldb.NewVectors(table.Columns, len(rows)), sqldb.NewVectors(table.Columns[:3], 0)
	for _, r := range rows {
		v := puts
		if r.Data == nil {
			v = deletes
		}
		v[0].Ints, v[1].Texts, v[2].Texts = append(v[0].Ints, id), append(v[1].Texts, r.Table), append(v[2].Texts, r.Key)
		if r.Data != nil {
			v[3].Texts = append(v[3].Texts, string(r.Data))
		}
	}
	if err := sqldb.Upsert(ctx, tx, table, puts); err != nil {
		return err
	}
	return sqldb.Delete(ctx, tx, table, deletes)
}
