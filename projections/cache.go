package projections

import "hash/maphash"

const defaultCacheRows = 20_000

// cache holds the rows that were written last, so that the next batch need not
// load them. A nil row is known not to exist.
//
// It is two halves: what is used moves to the young one; when that is full it
// becomes the old one, and the old one is dropped. A Bloom filter remembers the
// keys that were dropped: whoever knows that the table was empty when the cache
// was need not look for a row that neither has.
type cache[K comparable, R any] struct {
	young, old map[K]*R
	half       int
	dropped    []uint64 // the filter; nil until it is needed
	seed       maphash.Seed
}

const (
	filterBits   = 512 // for each row of the limit
	filterHashes = 4
)

// limit sets how many rows it holds and empties it. 0 means no limit.
func (c *cache[K, R]) limit(rows int) {
	c.half = (rows + 1) / 2
	c.empty()
}

func (c *cache[K, R]) empty() {
	c.young, c.old, c.dropped, c.seed = map[K]*R{}, nil, nil, maphash.MakeSeed()
}

func (c *cache[K, R]) get(k K) (row *R, known bool) {
	if row, known = c.young[k]; known {
		return row, true
	}
	row, known = c.old[k]
	return row, known
}

// seen reports whether the cache may have held k since it was empty.
func (c *cache[K, R]) seen(k K) bool {
	if _, known := c.get(k); known {
		return true
	}
	if c.dropped == nil {
		return false
	}
	h := maphash.Comparable(c.seed, k)
	for range filterHashes {
		if bit := h % uint64(len(c.dropped)*64); c.dropped[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
		h = h>>17 | h<<47
	}
	return true
}

func (c *cache[K, R]) put(k K, row *R) {
	if c.half > 0 && len(c.young) >= c.half {
		c.drop()
		c.old, c.young = c.young, make(map[K]*R, c.half)
	}
	c.young[k] = row
	delete(c.old, k)
}

// drop notes the keys of the old half in the filter.
func (c *cache[K, R]) drop() {
	if len(c.old) == 0 {
		return
	}
	if c.dropped == nil {
		c.dropped = make([]uint64, 1+2*c.half*filterBits/64)
	}
	for k := range c.old {
		h := maphash.Comparable(c.seed, k)
		for range filterHashes {
			bit := h % uint64(len(c.dropped)*64)
			c.dropped[bit/64] |= 1 << (bit % 64)
			h = h>>17 | h<<47
		}
	}
}
