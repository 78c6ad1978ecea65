package groups

import (
	"context"
	"slices"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Field is what a filter calls groups.
const Field = "group"

// maxConds is how many conditions a filter may have once those of dynamic groups are
// in it.
const maxConds = 400

// Refusals of filters.
var (
	ErrDynamic = fault.Bad("filter", "filter.dynamic_group", "only contacts can be chosen by a dynamic group: its filter is one of theirs")
	ErrTooMany = fault.Bad("filter", "filter.too_large", "with those of the dynamic groups the filter has more than 400 conditions")
)

// nobody is a condition that no row passes.
var nobody = filter.Cond{Field: "id", Kind: filter.ID, Op: filter.Eq, Values: []filter.Value{{}}}

// OrEverybody returns the root of a filter, or a condition that every row passes if it
// has none.
func OrEverybody(root filter.Node) filter.Node {
	if root == nil {
		return filter.Not{Of: nobody}
	}
	return root
}

// Expand returns a filter that finds who is in the groups that f asks for: in place of
// a dynamic group there is its filter, in place of one that there is not, nobody.
// Dynamic groups do not ask for groups, so one step is enough.
func Expand(ctx context.Context, tx sqldb.Tx, workspace string, f filter.Filter) (filter.Filter, error) {
	if !f.Asks(Field) {
		return f, nil
	}
	var named []string
	filter.Replace(f.Root, func(c filter.Cond) filter.Node {
		for _, v := range c.Values {
			if c.Field == Field && !slices.Contains(named, v.Text) {
				named = append(named, v.Text)
			}
		}
		return c
	})
	known, err := Some(ctx, tx, workspace, named)
	if err != nil {
		return f, err
	}
	conds := 0
	f.Root = filter.Replace(f.Root, func(c filter.Cond) filter.Node {
		conds++
		if c.Field != Field || c.Op == filter.Exists || err != nil {
			return c
		}
		var n filter.Node
		if n, err = of(c, known, f.Target, &conds); err != nil {
			return c
		}
		return n
	})
	if err == nil && conds > maxConds {
		err = ErrTooMany
	}
	return f, err
}

// of returns what a condition on groups means.
func of(c filter.Cond, known map[string]Group, t filter.Target, conds *int) (filter.Node, error) {
	static := filter.Cond{Field: Field, Kind: c.Kind, Op: filter.In}
	var some filter.Or
	for _, v := range c.Values {
		g, ok := known[v.Text]
		switch {
		case !ok:
		case g.Kind == string(group.Static):
			static.Values = append(static.Values, v)
		case t != filter.Contacts:
			return nil, ErrDynamic
		default:
			f, err := g.Parse()
			if err != nil {
				return nil, err
			}
			f.Root = OrEverybody(f.Root)
			filter.Replace(f.Root, func(c filter.Cond) filter.Node { *conds++; return c })
			some = append(some, f.Root)
		}
	}
	var out filter.Node = some
	switch {
	case len(static.Values) == 1 && len(some) == 0: // as an index serves it
		static.Op = filter.Eq
		out = static
	case len(static.Values) > 0:
		out = append(some, static)
	case len(some) == 0:
		out = nobody
	case len(some) == 1:
		out = some[0]
	}
	if c.Op == filter.Ne {
		return filter.Not{Of: out}, nil
	}
	return out, nil
}

// Parse returns the filter of a group, as whoever set it meant it.
func (g Group) Parse() (filter.Filter, error) { return Meant(g.Filter, g.FilterBy) }

// Meant returns a filter of contacts in which "me" is somebody for good.
func Meant(raw, me string) (filter.Filter, error) {
	f, err := filter.Parse(filter.Contacts, []byte(raw))
	if err != nil || f.Root == nil {
		return f, err
	}
	f.Root = filter.Replace(f.Root, func(c filter.Cond) filter.Node {
		c.Values = slices.Clone(c.Values)
		for i, v := range c.Values {
			if v.Me {
				c.Values[i] = filter.Value{Text: me}
			}
		}
		return c
	})
	return f, nil
}
