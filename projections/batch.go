package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// item is an event on its way into the fold, or why it cannot go there. Several
// projections may look at one, so nobody changes it.
type item struct {
	Event
	err error
}

// batch is a part of the log: the events up to end that a projection reads.
type batch struct {
	items []*item
	end   eventstore.Position
	err   error // why there is none after it
}

// decode sets it to r, decoded. It returns false for a type that nobody here
// knows: no projection has a case for it.
func decode(cfg *Config, r eventstore.Recorded, it *item) bool {
	it.Recorded = r
	it.Fact, it.err = cfg.Decode(r)
	if _, unknown := errors.AsType[codec.UnknownTypeError](it.err); unknown {
		return false
	}
	if it.err == nil {
		it.Meta, it.err = eventstore.DecodeMetadata(r)
	}
	return true
}

// decodeOnce returns r, decoded into room unless that has been done before, or nil
// for a type that nobody here knows.
func decodeOnce(cfg *Config, r eventstore.Recorded, room *item) *item {
	if it := cfg.recent.get(r); it != nil {
		return it
	}
	if !decode(cfg, r, room) {
		return nil
	}
	cfg.recent.put(room)
	return room
}

// more adds to b what has been read meanwhile, up to the size of a batch: small
// appends that come quickly share a transaction.
func more(b batch, batches <-chan batch, size int) batch {
	for b.err == nil && len(b.items) < size/2 {
		select {
		case next, ok := <-batches:
			if !ok {
				return b
			}
			b.items, b.end, b.err = append(b.items, next.items...), next.end, next.err
		default:
			return b
		}
	}
	return b
}

// of returns the part of b that p reads and does not have.
func (b batch) of(p Projection, checkpoint eventstore.Position) batch {
	categories := p.Categories()
	mine := batch{end: b.end}
	for _, it := range b.items {
		if it.Position > checkpoint && (len(categories) == 0 || slices.Contains(categories, it.Category())) {
			mine.items = append(mine.items, it)
		}
	}
	return mine
}

// target is a projection with the tables that its rows are in.
type target struct {
	p      Projection
	tables []Table
	suffix string // of the tables' names
	fresh  bool   // the tables were empty when the caches were
	marks  []int
}

func newTarget(p Projection, suffix string, cacheRows int) *target {
	g := &target{p: p, tables: p.Tables(), suffix: suffix}
	g.marks = make([]int, len(g.tables))
	g.begin(false, cacheRows)
	return g
}

// begin empties the caches. fresh says that the tables are empty.
func (g *target) begin(fresh bool, cacheRows int) {
	g.fresh = fresh
	for _, t := range g.tables {
		t.abort()
		t.limit(cacheRows)
	}
}

// panicError is what an Apply, a fold or a hook panicked with.
type panicError struct{ value any }

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// isPoison reports whether err lies in the events of a batch: they would fail
// again.
func isPoison(err error) bool {
	_, panicked := errors.AsType[panicError](err)
	return panicked || sqldb.Rejected(err)
}

// caught runs do and returns a panicError if it panics.
func caught(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicError{v}
		}
	}()
	return do()
}

// recordItem records what it changes, or returns why that cannot be done.
func (g *target) recordItem(it *item) error {
	if it.err != nil {
		return it.err
	}
	return g.record(it.Event)
}

// record has the projection record what e changes. If it panics, nothing of e
// is left.
func (g *target) record(e Event) error {
	for i, t := range g.tables {
		g.marks[i] = t.pending()
	}
	err := caught(func() error { g.p.Apply(e); return nil })
	if err != nil {
		for i, t := range g.tables {
			t.undo(g.marks[i])
		}
	}
	return err
}

// reading runs do with a transaction to read through: mostly rows are in memory,
// and then there is none.
type reading func(do func(sqldb.Tx) error) error

// within reads through tx.
func within(tx sqldb.Tx) reading {
	return func(do func(sqldb.Tx) error) error { return do(tx) }
}

// gather folds what was recorded so far, loading rows as it needs them. fold does
// so and runs the hooks, after which writes says what is to be stored. The caller
// aborts if one returns an error, a panicError among them.
func (g *target) gather(ctx context.Context, read reading) error {
	return caught(func() error { return gather(g.tables, g.fresh, g.loader(ctx, read)) })
}

func (g *target) fold(ctx context.Context, read reading) error {
	return caught(func() error { return foldTables(g.tables, g.fresh, g.loader(ctx, read)) })
}

func (g *target) loader(ctx context.Context, read reading) loader {
	return func(t Table, keys sqldb.Vectors) error {
		return read(func(tx sqldb.Tx) error {
			return sqldb.Load(ctx, tx, t.stored(t.Name()+g.suffix), keys, t.loaded)
		})
	}
}

// tableWrites is what a batch changes in a table.
type tableWrites struct {
	sqldb.Table
	inserts, updates, deletes sqldb.Vectors
	changed                   []uint64 // columns, of each row of updates
	words                     *words   // nil if no index of them changes
}

// writes returns the last state of each row that changed.
func (g *target) writes() []tableWrites {
	list := make([]tableWrites, len(g.tables))
	for i, t := range g.tables {
		list[i].Table = t.stored(t.Name() + g.suffix)
		list[i].inserts, list[i].updates, list[i].deletes = t.writes()
		list[i].changed = t.updated()
		if list[i].words = t.wordsOf(); list[i].words != nil {
			list[i].words.table = wordsTable(t.Name(), g.suffix)
		}
	}
	return list
}

func store(ctx context.Context, tx sqldb.Tx, list []tableWrites) error {
	for _, w := range list {
		if err := w.words.store(ctx, tx); err != nil {
			return err
		}
		if err := sqldb.Delete(ctx, tx, w.Table, w.deletes); err != nil {
			return err
		}
		if err := sqldb.Insert(ctx, tx, w.Table, w.inserts); err != nil {
			return err
		}
		if w.updates.Len() < manyItems {
			if err := sqldb.Update(ctx, tx, w.Table, w.updates, w.changed); err != nil {
				return err
			}
			continue
		}
		if err := sqldb.Upsert(ctx, tx, w.Table, w.updates); err != nil {
			return err
		}
	}
	return nil
}

// held returns about how many rows wait to be written.
func (g *target) held() (n int) {
	for _, t := range g.tables {
		n += t.held()
	}
	return n
}

func (g *target) commit() {
	for _, t := range g.tables {
		t.commit()
	}
}

// abort forgets the batch, and the caches with it: the next one loads anew.
func (g *target) abort() {
	g.fresh = false
	for _, t := range g.tables {
		t.abort()
	}
}
