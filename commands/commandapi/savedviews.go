package commandapi

import (
	"context"
	"encoding/json"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/internal/web"
)

// viewers may save views: whoever looks at lists.
var viewers = []agent.Role{agent.RoleAgent, agent.RoleSupervisor, agent.RoleAuditor, agent.RoleAnalyst, agent.RoleAdmin}

type (
	inSavedView struct {
		View savedview.ID `path:"view"`
	}
	savedViewWith[B any] struct {
		View savedview.ID `path:"view"`
		Body B
	}
)

// NewSavedViewBody is a view to save.
type NewSavedViewBody struct {
	Scope   string          `json:"scope" enum:"personal,shared" example:"personal" doc:"Whose it is: yours or everybody's."`
	Target  string          `json:"target" enum:"chats,contacts,orders" example:"chats" doc:"What it finds."`
	Name    string          `json:"name" example:"Waiting for me" doc:"At most 200 characters, unique in its scope and target."`
	Icon    string          `json:"icon,omitempty" example:"clock" doc:"A word that the client knows, or an emoji, of at most 40 characters."`
	Colour  string          `json:"colour,omitempty" example:"#2f7d32"`
	Filter  json.RawMessage `json:"filter,omitempty" doc:"As POST /v1/chats/query takes it; everything if it is not given."`
	Sort    string          `json:"sort,omitempty" example:"waiting" doc:"As the target's query takes it."`
	Columns []string        `json:"columns,omitempty" example:"[\"name\",\"status\"]" doc:"Those that an export of the target can have, in the order to show them."`
}

// SavedViewPatch changes a saved view.
type SavedViewPatch struct {
	Name    *string         `json:"name,omitempty" example:"Waiting"`
	Icon    *string         `json:"icon,omitempty" doc:"Empty: none."`
	Colour  *string         `json:"colour,omitempty" doc:"Empty: none."`
	Filter  json.RawMessage `json:"filter,omitempty" doc:"{}: everything."`
	Sort    *string         `json:"sort,omitempty" doc:"Empty: the default."`
	Columns []string        `json:"columns,omitempty" doc:"Empty: the default."`
}

// SavedViewOrder is an order of saved views.
type SavedViewOrder struct {
	Scope  string         `json:"scope" enum:"personal,shared"`
	Target string         `json:"target" enum:"chats,contacts,orders"`
	Views  []savedview.ID `json:"views" maxItems:"200" doc:"The ids of all saved views of the scope and target."`
}

// place returns where the saved views of a scope are.
func (c caller) place(scope string) (savedview.Place, error) {
	at := savedview.Place{Scope: savedview.Scope(scope)}
	if at.Scope == savedview.Personal {
		if at.Of = c.Agent; at.Of == "" {
			return at, ErrNoAgent
		}
	}
	return at, nil
}

// savedViews is the table of what can be asked about saved views.
func (a *api) savedViews() []web.Endpoint {
	type ctx = context.Context
	const revision = "The revision is that of all saved views of the same scope."
	return []web.Endpoint{
		write(a, "POST /v1/saved-views", viewers, "Save a view",
			func(ctx ctx, c caller, in *with[NewSavedViewBody]) (result, error) {
				at, err := c.place(in.Body.Scope)
				if err != nil {
					return result{}, err
				}
				b := in.Body
				return a.SavedViews.Create(ctx, c.Origin, c.writer(), savedview.Create{
					Place: at, View: commands.NewSavedView(c.Origin, at), Target: b.Target,
					Look: savedview.Look{Name: b.Name, Icon: b.Icon, Colour: b.Colour, Filter: b.Filter, Sort: b.Sort, Columns: b.Columns},
				})
			}, answers(201), "A filter with a name. It is kept as it is given: me is whoever looks, and times that are relative move on. "+
				"Whoever sees lists may save personal ones; those that are shared are for supervisors and admins to change. "+revision),
		write(a, "PATCH /v1/saved-views/{view}", viewers, "Change a saved view",
			func(ctx ctx, c caller, in *savedViewWith[SavedViewPatch]) (result, error) {
				b := in.Body
				if b.Name == nil && b.Icon == nil && b.Colour == nil && b.Filter == nil && b.Sort == nil && b.Columns == nil {
					return result{}, web.BadRequest(web.CodeInvalid, "body", "nothing to change is given")
				}
				return a.SavedViews.Change(ctx, c.Origin, c.writer(), savedview.Change{
					View: in.View, Name: b.Name, Icon: b.Icon, Colour: b.Colour, Filter: b.Filter, Sort: b.Sort, Columns: b.Columns,
				})
			}, revision),
		write(a, "DELETE /v1/saved-views/{view}", viewers, "Delete a saved view",
			func(ctx ctx, c caller, in *inSavedView) (result, error) {
				return a.SavedViews.Delete(ctx, c.Origin, c.writer(), savedview.Delete{View: in.View})
			}, "It is gone for good. "+revision),
		write(a, "PUT /v1/saved-views/order", viewers, "Put saved views into a new order",
			func(ctx ctx, c caller, in *with[SavedViewOrder]) (result, error) {
				at, err := c.place(in.Body.Scope)
				if err != nil {
					return result{}, err
				}
				return a.SavedViews.Order(ctx, c.Origin, c.writer(), at, savedview.Order{Target: in.Body.Target, Views: in.Body.Views})
			}, "All of one scope and target have to be named. "+revision),
	}
}
