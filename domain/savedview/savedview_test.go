package savedview_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/savedview"
)

type (
	past  = []savedview.Event
	cases = []domaintest.Case[savedview.State, savedview.Event]
)

var (
	everybody = savedview.Place{Scope: savedview.Shared}
	anns      = savedview.Place{Scope: savedview.Personal, Of: "ann"}
	mine      = json.RawMessage(`{"field":"assignee","op":"eq","value":"me"}`)

	open = savedview.Created{
		Workspace: "acme", Scope: "shared", View: "shared.1", Target: "chats", Name: "Open", Icon: "inbox", Colour: "#2f7d32",
		Filter: mine, Sort: "waiting", Columns: []string{"name", "status"}, By: "sue",
	}
	late  = savedview.Created{Workspace: "acme", Scope: "shared", View: "shared.2", Target: "chats", Name: "Late", Order: 1, By: "sue"}
	shop  = savedview.Created{Workspace: "acme", Scope: "shared", View: "shared.3", Target: "orders", Name: "Open", Order: 2, By: "sue"}
	again = savedview.Created{Workspace: "acme", Scope: "shared", View: "shared.4", Target: "chats", Name: "Again", Order: 3, By: "sue"}
	gone  = savedview.Deleted{View: "shared.1", By: "sue"}
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, savedview.Events) }

