package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/viewscript"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/customviews"
	"github.com/chatledger/chatledger/projections/scripted"
)

// Custom is what answers about the rows of custom views need. Nothing of it has a
// default.
type Custom struct {
	DB      sqldb.DB          // that they are in
	Scripts scripted.Scripts  // that dry-runs are run by: others than those that build views, which they must not hold up
	Known   func(string) bool // whether there is a type of events
}

// OfCustomTable names a table of a version of a custom view.
type OfCustomTable struct {
	web.Read
	View    string `path:"view" example:"orders-by-city"`
	Table   string `path:"table" example:"cities"`
	Version int64  `query:"version" minimum:"1" doc:"The one that is published if it is not given."`
}

type inCustomRows struct {
	OfCustomTable
	Paging
}

type inCustomRow struct {
	OfCustomTable
	Key string `path:"key" example:"Berlin"`
}

// asked is what all questions about a table embed.
func (in OfCustomTable) asked() OfCustomTable { return in }

type askingTable interface {
	reading
	asked() OfCustomTable
}

// customRead returns the endpoint of a query on the rows of a version. query runs in
// one snapshot, the same that the Position of the answer is read in.
func customRead[I, B any](a *API, path, summary string, query func(ctx context.Context, tx sqldb.Tx, s scripted.Status, t customview.Table, in *I) (B, error), description ...string) web.Endpoint {
	route := web.Route{Method: http.MethodGet, Path: path, Tag: tagOf(path), Summary: summary, Roles: analysts}
	for _, d := range description {
		route.Description = d
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *I) (*web.Answer[B], error) {
		want := any(in).(askingTable)
		of := want.asked()
		def, err := a.customVersion(ctx, r, want, of.View, of.Version)
		if err != nil {
			return nil, err
		}
		table, ok := def.Definition.Table(of.Table)
		if !ok {
			return nil, customview.ErrTable
		}
		var out web.Answer[B]
		err = a.readCustom(ctx, func(tx sqldb.Tx) error {
			s, err := scripted.StatusOf(ctx, tx, r.Workspace, of.View, def.Version)
			if err != nil {
				return err
			}
			if s.Position < want.Min() {
				return want.NotReached()
			}
			out.Position = web.Position(s.Position)
			out.Body, err = query(ctx, tx, s, table, in)
			return err
		})
		return &out, err
	}, nil)
}

// customVersion returns a version, after it has reached what the request wants.
func (a *API) customVersion(ctx context.Context, r *web.Request, want reading, view string, version int64) (v customviews.Version, err error) {
	get := func(ctx context.Context) error {
		return a.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
			v, err = customviews.GetVersion(ctx, tx, r.Workspace, view, version)
			return err
		})
	}
	waited := false
	err = want.Await(ctx, r, func(ctx context.Context, p eventstore.Position) error {
		waited = true
		if err := a.Waiter.Wait(ctx, p, definedIn()...); err != nil {
			return err
		}
		if err := get(ctx); err != nil {
			return err
		}
		return scripted.Wait(ctx, a.Custom.DB, r.Workspace, view, v.Version, p)
	})
	if err == nil && !waited {
		err = get(ctx)
	}
	return v, closed(err)
}

func (a *API) readCustom(ctx context.Context, do func(sqldb.Tx) error) error {
	return closed(a.Custom.DB.Read(ctx, do))
}

// closed tells of a database that is closed as a server that stops.
func closed(err error) error {
	if errors.Is(err, sqldb.ErrClosed) {
		return web.Unavailable(web.CodeTimeout, "the server is shutting down", time.Second)
	}
	return err
}

func listCustomRows(ctx context.Context, tx sqldb.Tx, s scripted.Status, t customview.Table, in *inCustomRows) (web.List[json.RawMessage], error) {
	page, err := scripted.Rows(ctx, tx, scripted.Query{Status: s, Table: t, Cursor: in.Cursor, Limit: in.Limit})
	return web.NewList(page.Rows, page.Next), err
}

func getCustomRow(ctx context.Context, tx sqldb.Tx, s scripted.Status, t customview.Table, in *inCustomRow) (json.RawMessage, error) {
	return scripted.Row(ctx, tx, s, t, in.Key)
}

