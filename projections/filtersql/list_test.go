package filtersql_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/offers"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/visitor"
)

// openViews returns empty views on SQLite.
func openViews(t testing.TB) sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "views.db"), sqldb.Rebuildable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := projections.Config{
		Store: memory.New(time.Now), DB: db, Now: time.Now, Projections: []func() projections.Projection{inbox.New, offers.New, orders.New, visitor.New, directory.New, contacts.New, groups.New},
		Decode: func(eventstore.Recorded) (any, error) { return nil, nil },
	}
	if err := projections.Prepare(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx sqldb.Tx) error {
		for _, kind := range []string{"text", "number", "date", "bool", "choice"} {
			_, err := tx.Exec(t.Context(), `INSERT INTO contacts_v3_attributes (workspace, attribute_id, name, kind, choices, archived, revision)
				VALUES ('acme', $1, $1, $1, '[]', $2, 1)`, kind, false)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// recorder is a transaction that keeps the statements it is given.
type recorder struct {
	sqldb.Tx
	statements *[]string
}

func (r recorder) Query(ctx context.Context, sql string, args []any, scan func(sqldb.Row) error) error {
	*r.statements = append(*r.statements, sql)
	return r.Tx.Query(ctx, sql, args, scan)
}

const marker = "zq7 marker"

// Every field and operator makes a statement that the database takes, and no byte
// of a value gets into it.
func FuzzStatements(f *testing.F) {
	f.Add(`{"field":"name","op":"contains","value":"` + marker + `"}`)
	f.Add(`{"and":[{"field":"tag","op":"eq","value":"` + marker + `"},{"field":"city","op":"ne","value":"x'; --"}]}`)
	f.Add(`{"or":[{"not":{"field":"order_status","op":"in","value":["` + marker + `","b"]}},{"field":"created","op":"lt","value":"-1d"}]}`)
	for _, field := range slices.Concat(filter.Fields(filter.Chats), filter.Fields(filter.Contacts), filter.Fields(filter.Orders)) {
		for _, op := range field.Kind.Ops() {
			value := map[filter.Kind]string{filter.Bool: "true", filter.Time: `"-1d"`, filter.Number: "7"}[field.Kind]
			switch {
			case field.Words != nil && op != filter.Prefix:
				value = `"` + field.Words[0] + `"`
			case value == "":
				value = `"` + marker + `"`
			}
			switch op {
			case filter.In, filter.Between:
				value = "[" + value + "," + value + "]"
			case filter.Exists:
				value = "false"
			}
			f.Add(`{"field":"` + field.Name + `","op":"` + string(op) + `","value":` + value + `}`)
		}
	}
	f.Add(`{"or":[{"field":"attributes.text","op":"prefix","value":"` + marker + `"},{"field":"attributes.number","op":"between","value":[-1.5,"7"]}]}`)
	f.Add(`{"and":[{"field":"attributes.date","op":"lt","value":"2026-11-26"},{"field":"attributes.` + marker + `","op":"exists"},{"field":"attributes.bool","op":"ne","value":true}]}`)
	db := openViews(f)
	scope := filtersql.Scope{Now: time.Unix(1_790_000_000, 0), Me: marker}
	ask := func(ctx context.Context, tx sqldb.Tx, f filter.Filter) (err error) {
		switch f.Target {
		case filter.Chats:
			s := inbox.Search{Workspace: "acme", Filter: f, Scope: scope}
			if _, err = inbox.Find(ctx, tx, s); err == nil {
				_, err = inbox.Count(ctx, tx, s)
			}
		case filter.Contacts:
			s := contacts.Search{Workspace: "acme", Filter: f, Scope: scope}
			if _, err = contacts.Find(ctx, tx, s); err == nil {
				_, err = contacts.Count(ctx, tx, s)
			}
		case filter.Orders:
			s := orders.Search{Workspace: "acme", Filter: f, Scope: scope}
			if _, err = orders.Find(ctx, tx, s); err == nil {
				_, err = orders.Count(ctx, tx, s)
			}
		}
		return err
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, target := range []filter.Target{filter.Chats, filter.Contacts, filter.Orders} {
			parsed, err := filter.Parse(target, []byte(raw))
			if err != nil {
				continue
			}
			var statements []string
			err = db.Read(t.Context(), func(tx sqldb.Tx) error { return ask(t.Context(), recorder{tx, &statements}, parsed) })
			if _, refused := errors.AsType[*fault.Error](err); err != nil && !refused {
				t.Fatalf("%s of %s: %v", raw, target, err)
			}
			for _, sql := range statements {
				if strings.Contains(sql, "zq7") {
					t.Errorf("%s: a value is in the statement: %s", raw, sql)
				}
			}
			if len(statements) == 0 {
				t.Error("nothing was asked")
			}
		}
	})
}
