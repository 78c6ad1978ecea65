package commandapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/internal/web"
)

type templateWith[B any] struct {
	Template template.ID `path:"template"`
	Body     B
}

// NewTemplateBody is a template to define.
type NewTemplateBody struct {
	Channel  string `json:"channel" doc:"The id of the channel that has it."`
	Name     string `json:"name" example:"delivery_update" doc:"1 to 512 small letters, digits and underscores."`
	Language string `json:"language" example:"en_US" doc:"The provider's code of the language."`
	TemplateBody
}

// TemplateBody is what a template consists of.
type TemplateBody struct {
	Category   string         `json:"category" enum:"marketing,utility,authentication" example:"utility"`
	Components ComponentsBody `json:"components"`
}

// ComponentsBody are the parts of a template.
type ComponentsBody struct {
	Header  *HeaderBody  `json:"header,omitempty"`
	Body    string       `json:"body" example:"Hello {{1}}, your parcel {{2}} left today." doc:"At most 1,024 characters, with variables {{1}}, {{2}} … or {{a_name}}."`
	Footer  string       `json:"footer,omitempty" example:"Acme Tea" doc:"At most 60 characters."`
	Buttons []ButtonBody `json:"buttons,omitempty" maxItems:"10"`
}

// HeaderBody is what is above the body.
type HeaderBody struct {
	Kind string `json:"kind" enum:"text,image,document,video" doc:"What is no text gets its file with each use."`
	Text string `json:"text,omitempty" example:"On its way" doc:"With kind text: at most 60 characters and one variable."`
}

// ButtonBody is a button below the body.
type ButtonBody struct {
	Kind  string `json:"kind" enum:"quick_reply,url,phone,copy_code,otp"`
	Text  string `json:"text,omitempty" example:"Track it" doc:"At most 25 characters."`
	URL   string `json:"url,omitempty" example:"https://shop.example/track/{{1}}" doc:"With kind url; it may end in {{1}}."`
	Phone string `json:"phone,omitempty" example:"+15550001" doc:"With kind phone."`
}

func (b ComponentsBody) components() template.Components {
	c := template.Components{Body: b.Body, Footer: b.Footer}
	if b.Header != nil {
		c.Header = &template.Header{Kind: template.HeaderKind(b.Header.Kind), Text: b.Header.Text}
	}
	for _, k := range b.Buttons {
		c.Buttons = append(c.Buttons, template.Button{Kind: template.ButtonKind(k.Kind), Text: k.Text, URL: k.URL, Phone: k.Phone})
	}
	return c
}

// UseTemplateBody says which template a message is.
type UseTemplateBody struct {
	ID     string         `json:"id,omitempty" doc:"Of the template."`
	Name   string         `json:"name,omitempty" example:"order_shipped" doc:"Instead of an id: the one of this name in the customer's language, or else in one of the workspace's (languages of PATCH /v1/settings)."`
	Values TemplateValues `json:"values,omitzero"`
}

// TemplateValues are the values of a template's variables.
type TemplateValues struct {
	Header  map[string]string `json:"header,omitempty" doc:"Of a text: by the variable's name or number."`
	Body    map[string]string `json:"body,omitempty" example:"{\"1\":\"Ann\",\"2\":\"JD0002\"}" doc:"By the variable's name or number."`
	Buttons map[string]string `json:"buttons,omitempty" example:"{\"0\":\"JD0002\"}" doc:"By the button's place, counted from 0: the end of its address, or its code."`
	Media   *TemplateMedia    `json:"media,omitempty" doc:"With a header that is no text."`
}

// TemplateMedia is the file in a header.
type TemplateMedia struct {
	ID       string `json:"id,omitempty" doc:"What the upload to the chat was answered with."`
	Link     string `json:"link,omitempty" example:"https://shop.example/tea.jpg" doc:"Instead of an id: where the provider finds it."`
	Filename string `json:"filename,omitempty" doc:"Of a document, for people."`
}

