package chat

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"time"

	"github.com/chatledger/chatledger/domain/internal/notes"
	"github.com/chatledger/chatledger/domain/media"
)

// Events is the catalogue of everything that can happen to a chat, in the
// order of a chat's life. The codec is built from it; a test keeps it complete.
var Events = []Event{
	Opened{},
	MessageReceived{},
	ReactionReceived{},
	SystemNoticed{},
	DetailsShared{},
	MessageQueued{},
	MessageAccepted{},
	DeliveryRecorded{},
	Claimed{},
	Assigned{},
	Unassigned{},
	Transferred{},
	TagsChanged{},
	NoteAdded{},
	NoteEdited{},
	NoteDeleted{},
	StatusSet{},
	Closed{},
	Reopened{},
	MarkedRead{},
	MarkedUnread{},
	Deleted{},
	Restored{},
	TranscriptDownloaded{},
	CallRequested{},
	CallEnded{},
	Snoozed{},
	Woken{},
	MediaStored{},
	MediaFailed{},
	MediaRequested{},
	FileUploaded{},
	FileDiscarded{},
	ReactionQueued{},
	ReactionSent{},
	ReactionFailed{},
	ReadShown{},
	OptedOut{},
	OptedIn{},
	MessageScheduled{},
	ScheduleChanged{},
	ScheduleCancelled{},
	ScheduleFailed{},
	TransferOffered{},
	TransferLapsed{},
	CallPermissionChanged{},
}

// Opened starts a chat: a customer is seen on a channel for the first time.
type Opened struct {
	Workspace string    `json:"workspace"`
	Channel   string    `json:"channel"`  // the channel's id
	Customer  string    `json:"customer"` // the customer's id in the channel: for WhatsApp the digits of the number
	Status    string    `json:"status"`   // the workspace's default status
	Category  Category  `json:"category"` // of that status
	At        time.Time `json:"at"`       // UTC; of the message that opened it
}

// MessageReceived is what a customer wrote.
type MessageReceived struct {
	Message     MessageID `json:"message"`
	ProviderID  string    `json:"provider_id"`            // such as "wamid.…"
	ProfileName string    `json:"profile_name,omitempty"` // as the customer calls themselves in the channel
	Content     Content   `json:"content"`
	Context     *Context  `json:"context,omitempty"`  // what it answers
	Referral    *Referral `json:"referral,omitempty"` // the advertisement that led here
	Blocked     bool      `json:"blocked,omitempty"`  // the customer was: nobody is to be bothered with it
	At          time.Time `json:"at"`                 // UTC; when the customer sent it
}

// ReactionReceived is an emoji that a customer put on a message, or took away.
type ReactionReceived struct {
	ProviderID string    `json:"provider_id"`     // of the reaction itself
	Target     string    `json:"target"`          // provider id of the message reacted to, perhaps unknown to us
	Emoji      string    `json:"emoji,omitempty"` // "" takes the reaction away
	At         time.Time `json:"at"`
}

// SystemNoticed is something the channel tells about the customer, such as a
// new number. It is shown in the conversation and changes nothing else.
type SystemNoticed struct {
	ProviderID string    `json:"provider_id"`
	Kind       string    `json:"kind"` // the provider's word, such as "user_changed_number"
	Text       string    `json:"text"`
	NewNumber  string    `json:"new_number,omitempty"`
	At         time.Time `json:"at"`
}

// DetailsShared makes the visitor a contact: details were shared, by whom and
// how the event says.
type DetailsShared struct {
	Reason  ContactReason `json:"reason"`
	Name    string        `json:"name,omitempty"`
	Emails  []string      `json:"emails,omitempty"`
	Phones  []string      `json:"phones,omitempty"` // E.164 where it can be told, else as given
	Company string        `json:"company,omitempty"`
	City    string        `json:"city,omitempty"`
	Country string        `json:"country,omitempty"`
	Message MessageID     `json:"message,omitempty"` // the message that held them
	By      AgentID       `json:"by,omitempty"`      // the agent who typed them in
	Emptied []string      `json:"emptied,omitempty"` // details that the contact has no more, by the names they have above
	At      time.Time     `json:"at"`

	Gone bool `json:"gone,omitempty"` // the contact was deleted: the visitor is none until details are shared again
}

