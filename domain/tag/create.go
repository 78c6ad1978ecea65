package tag

import (
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Create adds a tag. A tag that is there under the same name is no event.
type Create struct {
	Tag    ID
	Name   string
	Colour string // "#rrggbb"; may be left out
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	switch {
	case c.Tag == "":
		return nil, ErrUnnamable
	case c.Colour != "" && !text.IsColour(c.Colour):
		return nil, ErrColour
	}
	if t, exists := s.tags[c.Tag]; exists {
		switch {
		case t.Merged != "":
			return nil, ErrMerged
		case text.Key(t.Name) != text.Key(name):
			return nil, ErrExists
		case t.Archived:
			return nil, ErrArchived
		}
		return nil, nil
	}
	switch {
	case !s.names.Free(c.Tag, string(c.Tag)) || !s.names.Free(c.Tag, name):
		return nil, ErrNameTaken
	case len(s.tags) >= MaxTags:
		return nil, ErrTooMany
	}
	return []Event{Created{Tag: c.Tag, Name: name, Colour: strings.ToLower(c.Colour)}}, nil
}
