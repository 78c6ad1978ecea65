package contacts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
)

// Sort is an order of the list.
type Sort string

// The orders of the list.
const (
	ByCreated Sort = "created" // the newest contact first
	ByUpdated Sort = "updated" // what was changed last first
)

// ErrSort refuses an order that there is not.
var ErrSort = fault.Bad("sort", "sort.invalid", "want created or updated")

// Search says which contacts to find.
type Search struct {
	Workspace string
	Filter    filter.Filter // of contacts
	Scope     filtersql.Scope
	Only      []string // ids that alone are looked at; nil: all
	Except    []string // ids that are left out
	Deleted   bool     // those that are deleted, instead of the others
	Sort      Sort     // ByCreated if empty
	Cursor    string   // of the page before; "" for the first
	Limit     int      // 1 to 200; 0 means 50
}

// Page is a part of the list.
type Page struct {
	Contacts []Listed
	Next     string // cursor of the next page; "" if this is the last
}

type placed struct {
	Listed
	Place int64 `db:"place"`
}

// query returns s for its list, and what stands for what in it.
func (s Search) query(ctx context.Context, tx sqldb.Tx) (filtersql.Query, directory.Aliases, error) {
	if s.Sort == "" {
		s.Sort = ByCreated
	}
	if s.Sort != ByCreated && s.Sort != ByUpdated {
		return filtersql.Query{}, directory.Aliases{}, ErrSort
	}
	f, aliases, err := Meaning(ctx, tx, s.Workspace, s.Filter, s.Deleted)
	return filtersql.Query{
		Workspace: s.Workspace, Filter: f, Scope: s.Scope, Only: s.Only, Except: s.Except, Hidden: s.Deleted, Sort: string(s.Sort), Cursor: s.Cursor, Limit: s.Limit,
	}, aliases, err
}

// standIn returns a contact with the status and the tags that stand for its own now.
func standIn(c Listed, a directory.Aliases) Listed {
	c.Status, c.Tags = a.Status(c.Status), a.Tags(c.Tags)
	return c
}

// Find returns a page of the contacts that pass a filter. A page may be short, even
// empty, though more follow: so many contacts are looked at for one, and no more.
func Find(ctx context.Context, tx sqldb.Tx, s Search) (Page, error) {
	q, aliases, err := s.query(ctx, tx)
	if err != nil {
		return Page{}, err
	}
	found, err := filtersql.Read(ctx, tx, filtered(), q, func(p *placed) (int64, string) { return p.Place, p.ID })
	page := Page{Contacts: make([]Listed, len(found.Items)), Next: found.Next}
	for i := range found.Items {
		page.Contacts[i] = standIn(found.Items[i].Listed, aliases)
	}
	return page, err
}

// Count returns how many contacts pass a filter, as far as it can tell at once.
func Count(ctx context.Context, tx sqldb.Tx, s Search) (filtersql.Counted, error) {
	q, _, err := s.query(ctx, tx)
	if err != nil {
		return filtersql.Counted{}, err
	}
	return filtersql.Count(ctx, tx, filtered(), q)
}

// Each calls visit for every contact that passes a filter. It is for jobs.
func Each(ctx context.Context, tx sqldb.Tx, s Search, visit func(filtersql.Ref) error) error {
	q, _, err := s.query(ctx, tx)
	if err != nil {
		return err
	}
	return filtersql.Each(ctx, tx, filtered(), q, visit)
}

// Revisions returns the revisions of those of some contacts that exist, also if they
// are deleted or shown as a part of another.
func Revisions(ctx context.Context, tx sqldb.Tx, workspace string, ids []string) (map[string]int64, error) {
	return filtersql.Revisions(ctx, tx, "contacts_v3_parts", "contact_id", workspace, ids)
}

// Shown returns the contacts that some ids stand for: each itself, or the one that it
// is shown as a part of, if that is shown at all.
func Shown(ctx context.Context, tx sqldb.Tx, workspace string, ids []string) (map[string]Listed, error) {
	const atOnce = 500
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Listed, len(ids))
	for part := range slices.Chunk(ids, atOnce) {
		args := []any{workspace}
		rows, err := sqldb.Select[standing](ctx, tx, "SELECT "+columns+`, p.contact_id AS part FROM contacts_v3_parts p
			JOIN contacts_v3 c ON c.contact_id = CASE WHEN p.merged_into = '' THEN p.contact_id ELSE p.merged_into END
			WHERE c.listed = $1 AND p.contact_id IN `+sqldb.In(&args, part), args...)
		if err != nil {
			return nil, fmt.Errorf("look for contacts: %w", err)
		}
		for _, r := range rows {
			out[r.Part] = standIn(r.Listed, aliases)
		}
	}
	return out, nil
}

