package search

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Bounds of what is asked.
const (
	MaxQuery = 200 // characters
	MaxTerms = 16  // words and numbers
)

// Refusals.
var (
	ErrLong  = fault.Bad("q", "search.too_long", "want at most 200 characters and 16 words")
	ErrEmpty = fault.Bad("q", "search.no_words", "want at least one word, number or symbol to look for")
	ErrKind  = fault.Bad("kind", "search.kind", "want message, note, visitor, contact or order")
)

// Query says what to find.
type Query struct {
	Workspace string
	Text      string // words, each of which is in what is found, or is how a word of that begins
	Kind      string // "" for all
	Cursor    string // of the page before; "" for the first
	Limit     int    // 1 to 200; 0 means 50

	// Enough is asked now and then; if it returns true the page ends, short or empty,
	// and the next one goes on from there. Nil lets it take as long as it takes.
	Enough func() bool
}

// Found is a document with who it is about, and where the words are.
type Found struct {
	DocRow

	Position int64
	Name     string // of the visitor or the contact
	Phone    string // that the visitor writes from
	Snippet  []Fragment
}

// Page is a part of what there is.
type Page struct {
	Found []Found
	Next  string // cursor of the next page; "" if this is the last
}

// question is what a document must have: of each term one of the alternatives, and
// of that every part.
type question [][][]part

// part is a word, or how one begins.
type part struct {
	text  string
	whole bool
}

// parse returns what is asked for.
func parse(text string) (question, error) {
	if utf8.RuneCountInString(text) > MaxQuery {
		return nil, ErrLong
	}
	var q question
	var num *token // the words in it are another way to say the same
	var inside []part
	done := func() {
		if num == nil {
			return
		}
		alternatives := [][]part{{{text: num.word}}}
		if len(inside) > 1 || len(inside) == 1 && inside[0].text != num.word {
			alternatives = append(alternatives, inside)
		}
		q = append(q, alternatives)
		num, inside = nil, nil
	}
	terms := 0
	eachToken(text, minDigits, func(t token) bool {
		if num != nil && t.start >= num.end {
			done()
		}
		switch {
		case t.tail:
			return true
		case t.number:
			num = &t
			return true
		case num != nil:
			inside = append(inside, part{t.word, t.whole})
		default:
			q = append(q, [][]part{{{t.word, t.whole}}})
		}
		terms++
		return terms <= MaxTerms
	})
	done()
	switch {
	case terms > MaxTerms:
		return nil, ErrLong
	case len(q) == 0:
		return nil, ErrEmpty
	}
	return q, nil
}

type place struct {
	ID int64 `json:"i"`
}

const list = "search"

// maxLooked is how many documents a page looks at that turn out to be hidden.
const maxLooked = 5_000

// Find returns a page of what has all the words, the newest first. What is written
// anew meanwhile comes before the page; nothing is shown twice.
func Find(ctx context.Context, tx sqldb.Tx, q Query) (Page, error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	if !slices.Contains([]string{"", KindMessage, KindNote, KindVisitor, KindContact, KindOrder}, q.Kind) {
		return Page{}, ErrKind
	}
	asked, err := parse(q.Text)
	if err != nil {
		return Page{}, err
	}
	last, err := sqldb.Get[int64](ctx, tx, "SELECT coalesce(max(id), 0) FROM "+docs)
	if err != nil {
		return Page{}, fmt.Errorf("search: %w", err)
	}
	below := last + 1
	if q.Cursor != "" {
		var from place
		if err := cursor.Decode(list, q.Cursor, &from); err != nil {
			return Page{}, err
		}
		below = min(below, from.ID)
	}
	found, more, err := q.find(ctx, tx, asked, below, limit)
	if err != nil {
		return Page{}, fmt.Errorf("search: %w", err)
	}
	page := Page{Found: found}
	for i := range found {
		found[i].Snippet = asked.snippet(found[i].Text)
	}
	if more > 0 {
		page.Next = cursor.Encode(list, place{more})
	}
	return page, nil
}

// find returns the documents below an id, and which id those that are left are
// below: 0 if there are none.
func (q Query) find(ctx context.Context, tx sqldb.Tx, asked question, below int64, limit int) (found []Found, more int64, err error) {
	batch, looked := limit+1+limit/4, 0
	for rest := drawers(below); len(rest) > 0; {
		n := min(maxDrawers, len(rest))
		matches := make([]sqldb.Match, n)
		for i, s := range rest[:n] {
			matches[i] = asked.match(q.Workspace, q.Kind, s)
		}
		ids, err := projections.FindWords(ctx, tx, docs, matches, below, batch)
		if err != nil {
			return nil, 0, err
		}
		seen, err := q.load(ctx, tx, ids)
		if err != nil {
			return nil, 0, err
		}
		if found = append(found, seen...); len(found) > limit {
			return found[:limit], found[limit-1].ID, nil
		}
		if len(ids) < batch {
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
			below = rest[0].id + 1 // a large drawer has what the small ones had, too
			if q.Enough != nil && q.Enough() {
				return found, below, nil
			}
			continue
		}
		below = ids[batch-1]
		if looked += batch; looked > maxLooked {
			return found, below, nil
		}
		rest = drawers(below)
	}
	return found, 0, nil
}

