package inbox

import (
	"context"
	"slices"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
)

// Search says which chats to find.
type Search struct {
	Workspace string
	Filter    filter.Filter // of chats
	Scope     filtersql.Scope
	Only      []string // ids that alone are looked at; nil: all
	Except    []string // ids that are left out
	Deleted   bool     // those that are deleted, instead of the others
	Sort      Sort     // ByActivity if empty
	Cursor    string   // of the page before; "" for the first
	Limit     int      // 1 to 200; 0 means 50
}

// query returns s for its list, and what stands for what in it.
func (s Search) query(ctx context.Context, tx sqldb.Tx) (filtersql.Query, directory.Aliases, error) {
	if s.Sort == "" {
		s.Sort = ByActivity
	}
	if _, err := orderOf(s.Sort); err != nil {
		return filtersql.Query{}, directory.Aliases{}, err
	}
	f, aliases, err := contacts.Meaning(ctx, tx, s.Workspace, s.Filter, s.Deleted)
	return filtersql.Query{
		Workspace: s.Workspace, Filter: f, Scope: s.Scope, Only: s.Only, Except: s.Except, Hidden: s.Deleted, Sort: string(s.Sort), Cursor: s.Cursor, Limit: s.Limit,
	}, aliases, err
}

// Find returns a page of the chats that pass a filter. A page may be short, even
// empty, though more follow: so many chats are looked at for one, and no more.
func Find(ctx context.Context, tx sqldb.Tx, s Search) (Page, error) {
	q, aliases, err := s.query(ctx, tx)
	if err != nil {
		return Page{}, err
	}
	found, err := filtersql.Read(ctx, tx, filtered(), q, func(p *placed) (int64, string) { return p.Place, p.ID })
	page := Page{Chats: make([]Chat, len(found.Items)), Next: found.Next}
	for i := range found.Items {
		page.Chats[i] = shown(found.Items[i].Chat, aliases)
	}
	return page, err
}

// shown returns a chat with the status and the tags that stand for its own now.
func shown(c Chat, a directory.Aliases) Chat {
	c.Status, c.Tags = a.Status(c.Status), a.Tags(c.Tags)
	return c
}

// Count returns how many chats pass a filter, as far as it can tell at once.
func Count(ctx context.Context, tx sqldb.Tx, s Search) (filtersql.Counted, error) {
	q, _, err := s.query(ctx, tx)
	if err != nil {
		return filtersql.Counted{}, err
	}
	return filtersql.Count(ctx, tx, filtered(), q)
}

// Each calls visit for every chat that passes a filter. It is for jobs.
func Each(ctx context.Context, tx sqldb.Tx, s Search, visit func(filtersql.Ref) error) error {
	q, _, err := s.query(ctx, tx)
	if err != nil {
		return err
	}
	return filtersql.Each(ctx, tx, filtered(), q, visit)
}

// Revisions returns the revisions of those of some chats that exist, also if they
// are deleted.
func Revisions(ctx context.Context, tx sqldb.Tx, workspace string, ids []string) (map[string]int64, error) {
	return filtersql.Revisions(ctx, tx, "inbox_v3_chats", "chat_id", workspace, ids)
}

