package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/internal/ids"
)

// Teams runs the commands of package team. All teams of a workspace are in one
// stream, so that a name is unique; a Result's ID is the workspace's, but of Create
// that of a team that was there already.
type Teams struct {
	teams  *aggregate[team.State, team.Event]
	agents *aggregate[agent.State, agent.Event]
}

// Create adds a team. Its id is a slug of the name.
func (c Teams) Create(ctx context.Context, o Origin, cmd team.Create) (Result, error) {
	var about subject
	return c.teams.doAbout(ctx, o, "team.create", o.Workspace, &about, func(_ context.Context, s team.State) ([]team.Event, error) {
		cmd := cmd // for another decision the id may be another
		if id, ok := s.Lookup(cmd.Name); ok && cmd.Team == "" {
			cmd.Team = id
		} else if cmd.Team == "" {
			cmd.Team = team.ID(freeSlug(cmd.Name, func(id string) bool { _, used := s.Lookup(id); return used }))
		}
		about.id = string(cmd.Team)
		return cmd.Decide(s)
	})
}

// Rename gives a team another name.
func (c Teams) Rename(ctx context.Context, o Origin, cmd team.Rename) (Result, error) {
	return c.teams.do(ctx, o, "team.rename", o.Workspace, decides(cmd.Decide))
}

// AddMember puts an agent of the workspace into a team.
func (c Teams) AddMember(ctx context.Context, o Origin, cmd team.AddMember) (Result, error) {
	return c.teams.do(ctx, o, "team.add_member", o.Workspace, func(ctx context.Context, s team.State) ([]team.Event, error) {
		var err error
		if cmd.Agent != "" {
			err = Agents{c.agents}.Look(ctx, o.Workspace, agent.ID(cmd.Agent), func(s agent.State) error { return s.MayHold() })
		}
		return after(err, cmd.Decide, s)
	})
}

// RemoveMember takes an agent out of a team.
func (c Teams) RemoveMember(ctx context.Context, o Origin, cmd team.RemoveMember) (Result, error) {
	return c.teams.do(ctx, o, "team.remove_member", o.Workspace, decides(cmd.Decide))
}

// Archive takes a team out of use.
func (c Teams) Archive(ctx context.Context, o Origin, cmd team.Archive) (Result, error) {
	return c.teams.do(ctx, o, "team.archive", o.Workspace, decides(cmd.Decide))
}

// Restore takes an archived team back into use.
func (c Teams) Restore(ctx context.Context, o Origin, cmd team.Restore) (Result, error) {
	return c.teams.do(ctx, o, "team.restore", o.Workspace, decides(cmd.Decide))
}

// SetRule says how chats that are handed to a team are given to its members.
func (c Teams) SetRule(ctx context.Context, o Origin, cmd team.SetRule) (Result, error) {
	return c.teams.do(ctx, o, "team.set_rule", o.Workspace, decides(cmd.Decide))
}

// SetHours says when a team works.
func (c Teams) SetHours(ctx context.Context, o Origin, cmd team.SetHours) (Result, error) {
	return c.teams.do(ctx, o, "team.set_hours", o.Workspace, decides(cmd.Decide))
}

// Look calls use with the present state of a workspace's teams, which use must
// neither keep nor change.
func (c Teams) Look(ctx context.Context, workspace string, use func(team.State) error) error {
	return c.teams.with(ctx, workspace, use)
}

// exists refuses a team that is none, or is archived.
func (c Teams) exists(ctx context.Context, workspace string, id team.ID) error {
	return c.teams.with(ctx, workspace, func(s team.State) error { return s.Check(id) })
}

// freeSlug returns the slug of name, numbered if it was used before.
func freeSlug(name string, used func(id string) bool) string {
	slug := ids.Slug(name)
	if len(slug) > 40 {
		slug = trimRunes(slug, 40)
	}
	if slug == "" {
		return "" // refused by the command, which knows the name of its field
	}
	id := slug
	for n := 2; used(id); n++ {
		id = numbered(slug, n)
	}
	return id
}
