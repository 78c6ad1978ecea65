package commands

import (
	"fmt"
	"testing"
)

func TestCacheIsBounded(t *testing.T) {
	c := newCache(100)
	for i := range 1000 {
		name := fmt.Sprint(i)
		v := c.get(name, func() any { return new(int) })
		c.weigh(name, v, 10)
	}
	if c.weight > 100 || len(c.entries) != c.recent.Len() || len(c.entries) != 100/(baseWeight+10) {
		t.Errorf("weight %d in %d entries", c.weight, len(c.entries))
	}
	kept := c.get("999", func() any { t.Error("the last entry is gone"); return new(int) })
	c.weigh("999", new(int), 1_000_000) // somebody else's state of the same stream
	if c.get("999", func() any { return nil }) != kept {
		t.Error("a stranger's weight dropped the entry")
	}
}
