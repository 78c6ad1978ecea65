package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/directory"
)

// Sort is an order of the list.
type Sort string

// The orders of the list.
const (
	ByActivity Sort = "last_activity" // the latest message first
	ByCreated  Sort = "created"       // the newest chat first
	ByWaiting  Sort = "waiting"       // who waits longest first; behind them who does not wait, by activity
)

// Refusals.
var (
	ErrNotFound = fault.New(fault.NotFound, "chat.not_found", "there is no such chat")
	ErrSort     = fault.Bad("sort", "sort.invalid", "want last_activity, created or waiting")
	ErrFilter   = fault.Bad("filter", "filter.invalid", "a filter holds a NUL character")
)

// Query says which chats to list. An empty filter lets all pass.
type Query struct {
	Workspace string
	Status    string
	Category  string  // of the status
	Assignee  *string // nil: whoever; "": nobody
	Team      string
	Tag       string // id
	Channel   string
	Unread    *bool
	Snoozed   *bool  // nil: either
	Sort      Sort   // ByActivity if empty
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of the list.
type Page struct {
	Chats []Chat
	Next  string // cursor of the next page; "" if this is the last
}

// place is where a page ended.
type place struct {
	Value int64  `json:"k"`
	Chat  string `json:"c"`
	AsOf  int64  `json:"t,omitempty"` // ByWaiting: the latest activity when the first page was read
}

// order says how a Sort reads the table.
type order struct {
	column     string
	descending bool
}

func orderOf(s Sort) (order, error) {
	switch s {
	case ByActivity:
		return order{"last_activity_at", true}, nil
	case ByCreated:
		return order{"created_at", true}, nil
	case ByWaiting:
		return order{"waiting_order", false}, nil
	}
	return order{}, ErrSort
}

// placed is a chat and its place in the order of the list.
type placed struct {
	Chat
	Place int64 `db:"place"`
}

// List returns a page of the chats that pass every filter.
//
// Pages that are read one after another show no chat twice and every chat that
// stays as it is. One that gets a message in the meantime moves to where its
// new order puts it, which may be before the page: then it is not shown again.
func List(ctx context.Context, tx sqldb.Tx, q Query) (Page, error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	if q.Sort == "" {
		q.Sort = ByActivity
	}
	by, err := orderOf(q.Sort)
	if err != nil {
		return Page{}, err
	}
	if strings.Contains(q.Status+q.Category+q.Team+q.Tag+q.Channel, "\x00") || q.Assignee != nil && strings.Contains(*q.Assignee, "\x00") {
		return Page{}, ErrFilter
	}
	if q.Workspace == "" { // under which deleted chats are filed
		return Page{}, nil
	}
	aliases, err := directory.ReadAliases(ctx, tx, q.Workspace)
	if err != nil {
		return Page{}, err
	}
	q.Status, q.Tag = aliases.Status(q.Status), aliases.Tag(q.Tag)
	if len(aliases.All(directory.KindStatus, q.Status))+len(aliases.All(directory.KindTag, q.Tag)) > 2 {
		return q.search(ctx, tx, limit)
	}
	list := "inbox/" + string(q.Sort)
	var from *place
	var asOf int64
	switch {
	case q.Cursor != "":
		from = new(place)
		if err := cursor.Decode(list, q.Cursor, from); err != nil {
			return Page{}, err
		}
		asOf = from.AsOf
	case q.Sort == ByWaiting:
		asOf, err = sqldb.Get[int64](ctx, tx, `SELECT max(last_activity_at) FROM inbox_v3_chats WHERE listed = $1`, q.Workspace)
		if err != nil {
			return Page{}, fmt.Errorf("list chats: %w", err)
		}
	}
	sql, args := q.sql(sqldb.EngineOf(tx), by, from, limit+1)
	rows, err := sqldb.Select[placed](ctx, tx, sql, args...)
	if err != nil {
		return Page{}, fmt.Errorf("list chats: %w", err)
	}
	slices.SortFunc(rows, func(a, b placed) int {
		c := cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.ID, b.ID))
		if by.descending {
			return -c
		}
		return c
	})
	page := Page{Chats: make([]Chat, 0, min(limit, len(rows)))}
	for i := range rows {
		if i == limit {
			page.Next = cursor.Encode(list, place{rows[i-1].Place, rows[i-1].ID, asOf})
			break
		}
		page.Chats = append(page.Chats, shown(rows[i].Chat, aliases))
	}
	return page, nil
}

// findList is the name of the list of Find, for its cursors.
const findList = "inbox/find"

