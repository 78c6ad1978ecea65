package attribute

import (
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Define adds an attribute. One that is there, and the same, is no event.
type Define struct {
	Attribute ID
	Name      string
	Kind      Kind
	Choices   []string
}

// Decide implements the command.
func (c Define) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	switch c.Kind {
	case Text, Number, Bool, Date, Choice:
	default:
		return nil, ErrKind
	}
	if c.Attribute == "" {
		return nil, ErrUnnamable
	}
	name := strings.TrimSpace(c.Name)
	choices, err := choices(c.Kind, c.Choices)
	if err != nil {
		return nil, err
	}
	if a, exists := s.attributes[c.Attribute]; exists {
		switch {
		case text.Key(a.Name) != text.Key(name) || a.Kind != c.Kind || !slices.Equal(a.Choices, choices):
			return nil, ErrExists
		case a.Archived:
			return nil, ErrArchived
		}
		return nil, nil
	}
	switch {
	case !s.names.Free(c.Attribute, string(c.Attribute)) || !s.names.Free(c.Attribute, name):
		return nil, ErrNameTaken
	case len(s.attributes) >= MaxAttributes:
		return nil, ErrTooMany
	}
	return []Event{Defined{Attribute: c.Attribute, Name: name, Kind: c.Kind, Choices: choices}}, nil
}

// choices returns what can be chosen, as it is kept.
func choices(k Kind, given []string) ([]string, error) {
	var out []string
	for _, c := range given {
		c = strings.TrimSpace(c)
		if c == "" || len([]rune(c)) > text.MaxName || !text.Clean(c) ||
			slices.ContainsFunc(out, func(o string) bool { return text.Key(o) == text.Key(c) }) {
			return nil, ErrChoices
		}
		out = append(out, c)
	}
	if len(out) > MaxChoices || (len(out) > 0) != (k == Choice) {
		return nil, ErrChoices
	}
	return out, nil
}

// Rename gives an attribute another name. The name it has is no event.
type Rename struct {
	Attribute ID
	Name      string
}

// Decide implements the command.
func (c Rename) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	a, err := s.live(c.Attribute)
	switch {
	case err != nil:
		return nil, err
	case a.Name == name:
		return nil, nil
	case !s.names.Free(a.ID, name):
		return nil, ErrNameTaken
	}
	return []Event{Renamed{Attribute: a.ID, Name: name, From: a.Name}}, nil
}

// SetChoices says what can be chosen from now on. What can be chosen already is no
// event.
type SetChoices struct {
	Attribute ID
	Choices   []string
}

// Decide implements the command.
func (c SetChoices) Decide(s State) ([]Event, error) {
	a, err := s.live(c.Attribute)
	if err != nil {
		return nil, err
	}
	choices, err := choices(a.Kind, c.Choices)
	if err != nil || slices.Equal(choices, a.Choices) {
		return nil, err
	}
	return []Event{ChoicesSet{Attribute: a.ID, Choices: choices}}, nil
}

// Archive takes an attribute out of use. Its name stays taken, for it may be
// restored. Once more is no event.
type Archive struct {
	Attribute ID
}

// Decide implements the command.
func (c Archive) Decide(s State) ([]Event, error) {
	a, ok := s.attributes[c.Attribute]
	switch {
	case !ok:
		return nil, ErrNotFound
	case a.Archived:
		return nil, nil
	}
	return []Event{Archived{Attribute: a.ID}}, nil
}

// Restore takes an archived attribute back into use. One in use is no event.
type Restore struct {
	Attribute ID
}

// Decide implements the command.
func (c Restore) Decide(s State) ([]Event, error) {
	a, ok := s.attributes[c.Attribute]
	switch {
	case !ok:
		return nil, ErrNotFound
	case !a.Archived:
		return nil, nil
	}
	return []Event{Restored{Attribute: a.ID}}, nil
}
