package tag_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/tag"
)

type past = []tag.Event

var (
	vip   = tag.Created{Tag: "vip", Name: "VIP", Colour: "#ff0000"}
	gold  = tag.Renamed{Tag: "vip", Name: "Gold", From: "VIP"}
	inBox = tag.Archived{Tag: "vip"}
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, tag.Events) }

func TestDecisions(t *testing.T) {
	long := strings.Repeat("a", 201)
	domaintest.Run(t, tag.Evolve, []domaintest.Case[tag.State, tag.Event]{
		{Name: "create", When: tag.Create{Tag: "vip", Name: " VIP ", Colour: "#FF0000"}, Then: past{vip}},
		{Name: "create without a colour", When: tag.Create{Tag: "vip", Name: "VIP"}, Then: past{tag.Created{Tag: "vip", Name: "VIP"}}},
		{Name: "create again", Given: past{vip}, When: tag.Create{Tag: "vip", Name: "vip"}},
		{Name: "create what was renamed", Given: past{vip, gold}, When: tag.Create{Tag: "vip", Name: "VIP"}, Err: tag.ErrExists},
		{Name: "create what is archived", Given: past{vip, inBox}, When: tag.Create{Tag: "vip", Name: "VIP"}, Err: tag.ErrArchived},
		{Name: "create under another's name", Given: past{vip, gold}, When: tag.Create{Tag: "gold-2", Name: "gold"}, Err: tag.ErrNameTaken},
		{Name: "create under another's id", Given: past{vip, gold}, When: tag.Create{Tag: "x", Name: "VIP"}, Err: tag.ErrNameTaken},
		{Name: "create with another's name as id", Given: past{vip, gold}, When: tag.Create{Tag: "gold", Name: "Golden"}, Err: tag.ErrNameTaken},
		{Name: "create with an id of no letter", When: tag.Create{Name: "!!"}, Err: tag.ErrUnnamable},
		{Name: "create without a name", When: tag.Create{Tag: "vip"}, Err: tag.ErrNameMissing},
		{Name: "create under a long name", When: tag.Create{Tag: "vip", Name: long}, Err: tag.ErrNameTooLong},
		{Name: "create NUL", When: tag.Create{Tag: "vip", Name: "a\x00"}, Err: tag.ErrNameInvalid},
		{Name: "create in red", When: tag.Create{Tag: "vip", Name: "VIP", Colour: "red"}, Err: tag.ErrColour},
		{Name: "create in no hex", When: tag.Create{Tag: "vip", Name: "VIP", Colour: "#ff000g"}, Err: tag.ErrColour},

		{Name: "rename", Given: past{vip}, When: tag.Rename{Tag: "vip", Name: "Gold"}, Then: past{gold}},
		{Name: "rename to the same", Given: past{vip}, When: tag.Rename{Tag: "vip", Name: "VIP"}},
		{Name: "rename in case", Given: past{vip}, When: tag.Rename{Tag: "vip", Name: "Vip"}, Then: past{tag.Renamed{Tag: "vip", Name: "Vip", From: "VIP"}}},
		{Name: "rename back", Given: past{vip, gold}, When: tag.Rename{Tag: "vip", Name: "VIP"}, Then: past{tag.Renamed{Tag: "vip", Name: "VIP", From: "Gold"}}},
		{
			Name: "rename to a name given back", Given: past{vip, gold, tag.Renamed{Tag: "vip", Name: "Top", From: "Gold"}, tag.Created{Tag: "new", Name: "New"}}, When: tag.Rename{Tag: "new", Name: "gold"},
			Then: past{tag.Renamed{Tag: "new", Name: "gold", From: "New"}},
		},
		{Name: "rename to another's name", Given: past{vip, tag.Created{Tag: "new", Name: "New"}}, When: tag.Rename{Tag: "new", Name: "vip"}, Err: tag.ErrNameTaken},
		{Name: "rename to an archived one's name", Given: past{vip, gold, inBox, tag.Created{Tag: "new", Name: "New"}}, When: tag.Rename{Tag: "new", Name: "Gold"}, Err: tag.ErrNameTaken},
		{Name: "rename to nothing", Given: past{vip}, When: tag.Rename{Tag: "vip"}, Err: tag.ErrNameMissing},
		{Name: "rename an archived one", Given: past{vip, inBox}, When: tag.Rename{Tag: "vip", Name: "Gold"}, Err: tag.ErrArchived},
		{Name: "rename an unknown one", When: tag.Rename{Tag: "vip", Name: "Gold"}, Err: tag.ErrNotFound},

		{Name: "recolour", Given: past{vip}, When: tag.Recolour{Tag: "vip", Colour: "#00FF00"}, Then: past{tag.Recoloured{Tag: "vip", Colour: "#00ff00"}}},
		{Name: "recolour to the same", Given: past{vip}, When: tag.Recolour{Tag: "vip", Colour: "#FF0000"}},
		{Name: "recolour to nothing", Given: past{vip}, When: tag.Recolour{Tag: "vip"}, Err: tag.ErrColour},
		{Name: "recolour an unknown one", When: tag.Recolour{Tag: "vip", Colour: "#00ff00"}, Err: tag.ErrNotFound},

		{Name: "archive", Given: past{vip}, When: tag.Archive{Tag: "vip"}, Then: past{inBox}},
		{Name: "archive again", Given: past{vip, inBox}, When: tag.Archive{Tag: "vip"}},
		{Name: "archive an unknown one", When: tag.Archive{Tag: "vip"}, Err: tag.ErrNotFound},
		{Name: "restore", Given: past{vip, inBox}, When: tag.Restore{Tag: "vip"}, Then: past{tag.Restored{Tag: "vip"}}},
		{Name: "restore one in use", Given: past{vip}, When: tag.Restore{Tag: "vip"}},
		{Name: "restore an unknown one", When: tag.Restore{Tag: "vip"}, Err: tag.ErrNotFound},
	})
}

