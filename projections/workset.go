package projections

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"unsafe"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// slot is a row that a batch touches. Both are nil where there is no row; they
// are the same pointer until a change has run.
type slot[K comparable, R any] struct {
	key      K
	old, new *R
	folded   int    // the fold that last changed it; 0 if none did
	changed  uint64 // set by announce: bits for columns; all bits for a new row, or one that is gone
}

func (t *Rows[K, R]) stored(name string) sqldb.Table {
	return sqldb.Table{Name: name, Columns: t.form.columns}
}

func (t *Rows[K, R]) pending() int { return len(t.changes) }

func (t *Rows[K, R]) undo(n int) {
	clear(t.changes[n:])
	t.changes = t.changes[:n]
}

func (t *Rows[K, R]) prepare(fresh bool) sqldb.Vectors {
	missing := sqldb.NewVectors(t.form.keys, 0)
	for i := range t.changes {
		k := t.changes[i].key
		if t.touched[k] != nil {
			continue
		}
		s := &slot[K, R]{key: k}
		t.touched[k] = s
		t.order = append(t.order, s)
		row, known := t.cache.get(k)
		s.old = row
		if !known && (!fresh || t.cache.seen(k)) {
			t.form.addKey(missing, unsafe.Pointer(&k))
		}
	}
	return missing
}

func (t *Rows[K, R]) loaded(row sqldb.Row) error {
	r := new(R)
	if err := t.form.mapping.Read(row, reflect.ValueOf(r).Elem()); err != nil {
		return err
	}
	if s := t.touched[t.key(r)]; s != nil {
		s.old = r
	}
	return nil
}

func (t *Rows[K, R]) fold() {
	t.folds++
	for i := range t.changes {
		c := &t.changes[i]
		s := t.touched[c.key]
		if s.folded == 0 && s.old != nil { // a fold may write to the row it gets
			r := *s.old
			s.new = &r
		}
		if s.folded != t.folds {
			s.folded = t.folds
			t.folded = append(t.folded, s)
		}
		s.new = c.fold(s.new)
	}
	t.undo(0)
	defer t.forgetFolded()
	for _, s := range t.folded {
		if s.new == nil {
			continue
		}
		t.form.clean(unsafe.Pointer(s.new))
		if k := t.key(s.new); k != s.key {
			panic(fmt.Sprintf("projections: table %s: a change of row %v made it row %v", t.name, s.key, k))
		}
	}
}

func (t *Rows[K, R]) announce() {
	for _, s := range t.order {
		if s.changed = t.differs(s); s.changed == 0 {
			continue
		}
		for _, hook := range t.onChange {
			hook(s.old, s.new)
		}
	}
}

// differs returns in which columns the batch made s another row than it was.
func (t *Rows[K, R]) differs(s *slot[K, R]) uint64 {
	switch {
	case s.old == s.new:
		return 0
	case s.old == nil || s.new == nil:
		return math.MaxUint64
	}
	return t.form.differences(unsafe.Pointer(s.old), unsafe.Pointer(s.new))
}

func (t *Rows[K, R]) writes() (inserts, updates, deletes sqldb.Vectors) {
	var added, changed int
	for _, s := range t.order {
		switch {
		case s.changed == 0 || s.new == nil:
		case s.old == nil:
			added++
		default:
			changed++
		}
	}
	inserts = sqldb.NewVectors(t.form.columns, added)
	updates = sqldb.NewVectors(t.form.columns, changed)
	deletes = sqldb.NewVectors(t.form.keys, 0)
	for _, s := range t.order {
		switch {
		case s.changed == 0:
		case s.new == nil:
			t.form.addKey(deletes, unsafe.Pointer(&s.key))
		case s.old == nil:
			t.form.addRow(inserts, unsafe.Pointer(s.new))
		default:
			t.form.addRow(updates, unsafe.Pointer(s.new))
		}
	}
	return inserts, updates, deletes
}

func (t *Rows[K, R]) updated() (changed []uint64) {
	for _, s := range t.order {
		if s.changed != 0 && s.old != nil && s.new != nil {
			changed = append(changed, s.changed)
		}
	}
	return changed
}

func (t *Rows[K, R]) commit() {
	for _, s := range t.order {
		t.cache.put(s.key, s.new)
	}
	t.forget()
}

func (t *Rows[K, R]) abort() {
	t.undo(0)
	t.forget()
	t.cache.empty()
}

// forget drops the working set of a batch.
func (t *Rows[K, R]) forget() {
	clear(t.touched)
	clear(t.order)
	t.order, t.folds = t.order[:0], 0
}

func (t *Rows[K, R]) forgetFolded() {
	clear(t.folded)
	t.folded = t.folded[:0]
}

func (*Rows[K, R]) wordsVersion() string { return "" }
func (*Rows[K, R]) wordsOf() *words      { return nil }

func (t *Rows[K, R]) held() int { return len(t.order) }

func (t *Rows[K, R]) limit(rows int) { t.cache.limit(rows) }

func (t *Rows[K, R]) all() []any {
	var rows []*R
	for _, half := range []map[K]*R{t.cache.young, t.cache.old} {
		for _, r := range half {
			if r != nil {
				rows = append(rows, r)
			}
		}
	}
	slices.SortFunc(rows, func(a, b *R) int { return t.form.compareKeys(unsafe.Pointer(a), unsafe.Pointer(b)) })
	out := make([]any, len(rows))
	for i, r := range rows {
		out[i] = *r
	}
	return out
}
