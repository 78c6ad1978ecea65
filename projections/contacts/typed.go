package contacts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/filtersql"
)

// Values returns the column of the workspace's own attributes, from a query for their
// values, under a name, up to its condition.
func Values(in, as string) filtersql.Column {
	return filtersql.Column{SQL: as + ".value", Sorted: as + ".sorted", Own: as + ".attribute_id", In: in}
}

// ops are the operators of an attribute, by its kind.
var ops = map[attribute.Kind][]filter.Op{
	attribute.Text:   {filter.Eq, filter.Ne, filter.In, filter.Contains, filter.Prefix, filter.Exists},
	attribute.Choice: {filter.Eq, filter.Ne, filter.In, filter.Contains, filter.Prefix, filter.Exists},
	attribute.Number: {filter.Eq, filter.Ne, filter.In, filter.Lt, filter.Gt, filter.Between, filter.Exists},
	attribute.Date:   {filter.Eq, filter.Ne, filter.In, filter.Lt, filter.Gt, filter.Between, filter.Exists},
	attribute.Bool:   {filter.Eq, filter.Ne, filter.Exists},
}

// Ops returns the operators of an attribute of a kind.
func Ops(k attribute.Kind) []filter.Op { return slices.Clone(ops[k]) }

// Typed returns a filter in which conditions on the workspace's own attributes compare
// as these are: numbers as numbers, days as days, all else as text. What is no attribute,
// and what one cannot be compared with, is refused by its place.
func Typed(ctx context.Context, tx sqldb.Tx, workspace string, f filter.Filter) (filter.Filter, error) {
	var asked []string
	if f.Root != nil {
		filter.Replace(f.Root, func(c filter.Cond) filter.Node {
			if c.Kind == filter.Own {
				asked = append(asked, strings.TrimPrefix(c.Field, filter.OwnPrefix))
			}
			return c
		})
	}
	if len(asked) == 0 {
		return f, nil
	}
	args := []any{workspace}
	rows, err := sqldb.Select[Attribute](ctx, tx, "SELECT * FROM contacts_v3_attributes WHERE workspace = $1 AND attribute_id IN "+sqldb.In(&args, asked), args...)
	if err != nil {
		return f, fmt.Errorf("look for attributes: %w", err)
	}
	kinds := make(map[string]attribute.Kind, len(rows))
	for _, r := range rows {
		kinds[r.ID] = attribute.Kind(r.Kind)
	}
	f.Root = filter.Replace(f.Root, func(c filter.Cond) filter.Node {
		if c.Kind != filter.Own || err != nil {
			return c
		}
		var n filter.Cond
		n, err = typed(c, kinds[strings.TrimPrefix(c.Field, filter.OwnPrefix)])
		return n
	})
	return f, err
}

func typed(c filter.Cond, kind attribute.Kind) (filter.Cond, error) {
	refuse := func(place string, e *fault.Error, msg string) error {
		e = e.With(msg)
		e.Field = c.Path + "." + place
		return e
	}
	switch {
	case kind == "":
		return c, refuse("field", filter.ErrField, fmt.Sprintf("the workspace has no attribute %q; GET /v1/attributes lists them", strings.TrimPrefix(c.Field, filter.OwnPrefix)))
	case !slices.Contains(ops[kind], c.Op):
		return c, refuse("op", filter.ErrOperator, fmt.Sprintf("a %s has no operator %q", kind, c.Op))
	case kind == attribute.Text || kind == attribute.Choice:
		c.Kind = filter.Word
		return c, nil
	}
	c.Kind, c.Values = filter.ID, slices.Clone(c.Values)
	for i, v := range c.Values {
		kept, err := attribute.Attribute{Kind: kind}.Value(v.Text)
		if err != nil {
			place := "value"
			if c.Op == filter.In || c.Op == filter.Between {
				place = fmt.Sprintf("value[%d]", i)
			}
			return c, refuse(place, filter.ErrValue, err.(*fault.Error).Msg) //nolint:errorlint,forcetypeassert // a refusal as the domain gives it
		}
		c.Values[i] = filter.Value{Text: attribute.Sortable(kept)}
	}
	return c, nil
}
