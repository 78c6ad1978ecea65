package agent_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type (
	past    = []agent.Event
	cases   = []domaintest.Case[agent.State, agent.Event]
	command = domaintest.Command[agent.State, agent.Event]
)

var (
	bob  = agent.Invited{Workspace: "acme", Name: "Bob", Email: "bob@example.com", Role: agent.RoleAgent}
	left = agent.Deactivated{Reason: "left"}
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, agent.Events) }

func TestDecisions(t *testing.T) {
	invite := agent.Invite{Workspace: "acme", Name: " Bob ", Email: "bob@example.com", Role: agent.RoleAgent}
	with := func(change func(*agent.Invite)) agent.Invite { c := invite; change(&c); return c }
	long := strings.Repeat("a", 1001)
	domaintest.Run(t, agent.Evolve, cases{
		{Name: "invite", When: invite, Then: past{bob}},
		{Name: "invite again", Given: past{bob}, When: invite},
		{Name: "invite without an address", When: with(func(c *agent.Invite) { c.Email = "" }), Then: past{agent.Invited{Workspace: "acme", Name: "Bob", Role: agent.RoleAgent}}},
		{Name: "invite under another name", Given: past{bob}, When: with(func(c *agent.Invite) { c.Name = "Rob" }), Err: agent.ErrExists},
		{Name: "invite in another role", Given: past{bob}, When: with(func(c *agent.Invite) { c.Role = agent.RoleAdmin }), Err: agent.ErrExists},
		{Name: "invite who left", Given: past{bob, left}, When: invite, Err: agent.ErrExists},
		{Name: "invite without a name", When: with(func(c *agent.Invite) { c.Name = " " }), Err: agent.ErrNameMissing},
		{Name: "invite under a long name", When: with(func(c *agent.Invite) { c.Name = long }), Err: agent.ErrNameTooLong},
		{Name: "invite NUL", When: with(func(c *agent.Invite) { c.Name = "a\x00" }), Err: agent.ErrNameInvalid},
		{Name: "invite without a workspace", When: with(func(c *agent.Invite) { c.Workspace = "" }), Err: agent.ErrWorkspace},
		{Name: "invite without a role", When: with(func(c *agent.Invite) { c.Role = "" }), Err: agent.ErrRole},
		{Name: "invite without an at sign", When: with(func(c *agent.Invite) { c.Email = "bob" }), Err: agent.ErrEmail},
		{Name: "invite without a domain", When: with(func(c *agent.Invite) { c.Email = "bob@" }), Err: agent.ErrEmail},
		{Name: "invite two addresses", When: with(func(c *agent.Invite) { c.Email = "a@b.c, d@e.f" }), Err: agent.ErrEmail},

		{Name: "change role", Given: past{bob}, When: agent.ChangeRole{Role: agent.RoleSupervisor}, Then: past{agent.RoleChanged{Role: agent.RoleSupervisor, From: agent.RoleAgent}}},
		{Name: "change to the same role", Given: past{bob}, When: agent.ChangeRole{Role: agent.RoleAgent}},
		{Name: "change one's own role", Given: past{bob}, When: agent.ChangeRole{Role: agent.RoleSupervisor, Self: true}, Err: agent.ErrSelf},
		{Name: "keep one's own role", Given: past{bob}, When: agent.ChangeRole{Role: agent.RoleAgent, Self: true}},
		{Name: "change to an unknown role", Given: past{bob}, When: agent.ChangeRole{Role: "king"}, Err: agent.ErrRole},
		{Name: "change the role of who left", Given: past{bob, left}, When: agent.ChangeRole{Role: agent.RoleAdmin}, Err: agent.ErrInactive},
		{Name: "change the role of nobody", When: agent.ChangeRole{Role: agent.RoleAdmin}, Err: agent.ErrNotFound},

		{Name: "come online", Given: past{bob}, When: agent.SetAvailability{Availability: agent.Online}, Then: past{agent.AvailabilitySet{Availability: agent.Online}}},
		{Name: "be online", Given: past{bob, agent.AvailabilitySet{Availability: agent.Online}}, When: agent.SetAvailability{Availability: agent.Online}},
		{Name: "be somewhere", Given: past{bob}, When: agent.SetAvailability{Availability: "somewhere"}, Err: agent.ErrAvailability},
		{Name: "come online after leaving", Given: past{bob, left}, When: agent.SetAvailability{Availability: agent.Online}, Err: agent.ErrInactive},

		{Name: "set a capacity", Given: past{bob}, When: agent.SetCapacity{Capacity: 5}, Then: past{agent.CapacitySet{Capacity: 5}}},
		{Name: "set it again", Given: past{bob, agent.CapacitySet{Capacity: 5}}, When: agent.SetCapacity{Capacity: 5}},
		{Name: "take it away", Given: past{bob, agent.CapacitySet{Capacity: 5}}, When: agent.SetCapacity{}, Then: past{agent.CapacitySet{From: 5}}},
		{Name: "set less than none", Given: past{bob}, When: agent.SetCapacity{Capacity: -1}, Err: agent.ErrCapacity},
		{Name: "set too much", Given: past{bob}, When: agent.SetCapacity{Capacity: agent.MaxCapacity + 1}, Err: agent.ErrCapacity},
		{Name: "set the capacity of who left", Given: past{bob, left}, When: agent.SetCapacity{Capacity: 5}, Err: agent.ErrInactive},

		{Name: "deactivate", Given: past{bob}, When: agent.Deactivate{Reason: "left"}, Then: past{left}},
		{Name: "deactivate oneself", Given: past{bob}, When: agent.Deactivate{Self: true}, Err: agent.ErrSelf},
		{Name: "deactivate oneself again", Given: past{bob, left}, When: agent.Deactivate{Self: true}},
		{Name: "deactivate again", Given: past{bob, left}, When: agent.Deactivate{}},
		{Name: "deactivate nobody", When: agent.Deactivate{}, Err: agent.ErrNotFound},
		{Name: "deactivate with a long reason", Given: past{bob}, When: agent.Deactivate{Reason: long}, Err: agent.ErrReasonTooLong},
		{Name: "deactivate with NUL", Given: past{bob}, When: agent.Deactivate{Reason: "\x00"}, Err: agent.ErrReasonInvalid},
		{Name: "reactivate", Given: past{bob, left}, When: agent.Reactivate{}, Then: past{agent.Reactivated{}}},
		{
			Name: "reactivate who was at work", Given: past{bob, agent.AvailabilitySet{Availability: agent.Online}, left}, When: agent.Reactivate{},
			Then: past{agent.AvailabilitySet{Availability: agent.Offline}, agent.Reactivated{}},
		},
		{Name: "reactivate who had gone", Given: past{bob, agent.AvailabilitySet{Availability: agent.Offline}, left}, When: agent.Reactivate{}, Then: past{agent.Reactivated{}}},
		{Name: "reactivate who is active", Given: past{bob}, When: agent.Reactivate{}},
		{Name: "reactivate nobody", When: agent.Reactivate{}, Err: agent.ErrNotFound},
	})
}

