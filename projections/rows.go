package projections

// Table is a Rows of any type, as the runner sees it.
type Table interface {
	Name() string
	Indexes() []Index
	table() // only Rows is a Table
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
// map, struct) is stored as JSON text: a fold replaces its value and never
// changes it in place, since the old row may share it.
type Rows[K comparable, R any] struct {
	name     string
	key      func(*R) K
	indexes  []Index
	onChange []func(old, new *R)
	changes  []change[K, R]
}

type change[K comparable, R any] struct {
	key  K
	fold func(*R) *R // nil in: no such row; nil out: delete it
}

// NewRows returns the working set of the table called name, whose primary key
// key reads from a row.
func NewRows[K comparable, R any](name string, key func(*R) K, indexes ...Index) *Rows[K, R] {
	return &Rows[K, R]{name: name, key: key, indexes: indexes}
}

// Name returns the name of the table.
func (t *Rows[K, R]) Name() string { return t.name }

// Indexes returns the secondary indexes of the table.
func (t *Rows[K, R]) Indexes() []Index { return t.indexes }

func (*Rows[K, R]) table() {}

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
// nil, and returns what is to be there afterwards, or nil.
func (t *Rows[K, R]) Change(k K, fold func(*R) *R) {
	t.changes = append(t.changes, change[K, R]{k, fold})
}

// OnChange calls hook, after a batch has been folded, once for each row whose
// value is another than before: old is nil for a new row, new for a deleted
// one. The hook changes other tables of the projection by their methods: that
// is how counters and lookup tables follow the rows they are derived from.
func (t *Rows[K, R]) OnChange(hook func(old, new *R)) {
	t.onChange = append(t.onChange, hook)
}
