package commandapi

import (
	"context"
	"strings"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/transcript"
	"github.com/chatledger/chatledger/internal/web"
)

// What a request addresses, alone and with a body. A body that is a pointer may
// be left out.
type (
	with[B any] struct{ Body B }

	inChat struct {
		Chat chat.ID `path:"chat"`
	}
	chatWith[B any] struct {
		Chat chat.ID `path:"chat"`
		Body B
	}
	inMessage struct {
		Chat    chat.ID        `path:"chat"`
		Message chat.MessageID `path:"message"`
	}
	messageWith[B any] struct {
		Chat    chat.ID        `path:"chat"`
		Message chat.MessageID `path:"message"`
		Body    B
	}
	inNote struct {
		Chat chat.ID     `path:"chat"`
		Note chat.NoteID `path:"note"`
	}
	noteWith[B any] struct {
		Chat chat.ID     `path:"chat"`
		Note chat.NoteID `path:"note"`
		Body B
	}
	inOrder struct {
		Order order.ID `path:"order"`
	}
	orderWith[B any] struct {
		Order order.ID `path:"order"`
		Body  B
	}
	inOrderNote struct {
		Order order.ID     `path:"order"`
		Note  order.NoteID `path:"note"`
	}
	orderNoteWith[B any] struct {
		Order order.ID     `path:"order"`
		Note  order.NoteID `path:"note"`
		Body  B
	}
	inAgent struct {
		Agent agent.ID `path:"agent"`
	}
	agentWith[B any] struct {
		Agent agent.ID `path:"agent"`
		Body  B
	}
	inTeam struct {
		Team team.ID `path:"team"`
	}
	teamWith[B any] struct {
		Team team.ID `path:"team"`
		Body B
	}
	inMember struct {
		Team  team.ID `path:"team"`
		Agent string  `path:"agent"`
	}
	inTag struct {
		Tag tag.ID `path:"tag"`
	}
	tagWith[B any] struct {
		Tag  tag.ID `path:"tag"`
		Body B
	}
	inStatus struct {
		Status status.ID `path:"status"`
	}
	inRemap struct {
		Status  status.ID `path:"status"`
		RemapTo status.ID `query:"remap_to" example:"REVIEW" doc:"The id of the status that chats are to show instead."`
	}
	statusWith[B any] struct {
		Status status.ID `path:"status"`
		Body   B
	}
	channelWith[B any] struct {
		Channel channel.ID `path:"channel"`
		Body    B
	}
	inDelivery struct {
		Channel  channel.ID `path:"channel"`
		Delivery webhook.ID `path:"delivery"`
	}
)

// SendBody is a message for the customer.
type SendBody struct {
	Text       *string         `json:"text,omitempty" example:"Your parcel left today." doc:"At most 4,096 characters."`
	QuickReply *QuickReplyBody `json:"quick_reply,omitempty" doc:"Instead of a text: what it is made of. The message says which quick reply it was, and which version."`

	Template *UseTemplateBody `json:"template,omitempty" doc:"Instead of a text: a template that is approved, with its values. It is sent whenever the customer wrote last."`
	Media    *UseFileBody     `json:"media,omitempty" doc:"Instead of a text: a file that was uploaded to the chat."`

	Interactive *chat.Interactive `json:"interactive,omitempty" doc:"Instead of a text: something that the customer answers with a tap. It has buttons, a list or a link."`
	ReplyTo     string            `json:"reply_to,omitempty" doc:"The id of the message that this one answers, of either side; not with a template."`
}

// UseFileBody says which file a message is.
type UseFileBody struct {
	ID       string `json:"id" doc:"What the upload was answered with."`
	Caption  string `json:"caption,omitempty" example:"The handle is like this." doc:"At most 1,024 characters; none with sounds and stickers."`
	Filename string `json:"filename,omitempty" example:"invoice.pdf" doc:"Of a document: what the customer sees it called."`
}

// NoteBody is the text of a note.
type NoteBody struct {
	Text string `json:"text" example:"Prefers to be called after six."`
}

