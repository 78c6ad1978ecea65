package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// Groups runs the commands of packages group and members. All groups of a workspace
// are in one stream, so that a name is unique; who is in a static group is in a
// stream of its own.
type Groups struct {
	groups  *aggregate[group.State, group.Event]
	members *aggregate[members.State, members.Event]
}

// Create makes a group. Its members are named, or chosen by the reactor that hears
// of it. The Result's ID is the group's.
func (c Groups) Create(ctx context.Context, o Origin, cmd group.Create, named []string) (Result, error) {
	o = o.identified()
	refused := c.groups.with(ctx, o.Workspace, func(s group.State) error {
		_, err := cmd.Decide(s)
		return err
	})
	if cmd.Named && refused == nil {
		// First the names: whoever sees the group has them. If the group is refused
		// after all, the stream is one of no group.
		_, err := c.members.do(ctx, o.part(ids.Command("name members", o.Command.String())), "members.request", string(cmd.Group), decides(members.Request{
			Workspace: o.Workspace, IDs: named, By: cmd.By, At: cmd.At,
		}.Decide))
		if err != nil && !errors.Is(err, members.ErrPending) { // a repeat
			return Result{}, err
		}
	}
	r, err := c.groups.do(ctx, o, "group.create", o.Workspace, decides(cmd.Decide))
	r.ID = string(cmd.Group)
	return r, err
}

// Rename gives a group another name.
func (c Groups) Rename(ctx context.Context, o Origin, cmd group.Rename) (Result, error) {
	return c.groups.do(ctx, o, "group.rename", o.Workspace, decides(cmd.Decide))
}

// SetFilter gives a group another filter.
func (c Groups) SetFilter(ctx context.Context, o Origin, cmd group.SetFilter) (Result, error) {
	return c.groups.do(ctx, o, "group.set_filter", o.Workspace, decides(cmd.Decide))
}

// Delete ends a group.
func (c Groups) Delete(ctx context.Context, o Origin, cmd group.Delete) (Result, error) {
	return c.groups.do(ctx, o, "group.delete", o.Workspace, decides(cmd.Decide))
}

// Refresh has the members of a static group chosen anew: by its filter, as whoever
// set that meant it, or, where they are named, by other names.
func (c Groups) Refresh(ctx context.Context, o Origin, id group.ID, cmd members.Request) (Result, error) {
	cmd.Workspace = o.Workspace
	return c.members.do(ctx, o, "members.request", string(id), func(ctx context.Context, s members.State) ([]members.Event, error) {
		g, err := c.Get(ctx, o.Workspace, id)
		switch {
		case err != nil:
			return nil, err
		case g.Kind == group.Dynamic:
			return nil, group.ErrDynamic
		case g.Filter == nil && cmd.IDs == nil: // nothing that could choose
			return nil, group.ErrNamed
		case g.Filter != nil && cmd.IDs != nil:
			return nil, group.ErrFiltered
		}
		cmd := cmd
		cmd.Filter, cmd.Me = g.Filter, g.By
		return cmd.Decide(s)
	})
}

// Empty takes the members out of a group that was deleted.
func (c Groups) Empty(ctx context.Context, o Origin, id group.ID, cmd members.Empty) (Result, error) {
	return c.members.do(ctx, o, "members.empty", string(id), decides(cmd.Decide))
}

// Choose makes the choice that was asked for: ids, sorted, as the views had them at
// a position.
func (c Groups) Choose(ctx context.Context, o Origin, id group.ID, cmd members.Choose) (Result, error) {
	o.Command = ids.Command("members choose", string(id), fmt.Sprint(cmd.Choice))
	return c.members.do(ctx, o, "members.choose", string(id), func(ctx context.Context, s members.State) ([]members.Event, error) {
		if !s.Pending || s.Choice != cmd.Choice {
			return nil, nil
		}
		cmd := cmd
		var err error
		if cmd.Have, err = c.Members(ctx, id); err != nil {
			return nil, err
		}
		return cmd.Decide(s)
	})
}

// Get returns a group that was not deleted.
func (c Groups) Get(ctx context.Context, workspace string, id group.ID) (g group.Group, err error) {
	err = c.groups.with(ctx, workspace, func(s group.State) error {
		g, err = s.Live(id)
		return err
	})
	return g, err
}

// Known returns a group, also one that was deleted; ok is false if there never was
// one.
func (c Groups) Known(ctx context.Context, workspace string, id group.ID) (g group.Group, ok bool, err error) {
	err = c.groups.with(ctx, workspace, func(s group.State) error {
		g, ok = s.Get(id)
		return nil
	})
	return g, ok, err
}

// Look returns the state of the members of a group.
func (c Groups) Look(ctx context.Context, id group.ID) (out members.State, err error) {
	err = c.members.with(ctx, string(id), func(s members.State) error {
		out = s
		return nil
	})
	return out, err
}

// Asked returns what the last choice of members was asked with, with all names.
func (c Groups) Asked(ctx context.Context, id group.ID) (req members.Requested, err error) {
	for e, err := range c.read(ctx, id, eventstore.StreamQuery{Backwards: true}) {
		if err != nil {
			return req, err
		}
		if asked, ok := e.(members.Requested); ok {
			return asked, nil
		}
	}
	return req, group.ErrNotFound
}

// Members returns who is in a group, sorted, from the log.
func (c Groups) Members(ctx context.Context, id group.ID) ([]string, error) {
	in := map[string]struct{}{}
	for e, err := range c.read(ctx, id, eventstore.StreamQuery{}) {
		if err != nil {
			return nil, err
		}
		if changed, ok := e.(members.Changed); ok {
			for _, m := range changed.Added {
				in[m] = struct{}{}
			}
			for _, m := range changed.Removed {
				delete(in, m)
			}
		}
	}
	return slices.Sorted(maps.Keys(in)), nil
}

func (c Groups) read(ctx context.Context, id group.ID, q eventstore.StreamQuery) func(func(members.Event, error) bool) {
	return func(yield func(members.Event, error) bool) {
		for r, err := range c.members.store.ReadStream(ctx, "members-"+string(id), q) {
			var e members.Event
			if err != nil {
				err = fmt.Errorf("%w: read members: %w", ErrUnavailable, err)
			} else {
				e, err = c.members.codec.Decode(r)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// NewGroup returns the id of the group that the command o makes.
func NewGroup(o Origin) group.ID { return group.ID(ids.Of(o.Command, "group")) }
