package status_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/status"
)

type past = []status.Event

// seeded is what Seed gives, and then the events.
func seeded(more ...status.Event) past {
	events, _ := status.Seed{}.Decide(status.State{})
	return append(events, more...)
}

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, status.Events) }

func TestSeed(t *testing.T) {
	s := domaintest.Fold(status.Evolve, seeded())
	want := []struct {
		id       status.ID
		category status.Category
	}{
		{"OPEN", status.Open},
		{"INPROGRESS", status.Open},
		{"REVIEW", status.Pending},
		{"ONHOLD", status.Pending},
		{"DEPENDENCY", status.Pending},
		{"CLOSED", status.Closed},
	}
	list := s.List()
	if len(list) != len(want) {
		t.Fatalf("%d statuses, want %d", len(list), len(want))
	}
	for i, w := range want {
		if got := list[i]; got.ID != w.id || got.Category != w.category || got.Name != string(w.id) || got.Colour == "" || got.Default != (i == 0) {
			t.Errorf("status %d = %+v, want %+v", i, got, w)
		}
	}
	if events, err := (status.Seed{}).Decide(s); err != nil || len(events) > 0 {
		t.Errorf("a second Seed: %v, %v", events, err)
	}
}

func TestDecisions(t *testing.T) {
	spam := status.Created{Status: "SPAM", Name: "Spam", Colour: "#000000", Category: status.Closed}
	create := status.Create{Status: "SPAM", Name: " Spam ", Colour: "#000000", Category: status.Closed}
	with := func(change func(*status.Create)) status.Create { c := create; change(&c); return c }
	gone := status.Archived{Status: "REVIEW"}
	back := status.Restored{Status: "REVIEW"}
	check := status.Renamed{Status: "REVIEW", Name: "Check", From: "REVIEW"}
	domaintest.Run(t, status.Evolve, []domaintest.Case[status.State, status.Event]{
		{Name: "create", Given: seeded(), When: create, Then: past{spam}},
		{Name: "create again", Given: seeded(spam), When: create},
		{Name: "create in another category", Given: seeded(spam), When: with(func(c *status.Create) { c.Category = status.Open }), Err: status.ErrExists},
		{Name: "create what is archived", Given: seeded(gone), When: status.Create{Status: "REVIEW", Name: "REVIEW", Category: status.Pending}, Err: status.ErrArchived},
		{Name: "create what was renamed", Given: seeded(check), When: status.Create{Status: "REVIEW", Name: "REVIEW", Category: status.Pending}, Err: status.ErrExists},
		{Name: "create under another's name", Given: seeded(check), When: with(func(c *status.Create) { c.Name = "check" }), Err: status.ErrNameTaken},
		{Name: "create under another's id", Given: seeded(), When: with(func(c *status.Create) { c.Name = "Open" }), Err: status.ErrNameTaken},
		{
			Name: "create under an archived one's name", Given: seeded(check, gone), When: status.Create{Status: "CHECK", Name: "Check", Category: status.Pending},
			Then: past{status.Created{Status: "CHECK", Name: "Check", Category: status.Pending}},
		},
		{Name: "create without a list", When: create, Err: status.ErrNotSeeded},
		{Name: "create with an id of no letter", Given: seeded(), When: with(func(c *status.Create) { c.Status = "" }), Err: status.ErrUnnamable},
		{Name: "create without a name", Given: seeded(), When: with(func(c *status.Create) { c.Name = "" }), Err: status.ErrNameMissing},
		{Name: "create under a long name", Given: seeded(), When: with(func(c *status.Create) { c.Name = strings.Repeat("a", 201) }), Err: status.ErrNameTooLong},
		{Name: "create NUL", Given: seeded(), When: with(func(c *status.Create) { c.Name = "\x00" }), Err: status.ErrNameInvalid},
		{Name: "create in red", Given: seeded(), When: with(func(c *status.Create) { c.Colour = "red" }), Err: status.ErrColour},
		{Name: "create without a category", Given: seeded(), When: with(func(c *status.Create) { c.Category = "" }), Err: status.ErrCategory},

		{Name: "rename", Given: seeded(), When: status.Rename{Status: "REVIEW", Name: "Check"}, Then: past{check}},
		{Name: "rename to the same", Given: seeded(), When: status.Rename{Status: "REVIEW", Name: "REVIEW"}},
		{Name: "rename to another's name", Given: seeded(), When: status.Rename{Status: "REVIEW", Name: "closed"}, Err: status.ErrNameTaken},
		{Name: "rename to nothing", Given: seeded(), When: status.Rename{Status: "REVIEW"}, Err: status.ErrNameMissing},
		{Name: "rename an archived one", Given: seeded(gone), When: status.Rename{Status: "REVIEW", Name: "Check"}, Err: status.ErrArchived},
		{Name: "rename an unknown one", Given: seeded(), When: status.Rename{Status: "X", Name: "Check"}, Err: status.ErrNotFound},

		{Name: "recolour", Given: seeded(), When: status.Recolour{Status: "OPEN", Colour: "#FFFFFF"}, Then: past{status.Recoloured{Status: "OPEN", Colour: "#ffffff"}}},
		{Name: "recolour to the same", Given: seeded(), When: status.Recolour{Status: "OPEN", Colour: "#2563EB"}},
		{Name: "recolour red", Given: seeded(), When: status.Recolour{Status: "OPEN", Colour: "red"}, Err: status.ErrColour},
		{Name: "recolour an unknown one", Given: seeded(), When: status.Recolour{Status: "X", Colour: "#ffffff"}, Err: status.ErrNotFound},

		{Name: "move", Given: seeded(), When: status.Move{Status: "CLOSED", To: 0}, Then: past{status.Moved{Status: "CLOSED", To: 0}}},
		{Name: "move to the same place", Given: seeded(), When: status.Move{Status: "CLOSED", To: 5}},
		{Name: "move past the end", Given: seeded(), When: status.Move{Status: "OPEN", To: 6}, Err: status.ErrPlace},
		{Name: "move before the start", Given: seeded(), When: status.Move{Status: "OPEN", To: -1}, Err: status.ErrPlace},
		{Name: "move an archived one", Given: seeded(gone), When: status.Move{Status: "REVIEW", To: 0}, Err: status.ErrArchived},

		{Name: "set default", Given: seeded(), When: status.SetDefault{Status: "INPROGRESS"}, Then: past{status.DefaultSet{Status: "INPROGRESS", From: "OPEN"}}},
		{Name: "set the default that is", Given: seeded(), When: status.SetDefault{Status: "OPEN"}},
		{Name: "set a pending default", Given: seeded(), When: status.SetDefault{Status: "REVIEW"}, Err: status.ErrDefaultNotOpen},
		{Name: "set a closed default", Given: seeded(), When: status.SetDefault{Status: "CLOSED"}, Err: status.ErrDefaultNotOpen},
		{Name: "set an unknown default", Given: seeded(), When: status.SetDefault{Status: "X"}, Err: status.ErrNotFound},

		{Name: "archive", Given: seeded(), When: status.Archive{Status: "REVIEW"}, Then: past{gone}},
		{Name: "archive again", Given: seeded(gone), When: status.Archive{Status: "REVIEW"}},
		{Name: "archive the default", Given: seeded(), When: status.Archive{Status: "OPEN"}, Err: status.ErrIsDefault},
		{Name: "archive the former default", Given: seeded(status.DefaultSet{Status: "INPROGRESS", From: "OPEN"}), When: status.Archive{Status: "OPEN"}, Err: status.ErrInUse},
		{Name: "archive the former default, remapped", Given: seeded(status.DefaultSet{Status: "INPROGRESS", From: "OPEN"}), When: status.Archive{Status: "OPEN", RemapTo: "INPROGRESS"}, Then: past{status.Remapped{Status: "OPEN", To: "INPROGRESS"}}},
		{Name: "archive what is known to be in use", Given: seeded(), When: status.Archive{Status: "REVIEW", InUse: status.Chats}, Err: status.ErrInUse},
		{Name: "archive what was used", Given: seeded(status.Used{Status: "REVIEW"}), When: status.Archive{Status: "REVIEW"}, Err: status.ErrInUse},
		{Name: "archive what was used, remapped", Given: seeded(status.Used{Status: "REVIEW"}), When: status.Archive{Status: "REVIEW", RemapTo: "ONHOLD"}, Then: past{status.Remapped{Status: "REVIEW", To: "ONHOLD"}}},
		{Name: "archive what was put in another's place", Given: seeded(status.Remapped{Status: "REVIEW", To: "ONHOLD"}), When: status.Archive{Status: "ONHOLD"}, Err: status.ErrInUse},
		{Name: "remap to itself", Given: seeded(), When: status.Archive{Status: "REVIEW", RemapTo: "REVIEW"}, Err: status.ErrRemap},
		{Name: "remap to another category", Given: seeded(), When: status.Archive{Status: "REVIEW", RemapTo: "OPEN"}, Err: status.ErrRemap},
		{Name: "remap to an archived one", Given: seeded(gone), When: status.Archive{Status: "ONHOLD", RemapTo: "REVIEW"}, Err: status.ErrRemap},
		{Name: "remap to an unknown one", Given: seeded(), When: status.Archive{Status: "ONHOLD", RemapTo: "X"}, Err: status.ErrRemap},
		{Name: "remap the default", Given: seeded(), When: status.Archive{Status: "OPEN", RemapTo: "INPROGRESS"}, Err: status.ErrIsDefault},
		{Name: "use", Given: seeded(), When: status.Use{Status: "REVIEW", Of: status.Chats}, Then: past{status.Used{Status: "REVIEW", Of: status.Chats}}},
		{Name: "use again", Given: seeded(status.Used{Status: "REVIEW", Of: status.Chats}), When: status.Use{Status: "REVIEW", Of: status.Chats}},
		{Name: "use for contacts, too", Given: seeded(status.Used{Status: "REVIEW", Of: status.Chats}), When: status.Use{Status: "REVIEW", Of: status.Contacts}, Then: past{status.Used{Status: "REVIEW", Of: status.Contacts}}},
		{Name: "use what was used by nobody knows what", Given: seeded(status.Used{Status: "REVIEW"}), When: status.Use{Status: "REVIEW", Of: status.Chats}},
		{Name: "use the default", Given: seeded(), When: status.Use{Status: "OPEN"}},
		{Name: "use an archived one", Given: seeded(gone), When: status.Use{Status: "REVIEW"}, Err: status.ErrArchived},
		{Name: "archive the last closed one", Given: seeded(), When: status.Archive{Status: "CLOSED"}, Err: status.ErrLastClosed},
		{Name: "archive one of two closed ones", Given: seeded(spam), When: status.Archive{Status: "CLOSED"}, Then: past{status.Archived{Status: "CLOSED"}}},
		{Name: "restore", Given: seeded(gone), When: status.Restore{Status: "REVIEW"}, Then: past{back}},
		{Name: "restore what was remapped", Given: seeded(status.Remapped{Status: "REVIEW", To: "ONHOLD"}), When: status.Restore{Status: "REVIEW"}, Then: past{back}},
		{Name: "restore what is in use", Given: seeded(gone, back), When: status.Restore{Status: "REVIEW"}},
		{Name: "restore whose name another has now", Given: seeded(check, gone, status.Created{Status: "CHECK", Name: "Check", Category: status.Open}), When: status.Restore{Status: "REVIEW"}, Err: status.ErrNameTaken},
		{Name: "take the name of a restored one", Given: seeded(check, gone, back), When: status.Create{Status: "X", Name: "check", Category: status.Open}, Err: status.ErrNameTaken},
		{Name: "restore an unknown one", Given: seeded(), When: status.Restore{Status: "X"}, Err: status.ErrNotFound},
		{Name: "remap to a restored one", Given: seeded(status.Remapped{Status: "REVIEW", To: "ONHOLD"}, back), When: status.Archive{Status: "ONHOLD", RemapTo: "REVIEW"}, Then: past{status.Remapped{Status: "ONHOLD", To: "REVIEW"}}},
		{Name: "archive an unknown one", Given: seeded(), When: status.Archive{Status: "X"}, Err: status.ErrNotFound},
	})
}

