// Package agent decides who is a member of staff and what they may do.
//
// It is pure: no I/O, no clock, no randomness.
package agent

// ID names a member of staff.
type ID string

// Role is a set of rights in a workspace.
type Role string

// Roles. Bot is for integrations: it may answer and order, not claim.
const (
	RoleAgent      Role = "agent"
	RoleSupervisor Role = "supervisor"
	RoleAuditor    Role = "auditor"
	RoleAnalyst    Role = "analyst"
	RoleAdmin      Role = "admin"
	RoleBot        Role = "bot"
)

// Availability says whether an agent is at work.
type Availability string

// Availabilities.
const (
	Online  Availability = "online"
	Away    Availability = "away"
	Offline Availability = "offline"
)

// Event is a fact about an agent, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}
