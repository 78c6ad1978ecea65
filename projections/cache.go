package projections

const defaultCacheRows = 20_000

// cache holds the rows that were written last, so that the next batch need not
// load them. A nil row is known not to exist.
//
// It is two halves: what is used moves to the young one; when that is full it
// becomes the old one, and the old one is dropped.
type cache[K comparable, R any] struct {
	young, old map[K]*R
	half       int
	complete   bool // nothing was dropped since it was empty
}

// limit sets how many rows it holds and empties it. 0 means no limit.
func (c *cache[K, R]) limit(rows int) {
	c.half = (rows + 1) / 2
	c.empty()
}

func (c *cache[K, R]) empty() {
	c.young, c.old, c.complete = map[K]*R{}, nil, true
}

func (c *cache[K, R]) get(k K) (row *R, known bool) {
	if row, known = c.young[k]; known {
		return row, true
	}
	row, known = c.old[k]
	return row, known
}

func (c *cache[K, R]) put(k K, row *R) {
	if c.half > 0 && len(c.young) >= c.half {
		c.complete = c.complete && len(c.old) == 0
		c.old, c.young = c.young, make(map[K]*R, c.half)
	}
	c.young[k] = row
	delete(c.old, k)
}
