package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/customview"
)

// CustomViews runs the commands of package customview. All custom views of a workspace
// are in one stream; a Result's revision is that stream's, its ID the view's name.
type CustomViews struct {
	views *aggregate[customview.State, customview.Event]
}

// Save gives a view a new version.
func (c CustomViews) Save(ctx context.Context, o Origin, cmd customview.Save) (Result, error) {
	cmd.Workspace, cmd.By = o.Workspace, o.Actor
	return c.do(ctx, o, "customview.save", cmd.View, cmd.Decide)
}

// Publish makes a version the one that is read when none is named.
func (c CustomViews) Publish(ctx context.Context, o Origin, cmd customview.Publish) (Result, error) {
	cmd.By = o.Actor
	return c.do(ctx, o, "customview.publish", cmd.View, cmd.Decide)
}

// Retry has a version try again the event that it stopped at.
func (c CustomViews) Retry(ctx context.Context, o Origin, cmd customview.Retry) (Result, error) {
	cmd.By = o.Actor
	return c.do(ctx, o, "customview.retry", cmd.View, cmd.Decide)
}

// Drop ends a version.
func (c CustomViews) Drop(ctx context.Context, o Origin, cmd customview.Drop) (Result, error) {
	cmd.By = o.Actor
	return c.do(ctx, o, "customview.drop", cmd.View, cmd.Decide)
}

// Retire ends a view.
func (c CustomViews) Retire(ctx context.Context, o Origin, cmd customview.Retire) (Result, error) {
	cmd.By = o.Actor
	return c.do(ctx, o, "customview.retire", cmd.View, cmd.Decide)
}

func (c CustomViews) do(ctx context.Context, o Origin, name string, view customview.Name, decide func(customview.State) ([]customview.Event, error)) (Result, error) {
	res, err := c.views.do(ctx, o, name, o.Workspace, decides(decide))
	res.ID = string(view)
	return res, err
}
