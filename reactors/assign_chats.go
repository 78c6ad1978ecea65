package reactors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// AssignChatsName names the reactor.
const AssignChatsName = "assign_chats.v1"

// AssignChats gives chats that are handed to a team, or that a customer opened again
// in one and nobody has, to its members, by the team's rule: not to who is offline, not outside of the team's hours, and to nobody more
// than they can take. What cannot be given waits, and is tried again when a member
// comes online or gets room, the team changes, or its hours begin. A team without
// hours of its own has those of the workspace.
//
// Who has how many chats, and whose turn it is, follows from the log, up to its
// end: it is folded here, once, and kept up to date. One event is handled at a
// time, so a choice sees those before it. A chat that somebody took in between is
// left alone: the command decides on the chat's own stream.
type AssignChats struct {
	Store      eventstore.Store
	Chats      commands.Chats
	Teams      commands.Teams
	Agents     commands.Agents
	Workspaces commands.Workspaces
	Now        func() time.Time
}

// Reactor returns it, ready for a Host.
func (a AssignChats) Reactor() Reactor {
	d := &desk{
		AssignChats: a, events: codec.New(chat.Events),
		holders: map[string]string{}, waiting: map[string]waiting{}, lines: map[teamKey][]inLine{}, unsure: map[string]reopened{}, turns: map[teamKey]string{},
		load: map[string]int64{}, ruled: map[string]bool{},
	}
	return Reactor{
		Name:       AssignChatsName,
		Categories: []string{"chat", "agent", "teams", "workspace"},
		Types: []string{
			chat.Transferred{}.EventType(), chat.Reopened{}.EventType(), chat.Unassigned{}.EventType(), chat.Closed{}.EventType(), chat.Deleted{}.EventType(),
			agent.AvailabilitySet{}.EventType(), agent.CapacitySet{}.EventType(), agent.RoleChanged{}.EventType(), agent.Reactivated{}.EventType(),
			team.RuleSet{}.EventType(), team.HoursSet{}.EventType(), team.MemberAdded{}.EventType(), team.Restored{}.EventType(),
			workspace.SettingsChanged{}.EventType(),
		},
		Keys:      func(eventstore.Recorded) []string { return []string{AssignChatsName} },
		Unordered: true, // what an event leads to follows from the log, not from the events before it
		Handle:    d.handle,
		Beside:    d.run,
	}
}

// desk is what is known of who has which chat.
type desk struct {
	AssignChats
	events codec.Codec[chat.Event]

	mu      sync.Mutex
	at      eventstore.Position
	holders map[string]string    // by chat: open chats that somebody has
	waiting map[string]waiting   // by chat: those that came to a team and were not taken since
	lines   map[teamKey][]inLine // of those, and of some that do not wait any more, the oldest first
	unsure  map[string]reopened  // by chat: opened again, so that the chat knows who has it
	turns   map[teamKey]string   // who was chosen last
	load    map[string]int64     // by agent
	ruled   map[string]bool      // workspaces that have had a rule
}

type teamKey struct{ workspace, team string }

// inLine is a chat in a team's line.
type inLine struct {
	chat  string
	since eventstore.Position
}

type waiting struct {
	team  teamKey
	since eventstore.Position
	event string // that handed it over: the choice is made once for each
}

// reopened is a chat that was opened again.
type reopened struct {
	workspace  string
	byCustomer bool
	since      eventstore.Position
	event      string
	command    string // that did it
}

