package sqldb_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// Whatever rows are added and removed, a search finds what a look at each row
// would, on both engines.
func TestFindWords(t *testing.T) {
	vocabulary := []string{"a", "ab", "abc", "b", "ba", "not", "or", "and", "near", "1", "12", "жук", "жу", "東京", "é1"}
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			table := fmt.Sprintf("words_%d", n)
			rows := map[int64][]string{}
			write(t, db, func(tx sqldb.Tx) error { return sqldb.CreateWords(t.Context(), tx, table) })
			if sql := sqldb.WordsIndex(db.Engine(), table+"_index", table); sql != "" {
				exec(t, db, sql)
			}
			for range rapid.IntRange(1, 4).Draw(rt, "transactions") {
				var gone, ids []int64
				var texts []string
				for _, id := range slices.Sorted(maps.Keys(rows)) {
					if rapid.IntRange(0, 3).Draw(rt, "remove") == 0 {
						gone = append(gone, id)
					}
				}
				for _, id := range gone {
					delete(rows, id)
				}
				for range rapid.IntRange(0, 12).Draw(rt, "add") {
					id := rapid.Int64Range(-5, 40).Draw(rt, "id")
					if rows[id] != nil {
						continue
					}
					rows[id] = append([]string{}, rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 5).Draw(rt, "words")...)
					ids, texts = append(ids, id), append(texts, strings.Join(rows[id], " "))
				}
				write(t, db, func(tx sqldb.Tx) error {
					if err := sqldb.RemoveWords(t.Context(), tx, table, append(gone, 1000)); err != nil {
						return err
					}
					return sqldb.AddWords(t.Context(), tx, table, ids, texts)
				})
			}
			var matches []sqldb.Match
			var holds []func([]string) bool
			for range rapid.IntRange(1, 3).Draw(rt, "matches") {
				m, h := drawMatch(rt, vocabulary, 3)
				matches, holds = append(matches, m), append(holds, h)
			}
			below, limit := rapid.Int64Range(-5, 45).Draw(rt, "below"), rapid.IntRange(1, 30).Draw(rt, "limit")
			want := []int64{}
			for _, h := range holds {
				var ids []int64
				for id, words := range rows {
					if id < below && h(words) {
						ids = append(ids, id)
					}
				}
				slices.Sort(ids)
				slices.Reverse(ids)
				want = append(want, ids...)
			}
			want = want[:min(limit, len(want))]
			read(t, db, func(tx sqldb.Tx) error {
				got, err := sqldb.FindWords(t.Context(), tx, table, matches, below, limit)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(want, append([]int64{}, got...)); diff != "" {
					rt.Fatalf("%v (-want +got):\n%s", rows, diff)
				}
				return nil
			})
			exec(t, db, "DROP TABLE "+table)
		})
	})
}

// drawMatch returns a match and what it means.
func drawMatch(t *rapid.T, vocabulary []string, depth int) (sqldb.Match, func([]string) bool) {
	kinds := 3
	if depth == 0 {
		kinds = 1
	}
	kind := rapid.IntRange(0, kinds).Draw(t, "kind")
	if kind < 2 {
		w := rapid.SampledFrom(vocabulary).Draw(t, "word")
		if kind == 0 {
			return sqldb.Word(w), func(words []string) bool { return slices.Contains(words, w) }
		}
		return sqldb.Prefix(w), func(words []string) bool {
			return slices.ContainsFunc(words, func(s string) bool { return strings.HasPrefix(s, w) })
		}
	}
	var parts []sqldb.Match
	var hold []func([]string) bool
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		m, h := drawMatch(t, vocabulary, depth-1)
		parts, hold = append(parts, m), append(hold, h)
	}
	if kind == 2 {
		return sqldb.All(parts...), func(words []string) bool {
			return !slices.ContainsFunc(hold, func(h func([]string) bool) bool { return !h(words) })
		}
	}
	return sqldb.Any(parts...), func(words []string) bool {
		return slices.ContainsFunc(hold, func(h func([]string) bool) bool { return h(words) })
	}
}

// A table of words takes part in transactions and is renamed as any other.
func TestTableOfWordsIsATable(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() sqldb.DB) {
		db := open()
		write(t, db, func(tx sqldb.Tx) error { return sqldb.CreateWords(t.Context(), tx, "w__new") })
		write(t, db, func(tx sqldb.Tx) error {
			return sqldb.AddWords(t.Context(), tx, "w__new", []int64{1}, []string{"one two"})
		})
		stop := errors.New("stop")
		err := db.Write(t.Context(), func(tx sqldb.Tx) error {
			if err := sqldb.AddWords(t.Context(), tx, "w__new", []int64{2}, []string{"two"}); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		find := func(table, word string) (ids []int64) {
			read(t, db, func(tx sqldb.Tx) (err error) {
				ids, err = sqldb.FindWords(t.Context(), tx, table, []sqldb.Match{sqldb.Word(word)}, 100, 10)
				return err
			})
			return ids
		}
		if got := find("w__new", "two"); !slices.Equal(got, []int64{1}) {
			t.Errorf("found %d", got)
		}
		exec(t, db, "ALTER TABLE w__new RENAME TO w")
		if got := find("w", "two"); !slices.Equal(got, []int64{1}) {
			t.Errorf("found %d after the table was renamed", got)
		}
		for _, m := range []sqldb.Match{
			sqldb.Word(""), sqldb.Word("a b"), sqldb.Prefix(`a"`), sqldb.Word("a'"), sqldb.Word("a\x00"), sqldb.Word("A"), sqldb.All(), sqldb.Any(sqldb.All()),
			sqldb.Word(`\`), sqldb.Word("a*"), sqldb.Word("a:b"),
		} {
			err := db.Read(t.Context(), func(tx sqldb.Tx) error {
				_, err := sqldb.FindWords(t.Context(), tx, "w", []sqldb.Match{m}, 100, 10)
				return err
			})
			if err == nil {
				t.Errorf("%+v: want an error", m)
			}
		}
	})
}
