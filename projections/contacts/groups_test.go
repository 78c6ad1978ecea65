package contacts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func made(id string, kind group.Kind, raw string) group.Created {
	return group.Created{Group: group.ID(id), Name: id, Kind: kind, Filter: json.RawMessage(raw), By: "ann", At: sec(1)}
}

// ids returns the contacts that pass a filter, page by page, sorted.
func ids(t *testing.T, tx sqldb.Tx, raw string) (all []string) {
	t.Helper()
	f, err := filter.Parse(filter.Contacts, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	s := contacts.Search{Workspace: acme, Filter: f, Scope: filtersql.Scope{Now: time.Now(), Me: "bob"}, Limit: 2}
	n, err := contacts.Count(t.Context(), tx, s)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	for {
		page, err := contacts.Find(t.Context(), tx, s)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		for _, c := range page.Contacts {
			all = append(all, c.ID)
		}
		if s.Cursor = page.Next; s.Cursor == "" {
			break
		}
	}
	if n.N != int64(len(all)) {
		t.Errorf("%s: %d are counted, %d found", raw, n.N, len(all))
	}
	slices.Sort(all)
	return all
}

// Filters ask for groups, static and dynamic, in every way there is.
func TestFilterByGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		for i := range 6 {
			l.Record(t, fmt.Sprint("contact-", i), added(i), set(i, typed, "city", []string{"Rome", "Wien"}[i%2]))
		}
		l.Record(t, "contact-0", contact.Assigned{To: "ann"})
		l.Record(t, "groups-"+acme, made("vip", group.Static, `{}`), made("few", group.Static, `{}`), made("gone", group.Static, `{}`),
			made("rome", group.Dynamic, `{"field":"city","op":"eq","value":"Rome"}`), made("mine", group.Dynamic, `{"field":"assignee","op":"eq","value":"me"}`),
			made("all", group.Dynamic, `{}`))
		l.Record(t, "members-vip", members.Requested{Workspace: acme, Choice: 1, By: "ann"}, members.Changed{Choice: 1, Added: []string{"0", "1", "2"}}, members.Chosen{Choice: 1, Members: 3})
		l.Record(t, "members-few", members.Changed{Choice: 1, Added: []string{"2", "3"}}, members.Changed{Choice: 2, Removed: []string{"3"}})
		l.Record(t, "members-gone", members.Changed{Choice: 1, Added: []string{"5"}})
		l.Record(t, "groups-"+acme, group.Deleted{Group: "gone", By: "ann"})
		l.Read(t, func(tx sqldb.Tx) {
			for raw, want := range map[string][]string{
				`{"field":"group","op":"eq","value":"vip"}`:                                                      {"0", "1", "2"},
				`{"field":"group","op":"contains","value":"few"}`:                                                {"2"},
				`{"field":"group","op":"ne","value":"vip"}`:                                                      {"3", "4", "5"},
				`{"field":"group","op":"in","value":["few","rome"]}`:                                             {"0", "2", "4"},
				`{"field":"group","op":"in","value":["few","vip"]}`:                                              {"0", "1", "2"},
				`{"field":"group","op":"eq","value":"rome"}`:                                                     {"0", "2", "4"},
				`{"field":"group","op":"ne","value":"rome"}`:                                                     {"1", "3", "5"},
				`{"field":"group","op":"eq","value":"mine"}`:                                                     {"0"},
				`{"field":"group","op":"eq","value":"all"}`:                                                      {"0", "1", "2", "3", "4", "5"},
				`{"field":"group","op":"ne","value":"all"}`:                                                      nil,
				`{"field":"group","op":"eq","value":"gone"}`:                                                     nil,
				`{"field":"group","op":"eq","value":"never"}`:                                                    nil,
				`{"field":"group","op":"ne","value":"never"}`:                                                    {"0", "1", "2", "3", "4", "5"},
				`{"field":"group","op":"exists"}`:                                                                {"0", "1", "2", "5"},
				`{"field":"group","op":"exists","value":false}`:                                                  {"3", "4"},
				`{"not":{"field":"group","op":"eq","value":"vip"}}`:                                              {"3", "4", "5"},
				`{"and":[{"field":"group","op":"eq","value":"vip"},{"field":"group","op":"eq","value":"few"}]}`:  {"2"},
				`{"and":[{"field":"group","op":"eq","value":"vip"},{"field":"group","op":"eq","value":"rome"}]}`: {"0", "2"},
			} {
				if got := ids(t, tx, raw); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", raw, got, want)
				}
			}
			var many filter.And
			for range 200 {
				many = append(many, filter.Cond{Field: "group", Kind: filter.Set, Op: filter.In, Values: []filter.Value{{Text: "rome"}, {Text: "mine"}, {Text: "vip"}}})
			}
			s := contacts.Search{Workspace: acme, Filter: filter.Filter{Target: filter.Contacts, Root: many}}
			if _, err := contacts.Count(t.Context(), tx, s); !errors.Is(err, groups.ErrTooMany) {
				t.Errorf("600 conditions: %v", err)
			}
			chats := filter.Filter{Target: filter.Chats, Root: filter.Cond{Field: "group", Kind: filter.Set, Op: filter.Eq, Values: []filter.Value{{Text: "rome"}}}}
			if _, err := groups.Expand(t.Context(), tx, acme, chats); !errors.Is(err, groups.ErrDynamic) {
				t.Errorf("chats by a dynamic group: %v", err)
			}
			if _, err := groups.Expand(t.Context(), tx, "other", chats); err != nil {
				t.Errorf("of another workspace: %v", err)
			}
		})
		l.Verify(t)
	})
}

