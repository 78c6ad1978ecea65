package quickreply

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits of the quick replies of a place.
const (
	MaxReplies  = 1_000 // archived ones included
	MaxShortcut = 40    // runes
	MaxText     = 4_096 // runes, as of a message
)

// Reply is a quick reply in its present version.
type Reply struct {
	ID       ID
	Version  int64
	Shortcut string
	Text     string
	Archived bool
}

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
type State struct {
	Workspace string
	Place     Place
	replies   map[ID]Reply
	shortcuts map[string]ID // of those in use, by text.Key
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Get returns a quick reply, also an archived one.
func (s State) Get(id ID) (Reply, bool) {
	r, ok := s.replies[id]
	return r, ok
}

// Find returns the quick reply in use that has a shortcut, with or without the
// slash. Case does not count.
func (s State) Find(shortcut string) (Reply, bool) {
	id, ok := s.shortcuts[text.Key(Shortcut(shortcut))]
	return s.replies[id], ok
}

// Shortcut returns a shortcut as it is kept: without the slash that people type.
func Shortcut(typed string) string { return strings.TrimPrefix(strings.TrimSpace(typed), "/") }

func (s *State) put(r Reply) {
	if old, ok := s.replies[r.ID]; ok && s.shortcuts[text.Key(old.Shortcut)] == r.ID {
		delete(s.shortcuts, text.Key(old.Shortcut))
	}
	s.replies[r.ID] = r
	if !r.Archived {
		s.shortcuts[text.Key(r.Shortcut)] = r.ID
	}
}

func (s *State) change(id ID, fold func(*Reply)) {
	if r, ok := s.replies[id]; ok {
		fold(&r)
		s.put(r)
	}
}

// live returns a quick reply that is in use.
func (s State) live(id ID) (Reply, error) {
	r, ok := s.replies[id]
	switch {
	case !ok:
		return r, ErrNotFound
	case r.Archived:
		return r, ErrArchived
	}
	return r, nil
}

// free refuses a shortcut that another quick reply in use has.
func (s State) free(id ID, shortcut string) error {
	if owner, taken := s.shortcuts[text.Key(shortcut)]; taken && owner != id {
		return ErrShortcutTaken
	}
	return nil
}

// checkShortcut refuses what people could not type in one go: a shortcut is
// letters and digits of any script, dashes and underscores.
func checkShortcut(shortcut string) error {
	letters := 0
	for _, r := range shortcut {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			letters++
		case unicode.IsMark(r), r == '-', r == '_':
		default:
			return ErrShortcut
		}
	}
	if letters == 0 || utf8.RuneCountInString(shortcut) > MaxShortcut {
		return ErrShortcut
	}
	return nil
}

// checkText refuses a text that cannot be sent, or that has a placeholder
// nobody can fill.
func checkText(s string, attributes []string) error {
	if err := replyText.Check(s); err != nil {
		return err
	}
	t, err := Parse(s)
	if err != nil {
		return err
	}
	return t.check(attributes)
}

// Refusals.
var (
	ErrNotFound      = fault.New(fault.NotFound, "quickreply.not_found", "no such quick reply")
	ErrArchived      = fault.New(fault.Conflict, "quickreply.archived", "the quick reply is archived; restore it")
	ErrShortcutTaken = fault.New(fault.Conflict, "quickreply.shortcut_taken", "another quick reply of the same scope has that shortcut")
	ErrTooMany       = fault.New(fault.Conflict, "quickreply.too_many", "a scope can have 1,000 quick replies at most")
	ErrNotYours      = fault.New(fault.Forbidden, "quickreply.not_yours", "quick replies of teams and the workspace are for supervisors and admins to change")
	ErrVersion       = fault.New(fault.Conflict, "quickreply.version_changed", "the quick reply has another version by now")
	ErrValueMissing  = fault.New(fault.Conflict, "quickreply.value_missing", "a placeholder has no value")

	ErrWorkspace       = fault.Bad("workspace", "quickreply.workspace_missing", "a workspace is required")
	ErrScope           = fault.Bad("scope", "quickreply.unknown_scope", "the scope is personal, team or workspace")
	ErrTeamMissing     = fault.Bad("team", "quickreply.team_missing", "a team is required")
	ErrOwnerMissing    = fault.Bad("scope", "quickreply.owner_missing", "a personal quick reply belongs to a member of staff")
	ErrByMissing       = fault.Bad("by", "quickreply.by_missing", "who does it is required")
	ErrShortcut        = fault.Bad("shortcut", "quickreply.bad_shortcut", "a shortcut is 1 to 40 letters, digits, dashes and underscores")
	ErrTextMissing     = fault.Bad("text", "quickreply.text_missing", "a text is required")
	ErrTextTooLong     = fault.Bad("text", "quickreply.text_too_long", "the text is longer than 4,096 characters")
	ErrTextInvalid     = fault.Bad("text", "quickreply.text_invalid", "the text is not UTF-8 or holds U+0000")
	ErrPlaceholder     = fault.Bad("text", "quickreply.unknown_placeholder", "there is no such placeholder")
	ErrUnclosed        = fault.Bad("text", "quickreply.unclosed_placeholder", "a placeholder has no end")
	ErrTooManyToFill   = fault.Bad("text", "quickreply.too_many_placeholders", "a text can have 100 placeholders at most")
	ErrCustomMissing   = fault.Bad("values", "quickreply.custom_value_missing", "a custom placeholder has no value")
	ErrCustomUnknown   = fault.Bad("values", "quickreply.custom_value_unknown", "a value is for no placeholder of the text")
	ErrCustomUnclean   = fault.Bad("values", "quickreply.custom_value_invalid", "a value is longer than 1,000 characters, is not UTF-8 or holds U+0000")
	ErrFilledIsTooLong = fault.New(fault.Conflict, "quickreply.filled_too_long", "with its placeholders filled the text is longer than 4,096 characters")
)

var replyText = text.Rule{Max: MaxText, Missing: ErrTextMissing, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
