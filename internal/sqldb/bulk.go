package sqldb

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"zombiezen.com/go/sqlite"
)

// Table is a table as the bulk functions see it. No column is ever NULL.
type Table struct {
	Name    string
	Columns []Column
}

// Column is a column of a Table.
type Column struct {
	Name string
	Kind Kind
	Key  bool // part of the primary key
}

// Validate reports a name that would need quotes, or a missing key.
func (t Table) Validate() error {
	if !identifier.MatchString(t.Name) {
		return fmt.Errorf("table %q: want lower-case letters, digits and underscores", t.Name)
	}
	for _, c := range t.Columns {
		if !identifier.MatchString(c.Name) {
			return fmt.Errorf("table %s: column %q: want lower-case letters, digits and underscores", t.Name, c.Name)
		}
	}
	if len(t.keys()) == 0 {
		return fmt.Errorf("table %s has no key", t.Name)
	}
	return nil
}

// keys returns the columns of the primary key.
func (t Table) keys() []Column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool { return !c.Key })
}

// names returns the names of columns, for a list in SQL.
func names(columns []Column) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name)
	}
	return b.String()
}

// Vector is the values of one column, in the slice of its kind (JSON is text).
type Vector struct {
	Kind   Kind
	Texts  []string
	Ints   []int64
	Bools  []bool
	Floats []float64
	Blobs  [][]byte
}

// Vectors are the values of several rows, column by column.
type Vectors []Vector

// Len returns the number of rows.
func (v Vectors) Len() int {
	if len(v) == 0 {
		return 0
	}
	return len(v[0].Texts) + len(v[0].Ints) + len(v[0].Bools) + len(v[0].Floats) + len(v[0].Blobs)
}

// NewVectors returns room for n rows of columns.
func NewVectors(columns []Column, n int) Vectors {
	v := make(Vectors, len(columns))
	for i, c := range columns {
		v[i].Kind = c.Kind
		switch c.Kind {
		case Text, JSON:
			v[i].Texts = make([]string, 0, n)
		case Int:
			v[i].Ints = make([]int64, 0, n)
		case Bool:
			v[i].Bools = make([]bool, 0, n)
		case Float:
			v[i].Floats = make([]float64, 0, n)
		case Bytes:
			v[i].Blobs = make([][]byte, 0, n)
		}
	}
	return v
}

// all returns the values as a slice that PostgreSQL takes for an array.
func (v *Vector) all() any {
	switch v.Kind {
	case Int:
		return v.Ints
	case Bool:
		return v.Bools
	case Float:
		return v.Floats
	case Bytes:
		return v.Blobs
	default:
		return v.Texts
	}
}

