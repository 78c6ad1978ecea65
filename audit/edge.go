package audit

import (
	"encoding/binary"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
)

// The tree is kept in tiles as in https://c2sp.org/tlog-tiles: the hashes of 256
// neighbours on levels 0, 8, 16 … What lies between is computed from them.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// edge is the right edge of a tree: all that it takes to add a leaf.
type edge struct {
	size      int64
	levels    []tile // the last tile of each level, with fewer than tileWidth hashes
	positions []byte // of the leaves in levels[0], 8 bytes each

	done    []tile // tiles that have become full since take
	changed []bool // by level: the last tile has since take
}

// tile is some of the hashes of a level, from n*tileWidth on.
type tile struct {
	level     int
	n         int64
	hashes    []byte
	positions []byte        // of level 0 only
	above     [][]tlog.Hash // of a tile that is kept in memory: what lies over its hashes
}

// above computes the hashes over those of a tile, level by level.
func above(hashes []byte) (levels [][]tlog.Hash) {
	level := split(hashes)
	for len(level) > 1 {
		next := make([]tlog.Hash, len(level)/2)
		for i := range next {
			next[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		levels, level = append(levels, next), next
	}
	return levels
}

func split(hashes []byte) []tlog.Hash {
	out := make([]tlog.Hash, len(hashes)/tlog.HashSize)
	for i := range out {
		copy(out[i][:], hashes[i*tlog.HashSize:])
	}
	return out
}

// hash returns a hash of a tile that is kept in memory, at a level above its own.
func (l tile) hash(level, i int) tlog.Hash {
	if level == 0 {
		return tlog.Hash(l.hashes[i*tlog.HashSize:][:tlog.HashSize])
	}
	return l.above[level-1][i]
}

// add adds a leaf.
func (e *edge) add(h tlog.Hash, at eventstore.Position) {
	e.positions = binary.BigEndian.AppendUint64(e.positions, uint64(at))
	for level := 0; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, tile{level: level})
			e.changed = append(e.changed, false)
		}
		l := &e.levels[level]
		e.changed[level] = true
		l.hashes = append(l.hashes, h[:]...)
		if len(l.hashes) < tileWidth*tlog.HashSize {
			break
		}
		full := tile{level: level, n: l.n, hashes: l.hashes}
		if level == 0 {
			full.positions, e.positions = e.positions, nil
		}
		e.done = append(e.done, full)
		h = rootOf(l.hashes)
		l.n, l.hashes = l.n+1, nil
	}
	e.size++
}

// take returns the tiles that have changed since the last call, and are to be kept.
func (e *edge) take() []tile {
	changed := e.done
	e.done = nil
	defer clear(e.changed)
	for level, l := range e.levels {
		if !e.changed[level] || len(l.hashes) == 0 {
			continue
		}
		l.hashes = slices.Clone(l.hashes)
		if level == 0 {
			l.positions = slices.Clone(e.positions)
		}
		changed = append(changed, l)
	}
	return changed
}

// rootOf returns the root of a full tile.
func rootOf(hashes []byte) tlog.Hash { return above(hashes)[tileHeight-1][0] }

// widthAt returns how many hashes of a tile a tree of some size has, and the number
// of the tile behind the last full one of the level.
func widthAt(size int64, level int) (last int64, width int) {
	hashes := size >> (tileHeight * level)
	return hashes / tileWidth, int(hashes % tileWidth)
}
