package readapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
)

type inGroups struct {
	web.Read
	Paging
}

type inGroup struct {
	web.Read
	Group string `path:"group"`
}

type inGroupChoices struct {
	web.Read
	Paging
	Group string `path:"group"`
}

type inGroupChanges struct {
	web.Read
	Paging
	Group  string `path:"group"`
	Choice int64  `path:"choice" minimum:"1"`
	Change string `query:"change" required:"true" enum:"added,removed"`
}

type inGroupMembers struct {
	web.Read
	Paging
	Group string              `path:"group"`
	AsOf  eventstore.Position `query:"as_of" minimum:"1" doc:"A position of the log: who was in a static group then."`
}

type inWhyMember struct {
	web.Read
	Group   string `path:"group"`
	Contact string `path:"contact"`
}

type inPreviewGroup struct {
	web.Read
	Body struct {
		Filtered
	}
}

type inPreviewRefresh struct {
	web.Read
	Group string `path:"group"`
	Body  *struct {
		Filter json.RawMessage `json:"filter,omitempty" doc:"Instead of the group's own."`
	} `required:"false"`
}

// groups returns what can be read of groups, from the views that show contacts.
func (a *API) groups(known []string) []web.Endpoint {
	return []web.Endpoint{
		ask(a, "/v1/groups/preview", seniors, "Who would be in a group", known, a.previewGroup),
		read(a, "/v1/groups", anyone, "List groups, by name", known, listGroups),
		read(a, "/v1/groups/{group}", anyone, "Get a group", known, a.getGroup),
		read(a, "/v1/groups/{group}/members", anyone, "Who is in a group", known, a.listGroupMembers,
			"Those that are shown, the newest contact first; of a dynamic group whoever passes its filter now. With as_of: everybody who was in a static group then, by id, with what they are now. A page may be short before the end."),
		read(a, "/v1/groups/{group}/members/{contact}/why", anyone, "Why a contact is in a group, or is not", known, a.whyMember,
			"The group's filter with what the contact has for each condition, and when, by whom and from what position of the log it was chosen."),
		ask(a, "/v1/groups/{group}/refresh/preview", seniors, "What a refresh of a group would change", known, a.previewRefresh,
			"Of a static group with a filter. With a filter of your own: what it would change if the group had that."),
		read(a, "/v1/groups/{group}/choices", anyone, "Each choice of the members of a group, the latest first", known, listGroupChoices,
			"With what it added and removed."),
		read(a, "/v1/groups/{group}/choices/{choice}/changes", anyone, "Who was added or removed by a choice", known, listGroupChanges,
			"By id, with what they are now. A page may be short before the end."),
	}
}

// Refusals of questions about groups.
var (
	errDynamicAsOf = fault.New(fault.Conflict, "group.dynamic_as_of", "who was in a dynamic group is not kept: it is whoever passes its filter when somebody looks")
	errAsOf        = fault.Bad("as_of", "group.as_of_ahead", "that position is not reached yet")
)

