// Package export decides about the download of a list as a file: who took what is
// in the log before the first row is sent.
//
// It is pure: no I/O, no clock, no randomness.
package export

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// ID names an export.
type ID string

// Format is that of the file.
type Format string

// Formats.
const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"

	Parquet Format = "parquet" // of custom views only
)

// Life is how long a file can be fetched after it was asked for.
const Life = time.Hour

// Refusals.
var (
	ErrNotFound = fault.New(fault.NotFound, "export.not_found", "there is no such export")

	ErrTarget     = fault.Bad("target", "export.unknown_target", "the target is chats, contacts or orders")
	ErrFormat     = fault.Bad("format", "export.unknown_format", "the format is csv or ndjson")
	ErrColumns    = fault.Bad("columns", "export.unknown_column", "there is no such column, or it is there twice")
	ErrIDs        = fault.Bad("selection.ids", "export.bad_ids", "name at most 10,000 ids, each of 1 to 200 bytes of text, and no filter besides")
	ErrExcept     = fault.Bad("selection.except", "export.bad_ids", "name at most 10,000 ids, each of 1 to 200 bytes of text")
	ErrViewFormat = fault.Bad("format", "export.unknown_format", "the format is csv, ndjson or parquet")

	ErrBy = fault.Bad("by", "export.by_missing", "who asks is required")
)

// Columns returns what a file of a target can have, in the order it has them, but for
// the workspace's own attributes.
func Columns(t filter.Target) []string { return slices.Concat(columns[t], onRequest[t]) }

// IsColumn reports whether a file of a target can have a column, if the workspace has
// the attribute that it names.
func IsColumn(t filter.Target, name string) bool {
	_, own := Attribute(name)
	return own && t != filter.Orders || slices.Contains(columns[t], name) || slices.Contains(onRequest[t], name)
}

// Attribute returns which of the workspace's own attributes a column is, if it is one.
func Attribute(column string) (id string, ok bool) {
	id, ok = strings.CutPrefix(column, filter.OwnPrefix)
	return id, ok && id != ""
}

// columns are those of a file for which none are named.
var columns = map[filter.Target][]string{
	filter.Chats: {
		"id", "name", "phone", "email", "is_contact", "channel", "status", "status_category", "assignee", "team", "tags", "unread",
		"created_at", "last_activity_at", "waiting_since", "last_message_at", "last_message_by", "last_message", "revision",
		"channel_name", "status_name", "assignee_name", "team_name", "tag_names", "groups", "group_names",
	},
	filter.Contacts: { // a file with all of them can be imported again
		"id", "name", "email", "phone", "company", "city", "country", "gender", "language",
		"status", "assignee", "tags", "blocked", "reason", "created_at", "updated_at",
		"emails", "phones", "status_name", "assignee_name", "tag_names", "groups", "group_names",
	},
	filter.Orders: {
		"id", "external_id", "status", "payment", "chat", "channel", "name", "phone", "email", "items", "total", "currency", "tags",
		"assignee", "carrier", "tracking", "placed_at", "updated_at", "revision",
		"channel_name", "assignee_name", "tag_names", "comment", "products", "lines",
	},
}

// onRequest are the columns that have to be named: private text should not be in a
// file by accident.
var onRequest = map[filter.Target][]string{
	filter.Contacts: {"notes"},
	filter.Orders:   {"notes"},
}

// Event is a fact about an export, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// State is what past events allow a decision to depend on.
type State struct {
	Workspace string // "" before it is asked for
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// MaxIDs is how many rows can be named one by one.
const MaxIDs = 10_000

// Request asks for an export. No columns means all of them, with the workspace's own
// attributes, but for notes; neither a filter nor ids means every row.
type Request struct {
	Workspace string
	Target    string
	Format    Format
	Filter    []byte   // JSON; nil for everything
	IDs       []string // the rows, instead of a filter
	Except    []string // rows that are left out
	Columns   []string
	By        string
	At        time.Time

	Attributes map[string]bool // of the workspace, by id: whether it is in use
}

// Decide implements the command.
func (c Request) Decide(s State) ([]Event, error) {
	if s.Workspace != "" {
		return nil, nil // the same id: the same request
	}
	_, known := columns[filter.Target(c.Target)]
	switch {
	case !known:
		return nil, ErrTarget
	case c.Format != CSV && c.Format != NDJSON:
		return nil, ErrFormat
	case !named(c.IDs) || len(c.IDs) > 0 && len(c.Filter) > 0:
		return nil, ErrIDs
	case !named(c.Except):
		return nil, ErrExcept
	case c.By == "":
		return nil, ErrBy
	}
	chosen, err := c.columns(filter.Target(c.Target))
	if err != nil {
		return nil, err
	}
	if _, err := filter.Parse(filter.Target(c.Target), c.Filter); err != nil {
		return nil, err
	}
	e := Requested{
		Workspace: c.Workspace, Target: c.Target, Format: c.Format, IDs: distinct(c.IDs), Except: distinct(c.Except), Columns: chosen, By: c.By, At: c.At, Until: c.At.Add(Life),
	}
	if len(c.Filter) > 0 {
		e.Filter = json.RawMessage(c.Filter)
	}
	return []Event{e}, nil
}

// columns returns those of the file.
func (c Request) columns(t filter.Target) ([]string, error) {
	if len(c.Columns) == 0 {
		all := slices.Clone(columns[t])
		for _, id := range slices.Sorted(maps.Keys(c.Attributes)) {
			if c.Attributes[id] && t != filter.Orders {
				all = append(all, filter.OwnPrefix+id)
			}
		}
		return all, nil
	}
	for i, name := range c.Columns {
		_, held := c.Attributes[strings.TrimPrefix(name, filter.OwnPrefix)]
		_, own := Attribute(name)
		at := fmt.Sprintf("columns[%d]", i)
		switch {
		case !IsColumn(t, name), own && !held:
			return nil, ErrColumns.At(at).With(fmt.Sprintf("%s have no column %.120q", t, name))
		case slices.Contains(c.Columns[:i], name):
			return nil, ErrColumns.At(at).With(fmt.Sprintf("the column %q is there twice", name))
		}
	}
	return slices.Clone(c.Columns), nil
}

func named(ids []string) bool {
	return len(ids) <= MaxIDs && !slices.ContainsFunc(ids, func(id string) bool { return id == "" || len(id) > 200 || !text.Clean(id) })
}

func distinct(ids []string) []string {
	list := slices.Clone(ids)
	slices.Sort(list)
	return slices.Compact(list)
}
