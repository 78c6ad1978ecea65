package projections

import "testing"

func TestCacheIsBoundedAndKnowsWhatItDropped(t *testing.T) {
	var c cache[int, int]
	c.limit(100)
	for i := range 10_000 {
		if c.seen(i) && len(c.dropped) == 0 {
			t.Fatalf("%d was never in the cache", i)
		}
		v := i
		c.put(i, &v)
		c.put(0, &v) // used all the time
		if n := len(c.young) + len(c.old); n > 101 {
			t.Fatalf("it holds %d rows", n)
		}
	}
	if row, known := c.get(9_999); !known || *row != 9_999 {
		t.Error("the last row is not there")
	}
	if row, known := c.get(0); !known || *row != 9_999 {
		t.Error("a row in use was dropped")
	}
	if _, known := c.get(5); known {
		t.Error("an old row was not dropped")
	}
	for i := range 10_000 {
		if !c.seen(i) {
			t.Fatalf("%d was forgotten", i)
		}
	}
	wrong := 0
	for i := range 1_000 {
		if c.seen(100_000 + i) {
			wrong++
		}
	}
	if wrong > 200 { // 5 bits a key
		t.Errorf("%d of 1,000 strangers seem to have been there", wrong)
	}
	c.empty()
	if c.seen(5) {
		t.Error("an empty cache remembers")
	}
}
