package export_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, export.Events) }

func TestDecisions(t *testing.T) {
	at := time.Unix(1, 0).UTC()
	request := func(change func(*export.Request)) export.Request {
		r := export.Request{Workspace: "acme", Target: "chats", Format: export.CSV, Columns: []string{"phone", "id"}, By: "sue", At: at}
		change(&r)
		return r
	}
	none := func(*export.Request) {}
	requested := export.Requested{Workspace: "acme", Target: "chats", Format: export.CSV, Columns: []string{"phone", "id"}, By: "sue", At: at, Until: at.Add(time.Hour)}
	all := requested
	all.Target, all.Format, all.Columns, all.Filter = "orders", export.NDJSON, slices.DeleteFunc(export.Columns("orders"), func(c string) bool { return c == "notes" }), json.RawMessage(`{}`)
	people := requested
	people.Target, people.Columns = "contacts", append(slices.DeleteFunc(export.Columns("contacts"), func(c string) bool { return c == "notes" }), "attributes.age", "attributes.size")
	noted := requested
	noted.Target, noted.Columns = "contacts", []string{"notes", "attributes.old"}
	own := map[string]bool{"size": true, "age": true, "old": false}
	some := requested
	some.IDs, some.Except = []string{"c1", "c2"}, []string{"c3"}
	view := func(change func(*export.RequestView)) export.RequestView {
		r := export.RequestView{Workspace: "acme", View: "sales", Version: 2, Table: "cities", Format: export.Parquet, By: "ann", At: at}
		change(&r)
		return r
	}
	taken := export.ViewRequested{Workspace: "acme", View: "sales", Version: 2, Table: "cities", Format: export.Parquet, By: "ann", At: at, Until: at.Add(time.Hour)}
	domaintest.Run(t, export.Evolve, []domaintest.Case[export.State, export.Event]{
		{Name: "request", When: request(none), Then: []export.Event{requested}},
		{Name: "again", Given: []export.Event{requested}, When: request(none)},
		{Name: "all columns", When: request(func(r *export.Request) {
			r.Target, r.Format, r.Columns, r.Filter = "orders", export.NDJSON, nil, []byte(`{}`)
		}), Then: []export.Event{all}},
		{Name: "all columns and attributes in use", When: request(func(r *export.Request) { r.Target, r.Columns, r.Attributes = "contacts", nil, own }), Then: []export.Event{people}},
		{Name: "notes, and an archived attribute, are named", When: request(func(r *export.Request) { r.Target, r.Columns, r.Attributes = "contacts", noted.Columns, own }), Then: []export.Event{noted}},
		{Name: "no such attribute", When: request(func(r *export.Request) { r.Columns, r.Attributes = []string{"id", "attributes.shoe"}, own }), Err: export.ErrColumns.At("columns[1]")},
		{Name: "an attribute of orders", When: request(func(r *export.Request) {
			r.Target, r.Columns, r.Attributes = "orders", []string{"attributes.size"}, own
		}), Err: export.ErrColumns.At("columns[0]")},
		{Name: "by ids", When: request(func(r *export.Request) { r.IDs, r.Except = []string{"c2", "c1", "c2"}, []string{"c3"} }), Then: []export.Event{some}},
		{Name: "ids and a filter", When: request(func(r *export.Request) { r.IDs, r.Filter = []string{"c1"}, []byte(`{}`) }), Err: export.ErrIDs},
		{Name: "too many ids", When: request(func(r *export.Request) { r.IDs = make([]string, 10_001) }), Err: export.ErrIDs},
		{Name: "an empty id", When: request(func(r *export.Request) { r.IDs = []string{""} }), Err: export.ErrIDs},
		{Name: "an exception that is no id", When: request(func(r *export.Request) { r.Except = []string{"\x00"} }), Err: export.ErrExcept},
		{Name: "cars", When: request(func(r *export.Request) { r.Target = "cars" }), Err: export.ErrTarget},
		{Name: "paper", When: request(func(r *export.Request) { r.Format = "pdf" }), Err: export.ErrFormat},
		{Name: "a column twice", When: request(func(r *export.Request) { r.Columns = []string{"id", "id"} }), Err: export.ErrColumns.At("columns[1]")},
		{Name: "no such column", When: request(func(r *export.Request) { r.Columns = []string{"total"} }), Err: export.ErrColumns.At("columns[0]")},
		{Name: "nobody", When: request(func(r *export.Request) { r.By = "" }), Err: export.ErrBy},
		{Name: "a view", When: view(func(*export.RequestView) {}), Then: []export.Event{taken}},
		{Name: "a view again", Given: []export.Event{taken}, When: view(func(*export.RequestView) {})},
		{Name: "a view on paper", When: view(func(r *export.RequestView) { r.Format = "pdf" }), Err: export.ErrViewFormat},
		{Name: "a view for nobody", When: view(func(r *export.RequestView) { r.By = "" }), Err: export.ErrBy},
	})
}