// search is List for a status or a tag that others stand for: no index has its
// chats in order. Its cursors are those of List, so that a page follows another
// also where something was merged in between.
func (q Query) search(ctx context.Context, tx sqldb.Tx, limit int) (page Page, err error) {
	var all filter.And
	equal := func(field string, kind filter.Kind, value filter.Value) {
		all = append(all, filter.Cond{Field: field, Kind: kind, Op: filter.Eq, Values: []filter.Value{value}})
	}
	for _, f := range []struct {
		field string
		kind  filter.Kind
		value string
	}{
		{"status", filter.ID, q.Status},
		{"status_category", filter.ID, q.Category},
		{"team", filter.ID, q.Team},
		{"tag", filter.Set, q.Tag},
		{"channel", filter.ID, q.Channel},
	} {
		if f.value != "" {
			equal(f.field, f.kind, filter.Value{Text: f.value})
		}
	}
	if q.Assignee != nil {
		equal("assignee", filter.ID, filter.Value{Text: *q.Assignee})
	}
	if q.Unread != nil {
		equal("unread", filter.Bool, filter.Value{Bool: *q.Unread})
	}
	if q.Snoozed != nil {
		equal("snoozed", filter.Bool, filter.Value{Bool: *q.Snoozed})
	}
	type found struct { // as filtersql has it
		Value int64  `json:"k"`
		ID    string `json:"i"`
		AsOf  int64  `json:"t,omitempty"`
	}
	ours, theirs := "inbox/"+string(q.Sort), findList+"/"+string(q.Sort)
	s := Search{Workspace: q.Workspace, Filter: filter.Filter{Target: filter.Chats, Root: all}, Sort: q.Sort}
	if q.Cursor != "" {
		var p place
		if err := cursor.Decode(ours, q.Cursor, &p); err != nil {
			return page, err
		}
		s.Cursor = cursor.Encode(theirs, found{p.Value, p.Chat, p.AsOf})
	}
	const tries = 3 // a page may come short before the end
	for range tries {
		s.Limit = limit - len(page.Chats)
		part, err := Find(ctx, tx, s)
		if err != nil {
			return page, err
		}
		page.Chats = append(page.Chats, part.Chats...)
		if s.Cursor = part.Next; s.Cursor == "" || len(page.Chats) == limit {
			break
		}
	}
	if s.Cursor == "" {
		return page, nil
	}
	var p found
	if err := cursor.Decode(theirs, s.Cursor, &p); err != nil {
		return page, err
	}
	page.Next = cursor.Encode(ours, place{p.Value, p.ID, p.AsOf})
	return page, nil
}

// sql returns the query: a page of ids, found in one index, then the rows, which
// the caller sorts. (SQLite would write them to a sorter for it, every column.)
func (q Query) sql(engine sqldb.Engine, by order, from *place, limit int) (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	table, where := "inbox_v3_chats", "listed = "+arg(q.Workspace)
	marked := q.Tag
	if marked == "" && q.Snoozed != nil && *q.Snoozed {
		marked = markSnoozed
	}
	if marked != "" {
		table, where = "inbox_v3_tags", where+" AND tag = "+arg(marked)
	}
	drives := func(string) bool { return true }
	if engine == sqldb.SQLite {
		drives = q.driver()
	}
	equal := func(column, value string) {
		if drives(column) {
			where += " AND " + column + " = " + arg(value)
		} else {
			where += " AND (" + column + " || '') = " + arg(value) // no index serves an expression
		}
	}
	for _, f := range []struct{ column, value string }{
		{"status", q.Status}, {"category", q.Category}, {"team", q.Team}, {"channel", q.Channel},
	} {
		if f.value != "" {
			equal(f.column, f.value)
		}
	}
	if q.Assignee != nil {
		equal("assignee", *q.Assignee)
	}
	if q.Unread != nil {
		if drives("has_unread") {
			where += " AND has_unread = " + arg(*q.Unread)
		} else {
			where += " AND (NOT has_unread) <> " + arg(*q.Unread)
		}
	}
	if q.Snoozed != nil { // no index is ordered by it
		where += " AND (NOT snoozed) <> " + arg(*q.Snoozed)
	}
	compare, direction := " > ", ""
	if by.descending {
		compare, direction = " < ", " DESC"
	}
	if from != nil {
		where += " AND (" + by.column + ", chat_id)" + compare + "(" + arg(from.Value) + ", " + arg(from.Chat) + ")"
		if from.AsOf != 0 {
			// Whoever was answered since the first page has moved to the end
			// of this order, and was perhaps seen already.
			where += " AND last_activity_at <= " + arg(from.AsOf)
		}
	}
	return "SELECT " + chatColumns + ", p.place FROM (SELECT chat_id AS id, " + by.column + " AS place FROM " + table +
		" WHERE " + where + " ORDER BY " + by.column + direction + ", chat_id" + direction + " LIMIT " + arg(limit) +
		") p JOIN inbox_v3_chats c ON c.chat_id = p.id", args
}

