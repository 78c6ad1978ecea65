package group_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type past = []group.Event

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, group.Events) }

func at(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

const (
	everyone = `{}`
	romans   = `{"field":"city","op":"eq","value":"Rome"}`
	inVIP    = `{"not":{"field":"group","op":"eq","value":"vip"}}`
)

func create(change func(*group.Create)) group.Create {
	c := group.Create{Group: "g", Name: " Rome ", Kind: group.Static, Filter: []byte(romans), By: "sue", At: at(1)}
	change(&c)
	return c
}

func TestDecisions(t *testing.T) {
	same := func(*group.Create) {}
	rome := group.Created{Group: "g", Name: "Rome", Kind: group.Static, Filter: json.RawMessage(romans), By: "sue", At: at(1)}
	named := group.Created{Group: "n", Name: "Named", Kind: group.Static, By: "sue", At: at(1)}
	live := group.Created{Group: "d", Name: "Live", Kind: group.Dynamic, Filter: json.RawMessage(romans), By: "sue", At: at(1)}
	gone := group.Deleted{Group: "g", By: "sue", At: at(2)}
	roma := group.Renamed{Group: "g", Name: "Roma", From: "Rome"}
	set := group.FilterSet{Group: "g", Filter: json.RawMessage(everyone), By: "ann", At: at(3)}
	badField := filter.ErrField.With("")
	badField.Field = "filter.field"
	var many past
	for i := range group.MaxDynamic {
		many = append(many, group.Created{Group: group.ID(fmt.Sprint(i)), Name: fmt.Sprint("d", i), Kind: group.Dynamic, Filter: json.RawMessage(romans), By: "sue"})
	}
	domaintest.Run(t, group.Evolve, []domaintest.Case[group.State, group.Event]{
		{Name: "create", When: create(same), Then: past{rome}},
		{Name: "create again", Given: past{rome}, When: create(same)},
		{Name: "create what was deleted", Given: past{rome, gone}, When: create(same)},
		{Name: "create of names", When: create(func(c *group.Create) { c.Group, c.Name, c.Filter, c.Named = "n", "Named", nil, true }), Then: past{named}},
		{Name: "create of everybody who asks for groups", When: create(func(c *group.Create) { c.Filter = []byte(inVIP) }), Then: past{func() group.Created { e := rome; e.Filter = json.RawMessage(inVIP); return e }()}},
		{Name: "create under a name in use", Given: past{rome}, When: create(func(c *group.Create) { c.Group, c.Name = "h", "ROME" }), Err: group.ErrNameTaken},
		{Name: "create under a name given back", Given: past{rome, roma}, When: create(func(c *group.Create) { c.Group = "h" }), Then: past{func() group.Created { e := rome; e.Group = "h"; return e }()}},
		{Name: "create under the name of what was deleted", Given: past{rome, gone}, When: create(func(c *group.Create) { c.Group = "h" }), Then: past{func() group.Created { e := rome; e.Group = "h"; return e }()}},
		{Name: "create without a name", When: create(func(c *group.Create) { c.Name = " " }), Err: group.ErrNameMissing},
		{Name: "create under a long name", When: create(func(c *group.Create) { c.Name = strings.Repeat("x", 201) }), Err: group.ErrNameTooLong},
		{Name: "create NUL", When: create(func(c *group.Create) { c.Name = "\x00" }), Err: group.ErrNameInvalid},
		{Name: "create of a kind", When: create(func(c *group.Create) { c.Kind = "fluid" }), Err: group.ErrKind},
		{Name: "create of nobody", When: create(func(c *group.Create) { c.Filter = nil }), Err: group.ErrChoice},
		{Name: "create of names and a filter", When: create(func(c *group.Create) { c.Named = true }), Err: group.ErrChoice},
		{Name: "create of names, dynamic", When: create(func(c *group.Create) { c.Named, c.Filter, c.Kind = true, nil, group.Dynamic }), Err: group.ErrChoice},
		{Name: "create by nobody", When: create(func(c *group.Create) { c.By = "" }), Err: group.ErrBy},
		{Name: "create with a bad filter", When: create(func(c *group.Create) { c.Filter = []byte(`{"field":"shoe","op":"eq","value":1}`) }), Err: badField},
		{Name: "create a dynamic one of groups", When: create(func(c *group.Create) { c.Kind, c.Filter = group.Dynamic, []byte(inVIP) }), Err: group.ErrNested},
		{Name: "create too many dynamic ones", Given: many, When: create(func(c *group.Create) { c.Kind = group.Dynamic }), Err: group.ErrTooMany},
		{Name: "create a static one beside them", Given: many, When: create(same), Then: past{rome}},

		{Name: "rename", Given: past{rome}, When: group.Rename{Group: "g", Name: "Roma"}, Then: past{roma}},
		{Name: "rename to the same", Given: past{rome}, When: group.Rename{Group: "g", Name: "Rome"}},
		{Name: "rename in case", Given: past{rome}, When: group.Rename{Group: "g", Name: "rome"}, Then: past{group.Renamed{Group: "g", Name: "rome", From: "Rome"}}},
		{Name: "rename to another's name", Given: past{rome, named}, When: group.Rename{Group: "g", Name: "named"}, Err: group.ErrNameTaken},
		{Name: "rename to nothing", Given: past{rome}, When: group.Rename{Group: "g"}, Err: group.ErrNameMissing},
		{Name: "rename what was deleted", Given: past{rome, gone}, When: group.Rename{Group: "g", Name: "Roma"}, Err: group.ErrNotFound},

		{Name: "set the filter", Given: past{rome}, When: group.SetFilter{Group: "g", Filter: []byte(everyone), By: "ann", At: at(3)}, Then: past{set}},
		{Name: "set the same filter", Given: past{rome}, When: group.SetFilter{Group: "g", Filter: []byte(romans), By: "ann"}},
		{Name: "set no filter", Given: past{rome}, When: group.SetFilter{Group: "g", By: "ann"}, Err: group.ErrChoice},
		{Name: "set a filter by nobody", Given: past{rome}, When: group.SetFilter{Group: "g", Filter: []byte(everyone)}, Err: group.ErrBy},
		{Name: "set a filter of names", Given: past{named}, When: group.SetFilter{Group: "n", Filter: []byte(everyone), By: "ann"}, Err: group.ErrNamed},
		{Name: "set a filter of groups, dynamic", Given: past{live}, When: group.SetFilter{Group: "d", Filter: []byte(inVIP), By: "ann"}, Err: group.ErrNested},
		{Name: "set the filter of none", When: group.SetFilter{Group: "g", Filter: []byte(everyone), By: "ann"}, Err: group.ErrNotFound},

		{Name: "delete", Given: past{rome}, When: group.Delete{Group: "g", By: "sue", At: at(2)}, Then: past{gone}},
		{Name: "delete again", Given: past{rome, gone}, When: group.Delete{Group: "g", By: "sue"}},
		{Name: "delete by nobody", Given: past{rome}, When: group.Delete{Group: "g"}, Err: group.ErrBy},
		{Name: "delete none", When: group.Delete{Group: "g", By: "sue"}, Err: group.ErrNotFound},
	})
}