// CreateTable makes t if it does not exist.
func CreateTable(ctx context.Context, tx Tx, t Table) error {
	if err := t.Validate(); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	pg := tx.engine() == Postgres
	keys := t.keys()
	// SQLite keeps rows in the order of a single integer key: adding one at the
	// end is its fastest way to store anything.
	ordered := !pg && len(keys) == 1 && keys[0].Kind == Int
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (\n", t.Name)
	for _, c := range t.Columns {
		typ := sqlType(c.Kind, pg)
		if ordered && c.Key {
			typ = "INTEGER" // of exactly this name, SQLite manual, "ROWIDs and the INTEGER PRIMARY KEY"
		}
		fmt.Fprintf(&b, "\t%s %s NOT NULL,\n", c.Name, typ)
	}
	fmt.Fprintf(&b, "\tPRIMARY KEY (%s)\n)", names(keys))
	if !pg && !ordered {
		b.WriteString(" WITHOUT ROWID")
	}
	_, err := tx.Exec(ctx, b.String())
	return err
}

func sqlType(k Kind, pg bool) string {
	switch {
	case k == Int:
		return "BIGINT"
	case k == Bool:
		return "BOOLEAN"
	case k == Float && pg:
		return "DOUBLE PRECISION"
	case k == Float:
		return "REAL"
	case k == Bytes && pg:
		return "BYTEA"
	case k == Bytes:
		return "BLOB"
	case pg:
		return "TEXT COLLATE \"C\"" // sorts as SQLite does: by bytes
	}
	return "TEXT"
}

// TableExists reports whether there is a table called name.
func TableExists(ctx context.Context, tx Tx, name string) (bool, error) {
	sql := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
	if tx.engine() == Postgres {
		sql = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
	}
	n, err := Get[int64](ctx, tx, sql, name)
	if err != nil {
		return false, fmt.Errorf("look for table %s: %w", name, err)
	}
	return n > 0, nil
}

// Indexes returns the names of all indexes.
func Indexes(ctx context.Context, tx Tx) ([]string, error) {
	sql := "SELECT name FROM sqlite_master WHERE type = 'index'"
	if tx.engine() == Postgres {
		sql = "SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema()"
	}
	list, err := Select[string](ctx, tx, sql)
	if err != nil {
		return nil, fmt.Errorf("list indexes: %w", err)
	}
	return list, nil
}

// Load calls scan, in no order, for each row of t whose key is among keys: the
// vectors of its key columns. The columns of the row are those of t.
func Load(ctx context.Context, tx Tx, t Table, keys Vectors, scan func(Row) error) error {
	if keys.Len() == 0 {
		return nil
	}
	if err := tx.load(ctx, t, keys, scan); err != nil {
		return fmt.Errorf("load rows of %s: %w", t.Name, err)
	}
	return nil
}

// Insert adds rows whose keys are not in t. Keys differ from each other.
func Insert(ctx context.Context, tx Tx, t Table, rows Vectors) error {
	if rows.Len() == 0 {
		return nil
	}
	if err := tx.insert(ctx, t, rows, false); err != nil {
		return fmt.Errorf("insert rows into %s: %w", t.Name, err)
	}
	return nil
}

// Upsert adds rows to t, or replaces those with the same key. Keys differ from
// each other.
func Upsert(ctx context.Context, tx Tx, t Table, rows Vectors) error {
	if rows.Len() == 0 {
		return nil
	}
	if err := tx.insert(ctx, t, rows, true); err != nil {
		return fmt.Errorf("upsert rows of %s: %w", t.Name, err)
	}
	return nil
}

// Delete removes the rows with the given keys, those that exist.
func Delete(ctx context.Context, tx Tx, t Table, keys Vectors) error {
	if keys.Len() == 0 {
		return nil
	}
	if err := tx.remove(ctx, t, keys); err != nil {
		return fmt.Errorf("delete rows of %s: %w", t.Name, err)
	}
	return nil
}

// onConflict is the end of an upsert.
func (t Table) onConflict() string {
	var set []string
	for _, c := range t.Columns {
		if !c.Key {
			set = append(set, c.Name+" = excluded."+c.Name)
		}
	}
	if len(set) == 0 {
		return fmt.Sprintf(" ON CONFLICT (%s) DO NOTHING", names(t.keys()))
	}
	return fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET %s", names(t.keys()), strings.Join(set, ", "))
}

// SQLite: statements over a few fixed numbers of rows, so that they stay
// prepared.

// groups calls fn with ranges of n rows whose sizes are few.
func groups(n, columns int, fn func(from, size int) error, sizes ...int) error {
	for from := 0; from < n; {
		size := 1
		for _, s := range sizes {
			if n-from >= s && s*columns <= 4096 {
				size = s
				break
			}
		}
		if err := fn(from, size); err != nil {
			return err
		}
		from += size
	}
	return nil
}

// tuples returns "(?1, ?2), (?3, ?4)" for size rows of columns.
func tuples(size, columns int) string {
	var b strings.Builder
	for i := range size * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// run binds rows from, from+1 … to sql and runs it.
func (tx liteTx) run(sql string, rows Vectors, from, size int, scan func(Row) error) error {
	if tx.c.busy {
		return errNested
	}
	stmt, err := tx.c.prepare(sql)
	if err != nil {
		return err
	}
	at := 1
	for r := from; r < from+size; r++ {
		for i := range rows {
			bindValue(stmt, at, &rows[i], r)
			at++
		}
	}
	return tx.c.rows(stmt, scan)
}

func bindValue(stmt *sqlite.Stmt, at int, v *Vector, i int) {
	switch v.Kind {
	case Int:
		stmt.BindInt64(at, v.Ints[i])
	case Bool:
		stmt.BindBool(at, v.Bools[i])
	case Float:
		stmt.BindFloat(at, v.Floats[i])
	case Bytes:
		stmt.BindBytes(at, v.Blobs[i])
	default:
		stmt.BindText(at, v.Texts[i])
	}
}

// texts caches the statement of each group size, which is long to put together.
type texts map[int]string

func (c texts) get(size int, build func() string) string {
	s, ok := c[size]
	if !ok {
		s = build()
		c[size] = s
	}
	return s
}

func none(Row) error { return nil }

func (tx liteTx) load(_ context.Context, t Table, keys Vectors, scan func(Row) error) error {
	cache := texts{}
	return groups(keys.Len(), len(keys), func(from, size int) error {
		sql := cache.get(size, func() string { return "SELECT " + names(t.Columns) + " FROM " + t.Name + where(t, size) })
		return tx.run(sql, keys, from, size, scan)
	}, 256, 64, 16, 4)
}

func (tx liteTx) remove(_ context.Context, t Table, keys Vectors) error {
	cache := texts{}
	return groups(keys.Len(), len(keys), func(from, size int) error {
		sql := cache.get(size, func() string { return "DELETE FROM " + t.Name + where(t, size) })
		return tx.run(sql, keys, from, size, none)
	}, 256, 64, 16, 4)
}

// where matches size keys.
func where(t Table, size int) string {
	keys := t.keys()
	switch {
	case size == 1 && len(keys) > 1:
		return " WHERE (" + names(keys) + ") = " + tuples(1, len(keys))
	case len(keys) > 1:
		return " WHERE (" + names(keys) + ") IN (VALUES " + tuples(size, len(keys)) + ")"
	default:
		return " WHERE " + keys[0].Name + " IN " + tuples(1, size)
	}
}

// insert has one statement run for row after row. More rows in a statement would
// make none of them cheaper: SQLite copies each page that such a statement changes,
// in case it fails half-way.
func (tx liteTx) insert(_ context.Context, t Table, rows Vectors, upsert bool) error {
	if tx.c.busy {
		return errNested
	}
	sql := "INSERT INTO " + t.Name + " (" + names(t.Columns) + ") VALUES " + tuples(1, len(rows))
	if upsert {
		sql += t.onConflict()
	}
	stmt, err := tx.c.prepare(sql)
	if err != nil {
		return err
	}
	for at := range rows.Len() {
		for i := range rows {
			if at == 0 || !rows[i].repeats(at) {
				bindValue(stmt, i+1, &rows[i], at)
			}
		}
		if err := tx.c.rows(stmt, none); err != nil {
			return err
		}
	}
	return nil
}

// repeats reports whether a value is known to be the one before it: that is still
// bound.
func (v *Vector) repeats(at int) bool {
	switch v.Kind {
	case Text, JSON:
		return v.Texts[at] == v.Texts[at-1]
	case Int:
		return v.Ints[at] == v.Ints[at-1]
	case Bool:
		return v.Bools[at] == v.Bools[at-1]
	}
	return false
}

// PostgreSQL: one statement over arrays, or COPY.

const copyFrom = 200 // rows from which COPY is worth its round trip

// arrays returns "$1::text[], $2::bigint[]" and its arguments.
func arrays(columns []Column, rows Vectors) (string, []any) {
	var b strings.Builder
	args := make([]any, len(rows))
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		typ, _, _ := strings.Cut(sqlType(c.Kind, true), " COLLATE")
		fmt.Fprintf(&b, "$%d::%s[]", i+1, typ)
		args[i] = rows[i].all()
	}
	return b.String(), args
}

func (tx pgTx) load(ctx context.Context, t Table, keys Vectors, scan func(Row) error) error {
	lists, args := arrays(t.keys(), keys)
	var on []string
	for i, k := range t.keys() {
		on = append(on, fmt.Sprintf("t.%s = k.k%d", k.Name, i))
	}
	sql := "SELECT t." + strings.ReplaceAll(names(t.Columns), ", ", ", t.") +
		" FROM unnest(" + lists + ") AS k(" + aliases(len(keys)) + ") JOIN " + t.Name + " t ON " + strings.Join(on, " AND ")
	return tx.query(ctx, sql, args, scan)
}

func (tx pgTx) remove(ctx context.Context, t Table, keys Vectors) error {
	lists, args := arrays(t.keys(), keys)
	var on []string
	for i, k := range t.keys() {
		on = append(on, fmt.Sprintf("t.%s = k.k%d", k.Name, i))
	}
	_, err := tx.tx.Exec(ctx, "DELETE FROM "+t.Name+" t USING unnest("+lists+") AS k("+aliases(len(keys))+") WHERE "+
		strings.Join(on, " AND "), args...)
	return err
}

// aliases names the columns of an unnest.
func aliases(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "k" + strconv.Itoa(i)
	}
	return strings.Join(list, ", ")
}

