package template

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Define says what a template consists of. The same again is no event; another
// content under the name and language is refused.
type Define struct {
	Workspace  string
	Channel    string
	Name       string
	Language   string
	Category   Category
	Components Components
	By         string
}

// Decide implements the command.
func (c Define) Decide(s State) ([]Event, error) {
	if err := identify(c.Workspace, c.Channel, c.Name, c.Language); err != nil {
		return nil, err
	}
	if err := c.content(); err != nil {
		return nil, err
	}
	if s.Defined {
		if s.Category == c.Category && s.Components.equal(c.Components) {
			return nil, nil
		}
		return nil, ErrExists
	}
	return []Event{Defined(c)}, nil
}

func (c Define) content() error {
	switch {
	case c.By == "":
		return ErrByMissing
	case !c.Category.Known():
		return ErrCategory
	}
	return c.Components.check()
}

func identify(workspace, channel, name, language string) error {
	switch {
	case workspace == "":
		return ErrWorkspace
	case channel == "":
		return ErrChannel
	case len(name) > MaxName || !nameForm.MatchString(name):
		return ErrName
	case !languageForm.MatchString(language):
		return ErrLanguage
	}
	return nil
}

// Change says what a template consists of from now on. What it has already is no
// event.
type Change struct {
	Category   Category
	Components Components
	By         string
}

// Decide implements the command.
func (c Change) Decide(s State) ([]Event, error) {
	if err := (Define{Category: c.Category, Components: c.Components, By: c.By}).content(); err != nil {
		return nil, err
	}
	switch {
	case !s.Defined:
		return nil, ErrNotFound
	case s.Category == c.Category && s.Components.equal(c.Components):
		return nil, nil
	}
	return []Event{Changed(c)}, nil
}

// Report takes in the provider's word on a template, also on one that is not
// defined here. The word we have is no event.
type Report struct {
	Workspace  string
	Channel    string
	Name       string
	Language   string
	Status     Status
	Reason     string // cut to 1,000 characters
	ProviderID string
	At         time.Time
}

// Decide implements the command.
func (c Report) Decide(s State) ([]Event, error) {
	if err := identify(c.Workspace, c.Channel, c.Name, c.Language); err != nil {
		return nil, err
	}
	if !c.Status.Known() {
		return nil, ErrStatus
	}
	c.Reason = clip(c.Reason, maxReason)
	if s.Status == c.Status && s.Reason == c.Reason && (c.ProviderID == "" || s.ProviderID == c.ProviderID) {
		return nil, nil
	}
	return []Event{StatusReported(c)}, nil
}

// Mirror takes over a template as the provider has it: what it consists of, and
// the provider's word on it.
type Mirror struct {
	Report
	Category   Category
	Components Components
	By         string
}

// Decide implements the command.
func (c Mirror) Decide(s State) ([]Event, error) {
	var events []Event
	define := Define{
		Workspace: c.Workspace, Channel: c.Channel, Name: c.Name, Language: c.Language,
		Category: c.Category, Components: c.Components, By: c.By,
	}
	decide := define.Decide
	if s.Defined {
		decide = Change{Category: c.Category, Components: c.Components, By: c.By}.Decide
	}
	made, err := decide(s)
	if err != nil {
		return nil, err
	}
	for _, e := range made {
		s = Evolve(s, e)
		events = append(events, e)
	}
	reported, err := c.Report.Decide(s)
	return append(events, reported...), err
}

// clip cuts what a provider says to what can be kept.
func clip(s string, most int) string {
	if !text.Clean(s) {
		s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	}
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most])
	}
	return s
}