func TestMayHold(t *testing.T) {
	tests := []struct {
		name  string
		given past
		err   error
	}{
		{"an agent", past{bob}, nil},
		{"a supervisor", past{bob, agent.RoleChanged{Role: agent.RoleSupervisor}}, nil},
		{"an admin", past{bob, agent.RoleChanged{Role: agent.RoleAdmin}}, nil},
		{"who came back", past{bob, left, agent.Reactivated{}}, nil},
		{"who left", past{bob, left}, agent.ErrInactive},
		{"a bot", past{bob, agent.RoleChanged{Role: agent.RoleBot}}, agent.ErrHoldsNoChats},
		{"an auditor", past{bob, agent.RoleChanged{Role: agent.RoleAuditor}}, agent.ErrHoldsNoChats},
		{"an analyst", past{bob, agent.RoleChanged{Role: agent.RoleAnalyst}}, agent.ErrHoldsNoChats},
		{"nobody", nil, agent.ErrNotFound},
	}
	for _, tt := range tests {
		if err := domaintest.Fold(agent.Evolve, tt.given).MayHold(); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
	}
}

func TestAnyLifeOfAnAgent(t *testing.T) {
	commands := rapid.SampledFrom([]command{
		agent.Invite{Workspace: "acme", Name: "Bob", Role: agent.RoleAgent},
		agent.Invite{Workspace: "acme", Name: "Rob", Role: agent.RoleBot},
		agent.ChangeRole{Role: agent.RoleAgent},
		agent.ChangeRole{Role: agent.RoleAdmin},
		agent.ChangeRole{},
		agent.SetAvailability{Availability: agent.Online},
		agent.SetAvailability{Availability: agent.Away},
		agent.SetAvailability{},
		agent.Deactivate{},
		agent.Reactivate{},
	})
	rapid.Check(t, func(t *rapid.T) {
		var s agent.State
		for _, c := range rapid.SliceOfN(commands, 1, 30).Draw(t, "commands") {
			s = domaintest.Do(t, agent.Evolve, s, c)
			if s.Exists && (!s.Role.Valid() || s.Availability != "" && !s.Availability.Valid()) {
				t.Fatalf("state %+v", s)
			}
		}
	})
}
