package projectionstest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/projectionstest"
)

type opened struct{ Customer string }

func (opened) EventType() string { return "test.opened.v1" }

type closed struct{}

type row struct {
	ID       string `db:"id,key"`
	Customer string `db:"customer"`
	At       int64  `db:"at"`
}

type countKey struct {
	Customer string
	Open     bool
}

type countRow struct {
	Customer string `db:"customer,key"`
	Open     bool   `db:"is_open,key"`
	N        int64  `db:"n"`
}

type view struct {
	chats  *projections.Rows[string, row]
	counts *projections.Rows[countKey, countRow]
}

func newView() *view {
	v := &view{
		chats:  projections.NewRows("test_chats", func(r *row) string { return r.ID }),
		counts: projections.NewRows("test_counts", func(r *countRow) countKey { return countKey{r.Customer, r.Open} }),
	}
	v.chats.OnChange(func(before, after *row) {
		v.count(before, -1)
		v.count(after, +1)
	})
	return v
}

func (v *view) count(r *row, by int64) {
	if r == nil {
		return
	}
	v.counts.Change(countKey{r.Customer, true}, func(c *countRow) *countRow {
		if c == nil {
			c = &countRow{Customer: r.Customer, Open: true}
		}
		if c.N += by; c.N == 0 {
			return nil // a row of nobody, or whether there was one depends on the batches
		}
		return c
	})
}

func (*view) Name() string                  { return "test.v1" }
func (*view) Categories() []string          { return []string{"chat"} }
func (v *view) Tables() []projections.Table { return []projections.Table{v.chats, v.counts} }

func (v *view) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case opened:
		v.chats.Put(row{e.Subject(), f.Customer, e.At()})
	case closed:
		v.chats.Delete(e.Subject())
	}
}

func TestFold(t *testing.T) {
	got := projectionstest.Fold(t, newView(),
		projectionstest.Event("chat-2", opened{"Ada"}),
		projectionstest.Event("order-1", opened{"of a category that is not read"}),
		projectionstest.Event("chat-1", opened{"Ada"}),
		projectionstest.Event("chat-2", opened{"Bob"}),
		projectionstest.Event("chat-3", opened{"Cyd"}),
		projectionstest.Event("chat-3", closed{}),
	)
	if diff := cmp.Diff([]row{{"1", "Ada", 3e6}, {"2", "Bob", 4e6}}, projectionstest.Rows[row](got, "test_chats")); diff != "" {
		t.Errorf("chats (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]countRow{{"Ada", true, 1}, {"Bob", true, 1}}, projectionstest.Rows[countRow](got, "test_counts")); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
