package status

import (
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Rename gives a status another name. The name it has is no event.
type Rename struct {
	Status ID
	Name   string
}

// Decide implements the command.
func (c Rename) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	item, _, err := s.live(c.Status)
	switch {
	case err != nil:
		return nil, err
	case item.Name == name:
		return nil, nil
	case !s.names.Free(item.ID, name):
		return nil, ErrNameTaken
	}
	return []Event{Renamed{Status: item.ID, Name: name, From: item.Name}}, nil
}

// Recolour gives a status another colour. The colour it has is no event.
type Recolour struct {
	Status ID
	Colour string // "#rrggbb"
}

// Decide implements the command.
func (c Recolour) Decide(s State) ([]Event, error) {
	if !text.IsColour(c.Colour) {
		return nil, ErrColour
	}
	colour := strings.ToLower(c.Colour)
	item, _, err := s.live(c.Status)
	if err != nil || item.Colour == colour {
		return nil, err
	}
	return []Event{Recoloured{Status: item.ID, Colour: colour}}, nil
}

// Move gives a status another place in the list, counted from 0. The place it
// has is no event.
type Move struct {
	Status ID
	To     int
}

// Decide implements the command.
func (c Move) Decide(s State) ([]Event, error) {
	_, place, err := s.live(c.Status)
	switch {
	case err != nil:
		return nil, err
	case c.To < 0 || c.To >= len(s.list):
		return nil, ErrPlace
	case place == c.To:
		return nil, nil
	}
	return []Event{Moved{Status: c.Status, To: c.To}}, nil
}

// SetDefault makes a status of the open category the one that new chats get.
// The default already is no event.
type SetDefault struct {
	Status ID
}

// Decide implements the command.
func (c SetDefault) Decide(s State) ([]Event, error) {
	item, _, err := s.live(c.Status)
	switch {
	case err != nil:
		return nil, err
	case item.Category != Open:
		return nil, ErrDefaultNotOpen
	case item.Default:
		return nil, nil
	}
	return []Event{DefaultSet{Status: item.ID, From: s.Default().ID}}, nil
}
