package order

import (
	"github.com/chatledger/chatledger/domain/internal/tagging"
)

// ChangeTags adds and removes tags. What is there already is not added, what is
// not there is not removed; if nothing is left to do, that is no event.
type ChangeTags struct {
	Add    []string
	Remove []string
}

// Decide implements the command.
func (c ChangeTags) Decide(s State) ([]Event, error) {
	added, removed, err := tagging.Change(tagRules, s.Tags, s.placed(), c.Add, c.Remove)
	if err != nil || len(added)+len(removed) == 0 {
		return nil, err
	}
	return []Event{TagsChanged{Added: added, Removed: removed}}, nil
}
