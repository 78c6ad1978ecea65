package bulk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Query says which jobs to list.
type Query struct {
	Workspace string
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of a list.
type Page[T any] = cursor.Page[T]

type place struct {
	At int64  `json:"t,omitempty"`
	ID string `json:"i"`
}

// List returns a page of the jobs, the latest first.
func List(ctx context.Context, tx sqldb.Tx, q Query) (Page[Job], error) {
	var page Page[Job]
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, err
	}
	where, args := "workspace = $1", []any{q.Workspace, limit + 1}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode("bulk", q.Cursor, &from); err != nil {
			return page, err
		}
		where, args = where+" AND (requested_at, job_id) < ($3, $4)", append(args, from.At, from.ID)
	}
	rows, err := sqldb.Select[Job](ctx, tx, "SELECT * FROM bulk_jobs WHERE "+where+" ORDER BY requested_at DESC, job_id DESC LIMIT $2", args...)
	if err != nil {
		return page, fmt.Errorf("list jobs: %w", err)
	}
	return cursor.Cut("bulk", rows, limit, func(j *Job) any { return place{j.RequestedAt, j.ID} }), nil
}

// Get returns a job, or ErrNotFound of package domain/bulk.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Job, error) {
	if strings.Contains(id, "\x00") {
		return Job{}, bulk.ErrNotFound
	}
	j, err := sqldb.Get[Job](ctx, tx, "SELECT * FROM bulk_jobs WHERE job_id = $1 AND workspace = $2", id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Job{}, bulk.ErrNotFound
	}
	if err != nil {
		return Job{}, fmt.Errorf("get job: %w", err)
	}
	return j, nil
}

// Items returns a page of the items of a job that had an outcome, or of all that
// were worked if it is "".
func Items(ctx context.Context, tx sqldb.Tx, job, outcome string, q Query) (Page[Item], error) {
	var page Page[Item]
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, err
	}
	where, args := "job_id = $1", []any{job, limit + 1}
	if outcome != "" {
		where, args = where+" AND outcome = $3", append(args, outcome)
	}
	list := "bulk/" + outcome
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return page, err
		}
		args = append(args, from.ID)
		where += fmt.Sprintf(" AND item_id > $%d", len(args))
	}
	rows, err := sqldb.Select[Item](ctx, tx, "SELECT * FROM bulk_items WHERE "+where+" ORDER BY item_id LIMIT $2", args...)
	if err != nil {
		return page, fmt.Errorf("list items: %w", err)
	}
	return cursor.Cut(list, rows, limit, func(i *Item) any { return place{ID: i.Item} }), nil
}
