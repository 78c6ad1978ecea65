// Package contacts is the list of people whose details are known, with their tags,
// notes and duplicates, and the workspace's own fields.
//
// It folds and reads; it decides nothing. What is a contact's own is kept apart from
// what it is shown as, so that a merge that is taken back leaves no trace.
package contacts

import (
	"maps"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the contacts up to date.
type Projection struct {
	parts      *projections.Rows[string, Part]
	contacts   *projections.Rows[string, Row]
	tags       *projections.Rows[TagKey, TagRow]
	groups     *projections.Rows[GroupKey, GroupRow]
	sizes      *projections.Rows[string, GroupSize]
	chats      *projections.Rows[ChatKey, ChatRow]
	values     *projections.Rows[ValueKey, ValueRow]
	known      *projections.Rows[KnownBy, KnownRow]
	notes      *projections.Rows[NoteKey, Note]
	attributes *projections.Rows[AttributeKey, Attribute]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	const filters = ", status, category, assignee, blocked"
	p := &Projection{
		parts: projections.NewRows("contacts_v3_parts", func(r *Part) string { return r.ID }),
		contacts: projections.NewRows("contacts_v3", func(r *Row) string { return r.ID },
			projections.Index{Name: "by_created", Columns: "listed, created_at, contact_id" + filters},
			projections.Index{Name: "by_updated", Columns: "listed, updated_at, contact_id" + filters},
			projections.Index{Name: "by_assignee", Columns: "listed, assignee, created_at, contact_id, status, category"},
			projections.Index{Name: "by_status", Columns: "listed, status, created_at, contact_id, assignee"},
		),
		tags: projections.NewRows("contacts_v3_tags", func(r *TagRow) TagKey { return r.TagKey },
			projections.Index{Name: "by_created", Columns: "listed, tag, created_at, contact_id"},
			projections.Index{Name: "by_updated", Columns: "listed, tag, updated_at, contact_id"},
		),
		groups: projections.NewRows("contacts_v3_groups", func(r *GroupRow) GroupKey { return r.GroupKey },
			projections.Index{Name: "by_created", Columns: "listed, group_id, created_at, contact_id"},
			projections.Index{Name: "by_updated", Columns: "listed, group_id, updated_at, contact_id"},
			projections.Index{Name: "by_contact", Columns: "contact_id, group_id"},
		),
		sizes: projections.NewRows("contacts_v3_group_sizes", func(r *GroupSize) string { return r.Group }),
		chats: projections.NewRows("contacts_v3_chats", func(r *ChatRow) ChatKey { return r.ChatKey },
			projections.Index{Name: "by_contact", Columns: "contact_id, listed, chat_id"},
		),
		values: projections.NewRows("contacts_v3_values", func(r *ValueRow) ValueKey { return r.ValueKey }),
		known: projections.NewRows("contacts_v3_known_by", func(r *KnownRow) KnownBy { return r.KnownBy },
			projections.Index{Name: "by_contact", Columns: "contact_id, kind, value"},
		),
		notes:      projections.NewRows("contacts_v3_notes", func(r *Note) NoteKey { return r.NoteKey }),
		attributes: projections.NewRows("contacts_v3_attributes", func(r *Attribute) AttributeKey { return r.AttributeKey }),
	}
	p.parts.OnChange(p.show)
	p.contacts.OnChange(p.tag)
	p.contacts.OnChange(p.gather)
	p.contacts.OnChange(p.find)
	p.contacts.OnChange(p.hold)
	p.groups.OnChange(p.count)
	p.contacts.OnChange(p.know)
	return p
}

// Name returns the name under which the contacts were first published.
func (*Projection) Name() string { return "contacts.v3" }

// Categories returns the categories of streams that contacts are made of.
func (*Projection) Categories() []string { return []string{"contact", "attributes", "members"} }

// Tables returns the contacts, and what is derived from them.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.parts, p.contacts, p.tags, p.groups, p.sizes, p.chats, p.values, p.known, p.notes, p.attributes}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	id := e.Subject()
	change := func(fold func(*Part)) {
		p.parts.Upsert(id, func(r *Part) {
			r.ID = id
			fold(r)
			r.UpdatedAt = max(r.UpdatedAt, e.At())
			r.Revision = int64(e.Revision)
		})
	}
	switch f := e.Fact.(type) {
	case contact.Added:
		change(func(r *Part) {
			r.Workspace, r.Status, r.Category = f.Workspace, f.Status, string(f.Category)
			r.Reason, r.Added, r.CreatedAt = string(f.Source.Reason), source(e, f.Source, f.At.UnixMicro()), f.At.UnixMicro()
		})
	case contact.DetailsSet:
		change(func(r *Part) { r.set(f.Changes, source(e, f.Source, f.At.UnixMicro())) })
	case contact.ChatLinked:
		change(func(r *Part) {
			if !slices.ContainsFunc(r.Chats, func(l Link) bool { return l.Chat == f.Chat }) {
				r.Chats = append(slices.Clone(r.Chats), Link{f.Link, f.At.UnixMicro()})
			}
		})
	case contact.TagsChanged:
		change(func(r *Part) { r.Tags = projections.Retag(r.Tags, f.Added, f.Removed) })
	case contact.StatusSet:
		change(func(r *Part) { r.Status, r.Category = f.Status, string(f.Category) })
	case contact.Assigned:
		change(func(r *Part) { r.Assignee = string(f.To) })
	case contact.Unassigned:
		change(func(r *Part) { r.Assignee = "" })
	case contact.Blocked:
		change(func(r *Part) { r.Blocked = true })
	case contact.Unblocked:
		change(func(r *Part) { r.Blocked = false })
	case contact.Deleted:
		change(func(r *Part) { r.Deleted = true })
	case contact.Restored:
		change(func(r *Part) { r.Deleted = false })
	case contact.Merged:
		change(func(r *Part) { r.Into, r.MergedAt, r.MergedBy = string(f.Into), f.At.UnixMicro(), string(f.By) })
	case contact.Unmerged:
		change(func(r *Part) { r.Into, r.MergedAt, r.MergedBy = "", 0, "" })
	case contact.NoteAdded:
		p.notes.Put(Note{NoteKey: NoteKey{id, string(f.Note)}, Text: f.Text, By: string(f.By), At: f.At.UnixMicro()})
		change(func(*Part) {})
	case contact.NoteEdited:
		p.notes.Update(NoteKey{id, string(f.Note)}, func(n *Note) { n.Text, n.EditedAt, n.EditedBy = f.Text, f.At.UnixMicro(), string(f.By) })
		change(func(*Part) {})
	case contact.NoteDeleted:
		p.notes.Delete(NoteKey{id, string(f.Note)})
		change(func(*Part) {})
	case contact.Event: // Absorbed, Released: the word of the other counts
		change(func(*Part) {})
	case attribute.Event:
		p.define(id, e)
	case members.Changed: // id is the group's; nothing changes about the contacts themselves
		for _, c := range f.Added {
			p.parts.Update(c, func(r *Part) { r.Groups = projections.Retag(r.Groups, []string{id}, nil) })
		}
		for _, c := range f.Removed {
			p.parts.Update(c, func(r *Part) { r.Groups = projections.Retag(r.Groups, nil, []string{id}) })
		}
	}
}