func (tx pgTx) insert(ctx context.Context, t Table, rows Vectors, upsert bool) error {
	if !upsert && rows.Len() >= copyFrom {
		sql := "COPY " + pgx.Identifier{t.Name}.Sanitize() + " (" + names(t.Columns) + ") FROM STDIN (FORMAT binary)"
		_, err := tx.tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(copyData(rows)), sql)
		return err
	}
	lists, args := arrays(t.Columns, rows)
	sql := "INSERT INTO " + t.Name + " (" + names(t.Columns) + ") SELECT * FROM unnest(" + lists + ")"
	if upsert {
		sql += t.onConflict()
	}
	_, err := tx.tx.Exec(ctx, sql, args...)
	return err
}

// copyData returns rows as COPY reads them (PostgreSQL manual, COPY, "Binary
// Format"; the values as their types' receive functions take them). pgx could do
// it value by value; this takes a tenth of the time.
func copyData(rows Vectors) []byte {
	n, size := rows.Len(), 32
	for i := range rows {
		for _, s := range rows[i].Texts {
			size += len(s)
		}
		for _, b := range rows[i].Blobs {
			size += len(b)
		}
	}
	out := make([]byte, 0, size+n*(2+12*len(rows)))
	out = append(out, "PGCOPY\n\xff\r\n\x00"...)
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0) // no flags, no extension
	order := binary.BigEndian
	for at := range n {
		out = order.AppendUint16(out, uint16(len(rows)))
		for i := range rows {
			switch v := &rows[i]; v.Kind {
			case Int:
				out = order.AppendUint64(order.AppendUint32(out, 8), uint64(v.Ints[at]))
			case Bool:
				out = append(order.AppendUint32(out, 1), 0)
				if v.Bools[at] {
					out[len(out)-1] = 1
				}
			case Float:
				out = order.AppendUint64(order.AppendUint32(out, 8), math.Float64bits(v.Floats[at]))
			case Bytes:
				out = append(order.AppendUint32(out, uint32(len(v.Blobs[at]))), v.Blobs[at]...)
			default:
				out = append(order.AppendUint32(out, uint32(len(v.Texts[at]))), v.Texts[at]...)
			}
		}
	}
	return order.AppendUint16(out, math.MaxUint16) // -1: the end
}
