package customviews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

const list = "customviews"

// List returns the custom views of a workspace, by name.
func List(ctx context.Context, tx sqldb.Tx, workspace string, q cursor.Query) (p cursor.Page[View], err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return p, err
	}
	after := ""
	if q.Cursor != "" {
		if err := cursor.Decode(list, q.Cursor, &after); err != nil {
			return p, err
		}
	}
	rows, err := sqldb.Select[View](ctx, tx, "SELECT * FROM customviews_views WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3", workspace, after, limit+1)
	if err != nil {
		return p, fmt.Errorf("list custom views: %w", err)
	}
	return cursor.Cut(list, rows, limit, func(v *View) any { return v.Name }), nil
}

// Get returns a custom view.
func Get(ctx context.Context, tx sqldb.Tx, workspace, name string) (v View, err error) {
	if strings.Contains(name, "\x00") {
		return v, customview.ErrNotFound
	}
	v, err = sqldb.Get[View](ctx, tx, "SELECT * FROM customviews_views WHERE workspace = $1 AND name = $2", workspace, name)
	if errors.Is(err, sqldb.ErrNoRows) {
		return v, customview.ErrNotFound
	}
	if err != nil {
		return v, fmt.Errorf("get custom view: %w", err)
	}
	return v, nil
}

// GetVersion returns a version of a custom view that is kept up to date: the one that is
// published if version is 0.
func GetVersion(ctx context.Context, tx sqldb.Tx, workspace, name string, version int64) (v Version, err error) {
	of, err := Get(ctx, tx, workspace, name)
	if err != nil {
		return v, err
	}
	if version == 0 {
		if version = of.Published; version == 0 {
			return v, customview.ErrNothing
		}
	}
	if !slices.Contains(of.Versions, version) {
		return v, customview.ErrVersion
	}
	v, err = sqldb.Get[Version](ctx, tx, "SELECT * FROM customviews_versions WHERE workspace = $1 AND name = $2 AND version = $3", workspace, name, version)
	if err != nil {
		return v, fmt.Errorf("get version: %w", err)
	}
	return v, nil
}

// Revision returns the revision of the stream of the custom views of a workspace.
func Revision(ctx context.Context, tx sqldb.Tx, workspace string) (int64, error) {
	revision, err := sqldb.Get[int64](ctx, tx, "SELECT revision FROM customviews_spaces WHERE workspace = $1", workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read revision: %w", err)
	}
	return revision, nil
}