// Group is contacts that were chosen.
type Group struct {
	ID        string          `json:"id"`
	Revision  int64           `json:"revision" doc:"For If-Match: how often the group was changed since it was made. Another name, another filter, a refresh or other named members are changes; that the members are chosen then, as was asked for, is none."`
	Name      string          `json:"name"`
	Kind      string          `json:"kind" enum:"static,dynamic" doc:"static: the members are those of the last choice. dynamic: whoever passes the filter."`
	Filter    json.RawMessage `json:"filter,omitempty" doc:"Of contacts; none if the members are named."`
	Members   *int64          `json:"members" doc:"Contacts in it that are shown: those that were deleted are not. Null of a dynamic group in a list."`
	Exact     bool            `json:"exact" doc:"False if there may be more: only so many contacts are looked at for a dynamic group."`
	Choice    *GroupChoice    `json:"choice" doc:"The last choice of the members of a static group; null of a dynamic one."`
	CreatedBy string          `json:"created_by"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedBy string          `json:"updated_by"`
	UpdatedAt time.Time       `json:"updated_at" doc:"When it got its filter."`
}

// GroupChoice is a choice of the members of a group.
type GroupChoice struct {
	Choice      int64           `json:"choice" doc:"Counted from 1."`
	State       string          `json:"state" enum:"pending,made,refused"`
	Filter      json.RawMessage `json:"filter,omitempty" doc:"That chose them."`
	Named       int64           `json:"named,omitempty" doc:"So many were named instead."`
	Missing     int64           `json:"missing,omitempty" doc:"Of these so many are no contacts."`
	Members     int64           `json:"members"`
	Added       int64           `json:"added"`
	Removed     int64           `json:"removed"`
	Position    int64           `json:"position" doc:"Of the log, that the choice reflects."`
	MadeAt      int64           `json:"made_at_position" doc:"From this position of the log on these are the members, for as_of."`
	By          string          `json:"by"`
	RequestedAt time.Time       `json:"requested_at"`
	EndedAt     *time.Time      `json:"ended_at"`
	Refusal     *GroupRefusal   `json:"refusal" doc:"With state refused, else null: the members stayed."`
}

// GroupRefusal is why the members were not chosen.
type GroupRefusal struct {
	Code   string `json:"code" example:"group.too_many_members"`
	Reason string `json:"reason"`
}

func rawOrNone(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

func newGroupChoice(c groups.Choice) *GroupChoice {
	out := &GroupChoice{
		Choice: c.Choice, State: c.State, Filter: rawOrNone(c.Filter), Named: c.Named, Missing: c.Missing, Members: c.Members, Added: c.Added,
		Removed: c.Removed, Position: c.Position, MadeAt: c.MadeAtPosition, By: c.By, RequestedAt: moment(c.RequestedAt), EndedAt: momentOrNull(c.EndedAt),
	}
	if c.Code != "" {
		out.Refusal = &GroupRefusal{c.Code, c.Reason}
	}
	return out
}

func newGroup(ctx context.Context, tx sqldb.Tx, g groups.Group) (Group, error) {
	out := Group{
		ID: g.ID, Revision: g.Revision(), Name: g.Name, Kind: g.Kind, Filter: rawOrNone(g.Filter),
		CreatedBy: g.CreatedBy, CreatedAt: moment(g.CreatedAt), UpdatedBy: g.UpdatedBy, UpdatedAt: moment(g.UpdatedAt),
	}
	if g.Kind == string(group.Dynamic) {
		return out, nil
	}
	n, err := contacts.Size(ctx, tx, g.ID)
	if err != nil {
		return out, err
	}
	out.Members, out.Exact = &n, true
	if g.Asked > 0 {
		c, err := groups.GetChoice(ctx, tx, g.ID, g.Asked)
		if err != nil {
			return out, err
		}
		out.Choice = newGroupChoice(c)
	}
	return out, nil
}

func listGroups(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inGroups) (web.List[Group], eventstore.Revision, error) {
	page, revision, err := groups.Find(ctx, tx, r.Workspace, groups.Query{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return web.List[Group]{}, none, err
	}
	items := make([]Group, len(page.Items))
	for i, g := range page.Items {
		if items[i], err = newGroup(ctx, tx, g); err != nil {
			return web.List[Group]{}, none, err
		}
	}
	return web.NewList(items, page.Next), eventstore.Revision(revision), nil
}

func (a *API) getGroup(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inGroup) (out Group, _ eventstore.Revision, err error) {
	g, err := groups.Get(ctx, tx, r.Workspace, in.Group)
	if err != nil {
		return out, none, err
	}
	if out, err = newGroup(ctx, tx, g); err != nil {
		return out, none, err
	}
	if g.Kind == string(group.Dynamic) {
		n, err := contacts.Count(ctx, tx, a.membersOf(r, g.ID))
		if err != nil {
			return out, none, err
		}
		out.Members, out.Exact = &n.N, n.Exact
	}
	return out, eventstore.Revision(out.Revision), nil
}

// in is the condition to be in a group.
func in(id string) filter.Cond {
	return filter.Cond{Field: groups.Field, Kind: filter.Set, Op: filter.Eq, Values: []filter.Value{{Text: id}}}
}

func (a *API) membersOf(r *web.Request, id string) contacts.Search {
	return a.contactsThat(r, in(id))
}

func (a *API) contactsThat(r *web.Request, n filter.Node) contacts.Search {
	return contacts.Search{Workspace: r.Workspace, Scope: a.scope(r), Filter: filter.Filter{Target: filter.Contacts, Root: n}}
}

// GroupPreview is who would be in a group.
type GroupPreview struct {
	Counted
	Limit int             `json:"limit" doc:"More than so many cannot be in a static group."`
	Items []ListedContact `json:"items" nullable:"false" doc:"The first 20, the newest first."`
}

func previewContacts(ctx context.Context, tx sqldb.Tx, s contacts.Search) (n filtersql.Counted, items []ListedContact, err error) {
	items = []ListedContact{}
	if n, err = contacts.Count(ctx, tx, s); err != nil {
		return n, items, err
	}
	s.Limit = previewed
	page, err := contacts.Find(ctx, tx, s)
	for _, c := range page.Contacts {
		items = append(items, newListedContact(c))
	}
	return n, items, err
}

func (a *API) previewGroup(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inPreviewGroup) (out GroupPreview, _ eventstore.Revision, _ error) {
	s, err := a.contactSearch(ctx, tx, r, in.Body.Filtered)
	if err != nil {
		return out, none, err
	}
	n, items, err := previewContacts(ctx, tx, s)
	return GroupPreview{Counted{n.N, n.Exact}, members.MaxMembers, items}, none, err
}

// GroupDifference is what a refresh would change.
type GroupDifference struct {
	Added   GroupPreview `json:"added"`
	Removed GroupPreview `json:"removed"`
}

func (a *API) previewRefresh(ctx context.Context, tx sqldb.Tx, r *web.Request, q *inPreviewRefresh) (out GroupDifference, _ eventstore.Revision, _ error) {
	g, err := groups.Get(ctx, tx, r.Workspace, q.Group)
	switch {
	case err != nil:
		return out, none, err
	case g.Kind == string(group.Dynamic):
		return out, none, group.ErrDynamic
	case g.Filter == "":
		return out, none, group.ErrNamed
	}
	raw, me := g.Filter, g.FilterBy
	if q.Body != nil && len(q.Body.Filter) > 0 && string(q.Body.Filter) != "null" {
		raw, me = string(q.Body.Filter), r.Actor()
	}
	f, err := groups.Meant(raw, me) // refused, it is the caller's
	if err != nil {
		return out, none, err
	}
	passes := groups.OrEverybody(f.Root)
	for _, part := range []struct {
		to    *GroupPreview
		whose filter.And
	}{
		{&out.Added, filter.And{passes, filter.Not{Of: in(g.ID)}}},
		{&out.Removed, filter.And{in(g.ID), filter.Not{Of: passes}}},
	} {
		n, items, err := previewContacts(ctx, tx, a.contactsThat(r, part.whose))
		if err != nil {
			return out, none, err
		}
		*part.to = GroupPreview{Counted{n.N, n.Exact}, members.MaxMembers, items}
	}
	return out, none, nil
}

func listGroupChoices(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inGroupChoices) (out web.List[GroupChoice], _ eventstore.Revision, _ error) {
	if _, err := groups.Get(ctx, tx, r.Workspace, in.Group); err != nil {
		return out, none, err
	}
	page, err := groups.Choices(ctx, tx, in.Group, groups.Query{Cursor: in.Cursor, Limit: in.Limit})
	items := make([]GroupChoice, len(page.Items))
	for i, c := range page.Items {
		items[i] = *newGroupChoice(c)
	}
	return web.NewList(items, page.Next), none, err
}

// GroupMember is a contact that is in a group, or was.
type GroupMember struct {
	ID      string         `json:"id" doc:"As it was chosen."`
	Contact *ListedContact `json:"contact" doc:"As it is now: of one that was merged into another, the other; null if it is deleted."`
}

func membersPage(ctx context.Context, tx sqldb.Tx, workspace string, page groups.Page[groups.Member]) (web.List[GroupMember], eventstore.Revision, error) {
	chosen := make([]string, len(page.Items))
	for i, m := range page.Items {
		chosen[i] = m.Contact
	}
	shown, err := contacts.Shown(ctx, tx, workspace, chosen)
	items := make([]GroupMember, len(chosen))
	for i, id := range chosen {
		items[i].ID = id
		if c, ok := shown[id]; ok {
			listed := newListedContact(c)
			items[i].Contact = &listed
		}
	}
	return web.NewList(items, page.Next), none, err
}

func listGroupChanges(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inGroupChanges) (out web.List[GroupMember], _ eventstore.Revision, _ error) {
	if _, err := groups.Get(ctx, tx, r.Workspace, in.Group); err != nil {
		return out, none, err
	}
	if _, err := groups.GetChoice(ctx, tx, in.Group, in.Choice); err != nil {
		return out, none, err
	}
	page, err := groups.Changes(ctx, tx, in.Group, in.Choice, in.Change == "added", groups.Query{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return out, none, err
	}
	return membersPage(ctx, tx, r.Workspace, page)
}

func (a *API) listGroupMembers(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inGroupMembers) (out web.List[GroupMember], _ eventstore.Revision, _ error) {
	g, err := groups.Get(ctx, tx, r.Workspace, in.Group)
	if err != nil {
		return out, none, err
	}
	if in.AsOf > 0 {
		if g.Kind == string(group.Dynamic) {
			return out, none, errDynamicAsOf
		}
		at, err := projections.Checkpoints(ctx, tx, (*groups.Projection)(nil).Name())
		if err != nil {
			return out, none, err
		}
		if in.AsOf > at {
			return out, none, errAsOf
		}
		choice, err := groups.ChoiceAt(ctx, tx, g.ID, int64(in.AsOf))
		if err != nil {
			return out, none, err
		}
		page, err := groups.MembersAt(ctx, tx, g.ID, choice, groups.Query{Cursor: in.Cursor, Limit: in.Limit})
		if err != nil {
			return out, none, err
		}
		return membersPage(ctx, tx, r.Workspace, page)
	}
	s := a.membersOf(r, g.ID)
	s.Cursor, s.Limit = in.Cursor, in.Limit
	page, err := contacts.Find(ctx, tx, s)
	items := make([]GroupMember, len(page.Contacts))
	for i, c := range page.Contacts {
		listed := newListedContact(c)
		items[i] = GroupMember{c.ID, &listed}
	}
	return web.NewList(items, page.Next), none, err
}

// GroupRef is a group in which somebody is.
type GroupRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind" enum:"static,dynamic"`
}

