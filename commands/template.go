package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/internal/ids"
)

// Templates runs the commands of package template, and sends messages that are
// templates.
type Templates struct {
	templates *aggregate[template.State, template.Event]
	chats     *aggregate[chat.State, chat.Event]
	channels  Channels
	spaces    Workspaces
	contacts  Contacts
}

// TemplateID returns the id of the template that a channel has under a name in a
// language.
func TemplateID(workspace, channel, name, language string) template.ID {
	return template.ID(ids.Template(workspace, channel, name, language))
}

// Define says what a template of a channel consists of.
func (c Templates) Define(ctx context.Context, o Origin, cmd template.Define) (Result, error) {
	cmd.Workspace, cmd.By = o.Workspace, o.Actor
	id := TemplateID(o.Workspace, cmd.Channel, cmd.Name, cmd.Language)
	return c.templates.do(ctx, o, "template.define", string(id), func(ctx context.Context, s template.State) ([]template.Event, error) {
		if err := c.channels.exists(ctx, o.Workspace, cmd.Channel); err != nil {
			return nil, err
		}
		return cmd.Decide(s)
	})
}

// Change says what a template consists of from now on.
func (c Templates) Change(ctx context.Context, o Origin, id template.ID, cmd template.Change) (Result, error) {
	cmd.By = o.Actor
	return c.templates.do(ctx, o, "template.change", string(id), decides(cmd.Decide))
}

// Report records the provider's word on a template.
func (c Templates) Report(ctx context.Context, o Origin, cmd template.Report) (Result, error) {
	cmd.Workspace = o.Workspace
	id := TemplateID(o.Workspace, cmd.Channel, cmd.Name, cmd.Language)
	return c.templates.do(ctx, o, "template.report", string(id), decides(cmd.Decide))
}

// Mirror takes over a template as the provider has it.
func (c Templates) Mirror(ctx context.Context, o Origin, cmd template.Mirror) (Result, error) {
	cmd.Workspace, cmd.By = o.Workspace, o.Actor
	id := TemplateID(o.Workspace, cmd.Channel, cmd.Name, cmd.Language)
	return c.templates.do(ctx, o, "template.mirror", string(id), decides(cmd.Decide))
}

// Look calls use with the present state of a template of the workspace.
func (c Templates) Look(ctx context.Context, workspace string, id template.ID, use func(template.State) error) error {
	return c.templates.with(ctx, string(id), func(s template.State) error {
		if s.Workspace != workspace || !s.Defined {
			return template.ErrNotFound
		}
		return use(s)
	})
}

// UseTemplate says which template is to be sent, and with what: by its id, or by
// its name, in the customer's language or else one of the workspace's.
type UseTemplate struct {
	Template template.ID
	Name     string
	Values   template.Values
}

// translate finds the id of a template that is named: the first in the languages
// to write to the customer in that can be sent.
func (c Templates) translate(ctx context.Context, of string, s chat.State, u *UseTemplate) error {
	if u.Template != "" {
		return nil
	}
	settings, err := c.spaces.Settings(ctx, of)
	if err != nil {
		return err
	}
	language, err := c.contacts.language(ctx, of, s.Customer)
	if err != nil {
		return err
	}
	languages := settings.Languages.Speak(language)
	for _, code := range languages {
		id := TemplateID(of, s.Channel, u.Name, code)
		err := c.Look(ctx, of, id, template.State.Usable)
		switch {
		case err == nil:
			u.Template = id
			return nil
		case !IsRefusal(err):
			return err
		}
	}
	if len(languages) == 0 {
		return template.ErrNoLanguage
	}
	return template.ErrNotFound.With(fmt.Sprintf("the channel has no approved template of this name in %s", strings.Join(languages, ", ")))
}

// Fill returns what a use of a template sends. A template that is not approved can
// be filled in, and not sent: approved says which of the two is meant.
func (c Templates) Fill(ctx context.Context, workspace string, u UseTemplate, approved bool) (out chat.Outgoing, channel string, err error) {
	err = c.Look(ctx, workspace, u.Template, func(s template.State) error {
		if approved {
			if err := s.Usable(); err != nil {
				return err
			}
		}
		f, err := s.Components.Fill(u.Values)
		if err != nil {
			return err
		}
		out, channel = outgoing(u.Template, s, f), s.Channel
		return nil
	})
	return out, channel, err
}

// Send queues a template for the customer, whenever they wrote last. It is filled
// in and decided together: what was not approved at that moment is not sent.
func (c Templates) Send(ctx context.Context, o Origin, id chat.ID, cmd chat.SendMessage, u UseTemplate) (Result, error) {
	return c.chats.do(ctx, o, "chat.send_message", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		// Whether the chat takes a message at all comes first.
		var err error
		if cmd.Blocked, err = c.contacts.blocked(ctx, o.Workspace, s.Customer); err != nil {
			return nil, err
		}
		probe := cmd
		probe.Text, probe.ReplyTo = "text", nil
		if events, err := probe.Decide(s); err != nil || len(events) == 0 {
			return nil, err
		}
		u := u // for another decision it may be another
		out, err := c.fillFor(ctx, o.Workspace, s, &u)
		if err != nil {
			return nil, err
		}
		out.ReplyTo = cmd.ReplyTo
		cmd.Outgoing = out
		return cmd.Decide(s)
	})
}

// fillFor returns what a use of a template sends to a chat. Of one that is named, u gets
// the id.
func (c Templates) fillFor(ctx context.Context, workspace string, s chat.State, u *UseTemplate) (chat.Outgoing, error) {
	if err := c.translate(ctx, workspace, s, u); err != nil {
		return chat.Outgoing{}, err
	}
	out, of, err := c.Fill(ctx, workspace, *u, true)
	if err == nil && of != s.Channel {
		err = template.ErrOtherChat
	}
	return out, err
}

func outgoing(id template.ID, s template.State, f template.Filled) chat.Outgoing {
	use := &chat.TemplateUse{ID: string(id), Name: s.Name, Language: s.Language, Category: string(s.Category)}
	if h := f.Header; h != nil {
		use.Header = &chat.TemplateHeader{Kind: string(h.Kind)}
		if h.Value != nil {
			use.Header.Value = &chat.TemplateValue{Name: h.Value.Name, Text: h.Value.Text}
		}
		if h.File != nil {
			use.Header.Link, use.Header.Filename = h.File.Link, h.File.Filename
			if h.File.ID != "" {
				use.Header.Filename, use.Header.File = "", &chat.FileUse{ID: chat.FileID(h.File.ID), Filename: h.File.Filename}
			}
		}
	}
	for _, v := range f.Body {
		use.Body = append(use.Body, chat.TemplateValue{Name: v.Name, Text: v.Text})
	}
	for _, b := range f.Buttons {
		use.Buttons = append(use.Buttons, chat.TemplateButton{Place: b.Place, Kind: string(b.Kind), Text: b.Text})
	}
	return chat.Outgoing{Text: f.Text, Template: use}
}

// exists refuses a channel that the workspace does not have connected.
func (c Channels) exists(ctx context.Context, workspace, id string) error {
	return c.Look(ctx, channel.ID(id), func(s channel.State) error {
		switch {
		case s.Workspace != workspace:
			return channel.ErrNotFound
		case !s.Connected:
			return channel.ErrDisconnected
		}
		return nil
	})
}
