package attribute

import (
	"iter"
	"maps"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/names"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits.
const (
	MaxAttributes = 100 // of a workspace, archived ones included
	MaxChoices    = 200
	MaxValue      = 1_000 // runes of a text
)

// Attribute is one attribute of the workspace.
type Attribute struct {
	ID       ID
	Name     string
	Kind     Kind
	Choices  []string
	Archived bool
}

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
type State struct {
	attributes map[ID]Attribute
	names      names.Index[ID]
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

func (s *State) put(a Attribute) {
	if s.attributes == nil {
		s.attributes = map[ID]Attribute{}
	}
	s.attributes[a.ID] = a
}

func (s *State) archive(id ID, archived bool) {
	a := s.attributes[id]
	a.Archived = archived
	s.put(a)
}

// Lookup returns the attribute with the name or the id, also an archived one. Case
// does not count.
func (s State) Lookup(nameOrID string) (Attribute, bool) {
	id, ok := s.names.Find(nameOrID)
	return s.attributes[id], ok
}

// Find returns the attribute with the name or the id, if it is in use.
func (s State) Find(nameOrID string) (Attribute, bool) {
	a, ok := s.Lookup(nameOrID)
	return a, ok && !a.Archived
}

// All yields every attribute, also archived ones, in no order.
func (s State) All() iter.Seq[Attribute] { return maps.Values(s.attributes) }

// live returns an attribute that is in use.
func (s State) live(id ID) (Attribute, error) {
	a, ok := s.attributes[id]
	switch {
	case !ok:
		return a, ErrNotFound
	case a.Archived:
		return a, ErrArchived
	}
	return a, nil
}

// Refusals.
var (
	ErrNotFound  = fault.New(fault.NotFound, "attribute.not_found", "no such attribute")
	ErrArchived  = fault.New(fault.Conflict, "attribute.archived", "the attribute is archived; restore it")
	ErrExists    = fault.New(fault.Conflict, "attribute.exists", "the attribute exists, and is another")
	ErrNameTaken = fault.New(fault.Conflict, "attribute.name_taken", "another attribute has that name or id")
	ErrTooMany   = fault.New(fault.Conflict, "attribute.too_many", "a workspace can have 100 attributes at most")

	ErrUnnamable   = fault.Bad("name", "attribute.name_unusable", "the name needs a letter or a digit")
	ErrNameMissing = fault.Bad("name", "attribute.name_missing", "a name is required")
	ErrNameTooLong = fault.Bad("name", "attribute.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid = fault.Bad("name", "attribute.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrKind        = fault.Bad("kind", "attribute.unknown_kind", "the kind is text, number, bool, date or choice")
	ErrChoices     = fault.Bad("choices", "attribute.bad_choices", "a choice has 1 to 200 choices, each once and of 1 to 200 characters; no other kind has any")
	ErrValue       = fault.Bad("value", "attribute.bad_value", "the attribute cannot have such a value")
)

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