// groupsOf returns the groups that a contact is in, static ones first.
func (a *API) groupsOf(ctx context.Context, tx sqldb.Tx, r *web.Request, c contacts.Listed) ([]GroupRef, error) {
	out := []GroupRef{}
	static, err := groups.Some(ctx, tx, r.Workspace, c.Groups)
	if err != nil {
		return out, err
	}
	for _, id := range c.Groups {
		if g, ok := static[id]; ok {
			out = append(out, GroupRef{g.ID, g.Name, g.Kind})
		}
	}
	dynamic, err := groups.Dynamic(ctx, tx, r.Workspace)
	if err != nil || len(dynamic) == 0 {
		return out, err
	}
	nodes := make([]filter.Node, len(dynamic))
	for i, g := range dynamic {
		f, err := g.Parse()
		if err != nil {
			return out, fmt.Errorf("parse the filter of group %s: %w", g.ID, err)
		}
		nodes[i] = groups.OrEverybody(f.Root)
	}
	passes, found, err := contacts.Passes(ctx, tx, r.Workspace, c.ID, a.scope(r), nodes)
	if err != nil || !found {
		return out, err
	}
	for i, g := range dynamic {
		if passes[i] {
			out = append(out, GroupRef{g.ID, g.Name, g.Kind})
		}
	}
	return out, nil
}

