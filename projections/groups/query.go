package groups

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Query says which page of a list to read.
type Query = cursor.Query

// Page is a part of a list.
type Page[T any] = cursor.Page[T]

type place struct {
	Name string `json:"n,omitempty"`
	ID   string `json:"i,omitempty"`
	N    int64  `json:"c,omitempty"`
}

// Find returns a page of the groups of a workspace, by name, and the revision of
// their list.
func Find(ctx context.Context, tx sqldb.Tx, workspace string, q Query) (page Page[Group], revision int64, err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, 0, err
	}
	where, args := "listed = $1", []any{workspace, limit + 1}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode("groups", q.Cursor, &from); err != nil {
			return page, 0, err
		}
		where, args = where+" AND (sort_name, group_id) > ($3, $4)", append(args, from.Name, from.ID)
	}
	rows, err := sqldb.Select[Group](ctx, tx, "SELECT * FROM groups_v2 WHERE "+where+" ORDER BY sort_name, group_id LIMIT $2", args...)
	if err != nil {
		return page, 0, fmt.Errorf("list groups: %w", err)
	}
	page = cursor.Cut("groups", rows, limit, func(g *Group) any { return place{Name: g.SortName, ID: g.ID} })
	revision, err = Revision(ctx, tx, workspace)
	return page, revision, err
}

// Revision returns the revision of the list of a workspace's groups.
func Revision(ctx context.Context, tx sqldb.Tx, workspace string) (int64, error) {
	revision, err := sqldb.Get[int64](ctx, tx, "SELECT COALESCE(max(revision), -1) FROM groups_v2_lists WHERE workspace = $1", workspace)
	if err != nil {
		return 0, fmt.Errorf("read revision of groups: %w", err)
	}
	return revision, nil
}

// Get returns a group, or group.ErrNotFound.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Group, error) {
	if strings.Contains(id, "\x00") || workspace == "" {
		return Group{}, group.ErrNotFound
	}
	g, err := sqldb.Get[Group](ctx, tx, "SELECT * FROM groups_v2 WHERE group_id = $1 AND listed = $2", id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return g, group.ErrNotFound
	}
	if err != nil {
		return g, fmt.Errorf("get group: %w", err)
	}
	return g, nil
}

// Some returns those of some groups that there are, by id.
func Some(ctx context.Context, tx sqldb.Tx, workspace string, ids []string) (map[string]Group, error) {
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // a map of nothing
	}
	args := []any{workspace}
	rows, err := sqldb.Select[Group](ctx, tx, "SELECT * FROM groups_v2 WHERE listed = $1 AND group_id IN "+sqldb.In(&args, ids), args...)
	if err != nil {
		return nil, fmt.Errorf("look for groups: %w", err)
	}
	out := make(map[string]Group, len(rows))
	for _, g := range rows {
		out[g.ID] = g
	}
	return out, nil
}

// Dynamic returns the dynamic groups of a workspace, by name.
func Dynamic(ctx context.Context, tx sqldb.Tx, workspace string) ([]Group, error) {
	rows, err := sqldb.Select[Group](ctx, tx, "SELECT * FROM groups_v2 WHERE listed = $1 AND kind = $2 ORDER BY sort_name, group_id LIMIT $3",
		workspace, string(group.Dynamic), group.MaxDynamic)
	if err != nil {
		return nil, fmt.Errorf("list dynamic groups: %w", err)
	}
	return rows, nil
}

// Choices returns a page of the choices of a group's members, the latest first.
func Choices(ctx context.Context, tx sqldb.Tx, id string, q Query) (page Page[Choice], err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, err
	}
	where, args := "group_id = $1", []any{id, limit + 1}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode("groups/choices", q.Cursor, &from); err != nil {
			return page, err
		}
		where, args = where+" AND choice < $3", append(args, from.N)
	}
	rows, err := sqldb.Select[Choice](ctx, tx, "SELECT * FROM groups_v2_choices WHERE "+where+" ORDER BY choice DESC LIMIT $2", args...)
	if err != nil {
		return page, fmt.Errorf("list choices: %w", err)
	}
	return cursor.Cut("groups/choices", rows, limit, func(c *Choice) any { return place{N: c.Choice} }), nil
}