func TestDecisions(t *testing.T) {
	str := func(s string) *string { return &s }
	create := func(change func(*savedview.Create)) savedview.Create {
		c := savedview.Create{Workspace: "acme", Place: everybody, View: "shared.1", Target: "chats", By: "sue", Look: savedview.Look{
			Name: "Open", Icon: "inbox", Colour: "#2f7d32", Filter: mine, Sort: "waiting", Columns: []string{"name", "status"},
		}}
		change(&c)
		return c
	}
	look := func(change func(*savedview.Look)) savedview.Create {
		return create(func(c *savedview.Create) { change(&c.Look) })
	}
	plain := func(*savedview.Create) {}
	order := func(ids ...savedview.ID) savedview.Order {
		return savedview.Order{Target: "chats", Views: ids, By: "ann"}
	}
	change := func(do func(*savedview.Change)) savedview.Change {
		c := savedview.Change{View: "shared.1", By: "ann"}
		do(&c)
		return c
	}
	whole := func(do func(*savedview.Changed)) savedview.Changed {
		e := savedview.Changed{View: "shared.1", Name: "Open", Icon: "inbox", Colour: "#2f7d32", Filter: mine, Sort: "waiting", Columns: []string{"name", "status"}, By: "ann"}
		do(&e)
		return e
	}
	var full past
	for i := range savedview.MaxViews {
		full = append(full, savedview.Created{Workspace: "acme", Scope: "shared", View: savedview.ID("shared.x" + strings.Repeat("i", i)), Target: "chats", Name: strings.Repeat("n", i+1), Order: int64(i), By: "sue"})
	}
	domaintest.Run(t, savedview.Evolve, cases{
		{Name: "create", When: create(plain), Then: past{open}},
		{Name: "create with space", When: look(func(l *savedview.Look) {
			l.Name, l.Filter = " Open ", json.RawMessage(` { "field": "assignee", "op": "eq", "value": "me" } `)
		}), Then: past{open}},
		{
			Name: "create a second", Given: past{open}, When: savedview.Create{Workspace: "acme", Place: everybody, View: "shared.2", Target: "chats", Look: savedview.Look{Name: "Late", Filter: json.RawMessage("{}")}, By: "sue"},
			Then: past{late},
		},
		{
			Name: "create one of the same name for orders", Given: past{open, late}, When: savedview.Create{Workspace: "acme", Place: everybody, View: "shared.3", Target: "orders", Look: savedview.Look{Name: "Open"}, By: "sue"},
			Then: past{shop},
		},
		{Name: "create for oneself", When: savedview.Create{Workspace: "acme", Place: anns, View: "personal.ann.1", Target: "contacts", Look: savedview.Look{Name: "Mine", Sort: "updated"}, By: "ann"}, Then: past{savedview.Created{
			Workspace: "acme", Scope: "personal", Of: "ann", View: "personal.ann.1", Target: "contacts", Name: "Mine", Sort: "updated", By: "ann",
		}}},
		{Name: "create with another's name", Given: past{open}, When: create(func(c *savedview.Create) { c.View, c.Look.Name = "shared.2", "OPEN" }), Err: savedview.ErrNameTaken},
		{Name: "create with a deleted one's name", Given: past{open, gone}, When: create(func(c *savedview.Create) { c.View = "shared.2" }), Then: past{func() savedview.Created {
			e := open
			e.View, e.Order = "shared.2", 1
			return e
		}()}},
		{Name: "create one too many", Given: full, When: create(func(c *savedview.Create) { c.View = "shared.more" }), Err: savedview.ErrTooMany},
		{Name: "create nowhere", When: create(func(c *savedview.Create) { c.Place.Scope = "world" }), Err: savedview.ErrScope},
		{Name: "create a shared one of somebody", When: create(func(c *savedview.Create) { c.Place.Of = "ann" }), Err: savedview.ErrScope},
		{Name: "create for nobody", When: create(func(c *savedview.Create) { c.Place.Scope = savedview.Personal }), Err: savedview.ErrOwnerMissing},
		{Name: "create with the id of another place", When: create(func(c *savedview.Create) { c.View = "personal.ann.1" }), Err: savedview.ErrView},
		{Name: "create with no id", When: create(func(c *savedview.Create) { c.View = "shared." }), Err: savedview.ErrView},
		{Name: "create by nobody", When: create(func(c *savedview.Create) { c.By = "" }), Err: savedview.ErrByMissing},
		{Name: "create in no workspace", When: create(func(c *savedview.Create) { c.Workspace = "" }), Err: savedview.ErrWorkspace},
		{Name: "create without a name", When: look(func(l *savedview.Look) { l.Name = " " }), Err: savedview.ErrNameMissing},
		{Name: "create with a long name", When: look(func(l *savedview.Look) { l.Name = strings.Repeat("n", 201) }), Err: savedview.ErrNameTooLong},
		{Name: "create NUL", When: look(func(l *savedview.Look) { l.Name = "a\x00" }), Err: savedview.ErrNameInvalid},
		{Name: "create with a long icon", When: look(func(l *savedview.Look) { l.Icon = strings.Repeat("i", 41) }), Err: savedview.ErrIconTooLong},
		{Name: "create with an icon of NUL", When: look(func(l *savedview.Look) { l.Icon = "\x00" }), Err: savedview.ErrIconInvalid},
		{Name: "create with a colour by name", When: look(func(l *savedview.Look) { l.Colour = "red" }), Err: savedview.ErrColour},
		{Name: "create of nothing there is", When: create(func(c *savedview.Create) { c.Target = "calls" }), Err: savedview.ErrTarget},
		{Name: "create with a field that others have", When: create(func(c *savedview.Create) {
			c.Target, c.Look.Filter = "orders", json.RawMessage(`{"field":"has_chat","op":"eq","value":true}`)
		}), Err: at("filter.field", filter.ErrField)},
		{Name: "create with half a filter", When: look(func(l *savedview.Look) { l.Filter = json.RawMessage(`{"and":`) }), Err: at("filter", filter.ErrSyntax)},
		{Name: "create with an order that others have", When: look(func(l *savedview.Look) { l.Sort = "updated" }), Err: savedview.ErrSort},
		{Name: "create with an unknown column", When: look(func(l *savedview.Look) { l.Columns = []string{"name", "age"} }), Err: savedview.ErrColumns},
		{Name: "create with a column twice", When: look(func(l *savedview.Look) { l.Columns = []string{"name", "name"} }), Err: savedview.ErrColumns},

		{Name: "rename", Given: past{open}, When: change(func(c *savedview.Change) { c.Name = str(" Mine ") }), Then: past{whole(func(e *savedview.Changed) { e.Name = "Mine" })}},
		{Name: "rename to the same", Given: past{open}, When: change(func(c *savedview.Change) { c.Name = str("Open") })},
		{Name: "rename to another's", Given: past{open, late}, When: change(func(c *savedview.Change) { c.Name = str("late") }), Err: savedview.ErrNameTaken},
		{
			Name: "take all off", Given: past{open}, When: savedview.Change{View: "shared.1", Icon: str(""), Colour: str(""), Sort: str(""), Filter: json.RawMessage("{}"), Columns: []string{}, By: "ann"},
			Then: past{savedview.Changed{View: "shared.1", Name: "Open", By: "ann"}},
		},
		{Name: "choose another filter", Given: past{late}, When: savedview.Change{View: "shared.2", Filter: mine, By: "ann"}, Then: past{savedview.Changed{View: "shared.2", Name: "Late", Filter: mine, By: "ann"}}},
		{Name: "the same filter", Given: past{open}, When: change(func(c *savedview.Change) { c.Filter = json.RawMessage(" " + string(mine)) })},
		{Name: "a bad filter", Given: past{open}, When: change(func(c *savedview.Change) { c.Filter = json.RawMessage(`{"field":"age"}`) }), Err: at("filter.field", filter.ErrField)},
		{Name: "change by nobody", Given: past{open}, When: savedview.Change{View: "shared.1", Name: str("x")}, Err: savedview.ErrByMissing},
		{Name: "change none", When: change(func(c *savedview.Change) { c.Name = str("x") }), Err: savedview.ErrNotFound},

		{Name: "order", Given: past{open, late, shop}, When: order("shared.2", "shared.1"), Then: past{savedview.Ordered{Target: "chats", Views: []savedview.ID{"shared.2", "shared.1"}, By: "ann"}}},
		{Name: "order as they are", Given: past{open, late, shop}, When: order("shared.1", "shared.2")},
		{Name: "order some", Given: past{open, late, shop}, When: order("shared.2"), Err: savedview.ErrOrder},
		{Name: "order one twice", Given: past{open, late}, When: order("shared.1", "shared.1"), Err: savedview.ErrOrder},
		{Name: "order with those of another target", Given: past{open, late, shop}, When: order("shared.2", "shared.1", "shared.3"), Err: savedview.ErrOrder},
		{Name: "order of nothing there is", When: savedview.Order{Target: "calls", Views: []savedview.ID{"shared.1"}, By: "ann"}, Err: savedview.ErrOrder},
		{Name: "order by nobody", Given: past{open, late}, When: savedview.Order{Target: "chats", Views: []savedview.ID{"shared.2", "shared.1"}}, Err: savedview.ErrByMissing},

		{Name: "delete", Given: past{open}, When: savedview.Delete{View: "shared.1", By: "sue"}, Then: past{gone}},
		{Name: "delete again", Given: past{open, gone}, When: savedview.Delete{View: "shared.1", By: "sue"}, Err: savedview.ErrNotFound},
		{Name: "delete by nobody", Given: past{open}, When: savedview.Delete{View: "shared.1"}, Err: savedview.ErrByMissing},
		{Name: "change a deleted one", Given: past{open, gone}, When: change(func(c *savedview.Change) { c.Name = str("x") }), Err: savedview.ErrNotFound},
		{Name: "order without the deleted one", Given: past{late, open, shop, gone, again}, When: order("shared.4", "shared.2"), Then: past{savedview.Ordered{Target: "chats", Views: []savedview.ID{"shared.4", "shared.2"}, By: "ann"}}},
	})
}

