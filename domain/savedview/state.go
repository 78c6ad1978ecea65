package savedview

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits.
const (
	MaxViews = 200 // of a place
	MaxIcon  = 40  // runes
)

// View is a saved view.
type View struct {
	ID     ID
	Target string
	Look
}

// Look is what of a saved view can be changed.
type Look struct {
	Name    string
	Icon    string          // a word that clients know, or an emoji; "" for none
	Colour  string          // "#rrggbb", or "" for none
	Filter  json.RawMessage // nil for everything
	Sort    string          // "" for the default of the target
	Columns []string        // as export.IsColumn knows them; nil for what clients show by default
}

func (l Look) equal(m Look) bool {
	return l.Name == m.Name && l.Icon == m.Icon && l.Colour == m.Colour && l.Sort == m.Sort &&
		bytes.Equal(l.Filter, m.Filter) && slices.Equal(l.Columns, m.Columns)
}

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
type State struct {
	Workspace string
	Place     Place
	views     map[ID]View
	order     map[string][]ID // by target
	next      int64           // order of the next
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// sorts are the orders that the list of each target has.
var sorts = map[filter.Target][]string{
	filter.Chats:    {"last_activity", "created", "waiting"},
	filter.Contacts: {"created", "updated"},
	filter.Orders:   {"placed", "oldest"},
}

// Problems returns what is wrong with a saved view now: what was right when it was
// saved may be so no longer, since fields come and go.
func Problems(target string, l Look) (all []error) {
	t := filter.Target(target)
	known, ok := sorts[t]
	if !ok {
		return []error{ErrTarget}
	}
	if _, err := filter.Parse(t, l.Filter); err != nil {
		all = append(all, err)
	}
	if l.Sort != "" && !slices.Contains(known, l.Sort) {
		all = append(all, ErrSort)
	}
	for i, c := range l.Columns {
		if !export.IsColumn(t, c) || slices.Contains(l.Columns[:i], c) {
			all = append(all, ErrColumns)
			break
		}
	}
	return all
}

// check refuses a look that cannot be saved.
func (s State) check(id ID, target string, l Look) error {
	if err := nameText.Check(l.Name); err != nil {
		return err
	}
	if err := iconText.Check(l.Icon); err != nil {
		return err
	}
	if l.Colour != "" && !text.IsColour(l.Colour) {
		return ErrColour
	}
	if problems := Problems(target, l); len(problems) > 0 {
		return problems[0]
	}
	for _, v := range s.views {
		if v.ID != id && v.Target == target && text.Key(v.Name) == text.Key(l.Name) {
			return ErrNameTaken
		}
	}
	return nil
}

// compact returns a filter as it is kept: without white space, nil if it lets all
// pass because there is nothing in it.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return raw // what is not well-formed is for Problems to refuse
	}
	switch b.String() {
	case "", "null", "{}":
		return nil
	}
	return b.Bytes()
}

// Refusals.
var (
	ErrNotFound  = fault.New(fault.NotFound, "savedview.not_found", "no such saved view")
	ErrNameTaken = fault.New(fault.Conflict, "savedview.name_taken", "another saved view of the same target has that name")
	ErrTooMany   = fault.New(fault.Conflict, "savedview.too_many", "there can be 200 saved views at most of one agent, and 200 that are shared")
	ErrNotYours  = fault.New(fault.Forbidden, "savedview.not_yours", "shared views are for supervisors and admins to change")
	ErrInvalid   = fault.New(fault.Conflict, "savedview.invalid", "the saved view is no longer valid; change it")
	ErrOrder     = fault.Bad("views", "savedview.bad_order", "want the ids of all saved views of the scope and target, each once")

	ErrWorkspace    = fault.Bad("workspace", "savedview.workspace_missing", "a workspace is required")
	ErrScope        = fault.Bad("scope", "savedview.unknown_scope", "the scope is personal or shared")
	ErrOwnerMissing = fault.Bad("scope", "savedview.owner_missing", "a personal view belongs to a member of staff")
	ErrView         = fault.Bad("view", "savedview.bad_id", "the id is not one of the place")
	ErrByMissing    = fault.Bad("by", "savedview.by_missing", "who does it is required")
	ErrTarget       = fault.Bad("target", "savedview.unknown_target", "the target is chats, contacts or orders")
	ErrNameMissing  = fault.Bad("name", "savedview.name_missing", "a name is required")
	ErrNameTooLong  = fault.Bad("name", "savedview.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid  = fault.Bad("name", "savedview.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrIconTooLong  = fault.Bad("icon", "savedview.icon_too_long", "the icon is longer than 40 characters")
	ErrIconInvalid  = fault.Bad("icon", "savedview.icon_invalid", "the icon is not UTF-8 or holds U+0000")
	ErrColour       = fault.Bad("colour", "savedview.bad_colour", "a colour is of the form #rrggbb")
	ErrSort         = fault.Bad("sort", "savedview.unknown_sort", "the target has no such order")
	ErrColumns      = fault.Bad("columns", "savedview.unknown_column", "there is no such column, or it is there twice")
)

var (
	nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
	iconText = text.Rule{Max: MaxIcon, TooLong: ErrIconTooLong, Unclean: ErrIconInvalid}
)
