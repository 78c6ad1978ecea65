package reactors_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/team"
	settings "github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/reactors"
)

var someone = commands.Origin{Workspace: workspace, Actor: "test", ActorKind: commands.ActorSystem}

// done fails the test if a command was refused.
func (s *shop) done(_ commands.Result, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// staff makes the team sales with a rule, and its members, who are online.
func (s *shop) staff(rule team.Rule, members ...string) {
	s.t.Helper()
	ctx := s.t.Context()
	s.done(s.commands.Teams.Create(ctx, someone, team.Create{Name: "Sales"}))
	s.done(s.commands.Teams.SetRule(ctx, someone, team.SetRule{Team: "sales", Rule: rule}))
	for _, m := range members {
		s.done(s.commands.Agents.Invite(ctx, someone, agent.ID(m), agent.Invite{Name: m, Role: agent.RoleAgent}))
		s.done(s.commands.Teams.AddMember(ctx, someone, team.AddMember{Team: "sales", Agent: m}))
		s.availability(m, agent.Online)
	}
}

func (s *shop) availability(who string, a agent.Availability) {
	s.t.Helper()
	s.done(s.commands.Agents.SetAvailability(s.t.Context(), someone, agent.ID(who), agent.SetAvailability{Availability: a}))
}

func (s *shop) capacity(who string, n int64) {
	s.t.Helper()
	s.done(s.commands.Agents.SetCapacity(s.t.Context(), someone, agent.ID(who), agent.SetCapacity{Capacity: n}))
}

// hand opens chats and hands them to the team.
func (s *shop) hand(from, n int) (chats []chat.ID) {
	s.t.Helper()
	for i := from; i < from+n; i++ {
		id := s.open(fmt.Sprintf("1555123%04d", i))
		s.done(s.commands.Chats.Transfer(s.t.Context(), someone, id, chat.Transfer{Kind: chat.ToTeam, To: "sales"}))
		chats = append(chats, id)
	}
	return chats
}

func (s *shop) assignee(id chat.ID) (who string) {
	s.t.Helper()
	err := s.commands.Chats.Look(s.t.Context(), workspace, id, func(c chat.State) error {
		who = string(c.Assignee)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return who
}

func (s *shop) assignees(chats []chat.ID) (who []string) {
	for _, c := range chats {
		who = append(who, s.assignee(c))
	}
	return who
}

// choices returns why chats were assigned by a rule, in the order of the log.
func (s *shop) choices() (all []chat.Assigned) {
	s.t.Helper()
	for _, a := range facts[chat.Assigned](s) {
		if a.Fact.Choice != nil {
			all = append(all, a.Fact)
		}
	}
	return all
}

func (s *shop) rules(now func() time.Time) reactors.Reactor {
	return reactors.AssignChats{Store: s.log, Chats: s.reacting.Chats, Teams: s.reacting.Teams, Agents: s.reacting.Agents, Workspaces: s.reacting.Workspaces, Now: now}.Reactor()
}

// handle has a reactor handle the whole log.
func (s *shop) handle(r reactors.Reactor) {
	s.t.Helper()
	for e, err := range s.store.ReadAll(s.t.Context(), eventstore.AllQuery{Categories: r.Categories, Types: r.Types}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if e.IsMark() {
			continue
		}
		if err := r.Handle(s.t.Context(), e); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestRoundRobin(t *testing.T) {
	s := newShop(t)
	s.staff(team.RoundRobin, "ann", "bob", "sue")
	s.availability("bob", agent.Away)
	chats := s.hand(0, 5)
	s.handle(s.rules(time.Now))
	if got := s.assignees(chats); !slices.Equal(got, []string{"ann", "sue", "ann", "sue", "ann"}) {
		t.Errorf("assigned to %v", got)
	}
	for _, a := range s.choices() {
		if c := a.Choice; c.Team != "sales" || c.Rule != "round_robin" || c.Reason != "next in turn of 2 who can take it" || c.Able != 2 || c.Offline != 1 {
			t.Errorf("why: %+v", *c)
		}
	}
	// What another process, or this one started anew, makes of the log is the same.
	before := len(s.choices())
	s.handle(s.rules(time.Now))
	if after := len(s.choices()); after != before {
		t.Errorf("%d choices, then %d", before, after)
	}
	more := s.hand(5, 1)
	s.handle(s.rules(time.Now))
	if got := s.assignee(more[0]); got != "sue" {
		t.Errorf("the next is %s", got)
	}
}

// Nobody gets more than they can take, whoever hands chats on at the same time;
// what is left over is given when somebody has room.
func TestLeastBusyWithinCapacity(t *testing.T) {
	s := newShop(t)
	s.staff(team.LeastBusy, "ann", "bob", "sue")
	s.capacity("ann", 2)
	s.capacity("bob", 3)
	s.availability("sue", agent.Offline)
	own := s.open("15559990000")
	s.done(s.commands.Chats.Claim(t.Context(), someone, own, chat.Claim{By: "bob"}))
	_, stop := host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.rules(time.Now)}, Leases: s.leases, Parking: s.parking, Alone: true})
	defer stop()
	var chats [6]chat.ID
	var wg sync.WaitGroup
	for i := range chats {
		chats[i] = s.open(fmt.Sprintf("1555123%04d", i))
		wg.Go(func() {
			if _, err := s.commands.Chats.Transfer(t.Context(), someone, chats[i], chat.Transfer{Kind: chat.ToTeam, To: "sales"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := func() map[string]int {
		n := map[string]int{}
		for _, who := range s.assignees(chats[:]) {
			n[who]++
		}
		return n
	}
	until(t, "all have what they can take", func() bool { n := count(); return n["ann"] == 2 && n["bob"] == 2 && n[""] == 2 })
	s.done(s.commands.Chats.Close(t.Context(), someone, own, ""))
	until(t, "bob has room", func() bool { return count()["bob"] == 3 })
	s.availability("sue", agent.Online)
	until(t, "sue came", func() bool { return count()["sue"] == 1 })
	for _, a := range s.choices() {
		if limit := map[chat.AgentID]int64{"ann": 2, "bob": 3, "sue": 99}[a.To]; a.Choice.Load >= limit {
			t.Errorf("%s had %d: %+v", a.To, a.Choice.Load, *a.Choice)
		}
	}
	if last := s.choices()[5].Choice; last.Reason != "has the fewest open chats, 0, of 1 who can take it" || last.Full != 2 {
		t.Errorf("why sue: %+v", *last)
	}
}

// Out of hours chats wait, and so they do in a team whose members take them.
func TestHoursAndManualTeams(t *testing.T) {
	s := newShop(t)
	s.staff(team.Manual, "ann")
	chats := s.hand(0, 1)
	monday := time.Date(2026, 12, 21, 9, 30, 0, 0, time.UTC) // 10:30 in Berlin
	at := func(now time.Time) reactors.Reactor { return s.rules(func() time.Time { return now }) }
	s.handle(at(monday))
	if who := s.assignee(chats[0]); who != "" {
		t.Errorf("the rule is manual, and %s has the chat", who)
	}
	s.done(s.commands.Teams.SetHours(t.Context(), someone, team.SetHours{Team: "sales", Hours: team.Hours{
		Zone: "Europe/Berlin", Weekly: []team.Span{{Day: 1, From: "10:00", To: "12:00"}},
	}}))
	s.done(s.commands.Teams.SetRule(t.Context(), someone, team.SetRule{Team: "sales", Rule: team.RoundRobin}))
	for _, closed := range []time.Time{monday.Add(-time.Hour), monday.Add(2 * time.Hour), monday.Add(24 * time.Hour)} {
		s.handle(at(closed))
		if who := s.assignee(chats[0]); who != "" {
			t.Errorf("at %s %s gets the chat", closed, who)
		}
	}
	s.handle(at(monday))
	if who := s.assignee(chats[0]); who != "ann" {
		t.Errorf("in the team's hours %q has the chat", who)
	}
	// What was left to nobody on purpose is not given again; what was opened again
	// counts for who has it.
	s.done(s.commands.Chats.Unassign(t.Context(), someone, chats[0], chat.Unassign{}))
	more := s.hand(1, 1)
	s.done(s.commands.Chats.Close(t.Context(), someone, more[0], ""))
	s.handle(at(monday))
	if who := s.assignees(append(chats, more...)); !slices.Equal(who, []string{"", ""}) {
		t.Errorf("given to %v", who)
	}
	s.capacity("ann", 1)
	s.done(s.commands.Chats.Reopen(t.Context(), someone, more[0], ""))
	s.done(s.commands.Chats.Assign(t.Context(), someone, more[0], chat.Assign{To: "ann"}))
	s.done(s.commands.Chats.Close(t.Context(), someone, more[0], ""))
	s.done(s.commands.Chats.Reopen(t.Context(), someone, more[0], ""))
	last := s.hand(2, 1)
	s.handle(at(monday))
	if who := s.assignee(last[0]); who != "" {
		t.Errorf("ann has a chat that was opened again, and %s gets another", who)
	}
}

// Somebody who is quicker keeps the chat.
func TestARuleTakesNothingAway(t *testing.T) {
	s := newShop(t)
	s.staff(team.RoundRobin, "ann", "bob")
	_, stop := host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.rules(time.Now)}, Leases: s.leases, Parking: s.parking, Alone: true})
	defer stop()
	mine := 0
	chats := make([]chat.ID, 0, 30)
	for i := range cap(chats) {
		id := s.hand(i, 1)[0]
		chats = append(chats, id)
		if _, err := s.commands.Chats.Claim(t.Context(), someone, id, chat.Claim{By: "bob"}); err == nil {
			mine++
		}
	}
	until(t, "all are given", func() bool { return !slices.Contains(s.assignees(chats), "") })
	given := len(s.choices())
	claimed := s.count("chat.claimed.v1")
	if given+claimed != len(chats) {
		t.Errorf("%d chats: %d given, %d claimed (%d as bob was told)", len(chats), given, claimed, mine)
	}
}

// A chat that its customer opens again, and that nobody has then, waits for the rule as it
// did when it was handed over, in its place in the line.
func TestReopenedByTheCustomer(t *testing.T) {
	for name, assignee := range map[string]string{"unassigned": "unassign", "kept": "keep"} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.staff(team.RoundRobin, "ann", "bob")
			s.done(s.commands.Workspaces.ChangeSettings(t.Context(), someone, settings.ChangeSettings{Settings: settings.Settings{Reopening: &settings.Reopening{Status: settings.ReopenDefault, Assignee: assignee}}}))
			rules := s.rules(time.Now)
			chats := s.hand(0, 2) // of 15551230000 and 15551230001
			s.handle(rules)
			if got := s.assignees(chats); !slices.Equal(got, []string{"ann", "bob"}) {
				t.Fatalf("assigned to %v", got)
			}
			s.availability("bob", agent.Away)
			for _, id := range chats {
				s.done(s.commands.Chats.Close(t.Context(), someone, id, ""))
			}
			s.write("15551230000", "m1")
			s.handle(rules)
			if got := s.assignee(chats[0]); got != "ann" { // who had it, and is the only one who can take it
				t.Errorf("opened again, and given to %q", got)
			}
			s.availability("ann", agent.Away)
			s.write("15551230001", "m2")
			s.handle(rules)
			waits := assignee == "unassign"
			if got := s.assignee(chats[1]); (got == "") != waits {
				t.Errorf("nobody is there, and %q has it", got)
			}
			s.availability("ann", agent.Online)
			s.handle(s.rules(time.Now)) // also by one that begins anew
			if got := s.assignee(chats[1]); got == "" || waits != (got == "ann") {
				t.Errorf("given to %q", got)
			}
			// What an agent opened again, or let go of, is the agent's.
			s.done(s.commands.Chats.Close(t.Context(), someone, chats[0], ""))
			s.done(s.commands.Chats.Unassign(t.Context(), someone, chats[0], chat.Unassign{}))
			s.done(s.commands.Chats.Reopen(t.Context(), someone, chats[0], ""))
			s.handle(s.rules(time.Now))
			if got := s.assignee(chats[0]); got != "" {
				t.Errorf("opened again by an agent, and given to %s", got)
			}
		})
	}
}

// write has a customer write in their chat.
func (s *shop) write(customer, message string) {
	s.t.Helper()
	id := chat.ID(ids.Chat(workspace, s.channel, customer))
	s.done(s.commands.Chats.Receive(s.t.Context(), someone, id, chat.ReceiveMessage{
		Workspace: workspace, Channel: s.channel, Customer: customer, Message: chat.MessageID(message), ProviderID: "w-" + message,
		Content: chat.Content{Kind: "text", Text: message}, At: time.Now(),
	}))
}
