package commandapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/web"
)

type (
	inReply struct {
		Reply quickreply.ID `path:"reply"`
	}
	replyWith[B any] struct {
		Reply quickreply.ID `path:"reply"`
		Body  B
	}
)

// NewQuickReplyBody is a quick reply to make.
type NewQuickReplyBody struct {
	Scope    string `json:"scope" enum:"personal,team,workspace" example:"workspace" doc:"Whose it is: yours, a team's or everybody's."`
	Team     string `json:"team,omitempty" doc:"The team's id, with scope: team."`
	Shortcut string `json:"shortcut" example:"hello" doc:"What is typed behind a slash: 1 to 40 letters, digits, dashes and underscores. Unique in its scope."`
	Text     string `json:"text" example:"Hello {{contact.first_name}}, this is {{agent.name}}." doc:"At most 4,096 characters, with placeholders."`
}

func (b NewQuickReplyBody) place(c caller) (at quickreply.Place, err error) {
	at = quickreply.Place{Scope: quickreply.Scope(b.Scope)}
	switch {
	case at.Scope == quickreply.Team:
		at.Of = b.Team
	case b.Team != "":
		return at, web.BadRequest(web.CodeInvalid, "body.team", "only with scope: team")
	case at.Scope == quickreply.Personal:
		if at.Of = c.Agent; at.Of == "" {
			return at, ErrNoAgent
		}
	}
	return at, nil
}

// QuickReplyPatch makes a new version of a quick reply.
type QuickReplyPatch struct {
	Shortcut *string `json:"shortcut,omitempty" example:"hi"`
	Text     *string `json:"text,omitempty" example:"Hi {{contact.first_name}}, this is {{agent.name}}."`
}

// PreviewBody says for what a quick reply is to be filled in.
type PreviewBody struct {
	Chat    string            `json:"chat" doc:"The id of the chat."`
	Version int64             `json:"version,omitempty" minimum:"1" doc:"If given, the present version has to be this one."`
	Values  map[string]string `json:"values,omitempty" example:"{\"code\":\"AB12\"}" doc:"Of the placeholders that begin with custom, by the name behind the dot."`
}

// Preview is a quick reply with its placeholders filled in.
type Preview struct {
	Reply   string `json:"reply" doc:"The quick reply's id."`
	Version int64  `json:"version"`
	Text    string `json:"text"`
}

// QuickReplyBody says what a message is to be made of.
type QuickReplyBody struct {
	ID      string            `json:"id" example:"workspace.hello" doc:"Of the quick reply."`
	Version int64             `json:"version,omitempty" minimum:"1" doc:"What you have seen: if the quick reply was edited since, it is a 409."`
	Values  map[string]string `json:"values,omitempty" example:"{\"code\":\"AB12\"}" doc:"Of the placeholders that begin with custom, by the name behind the dot."`
}

func (c caller) writer() commands.Writer { return commands.Writer{Agent: c.Agent, Senior: c.Senior} }

// quickReplies is the table of what can be asked about quick replies.
func (a *api) quickReplies() []web.Endpoint {
	type ctx = context.Context
	const revision = "The revision is that of all quick replies of the same scope."
	return []web.Endpoint{
		write(a, "POST /v1/quick-replies", staff, "Make a quick reply", a.createQuickReply, answers(201),
			"Placeholders are filled in when it is used: "+placeholders()+". A placeholder that is none of them is refused, with its place in the text. "+
				"Anybody may make personal ones, supervisors and admins also those of teams and the workspace. "+revision),
		write(a, "PATCH /v1/quick-replies/{reply}", staff, "Make a new version of a quick reply",
			func(ctx ctx, c caller, in *replyWith[QuickReplyPatch]) (result, error) {
				if in.Body.Shortcut == nil && in.Body.Text == nil {
					return result{}, web.BadRequest(web.CodeInvalid, "body", "nothing to change is given")
				}
				return a.QuickReplies.Edit(ctx, c.Origin, c.writer(), quickreply.Edit{Reply: in.Reply, Shortcut: in.Body.Shortcut, Text: in.Body.Text})
			}, revision),
		write(a, "DELETE /v1/quick-replies/{reply}", staff, "Take a quick reply out of use",
			func(ctx ctx, c caller, in *inReply) (result, error) {
				return a.QuickReplies.Archive(ctx, c.Origin, c.writer(), quickreply.Archive{Reply: in.Reply})
			}, "Another may then have its shortcut. "+revision),
		write(a, "POST /v1/quick-replies/{reply}/restore", staff, "Take a quick reply back into use",
			func(ctx ctx, c caller, in *inReply) (result, error) {
				return a.QuickReplies.Restore(ctx, c.Origin, c.writer(), quickreply.Restore{Reply: in.Reply})
			}, revision),
		a.previewQuickReply(),
	}
}

func placeholders() (list string) {
	for _, p := range quickreply.Placeholders {
		list += "{{" + p + "}}, "
	}
	return list + "{{contact.attributes.<id>}}, and {{custom.<name>}}, whose values come with each use"
}

func (a *api) createQuickReply(ctx context.Context, c caller, in *with[NewQuickReplyBody]) (result, error) {
	at, err := in.Body.place(c)
	if err != nil {
		return result{}, err
	}
	r, err := a.QuickReplies.Create(ctx, c.Origin, c.writer(), quickreply.Create{Place: at, Shortcut: in.Body.Shortcut, Text: in.Body.Text})
	if err != nil {
		return r, err
	}
	if r.Changed {
		return a.madeIn(ctx, c, "quickreplies-"+ids.QuickReplies(c.Workspace, at.String()), "reply", r)
	}
	id, err := a.QuickReplies.Find(ctx, c.Workspace, at, in.Body.Shortcut)
	return called(string(id), r, err)
}

// previewQuickReply changes nothing, and takes a body since it has values in it.
func (a *api) previewQuickReply() web.Endpoint {
	return web.NewEndpoint(web.Route{
		Method: http.MethodPost, Path: "/v1/quick-replies/{reply}/preview", Query: true, Tag: "quick-replies",
		Summary: "See a quick reply filled in for a chat", Roles: anyone,
		Description: "As it would be sent now. A placeholder without a value is a refusal that names it. It changes nothing.",
	}, func(ctx context.Context, r *web.Request, in *replyWith[PreviewBody]) (*web.Answer[Preview], error) {
		c, err := a.caller(r)
		if err != nil {
			return nil, err
		}
		head, err := a.store.Head(ctx)
		if err != nil {
			return nil, refusal(fmt.Errorf("%w: read the head: %w", commands.ErrUnavailable, err))
		}
		f, err := a.QuickReplies.Preview(ctx, c.Origin, chat.ID(in.Body.Chat), commands.Use{
			Reply: in.Reply, Version: in.Body.Version, Values: in.Body.Values, By: c.writer(),
		})
		if err != nil {
			return nil, refusal(err)
		}
		return &web.Answer[Preview]{Position: web.Position(head.Position), Body: Preview{string(f.Reply), f.Version, f.Text}}, nil
	}, nil)
}