// MessageQueued is an answer that is to be sent to the customer.
type MessageQueued struct {
	Message MessageID `json:"message"`
	Text    string    `json:"text"`
	By      AgentID   `json:"by"`
	Bot     bool      `json:"bot,omitempty"` // By is a bot, not a person
	At      time.Time `json:"at"`

	QuickReply *QuickReplyUse `json:"quick_reply,omitempty"` // that the text was made from
	Template   *TemplateUse   `json:"template,omitempty"`    // that is sent; the text is what it says
	Campaign   string         `json:"campaign,omitempty"`    // the id of the campaign that it is a part of
	Scheduled  bool           `json:"scheduled,omitempty"`   // it was scheduled, and its time has come
	Media      *FileUse       `json:"media,omitempty"`       // that is sent; the text is its caption

	CallPermission bool `json:"call_permission,omitempty"` // it asks the customer to allow calls; the text says why

	Interactive *Interactive `json:"interactive,omitempty"` // that is sent; the text is its words
	ReplyTo     *RepliedTo   `json:"reply_to,omitempty"`    // the message that it answers
}

// QuickReplyUse is the quick reply that a text was made from.
type QuickReplyUse struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
}

// MessageAccepted says that the provider took a message and how it calls it.
type MessageAccepted struct {
	Message    MessageID `json:"message"`
	ProviderID string    `json:"provider_id"`
	At         time.Time `json:"at"`
}

// DeliveryRecorded says how far a message got. The report of a provider names
// the message by ProviderID, which may not be known yet; our own failure to
// hand it over names it by Message.
type DeliveryRecorded struct {
	Message    MessageID      `json:"message,omitempty"`
	ProviderID string         `json:"provider_id,omitempty"`
	State      Delivery       `json:"state"`
	Error      *DeliveryError `json:"error,omitempty"` // only with state failed
	At         time.Time      `json:"at"`
}

// Claimed is an agent taking a chat that nobody had.
type Claimed struct {
	By AgentID `json:"by"`
}

// Assigned makes To responsible for the chat.
type Assigned struct {
	To     AgentID `json:"to"`
	From   AgentID `json:"from,omitempty"`
	Choice *Choice `json:"choice,omitempty"` // if the rule of a team chose To: why
}

// Unassigned leaves the chat to nobody.
type Unassigned struct {
	From AgentID `json:"from"`
}

