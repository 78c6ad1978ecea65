package commandapi

import (
	"context"
	"encoding/json"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/internal/web"
)

type inGroup struct {
	Group group.ID `path:"group"`
}

type groupWith[B any] struct {
	Group group.ID `path:"group"`
	Body  B
}

// NewGroupBody says who is to be in a group: those who pass a filter, or some that
// are named.
type NewGroupBody struct {
	Name   string          `json:"name"`
	Kind   string          `json:"kind,omitempty" enum:"static,dynamic" doc:"static if it is not given: the members are chosen now, and when the group is refreshed. dynamic: whoever passes the filter when somebody looks."`
	Filter json.RawMessage `json:"filter,omitempty" doc:"As POST /v1/contacts/query takes it; {} chooses every contact. At most 200,000 may pass that of a static group."`
	IDs    []string        `json:"ids,omitempty" doc:"Contacts, at most 10,000."`
}

func given(raw json.RawMessage) []byte {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

func (b NewGroupBody) command(c caller) group.Create {
	cmd := group.Create{Group: commands.NewGroup(c.Origin), Name: b.Name, Kind: group.Kind(b.Kind), Filter: given(b.Filter), Named: len(b.IDs) > 0, By: string(c.By), At: c.At}
	if b.Kind == "" {
		cmd.Kind = group.Static
	}
	return cmd
}

// GroupPatch changes what it names of a group.
type GroupPatch struct {
	Name   *string         `json:"name,omitempty"`
	Filter json.RawMessage `json:"filter,omitempty" doc:"A static group keeps its members until it is refreshed."`
}

// NamedMembersBody names the members of a group.
type NamedMembersBody struct {
	IDs []string `json:"ids" doc:"All of them: contacts, at most 10,000."`
}

func (a *api) patchGroup(ctx context.Context, c caller, in *groupWith[GroupPatch]) (result, error) {
	var changes []func(group.State) ([]group.Event, error)
	if in.Body.Name != nil {
		changes = append(changes, group.Rename{Group: in.Group, Name: *in.Body.Name}.Decide)
	}
	if raw := given(in.Body.Filter); raw != nil {
		changes = append(changes, group.SetFilter{Group: in.Group, Filter: raw, By: string(c.By), At: c.At}.Decide)
	}
	r, err := change(ctx, c, func(ctx context.Context, o commands.Origin, changes ...func(group.State) ([]group.Event, error)) (commands.Result, error) {
		return a.Groups.Change(ctx, o, in.Group, changes...)
	}, changes)
	return called(string(in.Group), r, err)
}

// groupRevision documents what If-Match and ETag are about.
const groupRevision = "The revision is that of the group, as GET /v1/groups/{group} has it: other groups do not matter to it."

func (a *api) groups() []web.Endpoint {
	type ctx = context.Context
	return []web.Endpoint{
		write(a, "POST /v1/groups", seniors, "Make a group of contacts",
			func(ctx ctx, c caller, in *with[NewGroupBody]) (result, error) {
				return a.Groups.Create(ctx, c.Origin, in.Body.command(c), in.Body.IDs)
			}, answers(201), "The members of a static group are chosen next: GET /v1/groups/{group} shows the choice. If-Match takes the ETag of GET /v1/groups, that of the whole list; the answer has the group's own."),
		write(a, "PATCH /v1/groups/{group}", seniors, "Change a group's name or filter", a.patchGroup, allOrNone+groupRevision),
		write(a, "DELETE /v1/groups/{group}", seniors, "Delete a group",
			func(ctx ctx, c caller, in *inGroup) (result, error) {
				r, err := a.Groups.Delete(ctx, c.Origin, group.Delete{Group: in.Group, By: string(c.By), At: c.At})
				return called(string(in.Group), r, err)
			}, "Nothing happens to the contacts. "+groupRevision),
		write(a, "POST /v1/groups/{group}/refresh", seniors, "Choose the members of a static group anew",
			func(ctx ctx, c caller, in *inGroup) (result, error) {
				return a.Groups.Refresh(ctx, c.Origin, in.Group, members.Request{By: string(c.By), At: c.At})
			}, answers(202), "By its filter, as contacts are now. POST /v1/groups/{group}/refresh/preview tells before what that changes, GET /v1/groups/{group} after. "+groupRevision),
		write(a, "PUT /v1/groups/{group}/members", seniors, "Name the members of a group anew",
			func(ctx ctx, c caller, in *groupWith[NamedMembersBody]) (result, error) {
				ids := in.Body.IDs
				if ids == nil {
					ids = []string{}
				}
				return a.Groups.Refresh(ctx, c.Origin, in.Group, members.Request{IDs: ids, By: string(c.By), At: c.At})
			}, answers(202), "Of a group that was made from ids. "+groupRevision),
	}
}
