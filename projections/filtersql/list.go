package filtersql

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// List is a list that can be filtered. Its rows are read in windows of the list's
// order: the next so many of an index, of which those are kept that pass. So a
// page costs at most as much as the rows that may be looked at for it, whatever
// the filter.
type List struct {
	Name   string // for its cursors
	Target filter.Target
	Select string // its columns, from From
	From   string // the table as c, and what is joined to it
	Table  string
	ID     string // column
	Owner  string // column that holds the workspace

	// Of a list that hides rows: the column of c that holds the workspace also where
	// Owner is "", for Query.Hidden.
	Workspace string

	Columns map[string]Column
	Sorts   map[string]Sort
	Paths   []Path // the first that fits a query is taken
}

// Sort is an order of a list: by a column of whole numbers, then by id.
type Sort struct {
	Column    string
	Ascending bool

	// Moved is a column of times that grows when a row moves towards the end of
	// this order, where it might be seen again. "" if no row does.
	Moved string
}

// Path is an index that gives windows in the order of some sorts.
type Path struct {
	Sorts []string // nil: all
	Table string   // with the columns ID, Owner and those of Sorts; "" means that of the list

	// Among is a field that the filter has to ask for at its top, by eq, in, prefix or
	// exists: Table has only the rows with a value of it. "" if it has all.
	Among string

	// Equal are fields that the filter has to compare with eq at its top, and the
	// columns of the index that hold them. Rows without a value do not count.
	Equal map[string]string

	// Yes are those of Equal that have to be true, and what the column then holds: an
	// index of the few rows for which they are.
	Yes map[string]string

	// Holds are fields whose columns the index has, too: conditions on these
	// alone cost next to nothing.
	Holds map[string]string

	conds []filter.Cond // of a filter, that are served
}

// Query is what to read of a list.
type Query struct {
	Workspace string
	Filter    filter.Filter
	Scope     Scope
	Only      []string // ids that alone are looked at; nil: all
	Except    []string // ids that are left out
	Hidden    bool     // the rows that the list hides, instead of those that it shows
	Sort      string
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50
}

// Page is a part of a list. It may be short, even empty, before the list's end:
// then Next is set all the same.
type Page[T any] = cursor.Page[T]

// owner returns what the column Owner holds in the rows that are asked for.
func (q Query) owner() string {
	if q.Hidden {
		return ""
	}
	return q.Workspace
}

// place is where a window ended.
type place struct {
	Value int64  `json:"k" db:"place"`
	ID    string `json:"i" db:"id"`
	AsOf  int64  `json:"t,omitempty"` // the latest Moved when the first page was read
}

// How many rows may be looked at for one page, window by window: few are enough
// for most filters. Where the index holds all that a filter asks for, a row costs
// a fraction; on PostgreSQL each costs some times as much as on SQLite.
var (
	windows         = []int{200, 800, 2_500, 2_500, 2_500}
	wideWindows     = []int{1_000, 9_000, 60_000}
	postgresWindows = []int{200, 600, 1_200}
	postgresWide    = []int{1_000, 7_000, 16_000}
)

func windowsOf(engine sqldb.Engine, wide bool) []int {
	switch {
	case engine == sqldb.Postgres && wide:
		return postgresWide
	case engine == sqldb.Postgres:
		return postgresWindows
	case wide:
		return wideWindows
	}
	return windows
}

// Read returns a page of a list. at tells where a row is in the order: SQL gets
// it as the column place.
//
// Pages that are read one after another show no row twice, and every row that
// stays where it is.
func Read[T any](ctx context.Context, tx sqldb.Tx, l *List, q Query, at func(*T) (place int64, id string)) (Page[T], error) {
	var page Page[T]
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return page, err
	}
	name, from, err := l.begin(q)
	if err != nil || q.Workspace == "" {
		return page, err
	}
	asOf, err := l.asOf(ctx, tx, q, from)
	if err != nil {
		return page, err
	}
	path, rest := l.path(q)
	for _, size := range windowsOf(sqldb.EngineOf(tx), path.covers(rest)) {
		s := l.statement(sqldb.EngineOf(tx), q, path)
		sql := s.rows(rest, from, size, limit+1-len(page.Items))
		rows, err := sqldb.Select[T](ctx, tx, sql, s.args...)
		if err != nil {
			return page, fmt.Errorf("list %s: %w", l.Name, err)
		}
		slices.SortFunc(rows, func(a, b T) int {
			n, i := at(&a)
			m, j := at(&b)
			return l.compare(q.Sort, place{Value: n, ID: i}, place{Value: m, ID: j})
		})
		page.Items = append(page.Items, rows...)
		if len(page.Items) > limit {
			page.Items = page.Items[:limit]
			n, id := at(&page.Items[limit-1])
			page.Next = cursor.Encode(name, place{n, id, asOf})
			return page, nil
		}
		end, more, err := l.end(ctx, tx, q, path, from, size)
		if err != nil || !more {
			page.Next = ""
			return page, err
		}
		end.AsOf = asOf
		from = &end
		page.Next = cursor.Encode(name, end)
	}
	return page, nil
}

