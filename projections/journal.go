package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// Journal is the working set of a table that grows with the log: an event adds
// rows and nothing changes them. Rows are neither loaded nor kept in memory, and
// lie in the table in the order of their keys, so that adding one costs a
// fraction of what a row of Rows costs. What may change later belongs into
// another table, to be joined when it is read.
//
// R is as for Rows; its key is one int64, as a rule the position of the event.
type Journal[R any] struct {
	name    string
	key     func(*R) int64
	indexes []Index
	form    *form
	words   func(*R) string // nil if no words are indexed
	version string          // of words

	changes []journalChange[R] // recorded by the batch
	added   []R                // by the batch, in order when it ends
	least   int64              // no key of theirs is less
	removed []int64            // rows of earlier batches
	kept    map[int64]R        // all there is, if nothing is stored elsewhere; else nil
}

type journalChange[R any] struct {
	row    R
	key    int64
	remove bool
}

// NewJournal returns the working set of the table called name; the function key
// reads the primary key of a row. It panics if R cannot be stored.
func NewJournal[R any](name string, key func(*R) int64, indexes ...Index) *Journal[R] {
	return &Journal[R]{name: name, key: key, indexes: indexes, form: newForm[int64, R](name)}
}

// IndexWords keeps an index of the words that each row has, for FindWords: words
// returns them with spaces between, as sqldb.AddWords takes them. It depends on
// nothing but the row. The version is another one when words returns others than it
// did: the index must then be built anew, as if a column had changed.
func (t *Journal[R]) IndexWords(version string, words func(*R) string) {
	t.words, t.version = words, version
}

// FindWords returns the keys of rows of the table called journal, whose words are
// indexed: as sqldb.FindWords does.
func FindWords(ctx context.Context, tx sqldb.Tx, journal string, matches []sqldb.Match, below int64, limit int) ([]int64, error) {
	ids, err := sqldb.FindWords(ctx, tx, wordsTable(journal, ""), matches, below, limit)
	if err != nil {
		return nil, fmt.Errorf("find words in %s: %w", journal, err)
	}
	return ids, nil
}

// Name returns the name of the table.
func (t *Journal[R]) Name() string { return t.name }

// Indexes returns the secondary indexes of the table.
func (t *Journal[R]) Indexes() []Index { return t.indexes }

// Add adds r. No row has its key, nor ever had.
func (t *Journal[R]) Add(r R) {
	t.form.clean(unsafe.Pointer(&r))
	t.changes = append(t.changes, journalChange[R]{row: r, key: t.key(&r)})
}

// Remove removes the row with that key, if there is one.
func (t *Journal[R]) Remove(key int64) {
	t.changes = append(t.changes, journalChange[R]{key: key, remove: true})
}

func (t *Journal[R]) stored(name string) sqldb.Table {
	return sqldb.Table{Name: name, Columns: t.form.columns}
}

func (t *Journal[R]) pending() int { return len(t.changes) }

func (t *Journal[R]) undo(n int) {
	clear(t.changes[n:])
	t.changes = t.changes[:n]
}

func (*Journal[R]) prepare(bool) sqldb.Vectors { return nil }
func (*Journal[R]) loaded(sqldb.Row) error     { return nil }

func (t *Journal[R]) fold() {
	t.added = slices.Grow(t.added, len(t.changes))
	for i := range t.changes {
		c := &t.changes[i]
		if !c.remove {
			if len(t.added) == 0 || c.key < t.least {
				t.least = c.key
			}
			t.added = append(t.added, c.row)
			continue
		}
		if at, ok := t.find(c.key); ok {
			t.added = slices.Delete(t.added, at, at+1)
		} else {
			t.removed = append(t.removed, c.key)
		}
	}
	t.undo(0)
}

// find looks for a row among those added, which as a rule are in order.
func (t *Journal[R]) find(key int64) (at int, ok bool) {
	if len(t.added) == 0 || key < t.least {
		return 0, false
	}
	at, ok = slices.BinarySearchFunc(t.added, key, func(r R, key int64) int { return cmp.Compare(t.key(&r), key) })
	if !ok {
		at = slices.IndexFunc(t.added, func(r R) bool { return t.key(&r) == key })
	}
	return at, at >= 0
}

// announce puts rows that a hook has added behind others in their places.
func (t *Journal[R]) announce() {
	byKey := func(a, b R) int { return cmp.Compare(t.key(&a), t.key(&b)) }
	if !slices.IsSortedFunc(t.added, byKey) {
		slices.SortStableFunc(t.added, byKey)
	}
}

func (t *Journal[R]) held() int { return len(t.added) }

func (t *Journal[R]) writes() (inserts, updates, deletes sqldb.Vectors) {
	inserts = sqldb.NewVectors(t.form.columns, len(t.added))
	for i := range t.added {
		t.form.addRow(inserts, unsafe.Pointer(&t.added[i]))
	}
	deletes = sqldb.NewVectors(t.form.keys, len(t.removed))
	for i := range t.removed {
		t.form.addKey(deletes, unsafe.Pointer(&t.removed[i]))
	}
	return inserts, nil, deletes
}

func (*Journal[R]) updated() []uint64 { return nil }

func (t *Journal[R]) wordsVersion() string { return t.version }

func (t *Journal[R]) wordsOf() *words {
	if t.words == nil || len(t.added)+len(t.removed) == 0 {
		return nil
	}
	w := &words{removed: slices.Clone(t.removed), ids: make([]int64, len(t.added)), texts: make([]string, len(t.added))}
	for i := range t.added {
		w.ids[i], w.texts[i] = t.key(&t.added[i]), t.words(&t.added[i])
	}
	return w
}

func (t *Journal[R]) commit() {
	if t.kept != nil {
		for _, r := range t.added {
			t.kept[t.key(&r)] = r
		}
		for _, k := range t.removed {
			delete(t.kept, k)
		}
	}
	t.forget()
}

func (t *Journal[R]) abort() {
	t.undo(0)
	t.forget()
}

func (t *Journal[R]) forget() {
	clear(t.added)
	t.added, t.removed = t.added[:0], t.removed[:0]
}

// limit with 0 rows, which means no limit, comes from Memory: nothing is stored.
func (t *Journal[R]) limit(rows int) {
	t.kept = nil
	if rows == 0 {
		t.kept = map[int64]R{}
	}
}

func (t *Journal[R]) all() []any {
	var keys []int64
	for k := range t.kept {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]any, len(keys))
	for i, k := range keys {
		out[i] = t.kept[k]
	}
	return out
}
