package customview

// Events is the catalogue of everything that can happen to the custom views of a
// workspace.
var Events = []Event{Saved{}, Published{}, Retried{}, Dropped{}, Retired{}}

// Saved gives a view a new version, which is built from the beginning of the log. The
// first makes the view.
type Saved struct {
	Workspace   string     `json:"workspace"`
	View        Name       `json:"view"`
	Version     Version    `json:"version"`
	Description string     `json:"description,omitempty"`
	Definition  Definition `json:"definition"`
	By          string     `json:"by"`
}

// Published makes a version the one that is read when none is named. An older one is
// published to go back to it.
type Published struct {
	View    Name    `json:"view"`
	Version Version `json:"version"`
	By      string  `json:"by"`
}

// Retried has a version that stopped at an event try that event again.
type Retried struct {
	View    Name    `json:"view"`
	Version Version `json:"version"`
	By      string  `json:"by"`
}

// Dropped ends a version. Its rows are deleted; the log keeps its definition.
type Dropped struct {
	View    Name    `json:"view"`
	Version Version `json:"version"`
	By      string  `json:"by"`
}

// Retired ends a view with all its versions. If it is saved again, its versions go on
// counting.
type Retired struct {
	View Name   `json:"view"`
	By   string `json:"by"`
}

func (Saved) EventType() string     { return "customview.saved.v1" }
func (Published) EventType() string { return "customview.published.v1" }
func (Retried) EventType() string   { return "customview.retried.v1" }
func (Dropped) EventType() string   { return "customview.dropped.v1" }
func (Retired) EventType() string   { return "customview.retired.v1" }

func (e Saved) apply(s *State) {
	s.Workspace = e.Workspace
	v := s.view(e.View)
	v.last = e.Version
	v.live = append(v.live, Live{e.View, e.Version, e.Definition, 0})
}

func (e Published) apply(s *State) { s.view(e.View).published = e.Version }

func (e Retried) apply(s *State) {
	if l := s.view(e.View).find(e.Version); l != nil {
		l.Retries++
	}
}

func (e Dropped) apply(s *State) { s.view(e.View).drop(e.Version) }

func (e Retired) apply(s *State) {
	v := s.view(e.View)
	v.live, v.published = nil, 0
}