// eachWindow is how many rows Each looks at with one statement.
const eachWindow = 5_000

// Ref is a row and its revision, which lists have as a column.
type Ref struct {
	ID       string `db:"id"`
	Revision int64  `db:"revision"`
	Place    int64  `db:"place"` // in the order of a list
}

// Revisions returns the revisions of those of some rows of a workspace that exist. It
// asks for as many at once as a statement can take.
func Revisions(ctx context.Context, tx sqldb.Tx, table, id, workspace string, ids []string) (map[string]int64, error) {
	const atOnce = 500
	out := make(map[string]int64, len(ids))
	for part := range slices.Chunk(ids, atOnce) {
		args := []any{workspace}
		q := fmt.Sprintf("SELECT %s AS id, revision FROM %s WHERE workspace = $1 AND %s IN %s", id, table, id, sqldb.In(&args, part))
		rows, err := sqldb.Select[Ref](ctx, tx, q, args...)
		if err != nil {
			return nil, fmt.Errorf("look for rows of %s: %w", table, err)
		}
		for _, r := range rows {
			out[r.ID] = r.Revision
		}
	}
	return out, nil
}

// Each calls visit for every row that passes, in the order of the list, until it
// returns an error. It looks at all of the list: it is for jobs, not for requests.
// In one transaction it sees one state.
func Each(ctx context.Context, tx sqldb.Tx, l *List, q Query, visit func(Ref) error) error {
	lean := *l
	lean.Select = "c." + l.ID + " AS id, c.revision"
	l = &lean
	_, from, err := l.begin(q)
	if err != nil || q.Workspace == "" {
		return err
	}
	path, rest := l.path(q)
	for {
		s := l.statement(sqldb.EngineOf(tx), q, path)
		rows, err := sqldb.Select[Ref](ctx, tx, s.rows(rest, from, eachWindow, eachWindow), s.args...)
		if err != nil {
			return fmt.Errorf("list %s: %w", l.Name, err)
		}
		for _, r := range rows {
			if err := visit(r); err != nil {
				return err
			}
		}
		end, more, err := l.end(ctx, tx, q, path, from, eachWindow)
		if err != nil || !more {
			return err
		}
		from = &end
	}
}

// Counted is how many rows pass a filter.
type Counted struct {
	N     int64
	Exact bool // false: at least N
}

// Rows that are looked at to count.
const (
	countWindow      = 10_000
	countWindows     = 3
	wideCountWindows = 20
)

// Count returns how many rows of a list pass, as far as it can tell.
func Count(ctx context.Context, tx sqldb.Tx, l *List, q Query) (Counted, error) {
	var out Counted
	_, from, err := l.begin(q)
	if err != nil || q.Workspace == "" {
		return out, err
	}
	path, rest := l.path(q)
	times := countWindows
	if path.covers(rest) {
		times = wideCountWindows
	}
	for range times {
		s := l.statement(sqldb.EngineOf(tx), q, path)
		n, err := sqldb.Get[int64](ctx, tx, s.count(rest, from, countWindow), s.args...)
		if err != nil {
			return out, fmt.Errorf("count %s: %w", l.Name, err)
		}
		out.N += n
		end, more, err := l.end(ctx, tx, q, path, from, countWindow)
		if err != nil || !more {
			out.Exact = err == nil
			return out, err
		}
		from = &end
	}
	return out, nil
}

// begin checks a query, and returns the name of its cursors and where it goes on.
func (l *List) begin(q Query) (name string, from *place, err error) {
	if q.Filter.Root != nil && q.Filter.Target != l.Target {
		return "", nil, fmt.Errorf("list %s: the filter is one of %s", l.Name, q.Filter.Target)
	}
	name = l.Name + "/" + q.Sort
	if q.Hidden {
		name += "/hidden"
	}
	if q.Cursor == "" {
		return name, nil, nil
	}
	from = new(place)
	return name, from, cursor.Decode(name, q.Cursor, from)
}

