package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// MaxLimit is the largest page of the directory's lists, and what is given if
// none is asked for.
const MaxLimit = 1_000

// Refusals.
var (
	ErrLimit     = fault.Bad("limit", "limit.invalid", "want a limit from 1 to 1,000")
	ErrAgent     = fault.New(fault.NotFound, "agent.not_found", "no such agent")
	ErrTeam      = fault.New(fault.NotFound, "team.not_found", "no such team")
	ErrTag       = fault.New(fault.NotFound, "tag.not_found", "no such tag")
	ErrChannel   = fault.New(fault.NotFound, "channel.not_found", "no such channel")
	ErrWorkspace = fault.New(fault.NotFound, "workspace.not_found", "no such workspace")
)

// Query says which part of a list to read.
type Query struct {
	Workspace string
	InUse     bool   // without what is archived, deactivated or disconnected
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 1,000; 0 means 1,000
}

// Page is a part of a list, ordered by name.
type Page[T any] = cursor.Page[T]

// place is where a page ended.
type place struct {
	Name string `json:"n"`
	ID   string `json:"i"`
}

// Agents returns the workspace's agents.
func Agents(ctx context.Context, tx sqldb.Tx, q Query) (Page[Agent], error) {
	return page(ctx, tx, q, "agents", "SELECT * FROM directory_v2_agents", "active", "agent_id",
		func(a *Agent) place { return place{a.SortName, a.ID} })
}

// Teams returns the workspace's teams, with their members.
func Teams(ctx context.Context, tx sqldb.Tx, q Query) (Page[Team], error) {
	return page(ctx, tx, q, "teams", selectTeams, "NOT archived", "item_id",
		func(t *Team) place { return place{t.SortName, t.ID} })
}

// Tags returns the workspace's tags.
func Tags(ctx context.Context, tx sqldb.Tx, q Query) (Page[Tag], error) {
	return page(ctx, tx, q, "tags", selectTags, "NOT archived AND merged_into = ''", "item_id",
		func(t *Tag) place { return place{t.SortName, t.ID} })
}

// Channels returns the workspace's channels.
func Channels(ctx context.Context, tx sqldb.Tx, q Query) (Page[Channel], error) {
	return page(ctx, tx, q, "channels", "SELECT * FROM directory_v2_channels", "active", "channel_id",
		func(c *Channel) place { return place{c.SortName, c.ID} })
}

// The revision of a team or a tag, as it is read, is that of the stream that all
// of them share, since that is what a command on it is checked against.
const (
	selectTeams = `SELECT workspace, item_id, name, sort_name, members, rule, hours, archived,
		(SELECT max(revision) FROM directory_v2_teams WHERE workspace = $1) AS revision FROM directory_v2_teams`
	selectTags = `SELECT workspace, item_id, name, sort_name, colour, merged_into, archived,
		(SELECT max(revision) FROM directory_v2_tags WHERE workspace = $1) AS revision FROM directory_v2_tags`
)

func page[T any](ctx context.Context, tx sqldb.Tx, q Query, list, sql, inUse, id string, at func(*T) place) (Page[T], error) {
	var out Page[T]
	limit := q.Limit
	switch {
	case limit == 0:
		limit = MaxLimit
	case limit < 0 || limit > MaxLimit:
		return out, ErrLimit
	}
	args := []any{q.Workspace}
	sql += " WHERE workspace = $1"
	if q.InUse {
		sql += " AND " + inUse
	}
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode("directory/"+list, q.Cursor, &from); err != nil {
			return out, err
		}
		args = append(args, from.Name, from.ID)
		sql += " AND (sort_name, " + id + ") > ($2, $3)"
	}
	args = append(args, limit+1)
	rows, err := sqldb.Select[T](ctx, tx, fmt.Sprintf("%s ORDER BY sort_name, %s LIMIT $%d", sql, id, len(args)), args...)
	if err != nil {
		return out, fmt.Errorf("list %s: %w", list, err)
	}
	return cursor.Cut("directory/"+list, rows, limit, func(r *T) any { return at(r) }), nil
}

// GetAgent returns an agent, or ErrAgent.
func GetAgent(ctx context.Context, tx sqldb.Tx, workspace, id string) (Agent, error) {
	return get[Agent](ctx, tx, ErrAgent, "SELECT * FROM directory_v2_agents WHERE workspace = $1 AND agent_id = $2", workspace, id)
}

// GetTeam returns a team, or ErrTeam.
func GetTeam(ctx context.Context, tx sqldb.Tx, workspace, id string) (Team, error) {
	return get[Team](ctx, tx, ErrTeam, selectTeams+" WHERE workspace = $1 AND item_id = $2", workspace, id)
}

// GetTag returns a tag, or ErrTag.
func GetTag(ctx context.Context, tx sqldb.Tx, workspace, id string) (Tag, error) {
	return get[Tag](ctx, tx, ErrTag, selectTags+" WHERE workspace = $1 AND item_id = $2", workspace, id)
}

