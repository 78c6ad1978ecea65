// Package directory is who and what a workspace has: agents, teams, tags,
// statuses, channels; and the workspaces themselves.
//
// It folds and reads; it decides nothing. Other views keep ids only; names are
// looked up here when something is shown.
package directory

import (
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the directory up to date.
type Projection struct {
	agents     *projections.Rows[string, Agent]
	teams      *projections.Rows[ItemKey, Team]
	tags       *projections.Rows[ItemKey, Tag]
	statuses   *projections.Rows[string, Statuses]
	channels   *projections.Rows[string, Channel]
	workspaces *projections.Rows[string, Workspace]
	aliases    *projections.Rows[AliasKey, Alias]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	byName := func(id string) projections.Index {
		return projections.Index{Name: "by_name", Columns: "workspace, sort_name, " + id}
	}
	return &Projection{
		agents:     projections.NewRows("directory_v2_agents", func(a *Agent) string { return a.ID }, byName("agent_id")),
		teams:      projections.NewRows("directory_v2_teams", func(t *Team) ItemKey { return t.ItemKey }, byName("item_id")),
		tags:       projections.NewRows("directory_v2_tags", func(t *Tag) ItemKey { return t.ItemKey }, byName("item_id")),
		statuses:   projections.NewRows("directory_v2_statuses", func(s *Statuses) string { return s.Workspace }),
		channels:   projections.NewRows("directory_v2_channels", func(c *Channel) string { return c.ID }, byName("channel_id")),
		aliases:    projections.NewRows("directory_v2_aliases", func(a *Alias) AliasKey { return a.AliasKey }),
		workspaces: projections.NewRows("directory_v2_workspaces", func(w *Workspace) string { return w.ID }),
	}
}

// Name returns the name under which the directory was first published in this
// form. In directory.v1 nothing was merged or remapped, and teams had no rules.
func (*Projection) Name() string { return "directory.v2" }

// Categories returns the categories of streams that the directory is made of.
func (*Projection) Categories() []string {
	return []string{"agent", "teams", "tags", "statuses", "channel", "workspace"}
}

// Tables returns the tables of the directory.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.agents, p.teams, p.tags, p.statuses, p.channels, p.workspaces, p.aliases}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case agent.Event:
		p.agent(e, f)
	case team.Event:
		p.team(e, f)
	case tag.Event:
		p.tag(e, f)
	case status.Event:
		p.status(e, f)
	case channel.Event:
		p.channel(e, f)
	case workspace.Created:
		p.workspaces.Put(Workspace{e.Subject(), f.Name, int64(e.Revision)})
	case workspace.Renamed:
		p.workspaces.Update(e.Subject(), func(w *Workspace) { w.Name, w.Revision = f.Name, int64(e.Revision) })
	}
}

func (p *Projection) agent(e projections.Event, fact agent.Event) {
	if f, ok := fact.(agent.Invited); ok {
		p.agents.Put(Agent{
			ID: e.Subject(), Workspace: f.Workspace, Name: f.Name, SortName: strings.ToLower(f.Name), Email: f.Email,
			Role: string(f.Role), Active: true, Availability: string(agent.Offline), InvitedAt: e.At(), Revision: int64(e.Revision),
		})
		return
	}
	p.agents.Update(e.Subject(), func(a *Agent) {
		switch f := fact.(type) {
		case agent.RoleChanged:
			a.Role = string(f.Role)
		case agent.AvailabilitySet:
			a.Availability = string(f.Availability)
		case agent.Deactivated:
			a.Active = false
		case agent.CapacitySet:
			a.Capacity = f.Capacity
		case agent.Reactivated:
			a.Active = true
		}
		a.Revision = int64(e.Revision)
	})
}

func (p *Projection) team(e projections.Event, fact team.Event) {
	change := func(id team.ID, fold func(*Team)) {
		p.teams.Update(ItemKey{e.Subject(), string(id)}, func(t *Team) {
			fold(t)
			t.Revision = int64(e.Revision)
		})
	}
	switch f := fact.(type) {
	case team.Created:
		p.teams.Put(Team{
			ItemKey: ItemKey{e.Subject(), string(f.Team)}, Name: f.Name, SortName: strings.ToLower(f.Name), Rule: "manual", Revision: int64(e.Revision),
		})
	case team.Renamed:
		change(f.Team, func(t *Team) { t.Name, t.SortName = f.Name, strings.ToLower(f.Name) })
	case team.MemberAdded:
		change(f.Team, func(t *Team) {
			t.Members = append(slices.Clone(t.Members), f.Agent)
			slices.Sort(t.Members)
			t.Members = slices.Compact(t.Members)
		})
	case team.MemberRemoved:
		change(f.Team, func(t *Team) {
			t.Members = slices.DeleteFunc(slices.Clone(t.Members), func(m string) bool { return m == f.Agent })
		})
	case team.RuleSet:
		change(f.Team, func(t *Team) { t.Rule = string(f.Rule) })
	case team.HoursSet:
		change(f.Team, func(t *Team) { t.Hours = NewHours(f.Hours) })
	case team.Archived:
		change(f.Team, func(t *Team) { t.Archived = true })
	case team.Restored:
		change(f.Team, func(t *Team) { t.Archived = false })
	}
}