// WhyMember is why a contact is in a group, or is not.
type WhyMember struct {
	Group   string      `json:"group"`
	Contact string      `json:"contact" doc:"Of one that was merged into another, the other."`
	In      bool        `json:"in" doc:"It is in the group now."`
	Passes  *bool       `json:"passes" doc:"It passes the group's filter as it is now; null if the members are named."`
	Filter  *WhyNode    `json:"filter" doc:"The group's filter, with what the contact has; null if the members are named."`
	Chosen  []WhyChosen `json:"chosen" nullable:"false" doc:"For a static group: when it was chosen, the last time first; also each contact that was merged into it."`
}

// WhyNode is a part of a filter.
type WhyNode struct {
	Passes bool      `json:"passes"`
	And    []WhyNode `json:"and,omitempty"`
	Or     []WhyNode `json:"or,omitempty"`
	Not    *WhyNode  `json:"not,omitempty"`
	Field  string    `json:"field,omitempty"`
	Op     string    `json:"op,omitempty"`
	Values []any     `json:"values,omitempty" doc:"That the field is compared with."`
	Has    any       `json:"has,omitempty" doc:"What the contact has in the field: text, a list of texts, true or false, or a time."`
}

// WhyChosen is a time that a contact was put into a group.
type WhyChosen struct {
	Contact  string          `json:"contact" doc:"As it was chosen."`
	Choice   int64           `json:"choice"`
	Filter   json.RawMessage `json:"filter,omitempty" doc:"As it was then; none if it was named."`
	Position int64           `json:"position" doc:"Of the log, that the choice reflects."`
	MadeAt   int64           `json:"made_at_position"`
	By       string          `json:"by"`
	At       *time.Time      `json:"at"`
	Until    *int64          `json:"until_choice" doc:"That took it out; null if none did."`
}

