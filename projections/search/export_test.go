package search

import (
	"slices"
	"strings"
)

type failer interface{ Fatal(...any) }

// Snippet returns how a text is shown that a query finds.
func Snippet(t failer, query, text string) []Fragment {
	q, err := parse(query)
	if err != nil {
		t.Fatal(err)
	}
	return q.snippet(text)
}

// TrySnippet is Snippet for a query that may be refused.
func TrySnippet(query, text string) ([]Fragment, error) {
	q, err := parse(query)
	if err != nil {
		return nil, err
	}
	return q.snippet(text), nil
}

// Matches says whether a query finds a text, without an index.
func Matches(t failer, query, text string) bool {
	q, err := parse(query)
	if err != nil {
		t.Fatal(err)
	}
	words := wordsOf(text)
	holds := func(p part) bool {
		return slices.ContainsFunc(words, func(w string) bool { return w == p.text || !p.whole && strings.HasPrefix(w, p.text) })
	}
	for _, term := range q {
		if !slices.ContainsFunc(term, func(alternative []part) bool {
			return !slices.ContainsFunc(alternative, func(p part) bool { return !holds(p) })
		}) {
			return false
		}
	}
	return true
}

// WordsOf returns the words that a text is found by.
func WordsOf(text string) []string { return wordsOf(text) }
