package readapi

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
)

// Paged is the part of a question that says which page to answer.
type Paged struct {
	Cursor string `json:"cursor,omitempty" maxLength:"10240" doc:"The next_cursor of the page before, with the same filter and sort."`
	Limit  int    `json:"limit,omitempty" minimum:"1" maximum:"200" doc:"50 if it is not given."`
}

// Filtered is the part of a question that says what to choose: with both, what passes
// both.
type Filtered struct {
	View   string          `json:"view,omitempty" example:"shared.4f1c22d09a7b" doc:"The id of a saved view of the same target. With a filter besides: what passes both."`
	Filter json.RawMessage `json:"filter,omitempty" doc:"Such as {\"and\": [{\"field\": \"status\", \"op\": \"in\", \"value\": [\"OPEN\", \"REVIEW\"]}, {\"not\": {\"field\": \"tag\", \"op\": \"eq\", \"value\": \"spam\"}}]}. None lets all pass. GET /v1/filters/{target} has the fields and operators."`
}

type inFindChats struct {
	web.Read
	Body struct {
		Filtered
		Paged
		Sort string `json:"sort,omitempty" enum:"last_activity,created,waiting" doc:"That of the view, else last_activity, if it is not given. waiting: who waits longest first."`
	}
}

type inCountFound struct {
	web.Read
	Body Filtered
}

// Counted is how many pass a filter.
type Counted struct {
	Count int64 `json:"count"`
	Exact bool  `json:"exact" doc:"False if there may be more: only so many are looked at."`
}

func (a *API) scope(r *web.Request) filtersql.Scope {
	return filtersql.Scope{Now: a.Now(), Me: r.Actor()}
}

func (a *API) search(ctx context.Context, tx sqldb.Tx, r *web.Request, in Filtered) (s inbox.Search, err error) {
	f, sort, err := chosen(ctx, tx, r, filter.Chats, in)
	return inbox.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r), Sort: inbox.Sort(sort)}, err
}

func (a *API) findChats(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inFindChats) (web.List[Chat], eventstore.Revision, error) {
	s, err := a.search(ctx, tx, r, in.Body.Filtered)
	if err != nil {
		return web.List[Chat]{}, none, err
	}
	s.Sort, s.Cursor, s.Limit = cmp.Or(inbox.Sort(in.Body.Sort), s.Sort), in.Body.Cursor, in.Body.Limit
	page, err := inbox.Find(ctx, tx, s)
	if err != nil {
		return web.List[Chat]{}, none, err
	}
	items, err := newChats(ctx, tx, r.Workspace, page.Chats...)
	return web.NewList(items, page.Next), none, err
}

func (a *API) countFound(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCountFound) (Counted, eventstore.Revision, error) {
	s, err := a.search(ctx, tx, r, in.Body)
	if err != nil {
		return Counted{}, none, err
	}
	n, err := inbox.Count(ctx, tx, s)
	return Counted{n.N, n.Exact}, none, err
}

type inFindOrders struct {
	web.Read
	Body struct {
		Filtered
		Paged
		Sort string `json:"sort,omitempty" enum:"placed,oldest" doc:"That of the view, else placed, if it is not given. oldest: what was placed first."`
	}
}

func (a *API) searchOrders(ctx context.Context, tx sqldb.Tx, r *web.Request, in Filtered) (s orders.Search, err error) {
	f, sort, err := chosen(ctx, tx, r, filter.Orders, in)
	return orders.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r), Sort: orders.Sort(sort)}, err
}

func (a *API) findOrders(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inFindOrders) (web.List[Order], eventstore.Revision, error) {
	s, err := a.searchOrders(ctx, tx, r, in.Body.Filtered)
	if err != nil {
		return web.List[Order]{}, none, err
	}
	s.Sort, s.Cursor, s.Limit = cmp.Or(orders.Sort(in.Body.Sort), s.Sort), in.Body.Cursor, in.Body.Limit
	page, err := orders.Find(ctx, tx, s)
	if err != nil {
		return web.List[Order]{}, none, err
	}
	items := make([]Order, len(page.Orders))
	for i, o := range page.Orders {
		items[i] = newOrder(o)
	}
	return web.NewList(items, page.Next), none, nil
}

func (a *API) countOrders(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCountFound) (Counted, eventstore.Revision, error) {
	s, err := a.searchOrders(ctx, tx, r, in.Body)
	if err != nil {
		return Counted{}, none, err
	}
	n, err := orders.Count(ctx, tx, s)
	return Counted{n.N, n.Exact}, none, err
}

type inFilter struct {
	web.Read
	Target string `path:"target" example:"chats"`
}

// FilterField is something that can be filtered by.
type FilterField struct {
	Name      string   `json:"name"`
	Label     string   `json:"label,omitempty" doc:"Of an attribute of the workspace's own: what it is called."`
	Kind      string   `json:"kind" enum:"id,text,bool,number,time,set,date,choice"`
	Operators []string `json:"operators" nullable:"false"`
	Values    []string `json:"values,omitempty" doc:"All that it can be; absent if that is not fixed."`
}

// FilterFields are all of them.
type FilterFields struct {
	Items []FilterField `json:"items" nullable:"false"`
}

var errTarget = fault.New(fault.NotFound, "filter.unknown_target", "there are no such things to filter; want chats, contacts or orders")

func describeFilter(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inFilter) (out FilterFields, _ eventstore.Revision, _ error) {
	list := filter.Fields(filter.Target(in.Target))
	if len(list) == 0 {
		return out, none, errTarget
	}
	kinds := map[filter.Kind]string{
		filter.ID: "id", filter.Word: "text", filter.Bool: "bool", filter.Number: "number", filter.Time: "time", filter.Set: "set",
	}
	for _, f := range list {
		field := FilterField{Name: f.Name, Kind: kinds[f.Kind], Values: slices.Clone(f.Words)}
		for _, op := range f.Kind.Ops() {
			field.Operators = append(field.Operators, string(op))
		}
		out.Items = append(out.Items, field)
	}
	own, err := contacts.Attributes(ctx, tx, r.Workspace)
	for _, a := range own {
		field := FilterField{Name: filter.OwnPrefix + a.ID, Label: a.Name, Kind: a.Kind, Values: slices.Clone(a.Choices)}
		for _, op := range contacts.Ops(attribute.Kind(a.Kind)) {
			field.Operators = append(field.Operators, string(op))
		}
		out.Items = append(out.Items, field)
	}
	return out, none, err
}
