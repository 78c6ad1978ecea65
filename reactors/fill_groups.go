package reactors

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// FillGroupsName names the reactor.
const FillGroupsName = "fill_groups.v1"

// FillGroups chooses the members of static groups: when one is made, when somebody
// asks for them anew, and nobody when one was deleted. A choice is recorded in one
// append, so that after a crash it is there or is made again.
type FillGroups struct {
	Groups commands.Groups
	// Choose returns the contacts that pass a request, sorted, as a view has them once
	// it has come to a position, or more of them than members.MaxMembers; how many of
	// those that are named there are not; and the position that this reflects.
	Choose func(ctx context.Context, req members.Requested, at eventstore.Position) (ids []string, missing int, position int64, err error)
	Now    func() time.Time
}

// Reactor returns it, ready for a Host.
func (r FillGroups) Reactor() Reactor {
	return Reactor{
		Name:       FillGroupsName,
		Categories: []string{"groups", "members"},
		Types:      []string{group.Created{}.EventType(), group.Deleted{}.EventType(), members.Requested{}.EventType()},
		Handle:     r.handle,
	}
}

func (r FillGroups) handle(ctx context.Context, e eventstore.Recorded) error {
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	o := commands.Origin{
		Workspace: meta.Workspace, Actor: FillGroupsName, ActorKind: commands.ActorSystem,
		Correlation: meta.Correlation, Causation: e.ID.String(), Traceparent: meta.Traceparent,
	}
	if e.Category() == "members" {
		return refused(r.fill(ctx, o, group.ID(strings.TrimPrefix(e.Stream, "members-")), e.Position))
	}
	fact, err := codec.New(group.Events).Decode(e)
	if err != nil {
		return Permanent(err)
	}
	o.Command = ids.Command("fill group", e.ID.String())
	switch f := fact.(type) {
	case group.Created:
		if f.Kind == group.Dynamic {
			return nil
		}
		if f.Filter == nil { // the names are there already
			return refused(r.fill(ctx, o, f.Group, e.Position))
		}
		_, err = r.Groups.Refresh(ctx, o, f.Group, members.Request{By: f.By, At: f.At})
		if errors.Is(err, members.ErrPending) || errors.Is(err, group.ErrNotFound) {
			return nil // somebody was faster
		}
	case group.Deleted:
		_, err = r.Groups.Empty(ctx, o, f.Group, members.Empty{By: f.By, At: f.At})
	default:
	}
	return refused(err)
}

// fill makes the choice that is asked for, if there is one.
func (r FillGroups) fill(ctx context.Context, o commands.Origin, id group.ID, at eventstore.Position) error {
	s, err := r.Groups.Look(ctx, id)
	if err != nil || !s.Pending {
		return err
	}
	_, known, err := r.Groups.Known(ctx, o.Workspace, id)
	if err != nil || !known { // members were named; the group that is to have them comes next, or was refused
		return err
	}
	cmd := members.Choose{Choice: s.Choice, Position: int64(at), At: r.Now().UTC().Truncate(time.Microsecond)}
	if !s.Request.Emptied {
		req, err := r.Groups.Asked(ctx, id)
		if err != nil {
			return err
		}
		cmd.IDs, cmd.Missing, cmd.Position, err = r.Choose(ctx, req, at)
		if f, no := errors.AsType[*fault.Error](err); no {
			cmd.Code, cmd.Reason = f.Code, f.Msg // whoever asked is told, and may ask for something else
		} else if err != nil {
			return err
		}
	}
	_, err = r.Groups.Choose(ctx, o, id, cmd)
	return err
}
