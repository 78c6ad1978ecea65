// Package customview decides about custom views: views that an analyst adds, each a
// script that folds events into rows. All of a workspace are in one stream, so that a
// name means one view, and so that the log has every script that ever made a row.
//
// It is pure: no I/O, no clock, no randomness. It runs no script.
package customview

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Name names a custom view in its workspace, such as "orders-by-city".
type Name string

// Version counts the definitions that a view has had, from 1. None is used twice,
// also after the view was retired.
type Version int64

// Definition says what a custom view is.
type Definition struct {
	Types  []string `json:"types,omitempty"` // of the events that the script is given; absent: all that it may see
	Tables []Table  `json:"tables"`
	Script string   `json:"script"` // JavaScript with a function apply(event, tables)
}

// Table is a table of a custom view. Its rows have keys, which are text.
type Table struct {
	Name    string   `json:"name"`
	Key     string   `json:"key"` // what the column of keys is called
	Columns []Column `json:"columns"`
}

// Column is a column of a Table.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Type says what the values of a column are. Each may be null, too.
type Type string

// Types.
const (
	Text    Type = "text"
	Integer Type = "integer" // at most 2^53 either way, as a script can tell them apart
	Number  Type = "number"
	Boolean Type = "boolean"
	Time    Type = "time" // of RFC 3339, to the microsecond
	JSON    Type = "json"
)

// Categories are those of the streams that a script may see: what an analyst may read
// already. What providers delivered is not among them, nor what is personal to somebody.
var Categories = []string{
	"chat", "order", "call", "contact", "agent", "teams", "tags", "statuses", "channel", "workspace",
	"bulk", "attributes", "groups", "members", "campaign", "template",
}

// hidden are the first words of the types of events in other categories.
var hidden = []string{"webhook", "request", "export", "quickreply", "savedview", "customview"}

// MaySee reports whether a script may be given events of a type.
func MaySee(eventType string) bool {
	of, _, _ := strings.Cut(eventType, ".")
	return !slices.Contains(hidden, of)
}

// Table returns the table called name.
func (d Definition) Table(name string) (Table, bool) {
	for _, t := range d.Tables {
		if t.Name == name {
			return t, true
		}
	}
	return Table{}, false
}

// Row returns a row as one object: data, which has a value for each column, with the key
// before it.
func (t Table) Row(key string, data json.RawMessage) json.RawMessage {
	name := strconv.Quote(t.Key)
	value, err := json.Marshal(key)
	if err != nil {
		panic(err) // a string can be encoded
	}
	b := make([]byte, 0, len(name)+len(value)+len(data)+2)
	b = append(append(append(append(b, '{'), name...), ':'), value...)
	if rest := bytes.TrimPrefix(data, []byte("{")); len(rest) > 1 {
		return append(append(b, ','), rest...)
	}
	return append(b, '}')
}

// Event is a fact about the custom views of a workspace, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