func (p *Projection) define(workspace string, e projections.Event) {
	change := func(id attribute.ID, fold func(*Attribute)) {
		key := AttributeKey{workspace, string(id)}
		p.attributes.Upsert(key, func(a *Attribute) {
			a.AttributeKey = key
			fold(a)
			a.Revision = int64(e.Revision)
		})
	}
	switch f := e.Fact.(type) {
	case attribute.Defined:
		change(f.Attribute, func(a *Attribute) { a.Name, a.Kind, a.Choices = f.Name, string(f.Kind), f.Choices })
	case attribute.Renamed:
		change(f.Attribute, func(a *Attribute) { a.Name = f.Name })
	case attribute.ChoicesSet:
		change(f.Attribute, func(a *Attribute) { a.Choices = f.Choices })
	case attribute.Archived:
		change(f.Attribute, func(a *Attribute) { a.Archived = true })
	case attribute.Restored:
		change(f.Attribute, func(a *Attribute) { a.Archived = false })
	}
}

func source(e projections.Event, s contact.Source, at int64) Source {
	out := Source{Source: s, Revision: int64(e.Revision), At: at}
	if s.By == "" {
		out.Actor, out.ActorKind = e.Meta.Actor, e.Meta.ActorKind
	}
	return out
}

// set gives fields their values. A value that was there keeps its source, unless nobody
// had told it.
func (r *Part) set(changes []contact.Change, s Source) {
	fields := make(map[string][]Value, len(r.Fields)+len(changes))
	maps.Copy(fields, r.Fields)
	for _, c := range changes {
		var values []Value
		for _, text := range c.Values {
			v := Value{text, s}
			if i := slices.IndexFunc(fields[c.Field], func(o Value) bool { return o.Text == text && o.Source.Reason != contact.ByProfile }); i >= 0 {
				v = fields[c.Field][i]
			}
			values = append(values, v)
		}
		if len(values) == 0 {
			delete(fields, c.Field)
			continue
		}
		fields[c.Field] = values
	}
	r.Fields = fields
}