type foundRow struct {
	DocRow

	Name  string `db:"visitor_name"`
	Phone string `db:"visitor_phone"`
}

// load returns the documents that the caller may see of these, in their order. An
// order stays where it is when its chat is deleted, as in the list of orders.
func (q Query) load(ctx context.Context, tx sqldb.Tx, ids []int64) ([]Found, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := []any{q.Workspace}
	rows, err := sqldb.Select[foundRow](ctx, tx, `SELECT d.*, coalesce(c.name, p.name, '') AS visitor_name, coalesce(c.phone, '') AS visitor_phone
		FROM `+docs+` d LEFT JOIN search_v2_chats c ON c.chat_id = d.chat_id AND c.workspace = d.workspace
		LEFT JOIN search_v2_contacts p ON p.contact_id = d.contact_id AND p.workspace = d.workspace
		LEFT JOIN search_v2_contacts s ON s.contact_id = p.merged_into AND s.workspace = d.workspace
		WHERE d.workspace = $1 AND (c.deleted = FALSE OR p.deleted = FALSE AND coalesce(s.deleted, FALSE) = FALSE OR d.order_id <> '') AND d.id IN `+sqldb.In(&args, ids)+` ORDER BY d.id DESC`, args...)
	if err != nil {
		return nil, err
	}
	list := make([]Found, len(rows))
	for i, r := range rows {
		list[i] = Found{DocRow: r.DocRow, Position: r.ID >> slotBits, Name: r.Name, Phone: r.Phone}
	}
	return list, nil
}

// Fragment is a piece of a text, and whether it is one of the words looked for.
type Fragment struct {
	Text string
	Hit  bool
}

const (
	snippetLen    = 200 // characters
	snippetBefore = 40  // of them before the first hit
)

// has reports whether a word of a text is one that was looked for.
func (q question) has(t token) bool {
	for _, alternatives := range q {
		for _, alternative := range alternatives {
			for _, p := range alternative {
				switch {
				case t.number:
					if i := strings.Index(t.word, p.text); i >= 0 && i <= len(t.word)-minDigits {
						return true
					}
				case p.whole && t.word == p.text, !p.whole && strings.HasPrefix(t.word, p.text):
					return true
				}
			}
		}
	}
	return false
}

// snippet returns the part of a text with the first of the words, in fragments that
// come to it when they are put together. What is left out is an ellipsis.
func (q question) snippet(text string) []Fragment {
	type hit struct{ start, end int }
	var hits []hit
	eachToken(text, minPhone, func(t token) bool {
		if !q.has(t) {
			return true
		}
		if n := len(hits); n > 0 && t.start <= hits[n-1].end {
			hits[n-1].end = max(hits[n-1].end, t.end)
		} else {
			hits = append(hits, hit{t.start, t.end})
		}
		return len(hits) == 0 || t.start < hits[0].start+utf8.UTFMax*snippetLen
	})
	from := 0
	if len(hits) > 0 {
		from = back(text, hits[0].start, snippetBefore)
	}
	to := ahead(text, from, snippetLen)
	var list []Fragment
	add := func(s string, hit bool) {
		if s != "" {
			list = append(list, Fragment{s, hit})
		}
	}
	begin := ""
	if from > 0 {
		begin = "…"
	}
	at := from
	for _, h := range hits {
		if h.start >= to {
			break
		}
		add(begin+text[at:h.start], false)
		begin = ""
		at = min(h.end, to)
		add(text[h.start:at], true)
	}
	end := ""
	if to < len(text) {
		end = "…"
	}
	add(begin+text[at:to]+end, false)
	return list
}

// back returns where the n characters before a place begin, or the word there.
func back(s string, at, n int) int {
	from := at
	for range n {
		if from == 0 {
			return 0
		}
		_, size := utf8.DecodeLastRuneInString(s[:from])
		from -= size
	}
	if space := strings.IndexByte(s[from:at], ' '); space >= 0 {
		return from + space + 1
	}
	return from
}

// ahead returns where n characters from a place end.
func ahead(s string, at, n int) int {
	for range n {
		if at == len(s) {
			break
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}
