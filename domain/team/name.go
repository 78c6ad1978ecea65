package team

// Name returns the name of a team, also of an archived one; "" if there is none.
func (s State) Name(id ID) string {
	if t := s.teams[id]; t != nil {
		return t.name
	}
	return ""
}
