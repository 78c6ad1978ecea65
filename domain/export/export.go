// Package export decides about the download of a list as a file: who took what is
// in the log before the first row is sent.
//
// It is pure: no I/O, no clock, no randomness.
package export

import (
	"encoding/json"
	"slices"
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

// Columns returns what a file of a target can have, in the order it has them.
func Columns(t filter.Target) []string { return slices.Clone(columns[t]) }

var columns = map[filter.Target][]string{
	filter.Chats: {
		"id", "name", "phone", "email", "is_contact", "channel", "status", "status_category", "assignee", "team", "tags", "unread",
		"created_at", "last_activity_at", "waiting_since", "last_message_at", "last_message_by", "last_message", "revision",
	},
	filter.Contacts: { // a file with all of them can be imported again
		"id", "name", "email", "phone", "company", "city", "country", "gender", "language",
		"status", "assignee", "tags", "blocked", "reason", "created_at", "updated_at",
	},
	filter.Orders: {
		"id", "external_id", "status", "payment", "chat", "channel", "name", "phone", "email", "items", "total", "currency", "tags",
		"assignee", "carrier", "tracking", "placed_at", "updated_at", "revision",
	},
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

// Request asks for an export. No columns means all of them; neither a filter nor ids
// means every row.
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
}

// Decide implements the command.
func (c Request) Decide(s State) ([]Event, error) {
	if s.Workspace != "" {
		return nil, nil // the same id: the same request
	}
	all, ok := columns[filter.Target(c.Target)]
	switch {
	case !ok:
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
	chosen := slices.Clone(c.Columns)
	if len(chosen) == 0 {
		chosen = slices.Clone(all)
	}
	for i, name := range chosen {
		if !slices.Contains(all, name) || slices.Contains(chosen[:i], name) {
			return nil, ErrColumns
		}
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

func named(ids []string) bool {
	return len(ids) <= MaxIDs && !slices.ContainsFunc(ids, func(id string) bool { return id == "" || len(id) > 200 || !text.Clean(id) })
}

func distinct(ids []string) []string {
	list := slices.Clone(ids)
	slices.Sort(list)
	return slices.Compact(list)
}
