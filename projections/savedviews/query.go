package savedviews

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Query says which saved views to read.
type Query struct {
	Workspace string
	Places    []string // such as "shared"
	Target    string   // "" for every
	Cursor    string   // of the page before; "" for the first
	Limit     int      // 1 to 200; 0 means 50
}

// Page is a part of the list: by place, by target, in their order.
type Page struct {
	Views     []View
	Revisions map[string]int64 // of the streams of places
	Next      string           // cursor of the next page; "" if this is the last
}

type spot struct {
	Place  string `json:"p"`
	Target string `json:"t"`
	Order  int64  `json:"o"`
	ID     string `json:"i"`
}

const list = "savedviews"

// List returns the saved views of places.
func List(ctx context.Context, tx sqldb.Tx, q Query) (p Page, err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil || len(q.Places) == 0 {
		return p, err
	}
	args := []any{q.Workspace}
	where := "workspace = $1 AND place IN " + sqldb.In(&args, q.Places)
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where += " AND " + condition
	}
	if q.Target != "" {
		add("target = ?", q.Target)
	}
	if q.Cursor != "" {
		var from spot
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return p, err
		}
		add("(place, target, ord, view_id) > (?, ?, ?, ?)", from.Place, from.Target, from.Order, from.ID)
	}
	args = append(args, limit+1)
	rows, err := sqldb.Select[View](ctx, tx, fmt.Sprintf("SELECT * FROM savedviews_views WHERE %s ORDER BY place, target, ord, view_id LIMIT $%d", where, len(args)), args...)
	if err != nil {
		return p, fmt.Errorf("list saved views: %w", err)
	}
	cut := cursor.Cut(list, rows, limit, func(v *View) any { return spot{v.Place, v.Target, v.Order, v.ID} })
	p.Views, p.Next = cut.Items, cut.Next
	p.Revisions, err = revisions(ctx, tx, q.Workspace, q.Places)
	return p, err
}

func revisions(ctx context.Context, tx sqldb.Tx, workspace string, places []string) (map[string]int64, error) {
	args := []any{workspace}
	rows, err := sqldb.Select[Place](ctx, tx, "SELECT * FROM savedviews_places WHERE workspace = $1 AND place IN "+sqldb.In(&args, places), args...)
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.Place] = r.Revision
	}
	return out, nil
}

// Get returns a saved view of one of the places, and the revision of its place's
// stream.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string, places []string) (v View, revision int64, err error) {
	if strings.Contains(id, "\x00") || len(places) == 0 {
		return v, 0, savedview.ErrNotFound
	}
	args := []any{workspace, id}
	v, err = sqldb.Get[View](ctx, tx, "SELECT * FROM savedviews_views WHERE workspace = $1 AND view_id = $2 AND place IN "+sqldb.In(&args, places), args...)
	if errors.Is(err, sqldb.ErrNoRows) {
		return v, 0, savedview.ErrNotFound
	}
	if err != nil {
		return v, 0, fmt.Errorf("get saved view: %w", err)
	}
	all, err := revisions(ctx, tx, workspace, []string{v.Place})
	return v, all[v.Place], err
}
