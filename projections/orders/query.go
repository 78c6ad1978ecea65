package orders

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/directory"
)

// Refusals.
var (
	ErrNotFound = fault.New(fault.NotFound, "order.not_found", "no such order")
	ErrFilter   = fault.Bad("filter", "filter.invalid", "a filter holds a NUL character")
	ErrSort     = fault.Bad("sort", "sort.invalid", "want placed or oldest")
)

// Sort is an order of the list.
type Sort string

// The orders of the list: by when an order was placed.
const (
	ByPlaced Sort = "placed" // the latest first
	ByOldest Sort = "oldest" // the oldest first
)

// given returns the order that is meant.
func (s Sort) given() (Sort, error) {
	switch s {
	case "":
		return ByPlaced, nil
	case ByPlaced, ByOldest:
		return s, nil
	}
	return s, ErrSort
}

// Full is an order with who placed it, as the visitors' profiles have it now.
type Full struct {
	Order
	VisitorName  string `db:"visitor_name"`
	VisitorEmail string `db:"visitor_email"`
	VisitorPhone string `db:"visitor_phone"`
}

// Query says which orders to list. An empty filter lets all pass.
type Query struct {
	Workspace string
	Status    string
	Payment   string
	Assignee  string
	Tag       string // its id
	Chat      string
	Sort      Sort   // ByPlaced if empty
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of the list.
type Page struct {
	Orders []Full
	Next   string // cursor of the next page; "" if this is the last
}

type place struct {
	At    int64  `json:"t"`
	Order string `json:"o"`
}

// lists are the names of the list in its cursors.
var lists = map[Sort]string{ByPlaced: "orders", ByOldest: "orders/oldest"}

const (
	columns  = `SELECT o.*, COALESCE(v.name, '') AS visitor_name, COALESCE(v.email, '') AS visitor_email, COALESCE(v.phone, '') AS visitor_phone FROM `
	visitors = ` LEFT JOIN visitor_v2_profiles v ON v.chat_id = o.chat_id AND v.workspace = o.workspace WHERE `
)

// List returns a page of the orders that pass every filter. When an order was placed never changes, so pages that are read one after
// another show each order once.
func List(ctx context.Context, tx sqldb.Tx, q Query) (Page, error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	if strings.Contains(q.Status+q.Chat+q.Payment+q.Assignee+q.Tag, "\x00") {
		return Page{}, ErrFilter
	}
	sort, err := q.Sort.given()
	if err != nil {
		return Page{}, err
	}
	where, args := "o.workspace = $1", []any{q.Workspace}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	for _, f := range []struct{ column, value string }{
		{"status", q.Status}, {"payment", q.Payment}, {"assignee", q.Assignee}, {"chat_id", q.Chat},
	} {
		if f.value != "" {
			where += " AND o." + f.column + " = " + arg(f.value)
		}
	}
	from, at := "orders_v2 o", "o.placed_at, o.order_id"
	aliases, err := directory.ReadAliases(ctx, tx, q.Workspace)
	if err != nil {
		return Page{}, err
	}
	switch tags := aliases.All(directory.KindTag, q.Tag); {
	case q.Tag == "":
	case len(tags) == 1: // then the index of tags has the order of the list
		from, at = "orders_v2_tags t JOIN orders_v2 o ON o.order_id = t.order_id", "t.placed_at, t.order_id"
		where += " AND t.workspace = $1 AND t.tag = " + arg(tags[0])
	default:
		where += " AND o.order_id IN (SELECT order_id FROM orders_v2_tags WHERE workspace = $1 AND tag IN " + sqldb.In(&args, tags) + ")"
	}
	if q.Cursor != "" {
		var p place
		if err := cursor.Decode(lists[sort], q.Cursor, &p); err != nil {
			return Page{}, err
		}
		where += " AND (" + at + map[Sort]string{ByPlaced: ") < (", ByOldest: ") > ("}[sort] + arg(p.At) + ", " + arg(p.Order) + ")"
	}
	order := " ORDER BY " + at + " LIMIT "
	if sort == ByPlaced {
		order = " ORDER BY " + strings.Replace(at, ",", " DESC,", 1) + " DESC LIMIT "
	}
	rows, err := sqldb.Select[Full](ctx, tx, columns+from+visitors+where+order+arg(limit+1), args...)
	if err != nil {
		return Page{}, fmt.Errorf("list orders: %w", err)
	}
	page := cursor.Cut(lists[sort], rows, limit, func(o *Full) any { return place{o.PlacedAt, o.ID} })
	for i := range page.Items {
		page.Items[i].Tags = aliases.Tags(page.Items[i].Tags)
	}
	return Page{Orders: page.Items, Next: page.Next}, nil
}

// Get returns an order, or ErrNotFound.
func Get(ctx context.Context, tx sqldb.Tx, workspace, id string) (Full, error) {
	if strings.Contains(id, "\x00") {
		return Full{}, ErrNotFound
	}
	o, err := sqldb.Get[Full](ctx, tx, columns+"orders_v2 o"+visitors+"o.order_id = $1 AND o.workspace = $2", id, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Full{}, ErrNotFound
	}
	if err != nil {
		return Full{}, fmt.Errorf("get order: %w", err)
	}
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	o.Tags = aliases.Tags(o.Tags)
	return o, err
}

// Notes returns the notes on an order, oldest first.
func Notes(ctx context.Context, tx sqldb.Tx, id string) ([]NoteRow, error) {
	notes, err := sqldb.Select[NoteRow](ctx, tx, "SELECT * FROM orders_v2_notes WHERE order_id = $1 ORDER BY position", id)
	if err != nil {
		return nil, fmt.Errorf("list notes of an order: %w", err)
	}
	return notes, nil
}

const (
	maxNotes   = 200 // of an order in a file
	idsAtOnce  = 500 // in one query
	latestNote = `SELECT order_id, note, note_text, by_id, by_kind, at, edited_at, edited_by, position FROM (
		SELECT n.*, row_number() OVER (PARTITION BY order_id ORDER BY position DESC) AS place FROM orders_v2_notes n WHERE order_id IN `
)

// NotesOf returns the notes on some orders, by the order: of each the latest 200, the
// oldest first.
func NotesOf(ctx context.Context, tx sqldb.Tx, ids []string) (map[string][]NoteRow, error) {
	out := map[string][]NoteRow{}
	for some := range slices.Chunk(ids, idsAtOnce) {
		args := []any{maxNotes}
		rows, err := sqldb.Select[NoteRow](ctx, tx, latestNote+sqldb.In(&args, some)+") latest WHERE place <= $1 ORDER BY position", args...)
		if err != nil {
			return nil, fmt.Errorf("list notes of orders: %w", err)
		}
		for _, n := range rows {
			out[n.Order] = append(out[n.Order], n)
		}
	}
	return out, nil
}

// Totals is what the customer of a chat ordered in one currency.
type Totals struct {
	Currency string
	Orders   int64 // placed, whatever became of them; refused ones were never placed
	Total    int64 // minor units; of those neither cancelled nor returned
	LastAt   int64 // when the last was placed
}

// totalsRow holds a sum in two parts, each of which has room for more orders
// than there can be.
type totalsRow struct {
	Currency string `db:"currency"`
	Orders   int64  `db:"n"`
	Millions int64  `db:"millions"`
	Rest     int64  `db:"rest"`
	LastAt   int64  `db:"last_at"`
}

// TotalsByChats returns the totals of the orders of some chats together, by currency.
// A total that has no room in an int64 is its largest value.
func TotalsByChats(ctx context.Context, tx sqldb.Tx, workspace string, chats ...string) ([]Totals, error) {
	chats = slices.DeleteFunc(slices.Clone(chats), func(c string) bool { return strings.Contains(c, "\x00") })
	if len(chats) == 0 {
		return nil, nil
	}
	args := []any{workspace}
	rows, err := sqldb.Select[totalsRow](ctx, tx, `SELECT currency, CAST(count(*) AS BIGINT) AS n, max(placed_at) AS last_at,
			CAST(sum(CASE WHEN status IN ('cancelled', 'returned') THEN 0 ELSE total / 1000000 END) AS BIGINT) AS millions,
			CAST(sum(CASE WHEN status IN ('cancelled', 'returned') THEN 0 ELSE total % 1000000 END) AS BIGINT) AS rest
		FROM orders_v2 WHERE chat_id IN `+sqldb.In(&args, chats)+` AND workspace = $1 AND status <> 'refused' GROUP BY currency ORDER BY currency`, args...)
	if err != nil {
		return nil, fmt.Errorf("total orders: %w", err)
	}
	out := make([]Totals, len(rows))
	for i, r := range rows {
		total := int64(math.MaxInt64)
		millions := r.Millions + r.Rest/1_000_000
		if millions < math.MaxInt64/1_000_000 {
			total = millions*1_000_000 + r.Rest%1_000_000
		}
		out[i] = Totals{r.Currency, r.Orders, total, r.LastAt}
	}
	return out, nil
}
