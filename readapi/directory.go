package readapi

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/channelsettings"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/usage"
)

// inDirectory is the input of the lists of staff and settings, which are short.
type inDirectory struct {
	web.Read
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" doc:"1000 if it is not given."`
	All    bool   `query:"all" doc:"Also what is archived, deactivated or disconnected."`
}

func (in inDirectory) query(r *web.Request) directory.Query {
	return directory.Query{Workspace: r.Workspace, InUse: !in.All, Cursor: in.Cursor, Limit: in.Limit}
}

// list turns a page of the directory into an answer.
func list[T, U any](page directory.Page[T], err error, show func(T) U) (web.List[U], eventstore.Revision, error) {
	items := make([]U, len(page.Items))
	for i, t := range page.Items {
		items[i] = show(t)
	}
	return web.NewList(items, page.Next), none, err
}

// Agent is a member of staff.
type Agent struct {
	ID           string    `json:"id"`
	Revision     int64     `json:"revision" doc:"For If-Match."`
	Name         string    `json:"name"`
	Email        string    `json:"email"`
	Role         string    `json:"role" enum:"agent,supervisor,auditor,analyst,admin,bot"`
	Active       bool      `json:"active"`
	Availability string    `json:"availability" enum:"online,away,offline"`
	Capacity     int64     `json:"capacity" doc:"How many open chats a team's rule gives them at most; 0 means no bound."`
	InvitedAt    time.Time `json:"invited_at"`
}

func newAgent(a directory.Agent) Agent {
	return Agent{a.ID, a.Revision, a.Name, a.Email, a.Role, a.Active, a.Availability, a.Capacity, moment(a.InvitedAt)}
}

type inAgent struct {
	web.Read
	Agent string `path:"agent"`
}

func listAgents(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inDirectory) (web.List[Agent], eventstore.Revision, error) {
	page, err := directory.Agents(ctx, tx, in.query(r))
	return list(page, err, newAgent)
}

func getAgent(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inAgent) (Agent, eventstore.Revision, error) {
	a, err := directory.GetAgent(ctx, tx, r.Workspace, in.Agent)
	return newAgent(a), eventstore.Revision(a.Revision), err
}

// Team is a group of agents. Its revision is that of the list of teams.
type Team struct {
	ID       string   `json:"id"`
	Revision int64    `json:"revision" doc:"Of the workspace's list of teams, for If-Match."`
	Name     string   `json:"name"`
	Members  []string `json:"members" nullable:"false" doc:"Ids of agents."`
	Rule     string   `json:"rule" enum:"manual,round_robin,least_busy" doc:"How chats that are handed to the team are given to members."`
	Hours    *Hours   `json:"hours" doc:"When the team works; null: when the workspace does."`
	Archived bool     `json:"archived"`
}

// Hours is when a team works, in its time zone.
type Hours struct {
	Zone       string        `json:"zone" example:"Europe/Berlin"`
	Weekly     []Span        `json:"weekly" nullable:"false"`
	Exceptions []DayOfItsOwn `json:"exceptions" nullable:"false"`
}

// Span is a part of a day of the week.
type Span struct {
	Day  int    `json:"day" doc:"1 is Monday, 7 Sunday."`
	From string `json:"from" example:"09:00"`
	To   string `json:"to" example:"17:30"`
}

// DayOfItsOwn is a date with hours of its own, perhaps none.
type DayOfItsOwn struct {
	Date string       `json:"date" example:"2026-12-24"`
	Open []SpanOfADay `json:"open" nullable:"false"`
}

// SpanOfADay is a part of a day.
type SpanOfADay struct {
	From string `json:"from" example:"09:00"`
	To   string `json:"to" example:"12:00"`
}

func newTeam(t directory.Team) Team {
	return Team{
		ID: t.ID, Revision: t.Revision, Name: t.Name, Members: orEmpty(t.Members), Rule: t.Rule, Hours: newHours(t.Hours), Archived: t.Archived,
	}
}

// newHours returns hours, and nil for always.
func newHours(h directory.Hours) *Hours {
	if h.Zone == "" {
		return nil
	}
	out := &Hours{h.Zone, []Span{}, []DayOfItsOwn{}}
	for _, s := range h.Weekly {
		out.Weekly = append(out.Weekly, Span(s))
	}
	for _, e := range h.Exceptions {
		day := DayOfItsOwn{e.Date, []SpanOfADay{}}
		for _, s := range e.Open {
			day.Open = append(day.Open, SpanOfADay{s.From, s.To})
		}
		out.Exceptions = append(out.Exceptions, day)
	}
	return out
}

type inTeam struct {
	web.Read
	Team string `path:"team"`
}