// GetChoice returns a choice of a group's members, or group.ErrNotFound.
func GetChoice(ctx context.Context, tx sqldb.Tx, id string, choice int64) (Choice, error) {
	c, err := sqldb.Get[Choice](ctx, tx, "SELECT * FROM groups_v2_choices WHERE group_id = $1 AND choice = $2", id, choice)
	if errors.Is(err, sqldb.ErrNoRows) {
		return c, group.ErrNotFound.With("the members were never chosen so often")
	}
	if err != nil {
		return c, fmt.Errorf("get choice: %w", err)
	}
	return c, nil
}

// ChoiceAt returns the choice that counted at a position of the log, 0 if there was
// none.
func ChoiceAt(ctx context.Context, tx sqldb.Tx, id string, position int64) (int64, error) {
	n, err := sqldb.Get[int64](ctx, tx, "SELECT COALESCE(max(choice), 0) FROM groups_v2_choices WHERE group_id = $1 AND state = $2 AND made_at_position <= $3",
		id, Made, position)
	if err != nil {
		return 0, fmt.Errorf("look for choice: %w", err)
	}
	return n, nil
}

// MembersAt returns a page of the contacts that were in a group after a choice, by
// id. A page may be short before the end.
func MembersAt(ctx context.Context, tx sqldb.Tx, id string, choice int64, q Query) (Page[Member], error) {
	return membersOf(ctx, tx, id, choice, q, "(since_choice <= $4 AND (until_choice = 0 OR until_choice > $4))", "at", func(m Member) bool { return m.At(choice) })
}

// Changes returns a page of the contacts that a choice put in, or took out, by id. A
// page may be short before the end.
func Changes(ctx context.Context, tx sqldb.Tx, id string, choice int64, in bool, q Query) (Page[Member], error) {
	if in {
		return membersOf(ctx, tx, id, choice, q, "since_choice = $4", "in", func(m Member) bool { return m.changed(choice, true) })
	}
	return membersOf(ctx, tx, id, choice, q, "until_choice = $4", "out", func(m Member) bool { return m.changed(choice, false) })
}

// membersOf reads a page of members. Those that were in more than once pass the
// statement whatever it asks, and then are looked at.
func membersOf(ctx context.Context, tx sqldb.Tx, id string, choice int64, q Query, test, kind string, passes func(Member) bool) (page Page[Member], err error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, err
	}
	var from place
	list := fmt.Sprint("groups/", kind, "/", choice)
	if q.Cursor != "" {
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return page, err
		}
	}
	rows, err := sqldb.Select[Member](ctx, tx, "SELECT * FROM groups_v2_members WHERE group_id = $1 AND contact_id > $2 AND ("+test+" OR stays > 1) ORDER BY contact_id LIMIT $3",
		id, from.ID, limit+1, choice)
	if err != nil {
		return page, fmt.Errorf("list members: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = cursor.Encode(list, place{ID: rows[limit-1].Contact})
	}
	for _, m := range rows {
		if passes(m) {
			page.Items = append(page.Items, m)
		}
	}
	return page, nil
}

// Stays returns when some contacts were in a group.
func Stays(ctx context.Context, tx sqldb.Tx, id string, contacts []string) ([]Member, error) {
	args := []any{id}
	rows, err := sqldb.Select[Member](ctx, tx, "SELECT * FROM groups_v2_members WHERE group_id = $1 AND contact_id IN "+sqldb.In(&args, contacts)+" ORDER BY contact_id", args...)
	if err != nil {
		return nil, fmt.Errorf("look for members: %w", err)
	}
	return rows, nil
}