// GetChannel returns a channel, or ErrChannel.
func GetChannel(ctx context.Context, tx sqldb.Tx, workspace, id string) (Channel, error) {
	return get[Channel](ctx, tx, ErrChannel, "SELECT * FROM directory_v2_channels WHERE workspace = $1 AND channel_id = $2", workspace, id)
}

// GetWorkspace returns a workspace, or ErrWorkspace.
func GetWorkspace(ctx context.Context, tx sqldb.Tx, id string) (Workspace, error) {
	return get[Workspace](ctx, tx, ErrWorkspace, "SELECT * FROM directory_v2_workspaces WHERE workspace = $1", id)
}

// GetStatuses returns the workspace's statuses, an empty list if it has none.
func GetStatuses(ctx context.Context, tx sqldb.Tx, workspace string) (Statuses, error) {
	s, err := sqldb.Get[Statuses](ctx, tx, "SELECT * FROM directory_v2_statuses WHERE workspace = $1", workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Statuses{Workspace: workspace, Revision: -1}, nil
	}
	if err != nil {
		return s, fmt.Errorf("get statuses: %w", err)
	}
	return s, nil
}

// Workspaces returns the workspaces, at most limit (1 to 1,000; 0 means 1,000)
// of those whose ids come after one; "" is before all.
func Workspaces(ctx context.Context, tx sqldb.Tx, after string, limit int) ([]Workspace, error) {
	switch {
	case limit == 0:
		limit = MaxLimit
	case limit < 0 || limit > MaxLimit:
		return nil, ErrLimit
	}
	rows, err := sqldb.Select[Workspace](ctx, tx, "SELECT * FROM directory_v2_workspaces WHERE workspace > $1 ORDER BY workspace LIMIT $2", after, limit)
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	return rows, nil
}

// Names returns the names of those agents that are known, by their ids: at most
// 1,000 at a time.
func Names(ctx context.Context, tx sqldb.Tx, workspace string, agents []string) (map[string]string, error) {
	out := map[string]string{}
	if len(agents) == 0 {
		return out, nil
	}
	if len(agents) > MaxLimit {
		return nil, ErrLimit
	}
	args := []any{workspace}
	rows, err := sqldb.Select[Agent](ctx, tx, "SELECT agent_id, name FROM directory_v2_agents WHERE workspace = $1 AND agent_id IN "+sqldb.In(&args, agents), args...)
	if err != nil {
		return nil, fmt.Errorf("name agents: %w", err)
	}
	for _, a := range rows {
		out[a.ID] = a.Name
	}
	return out, nil
}

// Labels are the names of what rows of a list refer to, by their ids.
type Labels struct {
	Agents, Teams, Tags, Statuses, Channels map[string]string
}

// Refs are ids that a list has.
type Refs struct {
	Agents, Teams, Tags, Channels []string
	Statuses                      bool // all of them
}

// ReadLabels returns the names of what some ids are of, also if it is not in use.
func ReadLabels(ctx context.Context, tx sqldb.Tx, workspace string, ids Refs) (out Labels, err error) {
	for _, l := range []struct {
		names     *map[string]string
		table, id string
		ids       []string
	}{
		{&out.Agents, "directory_v2_agents", "agent_id", ids.Agents},
		{&out.Teams, "directory_v2_teams", "item_id", ids.Teams},
		{&out.Tags, "directory_v2_tags", "item_id", ids.Tags},
		{&out.Channels, "directory_v2_channels", "channel_id", ids.Channels},
	} {
		if *l.names, err = namesIn(ctx, tx, l.table, l.id, workspace, l.ids); err != nil {
			return out, err
		}
	}
	if !ids.Statuses {
		return out, nil
	}
	s, err := GetStatuses(ctx, tx, workspace)
	out.Statuses = map[string]string{}
	for _, status := range slices.Concat(s.InUse, s.Archived) {
		out.Statuses[status.ID] = status.Name
	}
	return out, err
}

func namesIn(ctx context.Context, tx sqldb.Tx, table, id, workspace string, ids []string) (map[string]string, error) {
	type named struct {
		ID   string `db:"id"`
		Name string `db:"name"`
	}
	const atOnce = 500
	ids = slices.Clone(ids)
	slices.Sort(ids)
	out := map[string]string{}
	for some := range slices.Chunk(slices.Compact(ids), atOnce) {
		args := []any{workspace}
		rows, err := sqldb.Select[named](ctx, tx, "SELECT "+id+" AS id, name FROM "+table+" WHERE workspace = $1 AND "+id+" IN "+sqldb.In(&args, some), args...)
		if err != nil {
			return nil, fmt.Errorf("read names: %w", err)
		}
		for _, r := range rows {
			out[r.ID] = r.Name
		}
	}
	return out, nil
}

func get[T any](ctx context.Context, tx sqldb.Tx, missing *fault.Error, sql string, args ...any) (T, error) {
	for _, a := range args {
		if s, ok := a.(string); ok && strings.Contains(s, "\x00") {
			var zero T
			return zero, missing
		}
	}
	v, err := sqldb.Get[T](ctx, tx, sql, args...)
	if errors.Is(err, sqldb.ErrNoRows) {
		return v, missing
	}
	if err != nil {
		return v, fmt.Errorf("read directory: %w", err)
	}
	return v, nil
}
