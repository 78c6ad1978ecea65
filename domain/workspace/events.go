package workspace

// Events is the catalogue of everything that can happen to a workspace.
var Events = []Event{Created{}, Renamed{}}

// Created starts a workspace: one customer of the platform.
type Created struct {
	Name string `json:"name"`
}

// Renamed gives it another name; its id stays.
type Renamed struct {
	Name string `json:"name"`
	From string `json:"from"`
}

func (Created) EventType() string { return "workspace.created.v1" }
func (Renamed) EventType() string { return "workspace.renamed.v1" }

func (e Created) apply(s *State) { s.Exists, s.Name = true, e.Name }
func (e Renamed) apply(s *State) { s.Name = e.Name }
