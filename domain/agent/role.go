package agent

// ChangeRole gives an agent other rights. The role they have is no event.
type ChangeRole struct {
	Role Role
	Self bool // it is the agent who asks
}

// Decide implements the command.
func (c ChangeRole) Decide(s State) ([]Event, error) {
	if !c.Role.Valid() {
		return nil, ErrRole
	}
	if err := s.active(); err != nil || s.Role == c.Role {
		return nil, err
	}
	if c.Self {
		return nil, ErrSelf
	}
	return []Event{RoleChanged{Role: c.Role, From: s.Role}}, nil
}