type standing struct {
	Listed
	Part string `db:"part"`
}

// Passes returns which of some conditions a contact passes that is shown. found is
// false for any other.
func Passes(ctx context.Context, tx sqldb.Tx, workspace, id string, scope filtersql.Scope, nodes []filter.Node) (passes []bool, found bool, err error) {
	all, _, err := Meaning(ctx, tx, workspace, filter.Filter{Target: filter.Contacts, Root: filter.And(nodes)}, false)
	if err != nil {
		return nil, false, err
	}
	meant, _ := all.Root.(filter.And) // one for one
	return filtersql.Test(ctx, tx, filtered(), workspace, scope, id, meant)
}

// Size returns how many contacts are in a static group and shown.
func Size(ctx context.Context, tx sqldb.Tx, group string) (int64, error) {
	n, err := sqldb.Get[int64](ctx, tx, "SELECT COALESCE(max(contacts), 0) FROM contacts_v3_group_sizes WHERE group_id = $1", group)
	if err != nil {
		return 0, fmt.Errorf("count members: %w", err)
	}
	return n, nil
}

// Of returns the contact whose a chat is, "" if it is nobody's.
func Of(ctx context.Context, tx sqldb.Tx, workspace, chat string) (string, error) {
	id, err := sqldb.Get[string](ctx, tx, "SELECT COALESCE(min(contact_id), '') FROM contacts_v3_chats WHERE chat_id = $1 AND listed = $2", chat, workspace)
	if err != nil {
		return "", fmt.Errorf("look whose a chat is: %w", err)
	}
	return id, nil
}

// filtered says where the fields of a filter are, and which indexes serve it.
func filtered() *filtersql.List {
	named := func(fields ...string) map[string]string {
		out := map[string]string{}
		for _, f := range fields {
			out[f] = f
		}
		for field, column := range map[string]string{"id": "contact_id", "status_category": "category", "created": "created_at", "updated": "updated_at"} {
			if _, ok := out[field]; ok {
				out[field] = column
			}
		}
		return out
	}
	inGroup := map[string]string{groups.Field: "group_id"}
	created, updated := []string{string(ByCreated)}, []string{string(ByUpdated)}
	text := func(column string) filtersql.Column { return filtersql.Column{SQL: "c." + column} }
	// CROSS has SQLite begin with the few chats of the contact.
	const ofChats = " FROM contacts_v3_chats l CROSS JOIN inbox_v3_chats h WHERE l.contact_id = c.contact_id AND l.listed = c.listed AND h.chat_id = l.chat_id AND h.listed = l.listed"
	const ordered = "SELECT 1 FROM contacts_v3_chats l CROSS JOIN orders_v2 o WHERE l.contact_id = c.contact_id AND l.listed = c.listed AND o.chat_id = l.chat_id AND o.workspace = c.workspace"
	known := func(column, kind string) filtersql.Column {
		return filtersql.Column{SQL: "c." + column, Also: "k.value", In: "SELECT 1 FROM contacts_v3_known_by k WHERE k.contact_id = c.contact_id AND k.listed = c.listed AND k.kind = '" + kind + "'"}
	}
	return &filtersql.List{
		Name: "contacts/find", Target: filter.Contacts,
		Select: columns, From: "contacts_v3 c", Table: "contacts_v3", ID: "contact_id", Owner: "listed", Workspace: "c.workspace",
		Columns: map[string]filtersql.Column{
			"id": text("contact_id"), "status": text("status"), "status_category": text("category"), "assignee": text("assignee"),
			"tag": {SQL: "c.tags", List: true}, groups.Field: {SQL: "c.group_ids", List: true}, "blocked": text("blocked"), "has_chat": text("has_chat"), "reason": text("reason"),
			"created": text("created_at"), "updated": text("updated_at"),
			"name": text("name"), "phone": known("phone", byPhone), "email": known("email", byEmail), "company": text("company"),
			"city": text("city"), "country": text("country"), "gender": text("gender"), "language": text("language"),
			"channel":         {SQL: "h.channel", In: "SELECT 1" + ofChats},
			"team":            {SQL: "h.team", In: "SELECT 1" + ofChats + " AND h.team <> ''"},
			"unread":          {In: "SELECT 1" + ofChats + " AND h.has_unread"},
			"last_activity":   {SQL: "COALESCE((SELECT max(h.last_activity_at)" + ofChats + "), 0)"},
			"last_message_by": {SQL: "COALESCE((SELECT h.last_by" + ofChats + " ORDER BY h.last_activity_at DESC, h.chat_id LIMIT 1), '')"},
			"is_contact":      {SQL: "(c.contact_id <> '')"},
			"has_ordered":     {In: ordered + " AND o.status <> 'refused'"},
			"order_status":    {SQL: "o.status", In: ordered},
			filter.OwnPrefix:  Values("SELECT 1 FROM contacts_v3_values a WHERE a.contact_id = c.contact_id AND a.listed = c.listed", "a"),
		},
		Sorts: map[string]filtersql.Sort{
			string(ByCreated): {Column: "created_at"},
			string(ByUpdated): {Column: "updated_at"},
		},
		Paths: []filtersql.Path{
			{Sorts: created, Table: "contacts_v3_tags", Equal: named("tag"), Holds: named("id", "created")},
			{Sorts: updated, Table: "contacts_v3_tags", Equal: named("tag"), Holds: named("id", "updated")},
			{Sorts: created, Table: "contacts_v3_groups", Equal: inGroup, Holds: named("id", "created")},
			{Sorts: updated, Table: "contacts_v3_groups", Equal: inGroup, Holds: named("id", "updated")},
			{Sorts: created, Equal: named("assignee"), Holds: named("id", "created", "status", "status_category")},
			{Sorts: created, Equal: named("status"), Holds: named("id", "created", "assignee")},
			{Sorts: created, Holds: named("id", "created", "status", "status_category", "assignee", "blocked")},
			{Sorts: updated, Holds: named("id", "updated", "status", "status_category", "assignee", "blocked")},
		},
	}
}

