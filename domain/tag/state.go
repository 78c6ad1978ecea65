package tag

import (
	"slices"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/names"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// MaxTags is the most tags of a workspace, archived ones included.
const MaxTags = 5_000

// Tag is one tag of the workspace.
type Tag struct {
	ID       ID
	Name     string
	Colour   string // "#rrggbb", or "" for none
	Archived bool
	Merged   ID // what it is now; "" if it is itself
}

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
type State struct {
	tags  map[ID]Tag
	names names.Index[ID]
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Get returns a tag, also an archived one.
func (s State) Get(id ID) (Tag, bool) {
	t, ok := s.tags[id]
	return t, ok
}

// Lookup returns the tag with the name or the id, also an archived one; of one
// that was merged, what it is now. Case does not count.
func (s State) Lookup(nameOrID string) (Tag, bool) {
	id, ok := s.names.Find(nameOrID)
	return s.tags[s.Resolve(id)], ok
}

// Resolve returns what a tag is now: the one that it was merged into, or itself.
func (s State) Resolve(id ID) ID {
	for range MaxTags { // there is no circle: a tag is merged once, into one that is not
		into := s.tags[id].Merged
		if into == "" {
			break
		}
		id = into
	}
	return id
}

// Aliases returns the tags that were merged into a tag, sorted, at whatever
// remove.
func (s State) Aliases(id ID) (all []ID) {
	for other, t := range s.tags {
		if t.Merged != "" && s.Resolve(other) == id {
			all = append(all, other)
		}
	}
	slices.Sort(all)
	return all
}

// Find returns the tag with the name or the id, if it can be added to a chat:
// it is not archived. Case does not count.
func (s State) Find(nameOrID string) (ID, bool) {
	t, ok := s.Lookup(nameOrID)
	if !ok || t.Archived {
		return "", false
	}
	return t.ID, true
}

// live returns a tag that is in use.
func (s State) live(id ID) (Tag, error) {
	t, ok := s.tags[id]
	switch {
	case !ok:
		return t, ErrNotFound
	case t.Merged != "":
		return t, ErrMerged
	case t.Archived:
		return t, ErrArchived
	}
	return t, nil
}

// Refusals.
var (
	ErrNotFound  = fault.New(fault.NotFound, "tag.not_found", "no such tag")
	ErrArchived  = fault.New(fault.Conflict, "tag.archived", "the tag is archived; restore it")
	ErrMerged    = fault.New(fault.Conflict, "tag.merged", "the tag was merged into another")
	ErrExists    = fault.New(fault.Conflict, "tag.exists", "the tag exists with another name")
	ErrNameTaken = fault.New(fault.Conflict, "tag.name_taken", "another tag has that name or id")
	ErrTooMany   = fault.New(fault.Conflict, "tag.too_many", "a workspace can have 5,000 tags at most")

	ErrMergeSelf   = fault.Bad("into", "tag.merge_self", "a tag cannot be merged into itself")
	ErrMergeInto   = fault.Bad("into", "tag.merge_into", "the tag to merge into is not there, or is archived or merged itself")
	ErrUnnamable   = fault.Bad("name", "tag.name_unusable", "the name needs a letter or a digit")
	ErrNameMissing = fault.Bad("name", "tag.name_missing", "a name is required")
	ErrNameTooLong = fault.Bad("name", "tag.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid = fault.Bad("name", "tag.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrColour      = fault.Bad("colour", "tag.bad_colour", "a colour is of the form #rrggbb")
)

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
