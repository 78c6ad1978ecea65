package agent

// Events is the catalogue of everything that can happen to a member of staff.
var Events = []Event{Invited{}, RoleChanged{}, AvailabilitySet{}, Deactivated{}, Reactivated{}, CapacitySet{}}

// Invited makes somebody a member of a workspace's staff.
type Invited struct {
	Workspace string `json:"workspace"`
	Name      string `json:"name"`
	Email     string `json:"email,omitempty"`
	Role      Role   `json:"role"`
}

// RoleChanged gives an agent other rights.
type RoleChanged struct {
	Role Role `json:"role"`
	From Role `json:"from"`
}

// AvailabilitySet says whether an agent is at work.
type AvailabilitySet struct {
	Availability Availability `json:"availability"`
}

// Deactivated ends an agent's access. Nothing can be assigned to them.
type Deactivated struct {
	Reason string `json:"reason,omitempty"`
}

// Reactivated gives it back.
type Reactivated struct{}

// CapacitySet bounds how many chats an agent is given by a team's rule.
type CapacitySet struct {
	Capacity int64 `json:"capacity"` // open chats at once; 0 means no bound
	From     int64 `json:"from"`
}

func (Invited) EventType() string         { return "agent.invited.v1" }
func (RoleChanged) EventType() string     { return "agent.role_changed.v1" }
func (AvailabilitySet) EventType() string { return "agent.availability_set.v1" }
func (Deactivated) EventType() string     { return "agent.deactivated.v1" }
func (Reactivated) EventType() string     { return "agent.reactivated.v1" }

func (CapacitySet) EventType() string { return "agent.capacity_set.v1" }

func (e Invited) apply(s *State) {
	*s = State{Exists: true, Active: true, Workspace: e.Workspace, Name: e.Name, Email: e.Email, Role: e.Role}
}
func (e RoleChanged) apply(s *State)     { s.Role = e.Role }
func (e AvailabilitySet) apply(s *State) { s.Availability = e.Availability }
func (Deactivated) apply(s *State)       { s.Active = false }
func (Reactivated) apply(s *State)       { s.Active = true }
func (e CapacitySet) apply(s *State)     { s.Capacity = e.Capacity }