func TestTooMany(t *testing.T) {
	s := domaintest.Fold(status.Evolve, seeded())
	for i := len(s.List()); i < status.MaxStatuses; i++ {
		name := fmt.Sprint("S", i)
		s = status.Evolve(s, status.Created{Status: status.ID(name), Name: name, Category: status.Open})
	}
	if _, err := (status.Create{Status: "NEW", Name: "New", Category: status.Open}).Decide(s); !errors.Is(err, status.ErrTooMany) {
		t.Errorf("refusal = %v, want %v", err, status.ErrTooMany)
	}
	s = status.Evolve(status.Evolve(s, status.Archived{Status: "REVIEW"}), status.Created{Status: "NEW", Name: "New", Category: status.Open})
	if _, err := (status.Restore{Status: "REVIEW"}).Decide(s); !errors.Is(err, status.ErrTooMany) {
		t.Errorf("refusal of the restore = %v, want %v", err, status.ErrTooMany)
	}
}

func TestQuestions(t *testing.T) {
	if s := (status.State{}); s.Seeded() || s.Default().ID != "" || s.FirstClosed().ID != "" || len(s.List()) > 0 {
		t.Error("an empty list has statuses")
	}
	s := domaintest.Fold(status.Evolve, seeded(
		status.Created{Status: "SPAM", Name: "Spam", Category: status.Closed},
		status.Moved{Status: "SPAM", To: 1},
		status.Renamed{Status: "ONHOLD", Name: "Waiting", From: "ONHOLD"},
		status.Archived{Status: "REVIEW"},
		status.Remapped{Status: "INPROGRESS", To: "DEPENDENCY"},
		status.Remapped{Status: "DEPENDENCY", To: "CLOSED"},
	))
	var order []status.ID
	for _, i := range s.List() {
		order = append(order, i.ID)
	}
	if want := []status.ID{"OPEN", "SPAM", "ONHOLD", "CLOSED"}; !slices.Equal(order, want) {
		t.Errorf("list %v, want %v", order, want)
	}
	if got := s.Default().ID; got != "OPEN" {
		t.Errorf("default %s", got)
	}
	if got := s.FirstClosed().ID; got != "SPAM" {
		t.Errorf("first closed %s", got)
	}
	for word, want := range map[string]status.ID{"open": "OPEN", "waiting": "ONHOLD", "OnHold": "ONHOLD", "inprogress": "CLOSED", "dependency": "CLOSED", "review": "", "none": "", "": ""} {
		if got, ok := s.Find(word); got.ID != want || ok != (want != "") {
			t.Errorf("Find(%q) = %+v, %v; want %q", word, got, ok, want)
		}
	}
	if got, ok := s.Get("REVIEW"); !ok || !got.Archived || got.Category != status.Pending {
		t.Errorf("Get of an archived status = %+v, %v", got, ok)
	}
	s.List()[0].Name = "changed"
	if s.Default().Name != "OPEN" {
		t.Error("who changes a List changes the State")
	}
}