// asOf returns from when rows have moved since the first page.
func (l *List) asOf(ctx context.Context, tx sqldb.Tx, q Query, from *place) (int64, error) {
	moved := l.Sorts[q.Sort].Moved
	switch {
	case moved == "":
		return 0, nil
	case from != nil:
		return from.AsOf, nil
	}
	latest, err := sqldb.Get[int64](ctx, tx, "SELECT max("+moved+") FROM "+l.Table+" WHERE "+l.Owner+" = $1", q.owner())
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", l.Name, err)
	}
	return latest, nil
}

func (l *List) compare(sort string, a, b place) int {
	n := cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.ID, b.ID))
	if l.Sorts[sort].Ascending {
		return n
	}
	return -n
}

// path chooses the index, and returns what of the filter is still to be checked.
func (l *List) path(q Query) (Path, []filter.Node) {
	top := []filter.Node{q.Filter.Root}
	if all, ok := q.Filter.Root.(filter.And); ok {
		top = all
	} else if q.Filter.Root == nil {
		top = nil
	}
	for _, p := range l.Paths {
		if p.Sorts != nil && !slices.Contains(p.Sorts, q.Sort) || q.Hidden && p.Table != "" {
			continue
		}
		found := map[string]int{}
		for i, n := range top {
			c, ok := n.(filter.Cond)
			_, wanted := p.Equal[c.Field]
			_, again := found[c.Field]
			if _, yes := p.Yes[c.Field]; ok && yes && (c.Op != filter.Eq || !c.Values[0].Bool) {
				continue
			}
			if ok && wanted && !again && (c.Op == filter.Eq || c.Op == filter.Contains && c.Kind == filter.Set) {
				found[c.Field] = i
			}
		}
		if len(found) == len(p.Equal) && (p.Among == "" || slices.ContainsFunc(top, p.among)) {
			return p.with(top, found)
		}
	}
	return Path{}, top
}

// among reports whether a condition lets nothing pass but what Table has.
func (p Path) among(n filter.Node) bool {
	c, ok := n.(filter.Cond)
	if !ok || c.Field != p.Among || slices.ContainsFunc(c.Values, func(v filter.Value) bool { return v.Text == "" && !v.Me }) {
		return false // null is no value
	}
	return c.Op == filter.Eq || c.Op == filter.In || c.Op == filter.Prefix || c.Op == filter.Exists && c.Want
}

// with returns p with the conditions that it serves, and the others.
func (p Path) with(top []filter.Node, found map[string]int) (Path, []filter.Node) {
	served := slices.Collect(maps.Values(found))
	var rest []filter.Node
	for i, n := range top {
		if slices.Contains(served, i) {
			p.conds = append(p.conds, n.(filter.Cond))
		} else {
			rest = append(rest, n)
		}
	}
	return p, rest
}

// covers reports whether the index has all that some conditions ask for.
func (p Path) covers(rest []filter.Node) bool {
	return !slices.ContainsFunc(rest, func(n filter.Node) bool { return !p.holds(n) })
}

func (p Path) holds(n filter.Node) bool {
	switch n := n.(type) {
	case filter.And:
		return p.covers(n)
	case filter.Or:
		return p.covers(n)
	case filter.Not:
		return p.holds(n.Of)
	case filter.Cond:
		_, ok := p.Holds[n.Field]
		return ok
	}
	return false
}

// statement is a statement in the making.
type statement struct {
	*List
	compiler
	query Query
	path  Path
	args  []any
}

func (l *List) statement(engine sqldb.Engine, q Query, p Path) *statement {
	s := &statement{List: l, query: q, path: p}
	s.compiler = compiler{engine: engine, scope: q.Scope, arg: arguments(&s.args)}
	return s
}

// window returns rows of the index from a place on, with some of the columns it
// holds.
func (s *statement) window(from *place, holds map[string]string) string {
	sort := s.Sorts[s.query.Sort]
	compare, direction := " < ", " DESC"
	if sort.Ascending {
		compare, direction = " > ", ""
	}
	table := cmp.Or(s.path.Table, s.Table)
	var held strings.Builder
	for _, field := range slices.Sorted(maps.Keys(holds)) {
		if column := holds[field]; column != sort.Column && column != s.ID {
			held.WriteString(", " + column)
		}
	}
	conditions := []string{s.Owner + " = " + s.arg(s.query.owner())}
	for _, c := range s.path.conds {
		conditions = append(conditions, s.path.Equal[c.Field]+" = "+s.arg(s.equal(c)))
	}
	if from != nil {
		conditions = append(conditions, "("+sort.Column+", "+s.ID+")"+compare+"("+s.arg(from.Value)+", "+s.arg(from.ID)+")")
		if from.AsOf != 0 {
			conditions = append(conditions, sort.Moved+" <= "+s.arg(from.AsOf))
		}
	}
	return "SELECT " + s.ID + " AS id, " + sort.Column + " AS place" + held.String() + " FROM " + table + where(conditions) +
		" ORDER BY " + sort.Column + direction + ", " + s.ID + direction
}