// Full is a contact with all that is known.
type Full struct {
	Row
	Notes []Note // the latest of it and its parts, the latest first
	More  bool   // there are more notes
}

// maxNotes is how many notes are shown.
const maxNotes = 200

// Get returns a contact, or the one that it is shown as a part of, or
// contact.ErrNotFound.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Full, error) {
	var out Full
	if strings.Contains(id, "\x00") || workspace == "" {
		return out, contact.ErrNotFound
	}
	row, err := sqldb.Get[Row](ctx, tx, `SELECT * FROM contacts_v3 WHERE listed = $1 AND contact_id = COALESCE(
		(SELECT merged_into FROM contacts_v3_parts WHERE contact_id = $2 AND workspace = $1 AND merged_into <> ''), $2)`, workspace, id)
	if errors.Is(err, sqldb.ErrNoRows) {
		return out, contact.ErrNotFound
	}
	if err != nil {
		return out, fmt.Errorf("get contact: %w", err)
	}
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	if err != nil {
		return out, err
	}
	out.Row = row
	out.Listed = standIn(out.Listed, aliases)
	args := []any{maxNotes + 1}
	var parts []string
	for _, p := range row.Parts {
		parts = append(parts, p.ID)
	}
	out.Notes, err = sqldb.Select[Note](ctx, tx, "SELECT * FROM contacts_v3_notes WHERE contact_id IN "+sqldb.In(&args, parts)+" ORDER BY at DESC, note_id DESC LIMIT $1", args...)
	if err != nil {
		return out, fmt.Errorf("get notes: %w", err)
	}
	if len(out.Notes) > maxNotes {
		out.Notes, out.More = out.Notes[:maxNotes], true
	}
	return out, nil
}

// Parts returns the ids of a contact, or of the one that it is shown as a part of, and of
// all its parts, its own first; or contact.ErrNotFound. A deleted one is found, too, if
// asked for.
func Parts(ctx context.Context, tx sqldb.Tx, workspace, id string, deleted bool) ([]string, error) {
	if strings.Contains(id, "\x00") || workspace == "" {
		return nil, contact.ErrNotFound
	}
	row, err := sqldb.Get[Row](ctx, tx, `SELECT * FROM contacts_v3 WHERE workspace = $1 AND contact_id = COALESCE(
		(SELECT merged_into FROM contacts_v3_parts WHERE contact_id = $2 AND workspace = $1 AND merged_into <> ''), $2)`, workspace, id)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && row.Filed == "" && !deleted {
		return nil, contact.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get parts of contact: %w", err)
	}
	var parts []string
	for _, p := range row.Parts {
		parts = append(parts, p.ID)
	}
	return parts, nil
}

