// Package usage is how many chats and orders have each tag, whether or not the tag
// is still in use. The tags of contacts do not count.
//
// It folds and reads; it decides nothing. Chats that are deleted do not count.
package usage

import (
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/projections"
)

// Subject is a row of usage_subjects: the tags of a chat or an order. One that has
// none and is not deleted has no row.
type Subject struct {
	Stream    string   `db:"stream,key"` // "chat-…" or "order-…"
	Workspace string   `db:"workspace"`
	Tags      []string `db:"tags"` // ids, sorted
	Deleted   bool     `db:"deleted"`
}

// TagKey is the key of usage_tags.
type TagKey struct {
	Workspace string `db:"workspace,key"`
	Tag       string `db:"tag,key"`
}

// TagRow is a row of usage_tags: how many have a tag. A tag that none has, has no
// row.
type TagRow struct {
	TagKey
	Chats  int64 `db:"chats"`
	Orders int64 `db:"orders"`
}

// Projection keeps the counts up to date.
type Projection struct {
	subjects *projections.Rows[string, Subject]
	tags     *projections.Rows[TagKey, TagRow]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	p := &Projection{
		subjects: projections.NewRows("usage_subjects", func(s *Subject) string { return s.Stream }),
		tags:     projections.NewRows("usage_tags", func(r *TagRow) TagKey { return r.TagKey }),
	}
	p.subjects.OnChange(p.count)
	return p
}

// Name returns the name under which the counts were first published.
func (*Projection) Name() string { return "usage.v1" }

// Categories returns the categories of streams that have tags.
func (*Projection) Categories() []string { return []string{"chat", "order"} }

// Tables returns what has tags, and the counts that follow from it.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.subjects, p.tags} }

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
		k := TagKey{s.Workspace, t}
		p.tags.Change(k, func(r *TagRow) *TagRow {
			c := TagRow{TagKey: k}
			if r != nil {
				c = *r
			}
			if strings.HasPrefix(s.Stream, "chat-") {
				c.Chats += n
			} else {
				c.Orders += n
			}
			if c.Chats == 0 && c.Orders == 0 {
				return nil // so that a counter's history leaves no trace
			}
			return &c
		})
	}
}
