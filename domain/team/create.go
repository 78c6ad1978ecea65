package team

import (
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Create adds a team. A team that is there under the same name is no event.
type Create struct {
	Team ID
	Name string
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(c.Name)
	if c.Team == "" {
		return nil, ErrUnnamable
	}
	if t := s.teams[c.Team]; t != nil {
		switch {
		case text.Key(t.name) != text.Key(name):
			return nil, ErrExists
		case t.archived:
			return nil, ErrArchived
		}
		return nil, nil
	}
	switch {
	case !s.names.Free(c.Team, string(c.Team)) || !s.names.Free(c.Team, name):
		return nil, ErrNameTaken
	case len(s.teams) >= MaxTeams:
		return nil, ErrTooMany
	}
	return []Event{Created{Team: c.Team, Name: name}}, nil
}