func (a *API) whyMember(ctx context.Context, tx sqldb.Tx, r *web.Request, q *inWhyMember) (out WhyMember, _ eventstore.Revision, _ error) {
	g, err := groups.Get(ctx, tx, r.Workspace, q.Group)
	if err != nil {
		return out, none, err
	}
	c, err := contacts.Get(ctx, tx, r.Workspace, q.Contact)
	if err != nil {
		return out, none, err
	}
	out = WhyMember{Group: g.ID, Contact: c.ID, Chosen: []WhyChosen{}}
	static := g.Kind == string(group.Static)
	if g.Filter != "" {
		if out.Filter, err = a.whyFilter(ctx, tx, r, g, &c.Row); err != nil {
			return out, none, err
		}
		out.Passes = &out.Filter.Passes
		out.In = !static && out.Filter.Passes
	}
	if !static {
		return out, none, nil
	}
	var parts []string
	for _, p := range c.Parts {
		parts = append(parts, p.ID)
	}
	stays, err := groups.Stays(ctx, tx, g.ID, parts)
	if err != nil {
		return out, none, err
	}
	for _, m := range stays {
		past := append([]groups.Stay{{Since: m.Since, Until: m.Until}}, reversed(m.Past)...)
		for _, s := range past[:min(len(past), maxStays)] {
			chosen, err := groups.GetChoice(ctx, tx, g.ID, s.Since)
			if err != nil {
				return out, none, err
			}
			w := WhyChosen{
				Contact: m.Contact, Choice: s.Since, Filter: rawOrNone(chosen.Filter), Position: chosen.Position, MadeAt: chosen.MadeAtPosition,
				By: chosen.By, At: momentOrNull(chosen.EndedAt),
			}
			if s.Until != 0 {
				w.Until = &s.Until
			}
			out.In = out.In || w.Until == nil
			out.Chosen = append(out.Chosen, w)
		}
	}
	return out, none, nil
}

// maxStays is how many of the times that a contact was in a group are told.
const maxStays = 20

func reversed[T any](list []T) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[len(list)-1-i] = v
	}
	return out
}