// filtered says where the fields of a filter are, and which indexes serve it.
func filtered() *filtersql.List {
	const byTag, byActivity, byCreated, byWaiting = "inbox_v3_tags", string(ByActivity), string(ByCreated), string(ByWaiting)
	activity := []string{byActivity}
	columns := func(fields ...string) map[string]string {
		named := map[string]string{
			"id": "chat_id", "status_category": "category", "unread": "has_unread", "last_activity": "last_activity_at", "created": "created_at",
		}
		out := map[string]string{}
		for _, f := range fields {
			out[f] = f
			if column, ok := named[f]; ok {
				out[f] = column
			}
		}
		return out
	}
	filters := []string{"id", "status", "assignee", "status_category", "team", "channel", "unread", "snoozed"}
	tagged := columns(append(slices.Clone(filters), "created", "last_activity")...)
	held := columns(append(slices.Clone(filters), "created", "last_activity")...)
	held["offered_to"] = "offered_to"
	said := func(field string) filtersql.Column {
		const of = " FROM visitor_v2_profiles v WHERE v.chat_id = c.chat_id AND v.workspace = c.workspace), '')"
		return filtersql.Column{
			SQL:      "COALESCE((SELECT json_extract(v.fields, '$." + field + ".value')" + of,
			Postgres: "COALESCE((SELECT v.fields::json #>> '{" + field + ",value}'" + of,
		}
	}
	const ordered = "SELECT 1 FROM orders_v2 o WHERE o.chat_id = c.chat_id AND o.workspace = c.workspace"
	// CROSS tells SQLite to begin with the few that are offered: it would go through
	// all chats, since an index has them in order.
	const offered = `(SELECT c.*, o.offered_to FROM offers_pending o CROSS JOIN inbox_v3_chats c WHERE c.chat_id = o.chat_id AND c.workspace = o.workspace) offered`
	return &filtersql.List{
		Name: findList, Target: filter.Chats,
		Select: chatColumns, From: "inbox_v3_chats c", Table: "inbox_v3_chats", ID: "chat_id", Owner: "listed", Workspace: "c.workspace",
		Columns: contacts.OfChat(map[string]filtersql.Column{
			"id":              {SQL: "c.chat_id"},
			"status":          {SQL: "c.status"},
			"status_category": {SQL: "c.category"},
			"assignee":        {SQL: "c.assignee"},
			"team":            {SQL: "c.team"},
			"offered_to":      {SQL: "COALESCE((SELECT o.offered_to FROM offers_pending o WHERE o.chat_id = c.chat_id AND o.workspace = c.workspace), '')"},
			"tag":             {SQL: "c.tags", List: true},
			"channel":         {SQL: "c.channel"},
			"unread":          {SQL: "c.has_unread"},
			"snoozed":         {SQL: "c.snoozed"},
			"snoozed_until":   {SQL: "c.snoozed_until"},
			"created":         {SQL: "c.created_at"},
			"last_activity":   {SQL: "c.last_activity_at"},
			"waiting_since":   {SQL: "c.waiting_since"},
			"last_message_by": {SQL: "c.last_by"},
			"is_contact":      {SQL: "c.is_contact"},
			"has_ordered":     {In: ordered + " AND o.status <> 'refused'"},
			"order_status":    {SQL: "o.status", In: ordered},
			"name":            {SQL: "c.name"},
			"phone":           {SQL: "c.phone"},
			"email":           {SQL: "c.email"},
			"company":         said("company"),
			"city":            said("city"),
			"country":         said("country"),
		}),
		Sorts: map[string]filtersql.Sort{
			byActivity: {Column: "last_activity_at"},
			byCreated:  {Column: "created_at"},
			byWaiting:  {Column: "waiting_order", Ascending: true, Moved: "last_activity_at"},
		},
		Paths: []filtersql.Path{
			{Table: offered, Among: "offered_to", Holds: held},
			{Sorts: activity, Table: byTag, Equal: map[string]string{"snoozed": "tag"}, Yes: map[string]string{"snoozed": markSnoozed}, Holds: tagged},
			{Sorts: activity, Table: byTag, Equal: columns("tag", "status", "assignee"), Holds: tagged},
			{Sorts: activity, Table: byTag, Equal: columns("tag", "status"), Holds: columns("id", "last_activity", "snoozed")},
			{Sorts: activity, Table: byTag, Equal: columns("tag"), Holds: tagged},
			{Sorts: activity, Equal: columns("assignee", "status"), Holds: columns("id", "last_activity", "snoozed")},
			{Sorts: activity, Equal: columns("assignee"), Holds: columns("id", "last_activity", "status_category", "unread", "snoozed")},
			{Sorts: activity, Equal: columns("team"), Holds: columns("id", "last_activity", "status", "status_category", "assignee", "unread", "snoozed")},
			{Sorts: activity, Equal: columns("status"), Holds: columns("id", "last_activity", "assignee", "channel", "unread", "snoozed")},
			{Sorts: activity, Equal: columns("unread"), Holds: columns("id", "last_activity", "snoozed")},
			{Sorts: activity, Equal: columns("channel"), Holds: columns("id", "last_activity", "snoozed")},
			{Sorts: []string{byWaiting}, Equal: columns("assignee"), Holds: columns("id", "last_activity", "status", "status_category", "snoozed")},
			{Sorts: activity, Holds: columns(append(slices.Clone(filters), "last_activity")...)},
			{Sorts: []string{byCreated}, Holds: columns(append(slices.Clone(filters), "created")...)},
			{Sorts: []string{byWaiting}, Holds: columns(append(slices.Clone(filters), "last_activity")...)},
		},
	}
}
