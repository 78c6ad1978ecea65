package orders_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/views/viewstest"
	"github.com/chatledger/chatledger/projections/visitor"
)

// Both databases take every field with every operator. What filters mean is tested
// with the inbox, which shares the compiler.
func TestEveryFilterOfOrders(t *testing.T) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	viewstest.OnBoth(t, parts, []func() projections.Projection{orders.New, visitor.New, directory.New, inbox.New, contacts.New, groups.New}, func(t *testing.T, l *viewstest.Ledger) {
		for _, f := range filter.Fields(filter.Orders) {
			for _, op := range f.Kind.Ops() {
				value := map[filter.Kind]string{filter.Bool: "true", filter.Time: `"-1d"`, filter.Number: "7"}[f.Kind]
				switch {
				case f.Words != nil && op != filter.Prefix:
					value = `"` + f.Words[0] + `"`
				case value == "":
					value = `"it's"`
				}
				switch op {
				case filter.In, filter.Between:
					value = "[" + value + "," + value + "]"
				case filter.Exists:
					value = "false"
				}
				raw := `{"field":"` + f.Name + `","op":"` + string(op) + `","value":` + value + `}`
				parsed, err := filter.Parse(filter.Orders, []byte(raw))
				if err != nil {
					t.Fatalf("%s: %v", raw, err)
				}
				l.Read(t, func(tx sqldb.Tx) {
					s := orders.Search{Workspace: viewstest.Workspace, Filter: parsed, Scope: filtersql.Scope{Now: time.Now(), Me: "ann"}}
					if _, err := orders.Find(t.Context(), tx, s); err != nil {
						t.Fatalf("%s: %v", raw, err)
					}
					if n, err := orders.Count(t.Context(), tx, s); err != nil || !n.Exact {
						t.Fatalf("%s: %+v, %v", raw, n, err)
					}
				})
			}
		}
	})
}
