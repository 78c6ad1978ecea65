package attribute_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type past = []attribute.Event

var (
	size = attribute.Defined{Attribute: "size", Name: "Size", Kind: attribute.Choice, Choices: []string{"S", "M"}}
	vat  = attribute.Defined{Attribute: "vat", Name: "VAT number", Kind: attribute.Text}
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, attribute.Events) }

func TestDecisions(t *testing.T) {
	domaintest.Run(t, attribute.Evolve, []domaintest.Case[attribute.State, attribute.Event]{
		{Name: "define", When: attribute.Define{Attribute: "size", Name: " Size ", Kind: attribute.Choice, Choices: []string{" S", "M"}}, Then: past{size}},
		{Name: "define again", Given: past{size}, When: attribute.Define{Attribute: "size", Name: "size", Kind: attribute.Choice, Choices: []string{"S", "M"}}},
		{Name: "define as another kind", Given: past{vat}, When: attribute.Define{Attribute: "vat", Name: "VAT number", Kind: attribute.Number}, Err: attribute.ErrExists},
		{Name: "define what is archived", Given: past{vat, attribute.Archived{Attribute: "vat"}}, When: attribute.Define{Attribute: "vat", Name: "VAT number", Kind: attribute.Text}, Err: attribute.ErrArchived},
		{Name: "define under another's name", Given: past{vat}, When: attribute.Define{Attribute: "x", Name: "vat", Kind: attribute.Text}, Err: attribute.ErrNameTaken},
		{Name: "define nothing", When: attribute.Define{Attribute: "x", Kind: attribute.Text}, Err: attribute.ErrNameMissing},
		{Name: "define dashes", When: attribute.Define{Name: "--", Kind: attribute.Text}, Err: attribute.ErrUnnamable},
		{Name: "define a colour", When: attribute.Define{Attribute: "x", Name: "X", Kind: "colour"}, Err: attribute.ErrKind},
		{Name: "define a choice of nothing", When: attribute.Define{Attribute: "x", Name: "X", Kind: attribute.Choice}, Err: attribute.ErrChoices},
		{Name: "define a choice of the same", When: attribute.Define{Attribute: "x", Name: "X", Kind: attribute.Choice, Choices: []string{"a", "A"}}, Err: attribute.ErrChoices},
		{Name: "define choices of text", When: attribute.Define{Attribute: "x", Name: "X", Kind: attribute.Text, Choices: []string{"a"}}, Err: attribute.ErrChoices},

		{Name: "rename", Given: past{vat}, When: attribute.Rename{Attribute: "vat", Name: "UID"}, Then: past{attribute.Renamed{Attribute: "vat", Name: "UID", From: "VAT number"}}},
		{Name: "rename to the same", Given: past{vat}, When: attribute.Rename{Attribute: "vat", Name: "VAT number"}},
		{Name: "rename to another's", Given: past{vat, size}, When: attribute.Rename{Attribute: "vat", Name: "size"}, Err: attribute.ErrNameTaken},
		{Name: "rename nothing", When: attribute.Rename{Attribute: "vat", Name: "UID"}, Err: attribute.ErrNotFound},

		{Name: "set choices", Given: past{size}, When: attribute.SetChoices{Attribute: "size", Choices: []string{"S", "M", "L"}}, Then: past{attribute.ChoicesSet{Attribute: "size", Choices: []string{"S", "M", "L"}}}},
		{Name: "set the same choices", Given: past{size}, When: attribute.SetChoices{Attribute: "size", Choices: []string{"S", "M"}}},
		{Name: "set choices of text", Given: past{vat}, When: attribute.SetChoices{Attribute: "vat", Choices: []string{"a"}}, Err: attribute.ErrChoices},
		{Name: "set choices of nothing", When: attribute.SetChoices{Attribute: "size", Choices: []string{"a"}}, Err: attribute.ErrNotFound},

		{Name: "archive", Given: past{vat}, When: attribute.Archive{Attribute: "vat"}, Then: past{attribute.Archived{Attribute: "vat"}}},
		{Name: "archive nothing", When: attribute.Archive{Attribute: "vat"}, Err: attribute.ErrNotFound},
		{Name: "restore", Given: past{vat, attribute.Archived{Attribute: "vat"}}, When: attribute.Restore{Attribute: "vat"}, Then: past{attribute.Restored{Attribute: "vat"}}},
		{Name: "restore one in use", Given: past{vat}, When: attribute.Restore{Attribute: "vat"}},
		{Name: "restore nothing", When: attribute.Restore{Attribute: "vat"}, Err: attribute.ErrNotFound},
	})
}