// Transferred hands the chat on: to an agent, to a team (which leaves it without
// an assignee) or back to the bot (which leaves it without team and assignee).
type Transferred struct {
	Kind     TransferKind `json:"kind"`
	To       string       `json:"to,omitempty"` // an agent's or a team's id; "" for the bot
	From     AgentID      `json:"from,omitempty"`
	FromTeam TeamID       `json:"from_team,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Accepted bool         `json:"accepted,omitempty"` // it was offered before, and accepted
}

// TagsChanged is a delta: tags that were not there before, tags that were.
type TagsChanged struct {
	Added   []TagID `json:"added,omitempty"`
	Removed []TagID `json:"removed,omitempty"`
}

// NoteAdded is private text on the chat, never sent to the customer.
type NoteAdded struct {
	Note NoteID    `json:"note"`
	Text string    `json:"text"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// NoteEdited replaces the text of a note; the log keeps the old one.
type NoteEdited struct {
	Note NoteID    `json:"note"`
	Text string    `json:"text"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// NoteDeleted takes a note out of the conversation; the log keeps it.
type NoteDeleted struct {
	Note NoteID    `json:"note"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// StatusSet moves the chat to another status that is not in the closed category.
type StatusSet struct {
	Status   string   `json:"status"`
	Category Category `json:"category"`
	From     string   `json:"from"`
}

// Closed moves the chat to a status of the closed category.
type Closed struct {
	Status   string   `json:"status"`
	Category Category `json:"category"`
	From     string   `json:"from"`
}

// Reopened moves a closed chat to a status that is not closed.
type Reopened struct {
	Status   string    `json:"status"`
	Category Category  `json:"category"`
	From     string    `json:"from"`
	Message  MessageID `json:"message,omitempty"` // the customer's message that did it, if one did
}

// MarkedRead says that the agent has seen everything recorded before it.
type MarkedRead struct {
	By AgentID `json:"by"`
}

// MarkedUnread says that an agent wants the chat to count as unread, as if one
// message had come.
type MarkedUnread struct {
	By AgentID `json:"by"`
}

// Deleted hides the chat from every list and count.
type Deleted struct {
	By     AgentID `json:"by"`
	Reason string  `json:"reason,omitempty"`
}

// Restored brings a deleted chat back.
type Restored struct {
	By      AgentID   `json:"by,omitempty"`
	Message MessageID `json:"message,omitempty"` // the customer's message that did it, if one did
}

// TranscriptDownloaded says that somebody took a transcript of the chat with
// them, and of what.
type TranscriptDownloaded struct {
	Format TranscriptFormat `json:"format"`
	Notes  bool             `json:"notes"`  // private notes are in it
	Events bool             `json:"events"` // what happened to the chat is in it
	Zone   string           `json:"zone"`   // of its times: an IANA name
	AsOf   int64            `json:"as_of"`  // a position of the log: nothing behind it is in it
	By     AgentID          `json:"by"`
}

// Choice is why the rule of a team chose an agent.
type Choice struct {
	Team    TeamID `json:"team"`
	Rule    string `json:"rule"`    // round_robin or least_busy
	Reason  string `json:"reason"`  // in words
	Load    int64  `json:"load"`    // open chats that the agent had
	Able    int64  `json:"able"`    // members who could have got it
	Offline int64  `json:"offline"` // members passed over since they were not online
	Full    int64  `json:"full"`    // since they had as many chats as they can take
}

// CallRequested says that somebody calls the customer. The call has a stream of
// its own.
type CallRequested struct {
	Call     string    `json:"call"`
	Phone    string    `json:"phone"`           // "+" and digits
	Provider string    `json:"provider"`        // who makes the call
	Offer    string    `json:"offer,omitempty"` // SDP of the caller's end, where the provider wants one
	By       AgentID   `json:"by"`
	At       time.Time `json:"at"`
}

// CallEnded says how a call ended.
type CallEnded struct {
	Call     string    `json:"call"`
	Outcome  string    `json:"outcome"`          // completed, no_answer, failed or rejected
	Reason   string    `json:"reason,omitempty"` // a code
	Duration int64     `json:"duration_seconds"` // 0 unless completed
	At       time.Time `json:"at"`
}

// Snoozed puts the chat aside until a time or until the customer writes, whichever
// comes first.
type Snoozed struct {
	Until time.Time `json:"until,omitzero"` // UTC; absent: until the customer writes
	By    AgentID   `json:"by"`
	At    time.Time `json:"at"`
}

// Woken brings a snoozed chat back. One whose time has come counts as unread.
type Woken struct {
	Reason  WakeReason `json:"reason"`
	By      AgentID    `json:"by,omitempty"`      // who woke it, if an agent did
	Message MessageID  `json:"message,omitempty"` // the customer's message that did it, if one did
}

// MediaStored says that the file of a message is kept by us, and as what.
type MediaStored struct {
	Message  MessageID `json:"message"`
	SHA256   string    `json:"sha256"`    // of the file, in hex: it is kept under that
	Size     int64     `json:"size"`      // bytes
	MIMEType string    `json:"mime_type"` // as which it is shown; application/octet-stream for what is not as it says
	At       time.Time `json:"at"`
}

// MediaFailed says that the file of a message could not be had.
type MediaFailed struct {
	Message MessageID        `json:"message"`
	Code    MediaFailureCode `json:"code"`
	Reason  string           `json:"reason,omitempty"` // for people
	At      time.Time        `json:"at"`
}

// FileUploaded says that a file is kept that messages of the chat can be sent with.
type FileUploaded struct {
	File FileUse   `json:"file"`
	By   AgentID   `json:"by"`
	Bot  bool      `json:"bot,omitempty"` // By is a bot, not a person
	At   time.Time `json:"at"`
}

// FileDiscarded says that a file which was uploaded, and which no message was sent with,
// is kept no more.
type FileDiscarded struct {
	File   FileID    `json:"file"`
	SHA256 string    `json:"sha256"` // in hex: it was kept under that
	At     time.Time `json:"at"`
}

// FileUse is a file that is sent: all that its provider has to be told.
type FileUse struct {
	ID       FileID     `json:"id"`
	Kind     media.Kind `json:"kind"`   // image, audio, video, document or sticker
	SHA256   string     `json:"sha256"` // in hex: it is kept under that
	Size     int64      `json:"size"`   // bytes
	MIMEType string     `json:"mime_type"`
	Filename string     `json:"filename,omitempty"` // of a document, in a message
}

// ReactionQueued is an emoji that is to be put on a message of the customer, in the
// place of the one that we had put on it.
type ReactionQueued struct {
	Reaction string         `json:"reaction"` // its id
	Message  MessageID      `json:"message"`
	Target   string         `json:"target"`          // what the provider calls the message
	Emoji    string         `json:"emoji,omitempty"` // empty: the one that is there is taken away
	By       AgentID        `json:"by"`
	Bot      bool           `json:"bot,omitempty"` // By is a bot, not a person
	At       time.Time      `json:"at"`
	Instead  *ShownReaction `json:"instead,omitempty"` // what we had put on it before
}

// ReactionSent says that the provider took a reaction.
type ReactionSent struct {
	Reaction   string    `json:"reaction"`
	Message    MessageID `json:"message"`
	ProviderID string    `json:"provider_id"`
	At         time.Time `json:"at"`
}

// ReactionFailed says that the customer does not see a reaction.
type ReactionFailed struct {
	Reaction string         `json:"reaction"`
	Message  MessageID      `json:"message"`
	Target   string         `json:"target"` // what the provider calls the message
	Emoji    string         `json:"emoji,omitempty"`
	By       AgentID        `json:"by"`
	Bot      bool           `json:"bot,omitempty"` // By is a bot, not a person
	Error    *DeliveryError `json:"error"`
	Left     ShownReaction  `json:"left,omitzero"` // what the customer sees instead
	At       time.Time      `json:"at"`
}

// ReadShown says that the customer is to be shown that what they wrote was read, up to
// a message.
type ReadShown struct {
	Message    MessageID `json:"message"`
	ProviderID string    `json:"provider_id"`
	By         AgentID   `json:"by"`
	Bot        bool      `json:"bot,omitempty"`    // By is a bot, not a person
	Typing     bool      `json:"typing,omitempty"` // and that somebody writes an answer
	At         time.Time `json:"at"`
}

// FileID names a file that was uploaded to a chat.
type FileID string

// MediaRequested says that somebody wants another try at a file that could not be
// had.
type MediaRequested struct {
	Message MessageID `json:"message"`
	By      AgentID   `json:"by"`
	At      time.Time `json:"at"`
}

// OptedOut says that the customer takes no marketing on this channel.
type OptedOut struct {
	Reason  MarketingReason `json:"reason"`
	Message MessageID       `json:"message,omitempty"` // with reason word: the customer's message that says it; with provider: ours that was refused
	By      AgentID         `json:"by,omitempty"`      // with reason agent
	Note    string          `json:"note,omitempty"`    // with reason agent: why
	At      time.Time       `json:"at"`
}

// OptedIn says that the customer takes marketing again.
type OptedIn struct {
	Reason  MarketingReason `json:"reason"`
	Message MessageID       `json:"message,omitempty"` // with reason word: the customer's message that says it
	By      AgentID         `json:"by,omitempty"`      // with reason agent
	Note    string          `json:"note,omitempty"`    // with reason agent: why
	At      time.Time       `json:"at"`
}

// MessageScheduled is an answer that is to be sent at a time. It then is queued under
// the same id.
type MessageScheduled struct {
	Message       MessageID `json:"message"`
	Outgoing      Outgoing  `json:"outgoing"`
	SendAt        time.Time `json:"send_at"`                   // UTC
	CancelOnReply bool      `json:"cancel_on_reply,omitempty"` // not to be sent if the customer writes before
	By            AgentID   `json:"by"`
	Bot           bool      `json:"bot,omitempty"` // By is a bot, not a person
	At            time.Time `json:"at"`
}

// ScheduleChanged changes a message that waits for its time. It has all of it, also
// what stayed.
type ScheduleChanged struct {
	Message       MessageID `json:"message"`
	Outgoing      Outgoing  `json:"outgoing"`
	SendAt        time.Time `json:"send_at"` // UTC
	CancelOnReply bool      `json:"cancel_on_reply,omitempty"`
	By            AgentID   `json:"by"` // who changed it
	Bot           bool      `json:"bot,omitempty"`
	At            time.Time `json:"at"`
}

// ScheduleCancelled says that a scheduled message will not be sent.
type ScheduleCancelled struct {
	Message MessageID    `json:"message"`
	Reason  CancelReason `json:"reason"`
	By      AgentID      `json:"by,omitempty"`    // who cancelled it, if somebody did
	Bot     bool         `json:"bot,omitempty"`   // By is a bot, not a person
	Reply   MessageID    `json:"reply,omitempty"` // the customer's message that did it, if one did
	At      time.Time    `json:"at"`
}

// ScheduleFailed says that a scheduled message could not be sent when its time came.
// The chat counts as unread.
type ScheduleFailed struct {
	Message MessageID `json:"message"`
	Code    string    `json:"code"` // of the refusal, such as "chat.closed"
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// TransferOffered hands the chat on if the agent, or a member of the team, accepts.
// Until then it stays with the one who has it. The offer also ends, without an event of
// its own, when the chat is assigned, unassigned, transferred, closed or deleted.
type TransferOffered struct {
	Kind     TransferKind `json:"kind"` // agent or team
	To       string       `json:"to"`
	From     AgentID      `json:"from"`
	FromTeam TeamID       `json:"from_team,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Expires  time.Time    `json:"expires"` // UTC
	By       AgentID      `json:"by"`
	Bot      bool         `json:"bot,omitempty"` // By is a bot, not a person
	At       time.Time    `json:"at"`
}

// TransferLapsed says that a transfer that was offered was not accepted.
type TransferLapsed struct {
	Cause  LapseCause `json:"cause"`
	By     AgentID    `json:"by,omitempty"` // who declined or withdrew it
	Reason string     `json:"reason,omitempty"`
}

// CallPermissionChanged says whether the customer lets us call them, where the provider
// asks for that. Of several the one with the latest time counts.
type CallPermissionChanged struct {
	Allowed bool             `json:"allowed"`
	Until   time.Time        `json:"until,omitzero"` // UTC; absent: for good
	Reason  PermissionReason `json:"reason"`
	Message MessageID        `json:"message,omitempty"` // with reason customer: that says so
	At      time.Time        `json:"at"`
}

// Content is what a message holds. Kind says which of the fields matter.
type Content struct {
	Kind     string          `json:"kind"`           // text, image, video, audio, voice, document, sticker, location, contacts, button, list, flow, order, call_permission, unsupported or unknown; of ours also template, interactive or call_permission_request
	Text     string          `json:"text,omitempty"` // body, caption, chosen title or button text
	Media    *Media          `json:"media,omitempty"`
	Location *Location       `json:"location,omitempty"`
	Cards    []Card          `json:"cards,omitempty"`
	Reply    *Reply          `json:"reply,omitempty"` // what was chosen of buttons or a list
	Flow     *Flow           `json:"flow,omitempty"`
	Order    string          `json:"order,omitempty"` // id of the order it placed
	Error    *DeliveryError  `json:"error,omitempty"` // why the provider could not show it
	Raw      json.RawMessage `json:"raw,omitempty"`   // the whole message, where the kind is unknown

	Interactive *Interactive `json:"interactive,omitempty"` // of a message to the customer, of kind interactive
}

// Media is a file that the provider holds.
type Media struct {
	ID       string `json:"id"`
	MIMEType string `json:"mime_type"`
	SHA256   string `json:"sha256,omitempty"`
	Filename string `json:"filename,omitempty"`
	Animated bool   `json:"animated,omitempty"`
}

// Location is a place, in degrees (WGS 84).
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

// Card is a contact card.
type Card struct {
	Name    string   `json:"name"`
	Phones  []string `json:"phones,omitempty"`
	Emails  []string `json:"emails,omitempty"`
	Company string   `json:"company,omitempty"`
}

// Reply is the choice a customer made.
type Reply struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

// Flow is a filled-in form. Answers is the JSON that the form gave.
type Flow struct {
	Name    string          `json:"name"`
	Body    string          `json:"body,omitempty"`
	Answers json.RawMessage `json:"answers,omitempty"`
}

// Context names the message that another one answers.
type Context struct {
	ProviderID string `json:"provider_id"`
	From       string `json:"from,omitempty"`
	Forwarded  bool   `json:"forwarded,omitempty"`
}

// Referral is the advertisement or post that a customer came from.
type Referral struct {
	SourceURL  string `json:"source_url,omitempty"`
	SourceType string `json:"source_type,omitempty"`
	SourceID   string `json:"source_id,omitempty"`
	Headline   string `json:"headline,omitempty"`
	Body       string `json:"body,omitempty"`
	MediaType  string `json:"media_type,omitempty"`
	MediaURL   string `json:"media_url,omitempty"`
	ClickID    string `json:"click_id,omitempty"`
}

// DeliveryError is why a message did not get through, in the provider's words.
type DeliveryError struct {
	Code    int    `json:"code"`
	Title   string `json:"title,omitempty"`
	Details string `json:"details,omitempty"`
}

func (Opened) EventType() string           { return "chat.opened.v1" }
func (MessageReceived) EventType() string  { return "chat.message_received.v1" }
func (ReactionReceived) EventType() string { return "chat.reaction_received.v1" }
func (SystemNoticed) EventType() string    { return "chat.system_noticed.v1" }
func (DetailsShared) EventType() string    { return "chat.details_shared.v1" }
func (MessageQueued) EventType() string    { return "chat.message_queued.v1" }
func (MessageAccepted) EventType() string  { return "chat.message_accepted.v1" }
func (DeliveryRecorded) EventType() string { return "chat.delivery_recorded.v1" }
func (Claimed) EventType() string          { return "chat.claimed.v1" }
func (Assigned) EventType() string         { return "chat.assigned.v1" }
func (Unassigned) EventType() string       { return "chat.unassigned.v1" }
func (Transferred) EventType() string      { return "chat.transferred.v1" }
func (TagsChanged) EventType() string      { return "chat.tags_changed.v1" }
func (NoteAdded) EventType() string        { return "chat.note_added.v1" }
func (NoteEdited) EventType() string       { return "chat.note_edited.v1" }
func (NoteDeleted) EventType() string      { return "chat.note_deleted.v1" }
func (StatusSet) EventType() string        { return "chat.status_set.v1" }
func (Closed) EventType() string           { return "chat.closed.v1" }
func (Reopened) EventType() string         { return "chat.reopened.v1" }
func (MarkedRead) EventType() string       { return "chat.read.v1" }
func (MarkedUnread) EventType() string     { return "chat.unread.v1" }
func (Deleted) EventType() string          { return "chat.deleted.v1" }
func (Restored) EventType() string         { return "chat.restored.v1" }

func (TranscriptDownloaded) EventType() string { return "chat.transcript_downloaded.v1" }
func (CallRequested) EventType() string        { return "chat.call_requested.v1" }
func (CallEnded) EventType() string            { return "chat.call_ended.v1" }
func (MediaStored) EventType() string          { return "chat.media_stored.v1" }
func (MediaFailed) EventType() string          { return "chat.media_failed.v1" }
func (MediaRequested) EventType() string       { return "chat.media_requested.v1" }
func (FileUploaded) EventType() string         { return "chat.file_uploaded.v1" }
func (FileDiscarded) EventType() string        { return "chat.file_discarded.v1" }
func (ReactionQueued) EventType() string       { return "chat.reaction_queued.v1" }
func (ReactionSent) EventType() string         { return "chat.reaction_sent.v1" }
func (ReactionFailed) EventType() string       { return "chat.reaction_failed.v1" }
func (ReadShown) EventType() string            { return "chat.read_shown.v1" }

func (Snoozed) EventType() string { return "chat.snoozed.v1" }
func (Woken) EventType() string   { return "chat.woken.v1" }

func (OptedOut) EventType() string              { return "chat.opted_out.v1" }
func (OptedIn) EventType() string               { return "chat.opted_in.v1" }
func (MessageScheduled) EventType() string      { return "chat.message_scheduled.v1" }
func (ScheduleChanged) EventType() string       { return "chat.schedule_changed.v1" }
func (ScheduleCancelled) EventType() string     { return "chat.schedule_cancelled.v1" }
func (ScheduleFailed) EventType() string        { return "chat.schedule_failed.v1" }
func (CallPermissionChanged) EventType() string { return "chat.call_permission_changed.v1" }

func (TransferOffered) EventType() string { return "chat.transfer_offered.v1" }
func (TransferLapsed) EventType() string  { return "chat.transfer_lapsed.v1" }

func (e Opened) apply(s *State) {
	s.Exists = true
	s.Workspace, s.Channel, s.Customer = e.Workspace, e.Channel, e.Customer
	s.Status, s.Category = e.Status, e.Category
}
func (ReactionReceived) apply(*State) {}
func (SystemNoticed) apply(*State)    {}
func (e MessageQueued) apply(s *State) {
	put(&s.Outbound, e.Message, Outbound{State: Queued})
	delete(s.Scheduled, e.Message)
}

func (e MessageReceived) apply(s *State) {
	if !e.Blocked {
		s.Unread++
	}
	if !e.At.Before(s.LastReceived) { // messages may come late; of the same time the later in the log is the last
		s.LastReceived, s.LastMessage = e.At, LastMessage{e.Message, e.ProviderID}
	}
	s.Known.Profile.tell(e.ProfileName, e.At)
	if m := e.Content.Media; m != nil {
		put(&s.Media, e.Message, MediaFile{State: MediaFetching, Kind: media.Kind(e.Content.Kind), Source: *m, At: e.At})
	}
}

func (e DetailsShared) apply(s *State) {
	if s.Details = e; e.Gone {
		s.Details = DetailsShared{}
	}
	s.Known.tell(e)
}

func (e MessageAccepted) apply(s *State) {
	state := furthest(s.Outbound[e.Message].State, Sent, s.Reports[e.ProviderID].Pending)
	put(&s.Outbound, e.Message, Outbound{State: state, ProviderID: e.ProviderID})
	put(&s.Reports, e.ProviderID, Report{Message: e.Message})
}

func (e DeliveryRecorded) apply(s *State) {
	if m := s.resolve(e.Message, e.ProviderID); m != "" {
		o := s.Outbound[m]
		o.State = furthest(o.State, e.State)
		s.Outbound[m] = o
	} else if e.ProviderID != "" {
		put(&s.Reports, e.ProviderID, Report{Pending: furthest(s.Reports[e.ProviderID].Pending, e.State)})
	}
}
func (e Claimed) apply(s *State)  { s.Assignee = e.By }
func (e Assigned) apply(s *State) { s.Assignee, s.Offer = e.To, nil }
func (Unassigned) apply(s *State) { s.Assignee, s.Offer = "", nil }
func (e Transferred) apply(s *State) {
	s.Offer = nil
	switch e.Kind {
	case ToAgent:
		s.Assignee = AgentID(e.To)
	case ToTeam:
		s.Assignee, s.Team = "", TeamID(e.To)
	case ToBot:
		s.Assignee, s.Team = "", ""
	}
}

func (e TagsChanged) apply(s *State) {
	for _, t := range e.Added {
		put(&s.Tags, t, struct{}{})
	}
	for _, t := range e.Removed {
		delete(s.Tags, t)
	}
}

func (e NoteAdded) apply(s *State) {
	put(&s.Notes, e.Note, notes.New(e.By, e.Text))
}

func (e NoteEdited) apply(s *State) {
	n := s.Notes[e.Note]
	n.Text = sha256.Sum256([]byte(e.Text))
	put(&s.Notes, e.Note, n) // whose note it is stays
}

func (e NoteDeleted) apply(s *State) {
	n := s.Notes[e.Note]
	n.Deleted = true
	put(&s.Notes, e.Note, n)
}
func (e StatusSet) apply(s *State) { s.Status, s.Category = e.Status, e.Category }
func (e Closed) apply(s *State) {
	if !s.Closed() {
		s.Before = s.Status
	}
	s.Status, s.Category, s.Snooze, s.Offer = e.Status, e.Category, nil, nil
}
func (e Reopened) apply(s *State)   { s.Status, s.Category = e.Status, e.Category }
func (MarkedRead) apply(s *State)   { s.Unread = 0 }
func (MarkedUnread) apply(s *State) { s.Unread = max(s.Unread, 1) }
func (Deleted) apply(s *State)      { s.Deleted, s.Offer = true, nil }
func (Restored) apply(s *State)     { s.Deleted = false }

func (TranscriptDownloaded) apply(*State) {}
func (e CallRequested) apply(s *State)    { s.Call = e.Call }
func (e CallEnded) apply(s *State) {
	if s.Call == e.Call {
		s.Call = ""
	}
}

func (OptedOut) apply(s *State) { s.OptedOut = true }
func (OptedIn) apply(s *State)  { s.OptedOut = false }

func (e Snoozed) apply(s *State) { s.Snooze = &Snooze{Until: e.Until} }
func (e Woken) apply(s *State) {
	s.Snooze = nil
	if e.Reason == WokenByTime {
		s.Unread = max(s.Unread, 1)
	}
}

func (e MediaStored) apply(s *State) {
	f := s.Media[e.Message]
	f.State, f.SHA256 = MediaKept, e.SHA256
	put(&s.Media, e.Message, f)
}

func (e FileUploaded) apply(s *State) {
	maps.DeleteFunc(s.Files, func(_ FileID, u Upload) bool { return e.At.Sub(u.At) > UploadKept })
	put(&s.Files, e.File.ID, Upload{e.File, e.At})
}

func (e FileDiscarded) apply(s *State) { delete(s.Files, e.File) }

func (e ReactionQueued) apply(s *State) {
	r := s.Reactions[e.Message]
	r.ID, r.Target, r.Emoji, r.By, r.Bot, r.Settled = e.Reaction, e.Target, e.Emoji, e.By, e.Bot, false
	put(&s.Reactions, e.Message, r)
}

func (e ReactionSent) apply(s *State) {
	r := s.Reactions[e.Message]
	r.Settled, r.ProviderID, r.Shown = true, e.ProviderID, ShownReaction{r.Emoji, r.By, r.Bot}
	put(&s.Reactions, e.Message, r)
	put(&s.ReactionIDs, e.ProviderID, e.Message)
}

func (e ReactionFailed) apply(s *State) {
	r := s.Reactions[e.Message]
	r.Settled, r.Shown, r.ProviderID = true, e.Left, ""
	r.Emoji, r.By, r.Bot = e.Left.Emoji, e.Left.By, e.Left.Bot
	put(&s.Reactions, e.Message, r)
}

func (e ReadShown) apply(s *State) {
	s.ReadShown, s.TypingUntil = e.Message, time.Time{}
	if e.Typing {
		s.TypingUntil = e.At.Add(TypingShown)
	}
}

func (e MediaFailed) apply(s *State)    { s.media(e.Message, MediaLost) }
func (e MediaRequested) apply(s *State) { s.media(e.Message, MediaFetching) }

func (e MessageScheduled) apply(s *State) {
	put(&s.Scheduled, e.Message, Scheduled{Outgoing: e.Outgoing, Later: Later{e.SendAt, e.CancelOnReply}, By: e.By, Bot: e.Bot})
}

func (e ScheduleChanged) apply(s *State) {
	if m, ok := s.Scheduled[e.Message]; ok {
		m.Outgoing, m.Later = e.Outgoing, Later{e.SendAt, e.CancelOnReply}
		s.Scheduled[e.Message] = m
	}
}

func (e CallPermissionChanged) apply(s *State) {
	if s.CallPermission != nil && e.At.Before(s.CallPermission.At) {
		return
	}
	s.CallPermission = &CallPermission{Allowed: e.Allowed, Until: e.Until, At: e.At}
}

func (e TransferOffered) apply(s *State) {
	s.Offer = &Offer{Kind: e.Kind, To: e.To, Reason: e.Reason, By: e.By, Expires: e.Expires}
}
func (TransferLapsed) apply(s *State)      { s.Offer = nil }
func (e ScheduleCancelled) apply(s *State) { delete(s.Scheduled, e.Message) }
func (e ScheduleFailed) apply(s *State) {
	delete(s.Scheduled, e.Message)
	s.Unread = max(s.Unread, 1)
}
