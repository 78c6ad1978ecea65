package names_test

import (
	"testing"

	"github.com/chatledger/chatledger/domain/internal/names"
)

type id string

func TestIndex(t *testing.T) {
	var x names.Index[id]
	if _, ok := x.Find("a"); ok || !x.Free("a", "a") {
		t.Error("an empty Index has something")
	}
	x.Add("sales", "Shop")
	x.Add("vip", "VIP")
	x.Release("sales", "Shop")
	x.Release("vip", "vip")
	x.Release("sales", "VIP") // which is not its own
	for word, want := range map[string]id{"SALES": "sales", "vip": "vip", "shop": ""} {
		if got, ok := x.Find(word); got != want || ok != (want != "") {
			t.Errorf("Find(%q) = %q, %v; want %q", word, got, ok, want)
		}
	}
	if !x.Free("sales", "Sales") || x.Free("new", "Sales") || !x.Free("new", "Shop") {
		t.Error("Free is wrong")
	}
}