// AssignBody names an agent.
type AssignBody struct {
	Agent string `json:"agent" doc:"The id of an active agent."`
}

// TransferBody says to whom a chat is handed on.
type TransferBody struct {
	To     string `json:"to,omitempty" enum:"agent,team,bot" doc:"May be left out if agent or team is given."`
	Agent  string `json:"agent,omitempty" doc:"The agent's id, with to: agent."`
	Team   string `json:"team,omitempty" example:"billing" doc:"The team's id, with to: team."`
	Reason string `json:"reason,omitempty" example:"Has a question about an invoice."`

	Accept    *bool `json:"accept,omitempty" doc:"Only once the agent, or a member of the team, accepts. If it is not given: as the workspace's settings say, for a chat that somebody has."`
	ExpiresIn int   `json:"expires_in,omitempty" minimum:"1" maximum:"10080" example:"15" doc:"With accept: for how many minutes it is offered; as the workspace's settings say if it is not given."`
}

func (b TransferBody) command(c caller) (chat.Transfer, error) {
	cmd := chat.Transfer{Kind: chat.TransferKind(b.To), Reason: b.Reason, By: c.By}
	switch {
	case b.To != "":
	case b.Agent != "":
		cmd.Kind = chat.ToAgent
	case b.Team != "":
		cmd.Kind = chat.ToTeam
	default:
		return cmd, web.BadRequest(web.CodeInvalid, "body.to", "to whom: an agent, a team or the bot")
	}
	switch {
	case cmd.Kind != chat.ToAgent && b.Agent != "":
		return cmd, web.BadRequest(web.CodeInvalid, "body.agent", "only with to: agent")
	case cmd.Kind != chat.ToTeam && b.Team != "":
		return cmd, web.BadRequest(web.CodeInvalid, "body.team", "only with to: team")
	case cmd.Kind == chat.ToAgent:
		cmd.To = b.Agent
	case cmd.Kind == chat.ToTeam:
		cmd.To = b.Team
	}
	return cmd, nil
}

// StatusBody names a status.
type StatusBody struct {
	Status string `json:"status" example:"REVIEW" doc:"Its id or name."`
}

// OptionalStatusBody may name a status.
type OptionalStatusBody struct {
	Status string `json:"status,omitempty" example:"CLOSED" doc:"Its id or name."`
}

func (b *OptionalStatusBody) status() string {
	if b == nil {
		return ""
	}
	return b.Status
}

// ReadBody may say more of a chat that was read.
type ReadBody struct {
	ShowCustomer bool `json:"show_customer,omitempty" doc:"To show the customer that what they wrote was read. It is shown once, for all that they have written."`
}

// ReadMarksBody says when customers see that something was read.
type ReadMarksBody struct {
	ReadMarks string `json:"read_marks" enum:"asked,always,never" doc:"asked: when a chat is marked as read with show_customer. always: whenever it is. never: not even then, nor that somebody writes."`
}

// ReactionBody is an emoji for a message of the customer.
type ReactionBody struct {
	Emoji string `json:"emoji" example:"👍" doc:"One emoji; the empty text takes the one away that is there."`
}

// SnoozeBody says until when a chat is put aside.
type SnoozeBody struct {
	Until      *time.Time `json:"until,omitempty" example:"2026-12-01T09:00:00+01:00" doc:"A time to come, within a year."`
	UntilReply bool       `json:"until_reply,omitempty" doc:"Instead: until the customer writes."`
}

func (b SnoozeBody) until() (t time.Time) {
	if b.Until != nil {
		t = *b.Until
	}
	return t
}

// TagsBody is a change of tags.
type TagsBody struct {
	Add    []string `json:"add,omitempty" maxItems:"100" example:"[\"vip\"]" doc:"Ids or names."`
	Remove []string `json:"remove,omitempty" maxItems:"100" example:"[\"new\"]" doc:"Ids or names."`
}

// ReasonBody may say why.
type ReasonBody struct {
	Reason string `json:"reason,omitempty" example:"Asked for by the customer." doc:"At most 1,000 characters."`
}

func (b *ReasonBody) reason() string {
	if b == nil {
		return ""
	}
	return b.Reason
}

