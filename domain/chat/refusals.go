package chat

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/notes"
	"github.com/chatledger/chatledger/domain/internal/tagging"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits of what people may type and add.
const (
	MaxText   = 4_096  // runes of a message: what WhatsApp takes as a text body
	MaxNote   = 10_000 // runes of a note
	MaxReason = text.MaxReason
	MaxTags   = 100 // on one chat
)

// Refusals because of the chat's state.
var (
	ErrNotFound         = fault.New(fault.NotFound, "chat.not_found", "no such chat")
	ErrClosed           = fault.New(fault.Conflict, "chat.closed", "the chat is closed; reopen it first")
	ErrClaimed          = fault.New(fault.Conflict, "chat.claimed", "somebody else has the chat")
	ErrNotAssigned      = fault.New(fault.Conflict, "chat.not_assigned", "nobody has the chat, so it cannot be transferred to an agent; assign it")
	ErrTransferToSelf   = fault.New(fault.Conflict, "chat.transfer_to_self", "the agent has the chat already")
	ErrTooManyTags      = fault.New(fault.Conflict, "chat.too_many_tags", "a chat can have 100 tags at most")
	ErrMessageNotFound  = fault.New(fault.NotFound, "chat.message_not_found", "the chat has no such message to the customer")
	ErrAccepted         = fault.New(fault.Conflict, "chat.message_accepted", "the provider took the message under another id before")
	ErrProviderIDTaken  = fault.New(fault.Conflict, "chat.provider_id_taken", "the provider's id belongs to another message")
	ErrNoteNotFound     = fault.New(fault.NotFound, "chat.note_not_found", "the chat has no such note")
	ErrCallRunning      = fault.New(fault.Conflict, "chat.call_running", "a call of this chat goes on")
	ErrNoCalls          = fault.New(fault.Conflict, "chat.no_calls", "nobody makes calls for this channel: it is not set up for them")
	ErrNoPhone          = fault.New(fault.Conflict, "chat.no_phone", "no phone number of the customer is known")
	ErrMediaNotFound    = fault.New(fault.NotFound, "chat.media_not_found", "the chat has no such message with a file")
	ErrFileNotFound     = &fault.Error{Kind: fault.NotFound, Code: "chat.file_not_found", Msg: "no such file was uploaded to the chat", Field: "media.id"}
	ErrReactionTarget   = fault.New(fault.NotFound, "chat.reaction_target", "the customer has sent no such message in this chat")
	ErrFileExpired      = fault.New(fault.Conflict, "chat.file_expired", "the file was uploaded more than 30 days ago: upload it again")
	ErrFileInUse        = fault.New(fault.Conflict, "chat.file_in_use", "the file can still be sent")
	ErrFiles            = fault.New(fault.Conflict, "chat.too_many_files", "1,000 files were uploaded to the chat within 30 days, which is all that it takes")
	ErrMediaFetching    = fault.New(fault.Conflict, "chat.media_fetching", "the file is still being fetched; try again in a moment")
	ErrMediaFailed      = fault.New(fault.Conflict, "chat.media_failed", "the file could not be had")
	ErrWindowClosed     = fault.New(fault.Conflict, "chat.window_closed", "the customer's last message is too old: only a template can be sent")
	ErrReadMarksOff     = fault.New(fault.Conflict, "chat.read_marks_off", "the channel never shows that messages were read, without which nothing is shown of somebody who writes")
	ErrNothingToAnswer  = fault.New(fault.Conflict, "chat.nothing_to_answer", "the customer has written nothing yet that could be answered")
	ErrBlocked          = fault.New(fault.Conflict, "chat.blocked", "the customer is blocked; unblock the contact first")
	ErrOptedOut         = fault.New(fault.Conflict, "chat.opted_out", "the customer takes no marketing")
	ErrNoteOfAnother    = fault.New(fault.Forbidden, "chat.note_of_another", "the note is somebody else's")
	ErrNotScheduled     = fault.New(fault.NotFound, "chat.not_scheduled", "the chat has no such message that waits for its time")
	ErrTemplateText     = fault.New(fault.Conflict, "chat.template_text", "what a template says cannot be changed; cancel the message and schedule another")
	ErrNoCallPermission = fault.New(fault.Conflict, "chat.no_call_permission", "the customer does not allow calls")
	ErrCallsAllowed     = fault.New(fault.Conflict, "chat.calls_allowed", "the customer allows calls already")
	ErrInteractiveText  = fault.New(fault.Conflict, "chat.interactive_text", "what an interactive message says cannot be changed; cancel the message and schedule another")
	ErrReplyUnsent      = fault.New(fault.Conflict, "chat.reply_unsent", "the message to be answered has not been sent, or could not be: nothing can answer it")
	ErrOfferPending     = fault.New(fault.Conflict, "chat.offer_pending", "the chat is offered to somebody already; withdraw that first")
	ErrNoOffer          = fault.New(fault.Conflict, "chat.no_offer", "no transfer of the chat waits to be accepted: it was accepted, declined, withdrawn or overtaken, or its time is over")
	ErrOfferOfAnother   = fault.New(fault.Forbidden, "chat.offer_of_another", "the chat is not offered to you, or not by you")
	ErrTooManyScheduled = fault.New(fault.Conflict, "chat.too_many_scheduled", "a chat can have 100 scheduled messages at most")
)

