package agent

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Exists       bool
	Active       bool
	Workspace    string
	Name         string
	Email        string
	Role         Role
	Availability Availability // "" until it was set
	Capacity     int64        // open chats at once; 0 means no bound
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// MayHold refuses to make somebody responsible for a chat who is not active
// staff with a role that works chats.
func (s State) MayHold() error {
	if err := s.active(); err != nil {
		return err
	}
	switch s.Role {
	case RoleAgent, RoleSupervisor, RoleAdmin:
		return nil
	}
	return ErrHoldsNoChats
}

func (s State) active() error {
	switch {
	case !s.Exists:
		return ErrNotFound
	case !s.Active:
		return ErrInactive
	}
	return nil
}

// Valid reports whether r is a role there is.
func (r Role) Valid() bool {
	switch r {
	case RoleAgent, RoleSupervisor, RoleAuditor, RoleAnalyst, RoleAdmin, RoleBot:
		return true
	}
	return false
}

// Valid reports whether a is an availability there is.
func (a Availability) Valid() bool { return a == Online || a == Away || a == Offline }

// Refusals.
var (
	ErrNotFound     = fault.New(fault.NotFound, "agent.not_found", "no such agent")
	ErrInactive     = fault.New(fault.Conflict, "agent.inactive", "the agent was deactivated")
	ErrExists       = fault.New(fault.Conflict, "agent.exists", "the agent was invited before, with another name, role or address, or was deactivated since")
	ErrSelf         = fault.New(fault.Conflict, "agent.self", "nobody takes away their own access or role: another admin does, so that one is left")
	ErrHoldsNoChats = fault.New(fault.Conflict, "agent.holds_no_chats", "auditors, analysts and bots are not responsible for chats")

	ErrWorkspace     = fault.Bad("workspace", "agent.workspace_missing", "a workspace is required")
	ErrNameMissing   = fault.Bad("name", "agent.name_missing", "a name is required")
	ErrNameTooLong   = fault.Bad("name", "agent.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid   = fault.Bad("name", "agent.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrEmail         = fault.Bad("email", "agent.bad_email", "the e-mail address is not of the form name@domain")
	ErrRole          = fault.Bad("role", "agent.unknown_role", "the role is agent, supervisor, auditor, analyst, admin or bot")
	ErrAvailability  = fault.Bad("availability", "agent.unknown_availability", "the availability is online, away or offline")
	ErrCapacity      = fault.Bad("capacity", "agent.bad_capacity", "a capacity is a whole number from 0 to 10,000; 0 means no bound")
	ErrReasonTooLong = fault.Bad("reason", "agent.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReasonInvalid = fault.Bad("reason", "agent.reason_invalid", "the reason is not UTF-8 or holds U+0000")
)

var (
	nameText   = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
	reasonText = text.Rule{Max: text.MaxReason, TooLong: ErrReasonTooLong, Unclean: ErrReasonInvalid}
)
