// Package filtersql turns a filter into SQL, and reads a list with it.
//
// Every value of a filter becomes an argument; its fields are looked up in a
// table of a view's own. No byte of a filter gets into the text of a statement.
package filtersql

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Column says where the value of a field is: an SQL expression that is never
// NULL. No value is "" of an ID or a Word, and 0 of a time.
type Column struct {
	SQL      string
	Postgres string // instead of SQL, on PostgreSQL

	// Of a Set or a Bool that lives in other rows: a query for them, up to the
	// condition, such as "SELECT 1 FROM orders o WHERE o.chat_id = c.chat_id". It
	// passes if one of them does.
	In string

	// Of a Word that other rows have, too: where they have it. In is the query for them.
	Also string

	// Of the attributes of a workspace's own (filter.OwnPrefix): the column of In that
	// has the attribute's id, and the one that has values in the order of what they
	// mean. SQL is that of values as they are shown.
	Own, Sorted string

	List   bool   // of a Set: a JSON array of text, as encoding/json writes it
	Member string // of a List: an array of objects, with the texts in this member
}

// Scope is what a filter is asked with.
type Scope struct {
	Now time.Time // what "-7d" is counted from
	Me  string    // what "me" stands for
}

// compiler makes conditions. Fields are those of one list.
type compiler struct {
	engine sqldb.Engine
	scope  Scope
	arg    func(any) string
}

// columns finds the column of a field.
type columns func(field string) (Column, bool)

// node returns the condition of n, in parentheses where it needs them.
func (c *compiler) node(n filter.Node, find columns) string {
	switch n := n.(type) {
	case filter.And:
		return c.join(n, " AND ", find)
	case filter.Or:
		return c.join(n, " OR ", find)
	case filter.Not:
		return "NOT " + c.node(n.Of, find)
	case filter.Cond:
		column, ok := find(n.Field)
		if !ok {
			panic(fmt.Sprintf("filtersql: no column for %q", n.Field)) // a test looks at every field
		}
		return c.cond(n, column)
	}
	panic(fmt.Sprintf("filtersql: unknown node %T", n))
}

func (c *compiler) join(parts []filter.Node, by string, find columns) string {
	list := make([]string, len(parts))
	for i, p := range parts {
		list[i] = c.node(p, find)
	}
	return "(" + strings.Join(list, by) + ")"
}

func (c *compiler) cond(n filter.Cond, col Column) string {
	if n.Op == filter.Ne {
		n.Op = filter.Eq
		return "NOT " + c.cond(n, col)
	}
	expr := col.SQL
	if c.engine == sqldb.Postgres && col.Postgres != "" {
		expr = col.Postgres
	}
	if n.Op == filter.Exists && !n.Want {
		n.Want = true
		return "NOT " + c.cond(n, col)
	}
	if n.Kind == filter.Set {
		return c.set(n, expr, col)
	}
	if col.Own != "" {
		return c.own(n, expr, col)
	}
	if n.Kind == filter.Bool && col.In != "" { // there is such a row, or there is none
		if n.Values[0].Bool {
			return exists(col.In)
		}
		return "NOT " + exists(col.In)
	}
	if col.Also != "" {
		return "(" + c.test(n, expr) + " OR " + exists(col.In+" AND "+c.test(n, col.Also)) + ")"
	}
	return c.test(n, expr)
}

// own compares an attribute of the workspace's own, of a kind that a view has found
// out: a Word as it is shown, an ID by what it means.
func (c *compiler) own(n filter.Cond, expr string, col Column) string {
	of := col.In + " AND " + col.Own + " = " + c.arg(strings.TrimPrefix(n.Field, filter.OwnPrefix))
	if n.Op == filter.Exists {
		return exists(of)
	}
	if n.Kind != filter.Word {
		expr = col.Sorted
	}
	return exists(of + " AND " + c.test(n, expr))
}

// exists returns whether a query finds something. With an offset PostgreSQL asks
// it for each row, and does not read all of the other table to join it.
func exists(query string) string { return "EXISTS (" + query + " LIMIT 1 OFFSET 0)" }

