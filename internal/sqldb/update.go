package sqldb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Update is Upsert of rows that are in t, of which only some columns are new:
// bit i of changed[r] says that column i of row r is; without any bit for it, a
// column of a key is not. SQLite rewrites the entries of an index if a statement
// sets one of its columns, be it to the same value; so columns that are the same
// are left alone there.
func Update(ctx context.Context, tx Tx, t Table, rows Vectors, changed []uint64) error {
	lite, ok := tx.(liteTx)
	if !ok || len(t.Columns) > maxBits {
		return Upsert(ctx, tx, t, rows)
	}
	for r := range changed {
		if changed[r] == 0 {
			continue
		}
		if err := lite.update(t, rows, r, changed[r]); err != nil {
			return fmt.Errorf("update rows of %s: %w", t.Name, err)
		}
	}
	return nil
}

const (
	maxBits    = 64
	maxUpdates = 1_000 // texts kept by a connection
)

// updateOf names the statement for some columns of a table.
type updateOf struct {
	table   string
	changed uint64
}

func (tx liteTx) update(t Table, rows Vectors, r int, changed uint64) error {
	if tx.c.busy {
		return errNested
	}
	key := updateOf{t.Name, changed}
	sql, ok := tx.c.updates[key]
	if !ok {
		if tx.c.updates == nil || len(tx.c.updates) >= maxUpdates {
			tx.c.updates = map[updateOf]string{}
		}
		sql = t.update(changed)
		tx.c.updates[key] = sql
	}
	stmt, err := tx.c.prepare(sql)
	if err != nil {
		return err
	}
	at := 1
	for _, keys := range []bool{false, true} {
		for i, c := range t.Columns {
			if c.Key == keys && (keys || changed&(1<<i) != 0) {
				bindValue(stmt, at, &rows[i], r)
				at++
			}
		}
	}
	return tx.c.rows(stmt, none)
}

// update returns the statement that sets some columns of a row.
func (t Table) update(changed uint64) string {
	var set, where []string
	for i, c := range t.Columns {
		if !c.Key && changed&(1<<i) != 0 {
			set = append(set, c.Name+" = $"+strconv.Itoa(len(set)+1))
		}
	}
	for _, c := range t.keys() {
		where = append(where, c.Name+" = $"+strconv.Itoa(len(set)+len(where)+1))
	}
	return "UPDATE " + t.Name + " SET " + strings.Join(set, ", ") + " WHERE " + strings.Join(where, " AND ")
}
