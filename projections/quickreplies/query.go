package quickreplies

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// ErrNotFound refuses a quick reply that the places do not have.
var ErrNotFound = fault.New(fault.NotFound, "quickreply.not_found", "no such quick reply")

// Query says which quick replies to read.
type Query struct {
	Workspace string
	Places    []string // such as "workspace" and "team.billing"
	Prefix    string   // of the shortcut; case does not count
	All       bool     // also archived ones
	Cursor    string   // of the page before; "" for the first
	Limit     int      // 1 to 200; 0 means 50
}

// Page is a part of the list, by shortcut.
type Page struct {
	Replies   []Reply
	Revisions map[string]int64 // of the streams of places
	Next      string           // cursor of the next page; "" if this is the last
}

type place struct {
	Shortcut string `json:"s"`
	ID       string `json:"i"`
}

const list = "quickreplies"

// List returns the quick replies of places.
func List(ctx context.Context, tx sqldb.Tx, q Query) (p Page, err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil || len(q.Places) == 0 || strings.Contains(q.Prefix, "\x00") {
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
	if !q.All {
		add("NOT archived")
	}
	if prefix := strings.ToLower(q.Prefix); prefix != "" {
		add("sort_shortcut >= ? AND sort_shortcut < ?", prefix, prefix+"\U0010ffff")
	}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return p, err
		}
		add("(sort_shortcut, reply_id) > (?, ?)", from.Shortcut, from.ID)
	}
	args = append(args, limit+1)
	rows, err := sqldb.Select[Reply](ctx, tx, fmt.Sprintf("SELECT * FROM quickreplies_replies WHERE %s ORDER BY sort_shortcut, reply_id LIMIT $%d", where, len(args)), args...)
	if err != nil {
		return p, fmt.Errorf("list quick replies: %w", err)
	}
	cut := cursor.Cut(list, rows, limit, func(r *Reply) any { return place{r.SortShortcut, r.ID} })
	p.Replies, p.Next = cut.Items, cut.Next
	p.Revisions, err = revisions(ctx, tx, q.Workspace, q.Places)
	return p, err
}

func revisions(ctx context.Context, tx sqldb.Tx, workspace string, places []string) (map[string]int64, error) {
	args := []any{workspace}
	rows, err := sqldb.Select[Place](ctx, tx, "SELECT * FROM quickreplies_places WHERE workspace = $1 AND place IN "+sqldb.In(&args, places), args...)
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.Place] = r.Revision
	}
	return out, nil
}

// MaxVersions is how many versions Get returns, the latest ones.
const MaxVersions = 50

// Get returns a quick reply of one of the places, its latest versions, the
// latest first, and the revision of its place's stream.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string, places []string) (r Reply, versions []Version, revision int64, err error) {
	if strings.Contains(id, "\x00") || len(places) == 0 {
		return r, nil, 0, ErrNotFound
	}
	args := []any{workspace, id}
	r, err = sqldb.Get[Reply](ctx, tx, "SELECT * FROM quickreplies_replies WHERE workspace = $1 AND reply_id = $2 AND place IN "+sqldb.In(&args, places), args...)
	if errors.Is(err, sqldb.ErrNoRows) {
		return r, nil, 0, ErrNotFound
	}
	if err != nil {
		return r, nil, 0, fmt.Errorf("get quick reply: %w", err)
	}
	versions, err = sqldb.Select[Version](ctx, tx, "SELECT * FROM quickreplies_versions WHERE workspace = $1 AND reply_id = $2 ORDER BY version DESC LIMIT $3", workspace, id, MaxVersions)
	if err != nil {
		return r, nil, 0, fmt.Errorf("list versions: %w", err)
	}
	all, err := revisions(ctx, tx, workspace, []string{r.Place})
	return r, versions, all[r.Place], err
}