// NewHours returns the hours of an event as a row keeps them.
func NewHours(h team.Hours) Hours {
	spans := func(list []team.Span) (out []Span) {
		for _, s := range list {
			out = append(out, Span(s))
		}
		return out
	}
	out := Hours{Zone: h.Zone, Weekly: spans(h.Weekly)}
	for _, e := range h.Exceptions {
		out.Exceptions = append(out.Exceptions, Exception{e.Date, spans(e.Open)})
	}
	return out
}

func (p *Projection) tag(e projections.Event, fact tag.Event) {
	change := func(id tag.ID, fold func(*Tag)) {
		p.tags.Update(ItemKey{e.Subject(), string(id)}, func(t *Tag) {
			fold(t)
			t.Revision = int64(e.Revision)
		})
	}
	switch f := fact.(type) {
	case tag.Created:
		p.tags.Put(Tag{
			ItemKey: ItemKey{e.Subject(), string(f.Tag)}, Name: f.Name, SortName: strings.ToLower(f.Name), Colour: f.Colour, Revision: int64(e.Revision),
		})
	case tag.Renamed:
		change(f.Tag, func(t *Tag) { t.Name, t.SortName = f.Name, strings.ToLower(f.Name) })
	case tag.Recoloured:
		change(f.Tag, func(t *Tag) { t.Colour = f.Colour })
	case tag.Archived:
		change(f.Tag, func(t *Tag) { t.Archived = true })
	case tag.Restored:
		change(f.Tag, func(t *Tag) { t.Archived = false })
	case tag.Merged:
		change(f.Tag, func(t *Tag) { t.Merged = string(f.Into) })
		p.aliases.Put(Alias{AliasKey{e.Subject(), KindTag, string(f.Tag)}, string(f.Into)})
	}
}

func (p *Projection) status(e projections.Event, fact status.Event) {
	switch f := fact.(type) {
	case status.Remapped:
		p.aliases.Put(Alias{AliasKey{e.Subject(), KindStatus, string(f.Status)}, string(f.To)})
	case status.Restored:
		p.aliases.Delete(AliasKey{e.Subject(), KindStatus, string(f.Status)})
	}
	p.statuses.Upsert(e.Subject(), func(s *Statuses) {
		s.Workspace, s.Revision = e.Subject(), int64(e.Revision)
		s.InUse = slices.Clone(s.InUse)
		change := func(id status.ID, fold func(i int)) {
			if i := slices.IndexFunc(s.InUse, func(item Status) bool { return item.ID == string(id) }); i >= 0 {
				fold(i)
			}
		}
		makeDefault := func(id status.ID) {
			for i := range s.InUse {
				s.InUse[i].Default = s.InUse[i].ID == string(id)
			}
		}
		retire := func(i int, to string) {
			s.InUse[i].Remapped = to
			s.Archived = append(slices.Clone(s.Archived), s.InUse[i])
			s.InUse = slices.Delete(s.InUse, i, i+1)
		}
		switch f := fact.(type) {
		case status.Created:
			s.InUse = append(s.InUse, Status{ID: string(f.Status), Name: f.Name, Colour: f.Colour, Category: string(f.Category)})
			if f.Default {
				makeDefault(f.Status)
			}
		case status.Renamed:
			change(f.Status, func(i int) { s.InUse[i].Name = f.Name })
		case status.Recoloured:
			change(f.Status, func(i int) { s.InUse[i].Colour = f.Colour })
		case status.Moved:
			change(f.Status, func(i int) {
				item := s.InUse[i]
				s.InUse = slices.Delete(s.InUse, i, i+1)
				s.InUse = slices.Insert(s.InUse, max(0, min(f.To, len(s.InUse))), item)
			})
		case status.DefaultSet:
			makeDefault(f.Status)
		case status.Archived:
			change(f.Status, func(i int) { retire(i, "") })
		case status.Remapped:
			change(f.Status, func(i int) { retire(i, string(f.To)) })
		case status.Restored:
			var still []Status
			for _, item := range s.Archived {
				if item.ID != string(f.Status) {
					still = append(still, item)
					continue
				}
				item.Remapped = ""
				s.InUse = append(s.InUse, item)
			}
			s.Archived = still
		}
	})
}

func (p *Projection) channel(e projections.Event, fact channel.Event) {
	if f, ok := fact.(channel.Connected); ok {
		p.channels.Put(Channel{
			ID: e.Subject(), Workspace: f.Workspace, Kind: string(f.Kind), Name: f.Name, SortName: strings.ToLower(f.Name),
			Account: f.Account, Phone: f.Phone, Active: true, Revision: int64(e.Revision),
		})
		return
	}
	p.channels.Update(e.Subject(), func(c *Channel) {
		switch f := fact.(type) {
		case channel.Renamed:
			c.Name, c.SortName = f.Name, strings.ToLower(f.Name)
		case channel.Disconnected:
			c.Active = false
		}
		c.Revision = int64(e.Revision)
	})
}
