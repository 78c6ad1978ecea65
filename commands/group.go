package commands

import (
	"cmp"
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
// stream of its own. A Result's revision is that of the group alone, as group.Revision
// has it, and so is what IfMatch names: for Create it is that of the whole list, since
// there is no group yet.
//
// What changes the same thing of a group, its name and filter or its members, is in one
// stream: there IfMatch is exact. A change of the other thing at the very same moment may
// go unseen; neither overwrites anything of the other.
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
	about := subject{id: string(cmd.Group)}
	r, err := c.groups.doAbout(ctx, o, "group.create", o.Workspace, &about, func(ctx context.Context, s group.State) ([]group.Event, error) {
		if g, made := s.Get(cmd.Group); made {
			_, err := c.present(ctx, g, &about)
			if err != nil {
				return nil, err
			}
		}
		return cmd.Decide(s)
	})
	return c.numbered(ctx, o, cmd.Group, r, err)
}

// change runs a command about one group.
func (c Groups) change(ctx context.Context, o Origin, name string, id group.ID, decide decideFunc[group.State, group.Event]) (Result, error) {
	want := o.IfMatch
	o.IfMatch = nil
	about := subject{id: string(id)}
	r, err := c.groups.doAbout(ctx, o, name, o.Workspace, &about, func(ctx context.Context, s group.State) ([]group.Event, error) {
		if g, made := s.Get(id); made {
			revision, err := c.present(ctx, g, &about)
			if err != nil {
				return nil, err
			}
			if err := c.match(ctx, o.Workspace, g, want, revision); err != nil {
				return nil, err
			}
		}
		return decide(ctx, s)
	})
	return c.numbered(ctx, o, id, r, err)
}

// present returns the revision that a group has, and leaves it in about. It must not
// wait for a state of members: whoever holds one may wait for that of the groups.
func (c Groups) present(ctx context.Context, g group.Group, about *subject) (eventstore.Revision, error) {
	choices, err := c.choices(ctx, g.ID, nil)
	revision := eventstore.Revision(group.Revision(g.Changes, choices))
	about.revision = &revision
	return revision, err
}

// choices returns how many choices of the members of a group were asked for: up to a
// position, if there is one.
func (c Groups) choices(ctx context.Context, id group.ID, to *eventstore.Position) (int, error) {
	for r, err := range c.members.store.ReadStream(ctx, membersStream(id), eventstore.StreamQuery{Backwards: true}) {
		if err != nil {
			return 0, fmt.Errorf("%w: read members: %w", ErrUnavailable, err)
		}
		if to != nil && r.Position > *to {
			continue
		}
		e, err := c.members.codec.Decode(r)
		if err != nil {
			return 0, err
		}
		return members.ChoiceOf(e), nil
	}
	return 0, nil
}

// numbered gives the Result of a command that did something the revision that the group
// had then: its repeat gets the same.
func (c Groups) numbered(ctx context.Context, o Origin, id group.ID, r Result, err error) (Result, error) {
	r.ID = string(id)
	if err != nil || !r.Changed {
		return r, err
	}
	var s group.State
	for e, err := range c.history(ctx, o.Workspace) {
		if err != nil {
			return Result{}, err
		}
		if e.Position > r.Position {
			break
		}
		s = group.Evolve(s, e.fact)
	}
	g, _ := s.Get(id)
	choices, err := c.choices(ctx, id, &r.Position)
	r.Revision = eventstore.Revision(group.Revision(g.Changes, choices))
	return r, err
}

// groupEvent is what happened to a group of a workspace.
type groupEvent struct {
	eventstore.Recorded
	fact group.Event
}

// history returns what happened to the groups of a workspace.
func (c Groups) history(ctx context.Context, workspace string) func(func(groupEvent, error) bool) {
	return func(yield func(groupEvent, error) bool) {
		for r, err := range c.groups.store.ReadStream(ctx, "groups-"+workspace, eventstore.StreamQuery{}) {
			e := groupEvent{Recorded: r}
			if err != nil {
				err = fmt.Errorf("%w: read groups: %w", ErrUnavailable, err)
			} else {
				e.fact, err = c.groups.codec.Decode(r)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// match refuses a change of a group that has another revision than the caller wants,
// with what happened since. Of one that was deleted there is nothing to change.
func (c Groups) match(ctx context.Context, workspace string, g group.Group, want *eventstore.Revision, have eventstore.Revision) error {
	if want == nil || *want == have || g.Deleted {
		return nil
	}
	var since []eventstore.Recorded
	for e, err := range c.history(ctx, workspace) {
		if err != nil {
			return err
		}
		if _, made := e.fact.(group.Created); !made && group.About(e.fact) == g.ID {
			since = append(since, e.Recorded)
		}
	}
	choices := 0
	for r, err := range c.members.store.ReadStream(ctx, membersStream(g.ID), eventstore.StreamQuery{}) {
		if err != nil {
			return fmt.Errorf("%w: read members: %w", ErrUnavailable, err)
		}
		if r.Type != (members.Requested{}).EventType() {
			continue
		}
		if choices++; choices > 1 {
			since = append(since, r)
		}
	}
	slices.SortFunc(since, func(a, b eventstore.Recorded) int { return cmp.Compare(a.Position, b.Position) })
	for i := range since { // as many changes as group.Revision counts
		since[i].Revision = eventstore.Revision(i + 1)
	}
	from := min(max(int(*want), 0), len(since))
	since = since[from:min(from+staleLimit, len(since))]
	return &Stale{Subject: "group " + string(g.ID), Want: *want, Got: have, Since: since}
}

func membersStream(id group.ID) string { return "members-" + string(id) }

// Change does some things to a group: all of them, as one decision, or none.
func (c Groups) Change(ctx context.Context, o Origin, id group.ID, changes ...func(group.State) ([]group.Event, error)) (Result, error) {
	return c.change(ctx, o, "group.change", id, together(changes))
}

// Delete ends a group.
func (c Groups) Delete(ctx context.Context, o Origin, cmd group.Delete) (Result, error) {
	return c.change(ctx, o, "group.delete", cmd.Group, decides(cmd.Decide))
}

// Refresh has the members of a static group chosen anew: by its filter, as whoever
// set that meant it, or, where they are named, by other names.
func (c Groups) Refresh(ctx context.Context, o Origin, id group.ID, cmd members.Request) (Result, error) {
	cmd.Workspace = o.Workspace
	want := o.IfMatch
	o.IfMatch = nil
	r, err := c.members.do(ctx, o, "members.request", string(id), func(ctx context.Context, s members.State) ([]members.Event, error) {
		g, err := c.Get(ctx, o.Workspace, id)
		if err == nil {
			err = c.match(ctx, o.Workspace, g, want, eventstore.Revision(group.Revision(g.Changes, s.Choice)))
		}
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
	return c.numbered(ctx, o, id, r, err)
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
		for r, err := range c.members.store.ReadStream(ctx, membersStream(id), q) {
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