type inVersions struct {
	web.Read
	Paging
	View  string `path:"view" example:"orders-by-city"`
	Table string `path:"table" example:"cities"`
	From  int64  `query:"from" minimum:"1" required:"true" doc:"A version."`
	To    int64  `query:"to" minimum:"1" required:"true" doc:"Another."`
}

// CustomDifferences are rows that two versions of a custom view do not have alike.
type CustomDifferences struct {
	FromPosition int64              `json:"from_position" doc:"What the first version reflects. Compare two that are at the same position."`
	ToPosition   int64              `json:"to_position"`
	Items        []CustomDifference `json:"items" nullable:"false"`
	NextCursor   string             `json:"next_cursor,omitempty" doc:"For the next page; absent on the last one."`
}

// CustomDifference is a row that two versions do not have alike.
type CustomDifference struct {
	Key     string          `json:"key"`
	From    json.RawMessage `json:"from" doc:"The row of the first version, or null if it has none."`
	To      json.RawMessage `json:"to" doc:"That of the other."`
	Columns []string        `json:"columns" nullable:"false" doc:"That both have, with another value."`
}

func (a *API) compareCustomVersions() web.Endpoint {
	const path = "/v1/custom-views/{view}/tables/{table}/difference"
	return web.NewEndpoint(web.Route{
		Method: http.MethodGet, Path: path, Tag: tagOf(path), Summary: "What two versions of a custom view do not have alike", Roles: analysts,
		Description: "By key: rows that only one has, and those with another value in a column that both have. " + shortPages,
	}, func(ctx context.Context, r *web.Request, in *inVersions) (*web.Answer[CustomDifferences], error) {
		from, fromTable, err := a.sideOf(ctx, r, in, in.From)
		if err != nil {
			return nil, err
		}
		to, toTable, err := a.sideOf(ctx, r, in, in.To)
		if err != nil {
			return nil, err
		}
		var out web.Answer[CustomDifferences]
		err = a.readCustom(ctx, func(tx sqldb.Tx) error {
			x, err := scripted.StatusOf(ctx, tx, r.Workspace, in.View, from)
			if err != nil {
				return err
			}
			y, err := scripted.StatusOf(ctx, tx, r.Workspace, in.View, to)
			if err != nil {
				return err
			}
			if min(x.Position, y.Position) < in.Min() {
				return in.NotReached()
			}
			d, err := scripted.Compare(ctx, tx, scripted.Side{Status: x, Table: fromTable}, scripted.Side{Status: y, Table: toTable}, in.Cursor, in.Limit)
			if err != nil {
				return err
			}
			out.Position = web.Position(min(x.Position, y.Position))
			out.Body = CustomDifferences{int64(x.Position), int64(y.Position), make([]CustomDifference, len(d.Items)), d.Next}
			for i, item := range d.Items {
				out.Body.Items[i] = CustomDifference{item.Key, orJSONNull(item.From), orJSONNull(item.To), orEmpty(item.Columns)}
			}
			return nil
		})
		return &out, err
	}, nil)
}

func (a *API) sideOf(ctx context.Context, r *web.Request, in *inVersions, version int64) (int64, customview.Table, error) {
	v, err := a.customVersion(ctx, r, in, in.View, version)
	if err != nil {
		return 0, customview.Table{}, err
	}
	t, ok := v.Definition.Table(in.Table)
	if !ok {
		return 0, t, customview.ErrTable
	}
	return v.Version, t, nil
}

func orJSONNull(data json.RawMessage) json.RawMessage {
	if data == nil {
		return json.RawMessage("null")
	}
	return data
}

type inTrial struct {
	Body TrialBody
}

// TrialBody is a definition to try.
type TrialBody struct {
	Types  []string      `json:"types,omitempty" example:"[\"order.placed.v1\"]" doc:"As POST /v1/custom-views/{view}/versions takes them, as are the next two."`
	Tables []CustomTable `json:"tables" minItems:"1" maxItems:"10"`
	Script string        `json:"script" maxLength:"65536"`
	After  int64         `json:"after,omitempty" minimum:"0" doc:"The position of the log to begin behind; its beginning if it is not given."`
	Events int           `json:"events,omitempty" minimum:"1" maximum:"10000" doc:"That the script is given at most; 1,000 if it is not given."`
	Limit  int           `json:"limit,omitempty" minimum:"1" maximum:"200" doc:"Of the rows of each table that are shown; 50 if it is not given."`
}