func listTeams(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inDirectory) (web.List[Team], eventstore.Revision, error) {
	page, err := directory.Teams(ctx, tx, in.query(r))
	return list(page, err, newTeam)
}

func getTeam(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inTeam) (Team, eventstore.Revision, error) {
	t, err := directory.GetTeam(ctx, tx, r.Workspace, in.Team)
	return newTeam(t), eventstore.Revision(t.Revision), err
}

// Tag is a tag. Its revision is that of the list of tags.
type Tag struct {
	ID         string  `json:"id"`
	Revision   int64   `json:"revision" doc:"Of the workspace's list of tags, for If-Match."`
	Name       string  `json:"name"`
	Colour     string  `json:"colour" doc:"#rrggbb, or empty."`
	Archived   bool    `json:"archived"`
	MergedInto *string `json:"merged_into" doc:"The tag that it stands for, or null."`
	Uses       Uses    `json:"uses"`
}

// Uses is how many things have a tag.
type Uses struct {
	Chats    int64 `json:"chats" doc:"Those that are deleted do not count."`
	Orders   int64 `json:"orders"`
	Contacts int64 `json:"contacts" doc:"Those that are deleted do not count."`
}

type inTag struct {
	web.Read
	Tag string `path:"tag"`
}

// showTags returns what turns rows into tags.
func showTags(ctx context.Context, tx sqldb.Tx, workspace string) (func(directory.Tag) Tag, error) {
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	if err != nil {
		return nil, err
	}
	uses, err := usage.Tags(ctx, tx, workspace, aliases)
	return func(t directory.Tag) Tag {
		out := Tag{ID: t.ID, Revision: t.Revision, Name: t.Name, Colour: t.Colour, Archived: t.Archived, Uses: Uses(uses[t.ID])}
		if t.Merged != "" {
			out.MergedInto = orNull(aliases.Tag(t.ID))
		}
		return out
	}, err
}

func listTags(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inDirectory) (web.List[Tag], eventstore.Revision, error) {
	page, err := directory.Tags(ctx, tx, in.query(r))
	if err != nil {
		return web.List[Tag]{}, none, err
	}
	show, err := showTags(ctx, tx, r.Workspace)
	if err != nil {
		return web.List[Tag]{}, none, err
	}
	return list(page, nil, show)
}

func getTag(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inTag) (Tag, eventstore.Revision, error) {
	t, err := directory.GetTag(ctx, tx, r.Workspace, in.Tag)
	if err != nil {
		return Tag{}, none, err
	}
	show, err := showTags(ctx, tx, r.Workspace)
	if err != nil {
		return Tag{}, none, err
	}
	return show(t), eventstore.Revision(t.Revision), nil
}

// Status is one of the workspace's statuses. Its revision is that of the list.
type Status struct {
	ID         string  `json:"id" example:"OPEN"`
	Revision   int64   `json:"revision" doc:"Of the workspace's list of statuses, for If-Match."`
	Name       string  `json:"name"`
	Colour     string  `json:"colour" doc:"#rrggbb, or empty."`
	Category   string  `json:"category" enum:"open,pending,closed"`
	Order      *int    `json:"order" doc:"Its place in the list, counted from 0; null if it is archived."`
	Default    bool    `json:"default" doc:"New and reopened chats get it."`
	Archived   bool    `json:"archived"`
	RemappedTo *string `json:"remapped_to" doc:"Of an archived one: the status that it stands for, or null."`
	Chats      int64   `json:"chats" doc:"How many show it; deleted ones do not count."`
	Contacts   int64   `json:"contacts" doc:"How many show it; deleted ones do not count."`
}

// showStatuses returns a workspace's statuses, also those that are archived, and
// the revision of the list.
func showStatuses(ctx context.Context, tx sqldb.Tx, workspace string) ([]Status, eventstore.Revision, error) {
	s, err := directory.GetStatuses(ctx, tx, workspace)
	if err != nil {
		return nil, none, err
	}
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	if err != nil {
		return nil, none, err
	}
	n, err := inbox.Counts(ctx, tx, workspace, "")
	if err != nil {
		return nil, none, err
	}
	people, err := usage.Statuses(ctx, tx, workspace, aliases)
	if err != nil {
		return nil, none, err
	}
	var out []Status
	for i, item := range s.InUse {
		out = append(out, Status{ID: item.ID, Name: item.Name, Colour: item.Colour, Category: item.Category, Order: &i, Default: item.Default})
	}
	for _, item := range s.Archived {
		out = append(out, Status{ID: item.ID, Name: item.Name, Colour: item.Colour, Category: item.Category, Archived: true})
		if item.Remapped != "" {
			out[len(out)-1].RemappedTo = orNull(aliases.Status(item.ID))
		}
	}
	for i := range out {
		out[i].Revision, out[i].Chats, out[i].Contacts = s.Revision, n.Shown[out[i].ID], people[out[i].ID]
	}
	return out, eventstore.Revision(s.Revision), nil
}

