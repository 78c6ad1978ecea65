package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/history"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/visitor"
)

// Paging is embedded by the input of every list that has pages. It is exported
// since huma looks for parameters in exported fields only.
type Paging struct {
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"50 if it is not given."`
}

type inChats struct {
	web.Read
	Paging
	Status   string `query:"status" example:"OPEN" doc:"The id of a status."`
	Category string `query:"category" enum:"open,pending,closed" doc:"Of the status."`
	Assignee string `query:"assignee" example:"me" doc:"me, none or the id of an agent."`
	Team     string `query:"team" doc:"The id of a team."`
	Tag      string `query:"tag" example:"vip" doc:"The id of a tag."`
	Channel  string `query:"channel" doc:"The id of a channel."`
	Unread   string `query:"unread" enum:"true,false" doc:"With or without unread messages."`
	Snoozed  string `query:"snoozed" enum:"true,false,any" doc:"Only chats that are snoozed, only others, or both. Only others if it is not given."`
	Sort     string `query:"sort" enum:"last_activity,created,waiting" doc:"last_activity if it is not given. waiting: who waits longest first."`
}

type inChat struct {
	web.Read
	Chat string `path:"chat"`
}

// Chat is a row of the list.
type Chat struct {
	ID             string       `json:"id"`
	Revision       int64        `json:"revision" doc:"For If-Match."`
	Status         string       `json:"status" example:"OPEN"`
	StatusCategory string       `json:"status_category" enum:"open,pending,closed"`
	Assignee       *string      `json:"assignee" doc:"The agent's id, or null."`
	Team           *string      `json:"team" doc:"The team's id, or null."`
	Tags           []string     `json:"tags" nullable:"false" doc:"Ids."`
	Unread         int64        `json:"unread" doc:"The customer's messages since the chat was last read."`
	LastMessage    *LastMessage `json:"last_message" doc:"Null if there is none."`
	Contact        Contact      `json:"contact"`
	Channel        string       `json:"channel"`
	CreatedAt      time.Time    `json:"created_at"`
	LastActivityAt time.Time    `json:"last_activity_at"`
	WaitingSince   *time.Time   `json:"waiting_since" doc:"Of the oldest message that has no answer, or null."`
	Snoozed        bool         `json:"snoozed" doc:"Put aside, out of the lists and counts of the others."`
	SnoozedUntil   *time.Time   `json:"snoozed_until" doc:"Null if it is not snoozed, or until the customer writes."`
	Offer          *Offer       `json:"offer" doc:"The transfer that waits to be accepted, or null."`
}

// LastMessage is the last message of a chat, in short.
type LastMessage struct {
	At      time.Time `json:"at"`
	By      string    `json:"by" enum:"customer,agent,bot"`
	Kind    string    `json:"kind" example:"text"`
	Preview string    `json:"preview"`
}

// Contact is who is in the chat.
type Contact struct {
	Name      string `json:"name"`
	Phone     string `json:"phone"`
	Email     string `json:"email"`
	IsContact bool   `json:"is_contact" doc:"Whether details were shared."`
}

func newChat(c inbox.Chat) Chat {
	out := Chat{
		ID: c.ID, Revision: c.Revision, Status: c.Status, StatusCategory: c.Category,
		Assignee: orNull(c.Assignee), Team: orNull(c.Team), Tags: orEmpty(c.Tags), Unread: c.Unread,
		Contact: Contact{c.Name, c.Phone, c.Email, c.IsContact}, Channel: c.Channel,
		CreatedAt: moment(c.CreatedAt), LastActivityAt: moment(c.LastActivityAt), WaitingSince: momentOrNull(c.WaitingSince),
		Snoozed: c.Snoozed, SnoozedUntil: momentOrNull(c.SnoozedUntil),
	}
	if c.LastAt != 0 {
		out.LastMessage = &LastMessage{moment(c.LastAt), c.LastBy, c.LastKind, c.LastPreview}
	}
	return out
}

func listChats(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inChats) (web.List[Chat], eventstore.Revision, error) {
	q := inbox.Query{
		Workspace: r.Workspace, Status: in.Status, Category: in.Category, Team: in.Team, Tag: in.Tag, Channel: in.Channel,
		Sort: inbox.Sort(in.Sort), Cursor: in.Cursor, Limit: in.Limit,
	}
	switch in.Assignee {
	case "":
	case "me":
		me := r.Actor()
		q.Assignee = &me
	case "none":
		q.Assignee = new(string)
	default:
		q.Assignee = &in.Assignee
	}
	if in.Unread != "" {
		unread := in.Unread == "true"
		q.Unread = &unread
	}
	if in.Snoozed != "any" {
		snoozed := in.Snoozed == "true"
		q.Snoozed = &snoozed
	}
	page, err := inbox.List(ctx, tx, q)
	if err != nil {
		return web.List[Chat]{}, none, err
	}
	items, err := newChats(ctx, tx, r.Workspace, page.Chats...)
	return web.NewList(items, page.Next), none, err
}

// Counts is how many chats there are.
type Counts struct {
	Tally
	Statuses map[string]int64 `json:"statuses" doc:"By the id of the status; those without chats are left out."`
	Open     Tally            `json:"open" doc:"Of the chats that are not closed."`
	Snoozed  Tally            `json:"snoozed" doc:"Of the chats that are snoozed; they are in none of the others."`
}

// Tally is what the tabs show.
type Tally struct {
	All        int64 `json:"all"`
	Mine       int64 `json:"mine" doc:"Assigned to the caller."`
	Unassigned int64 `json:"unassigned"`
	Unread     int64 `json:"unread" doc:"Chats with unread messages."`
}

func countChats(ctx context.Context, tx sqldb.Tx, r *web.Request, _ *struct{ web.Read }) (Counts, eventstore.Revision, error) {
	n, err := inbox.Counts(ctx, tx, r.Workspace, r.Actor())
	return Counts{Tally(n.Tally), n.Statuses, Tally(n.Open), Tally(n.Snoozed)}, none, err
}

// OneChat is a chat, with what the list does not say.
type OneChat struct {
	Chat
	WindowClosesAt *time.Time      `json:"window_closes_at" doc:"Until when the customer can be sent anything but templates, perhaps in the past. Null if the customer has not written, or if the channel has no such rule."`
	CallPermission *CallPermission `json:"call_permission" doc:"Whether the customer allows calls. Null if they were not asked and have said nothing, and where nobody asks for that."`
}

func getChat(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inChat) (OneChat, eventstore.Revision, error) {
	c, err := inbox.Get(ctx, tx, r.Workspace, in.Chat)
	if err != nil {
		return OneChat{}, none, err
	}
	shown, err := newChats(ctx, tx, r.Workspace, c)
	if err != nil {
		return OneChat{}, none, err
	}
	permission, err := callPermission(ctx, tx, r.Workspace, c.ID)
	if err != nil {
		return OneChat{}, none, err
	}
	closes, err := windowCloses(ctx, tx, r.Workspace, c)
	return OneChat{shown[0], closes, permission}, eventstore.Revision(c.Revision), err
}

// windowCloses says until when a chat takes free messages, as the domain decides it.
func windowCloses(ctx context.Context, tx sqldb.Tx, workspace string, c inbox.Chat) (*time.Time, error) {
	ch, err := directory.GetChannel(ctx, tx, workspace, c.Channel)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.NotFound {
		return nil, nil
	}
	if err != nil || ch.Kind != string(channel.WhatsApp) {
		return nil, err
	}
	at, err := inbox.LastReceived(ctx, tx, c.ID)
	if err != nil || at == 0 {
		return nil, err
	}
	return momentOrNull(at + chat.WhatsAppWindow.Microseconds()), nil
}

type inMessages struct {
	web.Read
	Chat   string `path:"chat"`
	Before string `query:"before" doc:"The entries just before this cursor."`
	After  string `query:"after" doc:"The entries just after this cursor."`
	Cursor string `query:"cursor" doc:"The next_cursor of the page before: goes on in its direction."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"50 if it is not given."`
	Notes  string `query:"notes" enum:"true,false" doc:"With private notes; true if it is not given."`
	Events string `query:"events" enum:"true,false" doc:"With what happened to the chat; true if it is not given."`
}

// Messages is a part of a conversation.
type Messages struct {
	Items      []Entry `json:"items" nullable:"false" doc:"Oldest first."`
	NextCursor string  `json:"next_cursor,omitempty" doc:"For cursor: older entries, or newer ones if after was given; absent if there are none."`
	Before     string  `json:"before,omitempty" doc:"For before: older entries; absent if there are none."`
	After      string  `json:"after,omitempty" doc:"For after: newer entries, now or once there are some."`

	WindowClosesAt *time.Time `json:"window_closes_at" doc:"As GET /v1/chats/{chat} shows it."`
}

// Entry is one line of a conversation.
type Entry struct {
	ID       string               `json:"id" doc:"Of the message, the note or the event."`
	Kind     string               `json:"kind" enum:"message,note,system"`
	At       time.Time            `json:"at"`
	By       Author               `json:"by"`
	Text     *string              `json:"text,omitempty" doc:"With kind message or note: that of its content, which may be empty."`
	Message  *Message             `json:"message,omitempty" doc:"With kind message."`
	Note     *Note                `json:"note,omitempty" doc:"With kind note."`
	System   *conversation.System `json:"system,omitempty" doc:"With kind system: what happened to the chat."`
	Revision int64                `json:"revision" doc:"Of the event that made the entry."`
	Position int64                `json:"position"`
}

// Author is who wrote or did something.
type Author struct {
	Kind string `json:"kind" enum:"customer,agent,bot,system"`
	ID   string `json:"id,omitempty" doc:"Of the agent, or the customer's in the channel."`
}

// Message is a message in either direction. The fields of its content are those
// that its type has.
type Message struct {
	Direction  string         `json:"direction" enum:"in,out"`
	ProviderID string         `json:"provider_id,omitempty" doc:"Absent until the provider took it."`
	Content    chat.Content   `json:"content"`
	Context    *Answered      `json:"context,omitempty" doc:"What it answers."`
	Referral   *chat.Referral `json:"referral,omitempty" doc:"The advertisement that led here."`
	Blocked    bool           `json:"blocked,omitempty" doc:"The customer was, when it came: it neither reopened the chat nor counts as unread."`
	Reactions  []Reaction     `json:"reactions,omitempty"`
	Delivery   *DeliveryState `json:"delivery,omitempty" doc:"Of a message to the customer."`
	Media      *MediaState    `json:"media,omitempty" doc:"Of a message with a file."`

	QuickReply *chat.QuickReplyUse `json:"quick_reply,omitempty" doc:"The quick reply that a message to the customer was made from."`
	Template   *chat.TemplateUse   `json:"template,omitempty" doc:"With content of kind template: which, and its values."`
	Campaign   string              `json:"campaign,omitempty" doc:"The campaign that it is a part of."`
}

// Answered names the message that another one answers.
type Answered struct {
	ProviderID string `json:"provider_id"`
	Message    string `json:"message,omitempty" doc:"Its id, if it is known."`
	From       string `json:"from,omitempty"`
	Forwarded  bool   `json:"forwarded,omitempty"`
}

// Reaction is an emoji on a message.
type Reaction struct {
	By    Author    `json:"by"`
	Emoji string    `json:"emoji"`
	At    time.Time `json:"at"`
}

// DeliveryState is how far a message got.
type DeliveryState struct {
	State string              `json:"state" enum:"queued,sent,delivered,read,failed"`
	At    time.Time           `json:"at"`
	Error *chat.DeliveryError `json:"error,omitempty" doc:"With state failed."`
}

// Note is private text.
type Note struct {
	Text     string     `json:"text"`
	EditedAt *time.Time `json:"edited_at,omitempty"`
	EditedBy string     `json:"edited_by,omitempty"`
}

func newEntry(e conversation.Entry) Entry {
	out := Entry{ID: e.ID, Kind: e.Kind, At: moment(e.At), By: Author(e.By), System: e.System, Revision: e.Revision, Position: e.Position}
	if n := e.Note; n != nil {
		out.Note = &Note{n.Text, momentOrNull(n.EditedAt), n.EditedBy}
		out.Text = &out.Note.Text
	}
	if m := e.Message; m != nil {
		out.Message = &Message{Direction: m.Direction, ProviderID: m.ProviderID, Content: m.Content, Referral: m.Referral, Blocked: m.Blocked, QuickReply: m.QuickReply, Template: m.Template, Campaign: m.Campaign}
		out.Text = &out.Message.Content.Text
		if c := m.Context; c != nil {
			out.Message.Context = &Answered{c.ProviderID, c.Message, c.From, c.Forwarded}
		}
		for _, r := range m.Reactions {
			out.Message.Reactions = append(out.Message.Reactions, Reaction{Author(r.By), r.Emoji, moment(r.At)})
		}
		if d := m.Delivery; d != nil {
			out.Message.Delivery = &DeliveryState{d.State, moment(d.At), d.Error}
		}
	}
	return out
}

// The cursor of a conversation says in which direction it goes on.
const (
	older = "b."
	newer = "a."
)

func listMessages(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inMessages) (Messages, eventstore.Revision, error) {
	c, err := inbox.Get(ctx, tx, r.Workspace, in.Chat)
	if err != nil {
		return Messages{}, none, err
	}
	closes, err := windowCloses(ctx, tx, r.Workspace, c)
	if err != nil {
		return Messages{}, none, err
	}
	q := conversation.Query{
		Workspace: r.Workspace, Chat: in.Chat, Before: in.Before, After: in.After, Limit: in.Limit,
		Notes: in.Notes != "false", Events: in.Events != "false",
	}
	if in.Cursor != "" {
		if in.Before+in.After != "" {
			return Messages{}, none, web.BadRequest(web.CodeInvalid, "query.cursor", "want cursor, before or after, not two of them")
		}
		switch direction := in.Cursor[:min(2, len(in.Cursor))]; direction {
		case older:
			q.Before = in.Cursor[2:]
		case newer:
			q.After = in.Cursor[2:]
		}
		if q.Before+q.After == "" {
			return Messages{}, none, web.BadRequest("cursor.invalid", "query.cursor", "this cursor does not belong to this list")
		}
	}
	page, err := conversation.List(ctx, tx, q)
	if err != nil {
		return Messages{}, none, err
	}
	out := Messages{Items: make([]Entry, len(page.Entries)), Before: page.Older, After: page.Newer, WindowClosesAt: closes}
	for i, e := range page.Entries {
		out.Items[i] = newEntry(e)
	}
	if err := showMedia(ctx, tx, r.Workspace, in.Chat, out.Items); err != nil {
		return Messages{}, none, err
	}
	switch {
	case q.After != "" && page.MoreNewer:
		out.NextCursor = newer + page.Newer
	case q.After == "" && page.Older != "":
		out.NextCursor = older + page.Older
	}
	return out, none, nil
}

type inHistory struct {
	web.Read
	Paging
	Chat  string `path:"chat"`
	After string `query:"after" pattern:"^(0|[1-9][0-9]{0,17})$" doc:"Only what happened after this revision."`
}

// Fact is an event of a chat.
type Fact struct {
	ID          string          `json:"id" doc:"Of the event."`
	Revision    int64           `json:"revision"`
	Position    int64           `json:"position"`
	Type        string          `json:"type" example:"chat.assigned.v1"`
	At          time.Time       `json:"at" doc:"When it happened."`
	RecordedAt  time.Time       `json:"recorded_at" doc:"When the log accepted it."`
	Actor       string          `json:"actor"`
	ActorKind   string          `json:"actor_kind" example:"agent"`
	Command     string          `json:"command" example:"chat.assign"`
	CommandID   string          `json:"command_id" doc:"Equal for the events of one command and its repeats."`
	Correlation string          `json:"correlation"`
	Causation   string          `json:"causation" doc:"The event or command that led to it."`
	Data        json.RawMessage `json:"data"`
}

// listHistory shows the history of a deleted chat to those who examine: that it
// was deleted is part of it.
func listHistory(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inHistory) (web.List[Fact], eventstore.Revision, error) {
	_, err := inbox.Get(ctx, tx, r.Workspace, in.Chat)
	if err != nil && r.Role != agent.RoleAuditor && r.Role != agent.RoleAdmin {
		return web.List[Fact]{}, none, err
	}
	q := history.Query{Workspace: r.Workspace, Chat: in.Chat, Cursor: in.Cursor, Limit: in.Limit}
	if in.After != "" {
		var after int64
		if err := json.Unmarshal([]byte(in.After), &after); err != nil {
			return web.List[Fact]{}, none, web.BadRequest(web.CodeInvalid, "query.after", "want a revision")
		}
		q.After = &after
	}
	page, listErr := history.List(ctx, tx, q)
	if listErr != nil {
		return web.List[Fact]{}, none, listErr
	}
	if err != nil && len(page.Facts) == 0 && q.Cursor == "" && q.After == nil {
		return web.List[Fact]{}, none, err
	}
	items := make([]Fact, len(page.Facts))
	for i, f := range page.Facts {
		items[i] = Fact{
			ID: f.ID, Revision: f.Revision, Position: f.Position, Type: f.Type, At: moment(f.At), RecordedAt: moment(f.RecordedAt),
			Actor: f.Actor, ActorKind: f.ActorKind, Command: f.Command, CommandID: f.CommandID,
			Correlation: f.Correlation, Causation: f.Causation, Data: f.JSON(),
		}
	}
	return web.NewList(items, page.Next), none, nil
}

// Visitor is what is known about the person in a chat.
type Visitor struct {
	Chat          string          `json:"chat"`
	Channel       string          `json:"channel"`
	Customer      string          `json:"customer" doc:"The person's id in the channel: for WhatsApp the digits of the number."`
	DisplayName   string          `json:"display_name"`
	IsContact     bool            `json:"is_contact"`
	ContactReason *string         `json:"contact_reason" doc:"How the visitor became a contact, or null."`
	Name          *KnownField     `json:"name" doc:"As shared, or null."`
	ProfileName   *KnownField     `json:"profile_name" doc:"As in the channel, or null."`
	Phone         *KnownField     `json:"phone"`
	Email         *KnownField     `json:"email"`
	Company       *KnownField     `json:"company"`
	City          *KnownField     `json:"city"`
	Country       *KnownField     `json:"country"`
	Gender        *ContactValue   `json:"gender" doc:"Of the contact, or null."`
	Language      *ContactValue   `json:"language" doc:"The same."`
	Attributes    []ContactField  `json:"attributes" nullable:"false" doc:"What the contact has of the workspace's own fields."`
	Phones        []KnownField    `json:"phones" nullable:"false" doc:"All that were given, the latest first."`
	Emails        []KnownField    `json:"emails" nullable:"false"`
	Tags          []string        `json:"tags" nullable:"false"`
	Contact       *string         `json:"contact" doc:"The contact that the visitor is, or null."`
	Blocked       bool            `json:"blocked" doc:"What the visitor writes bothers nobody, and nothing can be sent."`
	Marketing     Marketing       `json:"marketing"`
	Groups        []GroupRef      `json:"groups" nullable:"false" doc:"That the contact is in now."`
	Notes         []ContactNote   `json:"notes" nullable:"false" doc:"On the contact, the latest 200, the latest first. Those on the chat are in its conversation."`
	MoreNotes     bool            `json:"more_notes" doc:"There are older ones."`
	FirstSeen     time.Time       `json:"first_seen"`
	LastSeen      time.Time       `json:"last_seen"`
	Orders        []CurrencyTotal `json:"orders" nullable:"false" doc:"One entry for each currency."`
	Revision      int64           `json:"revision" doc:"Of the chat."`
}

// KnownField is a value with its source.
type KnownField struct {
	Value  string `json:"value"`
	Source Source `json:"source"`
}

// Source says who gave a value, how and when.
type Source struct {
	Kind     string    `json:"kind" enum:"channel,profile,contact_card,form,import,typed_in,chatflow"`
	By       string    `json:"by,omitempty"`
	ByKind   string    `json:"by_kind,omitempty"`
	Message  string    `json:"message,omitempty" doc:"The message that held it."`
	Event    string    `json:"event,omitempty" doc:"The event that said it."`
	Revision int64     `json:"revision,omitempty" doc:"Of that event."`
	At       time.Time `json:"at"`
}

func newTotals(totals []orders.Totals) []CurrencyTotal {
	out := make([]CurrencyTotal, len(totals))
	for i, t := range totals {
		out[i] = CurrencyTotal{t.Currency, t.Orders, t.Total, momentOrNull(t.LastAt)}
	}
	return out
}

// CurrencyTotal sums up the orders in one currency.
type CurrencyTotal struct {
	Currency string     `json:"currency"`
	Orders   int64      `json:"orders"`
	Total    int64      `json:"total" doc:"In minor units, of those neither cancelled nor returned."`
	LastAt   *time.Time `json:"last_at"`
}

func newField(f visitor.Field) KnownField {
	s := f.Source
	return KnownField{f.Value, Source{s.Kind, s.By, s.ByKind, s.Message, s.Event, s.Revision, moment(s.At)}}
}

func fieldOrNull(f visitor.Field) *KnownField {
	if f.Value == "" {
		return nil
	}
	k := newField(f)
	return &k
}

func (a *API) getVisitor(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inChat) (v Visitor, revision eventstore.Revision, err error) {
	c, err := inbox.Get(ctx, tx, r.Workspace, in.Chat)
	if err != nil {
		return v, none, err
	}
	p, err := visitor.Get(ctx, tx, r.Workspace, in.Chat)
	if err != nil {
		return v, none, err
	}
	totals, err := orders.TotalsByChats(ctx, tx, r.Workspace, in.Chat)
	if err != nil {
		return v, none, err
	}
	v = Visitor{
		Chat: p.Chat, Channel: p.Channel, Customer: p.Customer, DisplayName: p.Row.Name,
		IsContact: p.IsContact, ContactReason: orNull(p.ContactReason),
		Name: fieldOrNull(p.Fields.Name), ProfileName: fieldOrNull(p.Fields.ProfileName),
		Phone: fieldOrNull(p.Phone), Email: fieldOrNull(p.Fields.Email),
		Company: fieldOrNull(p.Fields.Company), City: fieldOrNull(p.Fields.City), Country: fieldOrNull(p.Fields.Country),
		Phones: []KnownField{}, Emails: []KnownField{}, Tags: orEmpty(c.Tags),
		FirstSeen: moment(p.FirstSeen), LastSeen: moment(p.LastSeen), Orders: newTotals(totals), Revision: p.Revision,
	}
	for _, f := range p.Phones {
		v.Phones = append(v.Phones, newField(f))
	}
	for _, f := range p.Emails {
		v.Emails = append(v.Emails, newField(f))
	}
	v.Groups, v.Attributes, v.Notes = []GroupRef{}, []ContactField{}, []ContactNote{}
	if v.Marketing, err = marketingOf(ctx, tx, in.Chat); err != nil {
		return v, none, err
	}
	whose, err := contacts.Of(ctx, tx, r.Workspace, in.Chat)
	if err != nil || whose == "" {
		return v, eventstore.Revision(p.Revision), err
	}
	known, err := contacts.Get(ctx, tx, r.Workspace, whose)
	if errors.Is(err, contact.ErrNotFound) {
		return v, eventstore.Revision(p.Revision), nil
	}
	if err != nil {
		return v, none, err
	}
	full := newContactProfile(known)
	v.Contact, v.Blocked, v.Notes, v.MoreNotes = &full.ID, full.Blocked, full.Notes, full.MoreNotes
	for _, f := range full.Fields {
		switch {
		case f.Field == contact.Gender:
			v.Gender = &f.Values[0]
		case f.Field == contact.Language:
			v.Language = &f.Values[0]
		case strings.HasPrefix(f.Field, contact.Custom):
			v.Attributes = append(v.Attributes, f)
		}
	}
	v.Groups, err = a.groupsOf(ctx, tx, r, known.Listed)
	return v, eventstore.Revision(p.Revision), err
}
