package groups_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

const acme = viewstest.Workspace

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	viewstest.OnBoth(t, parts, []func() projections.Projection{groups.New}, test)
}

func created(id, name string, kind group.Kind) group.Created {
	return group.Created{Group: group.ID(id), Name: name, Kind: kind, Filter: json.RawMessage(`{}`), By: "ann", At: sec(1)}
}

func TestList(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		list := "groups-" + acme
		l.Record(t, list, created("1", "Zoo", group.Static), created("2", "apples", group.Static), created("3", "Bees", group.Dynamic), created("4", "Gone", group.Static))
		l.Record(t, list, group.Renamed{Group: "1", Name: "Ants", From: "Zoo"}, group.Deleted{Group: "4", By: "ann", At: sec(2)},
			group.FilterSet{Group: "2", Filter: json.RawMessage(`{"and":[]}`), By: "bob", At: sec(3)})
		l.RecordIn(t, "other", "groups-other", created("5", "Theirs", group.Static))
		l.Read(t, func(tx sqldb.Tx) {
			var names []string
			q := groups.Query{Limit: 2}
			for {
				page, revision, err := groups.Find(t.Context(), tx, acme, q)
				if err != nil || revision != 6 {
					t.Fatalf("revision %d, %v", revision, err)
				}
				for _, g := range page.Items {
					names = append(names, g.Name)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if !slices.Equal(names, []string{"Ants", "apples", "Bees"}) {
				t.Errorf("%q", names)
			}
			g, err := groups.Get(t.Context(), tx, acme, "2")
			if err != nil || g.Filter != `{"and":[]}` || g.FilterBy != "bob" || g.CreatedBy != "ann" || g.UpdatedAt != sec(3).UnixMicro() {
				t.Errorf("%+v, %v", g, err)
			}
			for id, want := range map[string]int64{"1": 1, "2": 1, "3": 0} {
				if g, err := groups.Get(t.Context(), tx, acme, id); err != nil || g.Revision() != want {
					t.Errorf("group %s is at revision %d, want %d: %v", id, g.Revision(), want, err)
				}
			}
			for _, id := range []string{"4", "5", "6", "\x00"} {
				if _, err := groups.Get(t.Context(), tx, acme, id); !errors.Is(err, group.ErrNotFound) {
					t.Errorf("get %q: %v", id, err)
				}
			}
			dynamic, err := groups.Dynamic(t.Context(), tx, acme)
			if err != nil || len(dynamic) != 1 || dynamic[0].ID != "3" {
				t.Errorf("%+v, %v", dynamic, err)
			}
		})
		l.Verify(t)
	})
}

// A group may be refused after its members were named: nobody sees it.
func TestNamedForNoGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "members-1", members.Requested{Workspace: acme, Choice: 1, IDs: []string{"a"}, By: "ann", At: sec(1)})
		l.Read(t, func(tx sqldb.Tx) {
			page, _, err := groups.Find(t.Context(), tx, acme, groups.Query{})
			if err != nil || len(page.Items) != 0 {
				t.Errorf("%+v, %v", page, err)
			}
		})
	})
}

// Whatever the choices, who was in the group after each, and what each changed, is
// what they said; also as of any position.
func TestMembersAsOf(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n > 4 {
				return
			}
			id := fmt.Sprint("g", n)
			l.Record(t, "groups-"+acme, created(id, id, group.Static))
			type choice struct{ added, removed, after []string }
			var choices []choice
			in := map[string]bool{}
			for c := 1; c <= 6; c++ {
				l.Record(t, "members-"+id, members.Requested{Workspace: acme, Choice: c, Filter: json.RawMessage(`{}`), By: "ann", At: sec(c)})
				if rapid.IntRange(0, 5).Draw(rt, "refused") == 0 {
					l.Record(t, "members-"+id, members.Refused{Choice: c, Code: "x", Reason: "y", At: sec(c)})
					choices = append(choices, choice{after: slices.Sorted(maps.Keys(in))})
					continue
				}
				var change choice
				for _, m := range []string{"a", "b", "c", "d", "e"} {
					switch was, is := in[m], rapid.Bool().Draw(rt, m); {
					case is && !was:
						change.added, in[m] = append(change.added, m), true
					case was && !is:
						change.removed = append(change.removed, m)
						delete(in, m)
					}
				}
				change.after = slices.Sorted(maps.Keys(in))
				l.Record(t, "members-"+id, members.Changed{Choice: c, Added: change.added, Removed: change.removed},
					members.Chosen{Choice: c, Members: len(in), Added: len(change.added), Removed: len(change.removed), Position: int64(c), At: sec(c)})
				choices = append(choices, change)
			}
			read := func(what string, want []string, page func(q groups.Query) (groups.Page[groups.Member], error)) {
				var got []string
				q := groups.Query{Limit: 2}
				for {
					p, err := page(q)
					if err != nil {
						rt.Fatal(err)
					}
					for _, m := range p.Items {
						got = append(got, m.Contact)
					}
					if q.Cursor = p.Next; q.Cursor == "" {
						break
					}
				}
				if !slices.Equal(got, want) {
					rt.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			l.Read(t, func(tx sqldb.Tx) {
				list, err := groups.Choices(t.Context(), tx, id, groups.Query{})
				if err != nil || len(list.Items) != len(choices) {
					rt.Fatalf("%+v, %v", list, err)
				}
				for i, want := range choices {
					c := int64(i + 1)
					read(fmt.Sprint("added by ", c), want.added, func(q groups.Query) (groups.Page[groups.Member], error) {
						return groups.Changes(t.Context(), tx, id, c, true, q)
					})
					read(fmt.Sprint("removed by ", c), want.removed, func(q groups.Query) (groups.Page[groups.Member], error) {
						return groups.Changes(t.Context(), tx, id, c, false, q)
					})
					kept, err := groups.GetChoice(t.Context(), tx, id, c)
					if err != nil {
						rt.Fatal(err)
					}
					if kept.State == groups.Refused {
						continue
					}
					at, err := groups.ChoiceAt(t.Context(), tx, id, kept.MadeAtPosition)
					before, errBefore := groups.ChoiceAt(t.Context(), tx, id, kept.MadeAtPosition-1)
					if err != nil || errBefore != nil || at != c || before >= c || kept.Members != int64(len(want.after)) {
						rt.Errorf("choice %d: at its position %d, before %d; %+v", c, at, before, kept)
					}
					read(fmt.Sprint("after ", c), want.after, func(q groups.Query) (groups.Page[groups.Member], error) {
						return groups.MembersAt(t.Context(), tx, id, c, q)
					})
				}
			})
		})
		l.Verify(t)
	})
}
