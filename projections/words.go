package projections

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// An index of words is a table beside that of a Journal: it is made, filled,
// renamed and dropped with it, in the same transactions. It follows from the rows
// alone, so to compare these is enough.

// wordsTable returns the name of the index of a table's words.
func wordsTable(table, suffix string) string { return table + "_words" + suffix }

// words is what a batch changes in an index of words.
type words struct {
	table   string
	removed []int64
	ids     []int64 // of rows to add
	texts   []string
}

func (w *words) store(ctx context.Context, tx sqldb.Tx) error {
	if w == nil {
		return nil
	}
	if err := sqldb.RemoveWords(ctx, tx, w.table, w.removed); err != nil {
		return fmt.Errorf("index words: %w", err)
	}
	if err := sqldb.AddWords(ctx, tx, w.table, w.ids, w.texts); err != nil {
		return fmt.Errorf("index words: %w", err)
	}
	return nil
}

// tableNames returns what belongs to t under a suffix.
func tableNames(t Table, suffix string) []string {
	names := []string{t.Name() + suffix}
	if t.wordsVersion() != "" {
		names = append(names, wordsTable(t.Name(), suffix))
	}
	return names
}
