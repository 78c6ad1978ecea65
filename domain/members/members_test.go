package members_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/members"
)

type past = []members.Event

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, members.Events) }

func at(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func TestDecisions(t *testing.T) {
	all := json.RawMessage(`{}`)
	asked := members.Requested{Workspace: "acme", Choice: 1, Filter: all, Me: "sue", By: "ann", At: at(1)}
	changed := members.Changed{Choice: 1, Added: []string{"a", "c"}}
	chosen := members.Chosen{Choice: 1, Members: 2, Added: 2, Position: 7, At: at(2)}
	filled := past{asked, changed, chosen}
	emptied := members.Requested{Workspace: "acme", Choice: 2, Emptied: true, By: "sue", At: at(3)}
	request := members.Request{Workspace: "acme", Filter: all, Me: "sue", By: "ann", At: at(1)}
	names := func(ids ...string) members.Request { return members.Request{Workspace: "acme", IDs: ids, By: "ann"} }
	many := make([]string, members.MaxMembers+1)
	for i := range many {
		many[i] = fmt.Sprintf("c%06d", i)
	}
	domaintest.Run(t, members.Evolve, []domaintest.Case[members.State, members.Event]{
		{Name: "ask", When: request, Then: past{asked}},
		{Name: "ask while it is being chosen", Given: past{asked}, When: request, Err: members.ErrPending},
		{Name: "ask again", Given: filled, When: request, Then: past{func() members.Requested { e := asked; e.Choice = 2; return e }()}},
		{Name: "ask for names", When: names("b", "a", "b"), Then: past{members.Requested{Workspace: "acme", Choice: 1, IDs: []string{"a", "b"}, By: "ann"}}},
		{Name: "ask for no names", When: names(), Err: members.ErrNone},
		{Name: "ask for an empty name", When: names(""), Err: members.ErrID},
		{Name: "ask for too many names", When: names(many[:members.MaxNamed+1]...), Err: members.ErrTooMany},
		{Name: "ask by nobody", When: members.Request{Workspace: "acme", Filter: all}, Err: members.ErrBy},

		{Name: "choose", Given: past{asked}, When: members.Choose{Choice: 1, IDs: []string{"a", "c"}, Position: 7, At: at(2)}, Then: past{changed, chosen}},
		{Name: "choose again", Given: filled, When: members.Choose{Choice: 1, IDs: []string{"b"}}},
		{Name: "choose nobody", Given: past{asked}, When: members.Choose{Choice: 1, Missing: 3, At: at(2)}, Then: past{members.Chosen{Choice: 1, Missing: 3, At: at(2)}}},
		{Name: "choose others", Given: past{asked}, When: members.Choose{Choice: 1, Have: []string{"a", "b"}, IDs: []string{"b", "c"}}, Then: past{
			members.Changed{Choice: 1, Added: []string{"c"}, Removed: []string{"a"}}, members.Chosen{Choice: 1, Members: 2, Added: 1, Removed: 1},
		}},
		{Name: "choose too many", Given: past{asked}, When: members.Choose{Choice: 1, IDs: many, At: at(2)}, Then: past{
			members.Refused{Choice: 1, Code: "group.too_many_members", Reason: members.ErrMembers.Msg, At: at(2)},
		}},
		{Name: "choose what is refused", Given: past{asked}, When: members.Choose{Choice: 1, Code: members.ErrNone.Code, Reason: members.ErrNone.Msg, At: at(2)}, Then: past{
			members.Refused{Choice: 1, Code: members.ErrNone.Code, Reason: members.ErrNone.Msg, At: at(2)},
		}},

		{Name: "empty", Given: filled, When: members.Empty{By: "sue", At: at(3)}, Then: past{emptied}},
		{Name: "empty what is being chosen", Given: past{asked}, When: members.Empty{By: "sue", At: at(3)}, Then: past{emptied}},
		{Name: "empty what was never filled", When: members.Empty{By: "sue"}},
	})
}

// However the members change, the events say exactly how, in parts that fit, and
// their number fits into one append.
func TestChoicesSayWhatChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s members.State
		have := map[string]bool{}
		for n := 1; n <= 4; n++ {
			s = domaintest.Fold(members.Evolve, past{members.Requested{Workspace: "acme", Choice: n}})
			want := map[string]bool{}
			from, size := rapid.IntRange(0, 2_000).Draw(t, "from"), rapid.IntRange(0, 1_800).Draw(t, "size")
			for i := range size {
				want[fmt.Sprintf("%05d", from+i*rapid.IntRange(1, 2).Draw(t, "step"))] = true
			}
			events, err := members.Choose{Choice: n, Have: slices.Sorted(maps.Keys(have)), IDs: slices.Sorted(maps.Keys(want))}.Decide(s)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range events {
				switch e := e.(type) {
				case members.Changed:
					if len(e.Added)+len(e.Removed) > members.ChunkSize || len(e.Added)+len(e.Removed) == 0 || e.Chunk != i {
						t.Fatalf("chunk %d of %d has %d and %d", e.Chunk, i, len(e.Added), len(e.Removed))
					}
					for _, id := range e.Added {
						if have[id] {
							t.Fatalf("%s was added twice", id)
						}
						have[id] = true
					}
					for _, id := range e.Removed {
						if !have[id] {
							t.Fatalf("%s was not there", id)
						}
						delete(have, id)
					}
				case members.Chosen:
					if i != len(events)-1 || e.Members != len(want) {
						t.Fatalf("%+v at %d of %d", e, i, len(events))
					}
				default:
				}
			}
			if !maps.Equal(have, want) {
				t.Fatalf("%d members, want %d", len(have), len(want))
			}
		}
	})
}
