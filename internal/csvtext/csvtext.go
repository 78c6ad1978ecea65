// Package csvtext writes CSV, as RFC 4180 has it, that is safe to open in a
// spreadsheet: what people typed is never taken for a formula.
//
// It knows no table and no language: what is in a cell is for the caller to say.
package csvtext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cell is a cell that may be a number: one that was written by a program and not by
// people, so that a sign before it begins no formula.
type Cell struct {
	Value  string
	Number bool
}

// Line returns a line of cells, with its line break.
func Line(cells []string) []byte {
	list := make([]Cell, len(cells))
	for i, c := range cells {
		list[i].Value = c
	}
	return Cells(list)
}

// Cells is Line for cells that may be numbers.
func Cells(cells []Cell) []byte {
	var b []byte
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if c.Number {
			b = append(b, c.Value...)
		} else {
			b = append(b, cell(c.Value)...)
		}
	}
	return append(b, "\r\n"...)
}

// cell returns the value of a cell, in quotes if it needs them.
func cell(value string) string {
	value = Guard(value)
	if !strings.ContainsAny(value, ",\"\r\n") && !strings.HasPrefix(value, " ") {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
}

// Guard returns text as a spreadsheet takes it for text: one that it might take
// for a formula is preceded by an apostrophe. Only what people typed can begin so:
// no number of ours does.
func Guard(value string) string {
	if isFormula(value) {
		return "'" + value
	}
	return value
}

// Unguard takes back what Guard did.
func Unguard(value string) string {
	if rest, ok := strings.CutPrefix(value, "'"); ok && isFormula(rest) {
		return rest
	}
	return value
}

// isFormula follows OWASP's list of what begins a formula, "= + - @", a tab or a
// line break, and their full-width forms. Spaces and invisible characters before
// them do not count, as some spreadsheets pass over them.
func isFormula(value string) bool {
	for value != "" {
		r, size := utf8.DecodeRuneInString(value)
		switch r {
		case '=', '+', '-', '@', '\t', '\r', '\n', '\uff1d', '\uff0b', '\uff0d', '\uff20', '\u2212', '|', '%':
			return true
		}
		if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) && !unicode.IsControl(r) {
			return false
		}
		value = value[size:]
	}
	return false
}