// show puts a part where it is shown.
func (p *Projection) show(before, after *Part) {
	Wholes[Part, Row]{
		Rows: p.contacts, Part: func(p Part) (id, into string) { return p.ID, p.Into },
		Parts: func(r *Row) []Part { return r.Parts }, Row: shown,
	}.Show(before, after)
}

// shown returns the row of a contact that has some parts, in their order.
func shown(root string, parts []Part) *Row {
	r := &Row{Listed: Listed{ID: root}, Parts: parts}
	first := parts[0]
	r.Workspace, r.Status, r.Category, r.Assignee = first.Workspace, first.Status, first.Category, first.Assignee
	r.Reason, r.CreatedAt, r.Revision = first.Reason, first.CreatedAt, first.Revision
	if first.ID == root && !first.Deleted {
		r.Filed = first.Workspace
	}
	r.Name, r.Company, r.City = r.one(contact.Name), r.one(contact.Company), r.one(contact.City)
	r.Country, r.Gender, r.Language = r.one(contact.Country), r.one(contact.Gender), r.one(contact.Language)
	r.Email, r.Phone = r.one(contact.Emails), r.one(contact.Phones)
	for _, p := range parts {
		r.Tags, r.Groups = append(r.Tags, p.Tags...), append(r.Groups, p.Groups...)
		r.Blocked = r.Blocked || p.Blocked
		r.HasChat = r.HasChat || len(p.Chats) > 0
		r.UpdatedAt = max(r.UpdatedAt, p.UpdatedAt)
	}
	slices.Sort(r.Tags)
	r.Tags = slices.Compact(r.Tags)
	slices.Sort(r.Groups)
	r.Groups = slices.Compact(r.Groups)
	return r
}

// one returns the first value of a field, or "".
func (r *Row) one(field string) string {
	if v := r.Values(field); len(v) > 0 {
		return v[0].Text
	}
	return ""
}

// Values returns the values of a field: those of the first part that has any, or
// of all parts, if it can have many. What nobody has told counts last.
func (r *Row) Values(field string) (out []Value) {
	for _, profile := range []bool{false, true} {
		for _, p := range r.Parts {
			for _, v := range p.Fields[field] {
				if (v.Source.Reason == contact.ByProfile) == profile && !slices.ContainsFunc(out, func(o Value) bool { return same(field, o.Text, v.Text) }) {
					out = append(out, v)
				}
			}
			if len(out) > 0 && !contact.Many(field) {
				return out
			}
		}
	}
	return out
}

func same(field, a, b string) bool {
	return a == b || field == contact.Emails && contact.Email(a) == contact.Email(b)
}