func (d *desk) handle(ctx context.Context, e eventstore.Recorded) error {
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	var automatic []team.ID
	err = d.Teams.Look(ctx, meta.Workspace, func(s team.State) error {
		automatic = s.Automatic()
		return nil
	})
	if err != nil || len(automatic) == 0 {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ruled[meta.Workspace] = true
	because := commands.Origin{Correlation: meta.Correlation, Causation: e.ID.String(), Traceparent: meta.Traceparent}
	for _, t := range automatic {
		if err := d.serve(ctx, because, teamKey{meta.Workspace, string(t)}); err != nil {
			return err
		}
	}
	return nil
}

// run gives out what waits for a team when its hours begin, which no event says.
// Hours are of whole minutes.
func (d *desk) run(ctx context.Context) error {
	if err := d.findRules(ctx); err != nil {
		return err
	}
	open := map[teamKey]bool{}
	for {
		if err := d.begin(ctx, open); err != nil {
			return err
		}
		now := d.Now()
		t := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// findRules finds the workspaces that have had a rule.
func (d *desk) findRules(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for r, err := range d.Store.ReadAll(ctx, eventstore.AllQuery{Categories: []string{"teams"}, Types: []string{team.RuleSet{}.EventType()}}) {
		if err != nil {
			return fmt.Errorf("look for teams with a rule: %w", err)
		}
		if r.IsMark() {
			continue
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			return err
		}
		d.ruled[meta.Workspace] = true
	}
	return nil
}

// begin serves the teams that work now and did not when it was last called. It
// notes in open which do.
func (d *desk) begin(ctx context.Context, open map[teamKey]bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ws := range slices.Sorted(maps.Keys(d.ruled)) {
		var automatic []team.ID
		err := d.Teams.Look(ctx, ws, func(s team.State) error {
			automatic = s.Automatic()
			return nil
		})
		if err != nil {
			return err
		}
		for _, t := range automatic {
			key := teamKey{ws, string(t)}
			works, err := d.works(ctx, key)
			if err == nil && works && !open[key] {
				err = d.serve(ctx, commands.Origin{}, key)
			}
			if err != nil {
				return err
			}
			open[key] = works
		}
	}
	return nil
}

// works reports whether a team works now.
func (d *desk) works(ctx context.Context, key teamKey) (bool, error) {
	var hours team.Hours
	err := d.Teams.Look(ctx, key.workspace, func(s team.State) error {
		hours = s.Hours(team.ID(key.team))
		return nil
	})
	if err != nil {
		return false, err
	}
	if hours.Zone == "" {
		settings, err := d.Workspaces.Settings(ctx, key.workspace)
		if err != nil {
			return false, err
		}
		hours = *settings.Hours
	}
	zone, err := time.LoadLocation(hours.Zone)
	if err != nil {
		return false, fmt.Errorf("hours of team %s: %w", key.team, err)
	}
	return hours.Open(d.Now().In(zone)), nil
}

// serve gives out the chats that wait for a team, the oldest first, as far as its
// members can take them. because says what led to it, if an event did.
func (d *desk) serve(ctx context.Context, because commands.Origin, key teamKey) error {
	for behind := eventstore.Position(0); ; { // who could not be given stays in the line
		if err := d.catchUp(ctx); err != nil {
			return err
		}
		next, w := d.next(key, behind)
		if next == "" { // mostly nobody waits
			return nil
		}
		choice, rule, ok, err := d.choose(ctx, key)
		if err != nil || !ok {
			return err
		}
		behind = w.since
		o := commands.Origin{
			Workspace: key.workspace, Actor: AssignChatsName, ActorKind: commands.ActorSystem,
			Command:     ids.Command("assign by rule", w.event),
			Correlation: because.Correlation, Causation: cmp.Or(because.Causation, w.event), Traceparent: because.Traceparent,
		}
		_, err = d.Chats.AssignByRule(ctx, o, chat.ID(next), chat.AssignByRule{To: chat.AgentID(choice.Agent), Choice: chat.Choice{
			Team: chat.TeamID(key.team), Rule: string(rule), Reason: choice.Reason,
			Load: choice.Load, Able: choice.Able, Offline: choice.Offline, Full: choice.Full,
		}})
		if err != nil && !commands.IsRefusal(err) {
			return err
		} // refused: the member left just now; the next event tries again
	}
}

// next returns the first chat in a team's line, behind one, that still waits.
func (d *desk) next(key teamKey, behind eventstore.Position) (string, waiting) {
	line := d.lines[key]
	at, _ := slices.BinarySearchFunc(line, behind+1, func(in inLine, p eventstore.Position) int { return cmp.Compare(in.since, p) })
	for _, in := range line[at:] {
		if d.waits(in) {
			return in.chat, d.waiting[in.chat]
		}
	}
	return "", waiting{}
}

// moveUp drops what does not wait any more from the start of a team's line, and
// returns how much that was.
func (d *desk) moveUp(key teamKey) (n int) {
	line := d.lines[key]
	for n < len(line) && !d.waits(line[n]) {
		n++
	}
	if n == len(line) {
		delete(d.lines, key)
	} else {
		d.lines[key] = line[n:]
	}
	return n
}

// waits reports whether a chat still waits in the line that it was put in.
func (d *desk) waits(in inLine) bool {
	w, ok := d.waiting[in.chat]
	return ok && w.since == in.since
}

// choose applies the team's rule to its members as they are now.
func (d *desk) choose(ctx context.Context, key teamKey) (choice team.Choice, rule team.Rule, ok bool, err error) {
	var members []string
	err = d.Teams.Look(ctx, key.workspace, func(s team.State) error {
		members, rule = s.Members(team.ID(key.team)), s.Rule(team.ID(key.team))
		return nil
	})
	if err != nil {
		return choice, rule, false, err
	}
	if works, err := d.works(ctx, key); err != nil || !works {
		return choice, rule, false, err
	}
	candidates := make([]team.Candidate, len(members))
	for i, m := range members {
		candidates[i] = team.Candidate{Agent: m, Load: d.load[m]}
		err := d.Agents.Look(ctx, key.workspace, agent.ID(m), func(s agent.State) error {
			candidates[i].Online = s.MayHold() == nil && s.Availability == agent.Online
			candidates[i].Capacity = s.Capacity
			return nil
		})
		if err != nil && !errors.Is(err, agent.ErrNotFound) {
			return choice, rule, false, err
		}
	}
	choice, ok = team.Choose(rule, d.turns[key], candidates)
	return choice, rule, ok, nil
}

// catchUp folds what the log has to say about who has which chat.
func (d *desk) catchUp(ctx context.Context) error {
	q := eventstore.AllQuery{After: d.at, Categories: []string{"chat"}, Types: []string{
		chat.Claimed{}.EventType(), chat.Assigned{}.EventType(), chat.Unassigned{}.EventType(), chat.Transferred{}.EventType(),
		chat.Closed{}.EventType(), chat.Reopened{}.EventType(), chat.Deleted{}.EventType(), chat.Restored{}.EventType(),
	}}
	for r, err := range d.Store.ReadAll(ctx, q) {
		if err != nil {
			return fmt.Errorf("read who has which chat: %w", err)
		}
		if !r.IsMark() {
			fact, err := d.events.Decode(r)
			if err != nil {
				return Permanent(err)
			}
			meta, err := eventstore.DecodeMetadata(r)
			if err != nil {
				return Permanent(err)
			}
			d.fold(r, meta, fact)
		}
		d.at = r.Position
	}
	for _, id := range slices.Sorted(maps.Keys(d.unsure)) {
		u := d.unsure[id]
		err := d.Chats.Look(ctx, u.workspace, chat.ID(id), func(s chat.State) error {
			if !s.Exists || s.Deleted || s.Closed() {
				return nil
			}
			d.hold(id, string(s.Assignee))
			if u.byCustomer && s.Assignee == "" && s.Team != "" {
				d.wait(id, waiting{teamKey{u.workspace, string(s.Team)}, u.since, u.event})
			}
			return nil
		})
		if err != nil && !errors.Is(err, chat.ErrNotFound) {
			return err
		}
		delete(d.unsure, id)
	}
	return nil
}

func (d *desk) fold(r eventstore.Recorded, meta eventstore.Metadata, fact chat.Event) {
	id, workspace := strings.TrimPrefix(r.Stream, "chat-"), meta.Workspace
	before, again := d.unsure[id]
	delete(d.unsure, id)
	if w, ok := d.waiting[id]; ok {
		delete(d.waiting, id)
		d.moveUp(w.team)
	}
	switch f := fact.(type) {
	case chat.Claimed:
		d.hold(id, string(f.By))
	case chat.Assigned:
		d.hold(id, string(f.To))
		if f.Choice != nil {
			d.turns[teamKey{workspace, string(f.Choice.Team)}] = string(f.To)
		}
	case chat.Transferred:
		switch f.Kind {
		case chat.ToAgent:
			d.hold(id, f.To)
		case chat.ToTeam:
			d.hold(id, "")
			d.wait(id, waiting{teamKey{workspace, f.To}, r.Position, r.ID.String()})
		case chat.ToBot:
			d.hold(id, "")
		}
	case chat.Unassigned:
		d.hold(id, "")
		if again && before.command == meta.CommandID { // as the workspace has it when a customer opens a chat again
			d.unsure[id] = before
		}
	case chat.Closed, chat.Deleted:
		d.hold(id, "")
	case chat.Reopened:
		d.hold(id, "")
		d.unsure[id] = reopened{workspace, f.Message != "", r.Position, r.ID.String(), meta.CommandID}
	case chat.Restored:
		d.hold(id, "")
		d.unsure[id] = reopened{workspace: workspace}
	}
}

// wait puts a chat into its team's line, where it came.
func (d *desk) wait(id string, w waiting) {
	d.waiting[id] = w
	line := d.lines[w.team]
	at, _ := slices.BinarySearchFunc(line, w.since, func(in inLine, p eventstore.Position) int { return cmp.Compare(in.since, p) })
	d.lines[w.team] = slices.Insert(line, at, inLine{id, w.since})
}

// hold notes who has an open chat; "" is nobody.
func (d *desk) hold(id, by string) {
	if old, held := d.holders[id]; held {
		if d.load[old]--; d.load[old] == 0 {
			delete(d.load, old)
		}
		delete(d.holders, id)
	}
	if by != "" {
		d.holders[id] = by
		d.load[by]++
	}
}