// at returns a refusal about a place in a filter.
func at(path string, e *fault.Error) *fault.Error {
	in := *e
	in.Field = path
	return &in
}

func TestPlaces(t *testing.T) {
	for _, p := range []savedview.Place{everybody, anns} {
		if got, ok := p.ID("w").Place(); !ok || got != p {
			t.Errorf("%v: %v, %v", p, got, ok)
		}
	}
	for _, id := range []savedview.ID{"", "shared", "shared.", "shared.a.b", "personal.ann", "personal.ann.", "personal..x", "team.a.b", "personal.a.b.c"} {
		if got, ok := id.Place(); ok {
			t.Errorf("%q is in %v", id, got)
		}
	}
}

// Whatever happens, each saved view has an order of its own, new ones are behind all
// others, and no two of a target have the same name.
func TestOrderAndNames(t *testing.T) {
	ids := rapid.SampledFrom([]savedview.ID{"shared.a", "shared.b", "shared.c", "shared.d"})
	names := rapid.SampledFrom([]string{"x", "X", "y", "z"})
	rapid.Check(t, func(t *rapid.T) {
		var s savedview.State
		used := map[savedview.ID]string{} // names
		order := map[savedview.ID]int64{}
		for range rapid.IntRange(1, 30).Draw(t, "commands") {
			var c domaintest.Command[savedview.State, savedview.Event]
			id := ids.Draw(t, "id")
			switch rapid.IntRange(0, 3).Draw(t, "command") {
			case 0:
				if _, there := used[id]; there {
					continue // an id is made anew for each
				}
				c = savedview.Create{Workspace: "acme", Place: everybody, View: id, Target: "chats", Look: savedview.Look{Name: names.Draw(t, "name")}, By: "ann"}
			case 1:
				name := names.Draw(t, "name")
				c = savedview.Change{View: id, Name: &name, By: "ann"}
			case 2:
				c = savedview.Order{Target: "chats", Views: rapid.Permutation([]savedview.ID{"shared.a", "shared.b", "shared.c", "shared.d"}).Draw(t, "order")[:len(used)], By: "ann"}
			case 3:
				c = savedview.Delete{View: id, By: "ann"}
			}
			events, err := c.Decide(s)
			if err != nil {
				continue
			}
			s = domaintest.Repeat(t, savedview.Evolve, s, events, c)
			for _, e := range events {
				switch e := e.(type) {
				case savedview.Created:
					for other, at := range order {
						if at >= e.Order {
							t.Fatalf("%s has order %d, the new %s has %d", other, at, e.View, e.Order)
						}
					}
					used[e.View], order[e.View] = e.Name, e.Order
				case savedview.Changed:
					used[e.View] = e.Name
				case savedview.Ordered:
					for i, id := range e.Views {
						order[id] = int64(i)
					}
				case savedview.Deleted:
					delete(used, e.View)
					delete(order, e.View)
				}
			}
			seen := map[string]bool{}
			for id, name := range used {
				if seen[strings.ToLower(name)] {
					t.Fatalf("%s has the name %q of another", id, name)
				}
				seen[strings.ToLower(name)] = true
			}
		}
	})
}
