package contacts

import (
	"cmp"
	"slices"

	"github.com/chatledger/chatledger/projections"
)

// Wholes are the rows of contacts as they are shown: each with its own part first, then
// those merged into it, by id. A contact without parts has no row.
type Wholes[P, R any] struct {
	Rows  *projections.Rows[string, R] // by the contact's id
	Part  func(P) (id, into string)    // into is what the part was merged into, or ""
	Parts func(*R) []P
	Row   func(id string, parts []P) *R // keeps the parts
}

// Show puts a part where it is shown, once it has changed.
func (w Wholes[P, R]) Show(before, after *P) {
	was, is := w.root(before), w.root(after)
	if before != nil && was != is {
		w.Rows.Change(was, func(r *R) *R {
			rest := w.others(r, *before)
			if len(rest) == 0 {
				return nil
			}
			return w.Row(was, rest)
		})
	}
	if after == nil {
		return
	}
	part := *after
	w.Rows.Change(is, func(r *R) *R {
		parts := append(w.others(r, part), part)
		slices.SortFunc(parts, func(a, b P) int {
			x, _ := w.Part(a)
			y, _ := w.Part(b)
			switch {
			case x == y:
				return 0
			case x == is:
				return -1
			case y == is:
				return 1
			}
			return cmp.Compare(x, y)
		})
		return w.Row(is, parts)
	})
}

// root returns the contact as whose part a part is shown.
func (w Wholes[P, R]) root(p *P) string {
	if p == nil {
		return ""
	}
	id, into := w.Part(*p)
	return cmp.Or(into, id)
}

// others returns the parts of a row but one. They are the caller's.
func (w Wholes[P, R]) others(r *R, but P) []P {
	if r == nil {
		return nil
	}
	id, _ := w.Part(but)
	return slices.DeleteFunc(slices.Clone(w.Parts(r)), func(p P) bool {
		other, _ := w.Part(p)
		return other == id
	})
}
