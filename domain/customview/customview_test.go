package customview_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type (
	past  = []customview.Event
	cases = []domaintest.Case[customview.State, customview.Event]
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, customview.Events) }

func definition(script string) customview.Definition {
	return customview.Definition{
		Types:  []string{"order.placed.v1"},
		Tables: []customview.Table{{Name: "cities", Key: "city", Columns: []customview.Column{{Name: "orders", Type: customview.Integer}}}},
		Script: script,
	}
}

func saved(view customview.Name, version customview.Version) customview.Saved {
	return customview.Saved{Workspace: "acme", View: view, Version: version, Definition: definition(fmt.Sprint("function apply() {} //", version)), By: "ann"}
}

func TestDecisions(t *testing.T) {
	save := func(change func(*customview.Save)) customview.Save {
		c := customview.Save{Workspace: "acme", View: "sales", Definition: definition("function apply() {} //1"), By: "ann"}
		change(&c)
		return c
	}
	script := func(s string) customview.Save { return save(func(c *customview.Save) { c.Definition.Script = s }) }
	table := func(change func(*customview.Table)) customview.Save {
		return save(func(c *customview.Save) { change(&c.Definition.Tables[0]) })
	}
	plain := func(*customview.Save) {}
	retired := customview.Retired{View: "sales", By: "ann"}
	published := func(v customview.Version) customview.Published {
		return customview.Published{View: "sales", Version: v, By: "ann"}
	}
	var many past
	for i := range customview.MaxViews {
		many = append(many, saved(customview.Name(fmt.Sprint("v", i)), 1))
	}
	var five past
	for i := range customview.MaxVersions {
		five = append(five, saved("sales", customview.Version(i+1)))
	}
	first, second := saved("sales", 1), saved("sales", 2)
	domaintest.Run(t, customview.Evolve, cases{
		{Name: "save", When: save(plain), Then: past{first}},
		{Name: "save a second version", Given: past{first}, When: script("function apply() {} //2"), Then: past{second}},
		{Name: "save the same", Given: past{first}, When: save(plain), Err: customview.ErrUnchanged},
		{Name: "save what an older version says", Given: past{first, second}, When: save(plain), Then: past{func() customview.Saved {
			s := saved("sales", 3)
			s.Definition = first.Definition
			return s
		}()}},
		{Name: "save after retirement", Given: past{first, retired}, When: script("function apply() {} //2"), Then: past{second}},
		{Name: "save one too many", Given: many, When: save(plain), Err: customview.ErrTooMany},
		{Name: "save a version of one of many", Given: many, When: save(func(c *customview.Save) { c.View, c.Definition.Script = "v7", "function apply() {} //2" }), Then: past{saved("v7", 2)}},
		{Name: "save a version too many", Given: five, When: script("x"), Err: customview.ErrVersions},
		{Name: "save a version after one was dropped", Given: append(five, customview.Dropped{View: "sales", Version: 2, By: "ann"}), When: script("function apply() {} //6"), Then: past{saved("sales", 6)}},
		{Name: "save nowhere", When: save(func(c *customview.Save) { c.Workspace = "" }), Err: customview.ErrWorkspace},
		{Name: "save by nobody", When: save(func(c *customview.Save) { c.By = "" }), Err: customview.ErrBy},
		{Name: "save without a name", When: save(func(c *customview.Save) { c.View = "" }), Err: customview.ErrName},
		{Name: "save with a name of capitals", When: save(func(c *customview.Save) { c.View = "Sales" }), Err: customview.ErrName},
		{Name: "save with a long name", When: save(func(c *customview.Save) { c.View = customview.Name(strings.Repeat("n", 61)) }), Err: customview.ErrName},
		{Name: "save with a long description", When: save(func(c *customview.Save) { c.Description = strings.Repeat("d", 1001) }), Err: customview.ErrDescribed},
		{Name: "save no script", When: script(" "), Err: customview.ErrScript},
		{Name: "save a long script", When: script(strings.Repeat("s", customview.MaxScript+1)), Err: customview.ErrScript},
		{Name: "save NUL", When: script("\x00"), Err: customview.ErrScript},
		{Name: "save a type twice", When: save(func(c *customview.Save) { c.Definition.Types = []string{"a", "a"} }), Err: field(customview.ErrTypes, "types[1]")},
		{Name: "save many types", When: save(func(c *customview.Save) { c.Definition.Types = make([]string, 101) }), Err: customview.ErrTypes},
		{Name: "save no tables", When: save(func(c *customview.Save) { c.Definition.Tables = nil }), Err: customview.ErrTables},
		{Name: "save two tables of a name", When: save(func(c *customview.Save) { c.Definition.Tables = append(c.Definition.Tables, c.Definition.Tables[0]) }), Err: field(customview.ErrTableName, "tables[1].name")},
		{Name: "save a key of spaces", When: table(func(t *customview.Table) { t.Key = " " }), Err: field(customview.ErrTableName, "tables[0].key")},
		{Name: "save no columns", When: table(func(t *customview.Table) { t.Columns = nil }), Err: field(customview.ErrColumns, "tables[0].columns")},
		{Name: "save a column that is the key", When: table(func(t *customview.Table) { t.Columns[0].Name = "city" }), Err: field(customview.ErrTableName, "tables[0].columns[0].name")},
		{Name: "save a column of money", When: table(func(t *customview.Table) { t.Columns[0].Type = "money" }), Err: field(customview.ErrType, "tables[0].columns[0].type")},

		{Name: "publish", Given: past{first}, When: customview.Publish{View: "sales", Version: 1, By: "ann"}, Then: past{published(1)}},
		{Name: "publish what is", Given: past{first, published(1)}, When: customview.Publish{View: "sales", Version: 1, By: "ann"}},
		{Name: "go back", Given: past{first, second, published(1), published(2)}, When: customview.Publish{View: "sales", Version: 1, By: "ann"}, Then: past{published(1)}},
		{Name: "publish what is not", Given: past{first}, When: customview.Publish{View: "sales", Version: 2, By: "ann"}, Err: customview.ErrVersion},
		{Name: "publish of no view", When: customview.Publish{View: "sales", Version: 1, By: "ann"}, Err: customview.ErrNotFound},
		{Name: "publish by nobody", Given: past{first}, When: customview.Publish{View: "sales", Version: 1}, Err: customview.ErrBy},

		{Name: "retry", Given: past{first}, When: customview.Retry{View: "sales", Version: 1, By: "ann"}, Then: past{customview.Retried{View: "sales", Version: 1, By: "ann"}}, Anew: true},
		{Name: "retry what is not", Given: past{first, retired}, When: customview.Retry{View: "sales", Version: 1, By: "ann"}, Err: customview.ErrNotFound},
		{Name: "retry by nobody", Given: past{first}, When: customview.Retry{View: "sales", Version: 1}, Err: customview.ErrBy},

		{Name: "drop", Given: past{first, second, published(2)}, When: customview.Drop{View: "sales", Version: 1, By: "ann"}, Then: past{customview.Dropped{View: "sales", Version: 1, By: "ann"}}},
		{Name: "drop what is published", Given: past{first, published(1)}, When: customview.Drop{View: "sales", Version: 1, By: "ann"}, Err: customview.ErrPublished},
		{Name: "drop twice", Given: past{first, second, customview.Dropped{View: "sales", Version: 1, By: "ann"}}, When: customview.Drop{View: "sales", Version: 1, By: "ann"}, Err: customview.ErrVersion},
		{Name: "drop by nobody", Given: past{first}, When: customview.Drop{View: "sales", Version: 1}, Err: customview.ErrBy},

		{Name: "retire", Given: past{first, published(1)}, When: customview.Retire{View: "sales", By: "ann"}, Then: past{retired}},
		{Name: "retire twice", Given: past{first, retired}, When: customview.Retire{View: "sales", By: "ann"}, Err: customview.ErrNotFound},
		{Name: "retire by nobody", Given: past{first}, When: customview.Retire{View: "sales"}, Err: customview.ErrBy},
	})
}

// field returns a refusal with the place that it names.
func field(e *fault.Error, at string) *fault.Error {
	placed := *e
	placed.Field = at
	return &placed
}

// What is kept up to date is what was saved and neither dropped nor retired.
func TestLive(t *testing.T) {
	s := domaintest.Fold(customview.Evolve, past{
		saved("sales", 1), saved("sales", 2), saved("sales", 3),
		customview.Retried{View: "sales", Version: 3, By: "ann"},
		customview.Dropped{View: "sales", Version: 2, By: "ann"},
		saved("calls", 1),
		customview.Retired{View: "calls", By: "ann"},
	})
	want := []customview.Live{
		{View: "sales", Version: 1, Definition: saved("sales", 1).Definition},
		{View: "sales", Version: 3, Definition: saved("sales", 3).Definition, Retries: 1},
	}
	if diff := cmp.Diff(want, s.Live()); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
}

func TestMaySee(t *testing.T) {
	for typ, want := range map[string]bool{"chat.assigned.v1": true, "order.placed.v1": true, "webhook.received.v1": false, "savedview.created.v1": false, "request.answered.v1": false} {
		if got := customview.MaySee(typ); got != want {
			t.Errorf("MaySee(%s) = %v", typ, got)
		}
	}
}
