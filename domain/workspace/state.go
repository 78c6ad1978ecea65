package workspace

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Exists   bool
	Name     string
	Settings Settings // the parts that were set
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Refusals.
var (
	ErrNotFound    = fault.New(fault.NotFound, "workspace.not_found", "no such workspace")
	ErrNameMissing = fault.Bad("name", "workspace.name_missing", "a name is required")
	ErrNameTooLong = fault.Bad("name", "workspace.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid = fault.Bad("name", "workspace.name_invalid", "the name is not UTF-8 or holds U+0000")

	ErrReopenStatus   = fault.Bad("reopening.status", "settings.reopening", "a chat that is reopened has the default status or the previous one")
	ErrReopenAssignee = fault.Bad("reopening.assignee", "settings.reopening", "a chat that is reopened keeps its assignee (keep) or has none (unassign)")
	ErrLanguages      = fault.Bad("languages", "settings.languages", "languages are at most 50 different codes such as en or pt_BR")
	ErrUnheard        = fault.Bad("opt_out", "settings.unheard_word", "a word to opt out or in is more than points and exclamation marks, which do not count")
	ErrBothWays       = fault.Bad("opt_out.in", "settings.word_both_ways", "a word to opt in is one to opt out, too: case, accents, spaces and points behind it do not count")
	ErrWords          = fault.Bad("opt_out", "settings.opt_out", "words to opt out and in are at most 50 each, of at most 40 characters, and none is in both lists or twice in one")
	ErrNoOptOut       = fault.Bad("opt_out.out", "settings.opt_out", "with words to opt in, there have to be some to opt out")
	ErrRetention      = fault.Bad("retention.closed_days", "settings.retention", "closed chats are kept for 1 to 3650 days, or with 0 for good")
	ErrAccepting      = fault.Bad("transfers.minutes", "settings.transfers", "a transfer waits for 1 to 10080 minutes to be accepted")
)

var wordText = text.Rule{Max: maxWordRunes, Missing: ErrWords, TooLong: ErrWords, Unclean: ErrWords}

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