// TriedCustomView is what became of a definition that was tried.
type TriedCustomView struct {
	Events    int            `json:"events" doc:"That the script took."`
	Position  int64          `json:"position" doc:"Of the log, up to which it was tried."`
	End       bool           `json:"end" doc:"That is the end of the log."`
	PerSecond float64        `json:"events_per_second" doc:"That the script took."`
	Tables    []TriedTable   `json:"tables" nullable:"false"`
	Logged    []string       `json:"logged" nullable:"false" doc:"By console.log: the first lines of each batch."`
	Failure   *CustomFailure `json:"failure" doc:"At which event it ended, and why, or null."`
}

// TriedTable is a table of a definition that was tried.
type TriedTable struct {
	Name string            `json:"name"`
	Rows int               `json:"rows" doc:"That there are."`
	Show []json.RawMessage `json:"show" nullable:"false" doc:"Those that were put first."`
}

const (
	trialTime  = 5 * time.Second
	trialBatch = 100
	maxShown   = 500 // lines
)

func (a *API) tryCustomView() web.Endpoint {
	const path = "/v1/custom-views/dry-run"
	return web.NewEndpoint(web.Route{
		Method: http.MethodPost, Query: true, Path: path, Tag: tagOf(path), Summary: "Try a custom view", Roles: analysts,
		Description: "Runs a definition over a part of the log, for 5 seconds at most, and shows what comes of it. Nothing is stored.",
	}, func(ctx context.Context, r *web.Request, in *inTrial) (*web.Answer[TriedCustomView], error) {
		d := in.Body.definition()
		if err := d.Check(); err != nil {
			return nil, err
		}
		if err := d.CheckTypes(a.Custom.Known); err != nil {
			return nil, err
		}
		if err := viewscript.Check(d); err != nil {
			return nil, err
		}
		tried, err := scripted.Try(ctx, scripted.Config{Store: a.Store, Scripts: a.Custom.Scripts, Now: a.Now, Batch: trialBatch}, scripted.Trial{
			Workspace: r.Workspace, Definition: d, After: eventstore.Position(in.Body.After), Events: orDefault(in.Body.Events, 1_000), Time: trialTime,
		})
		if err != nil {
			return nil, err
		}
		return &web.Answer[TriedCustomView]{Position: web.Position(tried.Position), Body: newTried(d, tried, orDefault(in.Body.Limit, 50))}, nil
	}, nil)
}

func (b TrialBody) definition() customview.Definition {
	d := customview.Definition{Types: b.Types, Script: b.Script}
	for _, t := range b.Tables {
		table := customview.Table{Name: t.Name, Key: t.Key}
		for _, c := range t.Columns {
			table.Columns = append(table.Columns, customview.Column{Name: c.Name, Type: customview.Type(c.Type)})
		}
		d.Tables = append(d.Tables, table)
	}
	return d
}

func newTried(d customview.Definition, tried scripted.Tried, limit int) TriedCustomView {
	out := TriedCustomView{
		Events: tried.Events, Position: int64(tried.Position), End: tried.End, Logged: orEmpty(tried.Logged), Failure: newCustomFailure(tried.Failure),
	}
	if seconds := tried.Took.Seconds(); seconds > 0 {
		out.PerSecond = float64(tried.Events) / seconds
	}
	out.Logged = out.Logged[:min(len(out.Logged), maxShown)]
	for _, t := range d.Tables {
		table := TriedTable{Name: t.Name, Show: []json.RawMessage{}}
		for _, r := range tried.Rows {
			if r.Table != t.Name {
				continue
			}
			if table.Rows++; len(table.Show) < limit {
				table.Show = append(table.Show, t.Row(r.Key, r.Data))
			}
		}
		out.Tables = append(out.Tables, table)
	}
	return out
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
