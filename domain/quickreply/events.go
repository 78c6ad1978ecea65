package quickreply

// Events is the catalogue of everything that can happen to the quick replies of
// a place.
var Events = []Event{Created{}, Edited{}, Archived{}, Restored{}}

// Created adds a quick reply. It is in its first version.
type Created struct {
	Workspace string `json:"workspace"`
	Scope     Scope  `json:"scope"`
	Of        string `json:"of,omitempty"` // the id of the agent or team whose it is
	Reply     ID     `json:"reply"`
	Version   int64  `json:"version"`  // 1
	Shortcut  string `json:"shortcut"` // without the slash
	Text      string `json:"text"`     // with placeholders such as {{contact.name}}
	By        string `json:"by"`
}

// Edited makes a new version of a quick reply. It has all of it, also what stayed.
type Edited struct {
	Reply    ID     `json:"reply"`
	Version  int64  `json:"version"` // counted from 1
	Shortcut string `json:"shortcut"`
	Text     string `json:"text"`
	By       string `json:"by"`
}

// Archived takes a quick reply out of use. Another may then have its shortcut.
type Archived struct {
	Reply ID     `json:"reply"`
	By    string `json:"by"`
}

// Restored takes an archived quick reply back into use.
type Restored struct {
	Reply ID     `json:"reply"`
	By    string `json:"by"`
}

func (Created) EventType() string  { return "quickreply.created.v1" }
func (Edited) EventType() string   { return "quickreply.edited.v1" }
func (Archived) EventType() string { return "quickreply.archived.v1" }
func (Restored) EventType() string { return "quickreply.restored.v1" }

func (e Created) apply(s *State) {
	if s.replies == nil {
		s.replies, s.shortcuts = map[ID]Reply{}, map[string]ID{}
	}
	s.Workspace, s.Place = e.Workspace, Place{e.Scope, e.Of}
	s.put(Reply{ID: e.Reply, Version: e.Version, Shortcut: e.Shortcut, Text: e.Text})
}

func (e Edited) apply(s *State) {
	s.change(e.Reply, func(r *Reply) { r.Version, r.Shortcut, r.Text = e.Version, e.Shortcut, e.Text })
}
func (e Archived) apply(s *State) { s.change(e.Reply, func(r *Reply) { r.Archived = true }) }
func (e Restored) apply(s *State) { s.change(e.Reply, func(r *Reply) { r.Archived = false }) }