// Refusals because of the request itself.
var (
	ErrAgentMissing      = fault.Bad("agent", "chat.agent_missing", "an agent is required")
	ErrTeamMissing       = fault.Bad("team", "chat.team_missing", "a team is required")
	ErrByMissing         = fault.Bad("by", "chat.by_missing", "who does it is required")
	ErrTransferKind      = fault.Bad("kind", "chat.transfer_kind", "a chat is transferred to an agent, a team or the bot")
	ErrTextMissing       = fault.Bad("text", "chat.text_missing", "a text is required")
	ErrTextTooLong       = fault.Bad("text", "chat.text_too_long", "the text is too long")
	ErrTextInvalid       = fault.Bad("text", "chat.text_invalid", "the text is not UTF-8 or holds U+0000")
	ErrInteractive       = fault.Bad("interactive", "chat.interactive", "the interactive message is not as WhatsApp takes it")
	ErrReplyUnknown      = fault.Bad("reply_to", "chat.reply_unknown", "the chat has no such message, or not lately")
	ErrReplyTemplate     = fault.Bad("reply_to", "chat.reply_template", "WhatsApp does not show what a template answers")
	ErrTemplateMissing   = fault.Bad("template", "chat.template_missing", "a template needs its id, name and language")
	ErrReasonTooLong     = fault.Bad("reason", "chat.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReasonInvalid     = fault.Bad("reason", "chat.reason_invalid", "the reason is not UTF-8 or holds U+0000")
	ErrTagToAdd          = fault.Bad("add", "chat.tag_missing", "a tag to add has no id")
	ErrTagToRemove       = fault.Bad("remove", "chat.tag_missing", "a tag to remove has no id")
	ErrTagBothWays       = fault.Bad("remove", "chat.tag_both_ways", "a tag is to be added and removed")
	ErrCallMissing       = fault.Bad("call", "chat.call_missing", "a call is required")
	ErrPhone             = fault.Bad("phone", "chat.phone", "a phone number is + and 5 to 15 digits")
	ErrNoteMissing       = fault.Bad("note", "chat.note_missing", "a note is required")
	ErrStatusMissing     = fault.Bad("status", "chat.status_missing", "a status is required")
	ErrStatusClosed      = fault.Bad("status", "chat.status_closed", "the status is of the closed category")
	ErrStatusNotClosed   = fault.Bad("status", "chat.status_not_closed", "the status is not of the closed category")
	ErrCategory          = fault.Bad("category", "chat.unknown_category", "the category is open, pending or closed")
	ErrOpening           = fault.Bad("customer", "chat.customer_missing", "workspace, channel and customer are required")
	ErrMessageMissing    = fault.Bad("message", "chat.message_missing", "a message is required")
	ErrProviderIDMissing = fault.Bad("provider_id", "chat.provider_id_missing", "the provider's id is required")
	ErrTargetMissing     = fault.Bad("target", "chat.target_missing", "a reaction needs the message it is put on")
	ErrDelivery          = fault.Bad("state", "chat.unknown_delivery", "the state is queued, sent, delivered, read or failed")
	ErrContactReason     = fault.Bad("reason", "chat.unknown_contact_reason", "the reason is contact_card, form, import, typed_in or chatflow")
	ErrNoDetails         = fault.Bad("name", "chat.no_details", "a name, an e-mail address or a phone number is required")
	ErrDetailsInvalid    = fault.Bad("name", "chat.details_invalid", "a detail is too long, is not UTF-8 or holds U+0000")
	ErrTranscriptFormat  = fault.Bad("format", "chat.unknown_transcript_format", "the format is json, csv, txt, html or proof")
	ErrAsOf              = fault.Bad("as_of", "chat.bad_as_of", "want a position of the log at which the chat was there")
	ErrSnoozeMissing     = fault.Bad("until", "chat.snooze_until_missing", "want a time, or until_reply")
	ErrSnoozeUntil       = fault.Bad("until", "chat.bad_snooze_until", "want a time to come, within a year")
	ErrFileMissing       = fault.Bad("media.id", "chat.file_missing", "want the id that an upload was answered with")
	ErrCaption           = fault.Bad("media.caption", "chat.bad_caption", "a caption is at most 1,024 characters of UTF-8 without U+0000; sounds and stickers have none")
	ErrFilename          = fault.Bad("media.filename", "chat.bad_filename", "a file name is at most 240 characters without U+0000, and of a document")
	ErrEmoji             = fault.Bad("emoji", "chat.bad_emoji", "want one emoji")
	ErrFileKind          = fault.Bad("template.values.media.id", "chat.file_kind", "the header takes a file of another kind")
	ErrMediaHash         = fault.Bad("sha256", "chat.media_hash", "want a SHA-256 as 64 hexadecimal digits, a size and a type")
	ErrMediaCode         = fault.Bad("code", "chat.media_code", "why a file could not be had is one of the codes of the product")
	ErrSendAt            = fault.Bad("send_at", "chat.bad_send_at", "want a time to come, within a year")
	ErrOfferToBot        = fault.Bad("accept", "chat.offer_to_bot", "a bot does not accept: transfer the chat without waiting")
	ErrOfferTime         = fault.Bad("expires_in", "chat.bad_offer_time", "want 1 to 10,080 minutes, which is a week")
	ErrTooManyDetails    = fault.Bad("phones", "chat.too_many_details", "at most 100 e-mail addresses and 100 phone numbers")
)

var (
	messageText = text.Rule{
		Max: MaxText, Missing: ErrTextMissing, Unclean: ErrTextInvalid,
		TooLong: ErrTextTooLong.With("a message can have 4,096 characters at most"),
	}
	noteText = text.Rule{
		Max: MaxNote, Missing: ErrTextMissing, Unclean: ErrTextInvalid,
		TooLong: ErrTextTooLong.With("a note can have 10,000 characters at most"),
	}
	reasonText = text.Rule{Max: MaxReason, TooLong: ErrReasonTooLong, Unclean: ErrReasonInvalid}
)

var (
	noteRules = notes.Rules{Text: noteText, Missing: ErrNoteMissing, ByMissing: ErrByMissing, NotFound: ErrNoteNotFound, Other: ErrNoteOfAnother}
	tagRules  = tagging.Rules{ToAdd: ErrTagToAdd, ToRemove: ErrTagToRemove, BothWays: ErrTagBothWays, TooMany: ErrTooManyTags, Max: MaxTags}
)
