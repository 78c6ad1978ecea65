package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/agent"
)

// Agents runs the commands of package agent.
type Agents struct {
	agents *aggregate[agent.State, agent.Event]
}

// Invite makes somebody a member of the workspace's staff. The id is
// ids.Agent of what is unique about them.
func (c Agents) Invite(ctx context.Context, o Origin, id agent.ID, cmd agent.Invite) (Result, error) {
	cmd.Workspace = o.Workspace
	return c.agents.do(ctx, o, "agent.invite", string(id), decides(cmd.Decide))
}

// ChangeRole gives an agent other rights.
func (c Agents) ChangeRole(ctx context.Context, o Origin, id agent.ID, cmd agent.ChangeRole) (Result, error) {
	cmd.Self = o.is(id)
	return c.agents.do(ctx, o, "agent.change_role", string(id), decides(cmd.Decide))
}

// SetAvailability says whether an agent is at work.
func (c Agents) SetAvailability(ctx context.Context, o Origin, id agent.ID, cmd agent.SetAvailability) (Result, error) {
	return c.agents.do(ctx, o, "agent.set_availability", string(id), decides(cmd.Decide))
}

// SetCapacity bounds how many open chats an agent is given by a team's rule.
func (c Agents) SetCapacity(ctx context.Context, o Origin, id agent.ID, cmd agent.SetCapacity) (Result, error) {
	return c.agents.do(ctx, o, "agent.set_capacity", string(id), decides(cmd.Decide))
}

// Deactivate ends an agent's access.
func (c Agents) Deactivate(ctx context.Context, o Origin, id agent.ID, cmd agent.Deactivate) (Result, error) {
	cmd.Self = o.is(id)
	return c.agents.do(ctx, o, "agent.deactivate", string(id), decides(cmd.Decide))
}

// is reports whether an agent is who asks.
func (o Origin) is(id agent.ID) bool { return o.ActorKind == ActorAgent && o.Actor == string(id) }

// Reactivate gives an agent access again.
func (c Agents) Reactivate(ctx context.Context, o Origin, id agent.ID, cmd agent.Reactivate) (Result, error) {
	return c.agents.do(ctx, o, "agent.reactivate", string(id), decides(cmd.Decide))
}

// Look calls use with the present state of an agent of the workspace, which use
// must neither keep nor change.
func (c Agents) Look(ctx context.Context, workspace string, id agent.ID, use func(agent.State) error) error {
	return c.agents.with(ctx, string(id), func(s agent.State) error {
		if !s.Exists || s.Workspace != workspace {
			return agent.ErrNotFound
		}
		return use(s)
	})
}

// mayHold refuses an agent who cannot be responsible for a chat. An empty id is
// left to the command, which knows the name of its field.
func (c Agents) mayHold(ctx context.Context, workspace, id string) error {
	if id == "" {
		return nil
	}
	return c.Look(ctx, workspace, agent.ID(id), func(s agent.State) error { return s.MayHold() })
}