// Who is merged into another takes the other into the group; who is deleted is not
// shown in it, until it is restored.
func TestGroupsOfMergedAndDeletedContacts(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		const vip = `{"field":"group","op":"eq","value":"vip"}`
		check := func(what string, want ...string) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				if got := ids(t, tx, vip); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
				if n, err := contacts.Size(t.Context(), tx, "vip"); err != nil || n != int64(len(want)) {
					t.Errorf("%s: %d are counted, want %d: %v", what, n, len(want), err)
				}
			})
		}
		l.Record(t, "contact-a", added(1))
		l.Record(t, "contact-b", added(2))
		l.Record(t, "contact-c", added(3))
		l.Record(t, "groups-"+acme, made("vip", group.Static, `{}`))
		l.Record(t, "members-vip", members.Changed{Choice: 1, Added: []string{"b", "c"}})
		check("at first", "b", "c")
		l.Record(t, "contact-b", contact.Merged{Into: "a", By: "ann", At: sec(4)})
		check("after a merge", "a", "c")
		l.Record(t, "contact-a", contact.Deleted{})
		check("after the other was deleted", "c")
		l.Record(t, "contact-a", contact.Restored{})
		l.Record(t, "contact-c", contact.Merged{Into: "a", By: "ann", At: sec(6)})
		check("after both were merged", "a")
		l.Record(t, "contact-b", contact.Unmerged{From: "a", By: "ann", At: sec(7)})
		check("after the merge was taken back", "a", "b")
		l.Record(t, "members-vip", members.Changed{Choice: 2, Removed: []string{"b", "c"}})
		check("after a refresh")
		l.Verify(t)
	})
}

// Of a condition it can be told whether a contact passes.
func TestPasses(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "contact-1", added(1), set(1, typed, "city", "Rome"))
		l.Record(t, "groups-"+acme, made("rome", group.Dynamic, `{"field":"city","op":"eq","value":"Rome"}`))
		l.Read(t, func(tx sqldb.Tx) {
			cond := func(raw string) filter.Node {
				f, err := filter.Parse(filter.Contacts, []byte(raw))
				if err != nil {
					t.Fatal(err)
				}
				return f.Root
			}
			nodes := []filter.Node{cond(`{"field":"city","op":"eq","value":"Rome"}`), cond(`{"field":"city","op":"eq","value":"Wien"}`), cond(`{"field":"group","op":"eq","value":"rome"}`)}
			for range 250 {
				nodes = append(nodes, cond(`{"not":{"field":"blocked","op":"eq","value":true}}`))
			}
			got, found, err := contacts.Passes(t.Context(), tx, acme, "1", filtersql.Scope{}, nodes)
			if err != nil || !found || len(got) != len(nodes) || !got[0] || got[1] || !got[2] || slices.Contains(got[3:], false) {
				t.Errorf("%v %v %v", got, found, err)
			}
			if _, found, err := contacts.Passes(t.Context(), tx, "other", "1", filtersql.Scope{}, nodes); found || err != nil {
				t.Errorf("of another workspace: %v %v", found, err)
			}
		})
	})
}
