package workspace

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Exists bool
	Name   string
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Refusals.
var (
	ErrNotFound    = fault.New(fault.NotFound, "workspace.not_found", "no such workspace")
	ErrNameMissing = fault.Bad("name", "workspace.name_missing", "a name is required")
	ErrNameTooLong = fault.Bad("name", "workspace.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid = fault.Bad("name", "workspace.name_invalid", "the name is not UTF-8 or holds U+0000")
)

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
