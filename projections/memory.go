package projections

import (
	"fmt"
	"slices"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// Memory folds a projection without a database: for tests, and to see a view as
// of an earlier position. It is not safe for concurrent use.
type Memory struct {
	p      Projection
	tables []Table
}

// NewMemory returns p with empty tables. It takes p over: nobody else may use it.
func NewMemory(p Projection) *Memory {
	m := &Memory{p, p.Tables()}
	for _, t := range m.tables {
		t.abort()
		t.limit(0)
	}
	return m
}

// Apply folds events as one batch. An event of a category that the projection
// does not read is left out. It panics where a fold does.
func (m *Memory) Apply(events ...Event) error {
	for _, e := range events {
		if c := m.p.Categories(); len(c) == 0 || slices.Contains(c, e.Category()) {
			m.p.Apply(e)
		}
	}
	if err := foldTables(m.tables, true, func(Table, sqldb.Vectors) error { return nil }); err != nil {
		return err
	}
	for _, t := range m.tables {
		t.commit()
	}
	return nil
}

// Tables returns the rows of each table, by its name, sorted by key.
func (m *Memory) Tables() map[string][]any {
	out := map[string][]any{}
	for _, t := range m.tables {
		out[t.Name()] = t.all()
	}
	return out
}

// loader has a table take the rows with some keys from where they are stored.
type loader func(Table, sqldb.Vectors) error

// gather folds the changes that have been recorded, without the hooks. Any
// number of times, it may go before foldTables.
func gather(tables []Table, fresh bool, load loader) error {
	for _, t := range tables {
		if err := gatherTable(t, fresh, load); err != nil {
			return err
		}
	}
	return nil
}

func gatherTable(t Table, fresh bool, load loader) error {
	if t.pending() == 0 {
		return nil
	}
	if missing := t.prepare(fresh); missing.Len() > 0 {
		if err := load(t, missing); err != nil {
			return err
		}
	}
	t.fold()
	return nil
}

// foldTables folds the changes that have been recorded, table by table: a hook
// records changes of the tables behind its own.
func foldTables(tables []Table, fresh bool, load loader) error {
	for i, t := range tables {
		if err := gatherTable(t, fresh, load); err != nil {
			return err
		}
		t.announce()
		for _, done := range tables[:i+1] {
			if done.pending() > 0 {
				return fmt.Errorf("table %s: its hook changes %s, which does not come after it", t.Name(), done.Name())
			}
		}
	}
	return nil
}
