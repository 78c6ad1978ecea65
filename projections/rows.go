package projections

import (
	"unsafe"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// Table is a Rows or a Journal of any type, as the runner sees it.
type Table interface {
	Name() string
	Indexes() []Index
	workset // only Rows and Journal are Tables
}

// Index is a secondary index of a table. Its name is unique in the table;
// Columns is SQL: "workspace, last_activity_at DESC, chat_id".
type Index struct {
	Name, Columns string
}

// Rows is the working set of one table: the changes of one batch, kept until
// the rows that they need are loaded.
//
// R is a struct whose exported fields carry `db:"column"` tags; those of the
// primary key, in order, `db:"column,key"`. K is the Go type of the key: that of
// the key field, or a struct of the key fields in the same order. Columns are
// string, int64, bool or float64, never NULL; a field of any other type (slice,
// map or struct) is stored as JSON text: a fold replaces its value and never
// changes it in place, since the old row may share it. Text loses what a
// database cannot hold: NUL, and bytes that are not UTF-8.
type Rows[K comparable, R any] struct {
	name     string
	key      func(*R) K
	indexes  []Index
	onChange []func(before, after *R)
	changes  []change[K, R]

	form    *form
	touched map[K]*slot[K, R] // by the batch
	order   []*slot[K, R]     // in the order they were first touched
	folds   int               // of the batch
	folded  []*slot[K, R]     // rows that the fold under way changes
	cache   cache[K, R]
}

type change[K comparable, R any] struct {
	key  K
	fold func(*R) *R // nil in: no such row; nil out: delete it
}

// NewRows returns the working set of the table called name; the function key
// reads the primary key of a row. It panics if R or K cannot be stored, since that is a
// mistake in the program.
func NewRows[K comparable, R any](name string, key func(*R) K, indexes ...Index) *Rows[K, R] {
	t := &Rows[K, R]{name: name, key: key, indexes: indexes, touched: map[K]*slot[K, R]{}}
	t.form = newForm[K, R](name)
	t.cache.limit(defaultCacheRows)
	return t
}

// Name returns the name of the table.
func (t *Rows[K, R]) Name() string { return t.name }

// Indexes returns the secondary indexes of the table.
func (t *Rows[K, R]) Indexes() []Index { return t.indexes }

// Put makes r the row with its key, whether or not there was one.
func (t *Rows[K, R]) Put(r R) {
	t.Change(t.key(&r), func(*R) *R { c := r; return &c })
}

// Update changes the row with key k. A row that does not exist stays that way.
func (t *Rows[K, R]) Update(k K, fold func(*R)) {
	t.Change(k, func(r *R) *R {
		if r != nil {
			fold(r)
		}
		return r
	})
}

// Upsert changes the row with key k, which is made first if it does not exist:
// fold then gets the zero R and must set the key.
func (t *Rows[K, R]) Upsert(k K, fold func(*R)) {
	t.Change(k, func(r *R) *R {
		if r == nil {
			r = new(R)
		}
		fold(r)
		return r
	})
}

// Delete removes the row with key k, if there is one.
func (t *Rows[K, R]) Delete(k K) {
	t.Change(k, func(*R) *R { return nil })
}

// Change is the general form of the others: fold gets the row with key k, or
// nil, and returns what is to be there afterwards, or nil. The row it returns
// has key k.
func (t *Rows[K, R]) Change(k K, fold func(*R) *R) {
	t.form.cleanKey(unsafe.Pointer(&k))
	t.changes = append(t.changes, change[K, R]{k, fold})
}

// OnChange calls hook, after a batch has been folded, once for each row whose
// value is another than it was: before is nil for a new row, after for a deleted
// one. The hook changes other tables of the projection by their methods: that
// is how counters and lookup tables follow the rows they are derived from.
//
// How often it runs depends on where batches are cut, so what it does must add
// up: a counter that comes to zero is deleted, since in another batch its row
// might never have been made.
func (t *Rows[K, R]) OnChange(hook func(before, after *R)) {
	t.onChange = append(t.onChange, hook)
}

// workset is what the runner does with a table in a batch: prepare, loaded for
// each row found and fold, as often as it likes; then announce, writes, and
// commit or abort.
type workset interface {
	// stored returns the table as it is stored under a name.
	stored(name string) sqldb.Table

	// pending returns the number of changes recorded; undo forgets those after
	// the first n of them.
	pending() int
	undo(n int)

	// prepare takes the rows that the changes need from the cache, and returns
	// the keys of those to be loaded. fresh says that the table was empty when
	// the cache was: what that has never held does not exist.
	prepare(fresh bool) sqldb.Vectors

	// loaded takes a row that prepare asked for.
	loaded(sqldb.Row) error

	// fold runs the changes. announce runs the hooks, when all have been folded.
	fold()
	announce()

	// held returns about how many rows wait to be written.
	held() int

	// writes returns the rows to insert, those to update, and the keys of those
	// to delete.
	writes() (inserts, updates, deletes sqldb.Vectors)

	// updated returns which columns of the rows to update have changed, as
	// sqldb.Update takes them.
	updated() []uint64

	// wordsVersion returns which words are in the index beside the table, "" if it has
	// none. wordsOf returns what writes changes in that, nil for nothing.
	wordsVersion() string
	wordsOf() *words

	// commit ends the batch and keeps its rows in the cache; abort ends it and
	// empties the cache.
	commit()
	abort()

	// limit sets how many rows the cache holds, and empties it.
	limit(rows int)

	// all returns the rows of the cache, sorted by their keys, as []R.
	all() []any
}
