// Package usage is how many chats, contacts and orders have each tag, and how many
// contacts have each status, whether or not it is still in use.
//
// It folds and reads; it decides nothing. What is deleted does not count. A contact
// that was merged into another counts as that one, as in the list of contacts.
package usage

import (
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/contacts"
)

// Subject is a row of usage_v2_subjects: the tags of a chat or an order. One that has
// none and is not deleted has no row.
type Subject struct {
	Stream    string   `db:"stream,key"` // "chat-…" or "order-…"
	Workspace string   `db:"workspace"`
	Tags      []string `db:"tags"` // ids, sorted
	Deleted   bool     `db:"deleted"`
}

// Part is a row of usage_v2_parts: what a contact has itself.
type Part struct {
	ID        string   `db:"contact_id,key" json:"id"`
	Workspace string   `db:"workspace" json:"workspace,omitempty"` // "" before it was added
	Into      string   `db:"merged_into" json:"-"`
	Deleted   bool     `db:"deleted" json:"deleted,omitempty"`
	Status    string   `db:"status" json:"status,omitempty"`
	Tags      []string `db:"tags" json:"tags,omitempty"` // ids, sorted
}

// Person is a row of usage_v2_contacts: a contact with those merged into it.
type Person struct {
	ID    string `db:"contact_id,key"`
	Parts []Part `db:"parts"` // its own first, if it has one
}

// TagKey is the key of usage_v2_tags.
type TagKey struct {
	Workspace string `db:"workspace,key"`
	Tag       string `db:"tag,key"`
}

// TagRow is a row of usage_v2_tags: how many have a tag. A tag that none has, has no
// row.
type TagRow struct {
	TagKey
	Chats    int64 `db:"chats"`
	Orders   int64 `db:"orders"`
	Contacts int64 `db:"contacts"`
}

// StatusKey is the key of usage_v2_statuses.
type StatusKey struct {
	Workspace string `db:"workspace,key"`
	Status    string `db:"status,key"`
}

// StatusRow is a row of usage_v2_statuses: how many contacts have a status. A status
// that none has, has no row.
type StatusRow struct {
	StatusKey
	Contacts int64 `db:"contacts"`
}

// Projection keeps the counts up to date.
type Projection struct {
	subjects *projections.Rows[string, Subject]
	parts    *projections.Rows[string, Part]
	people   *projections.Rows[string, Person]
	tags     *projections.Rows[TagKey, TagRow]
	statuses *projections.Rows[StatusKey, StatusRow]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	p := &Projection{
		subjects: projections.NewRows("usage_v2_subjects", func(s *Subject) string { return s.Stream }),
		parts:    projections.NewRows("usage_v2_parts", func(r *Part) string { return r.ID }),
		people:   projections.NewRows("usage_v2_contacts", func(r *Person) string { return r.ID }),
		tags:     projections.NewRows("usage_v2_tags", func(r *TagRow) TagKey { return r.TagKey }),
		statuses: projections.NewRows("usage_v2_statuses", func(r *StatusRow) StatusKey { return r.StatusKey }),
	}
	p.subjects.OnChange(p.count)
	p.parts.OnChange(p.show)
	p.people.OnChange(p.countPeople)
	return p
}

// Name returns the name under which the counts were published with contacts.
func (*Projection) Name() string { return "usage.v2" }

// Categories returns the categories of streams that have tags.
func (*Projection) Categories() []string { return []string{"chat", "order", "contact"} }

