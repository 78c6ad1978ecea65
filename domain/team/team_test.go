package team_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/team"
)

type past = []team.Event

var (
	sales = team.Created{Team: "sales", Name: "Sales"}
	bob   = team.MemberAdded{Team: "sales", Agent: "bob"}
	gone  = team.Archived{Team: "sales"}
	back  = team.Restored{Team: "sales"}
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, team.Events) }

func TestDecisions(t *testing.T) {
	shop := team.Renamed{Team: "sales", Name: "Shop", From: "Sales"}
	domaintest.Run(t, team.Evolve, []domaintest.Case[team.State, team.Event]{
		{Name: "create", When: team.Create{Team: "sales", Name: " Sales "}, Then: past{sales}},
		{Name: "create again", Given: past{sales}, When: team.Create{Team: "sales", Name: "SALES"}},
		{Name: "create what was renamed", Given: past{sales, shop}, When: team.Create{Team: "sales", Name: "Sales"}, Err: team.ErrExists},
		{Name: "create what is archived", Given: past{sales, gone}, When: team.Create{Team: "sales", Name: "Sales"}, Err: team.ErrArchived},
		{Name: "create under another's name", Given: past{sales, shop}, When: team.Create{Team: "shop", Name: "Shop"}, Err: team.ErrNameTaken},
		{Name: "create under an archived one's name", Given: past{sales, shop, gone}, When: team.Create{Team: "shop", Name: "Shop"}, Then: past{team.Created{Team: "shop", Name: "Shop"}}},
		{Name: "create under another's id", Given: past{sales, shop}, When: team.Create{Team: "x", Name: "Sales"}, Err: team.ErrNameTaken},
		{Name: "create with an id of no letter", When: team.Create{Name: "!!"}, Err: team.ErrUnnamable},
		{Name: "create without a name", When: team.Create{Team: "sales"}, Err: team.ErrNameMissing},
		{Name: "create under a long name", When: team.Create{Team: "sales", Name: strings.Repeat("a", 201)}, Err: team.ErrNameTooLong},
		{Name: "create NUL", When: team.Create{Team: "sales", Name: "\x00"}, Err: team.ErrNameInvalid},

		{Name: "rename", Given: past{sales}, When: team.Rename{Team: "sales", Name: "Shop"}, Then: past{shop}},
		{Name: "rename to the same", Given: past{sales}, When: team.Rename{Team: "sales", Name: "Sales"}},
		{Name: "rename to another's name", Given: past{sales, team.Created{Team: "shop", Name: "Shop"}}, When: team.Rename{Team: "sales", Name: "shop"}, Err: team.ErrNameTaken},
		{Name: "rename to nothing", Given: past{sales}, When: team.Rename{Team: "sales"}, Err: team.ErrNameMissing},
		{Name: "rename an archived one", Given: past{sales, gone}, When: team.Rename{Team: "sales", Name: "Shop"}, Err: team.ErrArchived},
		{Name: "rename an unknown one", When: team.Rename{Team: "sales", Name: "Shop"}, Err: team.ErrNotFound},

		{Name: "add", Given: past{sales}, When: team.AddMember{Team: "sales", Agent: "bob"}, Then: past{bob}},
		{Name: "add again", Given: past{sales, bob}, When: team.AddMember{Team: "sales", Agent: "bob"}},
		{Name: "add nobody", Given: past{sales}, When: team.AddMember{Team: "sales"}, Err: team.ErrAgentMissing},
		{Name: "add to an archived one", Given: past{sales, gone}, When: team.AddMember{Team: "sales", Agent: "bob"}, Err: team.ErrArchived},
		{Name: "add to an unknown one", When: team.AddMember{Team: "sales", Agent: "bob"}, Err: team.ErrNotFound},
		{Name: "remove", Given: past{sales, bob}, When: team.RemoveMember{Team: "sales", Agent: "bob"}, Then: past{team.MemberRemoved{Team: "sales", Agent: "bob"}}},
		{Name: "remove who is no member", Given: past{sales}, When: team.RemoveMember{Team: "sales", Agent: "bob"}},
		{Name: "remove nobody", Given: past{sales}, When: team.RemoveMember{Team: "sales"}, Err: team.ErrAgentMissing},
		{Name: "remove from an unknown one", When: team.RemoveMember{Team: "sales", Agent: "bob"}, Err: team.ErrNotFound},

		{Name: "archive", Given: past{sales}, When: team.Archive{Team: "sales"}, Then: past{gone}},
		{Name: "archive again", Given: past{sales, gone}, When: team.Archive{Team: "sales"}},
		{Name: "restore", Given: past{sales, bob, gone}, When: team.Restore{Team: "sales"}, Then: past{back}},
		{Name: "restore what is in use", Given: past{sales, gone, back}, When: team.Restore{Team: "sales"}},
		{Name: "restore whose name another has now", Given: past{sales, shop, gone, team.Created{Team: "shop", Name: "Shop"}}, When: team.Restore{Team: "sales"}, Err: team.ErrNameTaken},
		{Name: "take the name of a restored one", Given: past{sales, shop, gone, back}, When: team.Create{Team: "shop", Name: "Shop"}, Err: team.ErrNameTaken},
		{Name: "restore an unknown one", When: team.Restore{Team: "sales"}, Err: team.ErrNotFound},
		{Name: "archive an unknown one", When: team.Archive{Team: "sales"}, Err: team.ErrNotFound},
	})
}

