package workspace

// Events is the catalogue of everything that can happen to a workspace.
var Events = []Event{Created{}, Renamed{}, SettingsChanged{}}

// Created starts a workspace: one customer of the platform.
type Created struct {
	Name string `json:"name"`
}

// Renamed gives it another name; its id stays.
type Renamed struct {
	Name string `json:"name"`
	From string `json:"from"`
}

// SettingsChanged says how the workspace works from then on. It has the parts that
// were changed, each in full, and what they were before.
type SettingsChanged struct {
	To   Settings `json:"to"`
	From Settings `json:"from"`
	By   string   `json:"by"`
}

func (Created) EventType() string         { return "workspace.created.v1" }
func (Renamed) EventType() string         { return "workspace.renamed.v1" }
func (SettingsChanged) EventType() string { return "workspace.settings_changed.v1" }

func (e Created) apply(s *State)         { s.Exists, s.Name = true, e.Name }
func (e Renamed) apply(s *State)         { s.Name = e.Name }
func (e SettingsChanged) apply(s *State) { s.Settings = s.Settings.With(e.To) }
