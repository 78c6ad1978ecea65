package commands

import (
	"context"
	"strings"

	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/internal/ids"
)

// SavedViews runs the commands of package savedview. All saved views of a place are
// in one stream; a Result's revision is that stream's.
type SavedViews struct {
	views *aggregate[savedview.State, savedview.Event]
}

// NewSavedView returns the id of the view that the command o saves in a place.
func NewSavedView(o Origin, at savedview.Place) savedview.ID {
	const letters = 12 // enough for the few that a place ever has
	return at.ID(strings.ReplaceAll(ids.Of(o.Command, "saved view"), "-", "")[:letters])
}

// Create saves a view in a place.
func (c SavedViews) Create(ctx context.Context, o Origin, w Writer, cmd savedview.Create) (Result, error) {
	cmd.Workspace, cmd.By = o.Workspace, o.Actor
	res, err := c.do(ctx, o, mayArrange(w, cmd.Place), "savedview.create", cmd.Place, cmd.Decide)
	res.ID = string(cmd.View)
	return res, err
}

// Change gives a saved view another name, filter or look.
func (c SavedViews) Change(ctx context.Context, o Origin, w Writer, cmd savedview.Change) (Result, error) {
	cmd.By = o.Actor
	return c.one(ctx, o, w, "savedview.change", cmd.View, cmd.Decide)
}

// Delete removes a saved view.
func (c SavedViews) Delete(ctx context.Context, o Origin, w Writer, cmd savedview.Delete) (Result, error) {
	cmd.By = o.Actor
	return c.one(ctx, o, w, "savedview.delete", cmd.View, cmd.Decide)
}

// Order puts the saved views that a place has of a target into a new order.
func (c SavedViews) Order(ctx context.Context, o Origin, w Writer, at savedview.Place, cmd savedview.Order) (Result, error) {
	cmd.By = o.Actor
	res, err := c.do(ctx, o, mayArrange(w, at), "savedview.order", at, cmd.Decide)
	res.ID = at.String()
	return res, err
}

func (c SavedViews) one(ctx context.Context, o Origin, w Writer, name string, id savedview.ID, decide func(savedview.State) ([]savedview.Event, error)) (Result, error) {
	at, ok := id.Place()
	refusal := mayArrange(w, at)
	if !ok {
		refusal = savedview.ErrNotFound
	}
	res, err := c.do(ctx, o, refusal, name, at, decide)
	res.ID = string(id)
	return res, err
}

// do runs a command on the saved views of a place. If it is refused from the start,
// the answer is kept all the same; what an old If-Match has missed is then not for
// the caller.
func (c SavedViews) do(ctx context.Context, o Origin, refusal error, name string, at savedview.Place, decide func(savedview.State) ([]savedview.Event, error)) (Result, error) {
	if refusal != nil {
		o.IfMatch = nil
		decide = func(savedview.State) ([]savedview.Event, error) { return nil, refusal }
	}
	return c.views.do(ctx, o, name, ids.SavedViews(o.Workspace, at.String()), decides(decide))
}

// mayArrange refuses whoever a place is not to be changed by. What is personal is
// nobody else's business.
func mayArrange(w Writer, at savedview.Place) error {
	switch {
	case at.Scope == savedview.Personal && (w.Agent == "" || at.Of != w.Agent):
		return savedview.ErrNotFound
	case at.Scope == savedview.Shared && !w.Senior:
		return savedview.ErrNotYours
	}
	return nil
}
