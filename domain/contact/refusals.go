package contact

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/notes"
	"github.com/chatledger/chatledger/domain/internal/tagging"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits.
const (
	MaxValue    = 1_000  // runes of a value
	MaxValues   = 50     // e-mail addresses, and phone numbers
	MaxFields   = 150    // with the workspace's own
	MaxNote     = 10_000 // runes
	MaxNotes    = 1_000
	MaxTags     = 100
	MaxChats    = 100
	MaxAbsorbed = 20
	MaxAnswers  = 1_000  // questions
	MaxAnswer   = 10_000 // runes
)

// Refusals because of the contact's state.
var (
	ErrNotFound       = fault.New(fault.NotFound, "contact.not_found", "no such contact")
	ErrExists         = fault.New(fault.Conflict, "contact.exists", "there is a contact with this phone number or e-mail address")
	ErrDeleted        = fault.New(fault.Conflict, "contact.deleted", "the contact was deleted; restore it first")
	ErrMerged         = fault.New(fault.Conflict, "contact.merged", "the contact was merged into another")
	ErrHasMerged      = fault.New(fault.Conflict, "contact.has_merged", "others were merged into the contact; merge it the other way round, or unmerge them first")
	ErrMergeSelf      = fault.New(fault.Conflict, "contact.merge_self", "a contact cannot be merged with itself")
	ErrNotMerged      = fault.New(fault.Conflict, "contact.not_merged", "the contact is not merged into this one")
	ErrTooManyParts   = fault.New(fault.Conflict, "contact.too_many_merged", "20 contacts at most can be merged into one")
	ErrTooManyTags    = fault.New(fault.Conflict, "contact.too_many_tags", "a contact can have 100 tags at most")
	ErrTooManyNotes   = fault.New(fault.Conflict, "contact.too_many_notes", "a contact can have 1,000 notes at most")
	ErrTooMany        = fault.New(fault.Conflict, "contact.too_many_fields", "a contact can have 150 fields at most")
	ErrTooManyAnswers = fault.New(fault.Conflict, "contact.too_many_answers", "answers to 1,000 questions at most are kept of a person")
	ErrNoteNotFound   = fault.New(fault.NotFound, "contact.note_not_found", "the contact has no such note")
	ErrNoteOther      = fault.New(fault.Forbidden, "contact.note_of_another", "the note is somebody else's")
)

// Refusals because of the request itself.
var (
	ErrReason          = fault.Bad("reason", "contact.unknown_reason", "the reason is contact_card, form, import, typed_in or chatflow")
	ErrNoDetails       = fault.Bad("name", "contact.no_details", "a name, an e-mail address or a phone number is required")
	ErrWorkspace       = fault.Bad("workspace", "contact.workspace_missing", "a workspace is required")
	ErrField           = fault.Bad("field", "contact.unknown_field", "a contact has no such field")
	ErrFieldTwice      = fault.Bad("field", "contact.field_twice", "a field is to be changed twice")
	ErrValue           = fault.Bad("field", "contact.bad_value", "a value is too long, is not UTF-8 or holds U+0000")
	ErrValues          = fault.Bad("field", "contact.too_many_values", "the field cannot have so many values")
	ErrEmail           = fault.Bad("emails", "contact.bad_email", "this is no e-mail address")
	ErrPhone           = fault.Bad("phones", "contact.bad_phone", "this is no phone number")
	ErrByMissing       = fault.Bad("by", "contact.by_missing", "who does it is required")
	ErrAgentMissing    = fault.Bad("agent", "contact.agent_missing", "an agent is required")
	ErrStatusMissing   = fault.Bad("status", "contact.status_missing", "a status is required")
	ErrTagToAdd        = fault.Bad("add", "contact.tag_missing", "a tag to add has no id")
	ErrTagToRemove     = fault.Bad("remove", "contact.tag_missing", "a tag to remove has no id")
	ErrTagBothWays     = fault.Bad("remove", "contact.tag_both_ways", "a tag is to be added and removed")
	ErrNoteMissing     = fault.Bad("note", "contact.note_missing", "a note is required")
	ErrTextMissing     = fault.Bad("text", "contact.text_missing", "a text is required")
	ErrTextTooLong     = fault.Bad("text", "contact.text_too_long", "a note can have 10,000 characters at most")
	ErrTextInvalid     = fault.Bad("text", "contact.text_invalid", "the text is not UTF-8 or holds U+0000")
	ErrReasonTooLong   = fault.Bad("reason", "contact.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReasonInvalid   = fault.Bad("reason", "contact.reason_invalid", "the reason is not UTF-8 or holds U+0000")
	ErrBotMissing      = fault.Bad("bot", "contact.bot_missing", "a bot is required")
	ErrFlowMissing     = fault.Bad("flow", "contact.flow_missing", "a chatflow is required")
	ErrFlow            = fault.Bad("flow", "contact.bad_flow", "the chatflow is longer than 200 characters, is not UTF-8 or holds U+0000")
	ErrQuestionMissing = fault.Bad("question", "contact.question_missing", "a question is required")
	ErrQuestion        = fault.Bad("question", "contact.bad_question", "the question is longer than 1,000 characters, is not UTF-8 or holds U+0000")
	ErrAnswer          = fault.Bad("value", "contact.bad_answer", "the answer is longer than 10,000 characters, is not UTF-8 or holds U+0000")
	ErrOther           = fault.Bad("contact", "contact.other_missing", "the other contact is required")
)

var (
	noteText     = text.Rule{Max: MaxNote, Missing: ErrTextMissing, TooLong: ErrTextTooLong, Unclean: ErrTextInvalid}
	flowText     = text.Rule{Max: text.MaxName, Missing: ErrFlowMissing, TooLong: ErrFlow, Unclean: ErrFlow}
	questionText = text.Rule{Max: text.MaxReason, Missing: ErrQuestionMissing, TooLong: ErrQuestion, Unclean: ErrQuestion}
	answerText   = text.Rule{Max: MaxAnswer, TooLong: ErrAnswer, Unclean: ErrAnswer}
	reasonText   = text.Rule{Max: text.MaxReason, TooLong: ErrReasonTooLong, Unclean: ErrReasonInvalid}
	valueText    = text.Rule{Max: MaxValue, TooLong: ErrValue, Unclean: ErrValue}
)

// inField returns a refusal that names the field at fault.
func inField(e *fault.Error, field string) *fault.Error {
	c := *e
	c.Field = field
	return &c
}

var (
	noteRules = notes.Rules{Text: noteText, Missing: ErrNoteMissing, ByMissing: ErrByMissing, NotFound: ErrNoteNotFound, Other: ErrNoteOther, TooMany: ErrTooManyNotes, Max: MaxNotes}
	tagRules  = tagging.Rules{ToAdd: ErrTagToAdd, ToRemove: ErrTagToRemove, BothWays: ErrTagBothWays, TooMany: ErrTooManyTags, Max: MaxTags}
)