func TestTooMany(t *testing.T) {
	var s attribute.State
	for i := range attribute.MaxAttributes {
		s = attribute.Evolve(s, attribute.Defined{Attribute: attribute.ID(fmt.Sprint(i)), Name: fmt.Sprint("n", i), Kind: attribute.Text})
	}
	if _, err := (attribute.Define{Attribute: "x", Name: "X", Kind: attribute.Text}).Decide(s); !errors.Is(err, attribute.ErrTooMany) {
		t.Errorf("refusal = %v", err)
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		kind        attribute.Kind
		given, want string // want "" for a refusal
	}{
		{attribute.Text, " a b ", "a b"},
		{attribute.Text, "a\x00", ""},
		{attribute.Number, "12.50", "12.5"},
		{attribute.Number, "+007", "7"},
		{attribute.Number, "-0.0", "0"},
		{attribute.Number, "-1000", "-1000"},
		{attribute.Number, "100", "100"},
		{attribute.Number, "1e9", ""},
		{attribute.Number, "1/2", ""},
		{attribute.Number, ".5", ""},
		{attribute.Number, "0x10", ""},
		{attribute.Number, "12345678901234567890.123", "12345678901234567890.123"},
		{attribute.Bool, "Yes", "true"},
		{attribute.Bool, "0", "false"},
		{attribute.Bool, "maybe", ""},
		{attribute.Date, "2024-02-29", "2024-02-29"},
		{attribute.Date, "2023-02-29", ""},
		{attribute.Choice, "m", "M"},
		{attribute.Choice, "XL", ""},
		{"colour", "red", ""},
	} {
		a := attribute.Attribute{Kind: tt.kind, Choices: []string{"S", "M"}}
		got, err := a.Value(tt.given)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s %q = %q, %v; want %q", tt.kind, tt.given, got, err, tt.want)
		}
	}
}

// The sortable form of numbers is in their order, that of others is what is kept.
func TestSortable(t *testing.T) {
	number := attribute.Attribute{Kind: attribute.Number}
	value := rapid.Custom(func(t *rapid.T) string {
		kept, err := number.Value(rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,6})?`).Draw(t, "number"))
		if err != nil {
			t.Fatal(err)
		}
		return kept
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := value.Draw(t, "a"), value.Draw(t, "b")
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if got := strings.Compare(attribute.Sortable(a), attribute.Sortable(b)); got != x.Cmp(y) {
			t.Fatalf("%s and %s are sorted %d, by %q and %q", a, b, got, attribute.Sortable(a), attribute.Sortable(b))
		}
	})
	if got := attribute.Sortable("2026-11-26"); got != "2026-11-26" {
		t.Errorf("a day is sorted by %q", got)
	}
}

func TestFind(t *testing.T) {
	s := domaintest.Fold(attribute.Evolve, past{size, vat, attribute.Archived{Attribute: "vat"}})
	if a, ok := s.Find("SIZE"); !ok || a.ID != "size" {
		t.Errorf("size: %+v %v", a, ok)
	}
	if _, ok := s.Find("vat"); ok {
		t.Error("an archived attribute is found")
	}
	if a, ok := s.Lookup("vat number"); !ok || !a.Archived {
		t.Errorf("lookup: %+v %v", a, ok)
	}
}