// whyFilter returns the filter of a group with what it makes of a contact.
func (a *API) whyFilter(ctx context.Context, tx sqldb.Tx, r *web.Request, g groups.Group, c *contacts.Row) (*WhyNode, error) {
	f, err := g.Parse()
	if err != nil {
		return nil, err
	}
	if f.Root == nil {
		return &WhyNode{Passes: true}, nil
	}
	var conds []filter.Node
	filter.Replace(f.Root, func(c filter.Cond) filter.Node {
		conds = append(conds, c)
		return c
	})
	passes, _, err := contacts.Passes(ctx, tx, r.Workspace, c.ID, a.scope(r), conds)
	if err != nil {
		return nil, err
	}
	has, err := contacts.BelongingsOf(ctx, tx, r.Workspace, c.ID)
	if err != nil {
		return nil, err
	}
	why := whyNode(f.Root, person{c, has}, &passes)
	return &why, nil
}

// person is a contact with what belongs to it.
type person struct {
	*contacts.Row
	contacts.Belongings
}

// whyNode explains n. passes are the answers to its conditions, in order, of which it
// takes those that are its own.
func whyNode(n filter.Node, c person, passes *[]bool) WhyNode {
	each := func(parts []filter.Node) (out []WhyNode, all, some bool) {
		all = true
		for _, p := range parts {
			why := whyNode(p, c, passes)
			out, all, some = append(out, why), all && why.Passes, some || why.Passes
		}
		return out, all, some
	}
	switch n := n.(type) {
	case filter.And:
		parts, all, _ := each(n)
		return WhyNode{Passes: all, And: parts}
	case filter.Or:
		parts, _, some := each(n)
		return WhyNode{Passes: some, Or: parts}
	case filter.Not:
		of := whyNode(n.Of, c, passes)
		return WhyNode{Passes: !of.Passes, Not: &of}
	case filter.Cond:
		out := WhyNode{Field: n.Field, Op: string(n.Op), Has: valueOf(n.Field, c)}
		if len(*passes) > 0 {
			out.Passes, *passes = (*passes)[0], (*passes)[1:]
		}
		for _, v := range n.Values {
			out.Values = append(out.Values, comparand(n.Kind, v))
		}
		if n.Op == filter.Exists {
			out.Values = []any{n.Want}
		}
		return out
	}
	return WhyNode{}
}

// comparand returns a value of a filter as a person may read it.
func comparand(kind filter.Kind, v filter.Value) any {
	switch {
	case kind == filter.Bool:
		return v.Bool
	case kind == filter.Number:
		return v.Number
	case kind == filter.Time && v.Time.IsZero():
		return (-v.Ago).String()
	case kind == filter.Time:
		return v.Time
	case v.Text == "":
		return nil
	}
	return v.Text
}

// valueOf returns what a contact has in a field of a filter.
func valueOf(field string, c person) any {
	switch field {
	case "id":
		return c.ID
	case "status":
		return c.Status
	case "status_category":
		return c.Category
	case "assignee":
		return c.Assignee
	case "tag":
		return orEmpty(c.Tags)
	case groups.Field:
		return orEmpty(c.Groups)
	case "blocked":
		return c.Blocked
	case "has_chat":
		return c.HasChat
	case "channel":
		return orEmpty(c.Channels)
	case "team":
		return orEmpty(c.Teams)
	case "unread":
		return c.Unread
	case "last_activity":
		return momentOrNull(c.LastActivity)
	case "last_message_by":
		return c.LastBy
	case "is_contact":
		return true
	case "has_ordered":
		return c.HasOrdered
	case "order_status":
		return orEmpty(c.OrderStatuses)
	case "reason":
		return c.Reason
	case "created":
		return moment(c.CreatedAt)
	case "updated":
		return moment(c.UpdatedAt)
	case "name":
		return c.Name
	case "phone":
		return oneOrAll(c.Phone, c.Values(contact.Phones))
	case "email":
		return oneOrAll(c.Email, c.Values(contact.Emails))
	case "company":
		return c.Company
	case "city":
		return c.City
	case "country":
		return c.Country
	case "gender":
		return c.Gender
	case "language":
		return c.Language
	}
	return nil
}

// oneOrAll returns the text of a value, a list of texts if there are several.
func oneOrAll(first string, values []contacts.Value) any {
	if len(values) < 2 {
		return first
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Text
	}
	return out
}
