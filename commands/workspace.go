package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/internal/ids"
)

// Workspaces runs the commands of package workspace.
type Workspaces struct {
	workspaces *aggregate[workspace.State, workspace.Event]
	statuses   *aggregate[status.State, status.Event]
}

// Create starts the workspace that o names, with the statuses that every new one
// has. Creating one that exists changes nothing.
func (c Workspaces) Create(ctx context.Context, o Origin, cmd workspace.Create) (Result, error) {
	// The statuses first: whoever sees the workspace may rely on them.
	o = o.identified()
	if _, err := c.statuses.do(ctx, o.part(ids.Command("seed", o.Command.String())), "status.seed", o.Workspace, decides(status.Seed{}.Decide)); err != nil {
		return Result{}, err
	}
	return c.workspaces.do(ctx, o, "workspace.create", o.Workspace, decides(cmd.Decide))
}

// Rename gives the workspace another name.
func (c Workspaces) Rename(ctx context.Context, o Origin, cmd workspace.Rename) (Result, error) {
	return c.workspaces.do(ctx, o, "workspace.rename", o.Workspace, decides(cmd.Decide))
}

// ChangeSettings says how the workspace works from now on.
func (c Workspaces) ChangeSettings(ctx context.Context, o Origin, cmd workspace.ChangeSettings) (Result, error) {
	cmd.By = o.Actor
	return c.workspaces.do(ctx, o, "workspace.change_settings", o.Workspace, decides(cmd.Decide))
}

// Settings returns how a workspace works: every part is there.
func (c Workspaces) Settings(ctx context.Context, id string) (s workspace.Settings, err error) {
	err = c.workspaces.with(ctx, id, func(w workspace.State) error {
		s = w.Settings.As()
		return nil
	})
	return s, err
}
