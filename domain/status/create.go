package status

import (
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Create adds a status at the end of a list that was seeded. A status that is
// there under the same name and category is no event.
type Create struct {
	Status   ID
	Name     string
	Colour   string // "#rrggbb"; may be left out
	Category Category
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	switch {
	case c.Status == "":
		return nil, ErrUnnamable
	case c.Colour != "" && !text.IsColour(c.Colour):
		return nil, ErrColour
	case c.Category != Open && c.Category != Pending && c.Category != Closed:
		return nil, ErrCategory
	case !s.Seeded():
		return nil, ErrNotSeeded
	}
	if i, exists := s.Get(c.Status); exists {
		switch {
		case text.Key(i.Name) != text.Key(name) || i.Category != c.Category:
			return nil, ErrExists
		case i.Archived:
			return nil, ErrArchived
		}
		return nil, nil
	}
	switch {
	case !s.names.Free(c.Status, string(c.Status)) || !s.names.Free(c.Status, name):
		return nil, ErrNameTaken
	case len(s.list) >= MaxStatuses:
		return nil, ErrTooMany
	}
	return []Event{Created{Status: c.Status, Name: name, Colour: strings.ToLower(c.Colour), Category: c.Category}}, nil
}
