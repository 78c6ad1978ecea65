// Package groups shows groups of contacts: how each is chosen, each choice of its
// members with what it changed, and who was in it when. It also says what a filter
// means that asks for groups.
//
// It folds and reads; it decides nothing. What is shown of a member, and who is in a
// group once contacts were merged or deleted, is for package contacts.
package groups

import (
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the groups up to date.
type Projection struct {
	groups  *projections.Rows[string, Group]
	lists   *projections.Rows[string, List]
	choices *projections.Rows[ChoiceKey, Choice]
	members *projections.Rows[MemberKey, Member]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{
		groups: projections.NewRows("groups_v2", func(g *Group) string { return g.ID },
			projections.Index{Name: "by_name", Columns: "listed, sort_name, group_id"},
		),
		lists:   projections.NewRows("groups_v2_lists", func(l *List) string { return l.Workspace }),
		choices: projections.NewRows("groups_v2_choices", func(c *Choice) ChoiceKey { return c.ChoiceKey }),
		members: projections.NewRows("groups_v2_members", func(m *Member) MemberKey { return m.MemberKey },
			projections.Index{Name: "by_contact", Columns: "contact_id, group_id"},
		),
	}
}

// Name returns the name under which the groups are published in this form: groups.v1
// did not count their changes.
func (*Projection) Name() string { return "groups.v2" }

// Categories returns the categories of streams that groups are made of.
func (*Projection) Categories() []string { return []string{"groups", "members"} }

// Tables returns the groups with their choices and members.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.groups, p.lists, p.choices, p.members}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case group.Event:
		p.lists.Put(List{e.Meta.Workspace, int64(e.Revision)})
		p.group(f, e.Meta.Workspace, e.Meta.Actor)
	case members.Event:
		p.choice(f, e.Subject(), e)
	}
}

func (p *Projection) group(f group.Event, workspace, actor string) {
	switch f := f.(type) {
	case group.Created:
		p.groups.Upsert(string(f.Group), func(g *Group) {
			g.ID, g.Workspace, g.Listed, g.Kind = string(f.Group), workspace, workspace, string(f.Kind)
			g.Name, g.SortName = f.Name, strings.ToLower(f.Name)
			g.Filter, g.FilterBy, g.CreatedBy = string(f.Filter), f.By, f.By
			g.CreatedAt, g.UpdatedAt, g.UpdatedBy = f.At.UnixMicro(), f.At.UnixMicro(), f.By
		})
	case group.Renamed:
		p.groups.Update(string(f.Group), func(g *Group) {
			g.Name, g.SortName, g.UpdatedBy = f.Name, strings.ToLower(f.Name), actor
			g.Changes++
		})
	case group.FilterSet:
		p.groups.Update(string(f.Group), func(g *Group) {
			g.Filter, g.FilterBy, g.UpdatedBy, g.UpdatedAt = string(f.Filter), f.By, f.By, f.At.UnixMicro()
			g.Changes++
		})
	case group.Deleted:
		p.groups.Update(string(f.Group), func(g *Group) {
			g.Listed = ""
			g.Changes++
		})
	}
}

func (p *Projection) choice(f members.Event, id string, e projections.Event) {
	change := func(n int, fold func(*Choice)) { p.choices.Update(ChoiceKey{id, int64(n)}, fold) }
	switch f := f.(type) {
	case members.Requested:
		p.choices.Put(Choice{
			ChoiceKey: ChoiceKey{id, int64(f.Choice)}, State: Pending, Filter: string(f.Filter), Named: int64(len(f.IDs)), Emptied: f.Emptied,
			By: f.By, RequestedAt: f.At.UnixMicro(),
		})
		p.groups.Upsert(id, func(g *Group) { g.ID, g.Asked = id, int64(f.Choice) })
	case members.Changed:
		n := int64(f.Choice)
		for _, c := range f.Added {
			key := MemberKey{id, c}
			p.members.Upsert(key, func(m *Member) {
				if m.Since != 0 {
					m.Past = append(slices.Clone(m.Past), Stay{m.Since, m.Until})
				}
				m.MemberKey, m.Since, m.Until = key, n, 0
				m.Stays++
			})
		}
		for _, c := range f.Removed {
			p.members.Update(MemberKey{id, c}, func(m *Member) { m.Until = n })
		}
	case members.Chosen:
		change(f.Choice, func(c *Choice) {
			c.State, c.Members, c.Added, c.Removed, c.Missing = Made, int64(f.Members), int64(f.Added), int64(f.Removed), int64(f.Missing)
			c.Position, c.MadeAtPosition, c.EndedAt = f.Position, int64(e.Position), f.At.UnixMicro()
		})
		p.groups.Update(id, func(g *Group) { g.Made = int64(f.Choice) })
	case members.Refused:
		change(f.Choice, func(c *Choice) {
			c.State, c.Code, c.Reason, c.EndedAt = Refused, f.Code, f.Reason, f.At.UnixMicro()
		})
	}
}