// OrderBody is an order to be placed.
type OrderBody struct {
	External string     `json:"external_id,omitempty" example:"SHOP-1001" doc:"The caller's own id for it: at most one order in the workspace has it."`
	Chat     string     `json:"chat,omitempty" doc:"The id of the chat it belongs to."`
	Currency string     `json:"currency" example:"EUR" doc:"ISO 4217."`
	Lines    []LineBody `json:"lines" maxItems:"500"`
	Comment  string     `json:"comment,omitempty" example:"Please ring twice."`
}

// LineBody is a product of an order.
type LineBody struct {
	Product   string `json:"product" example:"SKU-1" doc:"The shop's id for it."`
	Name      string `json:"name,omitempty" example:"Green tea"`
	Quantity  int64  `json:"quantity" example:"2"`
	UnitPrice int64  `json:"unit_price" example:"1050" doc:"In minor units of the currency."`
	Currency  string `json:"currency,omitempty" example:"EUR" doc:"If it is given: that of the order."`
}

func (b OrderBody) command(c caller) (order.Place, error) {
	cmd := order.Place{
		Workspace: c.Workspace, Chat: b.Chat, Source: order.SourceAPI, External: b.External,
		Comment: b.Comment, Currency: b.Currency, At: c.At,
	}
	for _, l := range b.Lines {
		if l.Currency != "" && l.Currency != b.Currency {
			return cmd, order.ErrMixedCurrencies
		}
		cmd.Lines = append(cmd.Lines, order.PlaceLine{Product: l.Product, Name: l.Name, Quantity: l.Quantity, UnitPrice: l.UnitPrice})
	}
	return cmd, nil
}

// StepBody may ask for the customer to be told of an order's new status.
type StepBody struct {
	Notify bool   `json:"notify,omitempty" doc:"Whether to tell the customer, by a message in the order's chat."`
	Text   string `json:"text,omitempty" example:"Your tea left today." doc:"What to say, at most 4,096 characters. Without it: a sentence that names the status. Only with notify."`

	Template *UseTemplateBody `json:"template,omitempty" doc:"To be sent instead of a text. Only with notify."`
}

func (b *StepBody) notice(c caller) (*commands.Notice, error) {
	switch {
	case b == nil:
		return nil, nil //nolint:nilnil // nobody is to be told
	case b.Text != "" && !b.Notify:
		return nil, web.BadRequest(web.CodeInvalid, "body.text", "only with notify: true")
	case b.Template != nil && !b.Notify:
		return nil, web.BadRequest(web.CodeInvalid, "body.template", "only with notify: true")
	case b.Template != nil && b.Text != "":
		return nil, web.BadRequest(web.CodeInvalid, "body.template", "want a text or a template, and one of them")
	case !b.Notify:
		return nil, nil //nolint:nilnil // the same
	}
	n := &commands.Notice{Text: b.Text, By: string(c.By), Bot: c.Bot, At: c.At}
	if b.Template != nil {
		use, err := b.Template.use()
		if err != nil {
			return nil, err
		}
		n.Template = &use
	}
	return n, nil
}

// EndBody may say why, and ask for the customer to be told.
type EndBody struct {
	StepBody
	Reason string `json:"reason,omitempty" example:"Asked for by the customer." doc:"At most 1,000 characters. Not told to the customer."`
}

func (b *EndBody) parts() (reason string, step *StepBody) {
	if b == nil {
		return "", nil
	}
	return b.Reason, &b.StepBody
}

// ShipBody says how an order travels.
type ShipBody struct {
	StepBody
	Carrier  string `json:"carrier,omitempty" example:"DHL"`
	Tracking string `json:"tracking,omitempty" example:"JD0002"`
}

func (b *ShipBody) command() (order.Ship, *StepBody) {
	if b == nil {
		return order.Ship{}, nil
	}
	return order.Ship{Carrier: b.Carrier, Tracking: b.Tracking}, &b.StepBody
}