func TestTooMany(t *testing.T) {
	var s tag.State
	for i := range tag.MaxTags {
		name := strings.Repeat("a", i%200) + strings.Repeat("b", i/200+1)
		s = tag.Evolve(s, tag.Created{Tag: tag.ID(name), Name: name})
	}
	if _, err := (tag.Create{Tag: "vip", Name: "VIP"}).Decide(s); !errors.Is(err, tag.ErrTooMany) {
		t.Errorf("refusal = %v, want %v", err, tag.ErrTooMany)
	}
}

func TestFind(t *testing.T) {
	s := domaintest.Fold(tag.Evolve, past{vip, gold, tag.Created{Tag: "late", Name: "Running late"}, tag.Created{Tag: "old", Name: "Old"}, tag.Archived{Tag: "old"}})
	tests := []struct {
		nameOrID string
		want     tag.ID
		ok       bool
	}{
		{"vip", "vip", true},
		{"VIP", "vip", true},
		{"gold", "vip", true},
		{" Gold ", "vip", true},
		{"late", "late", true},
		{"RUNNING LATE", "late", true},
		{"old", "", false},
		{"none", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if got, ok := s.Find(tt.nameOrID); got != tt.want || ok != tt.ok {
			t.Errorf("Find(%q) = %q, %v; want %q, %v", tt.nameOrID, got, ok, tt.want, tt.ok)
		}
	}
	if got, ok := s.Lookup("OLD"); !ok || got.ID != "old" || !got.Archived {
		t.Errorf("Lookup of an archived tag = %+v, %v", got, ok)
	}
	if got, ok := s.Get("vip"); !ok || got != (tag.Tag{ID: "vip", Name: "Gold", Colour: "#ff0000"}) {
		t.Errorf("Get = %+v, %v", got, ok)
	}
}

// Whatever happens, each id and each name finds its own tag.
func TestNamesStayApart(t *testing.T) {
	ids := rapid.SampledFrom([]tag.ID{"", "a", "b", "c"})
	names := rapid.SampledFrom([]string{"", "a", "A", "b", "c", "d", "x"})
	commands := rapid.Custom(func(t *rapid.T) domaintest.Command[tag.State, tag.Event] {
		id, name := ids.Draw(t, "tag"), names.Draw(t, "name")
		switch rapid.IntRange(0, 4).Draw(t, "command") {
		case 0:
			return tag.Rename{Tag: id, Name: name}
		case 1:
			return tag.Archive{Tag: id}
		case 2:
			return tag.Restore{Tag: id}
		case 3:
			return tag.Recolour{Tag: id, Colour: rapid.SampledFrom([]string{"#000000", "#ffffff", "red"}).Draw(t, "colour")}
		}
		return tag.Create{Tag: id, Name: name}
	})
	rapid.Check(t, func(t *rapid.T) {
		var s tag.State
		for _, c := range rapid.SliceOfN(commands, 1, 40).Draw(t, "commands") {
			s = domaintest.Do(t, tag.Evolve, s, c)
			for _, id := range []tag.ID{"a", "b", "c"} {
				own, ok := s.Get(id)
				if !ok {
					continue
				}
				for _, word := range []string{string(id), own.Name, strings.ToUpper(own.Name)} {
					if found, ok := s.Lookup(word); !ok || found.ID != id {
						t.Fatalf("%q finds %q, want %q", word, found.ID, id)
					}
				}
			}
		}
	})
}