// Whatever happens, a repeat does nothing, the list has one default, of the open
// category, and a closed status, and names find their own status.
func TestAnyList(t *testing.T) {
	ids := rapid.SampledFrom([]status.ID{"OPEN", "INPROGRESS", "REVIEW", "CLOSED", "A", "B", ""})
	names := rapid.SampledFrom([]string{"open", "closed", "a", "b", "x", ""})
	categories := rapid.SampledFrom([]status.Category{status.Open, status.Pending, status.Closed, ""})
	commands := rapid.Custom(func(t *rapid.T) domaintest.Command[status.State, status.Event] {
		id := ids.Draw(t, "status")
		switch rapid.IntRange(0, 8).Draw(t, "command") {
		case 0:
			return status.Rename{Status: id, Name: names.Draw(t, "name")}
		case 1:
			return status.Archive{Status: id, RemapTo: ids.Draw(t, "remap to")}
		case 2:
			return status.SetDefault{Status: id}
		case 3:
			return status.Move{Status: id, To: rapid.IntRange(-1, 8).Draw(t, "to")}
		case 4:
			return status.Recolour{Status: id, Colour: "#000000"}
		case 5:
			return status.Seed{}
		case 6:
			return status.Use{Status: id}
		case 7:
			return status.Restore{Status: id}
		}
		return status.Create{Status: id, Name: names.Draw(t, "name"), Category: categories.Draw(t, "category")}
	})
	rapid.Check(t, func(t *rapid.T) {
		s := domaintest.Fold(status.Evolve, seeded())
		for _, c := range rapid.SliceOfN(commands, 1, 40).Draw(t, "commands") {
			s = domaintest.Do(t, status.Evolve, s, c)
			defaults := 0
			for _, i := range s.List() {
				if i.Default {
					defaults++
				}
				for _, word := range []string{i.Name, string(i.ID)} {
					if found, ok := s.Find(word); !ok || found.ID != i.ID {
						t.Fatalf("%q finds %q, want %q", word, found.ID, i.ID)
					}
				}
			}
			if defaults != 1 || s.Default().Category != status.Open || s.FirstClosed().ID == "" {
				t.Fatalf("list %+v", s.List())
			}
		}
	})
}
