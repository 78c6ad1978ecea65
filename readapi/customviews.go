package readapi

import (
	"context"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/customviews"
	"github.com/chatledger/chatledger/projections/scripted"
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
	Name        string           `json:"name" example:"orders-by-city"`
	Description string           `json:"description"`
	Published   *int64           `json:"published" doc:"The version that is read when none is named, or null."`
	Versions    []CustomProgress `json:"versions" nullable:"false" doc:"That are kept up to date, the oldest first."`
	CreatedAt   time.Time        `json:"created_at"`
	CreatedBy   string           `json:"created_by"`
	UpdatedAt   time.Time        `json:"updated_at"`
	UpdatedBy   string           `json:"updated_by"`
}

// CustomProgress is how far a version of a custom view is.
type CustomProgress struct {
	Version  int64          `json:"version"`
	State    string         `json:"state" enum:"building,running,stopped" doc:"building until it has caught up with the log once; stopped at an event that the script could not take."`
	Position int64          `json:"position" doc:"Every event up to here is in the rows."`
	Lag      int64          `json:"lag" doc:"Events of the log behind that, whatever they are about."`
	Rate     float64        `json:"events_per_second" doc:"Of the log, lately."`
	ETA      *float64       `json:"eta_seconds" doc:"Until it has caught up; null if that cannot be told."`
	Rows     int64          `json:"rows"`
	Bytes    int64          `json:"bytes" doc:"Of the rows."`
	Failure  *CustomFailure `json:"failure" doc:"Why it stopped, or null."`
}

// CustomFailure says what a script could not take.
type CustomFailure struct {
	Position int64     `json:"position" doc:"Of the event, as are the next two."`
	Event    string    `json:"event"`
	Type     string    `json:"type" example:"order.placed.v1"`
	Kind     string    `json:"kind" enum:"error,time,killed,limit" doc:"error: it threw. time: it took too long. killed: its process was, for memory or time. limit: the rows are too many."`
	Message  string    `json:"message"`
	Line     int       `json:"line,omitempty" doc:"Of the script, from 1; absent if it cannot be told."`
	Column   int       `json:"column,omitempty"`
	At       time.Time `json:"at"`
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

func newCustomView(v customviews.View, progress []CustomProgress) CustomView {
	out := CustomView{
		Name: v.Name, Description: v.Description, Versions: orEmpty(progress),
		CreatedAt: moment(v.CreatedAt), CreatedBy: v.CreatedBy, UpdatedAt: moment(v.UpdatedAt), UpdatedBy: v.UpdatedBy,
	}
	if v.Published != 0 {
		out.Published = &v.Published
	}
	return out
}

func (a *API) newProgress(version int64, s scripted.Status, head eventstore.Position) CustomProgress {
	p := CustomProgress{
		Version: version, State: s.State, Position: int64(s.Position), Lag: max(0, int64(head-s.Position)), Rate: s.Rate, Rows: s.Rows, Bytes: s.Bytes,
		Failure: newCustomFailure(s.Failure),
	}
	if eta, ok := s.ETA(head, a.Now()); ok {
		seconds := eta.Seconds()
		p.ETA = &seconds
	}
	return p
}

func newCustomFailure(f scripted.Failure) *CustomFailure {
	if f.Position == 0 {
		return nil
	}
	return &CustomFailure{f.Position, f.Event, f.Type, f.Kind, f.Message, f.Line, f.Column, moment(f.At)}
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

// definedIn names the view that has the custom views of all workspaces.
func definedIn() []string { return []string{(*customviews.Projection)(nil).Name()} }

// customViews is the table of what can be read about custom views.
func (a *API) customViews() []web.Endpoint {
	return []web.Endpoint{
		read(a, "/v1/custom-views", analysts, "List custom views, by name", definedIn(), a.listCustomViews,
			"Views that analysts added: scripts that fold events into rows. See docs/custom-views.md.", withProgress),
		read(a, "/v1/custom-views/{view}", analysts, "Get a custom view, and how far its versions are", definedIn(), a.getCustomView, withProgress),
		read(a, "/v1/custom-views/{view}/versions/{version}", analysts, "Get a version of a custom view, with its script", definedIn(), getCustomVersion),
		a.tryCustomView(),
		customRead(a, "/v1/custom-views/{view}/tables/{table}/rows", "List the rows of a custom view, by key", listCustomRows),
		customRead(a, "/v1/custom-views/{view}/tables/{table}/rows/{key}", "Get a row of a custom view", getCustomRow),
		a.compareCustomVersions(),
		a.customExportFile(),
	}
}

const withProgress = "How far versions are is as of now, the rest as of Position."

// progress returns how far the versions of views are.
func (a *API) progress(ctx context.Context, workspace string, views ...customviews.View) ([][]CustomProgress, error) {
	head, err := a.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the head: %w", err)
	}
	var all map[scripted.VersionKey]scripted.Status
	err = a.Custom.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		all, err = scripted.StatusOfAll(ctx, tx, workspace)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([][]CustomProgress, len(views))
	for i, v := range views {
		for _, n := range v.Versions {
			s, begun := all[scripted.VersionKey{View: v.Name, Version: n}]
			if !begun {
				s.State = scripted.StateBuilding
			}
			out[i] = append(out[i], a.newProgress(n, s, head.Position))
		}
	}
	return out, nil
}

func (a *API) listCustomViews(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCustomViews) (out web.List[CustomView], _ eventstore.Revision, err error) {
	page, err := customviews.List(ctx, tx, r.Workspace, cursor.Query{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return out, none, err
	}
	progress, err := a.progress(ctx, r.Workspace, page.Items...)
	if err != nil {
		return out, none, err
	}
	items := make([]CustomView, len(page.Items))
	for i, v := range page.Items {
		items[i] = newCustomView(v, progress[i])
	}
	return web.NewList(items, page.Next), none, nil
}

func (a *API) getCustomView(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCustomView) (CustomView, eventstore.Revision, error) {
	v, err := customviews.Get(ctx, tx, r.Workspace, in.View)
	if err != nil {
		return CustomView{}, none, err
	}
	progress, err := a.progress(ctx, r.Workspace, v)
	if err != nil {
		return CustomView{}, none, err
	}
	revision, err := customviews.Revision(ctx, tx, r.Workspace)
	return newCustomView(v, progress[0]), eventstore.Revision(revision), err
}

func getCustomVersion(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCustomVersion) (CustomVersion, eventstore.Revision, error) {
	v, err := customviews.GetVersion(ctx, tx, r.Workspace, in.View, in.Version)
	if err != nil {
		return CustomVersion{}, none, err
	}
	revision, err := customviews.Revision(ctx, tx, r.Workspace)
	return newCustomVersion(v), eventstore.Revision(revision), err
}