// PaymentBody says how a payment stands.
type PaymentBody struct {
	Payment   string `json:"payment" example:"paid" doc:"unpaid, pending, paid, failed, partly_refunded or refunded"`
	Reference string `json:"reference,omitempty" example:"pi_3NX" doc:"The payment's id where it was made; at most 200 characters."`
	Reason    string `json:"reason,omitempty" doc:"At most 1,000 characters."`
}

// InviteBody is a new member of staff.
type InviteBody struct {
	Name  string `json:"name" example:"Ann"`
	Email string `json:"email,omitempty" example:"ann@example.com"`
	Role  string `json:"role" example:"agent" doc:"agent, supervisor, auditor, analyst, admin or bot"`
}

func (b InviteBody) id(c caller) agent.ID {
	unique := b.Email
	if strings.TrimSpace(unique) == "" {
		unique = b.Name
	}
	return agent.ID(ids.Agent(c.Workspace, unique))
}

// RoleBody names a role.
type RoleBody struct {
	Role string `json:"role" example:"supervisor" doc:"agent, supervisor, auditor, analyst, admin or bot"`
}

// AvailabilityBody says whether somebody is at work.
type AvailabilityBody struct {
	Availability string `json:"availability" example:"online" doc:"online, away or offline"`
}

// CapacityBody is how many chats an agent can take.
type CapacityBody struct {
	Capacity int64 `json:"capacity" example:"5" doc:"Open chats at once, at most 10,000; 0 means no bound."`
}

// RuleBody names a rule.
type RuleBody struct {
	Rule string `json:"rule" example:"least_busy" doc:"manual, round_robin or least_busy"`
}

// HoursBody is when a team works.
type HoursBody struct {
	Zone       string          `json:"zone,omitempty" example:"Europe/Berlin" doc:"An IANA name. None: the team always works."`
	Weekly     []SpanBody      `json:"weekly,omitempty" maxItems:"70"`
	Exceptions []ExceptionBody `json:"exceptions,omitempty" maxItems:"400"`
}

// SpanBody is a part of a day of the week.
type SpanBody struct {
	Day  int    `json:"day" example:"1" doc:"1 is Monday, 7 Sunday."`
	From string `json:"from" example:"09:00"`
	To   string `json:"to" example:"17:30" doc:"At most 24:00: the first minute that is out."`
}

// ExceptionBody is a date with hours of its own.
type ExceptionBody struct {
	Date string        `json:"date" example:"2026-12-24"`
	Open []DaySpanBody `json:"open,omitempty" maxItems:"10" doc:"None: it is a day off."`
}

// DaySpanBody is a part of a day.
type DaySpanBody struct {
	From string `json:"from" example:"09:00"`
	To   string `json:"to" example:"12:00"`
}

func (b HoursBody) hours() (h team.Hours, err error) {
	if _, err := transcript.Zone(b.Zone); err != nil {
		return h, team.ErrZone
	}
	h.Zone = b.Zone
	for _, s := range b.Weekly {
		h.Weekly = append(h.Weekly, team.Span(s))
	}
	for _, e := range b.Exceptions {
		x := team.Exception{Date: e.Date}
		for _, s := range e.Open {
			x.Open = append(x.Open, team.Span{From: s.From, To: s.To})
		}
		h.Exceptions = append(h.Exceptions, x)
	}
	return h, nil
}

// NameBody is a name.
type NameBody struct {
	Name string `json:"name" example:"Billing"`
}

// MemberBody names an agent.
type MemberBody struct {
	Agent string `json:"agent" doc:"The agent's id."`
}

// TagBody is a new tag.
type TagBody struct {
	Name   string `json:"name" example:"VIP"`
	Colour string `json:"colour,omitempty" example:"#ffcc00" doc:"#rrggbb"`
}

// TagPatch changes what it names.
type TagPatch struct {
	Name   *string `json:"name,omitempty" example:"VIP"`
	Colour *string `json:"colour,omitempty" example:"#ffcc00" doc:"#rrggbb"`
}

// MergeBody names the tag that remains.
type MergeBody struct {
	Into string `json:"into" example:"vip" doc:"Its id or name."`
}