// Tables returns what has tags and statuses, and the counts that follow from it.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.subjects, p.parts, p.people, p.tags, p.statuses}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	change := func(fold func(*Subject)) {
		p.subjects.Change(e.Stream, func(before *Subject) *Subject {
			s := Subject{Stream: e.Stream, Workspace: e.Meta.Workspace}
			if before != nil {
				s = *before
			}
			fold(&s)
			if len(s.Tags) == 0 && !s.Deleted {
				return nil
			}
			return &s
		})
	}
	switch f := e.Fact.(type) {
	case chat.TagsChanged:
		change(func(s *Subject) { s.Tags = projections.Retag(s.Tags, f.Added, f.Removed) })
	case order.TagsChanged:
		change(func(s *Subject) { s.Tags = projections.Retag(s.Tags, f.Added, f.Removed) })
	case chat.Deleted:
		change(func(s *Subject) { s.Deleted = true })
	case chat.Restored:
		change(func(s *Subject) { s.Deleted = false })
	case contact.Event:
		p.contact(e.Subject(), f)
	}
}

func (p *Projection) contact(id string, fact contact.Event) {
	change := func(fold func(*Part)) {
		p.parts.Upsert(id, func(r *Part) {
			r.ID = id
			fold(r)
		})
	}
	switch f := fact.(type) {
	case contact.Added:
		change(func(r *Part) { r.Workspace, r.Status = f.Workspace, f.Status })
	case contact.TagsChanged:
		change(func(r *Part) { r.Tags = projections.Retag(r.Tags, f.Added, f.Removed) })
	case contact.StatusSet:
		change(func(r *Part) { r.Status = f.Status })
	case contact.Deleted:
		change(func(r *Part) { r.Deleted = true })
	case contact.Restored:
		change(func(r *Part) { r.Deleted = false })
	case contact.Merged:
		change(func(r *Part) { r.Into = string(f.Into) })
	case contact.Unmerged:
		change(func(r *Part) { r.Into = "" })
	}
}

// show puts a part where it is shown.
func (p *Projection) show(before, after *Part) {
	contacts.Wholes[Part, Person]{
		Rows: p.people, Part: func(p Part) (id, into string) { return p.ID, p.Into },
		Parts: func(r *Person) []Part { return r.Parts },
		Row:   func(id string, parts []Part) *Person { return &Person{id, parts} },
	}.Show(before, after)
}

// shown returns what a contact that is in the list has, with the tags of all its parts.
func (r *Person) shown() (own Part, ok bool) {
	if r == nil || r.Parts[0].ID != r.ID || r.Parts[0].Deleted || r.Parts[0].Workspace == "" {
		return Part{}, false
	}
	own = r.Parts[0]
	for _, p := range r.Parts[1:] {
		own.Tags = projections.Retag(own.Tags, p.Tags, nil)
	}
	return own, true
}

func (p *Projection) countPeople(before, after *Person) {
	for _, c := range []struct {
		row *Person
		n   int64
	}{{before, -1}, {after, +1}} {
		s, ok := c.row.shown()
		if !ok {
			continue
		}
		for _, t := range s.Tags {
			p.tally(TagKey{s.Workspace, t}, func(r *TagRow) { r.Contacts += c.n })
		}
		k := StatusKey{s.Workspace, s.Status}
		p.statuses.Change(k, func(r *StatusRow) *StatusRow {
			row := StatusRow{StatusKey: k}
			if r != nil {
				row = *r
			}
			if row.Contacts += c.n; row.Contacts == 0 {
				return nil
			}
			return &row
		})
	}
}

func (p *Projection) count(before, after *Subject) {
	p.add(before, -1)
	p.add(after, +1)
}

func (p *Projection) add(s *Subject, n int64) {
	if s == nil || s.Deleted {
		return
	}
	for _, t := range s.Tags {
		p.tally(TagKey{s.Workspace, t}, func(r *TagRow) {
			if strings.HasPrefix(s.Stream, "chat-") {
				r.Chats += n
			} else {
				r.Orders += n
			}
		})
	}
}

// tally changes the counts of a tag. A row of nothing is taken away, so that a
// counter's history leaves no trace.
func (p *Projection) tally(k TagKey, fold func(*TagRow)) {
	p.tags.Change(k, func(r *TagRow) *TagRow {
		row := TagRow{TagKey: k}
		if r != nil {
			row = *r
		}
		fold(&row)
		if row == (TagRow{TagKey: k}) {
			return nil
		}
		return &row
	})
}
