package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A table of words says which of some words a numbered row has: an inverted index.
// It holds no text and knows no language: a word is what the caller makes of one,
// the same on both engines.
//
// On SQLite it is an FTS5 table that keeps neither its content nor where in a row a
// word stands; on PostgreSQL a tsvector, with a GIN index that is made by itself.

// CreateWords makes the table if it does not exist. On PostgreSQL it lacks its
// index: WordsIndex.
func CreateWords(ctx context.Context, tx Tx, table string) error {
	if !identifier.MatchString(table) {
		return fmt.Errorf("create table of words %q: want lower-case letters, digits and underscores", table)
	}
	if tx.engine() == Postgres {
		_, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+table+" (id BIGINT NOT NULL PRIMARY KEY, words TSVECTOR NOT NULL)")
		return err
	}
	// The tokenizer ascii parts words at ASCII characters that are neither letters
	// nor digits, and nowhere else: at our spaces.
	_, err := tx.Exec(ctx, "CREATE VIRTUAL TABLE IF NOT EXISTS "+table+
		" USING fts5(words, content='', contentless_delete=1, detail='none', tokenize='ascii')")
	return err
}

// WordsIndex returns the statement that makes the index of a table of words, or ""
// for an engine whose tables are indexes.
func WordsIndex(e Engine, name, table string) string {
	if e == SQLite {
		return ""
	}
	// What is pending is read from end to end by every search, so it is kept short.
	return "CREATE INDEX IF NOT EXISTS " + name + " ON " + table + " USING gin (words) WITH (gin_pending_list_limit = 256)"
}

// wordRows is how many rows a statement adds on PostgreSQL.
const wordRows = 5_000

// AddWords adds rows that the table does not have: texts are words with spaces
// between them. A word is of letters and digits, lower-case where it is ASCII, and
// of at most 500 bytes.
func AddWords(ctx context.Context, tx Tx, table string, ids []int64, texts []string) error {
	if tx.engine() == SQLite {
		sql := "INSERT INTO " + table + " (rowid, words) VALUES ($1, $2)"
		for i, id := range ids {
			if _, err := tx.Exec(ctx, sql, id, texts[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for len(ids) > 0 {
		n := min(len(ids), wordRows)
		_, err := tx.Exec(ctx, "INSERT INTO "+table+` (id, words)
			SELECT id, CASE WHEN text = '' THEN ''::tsvector ELSE array_to_tsvector(string_to_array(text, ' ')) END
			FROM unnest($1::bigint[], $2::text[]) AS t(id, text)`, ids[:n], texts[:n])
		if err != nil {
			return err
		}
		ids, texts = ids[n:], texts[n:]
	}
	return nil
}

// RemoveWords removes the rows that the table has of these.
func RemoveWords(ctx context.Context, tx Tx, table string, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	if tx.engine() == Postgres {
		_, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE id = ANY($1::bigint[])", ids)
		return err
	}
	for _, id := range ids {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE rowid = $1", id); err != nil {
			return err
		}
	}
	return nil
}

// Match says which words a row has.
type Match struct {
	op   matchOp
	word string
	of   []Match
}

type matchOp uint8

const (
	matchWord matchOp = iota
	matchPrefix
	matchAll
	matchAny
)

// Word matches rows with the word w.
func Word(w string) Match { return Match{op: matchWord, word: w} }

// Prefix matches rows with a word that begins with w.
func Prefix(w string) Match { return Match{op: matchPrefix, word: w} }

// All matches what each of the others does. There is at least one.
func All(of ...Match) Match { return Match{op: matchAll, of: of} }

// Any matches what one of the others does. There is at least one.
func Any(of ...Match) Match { return Match{op: matchAny, of: of} }

var errMatch = errors.New("match of words: want words of letters and digits")

// write adds the match in the engine's language.
func (m Match) write(b *strings.Builder, e Engine) error {
	operators := map[matchOp]string{matchAll: " AND ", matchAny: " OR "}
	quote, prefix := `"`, "*"
	if e == Postgres {
		operators = map[matchOp]string{matchAll: " & ", matchAny: " | "}
		quote, prefix = "'", ":*"
	}
	if m.op == matchWord || m.op == matchPrefix {
		if !isWord(m.word) {
			return errMatch
		}
		b.WriteString(quote + m.word + quote)
		if m.op == matchPrefix {
			b.WriteString(prefix)
		}
		return nil
	}
	if len(m.of) == 0 {
		return errMatch
	}
	b.WriteByte('(')
	for i, part := range m.of {
		if i > 0 {
			b.WriteString(operators[m.op])
		}
		if err := part.write(b, e); err != nil {
			return err
		}
	}
	b.WriteByte(')')
	return nil
}

func isWord(w string) bool {
	for i := range len(w) {
		if c := w[i]; c < 0x80 && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return w != ""
}

// FindWords returns the ids of rows below an id: first those of the first match,
// the highest first, then those of the next, and so on, at most limit. Each match
// is looked for only if those before it have left room.
func FindWords(ctx context.Context, tx Tx, table string, matches []Match, below int64, limit int) ([]int64, error) {
	texts := make([]string, len(matches))
	for i, m := range matches {
		var b strings.Builder
		if err := m.write(&b, tx.engine()); err != nil {
			return nil, err
		}
		texts[i] = b.String()
	}
	var ids []int64
	add := func(r Row) error {
		ids = append(ids, r.Int64(0))
		return nil
	}
	if tx.engine() == SQLite {
		sql := "SELECT rowid FROM " + table + " WHERE " + table + " MATCH $1 AND rowid < $2 ORDER BY rowid DESC LIMIT $3"
		for _, text := range texts {
			if err := tx.Query(ctx, sql, []any{text, below, limit - len(ids)}, add); err != nil {
				return nil, err
			}
			if len(ids) >= limit {
				break
			}
		}
		return ids, nil
	}
	// What the planner knows of frequencies is of all rows together, and says
	// nothing about these words: it must neither read the table instead of its index
	// nor walk along the ids, which is why they are an expression. The loop over the
	// matches stops where the limit does.
	err := tx.Query(ctx, "SELECT set_config('enable_seqscan', 'off', true) || set_config('jit', 'off', true)", nil, func(Row) error { return nil })
	if err != nil {
		return nil, err
	}
	err = tx.Query(ctx, `SELECT found.id FROM unnest($1::text[]) AS m(text) CROSS JOIN LATERAL (
			SELECT w.id FROM `+table+` AS w WHERE w.words @@ m.text::tsquery AND w.id + 0 < $2 ORDER BY w.id + 0 DESC LIMIT $3
		) AS found LIMIT $3`, []any{texts, below, limit}, add)
	return ids, err
}
