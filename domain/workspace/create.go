package workspace

import "strings"

// Create starts a workspace. One that exists is no event and keeps its name, so
// that a program may make sure of its workspace at every start.
type Create struct {
	Name string
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil || s.Exists {
		return nil, err
	}
	return []Event{Created{Name: strings.TrimSpace(c.Name)}}, nil
}
