package filtersql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// testedAtOnce is how many conditions are asked with one statement.
const testedAtOnce = 200

// Test returns which of some conditions a row of a list passes. found is false if
// the list has no such row.
func Test(ctx context.Context, tx sqldb.Tx, l *List, workspace string, scope Scope, id string, nodes []filter.Node) (passes []bool, found bool, err error) {
	for part := range slices.Chunk(nodes, testedAtOnce) {
		s := l.statement(sqldb.EngineOf(tx), Query{Scope: scope}, Path{})
		tests := make([]string, len(part))
		for i, n := range part {
			tests[i] = "CASE WHEN " + s.node(n, s.column) + " THEN '1' ELSE '0' END"
		}
		sql := "SELECT " + strings.Join(tests, " || ") + " FROM " + l.From + " WHERE c." + l.ID + " = " + s.arg(id) + " AND c." + l.Owner + " = " + s.arg(workspace)
		got, err := sqldb.Get[string](ctx, tx, sql, s.args...)
		if errors.Is(err, sqldb.ErrNoRows) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("test %s: %w", l.Name, err)
		}
		for _, c := range got {
			passes = append(passes, c == '1')
		}
	}
	return passes, true, nil
}