// driver says which filters may choose the index. PostgreSQL knows how many
// rows each lets pass; SQLite takes them all for alike, and would read by one
// that half the rows pass.
func (q Query) driver() func(column string) bool {
	only := func(columns ...string) func(string) bool {
		return func(c string) bool { return slices.Contains(columns, c) }
	}
	named := q.Assignee != nil && *q.Assignee != ""
	marked := q.Tag != "" || q.Snoozed != nil && *q.Snoozed
	switch {
	case marked && q.Sort == ByActivity && q.Status != "":
		return only("assignee", "status")
	case marked:
		return only()
	case q.Sort == ByWaiting && q.Assignee != nil, q.Sort == ByCreated && named:
		return only("assignee")
	case q.Sort != ByActivity:
		return only()
	case q.Assignee != nil:
		return only("assignee", "status")
	case q.Team != "":
		return only("team")
	case q.Unread != nil && *q.Unread:
		return only("has_unread")
	case q.Status != "":
		return only("status")
	}
	return only("channel")
}

// Get returns a chat that is not deleted, or ErrNotFound.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Chat, error) {
	if strings.Contains(id, "\x00") {
		return Chat{}, ErrNotFound
	}
	c, err := sqldb.Get[Chat](ctx, tx, "SELECT "+chatColumns+" FROM inbox_v3_chats c WHERE c.chat_id = $1 AND c.listed = $2 AND c.workspace = $2", id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Chat{}, ErrNotFound
	}
	if err != nil {
		return Chat{}, fmt.Errorf("get chat: %w", err)
	}
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	return shown(c, aliases), err
}

// LastReceived returns when the customer of a chat wrote last, in microseconds; 0 if
// they never did.
func LastReceived(ctx context.Context, tx sqldb.Tx, chat string) (at int64, err error) {
	err = tx.Query(ctx, "SELECT last_in_at FROM inbox_v3_chats WHERE chat_id = $1", []any{chat}, func(r sqldb.Row) error {
		at = r.Int64(0)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read when the customer wrote: %w", err)
	}
	return at, nil
}

// Tally is how many chats there are of each sort. Each is what List would give
// with one filter.
type Tally struct {
	All        int64
	Mine       int64 // assigned to the agent asked for
	Unassigned int64
	Unread     int64 // chats, not messages
}

// Numbers is what the tabs show.
type Numbers struct {
	Tally
	Statuses map[string]int64 // by the id of the status; those without chats are not there
	Open     Tally            // of the chats that are not closed
	Snoozed  Tally            // which are in none of the others
	Shown    map[string]int64 // by status, with those that are snoozed
}

// Counts returns the counts of a workspace as agent sees them. It looks at
// no chat: the counters follow every change.
func Counts(ctx context.Context, tx sqldb.Tx, workspace, agent string) (Numbers, error) {
	c := Numbers{Statuses: map[string]int64{}, Shown: map[string]int64{}}
	if strings.Contains(agent, "\x00") {
		return c, ErrFilter
	}
	rows, err := sqldb.Select[CountRow](ctx, tx, `
		SELECT dimension, value, category, n FROM inbox_v3_counts WHERE listed = $1 AND dimension IN ('all', 'status', 'unread', 'snoozed', 'snoozed_status', 'snoozed_unread')
		UNION ALL
		SELECT dimension, value, category, n FROM inbox_v3_counts WHERE listed = $1 AND dimension IN ('assignee', 'snoozed_assignee') AND value IN ('', $2)`,
		workspace, agent)
	if err != nil {
		return c, fmt.Errorf("count chats: %w", err)
	}
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	if err != nil {
		return c, err
	}
	for _, r := range rows {
		switch r.Dimension {
		case dimStatus:
			c.Statuses[aliases.Status(r.Value)] += r.N
			c.Shown[aliases.Status(r.Value)] += r.N
			continue
		case dimSnoozedStatus:
			c.Shown[aliases.Status(r.Value)] += r.N
			continue
		case dimSnoozed, dimSnoozedAssignee, dimSnoozedUnread:
			c.Snoozed.add(r, agent)
			continue
		}
		c.add(r, agent)
		if r.Category != string(chat.CategoryClosed) {
			c.Open.add(r, agent)
		}
	}
	return c, nil
}

func (t *Tally) add(r CountRow, agent string) {
	switch {
	case r.Dimension == dimAll, r.Dimension == dimSnoozed:
		t.All += r.N
	case r.Dimension == dimUnread, r.Dimension == dimSnoozedUnread:
		t.Unread += r.N
	case r.Value == "":
		t.Unassigned += r.N
	case r.Value == agent:
		t.Mine += r.N
	}
}
