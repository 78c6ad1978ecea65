package readapi

import (
	"context"
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/quickreplies"
)

type inQuickReplies struct {
	web.Read
	Paging
	Scope  string `query:"scope" enum:"personal,team,workspace" doc:"Only those of one scope."`
	Team   string `query:"team" doc:"Only those of a team, by its id."`
	Prefix string `query:"prefix" maxLength:"40" example:"hel" doc:"What the shortcut begins with; case does not count."`
	All    bool   `query:"all" doc:"Also those that are archived."`
}

type inQuickReply struct {
	web.Read
	Reply string `path:"reply"`
}

// QuickReply is a saved answer in its present version.
type QuickReply struct {
	ID           string     `json:"id" example:"workspace.hello"`
	Revision     int64      `json:"revision" doc:"Of all quick replies of the same scope, for If-Match."`
	Scope        string     `json:"scope" enum:"personal,team,workspace"`
	Team         *string    `json:"team" doc:"The team's id with scope team, or null."`
	Owner        *string    `json:"owner" doc:"The agent's id with scope personal, or null."`
	Shortcut     string     `json:"shortcut" example:"hello"`
	Text         string     `json:"text" example:"Hello {{contact.first_name}}"`
	Placeholders []string   `json:"placeholders" nullable:"false" doc:"Those in the text, each once."`
	Version      int64      `json:"version" doc:"Counted from 1."`
	Archived     bool       `json:"archived"`
	Uses         int64      `json:"uses" doc:"How often it was sent, in any version."`
	LastUsedAt   *time.Time `json:"last_used_at" doc:"Null if never."`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	UpdatedBy    string     `json:"updated_by"`
}

// QuickReplyDetails is a quick reply with what it was before.
type QuickReplyDetails struct {
	QuickReply
	Versions []QuickReplyVersion `json:"versions" nullable:"false" doc:"The latest first, at most 50."`
}

// QuickReplyVersion is a version of a quick reply.
type QuickReplyVersion struct {
	Version  int64     `json:"version"`
	Shortcut string    `json:"shortcut"`
	Text     string    `json:"text"`
	By       string    `json:"by" doc:"Who made it."`
	At       time.Time `json:"at"`
	Uses     int64     `json:"uses" doc:"How often it was sent."`
}

func newQuickReply(r quickreplies.Reply, revision int64) QuickReply {
	out := QuickReply{
		ID: r.ID, Revision: revision, Scope: r.Scope, Shortcut: r.Shortcut, Text: r.Text, Placeholders: []string{}, Version: r.Version,
		Archived: r.Archived, Uses: r.Uses, LastUsedAt: momentOrNull(r.LastUsedAt),
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt), UpdatedBy: r.UpdatedBy,
	}
	switch quickreply.Scope(r.Scope) {
	case quickreply.Team:
		out.Team = &r.Of
	case quickreply.Personal:
		out.Owner = &r.Of
	}
	if t, err := quickreply.Parse(r.Text); err == nil {
		out.Placeholders = orEmpty(t.Names())
	}
	return out
}

// seenPlaces returns the places whose quick replies a caller sees: the
// workspace's, their own, and those of their teams; of every team if they look
// after others.
func seenPlaces(ctx context.Context, tx sqldb.Tx, r *web.Request) ([]quickreply.Place, error) {
	places := []quickreply.Place{{Scope: quickreply.Workspace}}
	if r.Agent != "" {
		places = append(places, quickreply.Place{Scope: quickreply.Personal, Of: r.Agent})
	}
	teams, err := directory.Teams(ctx, tx, directory.Query{Workspace: r.Workspace, InUse: true})
	for _, t := range teams.Items {
		if r.Role != agent.RoleAgent && r.Role != agent.RoleBot || r.Agent != "" && slices.Contains(t.Members, r.Agent) {
			places = append(places, quickreply.Place{Scope: quickreply.Team, Of: t.ID})
		}
	}
	return places, err
}

func names(places []quickreply.Place) (list []string) {
	for _, p := range places {
		list = append(list, p.String())
	}
	return list
}

func listQuickReplies(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inQuickReplies) (web.List[QuickReply], eventstore.Revision, error) {
	places, err := seenPlaces(ctx, tx, r)
	if err != nil {
		return web.List[QuickReply]{}, none, err
	}
	places = slices.DeleteFunc(places, func(p quickreply.Place) bool {
		return in.Scope != "" && string(p.Scope) != in.Scope || in.Team != "" && (p.Scope != quickreply.Team || p.Of != in.Team)
	})
	page, err := quickreplies.List(ctx, tx, quickreplies.Query{
		Workspace: r.Workspace, Places: names(places), Prefix: quickreply.Shortcut(in.Prefix), All: in.All, Cursor: in.Cursor, Limit: in.Limit,
	})
	items := make([]QuickReply, len(page.Replies))
	for i, reply := range page.Replies {
		items[i] = newQuickReply(reply, page.Revisions[reply.Place])
	}
	return web.NewList(items, page.Next), none, err
}

func getQuickReply(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inQuickReply) (QuickReplyDetails, eventstore.Revision, error) {
	places, err := seenPlaces(ctx, tx, r)
	if err != nil {
		return QuickReplyDetails{}, none, err
	}
	reply, versions, revision, err := quickreplies.Get(ctx, tx, r.Workspace, in.Reply, names(places))
	if err != nil {
		return QuickReplyDetails{}, none, err
	}
	out := QuickReplyDetails{newQuickReply(reply, revision), []QuickReplyVersion{}}
	for _, v := range versions {
		out.Versions = append(out.Versions, QuickReplyVersion{v.Version, v.Shortcut, v.Text, v.By, moment(v.At), v.Uses})
	}
	return out, eventstore.Revision(revision), nil
}