func TestTooMany(t *testing.T) {
	s := domaintest.Fold(team.Evolve, past{sales})
	for i := range team.MaxMembers {
		s = team.Evolve(s, team.MemberAdded{Team: "sales", Agent: fmt.Sprint("a", i)})
	}
	if _, err := (team.AddMember{Team: "sales", Agent: "bob"}).Decide(s); !errors.Is(err, team.ErrFull) {
		t.Errorf("refusal = %v, want %v", err, team.ErrFull)
	}
	for i := range team.MaxTeams {
		s = team.Evolve(s, team.Created{Team: team.ID(fmt.Sprint("t", i)), Name: fmt.Sprint("t", i)})
	}
	if _, err := (team.Create{Team: "new", Name: "New"}).Decide(s); !errors.Is(err, team.ErrTooMany) {
		t.Errorf("refusal = %v, want %v", err, team.ErrTooMany)
	}
}

func TestQuestions(t *testing.T) {
	s := domaintest.Fold(team.Evolve, past{
		sales, bob,
		team.MemberAdded{Team: "sales", Agent: "ann"},
		team.Renamed{Team: "sales", Name: "Shop", From: "Sales"},
		team.Created{Team: "old", Name: "Old"},
		team.MemberAdded{Team: "old", Agent: "sue"},
		team.Archived{Team: "old"},
	})
	if !s.Exists("sales") || s.Exists("old") || s.Exists("none") || s.Exists("") {
		t.Error("Exists is wrong")
	}
	for id, want := range map[team.ID]error{"sales": nil, "old": team.ErrArchived, "none": team.ErrNotFound} {
		if err := s.Check(id); !errors.Is(err, want) {
			t.Errorf("Check(%q) = %v, want %v", id, err, want)
		}
	}
	for word, want := range map[string]team.ID{"SALES": "sales", "shop": "sales", "old": "", "none": "", "": ""} {
		if id, ok := s.Find(word); id != want || ok != (want != "") {
			t.Errorf("Find(%q) = %q, %v; want %q", word, id, ok, want)
		}
	}
	for id, want := range map[team.ID][]string{"sales": {"ann", "bob"}, "old": {"sue"}, "none": nil} {
		if got := s.Members(id); !slices.Equal(got, want) {
			t.Errorf("Members(%q) = %v, want %v", id, got, want)
		}
	}
}

// Whatever happens, a repeat does nothing, and teams in use differ in name.
func TestAnyTeams(t *testing.T) {
	ids := rapid.SampledFrom([]team.ID{"", "a", "b", "c"})
	names := rapid.SampledFrom([]string{"", "a", "A", "b", "d"})
	agents := rapid.SampledFrom([]string{"", "ann", "bob"})
	commands := rapid.Custom(func(t *rapid.T) domaintest.Command[team.State, team.Event] {
		id := ids.Draw(t, "team")
		switch rapid.IntRange(0, 5).Draw(t, "command") {
		case 0:
			return team.Rename{Team: id, Name: names.Draw(t, "name")}
		case 1:
			return team.Archive{Team: id}
		case 2:
			return team.AddMember{Team: id, Agent: agents.Draw(t, "agent")}
		case 3:
			return team.RemoveMember{Team: id, Agent: agents.Draw(t, "agent")}
		}
		return team.Create{Team: id, Name: names.Draw(t, "name")}
	})
	rapid.Check(t, func(t *rapid.T) {
		var s team.State
		inUse := map[team.ID]string{}
		for _, c := range rapid.SliceOfN(commands, 1, 40).Draw(t, "commands") {
			events, _ := c.Decide(s)
			s = domaintest.Do(t, team.Evolve, s, c)
			for _, e := range events {
				switch e := e.(type) {
				case team.Created:
					inUse[e.Team] = e.Name
				case team.Renamed:
					inUse[e.Team] = e.Name
				case team.Archived:
					delete(inUse, e.Team)
				}
			}
			for id, name := range inUse {
				if found, ok := s.Find(name); !ok || found != id {
					t.Fatalf("%q finds %q, want %q", name, found, id)
				}
			}
		}
	})
}
