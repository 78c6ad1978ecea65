package transcript

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// names are those that things had at the position, by id. What had none is not
// in it. A tag that was merged and a status that was remapped are what they stand
// for.
type names struct {
	workspace, channel, contact string

	agents, teams  map[string]string
	tags, statuses map[string]Ref
}

// readNames reads the names that an index needs from the streams of what has
// them: one for each agent, one for all teams, tags or statuses.
func readNames(ctx context.Context, store Streams, x *index, asOf eventstore.Position) (n names, err error) {
	own := x.state.Workspace
	n = names{agents: map[string]string{}, teams: map[string]string{}, tags: map[string]Ref{}, statuses: map[string]Ref{}}
	for _, id := range slices.Sorted(maps.Keys(x.agents)) {
		err := fold(ctx, store, "agent-"+id, asOf, agent.Events, func(e agent.Event) {
			if f, ok := e.(agent.Invited); ok && f.Workspace == own {
				n.agents[id] = f.Name
			}
		})
		if err != nil {
			return n, err
		}
	}
	if len(x.teams) > 0 {
		err = fold(ctx, store, "teams-"+own, asOf, team.Events, func(e team.Event) {
			switch f := e.(type) {
			case team.Created:
				n.teams[string(f.Team)] = f.Name
			case team.Renamed:
				n.teams[string(f.Team)] = f.Name
			}
		})
		if err != nil {
			return n, err
		}
	}
	if len(x.tags) > 0 {
		var all tag.State
		err = fold(ctx, store, "tags-"+own, asOf, tag.Events, func(e tag.Event) { all = tag.Evolve(all, e) })
		if err != nil {
			return n, err
		}
		for id := range x.tags {
			if t, ok := all.Get(all.Resolve(tag.ID(id))); ok {
				n.tags[id] = Ref{string(t.ID), t.Name}
			}
		}
	}
	var all status.State
	err = fold(ctx, store, "statuses-"+own, asOf, status.Events, func(e status.Event) { all = status.Evolve(all, e) })
	if err != nil {
		return n, err
	}
	for id := range x.statuses {
		if item, ok := all.Get(all.Resolve(status.ID(id))); ok {
			n.statuses[id] = Ref{string(item.ID), item.Name}
		}
	}
	err = fold(ctx, store, "channel-"+x.state.Channel, asOf, channel.Events, func(e channel.Event) {
		switch f := e.(type) {
		case channel.Connected:
			if f.Workspace == own {
				n.channel = f.Name
			}
		case channel.Renamed:
			n.channel = f.Name
		}
	})
	if err != nil {
		return n, err
	}
	if n.contact, err = contactName(ctx, store, x, asOf); err != nil {
		return n, err
	}
	err = fold(ctx, store, "workspace-"+own, asOf, workspace.Events, func(e workspace.Event) {
		switch f := e.(type) {
		case workspace.Created:
			n.workspace = f.Name
		case workspace.Renamed:
			n.workspace = f.Name
		}
	})
	return n, err
}

// contactName returns the name of the contact that the customer was, or was a part
// of; "" if there was none.
func contactName(ctx context.Context, store Streams, x *index, asOf eventstore.Position) (string, error) {
	id := contact.ID(ids.Contact(x.state.Workspace, x.state.Customer))
	for range 2 {
		var s contact.State
		err := fold(ctx, store, "contact-"+string(id), asOf, contact.Events, func(e contact.Event) { s = contact.Evolve(s, e) })
		switch {
		case err != nil:
			return "", err
		case !s.Exists || s.Deleted || s.Workspace != x.state.Workspace:
			return "", nil
		case s.Into == "":
			return strings.Join(s.Fields[contact.Name].Values, ", "), nil
		}
		id = s.Into
	}
	return "", nil
}

// fold calls use with the events of a stream up to a position.
func fold[E codec.Event](ctx context.Context, store Streams, stream string, asOf eventstore.Position, catalogue []E, use func(E)) error {
	c := codec.New(catalogue)
	for r, err := range store.ReadStream(ctx, stream, eventstore.StreamQuery{}) {
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		if r.Position > asOf {
			return nil
		}
		e, err := c.Decode(r)
		if err != nil {
			return err
		}
		use(e)
	}
	return nil
}
