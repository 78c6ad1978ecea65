// Package customviews is which custom views a workspace has, with their versions. Their
// rows are elsewhere: package scripted makes them.
//
// It folds and reads; it decides nothing and runs no script.
package customviews

import (
	"slices"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/projections"
)

// Key names a custom view.
type Key struct {
	Workspace string `db:"workspace,key"`
	Name      string `db:"name,key"`
}

// View is a row of customviews_views: one that has versions. Times are in microseconds
// since 1970 UTC.
type View struct {
	Key
	Published   int64   `db:"published"` // version; 0 if none is
	Versions    []int64 `db:"versions"`  // that are kept up to date, in their order
	Description string  `db:"description"`
	CreatedAt   int64   `db:"created_at"`
	CreatedBy   string  `db:"created_by"`
	UpdatedAt   int64   `db:"updated_at"`
	UpdatedBy   string  `db:"updated_by"`
}

// VersionKey names a version.
type VersionKey struct {
	Workspace string `db:"workspace,key"`
	Name      string `db:"name,key"`
	Version   int64  `db:"version,key"`
}

// Version is a row of customviews_versions. It stays when the version is dropped: what
// once made rows can be read for ever.
type Version struct {
	VersionKey
	Definition  customview.Definition `db:"definition"`
	Description string                `db:"description"`
	CreatedAt   int64                 `db:"created_at"`
	CreatedBy   string                `db:"created_by"`
}

// Space is a row of customviews_spaces: what the custom views of a workspace have in
// common.
type Space struct {
	Workspace string `db:"workspace,key"`
	Revision  int64  `db:"revision"` // of their stream
}

// Projection keeps the custom views up to date.
type Projection struct {
	views    *projections.Rows[Key, View]
	versions *projections.Rows[VersionKey, Version]
	spaces   *projections.Rows[string, Space]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{
		views:    projections.NewRows("customviews_views", func(v *View) Key { return v.Key }),
		versions: projections.NewRows("customviews_versions", func(v *Version) VersionKey { return v.VersionKey }),
		spaces:   projections.NewRows("customviews_spaces", func(s *Space) string { return s.Workspace }),
	}
}

// Name returns the name under which the custom views were first published.
func (*Projection) Name() string { return "customviews.v1" }

// Categories returns the one category of streams that tells of custom views.
func (*Projection) Categories() []string { return []string{"customviews"} }

// Tables returns the tables of custom views.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.views, p.versions, p.spaces}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case customview.Saved:
		p.versions.Put(Version{
			VersionKey: VersionKey{e.Meta.Workspace, string(f.View), int64(f.Version)}, Definition: f.Definition, Description: f.Description, CreatedAt: e.At(), CreatedBy: f.By,
		})
		p.change(e, f.View, f.By, func(v *View) {
			if len(v.Versions) == 0 {
				v.CreatedAt, v.CreatedBy = e.At(), f.By
			}
			v.Versions, v.Description = append(slices.Clone(v.Versions), int64(f.Version)), f.Description
		})
	case customview.Published:
		p.change(e, f.View, f.By, func(v *View) { v.Published = int64(f.Version) })
	case customview.Dropped:
		p.change(e, f.View, f.By, func(v *View) {
			v.Versions = slices.DeleteFunc(slices.Clone(v.Versions), func(n int64) bool { return n == int64(f.Version) })
		})
	case customview.Retired:
		p.views.Delete(Key{e.Meta.Workspace, string(f.View)})
	case customview.Retried: // changes the revision only
	default:
		return
	}
	p.spaces.Put(Space{e.Meta.Workspace, int64(e.Revision)})
}

func (p *Projection) change(e projections.Event, view customview.Name, by string, fold func(*View)) {
	k := Key{e.Meta.Workspace, string(view)}
	p.views.Upsert(k, func(v *View) {
		v.Key = k
		fold(v)
		v.UpdatedAt, v.UpdatedBy = e.At(), by
	})
}