func (v TemplateValues) values() template.Values {
	out := template.Values{Header: v.Header, Body: v.Body, Buttons: v.Buttons}
	if v.Media != nil {
		out.Media = &template.File{ID: v.Media.ID, Link: v.Media.Link, Filename: v.Media.Filename}
	}
	return out
}

func (b *UseTemplateBody) use() (commands.UseTemplate, error) {
	if (b.ID == "") == (b.Name == "") {
		return commands.UseTemplate{}, web.BadRequest(web.CodeInvalid, "body.template", "want the template's id or its name, and one of them")
	}
	return commands.UseTemplate{Template: template.ID(b.ID), Name: b.Name, Values: b.Values.values()}, nil
}

// TemplatePreviewBody is what a template is to be filled in with.
type TemplatePreviewBody struct {
	Values TemplateValues `json:"values,omitzero"`
}

// TemplatePreview is a template with its values.
type TemplatePreview struct {
	Template string `json:"template" doc:"Its id."`
	Text     string `json:"text" doc:"What the customer reads: header, body and footer."`
}

// templates is the table of what can be asked about templates.
func (a *api) templates() []web.Endpoint {
	type ctx = context.Context
	return []web.Endpoint{
		write(a, "POST /v1/templates", admins, "Define a message template",
			func(ctx ctx, c caller, in *with[NewTemplateBody]) (result, error) {
				b := in.Body
				return a.Templates.Define(ctx, c.Origin, template.Define{
					Channel: b.Channel, Name: b.Name, Language: b.Language, Category: template.Category(b.Category), Components: b.Components.components(),
				})
			}, answers(201), "A copy of what the provider has under this name and language: nothing is submitted to the provider. It is pending until the provider says that it is approved, which it does by webhook."),
		write(a, "PUT /v1/templates/{template}", admins, "Change what a message template consists of",
			func(ctx ctx, c caller, in *templateWith[TemplateBody]) (result, error) {
				return a.Templates.Change(ctx, c.Origin, in.Template, template.Change{Category: template.Category(in.Body.Category), Components: in.Body.Components.components()})
			}, "It is pending again until the provider says otherwise. Messages that were sent stay as they are."),
		a.previewTemplate(),
	}
}

// previewTemplate changes nothing, and takes a body since it has values in it.
func (a *api) previewTemplate() web.Endpoint {
	return web.NewEndpoint(web.Route{
		Method: http.MethodPost, Path: "/v1/templates/{template}/preview", Query: true, Tag: "templates",
		Summary: "See a message template filled in", Roles: anyone,
		Description: "As it would read, whether or not it is approved. A variable without a value is a refusal that names it. It changes nothing.",
	}, func(ctx context.Context, r *web.Request, in *templateWith[TemplatePreviewBody]) (*web.Answer[TemplatePreview], error) {
		head, err := a.store.Head(ctx)
		if err != nil {
			return nil, refusal(fmt.Errorf("%w: read the head: %w", commands.ErrUnavailable, err))
		}
		out, _, err := a.Templates.Fill(ctx, r.Workspace, commands.UseTemplate{Template: in.Template, Values: in.Body.Values.values()}, false)
		if err != nil {
			return nil, refusal(err)
		}
		return &web.Answer[TemplatePreview]{Position: web.Position(head.Position), Body: TemplatePreview{string(in.Template), out.Text}}, nil
	}, nil)
}

// send queues a message: a text, what a quick reply makes of one, or a template.
func (a *api) send(ctx context.Context, c caller, in *chatWith[SendBody]) (result, error) {
	r, err := a.queue(ctx, c, in.Chat, in.Body, nil)
	return r, a.offering(ctx, c, in.Chat, err)
}

