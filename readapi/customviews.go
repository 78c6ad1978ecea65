package readapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/customviews"
)

// analysts add views of their own.
var analysts = []agent.Role{agent.RoleAnalyst, agent.RoleAdmin}

type inCustomViews struct {
	web.Read
	Paging
}

type inCustomView struct {
	web.Read
	View string `path:"view" example:"orders-by-city"`
}

type inCustomVersion struct {
	web.Read
	View    string `path:"view" example:"orders-by-city"`
	Version int64  `path:"version" minimum:"1"`
}

// CustomView is a view that an analyst added.
type CustomView struct {
	Name        string    `json:"name" example:"orders-by-city"`
	Description string    `json:"description"`
	Published   *int64    `json:"published" doc:"The version that is read when none is named, or null."`
	Versions    []int64   `json:"versions" nullable:"false" doc:"That are kept up to date, the oldest first."`
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by"`
	UpdatedAt   time.Time `json:"updated_at"`
	UpdatedBy   string    `json:"updated_by"`
}

// CustomVersion is a version of a custom view.
type CustomVersion struct {
	View        string        `json:"view"`
	Version     int64         `json:"version"`
	Description string        `json:"description"`
	Types       []string      `json:"types" nullable:"false" doc:"Of the events that the script is given; empty: all that analysts may see."`
	Tables      []CustomTable `json:"tables" nullable:"false"`
	Script      string        `json:"script"`
	CreatedAt   time.Time     `json:"created_at"`
	CreatedBy   string        `json:"created_by"`
}

// CustomTable is a table of a custom view.
type CustomTable struct {
	Name    string         `json:"name" example:"cities"`
	Key     string         `json:"key" example:"city"`
	Columns []CustomColumn `json:"columns" nullable:"false"`
}

// CustomColumn is a column of a table.
type CustomColumn struct {
	Name string `json:"name" example:"orders"`
	Type string `json:"type" enum:"text,integer,number,boolean,time,json"`
}

func newCustomView(v customviews.View) CustomView {
	out := CustomView{
		Name: v.Name, Description: v.Description, Versions: orEmpty(v.Versions),
		CreatedAt: moment(v.CreatedAt), CreatedBy: v.CreatedBy, UpdatedAt: moment(v.UpdatedAt), UpdatedBy: v.UpdatedBy,
	}
	if v.Published != 0 {
		out.Published = &v.Published
	}
	return out
}

func newCustomVersion(v customviews.Version) CustomVersion {
	return CustomVersion{
		View: v.Name, Version: v.Version, Description: v.Description, Types: orEmpty(v.Definition.Types), Tables: newCustomTables(v.Definition.Tables),
		Script: v.Definition.Script, CreatedAt: moment(v.CreatedAt), CreatedBy: v.CreatedBy,
	}
}

func newCustomTables(tables []customview.Table) []CustomTable {
	out := make([]CustomTable, len(tables))
	for i, t := range tables {
		out[i] = CustomTable{Name: t.Name, Key: t.Key, Columns: make([]CustomColumn, len(t.Columns))}
		for j, c := range t.Columns {
			out[i].Columns[j] = CustomColumn{c.Name, string(c.Type)}
		}
	}
	return out
}

// customViews is the table of what can be read about custom views.
func (a *API) customViews() []web.Endpoint {
	defined := []string{(*customviews.Projection)(nil).Name()}
	return []web.Endpoint{
		read(a, "/v1/custom-views", analysts, "List custom views, by name", defined, listCustomViews,
			"Views that analysts added: scripts that fold events into rows. See docs/custom-views.md."),
		read(a, "/v1/custom-views/{view}", analysts, "Get a custom view", defined, getCustomView),
		read(a, "/v1/custom-views/{view}/versions/{version}", analysts, "Get a version of a custom view, with its script", defined, getCustomVersion),
	}
}

func listCustomViews(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCustomViews) (web.List[CustomView], eventstore.Revision, error) {
	page, err := customviews.List(ctx, tx, r.Workspace, cursor.Query{Cursor: in.Cursor, Limit: in.Limit})
	items := make([]CustomView, len(page.Items))
	for i, v := range page.Items {
		items[i] = newCustomView(v)
	}
	return web.NewList(items, page.Next), none, err
}

func getCustomView(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCustomView) (CustomView, eventstore.Revision, error) {
	v, err := customviews.Get(ctx, tx, r.Workspace, in.View)
	if err != nil {
		return CustomView{}, none, err
	}
	revision, err := customviews.Revision(ctx, tx, r.Workspace)
	return newCustomView(v), eventstore.Revision(revision), err
}

func getCustomVersion(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCustomVersion) (CustomVersion, eventstore.Revision, error) {
	v, err := customviews.GetVersion(ctx, tx, r.Workspace, in.View, in.Version)
	if err != nil {
		return CustomVersion{}, none, err
	}
	revision, err := customviews.Revision(ctx, tx, r.Workspace)
	return newCustomVersion(v), eventstore.Revision(revision), err
}
