package orders

import (
	"context"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
)

// Search says which orders to find.
type Search struct {
	Workspace string
	Filter    filter.Filter // of orders
	Scope     filtersql.Scope
	Only      []string // ids that alone are looked at; nil: all
	Except    []string // ids that are left out
	Sort      Sort     // ByPlaced if empty
	Cursor    string   // of the page before; "" for the first
	Limit     int      // 1 to 200; 0 means 50
}

// query returns s for its list, and what stands for what in it.
func (s Search) query(ctx context.Context, tx sqldb.Tx) (filtersql.Query, directory.Aliases, error) {
	sort, err := s.Sort.given()
	if err != nil {
		return filtersql.Query{}, directory.Aliases{}, err
	}
	f, aliases, err := contacts.Meaning(ctx, tx, s.Workspace, s.Filter, false)
	return filtersql.Query{
		Workspace: s.Workspace, Filter: f, Scope: s.Scope, Only: s.Only, Except: s.Except, Sort: string(sort), Cursor: s.Cursor, Limit: s.Limit,
	}, aliases, err
}

type placed struct {
	Full
	Place int64 `db:"place"`
}

// Find returns a page of the orders that pass a filter. A page may be short, even
// empty, though more follow: so many orders are looked at for one, and no more.
func Find(ctx context.Context, tx sqldb.Tx, s Search) (Page, error) {
	q, aliases, err := s.query(ctx, tx)
	if err != nil {
		return Page{}, err
	}
	found, err := filtersql.Read(ctx, tx, filtered(), q, func(p *placed) (int64, string) { return p.Place, p.ID })
	page := Page{Orders: make([]Full, len(found.Items)), Next: found.Next}
	for i := range found.Items {
		page.Orders[i] = found.Items[i].Full
		page.Orders[i].Tags = aliases.Tags(page.Orders[i].Tags)
	}
	return page, err
}

// Count returns how many orders pass a filter, as far as it can tell at once.
func Count(ctx context.Context, tx sqldb.Tx, s Search) (filtersql.Counted, error) {
	q, _, err := s.query(ctx, tx)
	if err != nil {
		return filtersql.Counted{}, err
	}
	return filtersql.Count(ctx, tx, filtered(), q)
}

// Each calls visit for every order that passes a filter. It is for jobs.
func Each(ctx context.Context, tx sqldb.Tx, s Search, visit func(filtersql.Ref) error) error {
	q, _, err := s.query(ctx, tx)
	if err != nil {
		return err
	}
	return filtersql.Each(ctx, tx, filtered(), q, visit)
}

// Revisions returns the revisions of those of some orders that exist.
func Revisions(ctx context.Context, tx sqldb.Tx, workspace string, ids []string) (map[string]int64, error) {
	return filtersql.Revisions(ctx, tx, "orders_v2", "order_id", workspace, ids)
}

// filtered says where the fields of a filter are, and which indexes serve it.
func filtered() *filtersql.List {
	of := func(sql string) string {
		return "COALESCE((SELECT " + sql + " FROM visitor_v2_profiles v WHERE v.chat_id = c.chat_id AND v.workspace = c.workspace), '')"
	}
	said := func(field string) filtersql.Column {
		return filtersql.Column{SQL: of("json_extract(v.fields, '$." + field + ".value')"), Postgres: of("v.fields::json #>> '{" + field + ",value}'")}
	}
	const ofChat = " FROM inbox_v3_chats h WHERE h.chat_id = c.chat_id AND h.workspace = c.workspace"
	held := map[string]string{"id": "order_id", "placed": "placed_at"}
	return &filtersql.List{
		Name: "orders/find", Target: filter.Orders,
		Select: "c.*, " + of("v.name") + " AS visitor_name, " + of("v.email") + " AS visitor_email, " + of("v.phone") + " AS visitor_phone",
		From:   "orders_v2 c", Table: "orders_v2", ID: "order_id", Owner: "workspace",
		Columns: contacts.OfChat(map[string]filtersql.Column{
			"id":          {SQL: "c.order_id"},
			"external_id": {SQL: "c.external_id"},
			"status":      {SQL: "c.status"},
			"payment":     {SQL: "c.payment"},
			"source":      {SQL: "c.source"},
			"chat":        {SQL: "c.chat_id"},
			"channel":     {SQL: "c.channel"},
			"assignee":    {SQL: "c.assignee"},
			"tag":         {SQL: "c.tags", List: true},
			"product":     {SQL: "c.lines", List: true, Member: "product"},
			"placed":      {SQL: "c.placed_at"},
			"updated":     {SQL: "c.updated_at"},
			"items":       {SQL: "c.items"},
			"total":       {SQL: "c.total"},
			"currency":    {SQL: "c.currency"},
			"carrier":     {SQL: "c.carrier"},
			"tracking":    {SQL: "c.tracking"},
			"comment":     {SQL: "c.comment_text"},
			"name":        {SQL: of("v.name")},
			"phone":       {SQL: of("v.phone")},
			"email":       {SQL: of("v.email")},
			"company":     said("company"),
			"city":        said("city"),
			"country":     said("country"),

			"is_contact":      {In: "SELECT 1" + ofChat + " AND h.is_contact"},
			"team":            {SQL: "COALESCE((SELECT h.team" + ofChat + "), '')"},
			"unread":          {In: "SELECT 1" + ofChat + " AND h.has_unread"},
			"last_activity":   {SQL: "COALESCE((SELECT h.last_activity_at" + ofChat + "), 0)"},
			"last_message_by": {SQL: "COALESCE((SELECT h.last_by" + ofChat + "), '')"},
		}),
		Sorts: map[string]filtersql.Sort{string(ByPlaced): {Column: "placed_at"}, string(ByOldest): {Column: "placed_at", Ascending: true}},
		Paths: []filtersql.Path{
			{Table: "orders_v2_tags", Equal: map[string]string{"tag": "tag"}, Holds: held},
			{Equal: map[string]string{"status": "status"}, Holds: held},
			{Equal: map[string]string{"payment": "payment"}, Holds: held},
			{Equal: map[string]string{"assignee": "assignee"}, Holds: held},
			{Holds: held},
		},
	}
}
