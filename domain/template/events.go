package template

import "time"

// Events is the catalogue of everything that can happen to a template.
var Events = []Event{Defined{}, Changed{}, StatusReported{}}

// Defined says what a template consists of, for the first time.
type Defined struct {
	Workspace  string     `json:"workspace"`
	Channel    string     `json:"channel"`
	Name       string     `json:"name"`
	Language   string     `json:"language"` // such as "en_US"
	Category   Category   `json:"category"`
	Components Components `json:"components"`
	By         string     `json:"by"` // an agent's id, or the name of the reactor that read it from the provider
}

// Changed says what a template consists of from now on: all of it, also what
// stayed. Until the provider says otherwise it is pending again.
type Changed struct {
	Category   Category   `json:"category"`
	Components Components `json:"components"`
	By         string     `json:"by"`
}

// StatusReported is the provider's word on a template, which may be one that was
// not defined here yet: then the word is kept until it is.
type StatusReported struct {
	Workspace  string    `json:"workspace"`
	Channel    string    `json:"channel"`
	Name       string    `json:"name"`
	Language   string    `json:"language"`
	Status     Status    `json:"status"`
	Reason     string    `json:"reason,omitempty"`      // in the provider's words
	ProviderID string    `json:"provider_id,omitempty"` // what the provider calls the template
	At         time.Time `json:"at"`
}

func (Defined) EventType() string        { return "template.defined.v1" }
func (Changed) EventType() string        { return "template.changed.v1" }
func (StatusReported) EventType() string { return "template.status_reported.v1" }

func (e Defined) apply(s *State) {
	s.Defined = true
	s.Workspace, s.Channel, s.Name, s.Language = e.Workspace, e.Channel, e.Name, e.Language
	s.Category, s.Components = e.Category, e.Components
	if s.Status == "" {
		s.Status = Pending
	}
}

func (e Changed) apply(s *State) {
	s.Category, s.Components = e.Category, e.Components
	s.Status, s.Reason = Pending, ""
}

func (e StatusReported) apply(s *State) {
	s.Workspace, s.Channel, s.Name, s.Language = e.Workspace, e.Channel, e.Name, e.Language
	s.Status, s.Reason = e.Status, e.Reason
	if e.ProviderID != "" {
		s.ProviderID = e.ProviderID
	}
}
