package search

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// How documents are indexed so that a search for the newest ones costs the same
// whatever else is there. Neither FTS5 nor GIN can be asked for the newest rows with
// a prefix: both collect all rows that have it before the first one comes out, and
// they know nothing of workspaces.
//
// So an indexed word is the name of a drawer, and the word behind it. A drawer is a
// workspace and a span of ids; each document lies in a small drawer and in a large
// one. A search opens the small drawers of the last documents, one by one, until it
// has found enough. What is not there is rare, or old: it goes on with the large
// ones, of which there are few.

const (
	smallBits = 12 + slotBits // 4,096 positions
	largeBits = 16 + slotBits // 65,536 positions

	smallDrawers = 16 // are looked into before large ones are
	maxDrawers   = 16 // in a query of the database

	// ofKind begins the word that says which kind a document is. No word of a text
	// has it.
	ofKind = "§"
)

// drawer returns the name of the drawer of some size that id is in.
func drawer(workspace string, bits int, id int64) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(workspace)) // never fails
	const width = 7                   // of 32 bits to the base of 32
	ws := strconv.FormatUint(uint64(h.Sum32()), 32)
	n := strconv.FormatInt(id>>bits, 32)
	size := "s"
	if bits == largeBits {
		size = "l"
	}
	// All parts have a known length, so no name begins with another.
	return strings.Repeat("0", width-len(ws)) + ws + size + strconv.Itoa(len(n)) + "x" + n
}

// indexed returns the words of a document as the index has them.
func indexed(d *DocRow) string {
	words := append(wordsOf(d.Text), ofKind+d.Kind)
	small, large := drawer(d.Workspace, smallBits, d.ID), drawer(d.Workspace, largeBits, d.ID)
	var b strings.Builder
	for _, name := range []string{small, large} {
		for _, w := range words {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(name)
			b.WriteString(w)
		}
	}
	return b.String()
}

// span is a drawer to look into.
type span struct {
	bits int
	id   int64 // of it
}

// drawers returns the drawers with the ids below one, in the order to look into
// them.
func drawers(below int64) (list []span) {
	last := below - 1
	for ; last >= 0 && len(list) < smallDrawers; last = last>>smallBits<<smallBits - 1 {
		list = append(list, span{smallBits, last})
	}
	for ; last >= 0; last = last>>largeBits<<largeBits - 1 {
		list = append(list, span{largeBits, last})
	}
	return list
}

// match returns what a document in a drawer has to have.
func (q question) match(workspace, kind string, in span) sqldb.Match {
	name := drawer(workspace, in.bits, in.id)
	var all []sqldb.Match
	if kind != "" {
		all = append(all, sqldb.Word(name+ofKind+kind))
	}
	for _, t := range q {
		var either []sqldb.Match
		for _, alternative := range t {
			var every []sqldb.Match
			for _, w := range alternative {
				if w.whole {
					every = append(every, sqldb.Word(name+w.text))
				} else {
					every = append(every, sqldb.Prefix(name+w.text))
				}
			}
			either = append(either, sqldb.All(every...))
		}
		all = append(all, sqldb.Any(either...))
	}
	return sqldb.All(all...)
}
