package customview

import (
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits.
const (
	MaxViews       = 50      // of a workspace
	MaxVersions    = 5       // of a view that are kept up to date at once
	MaxScript      = 1 << 16 // bytes
	MaxTypes       = 100
	MaxTables      = 10
	MaxColumns     = 50 // of a table
	MaxName        = 60 // bytes of the name of a view, a table or a column
	MaxDescription = 1_000
)

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
type State struct {
	Workspace string
	views     map[Name]*view
}

type view struct {
	last      Version // that there ever was
	published Version // 0 if none is
	live      []Live  // in the order of their versions
}

// Live is a version that is kept up to date.
type Live struct {
	View       Name
	Version    Version
	Definition Definition
	Retries    int // how often it was asked for
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Live returns all versions that are kept up to date, in no order.
func (s State) Live() (all []Live) {
	for _, v := range s.views {
		all = append(all, v.live...)
	}
	return all
}

func (s *State) view(n Name) *view {
	if s.views == nil {
		s.views = map[Name]*view{}
	}
	if s.views[n] == nil {
		s.views[n] = &view{}
	}
	return s.views[n]
}

func (v *view) find(version Version) *Live {
	for i := range v.live {
		if v.live[i].Version == version {
			return &v.live[i]
		}
	}
	return nil
}

func (v *view) drop(version Version) {
	v.live = slices.DeleteFunc(v.live, func(l Live) bool { return l.Version == version })
}

// lookup returns a view that has versions, and one of them.
func (s State) lookup(n Name, version Version) (*view, *Live, error) {
	v := s.views[n]
	if v == nil || len(v.live) == 0 {
		return nil, nil, ErrNotFound
	}
	l := v.find(version)
	if l == nil {
		return nil, nil, ErrVersion
	}
	return v, l, nil
}

// Find returns a version that is kept up to date: the one that is published if version
// is 0.
func (s State) Find(n Name, version Version) (Live, error) {
	v := s.views[n]
	if v == nil || len(v.live) == 0 {
		return Live{}, ErrNotFound
	}
	if version == 0 {
		if version = v.published; version == 0 {
			return Live{}, ErrNothing
		}
	}
	_, l, err := s.lookup(n, version)
	if err != nil {
		return Live{}, err
	}
	return *l, nil
}

// Refusals.
var (
	ErrNotFound  = fault.New(fault.NotFound, "customview.not_found", "there is no such custom view")
	ErrVersion   = fault.New(fault.NotFound, "customview.no_version", "the custom view has no such version")
	ErrTable     = fault.New(fault.NotFound, "customview.no_table", "the custom view has no such table")
	ErrRow       = fault.New(fault.NotFound, "customview.no_row", "the table has no such row")
	ErrNothing   = fault.New(fault.NotFound, "customview.not_published", "no version of the custom view is published: name one, or publish one")
	ErrUnchanged = fault.New(fault.Conflict, "customview.unchanged", "the latest version says the same")
	ErrTooMany   = fault.New(fault.Conflict, "customview.too_many", "a workspace can have 50 custom views at most")
	ErrVersions  = fault.New(fault.Conflict, "customview.too_many_versions", "5 versions at most are kept up to date: drop one first")
	ErrPublished = fault.New(fault.Conflict, "customview.is_published", "the version is published: publish another first, or retire the custom view")

	ErrWorkspace = fault.Bad("workspace", "customview.workspace_missing", "a workspace is required")
	ErrBy        = fault.Bad("by", "customview.by_missing", "who does it is required")
	ErrName      = fault.Bad("view", "customview.bad_name", "a name is a lower-case letter, then letters, digits and dashes, 60 at most")
	ErrDescribed = fault.Bad("description", "customview.bad_description", "the description is longer than 1,000 characters, or holds U+0000")
	ErrScript    = fault.Bad("script", "customview.bad_script", "a script of 64 KiB of UTF-8 at most is required")
	ErrNoApply   = fault.Bad("script", "customview.no_apply", "the script has no function apply(event, tables)")
	ErrNoType    = fault.Bad("types", "customview.no_such_event", "there is no such type of events, or scripts may not see it")
	ErrTypes     = fault.Bad("types", "customview.bad_types", "100 types of events at most, each once")
	ErrTables    = fault.Bad("tables", "customview.bad_tables", "1 to 10 tables are required")
	ErrColumns   = fault.Bad("tables", "customview.bad_columns", "1 to 50 columns are required")
	ErrTableName = fault.Bad("tables", "customview.bad_table_name", "a name is a lower-case letter, then letters, digits and underscores, 60 at most, and no other has it")
	ErrType      = fault.Bad("tables", "customview.unknown_type", "the type of a column is text, integer, number, boolean, time or json")
)

// Check returns the refusal that a definition deserves, or nil. Whether the script can
// be compiled is for others to say.
func (d Definition) Check() error {
	if strings.TrimSpace(d.Script) == "" || len(d.Script) > MaxScript || !text.Clean(d.Script) {
		return ErrScript
	}
	if len(d.Types) > MaxTypes {
		return ErrTypes
	}
	for i, t := range d.Types {
		if t == "" || slices.Contains(d.Types[:i], t) {
			return at(ErrTypes, "types", i)
		}
	}
	if len(d.Tables) < 1 || len(d.Tables) > MaxTables {
		return ErrTables
	}
	tables := map[string]bool{}
	for i, t := range d.Tables {
		if !isName(t.Name, '_') || tables[t.Name] {
			return at(ErrTableName, "tables", i, "name")
		}
		tables[t.Name] = true
		if err := t.check(i); err != nil {
			return err
		}
	}
	return nil
}

func (t Table) check(i int) error {
	if !isName(t.Key, '_') {
		return at(ErrTableName, "tables", i, "key")
	}
	if len(t.Columns) < 1 || len(t.Columns) > MaxColumns {
		return at(ErrColumns, "tables", i, "columns")
	}
	names := map[string]bool{t.Key: true}
	for j, c := range t.Columns {
		switch {
		case !isName(c.Name, '_') || names[c.Name]:
			return at(ErrTableName, "tables", i, "columns", j, "name")
		case !slices.Contains([]Type{Text, Integer, Number, Boolean, Time, JSON}, c.Type):
			return at(ErrType, "tables", i, "columns", j, "type")
		}
		names[c.Name] = true
	}
	return nil
}

func (d Definition) equal(other Definition) bool {
	return d.Script == other.Script && slices.Equal(d.Types, other.Types) &&
		slices.EqualFunc(d.Tables, other.Tables, func(a, b Table) bool {
			return a.Name == b.Name && a.Key == b.Key && slices.Equal(a.Columns, b.Columns)
		})
}

// CheckTypes refuses types of events that there are not, or that scripts may not see.
func (d Definition) CheckTypes(known func(string) bool) error {
	for i, t := range d.Types {
		if !MaySee(t) || !known(t) {
			return at(ErrNoType, "types", i)
		}
	}
	return nil
}

// isName reports whether s is a lower-case letter, then letters, digits and joint.
func isName(s string, joint rune) bool {
	if s == "" || len(s) > MaxName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != joint
	})
}