// index makes the rows that were derived from a contact those that are.
func index[K, R comparable](rows interface {
	Put(R)
	Delete(K)
}, key func(R) K, before, after []R,
) {
	for _, r := range before {
		if !slices.ContainsFunc(after, func(o R) bool { return key(o) == key(r) }) {
			rows.Delete(key(r))
		}
	}
	for _, r := range after {
		if !slices.Contains(before, r) {
			rows.Put(r)
		}
	}
}

// tag keeps the tag index.
func (p *Projection) tag(before, after *Row) {
	index(p.tags, func(r TagRow) TagKey { return r.TagKey }, tagged(before), tagged(after))
}

func tagged(r *Row) (out []TagRow) {
	if r == nil || r.Filed == "" {
		return nil
	}
	for _, t := range r.Tags {
		out = append(out, TagRow{TagKey{r.Filed, t, r.ID}, r.CreatedAt, r.UpdatedAt})
	}
	return out
}

// gather keeps who is in which group.
func (p *Projection) gather(before, after *Row) {
	index(p.groups, func(r GroupRow) GroupKey { return r.GroupKey }, gathered(before), gathered(after))
}

func gathered(r *Row) (out []GroupRow) {
	if r == nil || r.Filed == "" {
		return nil
	}
	for _, g := range r.Groups {
		out = append(out, GroupRow{GroupKey{r.Filed, g, r.ID}, r.CreatedAt, r.UpdatedAt})
	}
	return out
}

// count keeps how many are in each group.
func (p *Projection) count(before, after *GroupRow) {
	by, group := int64(1), ""
	switch {
	case before == nil:
		group = after.Group
	case after == nil:
		by, group = -1, before.Group
	default:
		return
	}
	p.sizes.Change(group, func(r *GroupSize) *GroupSize {
		if r == nil {
			r = &GroupSize{Group: group}
		}
		if r.Contacts += by; r.Contacts == 0 {
			return nil
		}
		return r
	})
}

// find keeps whose chats there are.
func (p *Projection) find(before, after *Row) {
	index(p.chats, func(r ChatRow) ChatKey { return r.ChatKey }, chatting(before), chatting(after))
}

func chatting(r *Row) (out []ChatRow) {
	if r == nil || r.Filed == "" {
		return nil
	}
	for _, p := range r.Parts {
		for _, l := range p.Chats {
			if row := (ChatRow{ChatKey{l.Chat, r.ID}, r.Filed}); !slices.Contains(out, row) {
				out = append(out, row)
			}
		}
	}
	return out
}

// hold keeps what contacts have of the workspace's own attributes.
func (p *Projection) hold(before, after *Row) {
	index(p.values, func(r ValueRow) ValueKey { return r.ValueKey }, held(before), held(after))
}

func held(r *Row) (out []ValueRow) {
	if r == nil || r.Filed == "" {
		return nil
	}
	for _, p := range r.Parts {
		for field := range p.Fields {
			id, own := contact.Attribute(field)
			v := r.one(field)
			if !own || v == "" {
				continue
			}
			row := ValueRow{ValueKey{r.Filed, r.ID, id}, v, attribute.Sortable(v)}
			if !slices.Contains(out, row) {
				out = append(out, row)
			}
		}
	}
	slices.SortFunc(out, func(a, b ValueRow) int { return strings.Compare(a.Attribute, b.Attribute) })
	return out
}

// know keeps what contacts are known by.
func (p *Projection) know(before, after *Row) {
	index(p.known, func(r KnownRow) KnownBy { return r.KnownBy }, knownBy(before), knownBy(after))
}

func knownBy(r *Row) (out []KnownRow) {
	if r == nil || r.Filed == "" {
		return nil
	}
	for _, v := range r.Values(contact.Emails) {
		out = append(out, KnownRow{KnownBy{r.Filed, byEmail, contact.Email(v.Text), r.ID}})
	}
	for _, v := range r.Values(contact.Phones) {
		number, _ := contact.Phone(v.Text)
		out = append(out, KnownRow{KnownBy{r.Filed, byPhone, number, r.ID}})
	}
	return out
}
