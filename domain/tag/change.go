package tag

import (
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Rename gives a tag another name. The name it has is no event.
type Rename struct {
	Tag  ID
	Name string
}

// Decide implements the command.
func (c Rename) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	t, err := s.live(c.Tag)
	switch {
	case err != nil:
		return nil, err
	case t.Name == name:
		return nil, nil
	case !s.names.Free(t.ID, name):
		return nil, ErrNameTaken
	}
	return []Event{Renamed{Tag: t.ID, Name: name, From: t.Name}}, nil
}

// Recolour gives a tag another colour. The colour it has is no event.
type Recolour struct {
	Tag    ID
	Colour string // "#rrggbb"
}

// Decide implements the command.
func (c Recolour) Decide(s State) ([]Event, error) {
	if !text.IsColour(c.Colour) {
		return nil, ErrColour
	}
	colour := strings.ToLower(c.Colour)
	t, err := s.live(c.Tag)
	if err != nil || t.Colour == colour {
		return nil, err
	}
	return []Event{Recoloured{Tag: t.ID, Colour: colour}}, nil
}
