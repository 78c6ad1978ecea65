// Package filter is the one language in which chats, contacts and orders are
// chosen: for lists and counts, for bulk operations and exports.
//
// A filter is a JSON object, parsed once to a tree of typed conditions:
//
//	{"and": [
//	  {"field": "status", "op": "in", "value": ["OPEN", "REVIEW"]},
//	  {"not": {"field": "tag", "op": "eq", "value": "spam"}},
//	  {"field": "last_activity", "op": "lt", "value": "-7d"}
//	]}
//
// It is pure, and it knows no table: what a field means is for the view that
// answers. docs/filters.md is its reference.
package filter

import "time"

// Filter is a filter on one target, checked. The zero Filter lets all pass.
type Filter struct {
	Target Target
	Root   Node // nil lets all pass
}

// And returns a filter on the same target that lets pass what both do.
func (f Filter) And(g Filter) Filter {
	var both And
	for _, root := range []Node{f.Root, g.Root} {
		switch n := root.(type) {
		case nil:
		case And:
			both = append(both, n...)
		default:
			both = append(both, n)
		}
	}
	if len(both) > 0 {
		f.Root = both
	}
	return f
}

// Asks reports whether the filter has a condition on a field.
func (f Filter) Asks(field string) bool {
	return f.Root != nil && Replace(f.Root, func(c Cond) Node {
		if c.Field == field {
			return nil
		}
		return c
	}) == nil
}

// OfDeleted refuses a filter that cannot choose among what is deleted: of deleted
// contacts no view keeps the workspace's own attributes, nor which chats are theirs.
func (f Filter) OfDeleted() error {
	if f.Target != Contacts || f.Root == nil {
		return nil
	}
	var refused error
	Replace(f.Root, func(c Cond) Node {
		if f, _ := Lookup(Contacts, c.Field); f.Shown {
			e := *ErrDeleted
			e.Field = c.Path + ".field"
			refused = &e
		}
		return c
	})
	return refused
}

// Replace returns n with each condition replaced by what with makes of it; it is nil
// if with returned nil for one of them. It leaves n alone.
func Replace(n Node, with func(Cond) Node) Node {
	each := func(list []Node) []Node {
		out := make([]Node, len(list))
		for i, part := range list {
			if out[i] = Replace(part, with); out[i] == nil {
				return nil
			}
		}
		return out
	}
	switch n := n.(type) {
	case And:
		if parts := each(n); parts != nil {
			return And(parts)
		}
	case Or:
		if parts := each(n); parts != nil {
			return Or(parts)
		}
	case Not:
		if of := Replace(n.Of, with); of != nil {
			return Not{of}
		}
	case Cond:
		return with(n)
	}
	return nil
}

// Node is And, Or, Not or Cond.
type Node interface{ node() }

// And lets pass what all of its parts let pass.
type And []Node

// Or lets pass what one of its parts lets pass.
type Or []Node

// Not lets pass what the other does not.
type Not struct{ Of Node }

// Cond is a condition on one field.
type Cond struct {
	Field  string // as in Fields
	Kind   Kind
	Op     Op
	Values []Value // one; for In one or more, for Between two, for Exists none
	Want   bool    // for Exists

	Path string // of an Own field: where the condition is, for refusals
}

func (And) node()  {}
func (Or) node()   {}
func (Not) node()  {}
func (Cond) node() {}

// Value is what a field is compared with: that of its fields which the Kind of
// the condition says.
type Value struct {
	Text   string // ID, Word, Set, Own; "" is nobody or nothing
	Me     bool   // ID: whoever asks
	Bool   bool   // Bool
	Number int64  // Number
	Time   time.Time
	Ago    time.Duration // Time, if Time is zero: before now; negative: after
}

// At returns the time that a value of a time field means.
func (v Value) At(now time.Time) time.Time {
	if v.Time.IsZero() {
		return now.Add(-v.Ago)
	}
	return v.Time
}

// Op says how a field is compared.
type Op string

// The operators. Each kind of field has some of them.
const (
	Eq       Op = "eq"
	Ne       Op = "ne"       // everything that Eq does not let pass
	In       Op = "in"       // Eq with one of a list
	Contains Op = "contains" // anywhere in a Word; the same as Eq on a Set
	Prefix   Op = "prefix"
	Exists   Op = "exists" // there is a value, or with the value false there is none
	Lt       Op = "lt"     // a field without a value passes neither this nor the next two
	Gt       Op = "gt"
	Between  Op = "between" // both ends included
)

// Target is what a filter chooses from.
type Target string

// The targets.
const (
	Chats    Target = "chats"
	Orders   Target = "orders"
	Contacts Target = "contacts"
)

// Bounds. What is beyond is refused with ErrSize.
const (
	MaxSize   = 16 << 10 // bytes of JSON
	MaxDepth  = 8        // of and, or and not in one another, with the condition
	MaxConds  = 100
	MaxValues = 200 // of one condition
	MaxText   = 512 // bytes of one value
)