// queue queues a message, or has it sent later.
func (a *api) queue(ctx context.Context, c caller, id chat.ID, b SendBody, later *chat.Later) (result, error) {
	cmd := chat.SendMessage{Message: commands.NewMessage(c.Origin), By: c.By, Bot: c.Bot, At: c.At, Later: later}
	if err := b.one(); err != nil {
		return result{}, err
	}
	if b.ReplyTo != "" {
		cmd.ReplyTo = &chat.RepliedTo{Message: chat.MessageID(b.ReplyTo)}
	}
	switch {
	case b.Text != nil:
		cmd.Text = *b.Text
		return a.Chats.Send(ctx, c.Origin, id, cmd)
	case b.QuickReply != nil:
		r, err := a.QuickReplies.Send(ctx, c.Origin, id, cmd, commands.Use{
			Reply: quickreply.ID(b.QuickReply.ID), Version: b.QuickReply.Version, Values: b.QuickReply.Values, By: c.writer(),
		})
		return r, within("quick_reply", err)
	case b.Template != nil:
		use, err := b.Template.use()
		if err != nil {
			return result{}, err
		}
		r, err := a.Templates.Send(ctx, c.Origin, id, cmd, use)
		return r, within("template", err)
	case b.Interactive != nil:
		cmd.Interactive = b.Interactive
		return a.Chats.Send(ctx, c.Origin, id, cmd)
	}
	cmd.Text, cmd.Media = b.Media.Caption, &chat.FileUse{ID: chat.FileID(b.Media.ID), Filename: b.Media.Filename}
	return a.Chats.Send(ctx, c.Origin, id, cmd)
}

// one refuses a message that is nothing, or more than one thing.
func (b SendBody) one() error {
	const one = "want a text, a quick reply, a template, a file or something interactive, and one of them"
	var all []string
	for _, part := range []struct {
		name  string
		given bool
	}{{"text", b.Text != nil}, {"quick_reply", b.QuickReply != nil}, {"template", b.Template != nil}, {"media", b.Media != nil}, {"interactive", b.Interactive != nil}} {
		if part.given {
			all = append(all, part.name)
		}
	}
	switch len(all) {
	case 0:
		return web.BadRequest(web.CodeInvalid, "body", one)
	case 1:
		return nil
	}
	return web.BadRequest(web.CodeInvalid, "body."+all[1], one)
}

// react puts an emoji on a message, or takes it away.
func (a *api) react(ctx context.Context, c caller, id chat.ID, m chat.MessageID, emoji string) (result, error) {
	r, err := a.Chats.React(ctx, c.Origin, id, chat.React{Message: m, Emoji: emoji, By: c.By, Bot: c.Bot, At: c.At})
	return r, a.offering(ctx, c, id, err)
}

// within puts a refusal's values where they are in a larger body.
func within(part string, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Field != "values" && !strings.HasPrefix(f.Field, "values.") {
		return err
	}
	return f.At(part + "." + f.Field)
}

// tell moves an order on, and, where the customer is to be told of it and the chat takes
// no text, offers what can be sent instead.
func (a *api) tell(ctx context.Context, c caller, id order.ID, body *StepBody, step func(*commands.Notice) (result, error)) (result, error) {
	notice, err := body.notice(c)
	if err != nil {
		return result{}, err
	}
	r, err := step(notice)
	if !errors.Is(err, chat.ErrWindowClosed) {
		return r, within("template", err)
	}
	of, lookErr := a.Orders.Chat(ctx, c.Workspace, id)
	if lookErr != nil {
		return r, errors.Join(lookErr, err)
	}
	return r, a.offering(ctx, c, of, err)
}

// offering adds to the refusal of a message that only a template can be sent where
// those are that can be.
func (a *api) offering(ctx context.Context, c caller, id chat.ID, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, chat.ErrWindowClosed) {
		return err
	}
	p := web.NewProblem(http.StatusConflict, f.Code, f.Msg)
	lookErr := a.Chats.Look(ctx, c.Workspace, id, func(s chat.State) error {
		p.Templates = "/v1/templates?" + url.Values{"channel": {s.Channel}, "status": {string(template.Approved)}}.Encode()
		return nil
	})
	if lookErr != nil {
		return errors.Join(lookErr, err)
	}
	return p
}