type inStatuses struct {
	web.Read
	All bool `query:"all" doc:"Also those that are archived."`
	// The list is short and has one page; these are for callers that read every
	// list alike.
	Cursor string `query:"cursor" maxLength:"0" hidden:"true"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" hidden:"true"`
}

type inStatus struct {
	web.Read
	Status string `path:"status"`
}

func listStatuses(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inStatuses) (web.List[Status], eventstore.Revision, error) {
	all, _, err := showStatuses(ctx, tx, r.Workspace)
	if !in.All {
		all = slices.DeleteFunc(all, func(s Status) bool { return s.Archived })
	}
	return web.NewList(all, ""), none, err
}

func getStatus(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inStatus) (Status, eventstore.Revision, error) {
	all, revision, err := showStatuses(ctx, tx, r.Workspace)
	if err != nil {
		return Status{}, none, err
	}
	for _, item := range all {
		if item.ID == in.Status {
			return item, revision, nil
		}
	}
	return Status{}, none, web.NotFound("status.not_found", "no such status")
}

// Channel is an account that customers write to.
type Channel struct {
	ID        string `json:"id"`
	Revision  int64  `json:"revision" doc:"For If-Match."`
	Kind      string `json:"kind" enum:"whatsapp"`
	Name      string `json:"name"`
	Account   string `json:"account" doc:"The provider's id of it: for WhatsApp the phone number id."`
	Phone     string `json:"phone"`
	Connected bool   `json:"connected"`
	ReadMarks string `json:"read_marks" enum:"asked,always,never" doc:"When customers see that what they wrote was read."`
}

// newChannels returns channels with what is set of them.
func newChannels(ctx context.Context, tx sqldb.Tx, workspace string, channels ...directory.Channel) ([]Channel, error) {
	ids := make([]string, len(channels))
	for i, c := range channels {
		ids[i] = c.ID
	}
	set, err := channelsettings.Of(ctx, tx, workspace, ids)
	shown := make([]Channel, len(channels))
	for i, c := range channels {
		shown[i] = Channel{c.ID, c.Revision, c.Kind, c.Name, c.Account, c.Phone, c.Active, string(channel.ReadMarks(set[c.ID].ReadMarks).Set())}
	}
	return shown, err
}

type inChannel struct {
	web.Read
	Channel string `path:"channel"`
}

func listChannels(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inDirectory) (web.List[Channel], eventstore.Revision, error) {
	page, err := directory.Channels(ctx, tx, in.query(r))
	if err != nil {
		return web.List[Channel]{}, none, err
	}
	items, err := newChannels(ctx, tx, r.Workspace, page.Items...)
	return web.NewList(items, page.Next), none, err
}

func getChannel(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inChannel) (Channel, eventstore.Revision, error) {
	c, err := directory.GetChannel(ctx, tx, r.Workspace, in.Channel)
	if err != nil {
		return Channel{}, none, err
	}
	shown, err := newChannels(ctx, tx, r.Workspace, c)
	return shown[0], eventstore.Revision(c.Revision), err
}

// Me is who is calling.
type Me struct {
	Workspace MyWorkspace `json:"workspace"`
	Role      string      `json:"role"`
	Token     MyToken     `json:"token"`
	Agent     *Agent      `json:"agent" doc:"Null if the token belongs to no member of staff."`
}

// MyWorkspace is the caller's workspace.
type MyWorkspace struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// MyToken is the token that was sent, without its secret.
type MyToken struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func getMe(ctx context.Context, tx sqldb.Tx, r *web.Request, _ *struct{ web.Read }) (Me, eventstore.Revision, error) {
	me := Me{Workspace: MyWorkspace{ID: r.Workspace}, Role: string(r.Role), Token: MyToken{r.TokenID, r.Name}}
	w, err := directory.GetWorkspace(ctx, tx, r.Workspace)
	if err != nil && !errors.Is(err, directory.ErrWorkspace) {
		return me, none, err
	}
	me.Workspace.Name = w.Name
	if r.Agent == "" {
		return me, none, nil
	}
	a, err := directory.GetAgent(ctx, tx, r.Workspace, r.Agent)
	if errors.Is(err, directory.ErrAgent) {
		return me, none, nil // invited a moment ago
	}
	agent := newAgent(a)
	me.Agent = &agent
	return me, none, err
}
