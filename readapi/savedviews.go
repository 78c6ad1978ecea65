package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/savedviews"
)

type inSavedViews struct {
	web.Read
	Paging
	Target string `query:"target" enum:"chats,contacts,orders" doc:"Only those of one target."`
	Scope  string `query:"scope" enum:"personal,shared" doc:"Only those of one scope."`
}

type inSavedView struct {
	web.Read
	View string `path:"view"`
}

type inSavedCounts struct {
	web.Read
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"20" doc:"20 if it is not given."`
	Target string `query:"target" enum:"chats,contacts,orders" doc:"Only those of one target."`
	Scope  string `query:"scope" enum:"personal,shared" doc:"Only those of one scope."`
}

// SavedView is a filter with a name.
type SavedView struct {
	ID        string          `json:"id" example:"shared.4f1c22d09a7b"`
	Revision  int64           `json:"revision" doc:"Of all saved views of the same scope, for If-Match."`
	Scope     string          `json:"scope" enum:"personal,shared"`
	Owner     *string         `json:"owner" doc:"The agent's id with scope personal, or null."`
	Target    string          `json:"target" enum:"chats,contacts,orders"`
	Name      string          `json:"name" example:"Waiting for me"`
	Icon      string          `json:"icon"`
	Colour    string          `json:"colour" example:"#2f7d32"`
	Filter    json.RawMessage `json:"filter" doc:"As it was saved; {} lets all pass."`
	Sort      string          `json:"sort" doc:"Empty: the default of the target."`
	Columns   []string        `json:"columns" nullable:"false" doc:"Empty: the default of the client."`
	Valid     bool            `json:"valid" doc:"False if there is something in it that there is no more; it can then be changed or deleted, and finds nothing."`
	Problems  []SavedProblem  `json:"problems,omitempty" doc:"Why it is not valid."`
	CreatedAt time.Time       `json:"created_at"`
	CreatedBy string          `json:"created_by"`
	UpdatedAt time.Time       `json:"updated_at"`
	UpdatedBy string          `json:"updated_by"`
}

// SavedProblem is something that makes a saved view invalid.
type SavedProblem struct {
	Code   string `json:"code" example:"filter.unknown_field"`
	Field  string `json:"field" example:"filter.and[1].field"`
	Detail string `json:"detail"`
}

// SavedCount is how many a saved view finds.
type SavedCount struct {
	View  string `json:"view" doc:"Its id."`
	Valid bool   `json:"valid" doc:"False if it finds nothing because it is not valid any more."`
	Counted
}

func newSavedView(v savedviews.View, revision int64) SavedView {
	out := SavedView{
		ID: v.ID, Revision: revision, Scope: v.Scope, Owner: orNull(v.Of), Target: v.Target, Name: v.Name, Icon: v.Icon, Colour: v.Colour,
		Filter: json.RawMessage("{}"), Sort: v.Sort, Columns: orEmpty(v.Columns), Valid: true,
		CreatedAt: moment(v.CreatedAt), CreatedBy: v.CreatedBy, UpdatedAt: moment(v.UpdatedAt), UpdatedBy: v.UpdatedBy,
	}
	if v.Filter != "" {
		out.Filter = json.RawMessage(v.Filter)
	}
	for _, err := range savedview.Problems(v.Target, v.Look()) {
		out.Valid = false
		if f, ok := errors.AsType[*fault.Error](err); ok {
			out.Problems = append(out.Problems, SavedProblem{f.Code, f.Field, f.Msg})
		}
	}
	return out
}

// savedPlaces returns the places whose saved views a caller sees: what is shared,
// and their own.
func savedPlaces(r *web.Request, scope string) (places []string) {
	if scope != string(savedview.Personal) {
		places = append(places, savedview.Place{Scope: savedview.Shared}.String())
	}
	if scope != string(savedview.Shared) && r.Agent != "" {
		places = append(places, savedview.Place{Scope: savedview.Personal, Of: r.Agent}.String())
	}
	return places
}

func listSavedViews(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inSavedViews) (web.List[SavedView], eventstore.Revision, error) {
	page, err := savedviews.List(ctx, tx, savedviews.Query{
		Workspace: r.Workspace, Places: savedPlaces(r, in.Scope), Target: in.Target, Cursor: in.Cursor, Limit: in.Limit,
	})
	items := make([]SavedView, len(page.Views))
	for i, v := range page.Views {
		items[i] = newSavedView(v, page.Revisions[v.Place])
	}
	return web.NewList(items, page.Next), none, err
}

func getSavedView(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inSavedView) (SavedView, eventstore.Revision, error) {
	v, revision, err := savedviews.Get(ctx, tx, r.Workspace, in.View, savedPlaces(r, ""))
	if err != nil {
		return SavedView{}, none, err
	}
	return newSavedView(v, revision), eventstore.Revision(revision), nil
}

// countSavedViews counts few views at a time: each is looked at as long as one
// count may take.
func (a *API) countSavedViews(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inSavedCounts) (web.List[SavedCount], eventstore.Revision, error) {
	const most = 20
	limit := in.Limit
	if limit == 0 {
		limit = most
	}
	page, err := savedviews.List(ctx, tx, savedviews.Query{
		Workspace: r.Workspace, Places: savedPlaces(r, in.Scope), Target: in.Target, Cursor: in.Cursor, Limit: limit,
	})
	if err != nil {
		return web.List[SavedCount]{}, none, err
	}
	items := make([]SavedCount, len(page.Views))
	for i, v := range page.Views {
		items[i] = SavedCount{View: v.ID, Counted: Counted{Exact: true}}
		if len(savedview.Problems(v.Target, v.Look())) > 0 {
			continue
		}
		f, err := filter.Parse(filter.Target(v.Target), []byte(v.Filter))
		if err != nil {
			return web.List[SavedCount]{}, none, err
		}
		n, err := a.countAll(ctx, tx, r, f)
		if err != nil {
			return web.List[SavedCount]{}, none, err
		}
		items[i].Valid, items[i].Counted = true, Counted{n.N, n.Exact}
	}
	return web.NewList(items, page.Next), none, nil
}

// countAll counts what passes a filter, whatever it is of.
func (a *API) countAll(ctx context.Context, tx sqldb.Tx, r *web.Request, f filter.Filter) (filtersql.Counted, error) {
	switch f.Target {
	case filter.Contacts:
		return contacts.Count(ctx, tx, contacts.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r)})
	case filter.Orders:
		return orders.Count(ctx, tx, orders.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r)})
	}
	return inbox.Count(ctx, tx, inbox.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r)})
}

var errOtherTarget = fault.Bad("view", "savedview.other_target", "the saved view is of another target")

// chosen returns what a question chooses: what its filter lets pass, its saved view,
// or both; and the order that the view asks for.
func chosen(ctx context.Context, tx sqldb.Tx, r *web.Request, t filter.Target, in Filtered) (f filter.Filter, sort string, err error) {
	if f, err = filter.Parse(t, in.Filter); err != nil || in.View == "" {
		return f, "", err
	}
	v, _, err := savedviews.Get(ctx, tx, r.Workspace, in.View, savedPlaces(r, ""))
	switch {
	case err != nil:
		return f, "", err
	case v.Target != string(t):
		return f, "", errOtherTarget
	}
	if problems := savedview.Problems(v.Target, v.Look()); len(problems) > 0 {
		msg := savedview.ErrInvalid.Msg
		if p, ok := errors.AsType[*fault.Error](problems[0]); ok {
			msg += ": " + p.Field + ": " + p.Msg
		}
		return f, "", savedview.ErrInvalid.With(msg)
	}
	saved, err := filter.Parse(t, []byte(v.Filter))
	if err != nil {
		return f, "", err
	}
	return saved.And(f), v.Sort, nil
}
