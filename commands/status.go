package commands

import (
	"context"
	"strings"

	"github.com/chatledger/chatledger/domain/status"
)

// Statuses runs the commands of package status. All statuses of a workspace are
// in one stream; a Result's ID is the workspace's.
type Statuses struct {
	statuses *aggregate[status.State, status.Event]
}

// Create adds a status. Its id is a slug of the name in upper case.
func (c Statuses) Create(ctx context.Context, o Origin, cmd status.Create) (Result, error) {
	return c.statuses.do(ctx, o, "status.create", o.Workspace, func(_ context.Context, s status.State) ([]status.Event, error) {
		if item, ok := s.Find(cmd.Name); ok && cmd.Status == "" {
			cmd.Status = item.ID
		} else if cmd.Status == "" {
			cmd.Status = status.ID(strings.ToUpper(freeSlug(cmd.Name, s.Known)))
		}
		return cmd.Decide(s)
	})
}

// Rename gives a status another name, wherever it is used.
func (c Statuses) Rename(ctx context.Context, o Origin, cmd status.Rename) (Result, error) {
	return c.statuses.do(ctx, o, "status.rename", o.Workspace, decides(cmd.Decide))
}

// Recolour gives a status another colour.
func (c Statuses) Recolour(ctx context.Context, o Origin, cmd status.Recolour) (Result, error) {
	return c.statuses.do(ctx, o, "status.recolour", o.Workspace, decides(cmd.Decide))
}

// Move gives a status another place in the list.
func (c Statuses) Move(ctx context.Context, o Origin, cmd status.Move) (Result, error) {
	return c.statuses.do(ctx, o, "status.move", o.Workspace, decides(cmd.Decide))
}

// SetDefault makes a status the one that new chats get.
func (c Statuses) SetDefault(ctx context.Context, o Origin, cmd status.SetDefault) (Result, error) {
	return c.statuses.do(ctx, o, "status.set_default", o.Workspace, decides(cmd.Decide))
}

// Archive takes a status out of use. Chats keep it.
func (c Statuses) Archive(ctx context.Context, o Origin, cmd status.Archive) (Result, error) {
	return c.statuses.do(ctx, o, "status.archive", o.Workspace, decides(cmd.Decide))
}

// find returns the status with this id or name.
func (c Statuses) find(ctx context.Context, workspace, nameOrID string) (item status.Item, err error) {
	err = c.statuses.with(ctx, workspace, func(s status.State) error {
		found, ok := s.Find(nameOrID)
		if !ok {
			return status.ErrNotFound
		}
		item = found
		return nil
	})
	return item, err
}

// initial returns the status that new and reopened chats get.
func (c Statuses) initial(ctx context.Context, workspace string) (item status.Item, err error) {
	err = c.statuses.with(ctx, workspace, func(s status.State) error {
		item = s.Default()
		return nil
	})
	return item, err
}

// closing returns the status to close a chat with.
func (c Statuses) closing(ctx context.Context, workspace, nameOrID string) (item status.Item, err error) {
	if nameOrID != "" {
		return c.find(ctx, workspace, nameOrID)
	}
	err = c.statuses.with(ctx, workspace, func(s status.State) error {
		item = s.FirstClosed()
		return nil
	})
	return item, err
}