// Duplicate is another contact that has something of a contact.
type Duplicate struct {
	Listed
	Kind  string `db:"kind"`  // email or phone
	Value string `db:"value"` // what both have
}

const maxDuplicates = 100

// Duplicates returns the other contacts that have an e-mail address or a phone
// number of a contact.
func Duplicates(ctx context.Context, tx sqldb.Tx, workspace, id string) ([]Duplicate, error) {
	rows, err := sqldb.Select[Duplicate](ctx, tx, "SELECT "+columns+`, k.kind, k.value FROM contacts_v3_known_by own
		JOIN contacts_v3_known_by k ON k.listed = own.listed AND k.kind = own.kind AND k.value = own.value AND k.contact_id <> own.contact_id
		JOIN contacts_v3 c ON c.contact_id = k.contact_id
		WHERE own.contact_id = $1 AND own.listed = $2 ORDER BY k.kind, k.value, c.contact_id LIMIT $3`, id, workspace, maxDuplicates)
	if err != nil {
		return nil, fmt.Errorf("look for duplicates: %w", err)
	}
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	for i := range rows {
		rows[i].Listed = standIn(rows[i].Listed, aliases)
	}
	return rows, err
}

// Shared is what several contacts have that only one person should have.
type Shared struct {
	Kind     string // email or phone
	Value    string
	Count    int      // of those who have it, or maxShared+1 for more
	Contacts []Listed // the first few of them, by id
}

const (
	sharedAtOnce  = 10_000 // rows that are looked at for a page
	sharedShown   = 10     // contacts of one value
	maxShared     = 100    // that are counted
	sharedList    = "contacts/shared"
	sharedColumns = "kind, value, contact_id"
)

type sharedPlace struct {
	Kind  string `json:"k" db:"kind"`
	Value string `json:"v" db:"value"`
	ID    string `json:"-" db:"contact_id"`
}

// AllShared returns a page of what contacts of a workspace share, by kind and value. A
// page may be short, even empty, though more follow.
func AllShared(ctx context.Context, tx sqldb.Tx, workspace, from string, limit int) (out []Shared, next string, err error) {
	if limit, err = cursor.Limit(limit); err != nil {
		return nil, "", err
	}
	var after sharedPlace
	if from != "" {
		if err := cursor.Decode(sharedList, from, &after); err != nil {
			return nil, "", err
		}
	}
	rows, err := sqldb.Select[sharedPlace](ctx, tx, "SELECT "+sharedColumns+` FROM contacts_v3_known_by
		WHERE listed = $1 AND (kind, value) > ($2, $3) ORDER BY listed, kind, value, contact_id LIMIT $4`, workspace, after.Kind, after.Value, sharedAtOnce)
	if err != nil {
		return nil, "", fmt.Errorf("look for duplicates: %w", err)
	}
	all := len(rows) < sharedAtOnce
	var ids [][]string
	for at := 0; at < len(rows); {
		first := rows[at]
		end := at
		for end < len(rows) && rows[end].Kind == first.Kind && rows[end].Value == first.Value {
			end++
		}
		if end == len(rows) && !all && at > 0 {
			break // there may be more who have it: it begins the next page
		}
		after = first
		if n := end - at; n > 1 {
			s := Shared{Kind: first.Kind, Value: first.Value, Count: min(n, maxShared+1)}
			out = append(out, s)
			var some []string
			for _, r := range rows[at:min(end, at+sharedShown)] {
				some = append(some, r.ID)
			}
			ids = append(ids, some)
		}
		at = end
		if len(out) == limit {
			all = all && end == len(rows)
			break
		}
	}
	if !all {
		next = cursor.Encode(sharedList, after)
	}
	shown, err := Shown(ctx, tx, workspace, slices.Concat(ids...))
	for i := range out {
		for _, id := range ids[i] {
			if c, ok := shown[id]; ok {
				out[i].Contacts = append(out[i].Contacts, c)
			}
		}
	}
	return out, next, err
}

// Attributes returns a workspace's own fields, by id, also archived ones.
func Attributes(ctx context.Context, tx sqldb.Tx, workspace string) ([]Attribute, error) {
	rows, err := sqldb.Select[Attribute](ctx, tx, "SELECT * FROM contacts_v3_attributes WHERE workspace = $1 ORDER BY attribute_id", workspace)
	if err != nil {
		return nil, fmt.Errorf("list attributes: %w", err)
	}
	return slices.Clip(rows), nil
}
