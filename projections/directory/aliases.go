package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Aliases says which tags and statuses of a workspace stand for others: tags that
// were merged, statuses that were remapped. Views keep the id that an event has;
// what it stands for now is looked up when something is shown or asked for.
type Aliases struct {
	to   map[string]map[string]string // by kind and id, the last of a chain
	from map[string]map[string][]string
}

// ReadAliases returns the aliases of a workspace, in one look.
func ReadAliases(ctx context.Context, tx sqldb.Tx, workspace string) (Aliases, error) {
	var a Aliases
	rows, err := sqldb.Select[Alias](ctx, tx, "SELECT * FROM directory_v2_aliases WHERE workspace = $1 ORDER BY kind, item_id", workspace)
	if err != nil {
		return a, fmt.Errorf("read aliases: %w", err)
	}
	if len(rows) == 0 {
		return a, nil
	}
	next := map[AliasKey]string{}
	for _, r := range rows {
		next[r.AliasKey] = r.To
	}
	a.to, a.from = map[string]map[string]string{}, map[string]map[string][]string{}
	for _, r := range rows {
		last := r.To
		for range rows { // at most as long as there are rows
			to, ok := next[AliasKey{r.Workspace, r.Kind, last}]
			if !ok {
				break
			}
			last = to
		}
		if a.to[r.Kind] == nil {
			a.to[r.Kind], a.from[r.Kind] = map[string]string{}, map[string][]string{}
		}
		a.to[r.Kind][r.ID] = last
		a.from[r.Kind][last] = append(a.from[r.Kind][last], r.ID)
	}
	return a, nil
}

// Status returns what a chat with a status shows; Tag the same of a tag.
func (a Aliases) Status(id string) string { return a.shown(KindStatus, id) }

// Tag returns what something with a tag shows.
func (a Aliases) Tag(id string) string { return a.shown(KindTag, id) }

func (a Aliases) shown(kind, id string) string {
	if to, ok := a.to[kind][id]; ok {
		return to
	}
	return id
}

// Tags returns what something with some tags shows, sorted, each once. It leaves
// ids alone.
func (a Aliases) Tags(ids []string) []string {
	if len(a.to[KindTag]) == 0 {
		return ids
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = a.Tag(id)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// All returns the ids under which views know what is shown as id: those that stand
// for the same, id first.
func (a Aliases) All(kind, id string) []string {
	id = a.shown(kind, id)
	return append([]string{id}, a.from[kind][id]...)
}

// Expand returns a filter that finds what is shown: where it names a tag or a
// status, all that stand for the same are meant.
func (a Aliases) Expand(f filter.Filter) filter.Filter {
	if len(a.to) > 0 && f.Root != nil {
		f.Root = a.expand(f.Target, f.Root)
	}
	return f
}

func (a Aliases) expand(t filter.Target, n filter.Node) filter.Node {
	each := func(list []filter.Node) []filter.Node {
		out := make([]filter.Node, len(list))
		for i, n := range list {
			out[i] = a.expand(t, n)
		}
		return out
	}
	switch n := n.(type) {
	case filter.And:
		return filter.And(each(n))
	case filter.Or:
		return filter.Or(each(n))
	case filter.Not:
		return filter.Not{Of: a.expand(t, n.Of)}
	case filter.Cond:
		if n.Field == KindTag || n.Field == KindStatus && t != filter.Orders {
			return a.cond(n)
		}
	}
	return n
}

// cond widens a comparison. Parts of an id (prefix) are those that are stored.
func (a Aliases) cond(n filter.Cond) filter.Node {
	switch n.Op {
	case filter.Eq, filter.Ne, filter.In, filter.Contains:
	default:
		return n
	}
	var values []filter.Value
	for _, v := range n.Values {
		if v.Text == "" {
			values = append(values, v)
			continue
		}
		for _, id := range a.All(n.Field, v.Text) {
			if w := (filter.Value{Text: id}); !slices.Contains(values, w) {
				values = append(values, w)
			}
		}
	}
	if len(values) == 1 {
		n.Values = values
		return n
	}
	wide := filter.Cond{Field: n.Field, Kind: n.Kind, Op: filter.In, Values: values}
	if n.Op == filter.Ne {
		return filter.Not{Of: wide}
	}
	return wide
}