// equal returns what a condition of the path compares with.
func (s *statement) equal(c filter.Cond) any {
	v := c.Values[0]
	held, yes := s.path.Yes[c.Field]
	switch {
	case yes:
		return held
	case c.Kind == filter.Bool:
		return v.Bool
	case v.Me:
		return s.scope.Me
	}
	return v.Text
}

// passing returns the rows of a window that pass, as p, joined with c if rows are
// to be looked at or shown.
func (s *statement) passing(rest []filter.Node, from *place, size int, join bool) string {
	window := s.window(from, s.path.Holds) + " LIMIT " + s.arg(size)
	var light, heavy []string
	for _, n := range rest {
		if s.path.holds(n) {
			light = append(light, s.node(n, s.held))
		} else {
			heavy = append(heavy, s.node(n, s.column))
		}
	}
	if s.query.Hidden {
		// What is hidden lies side by side, whose it may be. It is told apart here and
		// not in the window, so that the rows of others count as looked at.
		heavy = append(heavy, s.Workspace+" = "+s.arg(s.query.Workspace))
	}
	if len(s.query.Only) > 0 {
		light = append(light, "w.id IN "+s.listed(s.query.Only))
	}
	if len(s.query.Except) > 0 {
		light = append(light, "w.id NOT IN "+s.listed(s.query.Except))
	}
	sql := "(SELECT id, place FROM (" + window + ") w" + where(light) + ") p"
	if join || len(heavy) > 0 {
		sql += " JOIN " + s.From + " ON c." + s.ID + " = p.id" + where(heavy)
	}
	return sql
}

// listed returns a query for the texts of a list, in one argument.
func (s *statement) listed(texts []string) string {
	list, err := json.Marshal(texts)
	if err != nil {
		panic(err) // texts always have a JSON form
	}
	if s.engine == sqldb.Postgres {
		return "(SELECT json_array_elements_text(" + s.arg(string(list)) + "::json))"
	}
	return "(SELECT value FROM json_each(" + s.arg(string(list)) + "))"
}

func where(conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conditions, " AND ")
}

func (s *statement) held(field string) (Column, bool) {
	column, ok := s.path.Holds[field]
	switch column {
	case s.Sorts[s.query.Sort].Column:
		column = "place"
	case s.ID:
		column = "id"
	}
	return Column{SQL: "w." + column}, ok
}

func (s *statement) column(field string) (Column, bool) {
	if strings.HasPrefix(field, filter.OwnPrefix) {
		field = filter.OwnPrefix
	}
	c, ok := s.Columns[field]
	return c, ok
}

func (s *statement) rows(rest []filter.Node, from *place, size, limit int) string {
	direction := " DESC"
	if s.Sorts[s.query.Sort].Ascending {
		direction = ""
	}
	return "SELECT " + s.Select + ", p.place FROM " + s.passing(rest, from, size, true) +
		" ORDER BY p.place" + direction + ", p.id" + direction + " LIMIT " + s.arg(limit)
}

func (s *statement) count(rest []filter.Node, from *place, size int) string {
	return "SELECT count(*) FROM " + s.passing(rest, from, size, false)
}

// end returns where a window ends, and whether it is full: there may be more.
func (l *List) end(ctx context.Context, tx sqldb.Tx, q Query, p Path, from *place, size int) (end place, more bool, err error) {
	s := l.statement(sqldb.EngineOf(tx), q, p)
	sql := s.window(from, nil) + " LIMIT 1 OFFSET " + s.arg(size-1)
	list, err := sqldb.Select[place](ctx, tx, sql, s.args...)
	if err != nil {
		return end, false, fmt.Errorf("list %s: %w", l.Name, err)
	}
	if len(list) == 0 {
		return end, false, nil
	}
	return list[0], true, nil
}

// quoted returns text as it stands in a JSON array.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // text always has a JSON form
	}
	return string(b)
}