// set compares a field of many values.
func (c *compiler) set(n filter.Cond, expr string, col Column) string {
	one := func(v filter.Value) string {
		if col.List {
			return c.holds(expr, col.before()+quoted(v.Text))
		}
		return expr + " = " + c.arg(v.Text)
	}
	var tests []string
	if n.Op == filter.Exists {
		if col.List {
			return c.holds(expr, col.before()+`"`)
		}
		return exists(col.In)
	}
	for _, v := range n.Values {
		tests = append(tests, one(v))
	}
	test := "(" + strings.Join(tests, " OR ") + ")"
	if col.List {
		return test
	}
	return exists(col.In + " AND " + test)
}

// before returns what precedes each text of a List. It cannot be in a text, whose
// quotes are escaped.
func (c Column) before() string {
	if c.Member == "" {
		return ""
	}
	return quoted(c.Member) + ":"
}

// test compares a field of one value.
func (c *compiler) test(n filter.Cond, expr string) string {
	value := func(v filter.Value) any {
		switch n.Kind {
		case filter.Bool:
			return v.Bool
		case filter.Number:
			return v.Number
		case filter.Time:
			return v.At(c.scope.Now).UnixMicro()
		case filter.Word:
			return lower(v.Text)
		}
		if v.Me {
			return c.scope.Me
		}
		return v.Text
	}
	if n.Kind == filter.Word && n.Op != filter.Exists {
		expr = c.lower(expr)
	}
	compare := func(op string, v filter.Value) string { return expr + op + c.arg(value(v)) }
	present := ""
	if n.Kind == filter.Time {
		present = expr + " <> 0 AND "
	}
	switch n.Op {
	case filter.Eq:
		return compare(" = ", n.Values[0])
	case filter.In:
		args := make([]string, len(n.Values))
		for i, v := range n.Values {
			args[i] = c.arg(value(v))
		}
		return expr + " IN (" + strings.Join(args, ", ") + ")"
	case filter.Lt:
		return "(" + present + compare(" < ", n.Values[0]) + ")"
	case filter.Gt:
		return "(" + present + compare(" > ", n.Values[0]) + ")"
	case filter.Between:
		return "(" + present + compare(" >= ", n.Values[0]) + " AND " + compare(" <= ", n.Values[1]) + ")"
	case filter.Contains:
		return c.holds(expr, lower(n.Values[0].Text))
	case filter.Prefix:
		text := n.Values[0].Text
		if n.Kind == filter.Word {
			text = lower(text)
		}
		return "substr(" + expr + ", 1, " + c.arg(int64(utf8.RuneCountInString(text))) + ") = " + c.arg(text)
	case filter.Exists:
		switch n.Kind {
		case filter.Time:
			return expr + " <> 0"
		case filter.Number, filter.Bool:
			return expr + " = " + expr
		}
		return expr + " <> ''"
	}
	panic(fmt.Sprintf("filtersql: unknown operator %q", n.Op))
}

// holds returns whether text is anywhere in expr.
func (c *compiler) holds(expr, text string) string {
	if c.engine == sqldb.Postgres {
		return "strpos(" + expr + ", " + c.arg(text) + ") > 0"
	}
	return "instr(" + expr + ", " + c.arg(text) + ") > 0"
}

const capitals, smalls = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"

// lower returns expr with the capitals of ASCII made small, which both engines do
// alike: what else lower() does depends on PostgreSQL's locale.
func (c *compiler) lower(expr string) string {
	if c.engine == sqldb.Postgres {
		return "translate(" + expr + ", '" + capitals + "', '" + smalls + "')"
	}
	return "lower(" + expr + ")"
}

// lower is compiler.lower for a value.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// arguments collects the arguments of a statement.
func arguments(args *[]any) func(any) string {
	return func(v any) string {
		*args = append(*args, v)
		return "$" + strconv.Itoa(len(*args))
	}
}
