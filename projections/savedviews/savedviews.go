// Package savedviews is the saved views of a workspace.
//
// It folds and reads; it decides nothing. Who may see which is for the caller to
// say.
package savedviews

import (
	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/projections"
)

// Key names a saved view.
type Key struct {
	Workspace string `db:"workspace,key"`
	ID        string `db:"view_id,key"`
}

// View is a row of savedviews_views. Times are in microseconds since 1970 UTC.
type View struct {
	Key
	Place     string   `db:"place"` // "shared" or "personal.<agent>"
	Scope     string   `db:"scope"`
	Of        string   `db:"of_id"` // the agent's id
	Target    string   `db:"target"`
	Order     int64    `db:"ord"` // among those of the place and target
	Name      string   `db:"name"`
	Icon      string   `db:"icon"`
	Colour    string   `db:"colour"`
	Filter    string   `db:"filter_json"` // "" for everything
	Sort      string   `db:"sort_by"`
	Columns   []string `db:"shown_columns"`
	CreatedAt int64    `db:"created_at"`
	CreatedBy string   `db:"created_by"`
	UpdatedAt int64    `db:"updated_at"`
	UpdatedBy string   `db:"updated_by"`
}

// Look returns how the view is, as the domain has it.
func (v View) Look() savedview.Look {
	return savedview.Look{Name: v.Name, Icon: v.Icon, Colour: v.Colour, Filter: []byte(v.Filter), Sort: v.Sort, Columns: v.Columns}
}

// PlaceKey names a place.
type PlaceKey struct {
	Workspace string `db:"workspace,key"`
	Place     string `db:"place,key"`
}

// Place is a row of savedviews_places: what the saved views of a place have in
// common.
type Place struct {
	PlaceKey
	Revision int64 `db:"revision"` // of their stream
}

// Projection keeps the saved views up to date.
type Projection struct {
	views  *projections.Rows[Key, View]
	places *projections.Rows[PlaceKey, Place]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{
		views: projections.NewRows("savedviews_views", func(v *View) Key { return v.Key },
			projections.Index{Name: "by_place", Columns: "workspace, place, target, ord, view_id"}),
		places: projections.NewRows("savedviews_places", func(p *Place) PlaceKey { return p.PlaceKey }),
	}
}

// Name returns the name under which the saved views were first published.
func (*Projection) Name() string { return "savedviews.v1" }

// Categories returns the one category of streams that tells of saved views.
func (*Projection) Categories() []string { return []string{"savedviews"} }

// Tables returns the tables of saved views.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.views, p.places} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	workspace := e.Meta.Workspace
	change := func(id savedview.ID, fold func(*View)) {
		p.views.Update(Key{workspace, string(id)}, fold)
	}
	switch f := e.Fact.(type) {
	case savedview.Created:
		at := savedview.Place{Scope: f.Scope, Of: f.Of}
		p.views.Put(View{
			Key: Key{workspace, string(f.View)}, Place: at.String(), Scope: string(f.Scope), Of: f.Of, Target: f.Target, Order: f.Order,
			Name: f.Name, Icon: f.Icon, Colour: f.Colour, Filter: string(f.Filter), Sort: f.Sort, Columns: f.Columns,
			CreatedAt: e.At(), CreatedBy: f.By, UpdatedAt: e.At(), UpdatedBy: f.By,
		})
		p.moved(e, f.View)
	case savedview.Changed:
		change(f.View, func(v *View) {
			v.Name, v.Icon, v.Colour, v.Filter, v.Sort, v.Columns = f.Name, f.Icon, f.Colour, string(f.Filter), f.Sort, f.Columns
			v.UpdatedAt, v.UpdatedBy = e.At(), f.By
		})
		p.moved(e, f.View)
	case savedview.Ordered:
		for i, id := range f.Views {
			change(id, func(v *View) { v.Order = int64(i) })
			p.moved(e, id)
		}
	case savedview.Deleted:
		p.views.Delete(Key{workspace, string(f.View)})
		p.moved(e, f.View)
	}
}

// moved notes the revision of the stream of a view's place.
func (p *Projection) moved(e projections.Event, id savedview.ID) {
	if at, ok := id.Place(); ok {
		p.places.Put(Place{PlaceKey{e.Meta.Workspace, at.String()}, int64(e.Revision)})
	}
}
