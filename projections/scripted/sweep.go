package scripted

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// sweepRows is how many rows are deleted in a transaction.
const sweepRows = 5_000

// sweep deletes what is there of versions that were dropped, bit by bit. A version that
// was saved behind what this process has read of the log is another's to know of.
func (r *Runner) sweep(ctx context.Context) error {
	r.board.mu.Lock()
	known, store := r.board.known, r.board.store
	live := map[jobKey]bool{}
	for k := range r.board.jobs {
		live[k] = true
	}
	r.board.mu.Unlock()
	if known == 0 || store == "" {
		return nil
	}
	var list []state
	err := r.cfg.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		list, err = sqldb.Select[state](ctx, tx, "SELECT * FROM scripted_versions ORDER BY id")
		return err
	})
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	for _, s := range list {
		gone := !live[s.key()] && (s.Store != store || s.Saved <= int64(known))
		if s.Dropped == 0 && !gone {
			continue
		}
		if err := r.erase(ctx, s); err != nil {
			return fmt.Errorf("delete version %d of %s: %w", s.Version, s.View, err)
		}
	}
	return nil
}

// erase deletes a version: first nobody can move it any more, then its rows go, then it.
func (r *Runner) erase(ctx context.Context, s state) error {
	if s.Dropped == 0 {
		err := r.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE scripted_versions SET dropped = 1, epoch = epoch + 1 WHERE id = $1", s.ID)
			return err
		})
		if err != nil {
			return err
		}
	}
	for {
		var n int64
		err := r.cfg.DB.Write(ctx, func(tx sqldb.Tx) (err error) {
			n, err = tx.Exec(ctx, `DELETE FROM scripted_rows WHERE id = $1 AND (tbl, row_key) IN
				(SELECT tbl, row_key FROM scripted_rows WHERE id = $1 LIMIT $2)`, s.ID, sweepRows)
			if err != nil || n > 0 {
				return err
			}
			_, err = tx.Exec(ctx, "DELETE FROM scripted_versions WHERE id = $1", s.ID)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

func (s state) key() jobKey {
	return jobKey{s.Workspace, nameOf(s.View), versionOf(s.Version)}
}