// NewStatusBody is a new status.
type NewStatusBody struct {
	Name     string `json:"name" example:"Waiting for parts"`
	Colour   string `json:"colour,omitempty" example:"#3366ff" doc:"#rrggbb"`
	Category string `json:"category" example:"pending" doc:"open, pending or closed"`
}

// StatusPatch changes what it names.
type StatusPatch struct {
	Name    *string `json:"name,omitempty" example:"In review"`
	Colour  *string `json:"colour,omitempty" example:"#3366ff" doc:"#rrggbb"`
	Order   *int    `json:"order,omitempty" minimum:"0" maximum:"1000" example:"2" doc:"Its place in the list, counted from 0; the others close up."`
	Default *bool   `json:"default,omitempty" enum:"true" doc:"New and reopened chats get it. There is always one: make another the default instead of setting this to false."`
}

func queuedMessage[B any](r result, c caller, _ *chatWith[B]) QueuedMessage {
	w := written(r)
	w.ID = string(commands.NewMessage(c.Origin))
	return QueuedMessage{Written: w, Chat: r.ID, State: string(chat.Queued)}
}

func writtenNote(r result, c caller, _ *chatWith[NoteBody]) WrittenNote {
	w := written(r)
	w.ID = string(commands.NewNote(c.Origin))
	return WrittenNote{Written: w, Chat: r.ID}
}

func writtenOrderNote(r result, c caller, _ *orderWith[NoteBody]) WrittenOrderNote {
	w := written(r)
	w.ID = string(commands.NewOrderNote(c.Origin))
	return WrittenOrderNote{Written: w, Order: r.ID}
}

func (a *api) setAvailability(ctx context.Context, c caller, in *agentWith[AvailabilityBody]) (result, error) {
	return a.Agents.SetAvailability(ctx, c.Origin, in.Agent, agent.SetAvailability{Availability: agent.Availability(in.Body.Availability)})
}

func (a *api) setMyAvailability(ctx context.Context, c caller, in *with[AvailabilityBody]) (result, error) {
	if c.Agent == "" {
		return result{}, ErrNoAgent
	}
	return a.setAvailability(ctx, c, &agentWith[AvailabilityBody]{agent.ID(c.Agent), in.Body})
}

func (a *api) patchTag(ctx context.Context, c caller, in *tagWith[TagPatch]) (result, error) {
	var changes []func(tag.State) ([]tag.Event, error)
	if in.Body.Name != nil {
		changes = append(changes, tag.Rename{Tag: in.Tag, Name: *in.Body.Name}.Decide)
	}
	if in.Body.Colour != nil {
		changes = append(changes, tag.Recolour{Tag: in.Tag, Colour: *in.Body.Colour}.Decide)
	}
	r, err := change(ctx, c, a.Tags.Change, changes)
	return called(string(in.Tag), r, err)
}

func (a *api) patchStatus(ctx context.Context, c caller, in *statusWith[StatusPatch]) (result, error) {
	var changes []func(status.State) ([]status.Event, error)
	if in.Body.Name != nil {
		changes = append(changes, status.Rename{Status: in.Status, Name: *in.Body.Name}.Decide)
	}
	if in.Body.Colour != nil {
		changes = append(changes, status.Recolour{Status: in.Status, Colour: *in.Body.Colour}.Decide)
	}
	if in.Body.Order != nil {
		changes = append(changes, status.Move{Status: in.Status, To: *in.Body.Order}.Decide)
	}
	if in.Body.Default != nil {
		changes = append(changes, status.SetDefault{Status: in.Status}.Decide)
	}
	r, err := change(ctx, c, a.Statuses.Change, changes)
	return called(string(in.Status), r, err)
}

func (a *api) retranslate(ctx context.Context, c caller, in *inDelivery) (result, error) {
	err := a.Webhooks.Look(ctx, c.Workspace, in.Delivery, func(s webhook.State) error {
		if s.Channel != string(in.Channel) {
			return webhook.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return result{}, err
	}
	return a.Webhooks.RequestRetranslation(ctx, c.Origin, in.Delivery, webhook.RequestRetranslation{By: c.Actor})
}
